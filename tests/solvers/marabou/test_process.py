"""Marabou dies, hangs, babbles or runs out of time: nothing of it may look like a proof."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from marabou_tools import (
    TIMEOUT,
    YES,
    assert_works,
    during,
    eventually,
    hard_query,
    is_gone,
    linux,
    relu_query,
    worker_of,
)

from marapatch.errors import InputError
from marapatch.query.query import Query
from marapatch.solvers.base import Answer, Candidate, Infeasible, Undecided
from marapatch.solvers.marabou import backend as marabou
from marapatch.solvers.marabou.backend import STATUS_MAP, MarabouBackend, SolveOptions, interpret
from marapatch.solvers.marabou.process import Reply


class TestTime:
    def test_a_hard_query_ends_in_time(self, backend: MarabouBackend) -> None:
        query = hard_query()
        backend.solve(YES, TIMEOUT)
        answer = backend.solve(query, 2.0)
        assert isinstance(answer, Undecided)
        assert "timeout" in answer.reason
        assert_works(backend)

    @linux
    def test_a_worker_that_hangs_is_killed(self) -> None:
        with MarabouBackend(grace_seconds=0.3) as backend:
            backend.solve(YES, TIMEOUT)
            worker = worker_of(backend)
            os.kill(worker, signal.SIGSTOP)
            start = time.monotonic()
            answer = backend.solve(YES, 0.5)
            assert time.monotonic() - start > 0.5
            assert answer == Undecided("timeout: Marabou was killed 0.3 s after its time")
            assert is_gone(worker)
            assert_works(backend)

    def test_the_start_of_the_worker_counts(self, backend: MarabouBackend) -> None:
        """What is not ready in time is kept for the next query."""
        assert backend.solve(YES, 1e-3) == Undecided(
            "timeout: Marabou's process was still starting"
        )
        worker = worker_of(backend)
        assert_works(backend)
        assert worker_of(backend) == worker

    def test_a_query_that_the_pipe_cannot_hold_counts_too(self) -> None:
        """The request is larger than a pipe's buffer and is not read."""
        with MarabouBackend(grace_seconds=0.3) as backend:
            backend.solve(YES, TIMEOUT)
            os.kill(worker_of(backend), signal.SIGSTOP)
            answer = backend.solve(hard_query(), 0.5)
            assert isinstance(answer, Undecided)
            assert "timeout" in answer.reason
            assert_works(backend)


