"""Which search a property is put to, and over which ball."""

from __future__ import annotations

import numpy as np

from marapatch.formats.vnnlib.reader import parse_property
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify
from marapatch.verification.property_search import covering_radius


def test_many_inputs_go_to_the_tree(marabou: MarabouBackend) -> None:
    """With 14 inputs the phases are split; both answers, on networks small enough to be sure."""
    rng = np.random.default_rng(8)
    network = dense_network(
        [rng.normal(size=(6, 14)), rng.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)]
    )
    sign = np.sign(network.weights("affine0")[0]).T
    best = max(float(network.evaluate(s)[0] @ [1.0, -1.0]) for s in sign.T)
    names = [f"X_{i}" for i in range(14)] + ["Y_0", "Y_1"]
    text = "".join(f"(declare-const {v} Real)" for v in names)
    text += "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in range(14))
    ceiling = float(
        np.abs(network.weights("affine1")[0]).sum()
        * np.abs(network.weights("affine0")[0]).sum(1).max()
    )
    for level, status in ((best - 0.1, "sat"), (2 * ceiling, "unsat")):
        wanted = parse_property(f"{text}(assert (>= (- Y_0 Y_1) {level:.9f}))")
        assert verify(network, wanted, marabou, nodes=20000).status == status


def test_whole_box_covers_the_box() -> None:
    ball = covering_radius(np.array([0.1, -1.0]), np.array([0.1, 2.0]), np.dtype(np.float32))
    assert isinstance(ball, Ball)
    low, high = ball.enclosing_box
    assert (low <= [0.1, -1.0]).all()
    assert (high >= [0.1, 2.0]).all()
