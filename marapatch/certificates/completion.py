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

from dataclasses import dataclass, field, replace
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


def completed(
    record: TreeRecord,
    form: StandardForm,
    ball: Ball,
    condition: OutputCondition,
    until: float = inf,
    progress: Progress | None = None,
) -> TreeRecord:
    """``record`` with every leaf refuted up to its radius by the checker's own bounds, as far as
    the number of nodes allowed goes and the monotonic clock has not reached ``until``.

    Leaves that a solver closed stay as they are. ``progress``: called with the nodes checked and
    their number. Raises InputError where the record is no tree over the network's neurons.
    """
    inside = divided(record, sum(layer.outputs for layer in form.hidden), condition.rhs.size)
    radius = min(record.radius, ball.covering_radius)
    if not radius > 0.0 or monotonic() > until:
        return record
    with np.errstate(all="ignore"):  # what overflows proves nothing, here as in the check
        checker = Checker(form, ball.with_radius(radius), condition)
        completion = _Completion(checker, record, until)
        for done, (number, node) in enumerate(walk(checker, record, inside)):
            if monotonic() > until:
                break
            if progress is not None:
                progress(done + 1, len(record))
            if not (inside[number] or record.solver_certified[number] or node.empty):
                completion.leaf(number, node, multipliers_of(record, number))
    return completion.finish()


@dataclass
class _Completion:
    checker: Checker
    record: TreeRecord
    until: float
    better: dict[int, Multipliers] = field(default_factory=dict)
    added: list[tuple[int, int, int]] = field(default_factory=list)

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

    def leaf(self, number: int, node: Node, multipliers: Multipliers) -> None:
        """Refute ``node`` and, where it has to be divided, its parts."""
        waiting = [(number, node, multipliers)]
        while waiting and monotonic() <= self.until:
            number, node, multipliers = waiting.pop()
            if node.empty or self._refutes(node, multipliers):
                continue
            bounded = self._bounded(node, multipliers)
            found = self._best(node, [multipliers, *(_multipliers(b.nodes) for b in bounded)])
            self.better[number] = found
            if self._refutes(node, found) or len(self.added) + 2 > self.most:
                continue
            last = bounded[-1]
            if not last.nodes.unstable.any():
                continue
            score = np.where(last.nodes.unstable, last.score + 1e-12, -1.0)
            neuron = int(trial(self.bounder, last.nodes, score)[0])
            parent = self.checker.with_cut(node, *found)
            for phase in (1, -1):
                self.added.append((number, neuron, phase))
                new = len(self.record) + len(self.added) - 1
                self.better[new] = found
                waiting.append((new, self.checker.child(parent, neuron, phase), found))

    def _refutes(self, node: Node, multipliers: Multipliers) -> bool:
        radius = self.checker.ball.radius
        return supported(self.checker, node, multipliers) >= radius * (1.0 - 0.5 * NEAR_CLAIM)

    def _best(self, node: Node, candidates: list[Multipliers]) -> Multipliers:
        reached = [supported(self.checker, node, each) for each in candidates]
        return candidates[reached.index(max(reached))]

    def _bounded(self, node: Node, multipliers: Multipliers) -> list[Bounded]:
        """The node with better multipliers, by supergradient steps and by a linear program."""
        alpha, beta, row_multipliers = (part[None] for part in multipliers)
        sign = np.where(node.low >= 0.0, 1, np.where(node.high <= 0.0, -1, node.phases))
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
            seconds = min(LEAF_SECONDS, self.until - monotonic())
            ball = self.checker.ball
            proposal = self.program.multipliers(nodes, 0, ball, max(seconds, 0.0))
            if proposal is not None:
                found.append(self.bounder.bound(proposal.nodes, 0))
        return found

    def finish(self) -> TreeRecord:
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
