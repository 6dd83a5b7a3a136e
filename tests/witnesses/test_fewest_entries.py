"""As few entries as possible under rows: one mixed-integer program."""

from __future__ import annotations

import numpy as np
import pytest
from rows_over_inputs import exact_fewest, problem

from marapatch.witnesses.row_lp import min_l0


@pytest.mark.parametrize("seed", range(12))
def test_fewest_is_the_fewest(seed: int) -> None:
    rows, *_ = problem(seed)
    change, proved = min_l0(rows, 600.0)
    assert change is not None
    assert proved
    assert rows.missed(change).max() <= 1e-7
    assert np.count_nonzero(change) == exact_fewest(rows)
