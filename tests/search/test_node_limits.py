"""A limit of sub-problems: the search stops there, and two runs agree whatever the clock says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from counted_searches import between, wide_network
from digit_questions import digit_question
from small_networks import small_case

from marapatch.formats.vnnlib.reader import parse_property
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.patching.api import minimal_patch
from marapatch.patching.options import PatchOptions
from marapatch.patching.sparse import sparse_patch
from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import PROVED, Norm
from marapatch.search.branch_and_bound import parts as tree_parts
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.options import SearchOptions
from marapatch.solvers import create
from marapatch.verification.api import verify

Clock = Callable[[], float]


SLOW = 0.3
"""Seconds that pass, on the slow machine, each time that the clock is read."""


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes every module of marapatch that reads the monotonic clock read one that goes on by so
    many seconds each time: a machine under any load."""

    def set_to(seconds: float) -> None:
        ticks = count(1.0, seconds)
        for name, module in list(sys.modules.items()):
            if name.startswith("marapatch.") and hasattr(module, "monotonic"):
                monkeypatch.setattr(module, "monotonic", lambda: next(ticks))

    return set_to


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_a_tree_stops_at_the_number_of_its_nodes(norm: Norm) -> None:
    question, start = digit_question(norm, 1, 8)
    backend = create("highs")
    for nodes in (1, 20, 40):
        options = SearchOptions(tolerance=1e-6, nodes=nodes)
        outcome = tree(question, start, backend, options, lambda *_: None)
        assert 0.5 * nodes <= outcome.nodes <= nodes + 4
        assert "limit of sub-problems" in outcome.note
        assert nodes == 1 or outcome.bracket.lower > 0.0


def test_a_limit_that_is_not_reached_leaves_the_answer_closed() -> None:
    case = small_case(0, ("plain",))
    options = SearchOptions(nodes=100_000)
    with create("highs") as backend:
        outcome = tree(case.question, Bracket(), backend, options, lambda *_: None)
    assert options.closed(outcome.bracket)
    assert outcome.note == ""


def brackets(result: object) -> list[tuple[float, float, int]]:
    return [(t.lower, t.upper, t.nodes) for t in result.targets]  # type: ignore[attr-defined]


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("each", [False, True], ids=["nearest", "each target"])
def test_a_ground_truth_is_the_same_at_any_pace(
    norm: str, each: bool, clocks: Callable[[float], None]
) -> None:
    network, image = wide_network(), np.full(8, 0.5)
    options = GroundTruthOptions(nodes=40, tolerance=1e-9, backend="highs")
    found = []
    for pace in (1e-6, SLOW):
        clocks(pace)
        found.append(ground_truth(network, image, norm=norm, each_target=each, options=options))
    assert brackets(found[0]) == brackets(found[1])
    assert 30 <= sum(target.nodes for target in found[0].targets) <= 50
    assert not found[0].closed
    assert any("limit of sub-problems" in target.note for target in found[0].targets)


@pytest.mark.parametrize("target", [(1,), None], ids=["one tree", "several targets"])
def test_two_processes_give_the_same_twice(
    target: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_parts, "ENOUGH", 2)
    network, image = wide_network(), np.full(8, 0.5)
    options = GroundTruthOptions(nodes=60, tolerance=1e-9, jobs=2, backend="highs")
    found = [ground_truth(network, image, target=target, options=options) for _ in range(2)]
    assert brackets(found[0]) == brackets(found[1])
    assert 0 < sum(t.nodes for t in found[0].targets) <= 120


@pytest.mark.parametrize("search", ["descent", "bisection"])
def test_a_query_counts_as_one(search: str) -> None:
    network = wide_network(4, 12)
    options = GroundTruthOptions(search=search, backend="highs", nodes=1, tolerance=1e-9)
    result = ground_truth(network, np.full(4, 0.5), target=1, options=options)
    (only,) = result.targets
    assert len(only.queries) == only.nodes == 1
    assert only.note == "the limit of 1 sub-problems is reached"


@pytest.mark.parametrize(
    ("inputs", "share", "nodes"), [(4, 0.2, 30), (20, 0.3, 60)], ids=["boxes", "phases"]
)
def test_a_property_is_decided_alike_at_any_pace(
    inputs: int, share: float, nodes: int, clocks: Callable[[float], None]
) -> None:
    network = wide_network(inputs, outputs=2, seed=5)
    row = f"(>= Y_0 {between(network, share).rhs[0]:.17f})"
    text = "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    text += "".join(f"(declare-const X_{i} Real)" for i in range(inputs))
    text += "".join(f"(assert (>= X_{i} 0.0))(assert (<= X_{i} 1.0))" for i in range(inputs))
    wanted = parse_property(f"{text}(assert (or (and {row}) (and {row} (<= Y_1 1e9))))")
    found = []
    for pace in (1e-6, SLOW):
        clocks(pace)
        with create("highs") as backend:
            found.append(verify(network, wanted, backend, nodes=nodes))
    assert (
        (found[0].status, found[0].nodes) == (found[1].status, found[1].nodes) == ("unknown", nodes)
    )
    assert "limit of sub-problems" in found[0].verdict.reason  # type: ignore[union-attr]


@pytest.mark.parametrize(("norm", "layer"), [("linf", 0), ("l1", 1)])
def test_a_patch_is_the_same_at_any_pace(
    norm: str, layer: int, clocks: Callable[[float], None]
) -> None:
    network = wide_network(4, 12, 3, seed=2)
    images = np.random.default_rng(3).uniform(size=(2, 4))
    wanted = [(int(network.evaluate(x)[0].argmax()) + 1) % 3 for x in images]
    options = PatchOptions(nodes=60, tolerance=1e-9, backend="highs")
    found = []
    for pace in (1e-6, SLOW):
        clocks(pace)
        found.append(
            minimal_patch(network, images, wanted, layer=layer, norm=norm, options=options)
        )
    assert [f.lower for f in found] == [found[0].lower] * 2
    assert [f.upper for f in found] == [found[0].upper] * 2
    assert found[0].nodes == found[1].nodes <= 120


def test_fewest_numbers_at_any_pace(clocks: Callable[[float], None]) -> None:
    network = wide_network(4, 12, 3, seed=2)
    image = np.full(4, 0.4)
    wanted = (int(network.evaluate(image)[0].argmax()) + 1) % 3
    options = PatchOptions(nodes=60, backend="highs")
    found = []
    for pace in (1e-6, SLOW):
        clocks(pace)
        found.append(sparse_patch(network, image, wanted, layer=1, max_change=1.0, options=options))
    assert (found[0].lower, found[0].upper) == (found[1].lower, found[1].upper)
    assert found[0].nodes == found[1].nodes <= 120
