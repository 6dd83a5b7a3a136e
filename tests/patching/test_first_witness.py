"""First witnesses of patches, and what is kept of a search that was interrupted."""

from __future__ import annotations

from math import inf
from time import monotonic

import numpy as np
import pytest

from marapatch.network.cut import tail
from marapatch.network.graph import Network, dense_network
from marapatch.patching import solve as searching
from marapatch.patching.adam_search import adam_search
from marapatch.patching.api import minimal_patch
from marapatch.patching.changes import changes, sources
from marapatch.patching.first_witness import nearest_l1, shrink
from marapatch.patching.formulation import by_weight
from marapatch.patching.goals import combinations, one_of
from marapatch.patching.options import PatchOptions
from marapatch.patching.solve import PatchProgress
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question


def network() -> tuple[Network, np.ndarray]:
    """Twenty inputs, each decided as 0 or as 3; wanted is the other one of these."""
    rng = np.random.default_rng(4)
    weights = [rng.normal(size=s) for s in ((12, 6), (12, 12), (4, 12))]
    biases = [0.1 * rng.normal(size=len(w)) for w in weights]
    return dense_network(weights, biases), rng.uniform(0.1, 1.0, size=(20, 6))


@pytest.mark.parametrize("norm", list(PROVED))
def test_many_inputs_at_once(norm: Norm) -> None:
    """Twenty inputs, each to be decided otherwise, by one inner layer of 144 weights."""
    net, inputs = network()
    goals = tuple(
        one_of([(int(d) + 1) % 4], 4, Rule.ARGMAX, 1e-3)
        for d in net.evaluate(inputs).argmax(axis=1)
    )
    what = changes(net, net.affine_layers[1])
    verifier = PatchVerifier(net, what, inputs, goals, norm)
    (clauses,) = combinations(goals)
    formulated = by_weight(verifier, sources(net, what.layer, inputs), tail(net, 1), clauses)
    found = adam_search(formulated.question, inf)
    assert found is not None
    verified = verifier(formulated.replays.of(found).change)
    assert verified is not None
    assert verified.size == found.distance
    nearer = shrink(formulated.question, found, inf)
    assert nearer.distance < found.distance
    assert adam_search(formulated.question, monotonic()) is None


def test_the_nearest_points_of_the_l1_ball() -> None:
    """No other point of the ball is nearer; what is inside stays."""
    rng = np.random.default_rng(1)
    size = 7
    ball = Ball(np.zeros(size), np.full(size, -inf), np.full(size, inf), Norm.L1, inf)
    net = dense_network([np.eye(size)], [np.zeros(size)])
    condition = OutputCondition(np.eye(size), np.zeros(size))
    question = Question(net.standard_form, ball, condition, lambda _: None)
    points = rng.normal(size=(5, size))
    found = nearest_l1(question, points, 1.5)
    assert np.abs(found).sum(axis=1) == pytest.approx(np.full(5, 1.5))
    assert (found == 0.0).any()
    others = rng.normal(size=(20_000, size))
    others *= 1.5 * rng.uniform(size=(20_000, 1)) / np.abs(others).sum(axis=1, keepdims=True)
    for point, nearest in zip(points, found, strict=True):
        least = np.linalg.norm(others - point, axis=1).min()
        assert np.linalg.norm(nearest - point) <= least
        # the nearest point makes an obtuse angle with every other one
        assert ((others - nearest) @ (point - nearest)).max() <= 1e-9
    inside = found * 0.5
    assert nearest_l1(question, inside, 1.5) == pytest.approx(inside)


@pytest.mark.parametrize("search", ["auto", "bisection"])
def test_an_interrupted_search_keeps_both_ends(search: str) -> None:
    net, inputs = network()
    target = 3 - int(net.evaluate(inputs[:1]).argmax())
    seen: list[PatchProgress] = []

    def stop(progress: PatchProgress) -> None:
        seen.append(progress)
        if progress.lower > 0.0 and progress.upper < inf:
            raise KeyboardInterrupt

    options = PatchOptions(search=search, tolerance=1e-6, nodes=2000)
    patch = minimal_patch(net, inputs[0], target, layer=0, options=options, progress=stop)
    assert patch.interrupted
    assert patch.lower == max(progress.lower for progress in seen) > 0.0
    assert patch.delta is not None
    assert patch.upper <= seen[-1].upper
    assert patch.lower <= patch.upper
    assert patch.note == "interrupted"


def test_to_show_that_nothing_will_do_takes_a_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A linear program over a large network took all of it, and nothing else was tried."""
    given: list[float] = []

    def watched(question: object, seconds: float) -> bool:
        given.append(seconds)
        return False

    monkeypatch.setattr(searching, "infeasible_by_relaxation", watched)
    rng = np.random.default_rng(0)
    small = dense_network(
        [rng.normal(size=(6, 3)), rng.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)]
    )
    image = np.full(3, 0.5)
    wanted = 1 - int(small.evaluate(image)[0].argmax())
    minimal_patch(small, image, wanted, layer=0, options=PatchOptions(timeout=10.0))
    minimal_patch(small, image, wanted, layer=0, options=PatchOptions(nodes=5))
    assert 0.0 < given[0] <= 2.0
    assert given[1] == inf
