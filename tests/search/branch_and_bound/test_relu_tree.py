"""How the tree grows: over several processes, and where memory runs short."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from math import inf

import pytest
from digit_questions import digit_question
from small_networks import small_case

from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.branch_and_bound import parts as tree_parts
from marapatch.search.branch_and_bound import relu_tree as phase_tree
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.options import SearchOptions
from marapatch.solvers import create

TOLERANCE = 1e-4
OPTIONS = SearchOptions(tolerance=TOLERANCE, evidence=Evidence.BOUND, nodes=2000)


def expanded(question: Question, start: Bracket, options: SearchOptions, memory: int) -> ReluTree:
    backend = create("highs")
    plant = ReluTree(question, start, backend, options, lambda *_: None)
    plant.open_nodes.memory = memory
    plant.advance(inf, options.most_nodes)
    backend.close()
    return plant


@pytest.mark.parametrize("seed", range(6))
def test_without_memory_for_open_nodes_the_answer_is_the_same(seed: int) -> None:
    case = small_case(seed, ("plain",))
    for norm in PROVED:
        question = replace(case.question, ball=replace(case.question.ball, norm=norm))
        best = expanded(question, Bracket(), OPTIONS, memory=1 << 30).bracket
        deep = expanded(question, Bracket(), OPTIONS, memory=0).bracket
        assert deep.upper == pytest.approx(best.upper, abs=2.0 * TOLERANCE)
        assert deep.lower == pytest.approx(best.lower, abs=2.0 * TOLERANCE)


@pytest.mark.parametrize("seed", range(6))
def test_with_the_bounds_of_the_root_alone_the_answer_is_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for networks with many neurons."""
    case = small_case(seed, ("plain",))
    monkeypatch.setattr(phase_tree, "REBOUNDED", 1000)
    anew = expanded(case.question, Bracket(), OPTIONS, memory=1 << 30).bracket
    monkeypatch.setattr(phase_tree, "REBOUNDED", 0)
    kept = expanded(case.question, Bracket(), OPTIONS, memory=1 << 30).bracket
    assert kept.upper == pytest.approx(anew.upper, abs=2.0 * TOLERANCE)
    assert kept.lower == pytest.approx(anew.lower, abs=2.0 * TOLERANCE)


def test_without_memory_fewer_nodes_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth-first: what is open is a path, not a front."""
    question, start = digit_question(Norm.LINF, 0, 9)
    most = {}
    raise_lower = ReluTree._raise
    for memory in (1 << 30, 0):
        sizes: list[int] = []

        def watched(self: ReluTree, sizes: list[int] = sizes) -> None:
            sizes.append(len(self.open_nodes))
            raise_lower(self)

        monkeypatch.setattr(ReluTree, "_raise", watched)
        monkeypatch.setattr(phase_tree, "BATCH_NODES", 4)
        assert expanded(question, start, OPTIONS, memory).bracket.closed(TOLERANCE)
        most[memory] = max(sizes)
    assert most[0] < most[1 << 30]


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
def test_two_processes_prove_what_one_proves(norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_parts, "ENOUGH", 1)
    monkeypatch.setattr(tree_parts, "WORKER_SECONDS", 0.5)
    shared = []
    share = ReluTree._share

    def counted(self: ReluTree, workers: object) -> None:
        shared.append(len(self.open_nodes))
        share(self, workers)  # type: ignore[arg-type]

    monkeypatch.setattr(ReluTree, "_share", counted)
    question, start = digit_question(norm, 1, 8)
    several = replace(OPTIONS, jobs=2, tolerance=TOLERANCE if norm is Norm.LINF else 1.2)
    one = replace(several, jobs=1)
    brackets = [
        tree(question, start, create("highs"), options, lambda *_: None).bracket
        for options in (one, several)
    ]
    assert shared
    assert all(bracket.closed(one.tolerance) for bracket in brackets)
    assert all(bracket.evidence is Evidence.BOUND for bracket in brackets)
    assert brackets[0].lower <= brackets[1].upper
    assert brackets[1].lower <= brackets[0].upper


@pytest.mark.parametrize("ending", [True, False])
def test_a_tree_that_is_ending_has_more_of_the_time(
    ending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its open nodes get fewer: rungs below it would only take its time."""
    rungs: list[float] = []
    tree_search = import_module(
        "marapatch.search.branch_and_bound.driver"
    )  # the package exports its function
    monkeypatch.setattr(tree_search, "TREE_AT_WITNESS_SHARE", 0.0)
    monkeypatch.setattr(
        tree_search._Schedule, "_smaller_radii", lambda _, until: rungs.append(until)
    )
    monkeypatch.setattr(ReluTree, "ending", property(lambda _: ending))
    backend = create("highs")
    case = small_case(0, ("plain",))
    outcome = tree(case.question, Bracket(), backend, OPTIONS, lambda *_: None)
    backend.close()
    assert OPTIONS.closed(outcome.bracket)
    assert len(rungs) == (0 if ending else 1)


def test_a_tree_ends_as_its_open_nodes_get_fewer() -> None:
    question, start = digit_question(Norm.LINF, 2, 3)
    backend = create("highs")
    plant = ReluTree(question, start, backend, OPTIONS, lambda *_: None)
    told: list[tuple[int, int, bool]] = []
    plant.report = lambda *_: told.append(
        (len(plant.open_nodes), plant.open_nodes.most, plant.ending)
    )
    plant.advance(inf, OPTIONS.most_nodes)
    backend.close()
    assert OPTIONS.closed(plant.bracket)
    assert max(most for _, most, _ in told) > 3
    assert not told[0][2]
    assert any(ending for _, _, ending in told)
    for count, most, ending in told:
        assert ending == (0 < count <= phase_tree.NEARLY_DONE * most)
