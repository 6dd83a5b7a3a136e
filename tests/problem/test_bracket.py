"""The laws of a bracket: verdicts tighten it, nothing widens it, a contradiction is raised."""

from __future__ import annotations

from itertools import permutations
from math import inf, nan

import numpy as np
import pytest

from marapatch.errors import ContradictionError
from marapatch.problem.bracket import Bracket
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat, Verdict, Witness

BOUND, SOLVER = Evidence.BOUND, Evidence.SOLVER


def witness(distance: float) -> Witness:
    return Witness(np.zeros(2, np.float32), distance, 0.1, np.zeros(2), None)


def test_nothing_is_known_at_first() -> None:
    bracket = Bracket()
    assert (bracket.lower, bracket.upper, bracket.gap) == (0.0, inf, inf)
    assert bracket.evidence is BOUND
    assert not bracket.closed(1e9)


def test_a_proof_raises_lower_and_brings_its_evidence() -> None:
    bracket = Bracket(0.25, BOUND).tighten(Unsat(0.5, SOLVER))
    assert (bracket.lower, bracket.evidence) == (0.5, SOLVER)
    again = bracket.tighten(Unsat(0.75, BOUND))
    assert (again.lower, again.evidence) == (0.75, BOUND)


@pytest.mark.parametrize("radius", [0.5, 0.25, -1.0, nan])
def test_a_proof_of_less_changes_nothing(radius: float) -> None:
    bracket = Bracket(0.5, BOUND, witness(1.0))
    assert bracket.tighten(Unsat(radius, SOLVER)) is bracket


def test_a_nearer_witness_lowers_upper_and_a_farther_one_does_not() -> None:
    far, near = witness(1.0), witness(0.5)
    bracket = Bracket(0.25, SOLVER, far)
    assert bracket.tighten(Sat(near)).witness is near
    assert bracket.tighten(Sat(near)).tighten(Sat(far)).witness is near
    assert bracket.tighten(Sat(near)).lower == 0.25
    assert bracket.tighten(Sat(witness(1.0))).witness is far


def test_the_unknown_changes_nothing() -> None:
    for bracket in (Bracket(), Bracket(0.5, SOLVER, witness(1.0)), Bracket(inf)):
        assert bracket.tighten(Unknown("timeout")) is bracket


@pytest.mark.parametrize(
    ("start", "verdict"),
    [
        (Bracket(0.5, SOLVER), Sat(witness(0.4))),
        (Bracket(inf, BOUND), Sat(witness(1e9))),
        (Bracket(0.0, BOUND, witness(0.4)), Unsat(0.5, SOLVER)),
        (Bracket(0.0, BOUND, witness(0.4)), Unsat(inf, BOUND)),
        (Bracket(0.5, BOUND, witness(0.5)), Unsat(0.5000000000000001, BOUND)),
        (Bracket(0.5, BOUND), Sat(witness(nan))),
    ],
)
def test_a_contradiction_is_raised_with_both_numbers(start: Bracket, verdict: Verdict) -> None:
    with pytest.raises(ContradictionError) as caught:
        start.tighten(verdict)
    assert "nothing is nearer than" in str(caught.value)
    assert "witness is at" in str(caught.value)


@pytest.mark.parametrize("lower", [0.6, inf, nan])
def test_a_contradictory_bracket_cannot_be_made(lower: float) -> None:
    with pytest.raises(ContradictionError):
        Bracket(lower, SOLVER, witness(0.5))


def test_a_bracket_may_close_exactly() -> None:
    bracket = Bracket(0.0, BOUND, witness(0.5)).tighten(Unsat(0.5, BOUND))
    assert bracket.gap == 0.0
    assert bracket.closed(0.0)
    assert Bracket(inf).gap == 0.0
    assert Bracket(inf).closed(0.0)


def test_closed_means_a_gap_of_at_most_the_tolerance() -> None:
    bracket = Bracket(0.25, BOUND, witness(0.5))
    assert bracket.closed(0.25)
    assert not bracket.closed(0.2499999)


def test_the_order_of_verdicts_does_not_matter() -> None:
    verdicts: list[Verdict] = [
        Unsat(0.25, BOUND),
        Unsat(0.5, SOLVER),
        Sat(witness(1.0)),
        Sat(witness(0.75)),
        Unknown("timeout"),
    ]
    for order in permutations(verdicts):
        bracket = Bracket()
        for verdict in order:
            tighter = bracket.tighten(verdict)
            assert tighter.lower >= bracket.lower
            assert tighter.upper <= bracket.upper
            bracket = tighter
        assert (bracket.lower, bracket.upper, bracket.evidence) == (0.5, 0.75, SOLVER)


def test_the_weakest_evidence_counts() -> None:
    assert Evidence.weakest() is BOUND
    assert Evidence.weakest(BOUND, BOUND) is BOUND
    assert Evidence.weakest(BOUND, SOLVER) is SOLVER
