"""Recorded trees are checked before they are handed on, and completed where the check falls short.

The search bounds a node's neurons over the ball that it knew when it came to the node;
:mod:`marapatch.certificates.recheck` bounds them anew over the ball that was proved in the end. Its
bounds are narrower nearly everywhere, and yet a leaf's multipliers may refute less with narrower
bounds: backward substitution is not monotone in them, and where the phases of a leaf alone are
refuted its coefficients are to cancel. Such a leaf gets multipliers that fit the checker's bounds
or, where none refute it, is divided further. What is added proves nothing by itself: the checker
judges it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from time import monotonic

import numpy as np

from marapatch.bounds.crown import cached_bounds
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.bounds.triangle import TriangleProgram
from marapatch.certificates.recheck import (
    NEAR_CLAIM,
    Multipliers,
    Progress,
    divided,
    multipliers_of,
    supported,
    walk,
)
from marapatch.certificates.recheck_bounds import Checker, Node
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.search.branch_and_bound.branching import trial
from marapatch.search.tree_record import TreeRecord

COMPLETION_STEPS = 20
"""Supergradient steps before a linear program is asked for multipliers."""

LEAST_NODES = 200
"""A tree may grow by so many nodes, or by half its own number where that is more."""

LEAF_SECONDS = 10.0
"""Seconds that one linear program may take."""


@dataclass(frozen=True, eq=False)
class _Leaf:
    """``reached``: the radius up to which ``multipliers``, or a node above, refute ``node``."""

    number: int
    node: Node
    multipliers: Multipliers
    reached: float


class Completion:
    """A record in the hands of the checker, to be checked and then completed.

    ``radius``: up to which the checker refutes every leaf of ``record`` but those that a solver
    closed; None until all of them were looked at. Where the checker's bounds on rounding alone are
    wider than the search's, neither multipliers nor splits help and it stays below what was
    claimed. Raises InputError where the record is no tree over the network's neurons.
    """

    def __init__(
        self, record: TreeRecord, form: StandardForm, ball: Ball, condition: OutputCondition
    ) -> None:
        self.inside = divided(record, sum(map_.outputs for map_ in form.hidden), condition.rhs.size)
        self.record = record
        self.radius: float | None = None
        # Beyond the covering radius there is no further input to refute.
        self.claimed = min(record.radius, ball.covering_radius)
        self.question = form, ball, condition
        self.reached = self.claimed
        """Up to which the leaves that need nothing more are refuted."""
        self.short: list[_Leaf] = []
        """Those that fall short."""
        self.better: dict[int, Multipliers] = {}
        self.added: list[tuple[int, int, int]] = []

    def check(self, until: float = inf, progress: Progress | None = None) -> None:
        """See how far every leaf is refuted, unless the monotonic clock reaches ``until`` before;
        ``progress``: called with the nodes checked and their number."""
        if not self.claimed > 0.0:
            self.radius = 0.0
            return
        record = self.record
        with np.errstate(all="ignore"):  # what overflows proves nothing, here as in the check
            for done, (number, node) in enumerate(walk(self.checker, record, self.inside)):
                # `radius` stays None: the leaves not looked at may support nothing at all.
                if monotonic() > until:
                    return
                if progress is not None:
                    progress(done + 1, len(record))
                # A solver is asked where all phases are fixed and bounds do not decide: there is
                # nothing left to divide.
                if not (self.inside[number] or record.solver_certified[number] or node.empty):
                    leaf = self._leaf(number, node, multipliers_of(record, number))
                    self.short += self._counted([leaf])
        self.radius = min([self.reached, *(leaf.reached for leaf in self.short)])

    def complete(self, until: float = inf) -> None:
        """Give the leaves that fall short other multipliers or divide them, as far as the number
        of nodes allowed goes and the clock has not reached ``until``."""
        if self.radius is None or not self.short:
            return
        # A stack: the parts of one leaf are done before the next is begun, so that few nodes with
        # their bounds are kept at a time.
        waiting, self.short = self.short[::-1], []
        with np.errstate(all="ignore"):
            while waiting and monotonic() <= until:
                waiting += self._improved(waiting.pop(), until)
        # What time left waiting is a part of the cover still, and counts as far as it reached.
        self.radius = min([self.reached, *(leaf.reached for leaf in waiting)])
        self.record = self._written()

    def _improved(self, leaf: _Leaf, until: float) -> list[_Leaf]:
        """Refute ``leaf`` as far as other multipliers do; its parts where it has to be divided."""
        bounded = self._bounded(leaf, until)
        found = [self._leaf(leaf.number, leaf.node, _multipliers(b.nodes)) for b in bounded]
        best = max([leaf, *found], key=lambda each: each.reached)
        self.better[best.number] = best.multipliers
        unstable = bounded[-1].nodes.unstable
        # Both parts or neither: a node with one child does not cover its inputs, and the checker
        # would refuse the whole record.
        if self._enough(best) or len(self.added) + 2 > self.most or not unstable.any():
            self.reached = min(self.reached, best.reached)
            return []
        # `trial` splits only what scores above 0: 1e-12 lets in unstable neurons whose relaxation
        # seems to cost nothing, and -1 keeps out stable ones, a part of which would be the leaf
        # again.
        score = np.where(unstable, bounded[-1].score + 1e-12, -1.0)
        neuron = int(trial(self.bounder, bounded[-1].nodes, score)[0])
        # As in the check: parts are bounded under the cut of the very multipliers that are written.
        parent = self.checker.with_cut(best.node, *best.multipliers)
        parts = []
        for phase in (1, -1):
            self.added.append((best.number, neuron, phase))
            number = len(self.record) + len(self.added) - 1
            self.better[number] = best.multipliers
            node = self.checker.child(parent, neuron, phase)
            if not node.empty:
                parts.append(self._leaf(number, node, best.multipliers))
        return self._counted(parts)

    def _counted(self, leaves: list[_Leaf]) -> list[_Leaf]:
        """Those of ``leaves`` that fall short; what the others reach counts."""
        enough = [leaf.reached for leaf in leaves if self._enough(leaf)]
        self.reached = min([self.reached, *enough])
        return [leaf for leaf in leaves if not self._enough(leaf)]

    def _leaf(self, number: int, node: Node, multipliers: Multipliers) -> _Leaf:
        return _Leaf(number, node, multipliers, supported(self.checker, node, multipliers))

    def _enough(self, leaf: _Leaf) -> bool:
        # Half of what the check lets pass, so that what is enough here is enough there.
        return leaf.reached >= self.claimed * (1.0 - 0.5 * NEAR_CLAIM)

    @cached_property
    def checker(self) -> Checker:
        form, ball, condition = self.question
        return Checker(form, ball.with_radius(self.claimed), condition)

    @cached_property
    def bounder(self) -> NodeBounder:
        form, ball = self.checker.form, self.checker.ball
        return NodeBounder(form, cached_bounds(form, ball), self.checker.condition)

    @cached_property
    def program(self) -> TriangleProgram:
        return TriangleProgram(self.checker.form, self.checker.ball, self.checker.condition)

    @cached_property
    def most(self) -> int:
        """How many nodes may be added."""
        return max(LEAST_NODES, len(self.record) // 2)

    def _bounded(self, leaf: _Leaf, until: float) -> list[Bounded]:
        """The node with better multipliers, by supergradient steps and by a linear program."""
        node = leaf.node
        alpha, beta, row_multipliers = (part[None] for part in leaf.multipliers)
        # The rule of `Checker.cut`: a beta acts on each neuron whose sign is known, by bounds or by
        # a split, and has to mean the same here and there.
        sign = np.where(node.low >= 0.0, 1, np.where(node.high <= 0.0, -1, node.phases))
        # `Nodes` holds convex combinations. A form that is above 0 stays so when row multipliers
        # and beta are divided by one number > 0; with no row the phases alone are refuted.
        total = row_multipliers.sum() or 1.0
        nodes = Nodes(
            lower=node.low[None],
            upper=node.high[None],
            phases=sign.astype(np.int8)[None],
            alpha=np.clip(alpha, 0.0, 1.0),
            beta=np.maximum(beta, 0.0) / total,
            row_multipliers=row_multipliers / total,
            cut=node.cut.weights,
            offset=node.cut.constant,
        )
        found = [self.bounder.bound(nodes, COMPLETION_STEPS)]
        if self.checker.form.hidden:
            seconds = min(LEAF_SECONDS, until - monotonic())
            ball = self.checker.ball
            proposal = self.program.multipliers(nodes, 0, ball, max(seconds, 0.0))
            if proposal is not None:
                found.append(self.bounder.bound(proposal.nodes, 0))
        return found

    def _written(self) -> TreeRecord:
        """The record with what was found; in float64, which what is new may need."""
        record = self.record
        if not self.better:
            return record
        splits = np.array(self.added, dtype=np.int64).reshape(-1, 3)
        more = len(self.added)
        parts = [
            np.concatenate([part.astype(np.float64), np.zeros((more, part.shape[1]))])
            for part in (record.alpha, record.beta, record.row_multipliers)
        ]
        for number, multipliers in self.better.items():
            for part, values in zip(parts, multipliers, strict=True):
                part[number] = values
        alpha, beta, row_multipliers = parts
        return replace(
            record,
            parent=np.concatenate([record.parent, splits[:, 0]]),
            neuron=np.concatenate([record.neuron, splits[:, 1]]),
            phase=np.concatenate([record.phase, splits[:, 2].astype(np.int8)]),
            alpha=alpha,
            beta=beta,
            row_multipliers=row_multipliers,
            solver_certified=np.concatenate([record.solver_certified, np.zeros(more, np.bool_)]),
        )


def _multipliers(nodes: Nodes) -> tuple[Array, Array, Array]:
    # The checker takes alpha as it is also where the phase is known.
    lower, upper = nodes.lower[0], nodes.upper[0]
    alpha = np.where(lower >= 0.0, 1.0, np.where(upper <= 0.0, 0.0, nodes.alpha[0]))
    return alpha, nodes.beta[0], nodes.row_multipliers[0]
