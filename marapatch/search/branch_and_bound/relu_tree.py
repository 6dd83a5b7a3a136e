"""Split and conquer: one branch-and-bound tree over ReLU phases that minimises the distance.

Nodes fix the phase of some neurons. Batches of them are bounded together
(:mod:`marapatch.bounds.subproblems`): each gets a radius up to which its phases are refuted. The
node refuted least is split first, so the least radius over what is open rises from the start: the
search is anytime. A node whose phases are all fixed is a linear program; where that is feasible its
point is replayed and polished, and the smaller distance tightens everything that is open. Nothing
is pruned but by an outward-rounded bound: linear programs only propose multipliers. (DESIGN: 6.5.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, inf
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import proving
from marapatch.bounds.crown import cached_bounds
from marapatch.bounds.subproblems import Bounded, NodeBounder, Nodes
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unsat
from marapatch.query.lowering import SHRINKAGE, Lowered
from marapatch.search.branch_and_bound.branching import RULES
from marapatch.search.branch_and_bound.leaves import ask_backend, pattern, refuted
from marapatch.search.branch_and_bound.lp_multipliers import LpMultipliers
from marapatch.search.branch_and_bound.open_nodes import OpenNode, OpenNodes
from marapatch.search.branch_and_bound.parts import enough, resume, share
from marapatch.search.branch_and_bound.root_radius import bisect_radius
from marapatch.search.branch_and_bound.workers import ExpandedPart, Part, Workers
from marapatch.search.options import QueryRecord, Report, SearchOptions
from marapatch.search.tree_record import Recorder, TreeRecord
from marapatch.solvers import create
from marapatch.solvers.base import Backend
from marapatch.witnesses.linear_region import (
    Nearest,
    SlackProgram,
    fits,
    nearest_in_region,
    region,
)
from marapatch.witnesses.polish import confirm, polish

BATCH = 128
BATCH_SECONDS = 0.5
"""Nodes split at once: at most so many, and no more than can be done in about so many seconds."""

ROOT_STEPS = 60
NODE_STEPS = 10
"""Supergradient steps at the root, and at every other node."""

BATCH_ENTRIES = 200_000
"""Neurons of all nodes split at once, where their number must not depend on how long they take."""

REBOUNDED = 256
"""ReLU neurons of a network up to which every node's later layers are bounded anew: with more, as
many nodes as that costs bring more."""

ROOT_ROUNDS = 3
"""How often the root's bounds are tightened by the cut its own bound proved."""

LEAF_ROUNDS = 5
"""How often a feasible leaf may give a nearer witness before it counts as unresolved."""

NEARLY_DONE = 0.5
"""A tree is about to end when no more than this share of its most open nodes is left."""

POLISH_SHARE = 0.25
"""The share of the remaining time that polishing one witness may take."""


