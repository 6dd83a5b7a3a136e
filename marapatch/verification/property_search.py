"""The search for a counterexample in one box: by halving it, or over ReLU phases.

Both go on where they stopped. Where rows are over probabilities the question is about tangents, and
what is found to miss a row adds one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.rationals import down, up
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.softmax_conditions import Group
from marapatch.problem.specification import Alternative, Case
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat, Verdict, Witness, witness_of
from marapatch.search.branch_and_bound.input_tree import InputSplit
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.budget import TANGENT_SECONDS
from marapatch.search.options import SearchOptions
from marapatch.solvers.base import Backend
from marapatch.verification.disjuncts import Disjunct
from marapatch.verification.property_replay import InnerBox, PropertyReplay
from marapatch.verification.score_conditions import FormulatedCondition
from marapatch.witnesses.falsify import falsify

FEW_SIDES = 12
"""Boxes with at most this many sides that have a length are halved; else ReLU phases are split."""

TANGENT_NODES = 2000
"""Sub-problems that a search over probabilities bounds at most before its tangents are looked at;
then twice as many each time."""


@dataclass(eq=False)
class CaseBox:
    """A case's box, as searches and judges need it; made when it is first needed."""

    network: Network
    case: Case
    runs: OnnxSession | None

    @cached_property
    def ball(self) -> Ball:
        """The box rounded outward."""
        box = self.case.box
        lower = np.array([down(end) for end in box.lower if end is not None])
        upper = np.array([up(end) for end in box.upper if end is not None])
        return covering_radius(lower, upper, self.network.input_dtype)

    @cached_property
    def inner(self) -> InnerBox:
        """What of the box is of the file's input type."""
        return InnerBox.of(self.case.box, self.network.input_dtype)

    @cached_property
    def few_sides(self) -> bool:
        """Whether few sides of the box have a length, so that it is halved."""
        ends = zip(self.case.box.lower, self.case.box.upper, strict=True)
        return sum(low != high for low, high in ends) <= FEW_SIDES


class _Engine(Protocol):
    """A search that goes on where it stopped."""

    @property
    def bounded(self) -> int:
        """Sub-problems bounded so far."""
        ...

    def advance(self, until: float, nodes: float = np.inf) -> Verdict:
        """Unknown before ``until`` and before so many more ``nodes`` are bounded: there is nothing
        more that it could do."""
        ...


