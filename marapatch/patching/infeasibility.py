"""Is there any patch at all, however large? A linear relaxation that needs no bounds.

Each ReLU ``a = max(z, 0)`` becomes ``a >= 0, a >= z``: every point of the network is one of the
relaxation's, whatever its size. Where the relaxation cannot meet the condition, nothing can. The
third side of the triangle, ``a <= u (z - l) / (u - l)``, needs bounds on z, and without a radius
there are none.

Variables: the change, then every ReLU's output, layer by layer: (V + ReLUs,).
"""

from __future__ import annotations

from math import inf

import numpy as np
import scipy.sparse as sp

from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.network.layers import Array, Matrix
from marapatch.problem.question import Question
from marapatch.solvers.highs.backend import minimise_program
from marapatch.solvers.highs.milp import Program

LONGEST = 1e6
"""Seconds where nothing limits the linear program: HiGHS wants a finite number."""


def infeasible_by_relaxation(question: Question, seconds: float) -> bool:
    """Whether HiGHS says that no point of the box meets the condition, by the relaxation alone.

    False says nothing. Trusts HiGHS within its tolerances (evidence: solver).
    """
    form, condition, ball = question.form, question.condition, question.ball
    starts = np.concatenate([[0], np.cumsum(form.sizes)])
    width = int(starts[-1])

    def over_all(layer: AffineMap) -> Matrix:
        parts = []
        for source, size in enumerate(form.sizes):
            if source in layer.sources:
                parts.append(sp.csr_array(layer.weights[layer.sources.index(source)]))
            else:
                parts.append(sp.csr_array((layer.outputs, size)))
        return sp.csr_array(sp.hstack(parts))

    # Over-approximation keeps "infeasible" and nothing else, so that is all that is asked for. The
    # maps' rounding errors are not in the rows: that, and HiGHS' tolerances, is why the evidence is
    # ``solver`` and not ``bound``.
    rows: list[Matrix] = []
    rhs: list[Array] = []
    for k, layer in enumerate(form.hidden):
        # a - W a_before >= b, for the outputs a of this layer
        own = sp.eye_array(layer.outputs, width, k=int(starts[k + 1]))
        rows.append(sp.csr_array(own - over_all(layer)))
        rhs.append(layer.bias)
    rows.append(sp.csr_array(condition.matrix) @ over_all(form.output))
    rhs.append(condition.rhs - condition.matrix @ form.output.bias)
    matrix, need = sp.csr_array(sp.vstack(rows)), np.concatenate(rhs)
    inner = width - form.inputs  # ReLUs' outputs: at least 0, and nothing bounds them above
    program = Program(
        width,
        np.concatenate([ball.lower, np.zeros(inner)]),
        np.concatenate([ball.upper, np.full(inner, inf)]),
        np.zeros(width, dtype=bool),
        matrix,
        need,
        np.full(need.size, inf),
    )
    return minimise_program(program, np.zeros(width), max(min(seconds, LONGEST), 1e-3)).infeasible
