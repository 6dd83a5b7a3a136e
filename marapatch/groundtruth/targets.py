"""One ground truth being worked on: attack every target, then search them with one incumbent.

Targets are searched one after the other, or shared out over processes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.arithmetic.float_model import proving
from marapatch.bounds.first_radius import first_radii
from marapatch.errors import InputError
from marapatch.groundtruth.earlier import Earlier
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay, tie_note
from marapatch.problem.verdict import Evidence, Sat, Unsat
from marapatch.search import SEARCHES
from marapatch.search.budget import Limit
from marapatch.search.options import Interrupted, Outcome, QueryRecord, Report, SearchOptions
from marapatch.search.processes import processes
from marapatch.search.tree_record import TreeRecord
from marapatch.solvers import create
from marapatch.solvers.base import Backend
from marapatch.witnesses.attacks.nearest import nearest
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.polish import confirmed, polish

ATTACK_SHARE = 0.2
ATTACK_SECONDS = 20.0
"""The share of the time that the attacks and their polish may take, and at most so many seconds."""

POLISH_FACTOR = 1.5
"""Where only the nearest counts, a witness this much farther than the best is not polished."""

SHORTEST = 0.5
"""Seconds below which no further round is begun."""

BOUND_SHARE = 0.15
"""The share of the time for first lower ends of all targets, before the attacks."""

ATTACKED_TARGETS = 20
ATTACKED_ENTRIES = 500_000
"""Targets attacked at once: at most so many, and no more than have so many inputs together."""

GRACE = 0.5
"""Seconds beyond the time after which a process that goes on is killed."""

NOT_YET = "not searched"
KILLED = "out of time: its process was killed"
TOO_LATE = "out of time before this target's turn"
"""Why a bracket is open."""

TIED = 1e-6
"""Outputs this near to each other, relative to the largest, are looked at for a tie."""

FIRST_SHARE = 0.2
"""The share of the time for a first look at every target, before any gets its full time."""


@dataclass(frozen=True, eq=False)
class TargetProblem:
    """What is asked about every target alike.

    ``search``, ``backend``: names; ``options``: with the time for everything; ``margin``: of the
    condition; ``nearest_only``: whether a witness of one target is a cutoff for the others.
    """

    network: Network
    ball: Ball
    rule: Rule
    margin: float
    search: str
    backend: str
    options: SearchOptions
    nearest_only: bool

    def question(self, target: int) -> Question:
        """The question of one target, over the whole box."""
        condition = beats(target, self.network.outputs, self.rule, self.margin)
        replay = Replay(self.network, self.ball, condition)
        ball = self.ball.with_radius(self.ball.covering_radius)
        return Question(self.network.standard_form, ball, condition, replay)

    def run(
        self, target: int, start: Bracket, options: SearchOptions, backend: Backend, report: Report
    ) -> Outcome:
        """Search one target."""
        if options.timeout <= 0.0:
            return Outcome(start, (), note=TOO_LATE)
        with proving():
            return SEARCHES[self.search](self.question(target), start, backend, options, report)


@dataclass(frozen=True, eq=False)
class TargetState:
    """What is known of one target."""

    bracket: Bracket
    queries: tuple[QueryRecord, ...] = ()
    seconds: float = 0.0
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()

    def then(self, outcome: Outcome, seconds: float) -> TargetState:
        """With what another search of the same target found."""
        return TargetState(
            outcome.bracket,
            self.queries + outcome.queries,
            self.seconds + seconds,
            self.nodes + outcome.nodes,
            outcome.note,
            self.trees + outcome.trees,
        )


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
        """Give every target a first lower end, before anything else can use the time up.

        Not where trees are recorded: what a record proves, it proves alone.
        """
        asked = self.asked
        if asked.options.record:
            return
        until = monotonic() + BOUND_SHARE * (self.deadline - monotonic())
        form, ball = asked.network.standard_form, asked.ball.with_radius(asked.ball.covering_radius)
        scores = asked.rule.sign * form.evaluate(ball.centre[None])[0]
        best = int(scores.argmax())
        targets = np.array([t for t in self.targets if t != best], dtype=int)
        matrix = np.zeros((targets.size, form.outputs))
        matrix[np.arange(targets.size), targets] = asked.rule.sign
        matrix[:, best] = -asked.rule.sign
        rows = OutputCondition(matrix, np.full(targets.size, asked.margin))
        for target, radius in zip(targets, first_radii(form, ball, rows, until), strict=True):
            if radius > 0.0:
                proved = inf if radius >= ball.covering_radius else float(radius)
                known = self.found[int(target)]
                bracket = known.bracket.tighten(Unsat(proved, Evidence.BOUND))
                self._learn(int(target), replace(known, bracket=bracket))
        for target in self.targets[:ATTACKED_TARGETS]:
            self._watch(target, self.found[target].bracket, 0)

    def attack(self, init: Array | None) -> None:
        """Give every target its first witness, where one is found: attacked, then polished.

        Where there are many targets or inputs, a block of targets after the other, those that
        lead at the input first, for as long as there is time.
        """
        seconds = min(ATTACK_SECONDS, ATTACK_SHARE * (self.deadline - monotonic()))
        if self.asked.options.counted:  # the same on any load: only the user's own limit ends it
            seconds = ATTACK_SHARE * (self.deadline - monotonic())
        until = monotonic() + seconds
        form = self.asked.network.standard_form
        scores = self.asked.rule.sign * form.evaluate(self.asked.ball.centre[None])[0]
        order = sorted(self.targets, key=lambda t: (-scores[t], t))
        if init is not None:  # nothing else can be a witness there
            there = self.asked.rule.decide(form.evaluate(init[None])[0])
            order.sort(key=lambda t: t != there)
        size = int(np.clip(ATTACKED_ENTRIES // max(form.sizes), 1, ATTACKED_TARGETS))
        for start in range(0, len(order), size):
            left = until - monotonic()
            if left <= 0.0:
                break
            chosen = sorted(order[start : start + size])
            self._attack(chosen, init, monotonic() + 0.5 * left, until)

    def _attack(self, targets: list[int], init: Array | None, half: float, until: float) -> None:
        """Attack some targets until ``half``, and polish what is found until ``until``."""
        asked, network = self.asked, self.asked.network
        objective = Objective.towards(targets, argmin=asked.rule is Rule.ARGMIN)
        ball = asked.ball.with_radius(asked.ball.covering_radius)
        problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
        seconds = half - monotonic()
        result = nearest(problem, seed=asked.options.seed, seconds=seconds)
        for i in np.argsort(result.distances):
            nearest_yet = self.nearest
            done = self.nearest < inf and monotonic() >= until
            if done or (not result.success[i] and init is None):
                break
            question = asked.question(targets[i])
            claims = [result.inputs[i].astype(np.float64)] if result.success[i] else []
            claims += [] if init is None else [init]
            witnesses = [w for w in map(question.replay, claims) if w is not None]
            if not witnesses:
                continue
            witness = min(witnesses, key=lambda w: w.distance)
            hopeful = not asked.nearest_only or witness.distance < POLISH_FACTOR * nearest_yet
            if hopeful and monotonic() < until:
                witness = polish(question, witness, until, asked.options.tolerance)
            known = self.found[targets[i]]
            self._learn(targets[i], replace(known, bracket=known.bracket.tighten(Sat(witness))))
            self._watch(targets[i], self.found[targets[i]].bracket, 0)

    def run(self) -> None:
        """A first look at every target, then the rest of the time for those still open.

        Time that is left because others closed early goes to what is open in a last round.
        Sub-problems, where they are limited, are shared out in the same way.
        """
        whole = Limit(self.deadline, self.asked.options.most_nodes)
        if self.jobs == 1 or len(self.targets) == 1:
            self._rounds(whole, None)
            return
        late: list[int] = []
        try:
            with processes(self.jobs) as pool:
                self._rounds(whole, _Pool(pool, late))
        except _LateError:  # its processes are killed; what they began with stands
            for target in late:
                self._learn(target, replace(self.found[target], note=KILLED))

    def _rounds(self, whole: Limit, pool: _Pool | None) -> None:
        several = whole.finite and len(self.targets) > 1
        for share in (FIRST_SHARE, 1.0, 1.0) if several else (1.0,):
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

    def _parallel(self, order: list[int], limit: Limit, pool: _Pool) -> None:
        """The same over processes; each search starts with the best witness known by then, or,
        where sub-problems are limited, before the first of them: the others may end in any order.

        Raises :class:`_LateError` where processes do not end with the time.
        """
        alike = replace(self._options(limit, len(order)), jobs=1)
        waiting, running = list(order), dict[Future[tuple[Outcome, float]], int]()
        while waiting or running:
            while waiting and len(running) < self.jobs:
                target = waiting.pop(0)
                rounds = 1 + len(waiting) // self.jobs
                options = replace(self._options(limit, rounds), jobs=1)
                if options.timeout <= 0.0:  # nor is there any for the others
                    self._too_late([target, *waiting])
                    waiting.clear()
                    break
                if options.counted:
                    options = replace(alike, timeout=options.timeout)
                start = self.found[target].bracket
                if options.counted or not self._closed(target):
                    until = monotonic() + options.timeout
                    task = pool.executor.submit(_search, self.asked, target, start, options, until)
                    running[task] = target
            if not running:
                continue
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            if not done and monotonic() >= self.deadline + GRACE:
                pool.late.extend(running.values())
                raise _LateError
            for future in done:
                target = running.pop(future)
                outcome, seconds = future.result()
                self._learn(target, self.found[target].then(outcome, seconds))
                self._watch(target, outcome.bracket, 0)

    def _watch(self, target: int, bracket: Bracket, queries: int) -> None:
        cutoff = self._cutoff
        done = sum(self._closed(t, cutoff) for t in self.targets)
        self.watch(
            target, done, bracket, queries + sum(len(f.queries) for f in self.found.values())
        )


@dataclass(frozen=True, eq=False)
class _Pool:
    """Processes for several targets; ``late``: the targets in hand when they did not end."""

    executor: ProcessPoolExecutor
    late: list[int]


class _LateError(Exception):
    """A process does not end with the time."""


def _search(
    asked: TargetProblem, target: int, start: Bracket, options: SearchOptions, until: float
) -> tuple[Outcome, float]:
    """One search in a process of its own, ``until`` a time of the monotonic clock, which all
    processes of a machine share: the process's own start counts."""
    started = monotonic()
    options = replace(options, timeout=until - started)
    backend = create(asked.backend)
    try:
        outcome = asked.run(target, start, options, backend, lambda *_: None)
    finally:
        backend.close()
    return outcome, monotonic() - started
