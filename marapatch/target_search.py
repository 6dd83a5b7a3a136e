"""One ground truth being worked on: attack every target, then search them with one incumbent.

Targets are searched one after the other, or shared out over processes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.attacks.nearest import nearest
from marapatch.attacks.objective import Objective
from marapatch.attacks.polish import confirmed, polish
from marapatch.attacks.problem import Problem
from marapatch.backends import create
from marapatch.backends.base import Backend
from marapatch.ball import Ball
from marapatch.bracket import Bracket
from marapatch.network.arithmetic import proving
from marapatch.network.layers import Array
from marapatch.network.network import Network
from marapatch.processes import processes
from marapatch.properties import Rule, beats
from marapatch.question import Question
from marapatch.replay import Replay, tie_note
from marapatch.search import SEARCHES
from marapatch.search.limit import Limit
from marapatch.search.options import Interrupted, Outcome, QueryRecord, Report, SearchOptions
from marapatch.search.recording import TreeRecord
from marapatch.verdict import Witness

ATTACK_SHARE = 0.2
ATTACK_SECONDS = 20.0
"""The share of the time that the attacks and their polish may take, and at most so many seconds."""

POLISH_FACTOR = 1.5
"""Where only the nearest counts, a witness this much farther than the best is not polished."""

SHORTEST = 0.5
"""Seconds below which no further round is begun."""

FIRST_SHARE = 0.2
"""The share of the time for a first look at every target, before any gets its full time."""


@dataclass(frozen=True, eq=False)
class Asked:
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
        ball = self.ball.at(self.ball.whole_box)
        return Question(self.network.standard_form, ball, condition, replay)

    def run(
        self, target: int, start: Bracket, options: SearchOptions, backend: Backend, report: Report
    ) -> Outcome:
        """Search one target."""
        if options.timeout <= 0.0:
            return Outcome(start, (), note="out of time before this target's turn")
        with proving():
            return SEARCHES[self.search](self.question(target), start, backend, options, report)


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of one target."""

    bracket: Bracket
    queries: tuple[QueryRecord, ...] = ()
    seconds: float = 0.0
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()

    def then(self, outcome: Outcome, seconds: float) -> Found:
        """With what another search of the same target found."""
        return Found(
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
    """Tightens a bracket a target; ``found`` holds what is known at any time."""

    asked: Asked
    targets: tuple[int, ...]
    deadline: float
    watch: Watch
    jobs: int = 1
    found: dict[int, Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found = {t: Found(Bracket(), note="not searched") for t in self.targets}

    def attack(self, init: Array | None) -> None:
        """Give every target its first witness, where one is found: attacked, then polished."""
        seconds = min(ATTACK_SECONDS, ATTACK_SHARE * (self.deadline - monotonic()))
        if self.asked.options.counted:  # the same on any load: only the user's own limit ends it
            seconds = ATTACK_SHARE * (self.deadline - monotonic())
        until = monotonic() + seconds
        asked, network = self.asked, self.asked.network
        objective = Objective.towards(list(self.targets), argmin=asked.rule is Rule.ARGMIN)
        ball = asked.ball.at(asked.ball.whole_box)
        problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
        result = nearest(problem, seed=asked.options.seed, seconds=0.5 * seconds)
        nearest_yet = inf
        for i in np.argsort(result.distances):
            question = asked.question(self.targets[i])
            claims = [result.inputs[i].astype(np.float64)] if result.success[i] else []
            claims += [] if init is None else [init]
            witnesses = [w for w in map(question.replay, claims) if w is not None]
            if not witnesses:
                continue
            witness: Witness = min(witnesses, key=lambda w: w.distance)
            hopeful = not asked.nearest_only or witness.distance < POLISH_FACTOR * nearest_yet
            if hopeful and monotonic() < until:
                witness = polish(question, witness, until, asked.options.tolerance)
            nearest_yet = min(nearest_yet, witness.distance)
            self.found[self.targets[i]] = Found(Bracket(witness=witness), note="not searched")

    def run(self) -> None:
        """A first look at every target, then the rest of the time for those still open.

        Time that is left because others closed early goes to what is open in a last round.
        Sub-problems, where they are limited, are shared out in the same way.
        """
        whole = Limit(self.deadline, self.asked.options.most_nodes)
        several = whole.finite and len(self.targets) > 1
        for share in (FIRST_SHARE, 1.0, 1.0) if several else (1.0,):
            late = self.deadline - monotonic() <= SHORTEST or whole.over(self._bounded)
            if share == 1.0 and late and several:
                break
            limit = whole.share(share, self._bounded)
            order = [t for t in self._by_distance() if not self._closed(t)]
            if self.jobs > 1 and len(order) > 1:
                self._parallel(order, limit)
            else:
                self._sequential(order, limit)

    def confirm(self) -> None:
        """Move witnesses that onnxruntime decides otherwise until it does not, where that costs
        no bracket its tolerance."""
        tolerance = self.asked.options.tolerance
        best = min(found.bracket.upper for found in self.found.values())
        least = min(found.bracket.lower for found in self.found.values())
        for target, found in self.found.items():
            bracket, question = found.bracket, self.asked.question(target)
            if bracket.witness is None or (self.asked.nearest_only and bracket.upper > best):
                continue
            lower = least if self.asked.nearest_only else bracket.lower
            closed = bracket.upper - lower <= tolerance
            farthest = (lower if closed else bracket.upper) + tolerance
            moved = confirmed(question, bracket.witness, farthest, self.deadline)
            self.found[target] = replace(found, bracket=replace(bracket, witness=moved))

    def explain(self) -> None:
        """Say of targets that are open because of a tie that they are."""
        for target, found in self.found.items():
            if not self._closed(target) and found.bracket.witness is None:
                question = self.asked.question(target)
                tie = tie_note(self.asked.network, self.asked.ball.centre, question.condition)
                if tie:
                    note = f"{found.note}; {tie}" if found.note else tie
                    self.found[target] = replace(found, note=note)

    def _by_distance(self) -> list[int]:
        return sorted(self.targets, key=lambda t: (self.found[t].bracket.upper, t))

    @property
    def _bounded(self) -> int:
        """Sub-problems bounded so far."""
        return sum(found.nodes for found in self.found.values())

    def _options(self, limit: Limit, turns: int) -> SearchOptions:
        """For one of so many ``turns`` that share what is left until ``limit``; at least one
        sub-problem each."""
        best = min(found.bracket.upper for found in self.found.values())
        cutoff = best if self.asked.nearest_only else inf
        seconds = max((limit.until - monotonic()) / turns, 0.0)
        each = (limit.nodes - self._bounded) / turns
        nodes = None if each == inf else max(1, int(each))
        return replace(self.asked.options, timeout=seconds, nodes=nodes, cutoff=cutoff)

    def _closed(self, target: int) -> bool:
        return self._options(Limit(), 1).closed(self.found[target].bracket)

    def _sequential(self, order: list[int], limit: Limit) -> None:
        backend = create(self.asked.backend)
        try:
            for i, target in enumerate(order):
                if self._closed(target):  # by the witness of another target
                    continue
                started = monotonic()
                options = self._options(limit, len(order) - i)
                before = self.found[target]

                def report(
                    bracket: Bracket, queries: int, target: int = target, before: Found = before
                ) -> None:
                    known = replace(before, bracket=bracket, note="interrupted")
                    self.found[target] = known
                    self._watch(target, bracket, queries)

                report(before.bracket, 0)
                try:
                    outcome = self.asked.run(target, before.bracket, options, backend, report)
                except Interrupted as stop:
                    outcome = replace(stop.outcome, note="interrupted")
                    self.found[target] = before.then(outcome, monotonic() - started)
                    raise
                self.found[target] = before.then(outcome, monotonic() - started)
        finally:
            backend.close()

    def _parallel(self, order: list[int], limit: Limit) -> None:
        """The same over processes; each search starts with the best witness known by then, or,
        where sub-problems are limited, before the first of them: the others may end in any order.
        """
        alike = replace(self._options(limit, len(order)), jobs=1)
        waiting, running = list(order), dict[Future[tuple[Outcome, float]], int]()
        with processes(self.jobs) as pool:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    target = waiting.pop(0)
                    rounds = 1 + len(waiting) // self.jobs
                    options = replace(self._options(limit, rounds), jobs=1)
                    if options.counted:
                        options = replace(alike, timeout=options.timeout)
                    start = self.found[target].bracket
                    if options.counted or not self._closed(target):
                        running[pool.submit(_search, self.asked, target, start, options)] = target
                if not running:
                    continue
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    target = running.pop(future)
                    outcome, seconds = future.result()
                    self.found[target] = self.found[target].then(outcome, seconds)
                    self._watch(target, outcome.bracket, 0)

    def _watch(self, target: int, bracket: Bracket, queries: int) -> None:
        done = sum(self._closed(t) for t in self.targets)
        self.watch(
            target, done, bracket, queries + sum(len(f.queries) for f in self.found.values())
        )


def _search(
    asked: Asked, target: int, start: Bracket, options: SearchOptions
) -> tuple[Outcome, float]:
    """One search in a process of its own."""
    started = monotonic()
    backend = create(asked.backend)
    try:
        outcome = asked.run(target, start, options, backend, lambda *_: None)
    finally:
        backend.close()
    return outcome, monotonic() - started
