"""Marabou as a backend: a worker process, kept and reused, with a hard deadline.

Everything the design's section 5 knows to be wrong with maraboupy 2.0.0 is kept behind this door,
except ranges that only Marabou's own bounds make narrow: for those, ask more than you claim.
"""

from __future__ import annotations

import math
import pickle
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import BackendError, InputError
from marapatch.query.intervals import propagate
from marapatch.query.query import Query
from marapatch.query.reduction import absorb, check_timeout, reduce
from marapatch.solvers.base import Answer, Backend, Candidate, Infeasible, Undecided
from marapatch.solvers.marabou.process import DeadlineError, Reply, Worker, WorkerLostError
from marapatch.solvers.marabou.request import Numbers, request_of
from marapatch_encodings import worst_violation

FIXED_BELOW = 1e-5
"""Marabou's preprocessor fixes a variable whose range is at most this wide to one value."""

FIXED = 1e-12
"""A propagated range at most this wide, relative to the variable's size, is one value, rounded."""

GUARD_ROUNDS = 3
"""Rounds of interval propagation in search of narrow ranges."""

TIGHTENING_STEP = 1e-4
"""The preprocessor makes a bound tighter only by more than this.

With Marabou's default of 1e-10 its bounds creep together until a range is narrow and is fixed: a
wrong ``unsat`` in 9 of 674 feasible random queries, in none of them with this. Weaker bounds are
sound, and cost no time on MNIST and ACAS Xu queries.
"""

STATUS_MAP: dict[str, type[Candidate] | type[Infeasible] | type[Undecided]] = {
    "sat": Candidate,
    "unsat": Infeasible,
    "timeout": Undecided,
    "unknown": Undecided,
    "error": Undecided,
    "quit_requested": Undecided,
}
"""What Marabou's exit code, in lower case, means; a code that is not here is Undecided."""

REUSABLE = frozenset({"sat", "unsat", "timeout", "unknown", "saved"})
"""After any other code the worker is replaced: Marabou's global state is not trusted then."""

SAVE_SECONDS = 60.0
"""How long Marabou may take to write a query to a file."""

OURS = frozenset({"late", "lost", "crashed"})
"""Codes that :meth:`MarabouBackend._ask` gives itself."""

RETRIED = frozenset({"crashed", "exception", "error", "sat"})
"""After these the query, where still undecided, is asked once more without layers: seeing layers in
a query of odd form (an input that turns out to be fixed) makes Marabou throw, crash or err."""

MISSED_SHARE = 1e-3
"""An assignment that misses a constraint by more, relative to its size, is a fault of Marabou's and
not a candidate; it is usually right within 1e-6."""


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """Marabou's own options that change its speed and nothing else.

    ``tightening``: symbolic bound tightening. ``splitting``: how it chooses the constraint to
    split on.
    """

    tightening: Literal["deeppoly", "sbt", "none"] = "deeppoly"
    splitting: Literal[
        "auto", "largest-interval", "relu-violation", "polarity", "earliest-relu", "pseudo-impact"
    ] = "auto"

    def marabou(self, timeout: float) -> dict[str, str | float]:
        """The attributes of ``MarabouCore.Options``; its timeout is in whole seconds, 0 is none."""
        return {
            "_verbosity": 0,
            "_timeoutInSeconds": max(1, math.ceil(timeout)),
            "_numWorkers": 1,
            "_numBlasThreads": 1,
            "_snc": False,
            "_tighteningStrategy": self.tightening,
            "_splittingStrategy": self.splitting,
            "_numSimulations": 10,
            "_preprocessorBoundTolerance": TIGHTENING_STEP,
        }


