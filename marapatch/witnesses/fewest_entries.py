"""The change of fewest entries that meets linear rows: one mixed-integer program (min-L0)."""

from __future__ import annotations

from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.network.layers import Array, Matrix
from marapatch.solvers.base import Optimum
from marapatch.solvers.highs.backend import minimise_program
from marapatch.solvers.highs.milp import Program


def fewest_entries(
    matrix: Matrix, rhs: Array, lower: Array, upper: Array, seconds: float
) -> Optimum:
    """Minimise ``sum y`` over ``matrix @ d >= rhs``, ``lower y <= d <= upper y``, y binary.

    ``matrix``: (rows, entries), scaled by whoever asks. ``lower <= 0 <= upper``: (entries,),
    finite: they are the big-M of each entry, so that y = 0 holds it at 0. ``assignment`` of the
    result is (d, y); its ``bound`` is HiGHS' dual bound, trusted within its tolerances.
    Cost: one binary and two rows an entry.
    """
    size, count = lower.size, rhs.size
    eye = sp.eye_array(size, format="csr")
    # d - upper y <= 0 and d - lower y >= 0: y = 0 leaves d = 0 alone, and y = 1 the entry's own
    # range. As big-M that range is the least that cuts off no change.
    whole = sp.csr_array(
        sp.vstack(
            [
                sp.hstack([sp.csr_array(matrix), sp.csr_array((count, size))]),
                sp.hstack([eye, -sp.diags_array(upper)]),
                sp.hstack([eye, -sp.diags_array(lower)]),
            ]
        )
    )
    without = np.full(size, inf)
    # y counts among the ``variables`` too: what is no variable is left out of the assignment, and
    # whoever reads it needs to know which entries are used.
    program = Program(
        variables=2 * size,
        lower=np.concatenate([lower, np.zeros(size)]),
        upper=np.concatenate([upper, np.ones(size)]),
        integer=np.repeat([False, True], size),
        matrix=whole,
        row_lower=np.concatenate([rhs, -without, np.zeros(size)]),
        row_upper=np.concatenate([np.full(count, inf), np.zeros(size), without]),
    )
    # Nothing of d costs, so that the dual bound is one on the count and on nothing else.
    return minimise_program(program, np.repeat([0.0, 1.0], size), seconds)