class DisjunctSearch:
    """The search for a counterexample among the inputs of one box.

    ``rows``: what a counterexample must meet. ``groups``: what they imply and is refuted; of one
    row each where the box has many sides. ``attacked``: what they imply, all of it; None: the same.
    """

    def __init__(
        self,
        case_box: CaseBox,
        rows: Alternative,
        groups: tuple[Group, ...],
        backend: Backend,
        evidence: Evidence,
        nodes: int | None = None,
        attacked: tuple[Group, ...] | None = None,
    ) -> None:
        self.attacked = groups if attacked is None else attacked
        self.case_box, self.rows, self.groups = case_box, rows, groups
        self.backend, self.evidence, self.nodes = backend, evidence, nodes
        self.engine: _Engine | None = None
        self.before = 0

    @cached_property
    def disjunct(self) -> Disjunct:
        """What is refuted."""
        network = self.case_box.network
        formulated = FormulatedCondition.of(network.standard_form, self.case_box.ball, self.groups)
        replay = PropertyReplay(network, self.case_box.inner, self.rows, self.case_box.runs)
        return Disjunct(formulated, self.groups, replay)

    @cached_property
    def goal(self) -> Disjunct:
        """What an attack tries to meet."""
        if self.attacked is self.groups:
            return self.disjunct
        return replace(self.disjunct, groups=self.attacked)

    @property
    def weakened(self) -> bool:
        """Whether less is refuted than the rows over probabilities imply."""
        return any(len(group) > 1 for group in self.attacked) and not self.case_box.few_sides

    @property
    def contradicted(self) -> Witness | None:
        """A counterexample that onnxruntime contradicts."""
        asked = "disjunct" in vars(self)
        return self.disjunct.replay.contradicted if asked else None

    @property
    def bounded(self) -> int:
        """Sub-problems bounded so far."""
        return self.before + (0 if self.engine is None else self.engine.bounded)

    def attack(self, deadline: float, seed: int, rounds: int | None = None) -> Witness | None:
        """A counterexample by gradients, if one is found."""
        question, groups = self.goal.asked()
        found = falsify(question, deadline, seed, rounds, groups)
        if self.goal is not self.disjunct:
            self.goal.refine(keep=True)
        self._refine()
        return None if found is None else witness_of(found)

    def advance(self, until: float, nodes: float = np.inf) -> Verdict:
        """Search until the box is refuted, there is a counterexample, it is ``until``, or about so
        many more ``nodes`` are bounded.

        Where rows are over probabilities, what was found to miss them gives tangents, with which
        the search begins anew.
        """
        convex = any(row.weight for group in self.groups for row in group)
        most, seconds, turn = self.bounded + nodes, TANGENT_SECONDS, TANGENT_NODES
        while True:
            engine = self.engine = self.engine or self._begun()
            end, left = until, most - self.bounded
            if convex:
                left = min(left, turn)
                end = until if self.nodes is not None else min(until, monotonic() + seconds)
            before = self.bounded
            verdict = engine.advance(end, left)
            if not isinstance(verdict, Unknown):
                return verdict
            gave_up = monotonic() < end and self.bounded < before + left
            over = monotonic() >= until or self.bounded >= most
            if not self._refine() and (gave_up or over):
                return (
                    verdict
                    if over or not self.weakened
                    else Unknown(
                        f"{verdict.reason}; rows over probabilities that are not convex were asked "
                        "about a little weakened"
                    )
                )
            if over:
                what = "timeout" if monotonic() >= until else "the limit of sub-problems is reached"
                return Unknown(f"{what}: tangents of probabilities were still being added")
            seconds, turn = 2.0 * seconds, 2 * turn

    def _begun(self) -> _Engine:
        question, groups = self.disjunct.asked()
        if self.case_box.few_sides:
            return InputSplit(question, groups)
        return _Phases(question, self.backend, self.evidence, self.nodes)

    def _refine(self) -> bool:
        """Take in new tangents; the search then starts again."""
        if not self.disjunct.refine():
            return False
        self.before, self.engine = self.bounded, None
        return True


def covering_radius(lower: Array, upper: Array, dtype: np.dtype[np.floating]) -> Ball:
    """The box as an L-infinity ball around about its middle, which is of type ``dtype`` inside."""
    middle = (0.5 * lower + 0.5 * upper).astype(dtype).astype(np.float64)
    ball = Ball.of_box(np.clip(middle, lower, upper), lower, upper)
    return ball.with_radius(ball.covering_radius)


class _FoundError(Exception):
    """Ends a search at its first witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__("a witness was found")
        self.witness = witness


class _Phases:
    """A tree over ReLU phases that asks about the whole box and ends at its first witness."""

    def __init__(
        self, question: Question, backend: Backend, evidence: Evidence, nodes: int | None = None
    ) -> None:

        def first(claimed: NDArray[np.float64]) -> Witness | None:
            witness = question.replay(claimed)
            if witness is not None:
                raise _FoundError(witness_of(witness))
            return None

        asked = replace(question, replay=first)
        options = SearchOptions(evidence=evidence, nodes=nodes)
        self.tree = ReluTree(asked, Bracket(), backend, options, lambda *_: None)

    @property
    def bounded(self) -> int:
        return self.tree.bounded

    def advance(self, until: float, nodes: float = np.inf) -> Verdict:
        """Expand until the whole box is refuted, there is a witness, it is ``until``, or about so
        many more ``nodes`` are bounded."""
        try:
            self.tree.advance(until, nodes)
        except _FoundError as found:
            return Sat(found.witness)
        if self.tree.bracket.lower == np.inf:
            return Unsat(np.inf, self.tree.bracket.evidence)
        note = self.tree.note
        return Unknown(f"timeout: {note}" if monotonic() >= until else note)