class TestDeadWorkers:
    @pytest.mark.parametrize(
        ("number", "reason"),
        [(signal.SIGTERM, "Marabou answered QUIT_REQUESTED"), (signal.SIGKILL, "SIGKILL")],
    )
    def test_a_signal_while_solving(
        self, backend: MarabouBackend, number: signal.Signals, reason: str
    ) -> None:
        assert_works(backend)
        worker = worker_of(backend)
        timer = during(lambda: os.kill(worker, number), 1.0)
        answer = backend.solve(hard_query(), TIMEOUT)
        timer.join()
        assert isinstance(answer, Undecided)
        assert reason in answer.reason
        assert_works(backend)
        assert backend.worker_pid != worker

    @linux
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_a_signal_between_queries(
        self, backend: MarabouBackend, number: signal.Signals
    ) -> None:
        backend.solve(YES, TIMEOUT)
        worker = worker_of(backend)
        os.kill(worker, number)
        eventually(lambda: is_gone(worker))
        answer = backend.solve(YES, TIMEOUT)
        assert isinstance(answer, Candidate | Undecided)
        assert_works(backend)

    def test_ctrl_c_does_not_reach_the_worker(self, backend: MarabouBackend) -> None:
        backend.solve(YES, TIMEOUT)
        worker = worker_of(backend)
        assert os.getpgid(worker) == worker
        os.kill(worker, signal.SIGINT)
        assert_works(backend)
        assert backend.worker_pid == worker

    @linux
    def test_out_of_memory(self) -> None:
        with MarabouBackend(memory_bytes=24 * 2**20) as backend:
            assert_works(backend)
            answer = backend.solve(hard_query(), TIMEOUT)
            assert isinstance(answer, Undecided)
            assert "memory" in answer.reason or "ended" in answer.reason
            assert "timeout" not in answer.reason
            assert_works(backend)

    def test_a_crash_is_asked_again_without_layers(
        self, backend: MarabouBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker dies of a segmentation fault where it is told of layers."""
        asked = []
        honest = marabou.request_of

        def fragile(query: Query, options: object, *, layers: bool) -> object:
            asked.append(layers)
            if layers:
                os.kill(worker_of(backend), signal.SIGSEGV)
            return honest(query, options, layers=layers)  # type: ignore[arg-type]

        monkeypatch.setattr(marabou, "request_of", fragile)
        assert isinstance(backend.solve(YES, TIMEOUT), Candidate)
        assert asked == [True, False]

    def test_close_and_use_again(self) -> None:
        backend = MarabouBackend()
        backend.close()
        assert_works(backend)
        worker = worker_of(backend)
        backend.close()
        backend.close()
        assert backend.worker_pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)  # not even a zombie
        assert_works(backend)
        backend.close()

    def test_a_backend_let_go_takes_its_worker_along(self) -> None:
        backend = MarabouBackend()
        backend.solve(YES, TIMEOUT)
        worker = worker_of(backend)
        del backend
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def reply(code: str, *values: float) -> Reply:
    return Reply(code, "", np.array(values))


class TestReplies:
    """What codes and values mean; everything not foreseen decides nothing."""

    PLACE = np.array([1, 0])

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (reply("unsat"), Infeasible()),
            (reply("UNSAT"), Infeasible()),
            (reply("TIMEOUT"), Undecided("timeout: Marabou gave up")),
            (reply("UNKNOWN"), Undecided("Marabou answered UNKNOWN")),
            (reply("QUIT_REQUESTED"), Undecided("Marabou answered QUIT_REQUESTED")),
            (reply("unsat "), Undecided("Marabou answered unsat ")),
            (reply(""), Undecided("Marabou answered ")),
            (reply("NOT_DONE"), Undecided("Marabou answered NOT_DONE")),
            (reply("memory"), Undecided("Marabou answered memory")),
        ],
        ids=lambda value: str(getattr(value, "code", "")) or None,
    )
    def test_codes(self, answer: Reply, expected: Answer) -> None:
        query = relu_query(0.5)
        bounded = Query(query.names, -np.ones(2), np.ones(2), query.constraints)
        assert interpret(bounded, self.PLACE, answer) == expected

    def test_values_are_put_in_the_order_of_the_query(self) -> None:
        answer = interpret(relu_query(0.0), self.PLACE, reply("sat", 0.0, -0.5, 5.0))
        assert isinstance(answer, Candidate)
        assert answer.assignment.tolist() == [-0.5, 0.0]

    @pytest.mark.parametrize(
        "values", [(0.25, -0.5), (1.5, 1.5), (0.0, 0.25)], ids=["relu", "bound", "output"]
    )
    def test_sat_with_wrong_values(self, values: tuple[float, float]) -> None:
        answer = interpret(relu_query(0.0), self.PLACE, reply("sat", *values))
        assert isinstance(answer, Undecided)
        assert "misses a constraint by" in answer.reason

    @pytest.mark.parametrize("values", [(), (1.0,), (1.0, np.nan), (np.inf, 1.0)])
    def test_sat_with_values_missing(self, values: tuple[float, ...]) -> None:
        answer = interpret(relu_query(0.5), self.PLACE, reply("sat", *values))
        assert isinstance(answer, Undecided)
        assert "Marabou said sat with" in answer.reason

    def test_only_sat_and_unsat_decide(self) -> None:
        deciding = {code for code, kind in STATUS_MAP.items() if kind is not Undecided}
        assert deciding == {"sat", "unsat"}


@pytest.mark.parametrize(
    ("field", "value"), [("memory_bytes", 0), ("grace_seconds", -1.0), ("grace_seconds", np.nan)]
)
def test_refuses_options_that_are_none(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{field} is .*; give a positive number"):
        MarabouBackend(**{field: value})  # type: ignore[arg-type]


def test_options_reach_marabou(backend: MarabouBackend) -> None:
    """Each combination answers; a name that Marabou does not know would not be noticed by it."""
    for tightening in ("deeppoly", "sbt", "none"):
        for splitting in ("auto", "largest-interval", "earliest-relu", "pseudo-impact"):
            backend.options = SolveOptions(tightening, splitting)  # type: ignore[arg-type]
            assert_works(backend)
            options = backend.options.marabou(1.2)
            assert options["_verbosity"] == 0
            assert options["_timeoutInSeconds"] == 2
