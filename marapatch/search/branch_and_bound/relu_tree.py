"""Split and conquer: one branch-and-bound tree over ReLU phases that minimises the distance.

Nodes fix the phase of some neurons. Batches of them are bounded together
(:mod:`marapatch.bounds.subproblems`): each gets a radius up to which its phases are refuted. The
node refuted least is split first, so the least radius over what is open rises from the start: the
search is anytime. A node whose phases are all fixed is a linear program; where that is feasible its
point is replayed and polished, and the smaller distance tightens everything that is open. Nothing
is pruned but by an outward-rounded bound: linear programs only propose multipliers. (ARCHITECTURE:
6.5.)
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, inf
from time import monotonic
from typing import Any

import numpy as np

from marapatch.arithmetic.float_model import proving
from marapatch.bounds.nodes import Bounded, Nodes
from marapatch.bounds.subproblems import NodeBounder
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unsat
from marapatch.query.lowering import Lowered
from marapatch.search.branch_and_bound.branching import RULES
from marapatch.search.branch_and_bound.leaves import LeafProof, ask_backend, leaf_programs
from marapatch.search.branch_and_bound.open_nodes import OpenNode, OpenNodes
from marapatch.search.branch_and_bound.parts import enough, resume, share
from marapatch.search.branch_and_bound.root import RootState, bound_root
from marapatch.search.branch_and_bound.workers import ExpandedPart, Part, Workers
from marapatch.search.budget import BATCH_SECONDS, POLISH_SHARE
from marapatch.search.options import QueryRecord, Report, SearchOptions
from marapatch.search.tree_record import NOBODY, Observer, Recorder, TreeRecord
from marapatch.solvers import create
from marapatch.solvers.base import Backend
from marapatch.witnesses.polish import polish

BATCH_NODES = 128
"""Nodes split at once, at most."""

NODE_STEPS = 10
"""Supergradient steps at every node but the root."""

BATCH_ENTRIES = 200_000
"""Neurons of all nodes split at once, where their number must not depend on how long they take."""

REBOUNDED = 256
"""ReLU neurons of a network up to which every node's later layers are bounded anew: with more, as
many nodes as that costs bring more."""

NEARLY_DONE = 0.5
"""A tree is about to end when no more than this share of its most open nodes is left."""


class ReluTree:
    """The tree of one question: :meth:`advance` expands it, and may be called again.

    Without a witness and a cutoff the ball's own radius is where the tree begins; it must then
    be finite. Leaves that only a solver can close are put to ``backend``, unless the options
    accept no such evidence. ``bracket``, ``queries``, ``bounded``: what came of it so far.
    ``whole``: whether its open nodes are all of the question; else they are a part of another's.
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
        self.root: RootState | None = None
        self.queries: list[QueryRecord] = []
        self.evidence = Evidence.BOUND
        self.open_nodes = OpenNodes()
        self.bounded = 0
        self.batch = 16
        if options.counted:
            neurons = max(sum(question.form.sizes[1:]), 1)
            self.batch = int(np.clip(BATCH_ENTRIES // neurons, 4, BATCH_NODES))
        self.branch = RULES[options.branching]
        self.observer: Observer = Recorder() if options.record else NOBODY
        self.floor_record: TreeRecord | None = None
        self.floor = 0.0
        self.proved = 0.0
        self.target = options.target(start, question.ball)
        self.whole = True

    @property
    def root_state(self) -> RootState:
        """What all nodes share, once the root is bounded."""
        assert self.root is not None
        return self.root

    @property
    def bounder(self) -> NodeBounder:
        """What bounds nodes, once the root is bounded."""
        return self.root_state.bounder

    def aim(self, bracket: Bracket) -> None:
        """Take ``bracket``; where it has a nearer witness less has to be refuted."""
        self.bracket = bracket
        self.target = min(self.target, self.options.target(bracket, self.question.ball))
        if self.root is not None:
            self.root.narrow(self.target)

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
        """Expand until the bracket is closed, nothing is left to split, it is ``until``, or about
        so many more ``nodes`` are bounded."""
        started, self.deadline, self.last = monotonic(), until, self.bounded + nodes
        if self.target <= self.bracket.lower or self.options.closed(self.bracket):
            return
        if self.target == inf:
            # Without a finite radius there is no ball to bound over: what is proved stays 0.
            self.open_nodes.unresolved.append(0.0)
            return
        if self.over:
            return
        if self.root is None:
            self._initialise()
        while self.open_nodes and not self.over:
            if self.workers is not None and enough(len(self.open_nodes), self.workers):
                self._share(self.workers)
                continue
            now = monotonic()
            # Each split bounds two nodes: half of what is left, so that the limit is met and not
            # passed.
            left = self.last - self.bounded
            most = self.batch if left == inf else min(self.batch, ceil(0.5 * left))
            chosen = self.open_nodes.choose(most, self.target)
            self._expand(chosen)
            self._raise()
            if not self.options.counted:
                pace = BATCH_SECONDS / max(monotonic() - now, 1e-6)
                # Batches follow the pace: small enough that the order of the queue counts, large
                # enough that a product of matrices is worth it.
                self.batch = int(np.clip(len(chosen) * pace, 4, BATCH_NODES))
        self._raise()
        closed = self.options.closed(self.bracket)
        self._log("unsat" if closed else "unknown: open nodes", started)

    def _initialise(self) -> None:
        """Bound the root, and open it where that does not refute it."""
        ends, tolerance = (self.bracket.lower, self.target), self.options.tolerance
        limits = self.deadline, self.last - self.bounded
        root = bound_root(self.question, *ends, tolerance, *limits, self.observer)
        self.root, self.floor, self.bounded = root.state, root.floor, self.bounded + root.bounded
        if root.floor_proof is not None and self.options.record:
            self.floor_record = Recorder.of_root(root.floor_proof).finish(self.floor)
        names = [self.observer.add_root(root.result.nodes)]
        self._open(root.result, np.full(1, self.floor), root.bases, names)
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
        # Every unstable neuron may be chosen, also one that costs nothing; no other may.
        score = np.where(unstable[inner], score[inner] + 1e-12, -1.0)
        neuron = self.branch(self.bounder, nodes, score)
        children = Nodes.stack([nodes.split(neuron, 1), nodes.split(neuron, -1)])
        layers = np.tile(self.bounder.layer_of[neuron], 2)
        # The split narrows what is behind it; in a large network bounding that anew costs more than
        # it saves, and the split's multiplier has most of the effect.
        if unstable.shape[1] <= REBOUNDED:
            children = self.bounder.tighten(children, layers, self.deadline)
        # A child whose bounds cross has no input at all: it is refuted at every radius.
        alive = np.flatnonzero(~children.empty)
        self.bounded += len(children)
        # Those without an input too: in a record every divided node has both its parts.
        names = self.observer.add(children, [node.name for node in chosen], neuron)
        if not alive.size:
            return
        result = self.bounder.bound(children.take(alive), NODE_STEPS, self.deadline)
        bases = [(2 * chosen)[i].basis for i in alive]
        result, bases = self.root_state.lp_multipliers.better(result, bases, self.deadline)
        names = [names[i] for i in alive]
        for row, name in enumerate(names):
            self.observer.improve(name, result.nodes, row)
        self._open(result, np.tile(known, 2)[alive], bases, names)
        # The minimiser of the relaxed network is a guess at a witness, and costs one evaluation.
        self._look(result.point)

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
        # A child is refuted at least as far as its parent: whatever its own bounds say.
        radius = np.maximum(result.radius, known)
        for i in np.flatnonzero((result.value <= 0.0) & (radius < self.target)):
            one = np.array([i])
            nodes, score = result.nodes.take(one), result.score[one]
            self.open_nodes.push(float(radius[i]), nodes, score, bases[i], names[i])

    def _raise(self) -> None:
        """Move the bracket's lower end to the least radius over everything that is open."""
        least = self.open_nodes.least(self.target)
        self.proved = max(self.proved, least)
        # There is nothing beyond the box: refuted to its edge is refuted everywhere.
        if least >= self.question.ball.covering_radius:
            least = inf
        # Of a part the least radius is no lower end: a nearer witness may lie in another.
        if self.whole and least > self.bracket.lower:
            self.bracket = self.bracket.tighten(Unsat(least, self.evidence))
        self.report(self.bracket, len(self.queries))

    def _witness(self, witness: Replayed) -> None:
        """Take a replayed witness in; everything open needs to be refuted no farther than it."""
        until = self.deadline
        if not self.options.counted:
            until = monotonic() + POLISH_SHARE * min(self.remaining, 60.0)
        polished = polish(self.question, witness, until, self.options.tolerance)
        self.aim(self.bracket.tighten(Sat(polished)))

    def _radius(self) -> float:
        """Where a leaf has to be refuted by now."""
        return min(self.target, self.bounder.ball.radius)

    def _leaf(self, leaf: OpenNode) -> None:
        """Decide a node without unstable neurons: refute it, or take its point as a witness. What
        there is no time for stays open."""
        node, known = leaf.nodes, leaf.radius
        programs = leaf_programs(self.question, self.root_state, node, self._radius, self.deadline)
        for found in programs:
            if not isinstance(found, LeafProof):
                # It asks for no smaller radius, so the next program would be the same again.
                if found.distance >= self.bracket.upper:
                    break
                self._witness(found)
                continue
            if found.radius > known:
                self.observer.improve(leaf.name, found.multipliers)
            known = max(known, found.radius)
            if known >= self.target:
                return
        if known >= self.target:  # the last witness on the way asks for less
            return
        if self.remaining <= 0.0:
            self.open_nodes.push(known, node, leaf.score, leaf.basis, leaf.name)
        elif not self._closed_by_solver(node):
            self.open_nodes.unresolved.append(known)
        else:
            self.observer.certify_by_solver(leaf.name)

    def trees(self) -> tuple[TreeRecord, ...]:
        """What was recorded, for the radius that the tree refutes by now."""
        floor = () if self.floor_record is None else (self.floor_record,)
        # Where the floor is not passed, what was known before, or its own proof, is as much.
        if isinstance(self.observer, Recorder) and self.proved > self.floor:
            return (*floor, self.observer.finish(self.proved))
        return floor

    def _closed_by_solver(self, node: Nodes) -> bool:
        """Whether the backend refutes the node; then the tree's evidence is the backend's."""
        if self.options.evidence is Evidence.BOUND or self.remaining <= 0.0:
            return False
        started = monotonic()
        about = self.question, self.root_state, node, self.target
        answer = ask_backend(*about, self.backend, self.options, self.remaining)
        verdict = "unsat" if answer.refuted else "unknown: leaf"
        self._log(verdict, started, answer.lowered)
        if answer.refuted:
            self.evidence = Evidence.SOLVER
        return answer.refuted

    def _log(self, verdict: str, started: float, lowered: Lowered | None = None) -> None:
        seconds = monotonic() - started
        if lowered is None:
            self.queries.append(QueryRecord(self.target, verdict, seconds, 0, 0, 0, "tree"))
            return
        query, name = lowered.query, self.backend.name
        sizes = len(query.names), len(query.rows), lowered.relus
        self.queries.append(QueryRecord(self.target, verdict, seconds, *sizes, name))


def expand_part(part: Part) -> ExpandedPart:
    """Expand a part of a tree in a process of its own."""
    backend = create(part.backend)
    options = replace(part.options, jobs=1)
    try:
        with proving():
            tree = ReluTree(part.question, part.bracket, backend, options, lambda *_: None)
            return resume(tree, part)
    finally:
        backend.close()
