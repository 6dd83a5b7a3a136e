"""One ground truth being worked on: attack every target, then search them with one incumbent.

Targets are searched one after the other, or shared out over processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.errors import InputError
from marapatch.groundtruth.earlier import Earlier
from marapatch.groundtruth.first_brackets import FirstWitnesses, first_lower_ends
from marapatch.groundtruth.target_problem import (
    KILLED,
    NOT_YET,
    TOO_LATE,
    TargetProblem,
    TargetState,
)
from marapatch.groundtruth.target_processes import LateError, TargetPool
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.replay import tie_note
from marapatch.problem.verdict import Evidence, Replayed, Sat, Unsat
from marapatch.search.budget import FIRST_LOOK_SHARE, Limit
from marapatch.search.options import Interrupted, SearchOptions
from marapatch.search.processes import processes
from marapatch.solvers import create
from marapatch.witnesses.polish import confirmed

SHORTEST = 0.5
"""Seconds below which no further round is begun."""

WATCHED_TARGETS = 20
"""Targets at most whose first lower ends are reported."""

TIED = 1e-6
"""Outputs this near to each other, relative to the largest, are looked at for a tie."""


Watch = Callable[[int, int, Bracket, int], None]
"""Called with the target, how many targets are done, its bracket and the queries asked so far."""


@dataclass(eq=False)
class TargetSearch:
    """Tightens a bracket a target; ``found`` holds what is known at any time, ``nearest`` the
    distance of the nearest witness of any target."""

    asked: TargetProblem
    targets: tuple[int, ...]
    deadline: float
    watch: Watch
    jobs: int = 1
    found: dict[int, TargetState] = field(default_factory=dict)
    nearest: float = inf

    def __post_init__(self) -> None:
        self.found = {t: TargetState(Bracket(), note=NOT_YET) for t in self.targets}

    def take_up(self, earlier: Earlier) -> None:
        """Begin with what an earlier result says, where evidence of that kind is accepted at all,
        and with its witnesses as far as they replay."""
        if self.asked.options.evidence is not Evidence.BOUND:
            for target, radius in earlier.lower.items():
                bracket = Bracket().tighten(Unsat(radius, Evidence.FILE))
                self._learn(target, TargetState(bracket, note=NOT_YET))
        form = self.asked.network.standard_form
        for claimed in earlier.inputs:
            if claimed.size != form.inputs:
                raise InputError(
                    f"{earlier.path}: holds a witness of {claimed.size} numbers, the network takes "
                    f"{form.inputs}"
                )
            target = self.asked.rule.decide(form.evaluate(claimed[None])[0])
            if target in self.found:
                witness = self.asked.question(target).replay(claimed)
                if witness is not None:
                    known = self.found[target]
                    bracket = known.bracket.tighten(Sat(witness))
                    self._learn(target, replace(known, bracket=bracket))

    def bound(self) -> None:
        """Give every target a first lower end by bounds alone.

        Not where trees are recorded: what a record proves, it proves alone.
        """
        if self.asked.options.record:
            return
        for target, radius in first_lower_ends(self.asked, self.targets, self.deadline):
            known = self.found[target]
            bracket = known.bracket.tighten(Unsat(radius, Evidence.BOUND))
            self._learn(target, replace(known, bracket=bracket))
        for target in self.targets[:WATCHED_TARGETS]:
            self._watch(target, self.found[target].bracket, 0)

    def attack(self, init: Array | None) -> None:
        """Give every target its first witness, where one is found. ``init``: a claimed one."""

        def found(target: int, witness: Replayed) -> float:
            known = self.found[target]
            self._learn(target, replace(known, bracket=known.bracket.tighten(Sat(witness))))
            self._watch(target, self.found[target].bracket, 0)
            return self.nearest

        FirstWitnesses(self.asked, found, self.nearest).attack(self.targets, init, self.deadline)

    def run(self) -> None:
        """A first look at every target, then the rest of the time for those still open.

        Time that is left because others closed early goes to what is open in a last round.
        Sub-problems, where they are limited, are shared out in the same way.
        """
        whole = Limit(self.deadline, self.asked.options.most_nodes)
        if self.jobs == 1 or len(self.targets) == 1:
            self._rounds(whole, None)
            return
        pool: TargetPool | None = None
        try:
            with processes(self.jobs) as executor:
                pool = TargetPool(executor, self.asked)
                self._rounds(whole, pool)
        except LateError:  # its processes are killed; what they began with stands
            for target in pool.late if pool is not None else ():
                self._learn(target, replace(self.found[target], note=KILLED))

    def _rounds(self, whole: Limit, pool: TargetPool | None) -> None:
        several = whole.finite and len(self.targets) > 1
        for share in (FIRST_LOOK_SHARE, 1.0, 1.0) if several else (1.0,):
            late = self.deadline - monotonic() <= SHORTEST or whole.over(self._bounded)
            if share == 1.0 and late and several:
                break
            limit = whole.share(share, self._bounded)
            cutoff = self._cutoff
            order = [t for t in self._by_distance() if not self._closed(t, cutoff)]
            if pool is not None and len(order) > 1:
                self._parallel(order, limit, pool)
            else:
                self._sequential(order, limit)

    def confirm(self) -> None:
        """Move witnesses that onnxruntime decides otherwise until it does not, where that costs
        no bracket its tolerance."""
        tolerance = self.asked.options.tolerance
        best = self.nearest
        least = min(found.bracket.lower for found in self.found.values())
        for target, found in self.found.items():
            bracket = found.bracket
            if bracket.witness is None or bracket.witness.confirmed is not False:
                continue
            if (self.asked.nearest_only and bracket.upper > best) or monotonic() > self.deadline:
                continue
            question = self.asked.question(target)
            lower = least if self.asked.nearest_only else bracket.lower
            closed = bracket.upper - lower <= tolerance
            farthest = (lower if closed else bracket.upper) + tolerance
            moved = confirmed(question, bracket.witness, farthest, self.deadline)
            self._learn(target, replace(found, bracket=replace(bracket, witness=moved)))

    def explain(self) -> None:
        """Say of targets that are open because of a tie that they are."""
        outputs = self.asked.network.standard_form.evaluate(self.asked.ball.centre[None])[0]
        near = TIED * np.abs(outputs).max()
        for target, found in self.found.items():
            tied = np.count_nonzero(np.abs(outputs - outputs[target]) <= near) > 1
            if tied and not self._closed(target) and found.bracket.witness is None:
                question = self.asked.question(target)
                tie = tie_note(self.asked.network, self.asked.ball.centre, question.condition)
                if tie:
                    note = f"{found.note}; {tie}" if found.note else tie
                    self._learn(target, replace(found, note=note))

    def _by_distance(self) -> list[int]:
        return sorted(self.targets, key=lambda t: (self.found[t].bracket.upper, t))

    @property
    def _bounded(self) -> int:
        """Sub-problems bounded so far."""
        return sum(found.nodes for found in self.found.values())

    def _options(self, limit: Limit, turns: int) -> SearchOptions:
        """For one of so many ``turns`` that share what is left until ``limit``; at least one
        sub-problem each."""
        seconds = max((limit.until - monotonic()) / turns, 0.0)
        each = (limit.nodes - self._bounded) / turns
        nodes = None if each == inf else max(1, int(each))
        return replace(self.asked.options, timeout=seconds, nodes=nodes, cutoff=self._cutoff)

    @property
    def _cutoff(self) -> float:
        """The distance beyond which no target is of interest."""
        return self.nearest if self.asked.nearest_only else inf

    def _closed(self, target: int, cutoff: float | None = None) -> bool:
        """``cutoff``: of all targets, where it is known already."""
        bracket = self.found[target].bracket
        ceiling = min(bracket.upper, self._cutoff if cutoff is None else cutoff)
        tolerance = self.asked.options.tolerance
        return bracket.lower >= ceiling or ceiling - bracket.lower <= tolerance

    def _learn(self, target: int, found: TargetState) -> None:
        self.found[target] = found
        self.nearest = min(self.nearest, found.bracket.upper)

    def _too_late(self, targets: list[int]) -> None:
        """Say so of those that nothing was searched for yet."""
        for target in targets:
            if self.found[target].note == NOT_YET:
                self._learn(target, replace(self.found[target], note=TOO_LATE))

    def _sequential(self, order: list[int], limit: Limit) -> None:
        backend = create(self.asked.backend)
        try:
            for i, target in enumerate(order):
                if self._closed(target):  # by the witness of another target
                    continue
                started = monotonic()
                options = self._options(limit, len(order) - i)
                if options.timeout <= 0.0:
                    self._too_late(order[i:])
                    break
                before = self.found[target]

                def report(
                    bracket: Bracket,
                    queries: int,
                    target: int = target,
                    before: TargetState = before,
                ) -> None:
                    known = replace(before, bracket=bracket, note="interrupted")
                    self._learn(target, known)
                    self._watch(target, bracket, queries)

                report(before.bracket, 0)
                try:
                    outcome = self.asked.run(target, before.bracket, options, backend, report)
                except Interrupted as stop:
                    outcome = replace(stop.outcome, note="interrupted")
                    self._learn(target, before.then(outcome, monotonic() - started))
                    raise
                self._learn(target, before.then(outcome, monotonic() - started))
        finally:
            backend.close()

    def _parallel(self, order: list[int], limit: Limit, pool: TargetPool) -> None:
        """The same over processes; each search starts with the best witness known by then, or,
        where sub-problems are limited, before the first of them: the others may end in any order.

        Raises LateError where processes do not end with the time.
        """
        alike = replace(self._options(limit, len(order)), jobs=1)
        waiting = list(order)
        while waiting or pool.running:
            while waiting and len(pool.running) < self.jobs:
                target = waiting.pop(0)
                rounds = 1 + len(waiting) // self.jobs
                options = replace(self._options(limit, rounds), jobs=1)
                if options.timeout <= 0.0:  # nor is there any for the others
                    self._too_late([target, *waiting])
                    waiting.clear()
                    break
                if options.counted:
                    options = replace(alike, timeout=options.timeout)
                if options.counted or not self._closed(target):
                    pool.submit(target, self.found[target].bracket, options)
            if not pool.running:
                continue
            for target, outcome, seconds in pool.finished(self.deadline):
                self._learn(target, self.found[target].then(outcome, seconds))
                self._watch(target, outcome.bracket, 0)

    def _watch(self, target: int, bracket: Bracket, queries: int) -> None:
        cutoff = self._cutoff
        done = sum(self._closed(t, cutoff) for t in self.targets)
        self.watch(
            target, done, bracket, queries + sum(len(f.queries) for f in self.found.values())
        )
