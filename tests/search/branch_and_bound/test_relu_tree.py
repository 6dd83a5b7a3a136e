"""How the tree grows: over several processes, and where memory runs short."""

from __future__ import annotations

from importlib import import_module
from math import inf

import pytest
from digit_questions import digit_question
from expanded_trees import OPTIONS, TOLERANCE, expanded
from small_networks import small_case

from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import Norm
from marapatch.search.branch_and_bound import relu_tree as phase_tree
from marapatch.search.branch_and_bound.driver import tree
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.solvers import create


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


@pytest.mark.parametrize("ending", [True, False])
def test_a_tree_that_is_ending_has_more_of_the_time(
    ending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its open nodes get fewer: smaller radii would only take its time."""
    smaller: list[float] = []
    tree_search = import_module(
        "marapatch.search.branch_and_bound.driver"
    )  # the package exports its function
    monkeypatch.setattr(tree_search, "TREE_AT_WITNESS_SHARE", 0.0)
    monkeypatch.setattr(
        tree_search._Schedule, "_smaller_radii", lambda _, until: smaller.append(until)
    )
    monkeypatch.setattr(ReluTree, "ending", property(lambda _: ending))
    backend = create("highs")
    case = small_case(0, ("plain",))
    outcome = tree(case.question, Bracket(), backend, OPTIONS, lambda *_: None)
    backend.close()
    assert OPTIONS.closed(outcome.bracket)
    assert len(smaller) == (0 if ending else 1)


def test_a_tree_ends_as_its_open_nodes_get_fewer() -> None:
    question, start = digit_question(Norm.LINF, 2, 3)
    backend = create("highs")
    begun = ReluTree(question, start, backend, OPTIONS, lambda *_: None)
    told: list[tuple[int, int, bool]] = []
    begun.report = lambda *_: told.append(
        (len(begun.open_nodes), begun.open_nodes.most, begun.ending)
    )
    begun.advance(inf, OPTIONS.most_nodes)
    backend.close()
    assert OPTIONS.closed(begun.bracket)
    assert max(most for _, most, _ in told) > 3
    assert not told[0][2]
    assert any(ending for _, _, ending in told)
    for count, most, ending in told:
        assert ending == (0 < count <= phase_tree.NEARLY_DONE * most)
