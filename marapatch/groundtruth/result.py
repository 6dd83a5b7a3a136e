"""What a ground truth is: brackets, target by target, and the nearest over all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.target_problem import TargetState
from marapatch.network.graph import Network
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Evidence, Witness, witness_of
from marapatch.search.options import QueryRecord
from marapatch.search.tree_record import TreeRecord


@dataclass(frozen=True)
class Progress:
    """Where a ground truth stands: of the target in hand, and of the whole."""

    target: int
    targets_done: int
    targets_total: int
    lower: float
    upper: float
    queries: int
    seconds: float


@dataclass(frozen=True, eq=False)
class TargetResult:
    """The bracket of one target. ``lower`` may be infinite: no input in the box reaches it.

    ``note`` says why an open bracket is open. ``nodes``: sub-problems the search bounded.
    ``trees``: its trees, where they were recorded.
    """

    target: int
    bracket: Bracket
    queries: tuple[QueryRecord, ...]
    seconds: float
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()

    @staticmethod
    def of(target: int, found: TargetState) -> TargetResult:
        """What the search found of ``target``."""
        return TargetResult(
            target,
            found.bracket,
            found.queries,
            found.seconds,
            found.nodes,
            found.note,
            found.trees,
        )

    @property
    def lower(self) -> float:
        """Nothing decided as the target is nearer."""
        return self.bracket.lower

    @property
    def upper(self) -> float:
        """The distance of the witness, or infinity."""
        return self.bracket.upper

    @property
    def evidence(self) -> Evidence:
        """How ``lower`` is known."""
        return self.bracket.evidence

    @property
    def witness(self) -> Witness | None:
        """The nearest witness found."""
        found = self.bracket.witness
        return None if found is None else witness_of(found)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The answer: ``lower`` is proved and ``upper`` is witnessed, the nearest over ``targets``.

    ``witness``: the vector at ``upper``, of the network's input type and shape, or None.
    ``interrupted``: stopped by hand; everything reported holds all the same. ``decided``: what
    the network decides on the image. ``own``: the image itself as a witness, where it is one: it
    is decided as a target, by the margin asked for. ``earlier``: the file of a result that it began
    with. ``ball``: the centre and the box; ``rule``:
    how the network decides.
    """

    network: Network
    image: NDArray[np.floating]
    norm: Norm
    label: int
    decided: int
    targets: tuple[TargetResult, ...]
    options: GroundTruthOptions
    seconds: float
    nearest_only: bool
    ball: Ball
    rule: Rule
    interrupted: bool = False
    own: Witness | None = None
    earlier: str | None = None

    @property
    def already(self) -> bool:
        """Whether the image itself is what was asked for: decided otherwise than the label."""
        return self.own is not None

    @cached_property
    def _bracket(self) -> Bracket:
        if self.own is not None:
            return Bracket(witness=self.own)
        lower = min(t.lower for t in self.targets)
        best = min(self.targets, key=lambda t: t.upper)
        grades = [t.evidence for t in self.targets]
        return Bracket(lower, Evidence.weakest(*grades), best.witness)

    @property
    def lower(self) -> float:
        """Nothing that changes the decision to a target is nearer."""
        return self._bracket.lower

    @property
    def upper(self) -> float:
        """The distance of the nearest witness, or infinity; 0 where the label was wrong."""
        return self._bracket.upper

    @property
    def evidence(self) -> Evidence:
        """How ``lower`` is known: the weakest over the targets."""
        return self._bracket.evidence

    @property
    def witness(self) -> NDArray[np.floating] | None:
        """The input at ``upper``; the image itself where the label was wrong."""
        witness = self._bracket.witness
        return None if witness is None else witness.input

    @property
    def queries(self) -> tuple[QueryRecord, ...]:
        """All queries, target by target."""
        return tuple(q for target in self.targets for q in target.queries)

    @property
    def closed(self) -> bool:
        """Whether what was asked is answered to the tolerance: one bracket, or each target's."""
        tolerance = self.options.tolerance
        if self.already or self.nearest_only:
            return self.upper - self.lower <= tolerance or self.upper == self.lower
        return all(t.bracket.closed(tolerance) for t in self.targets)
