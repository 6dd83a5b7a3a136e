"""Targets shared out over processes, none of which outlives the time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from time import monotonic

from marapatch.groundtruth.target_problem import TargetProblem
from marapatch.problem.bracket import Bracket
from marapatch.search.options import Outcome, SearchOptions
from marapatch.solvers import create

GRACE = 0.5
"""Seconds beyond the time after which a process that goes on is killed."""


class LateError(Exception):
    """A process does not end with the time."""


@dataclass(eq=False)
class TargetPool:
    """Processes that search targets; ``late``: the targets in hand when they did not end."""

    executor: ProcessPoolExecutor
    asked: TargetProblem
    running: dict[Future[tuple[Outcome, float]], int] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)

    def submit(self, target: int, start: Bracket, options: SearchOptions) -> None:
        """Search ``target`` from ``start`` on."""
        until = monotonic() + options.timeout
        task = self.executor.submit(search_target, self.asked, target, start, options, until)
        self.running[task] = target

    def finished(self, deadline: float) -> list[tuple[int, Outcome, float]]:
        """The targets that ended within half a second: what came of each, and its seconds.

        Raises :class:`LateError` where processes do not end with ``deadline``.
        """
        done, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
        if not done and monotonic() >= deadline + GRACE:
            self.late.extend(self.running.values())
            raise LateError
        return [(self.running.pop(future), *future.result()) for future in done]


def search_target(
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