@dataclass(eq=False)
class MarabouBackend(Backend):
    """Answers queries with Marabou 2.0.0 in a process of its own.

    ``memory_bytes``: address space the worker may map beyond what it maps when idle.
    ``grace_seconds``: the worker is killed this long after the timeout (Marabou counts whole
    seconds and does not look at the clock while it preprocesses).

    One query at a time: other threads wait their turn, and a thread other than the one before it
    starts a new worker (0.15 s). An ``unsat`` to a query with a range above 0 and at most
    :data:`FIXED_BELOW`, given or by interval propagation, is Undecided, because Marabou fixes such
    a variable. Raises :class:`~marapatch.errors.BackendError` only where the worker cannot be
    started. Trusts Marabou's ``unsat`` otherwise (evidence: solver).
    """

    memory_bytes: int = 8 * 2**30
    grace_seconds: float = 0.25
    options: SolveOptions = SolveOptions()
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _worker: Worker | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("memory_bytes", "grace_seconds"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise InputError(f"Marabou backend: {name} is {value}; give a positive number")

    @property
    def name(self) -> str:
        """``marabou``."""
        return "marabou"

    @property
    def worker_pid(self) -> int | None:
        """The process number of the worker that is kept, if there is one."""
        return None if self._worker is None else self._worker.pid

    def close(self) -> None:
        """End the worker; a later :meth:`solve` starts another."""
        with self._lock:
            self._discard()

    def solve(self, query: Query, timeout: float) -> Answer:
        """Ask Marabou; the answer comes at most ``grace_seconds`` after ``timeout`` seconds.
        Starting the worker, where that is needed, counts."""
        check_timeout(timeout)
        deadline = time.monotonic() + timeout
        reduced = reduce(query)
        reduced = None if reduced is None else absorb(reduced)
        if reduced is None:
            return Infeasible()
        if not reduced.names:
            return Candidate(np.zeros(0))
        if not self._lock.acquire(timeout=timeout):
            return Undecided(f"timeout: another query kept Marabou busy for {timeout:g} s")
        try:
            reply, place = self._ask(reduced, deadline, layers=True)
            answer = interpret(reduced, place, reply)
            again = isinstance(answer, Undecided) and reply.code.lower() in RETRIED
            if again and time.monotonic() < deadline:
                self._discard()
                reply, place = self._ask(reduced, deadline, layers=False)
                answer = interpret(reduced, place, reply)
        finally:
            self._lock.release()
        return answer

    def save(self, query: Query, path: Path) -> list[int]:
        """Have Marabou write ``query`` to ``path`` (.ipq); its numbers of the query's variables.

        Raises :class:`~marapatch.errors.InputError` where the query is plainly contradictory or
        has no variables, :class:`~marapatch.errors.BackendError` where Marabou cannot write it.
        """
        reduced = _to_write(query)
        reply, place = self._on_file(reduced, {"save": str(path.resolve())}, SAVE_SECONDS)
        if reply.code != "saved" or not path.is_file():
            raise BackendError(f"{path}: Marabou could not write the query: {reply.message}")
        return [int(number) for number in place]

    def solve_file(self, query: Query, path: Path, timeout: float) -> Answer:
        """Marabou's answer to the file that :meth:`save` wrote for ``query``."""
        check_timeout(timeout)
        reduced = _to_write(query)
        reply, place = self._on_file(reduced, {"load": str(path.resolve())}, timeout)
        return interpret(reduced, place, reply)

    def _on_file(
        self, query: Query, extra: dict[str, str], timeout: float
    ) -> tuple[Reply, Numbers]:
        with self._lock:
            return self._ask(query, time.monotonic() + timeout, layers=True, extra=extra)

    def _ask(
        self, query: Query, deadline: float, *, layers: bool, extra: dict[str, str] | None = None
    ) -> tuple[Reply, Numbers]:
        """Marabou's reply, or one of our own codes: ``late``, ``lost``, ``crashed``."""
        if self._worker is None or not self._worker.usable:
            self._discard()
            self._worker = Worker(self.memory_bytes)
            if time.monotonic() >= deadline:  # it is there for the next query
                late = "timeout: Marabou's process was still starting"
                return Reply("late", late, np.zeros(0)), np.zeros(0, np.int64)
        options = self.options.marabou(deadline - time.monotonic())
        request, place = request_of(query, options, layers=layers)
        payload = pickle.dumps(request | (extra or {}), pickle.HIGHEST_PROTOCOL)
        try:
            reply = self._worker.exchange(payload, deadline + self.grace_seconds)
        except DeadlineError:
            late = f"timeout: Marabou was killed {self.grace_seconds:g} s after its time"
            reply = Reply("late", late, np.zeros(0))
        except WorkerLostError as error:
            reply = Reply("crashed" if error.crashed else "lost", str(error), np.zeros(0))
        except BaseException:  # such as KeyboardInterrupt: leave no process behind
            self._discard()
            raise
        if reply.code.lower() not in REUSABLE:
            self._discard()
        return reply, place

    def _discard(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None


def _to_write(query: Query) -> Query:
    """``query`` as it is put to Marabou; InputError where there is nothing left to ask."""
    reduced = reduce(query)
    reduced = None if reduced is None else absorb(reduced)
    if reduced is None or not reduced.names:
        raise InputError("the query is decided without a solver; there is nothing to write")
    return reduced


def interpret(query: Query, place: Numbers, reply: Reply) -> Answer:
    """What a reply says of ``query``, whose variables have the numbers ``place`` in it."""
    kind = STATUS_MAP.get(reply.code.lower(), Undecided)
    if kind is Candidate:
        return candidate(query, place, reply)
    if kind is Infeasible:
        reason = doubt(query)
        return Infeasible() if reason is None else Undecided(f"Marabou said unsat, but {reason}")
    return Undecided(explain(query, reply))


def doubt(query: Query) -> str | None:
    """Why an ``unsat`` to ``query`` is not believed, if it is not.

    Because a range, given or after some interval propagation, is narrow, so that Marabou may have
    fixed the variable. Ranges that only Marabou's own bounds make narrow are not seen.
    """
    i = narrow(query.lower, query.upper)
    bounds = query.lower, query.upper
    if i is None:
        propagated = propagate(query, GUARD_ROUNDS)
        if propagated is None:  # a proof of its own
            return None
        bounds = propagated
        i = narrow(*bounds, fixed=FIXED)
    if i is None:
        return None
    return (
        f"variable {query.names[i]!r} has the range [{bounds[0][i]:.17g}, {bounds[1][i]:.17g}], "
        f"below {FIXED_BELOW:g}, which it fixes to one value; scale the variable or fix it"
    )


def narrow(
    lower: NDArray[np.float64], upper: NDArray[np.float64], fixed: float = 0.0
) -> int | None:
    """The first variable whose range is at most :data:`FIXED_BELOW` and, relative to its size,
    above ``fixed``; None where there is none."""
    with np.errstate(invalid="ignore"):
        width = upper - lower
        size = np.maximum(1.0, np.minimum(np.abs(lower), np.abs(upper)))
        bad = (width > fixed * size) & (width <= FIXED_BELOW * (1.0 + 1e-6))
    return int(np.argmax(bad)) if bad.any() else None


def candidate(query: Query, place: Numbers, reply: Reply) -> Candidate | Undecided:
    """The assignment Marabou gave, if every value is there, finite and roughly right."""
    if place.size and reply.values.size <= int(place.max()):
        return Undecided(
            f"Marabou said sat with {reply.values.size} values for {len(query.names)} variables"
        )
    values = reply.values[place]
    missing = ~np.isfinite(values)
    if missing.any():
        name = query.names[int(np.argmax(missing))]
        return Undecided(f"Marabou said sat without a finite value for variable {name!r}")
    outside = np.maximum(query.lower - values, values - query.upper).max(initial=0.0)
    missed = max(float(outside), worst_violation(query.constraints, values))
    if missed > MISSED_SHARE * max(1.0, float(np.abs(values).max())):
        return Undecided(f"Marabou said sat, but its assignment misses a constraint by {missed:g}")
    return Candidate(values)


def explain(query: Query, reply: Reply) -> str:
    """Why there is no answer, for people."""
    code = reply.code.lower()
    if code == "timeout":
        return "timeout: Marabou gave up"
    if code in OURS:
        return reply.message
    reason = f"Marabou answered {reply.code}"
    if reply.message:
        reason += f" ({' '.join(reply.message.split())})"
    unbounded = ~np.isfinite(query.lower) | ~np.isfinite(query.upper)
    if code == "error" and unbounded.any():
        name = query.names[int(np.argmax(unbounded))]
        reason += f"; variable {name!r} has an infinite bound, and Marabou needs finite ones"
    return reason