class ReluTree:
    """The tree of one question: :meth:`advance` expands it, and may be called again.

    Without a witness and a cutoff the ball's own radius is where the tree begins; it must then
    be finite. Leaves that only a solver can close are put to ``backend``, unless the options
    accept no such evidence. ``bracket``, ``records``, ``bounded``: what came of it so far.
    """

    def __init__(
        self,
        question: Question,
        start: Bracket,
        backend: Backend,
        options: SearchOptions,
        report: Report,
        workers: Workers | None = None,
    ) -> None:
        self.question, self.backend, self.options = question, backend, options
        self.report, self.workers = report, workers
        self.bracket = start
        self.deadline = inf
        self.last = inf
        self.initialised = False
        self.records: list[QueryRecord] = []
        self.evidence = Evidence.BOUND
        self.open_nodes = OpenNodes()
        self.bounded = 0
        self.batch = 16
        if options.counted:
            neurons = max(sum(question.form.sizes[1:]), 1)
            self.batch = int(np.clip(BATCH_ENTRIES // neurons, 4, BATCH))
        self.branch = RULES[options.branching]
        self.recorder = Recorder() if options.record else None
        self.bisected: TreeRecord | None = None
        self.floor = 0.0
        self.proved = 0.0
        self.target = self._target()

    def _target(self) -> float:
        """The radius at which everything must be refuted to close the bracket."""
        ceiling = min(self.options.ceiling(self.bracket), self.question.ball.radius)
        if ceiling == self.question.ball.covering_radius and ceiling < self.options.ceiling(
            self.bracket
        ):
            return ceiling
        return min(ceiling - 0.98 * self.options.tolerance, ceiling * (1.0 - 1e-7))

    def aim(self, bracket: Bracket) -> None:
        """Take ``bracket``, which has a nearer witness: less has to be refuted."""
        self.bracket = bracket
        self.target = min(self.target, self._target())

    @property
    def remaining(self) -> float:
        return self.deadline - monotonic()

    @property
    def over(self) -> bool:
        """Whether the time or the number of nodes is used up."""
        return self.remaining <= 0.0 or self.bounded >= self.last

    @property
    def ending(self) -> bool:
        """Whether what is open gets less already."""
        return 0 < len(self.open_nodes) <= NEARLY_DONE * self.open_nodes.most

    @property
    def note(self) -> str:
        """Why the tree is not closed, for people."""
        unresolved = len(self.open_nodes.unresolved)
        if unresolved and not self.open_nodes:
            return f"{unresolved} leaves could not be decided"
        left = len(self.open_nodes) + unresolved
        if self.bounded >= self.last:
            return f"the limit of sub-problems is reached with {left} open nodes"
        return f"out of time with {left} open nodes"

    def advance(self, until: float, nodes: float = inf) -> None:
        """Grow until the bracket is closed, nothing is left to split, it is ``until``, or about so
        many more ``nodes`` are bounded."""
        started, self.deadline, self.last = monotonic(), until, self.bounded + nodes
        if self.target <= self.bracket.lower or self.options.closed(self.bracket):
            return
        if self.target == inf:
            self.open_nodes.unresolved.append(0.0)
            return
        if self.over:
            return
        if not self.initialised:
            self.initialised = True
            self._initialise()
        while self.open_nodes and not self.over:
            if self.workers is not None and enough(len(self.open_nodes), self.workers):
                self._share(self.workers)
                continue
            now = monotonic()
            left = self.last - self.bounded
            most = self.batch if left == inf else min(self.batch, ceil(0.5 * left))
            chosen = self.open_nodes.choose(most, self.target)
            self._expand(chosen)
            self._raise()
            if not self.options.counted:
                pace = BATCH_SECONDS / max(monotonic() - now, 1e-6)
                self.batch = int(np.clip(len(chosen) * pace, 4, BATCH))
        self._raise()
        closed = self.options.closed(self.bracket)
        self._record("unsat" if closed else "unknown: open nodes", started)

    def _initialise(self) -> None:
        """Bound the root, and open it where that does not refute it."""
        # A little farther than the target: what a solver refutes counts for a little less.
        reach = self.target * (1.0 + 2.0 * SHRINKAGE)
        self.bounds = cached_bounds(
            self.question.form, self.question.ball.with_radius(reach), self.deadline
        )
        self.bounder = NodeBounder(self.question.form, self.bounds, self.question.condition)
        self.lp_multipliers = LpMultipliers(self.bounder)
        result = self.bounder.bound(self.bounder.root(self.bounds), ROOT_STEPS, self.deadline)
        self.bounded = 1
        for _ in range(ROOT_ROUNDS):
            if result.value[0] > 0.0 or self.over:
                break
            self.bounded += 1
            cutting = self.lp_multipliers.better(result, [None], self.deadline)[0].nodes
            if self.recorder is not None:
                self.recorder.round(cutting)
            tighter = self.bounder.tighten(cutting, until=self.deadline)
            result = self.bounder.bound(tighter, ROOT_STEPS, self.deadline)
        result, bases = self.lp_multipliers.better(result, [None], self.deadline)
        self.floor = self.bracket.lower
        if result.value[0] <= 0.0 and not self.over:
            ends, most = (self.floor, self.target), self.last - self.bounded
            asked = self.question, *ends, self.options.tolerance, self.deadline, most
            self.floor, node, probes = bisect_radius(*asked)
            self.bounded += probes
            if node is not None and self.recorder is not None:
                recorder = Recorder()
                recorder.add_root(node)
                self.bisected = recorder.finish(self.floor)
        names = [0 if self.recorder is None else self.recorder.add_root(result.nodes)]
        self._open(result, np.full(1, self.floor), bases, names)
        self._raise()

    def _share(self, workers: Workers) -> None:
        """Let other processes work on what is open for a while."""
        share(self, workers, expand_part)
        self._raise()

    def _expand(self, chosen: list[OpenNode]) -> None:
        """Split every chosen node once and keep what is not refuted."""
        if not chosen:
            return
        nodes = Nodes.stack([node.nodes for node in chosen])
        score = np.concatenate([node.score for node in chosen])
        known = np.array([node.radius for node in chosen])
        unstable = nodes.unstable
        inner = unstable.any(axis=1)
        for i in np.flatnonzero(~inner):
            self._leaf(chosen[i])
        if not inner.any():
            return
        chosen = [chosen[i] for i in np.flatnonzero(inner)]
        nodes, known = nodes.take(np.flatnonzero(inner)), known[inner]
        score = np.where(unstable[inner], score[inner] + 1e-12, -1.0)
        neuron = self.branch(self.bounder, nodes, score)
        children = Nodes.stack([nodes.split(neuron, 1), nodes.split(neuron, -1)])
        layers = np.tile(self.bounder.layer_of[neuron], 2)
        if unstable.shape[1] <= REBOUNDED:
            children = self.bounder.tighten(children, layers, self.deadline)
        alive = np.flatnonzero(~children.empty)
        self.bounded += len(children)
        names = self._named(children, chosen, neuron)
        if not alive.size:
            return
        result = self.bounder.bound(children.take(alive), NODE_STEPS, self.deadline)
        bases = [(2 * chosen)[i].basis for i in alive]
        result, bases = self.lp_multipliers.better(result, bases, self.deadline)
        names = [names[i] for i in alive]
        if self.recorder is not None:
            for row, name in enumerate(names):
                self.recorder.improve(name, result.nodes, row)
        self._open(result, np.tile(known, 2)[alive], bases, names)
        self._look(result.point)

    def _named(
        self, children: Nodes, parents: list[OpenNode], neuron: NDArray[np.int64]
    ) -> list[int]:
        """The numbers of the children in the record, if there is one."""
        if self.recorder is None:
            return [0] * len(children)
        phases = np.repeat([1, -1], len(parents)).tolist()
        neurons = np.tile(neuron, 2).tolist()
        above = (parent.name for parent in 2 * parents)
        return self.recorder.add(children, list(zip(above, neurons, phases, strict=True)))

    def _look(self, points: Array) -> None:
        """Take the best of ``points`` as a witness, if it meets the condition."""
        worst = self.question.condition.worst(self.question.form.evaluate(points))
        best = int(worst.argmax())
        if worst[best] > 0.0:
            witness = self.question.replay(points[best])
            if witness is not None and witness.distance < self.bracket.upper:
                self._witness(witness)

    def _open(self, result: Bounded, known: Array, bases: list[Any], names: list[int]) -> None:
        """Open the nodes that are not refuted at the target."""
        radius = np.maximum(result.radius, known)
        for i in np.flatnonzero((result.value <= 0.0) & (radius < self.target)):
            one = np.array([i])
            nodes, score = result.nodes.take(one), result.score[one]
            self.open_nodes.push(float(radius[i]), nodes, score, bases[i], names[i])

    def _raise(self) -> None:
        """Move the bracket's lower end to the least radius over everything that is open."""
        least = self.open_nodes.least(self.target)
        self.proved = max(self.proved, least)
        if least >= self.question.ball.covering_radius:
            least = inf
        if least > self.bracket.lower:
            self.bracket = self.bracket.tighten(Unsat(least, self.evidence))
        self.report(self.bracket, len(self.records))

    def _witness(self, witness: Replayed) -> None:
        """Take a replayed witness in; everything open needs to be refuted no farther than it."""
        until = self.deadline
        if not self.options.counted:
            until = monotonic() + POLISH_SHARE * min(self.remaining, 60.0)
        polished = polish(self.question, witness, until, self.options.tolerance)
        self.aim(self.bracket.tighten(Sat(polished)))
        if self.target > 0.0:
            self.bounder.shrink(self.target)

    def _leaf(self, leaf: OpenNode) -> None:
        """Decide a node without unstable neurons: refute it, or take its point as a witness. What
        there is no time for stays open."""
        node, known = leaf.nodes, leaf.radius
        for radius, multiplied in self._programs(node):
            if radius > known and self.recorder is not None:
                self.recorder.improve(leaf.name, multiplied)
            known = max(known, radius)
            if known >= self.target:
                return
        if known >= self.target:  # the last witness on the way asks for less
            return
        if self.remaining <= 0.0:
            self.open_nodes.push(known, node, leaf.score, leaf.basis, leaf.name)
        elif not self._closed_by_solver(node):
            self.open_nodes.unresolved.append(known)
        elif self.recorder is not None:
            self.recorder.certify_by_solver(leaf.name)

    def _programs(self, node: Nodes) -> Iterator[tuple[float, Nodes]]:
        """What linear programs over the region of a leaf prove, and with which multipliers; the
        points they find become witnesses on the way."""
        if not fits(self.question.form):
            return
        here = region(self.question, pattern(self.bounder, node), self.bounds)
        program = SlackProgram(self.question, here, self.deadline)
        for _ in range(LEAF_ROUNDS):
            radius = min(self.target, self.bounder.ball.radius)
            found = program.at(radius) if radius > 0.0 else None
            if found is None:
                return
            proved, multiplied = refuted(self.bounder, node, here, found)
            yield proved, multiplied
            if found.slack < 0.0:
                return
            nearest = nearest_in_region(self.question, here, radius, self.deadline)
            if nearest is None:
                nearest = Nearest(radius, found.change, found.dual_value)
            witness = confirm(self.question, here, nearest, self.deadline)
            if witness is None or witness.distance >= self.bracket.upper:
                return
            self._witness(witness)

    def recorded(self) -> tuple[TreeRecord, ...]:
        """What was recorded, for the radius that the tree refutes by now."""
        if self.recorder is None or not self.initialised:
            return ()
        bisected = () if self.bisected is None else (self.bisected,)
        # Otherwise what was known before, or the probe, proves as much.
        more = self.proved > self.floor
        return (*bisected, self.recorder.finish(self.proved)) if more else bisected

    def _closed_by_solver(self, node: Nodes) -> bool:
        """Whether the backend refutes the node; then the tree's evidence is the backend's."""
        if self.options.evidence is Evidence.BOUND or self.remaining <= 0.0:
            return False
        started = monotonic()
        about = self.question, self.bounds, self.bounder, node, self.target
        answer = ask_backend(*about, self.backend, self.options, self.remaining)
        verdict = "unsat" if answer.refuted else "unknown: leaf"
        self._record(verdict, started, answer.lowered)
        if answer.refuted:
            self.evidence = Evidence.SOLVER
        return answer.refuted

    def _record(self, verdict: str, started: float, lowered: Lowered | None = None) -> None:
        seconds = monotonic() - started
        if lowered is None:
            self.records.append(QueryRecord(self.target, verdict, seconds, 0, 0, 0, "tree"))
            return
        query, name = lowered.query, self.backend.name
        sizes = len(query.names), len(query.rows), lowered.relus
        self.records.append(QueryRecord(self.target, verdict, seconds, *sizes, name))


def expand_part(part: Part) -> ExpandedPart:
    """Grow a part of a tree in a process of its own."""
    backend = create(part.backend)
    options = replace(part.options, jobs=1)
    try:
        with proving():
            tree = ReluTree(part.question, part.bracket, backend, options, lambda *_: None)
            return resume(tree, part)
    finally:
        backend.close()
