"""What the arithmetic of proofs may lose to underflow, and where nothing is lost."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.arithmetic.float_model import SMALL, least_size, underflow
from marapatch.bounds.crown import linear_bounds
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.norm import Norm


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_the_underflow_of_a_product_is_where_it_has_terms(kind: str) -> None:
    import scipy.sparse as sp

    outer, inner = np.array([[1e-200, 0.0], [0.0, 1.0]]), np.array([[1e-200, 0.0], [0.0, 1.0]])
    if kind == "sparse":
        outer, inner = sp.csr_array(outer), sp.csr_array(inner)
    lost = underflow(outer, inner)
    assert lost is not None
    full = lost.toarray() if sp.issparse(lost) else lost
    assert full.tolist() == [[SMALL, 0.0], [0.0, SMALL]]
    assert underflow(np.ones((2, 2)), np.full((2, 2), 1e-100)) is None
    assert least_size(sp.csr_array((2, 2))) == inf


def test_what_is_exactly_zero_stays_so() -> None:
    """A neuron without any input is stable: it is never split on."""
    network = dense_network(
        [np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1e-300], [0.0, 0.0]]), np.eye(2)],
        [np.array([0.0, 0.0])] * 3,
    )
    bounds = linear_bounds(
        network.standard_form, Ball(np.zeros(2), -np.ones(2), np.ones(2), Norm.L1, 1.0)
    )
    assert [u.tolist() for u in bounds.unstable] == [[True, False], [False, False]]
