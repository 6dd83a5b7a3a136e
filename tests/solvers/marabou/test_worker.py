"""The worker process against broken workers, dying parents, threads and forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from marabou_tools import (
    NO,
    TIMEOUT,
    YES,
    assert_works,
    during,
    eventually,
    hard_query,
    is_gone,
    linux,
    worker_of,
)

from marapatch.errors import BackendError
from marapatch.solvers.base import Answer, Undecided
from marapatch.solvers.marabou import process as _process
from marapatch.solvers.marabou.backend import MarabouBackend


class TestBrokenWorkers:
    """Scripts in the place of the worker."""

    def use(self, monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
        path = folder / "worker.py"
        prelude = (
            "import os, struct, sys\n"
            "def say(text, sizes=None, data=b''):\n"
            "    sizes = sizes or (len(text), len(data))\n"
            "    os.write(1, struct.pack('<QQ', *sizes) + text + data)\n"
        )
        path.write_text(prelude + script, encoding="utf-8")
        monkeypatch.setattr(_process, "SCRIPT", path)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("say(b'import-error\\nno such module')", "cannot be imported .no such module.*"),
            ("sys.exit(3)", "did not start .*exit code 3"),
            ("say(b'hello\\n')", "cannot be imported"),
        ],
    )
    def test_a_worker_that_cannot_start(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
    ) -> None:
        self.use(monkeypatch, tmp_path, script)
        with MarabouBackend() as backend:
            with pytest.raises(BackendError, match=reason) as caught:
                backend.solve(YES, TIMEOUT)
            assert "maraboupy" in str(caught.value)
            assert "\n" not in str(caught.value)
            assert backend.worker_pid is None

    def test_a_worker_that_never_starts(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.use(monkeypatch, tmp_path, "import time; time.sleep(1000)")
        monkeypatch.setattr(_process, "START_SECONDS", 0.2)
        with MarabouBackend() as backend, pytest.raises(BackendError, match="no answer"):
            backend.solve(YES, TIMEOUT)

    def test_no_interpreter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with (
            MarabouBackend() as backend,
            pytest.raises(BackendError, match="process cannot be started"),
        ):
            backend.solve(YES, TIMEOUT)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("say(b'unsat')", "malformed"),
            ("say(b'unsat\\n', (2**40, 0))", "malformed"),
            ("say(b'sat\\n', (4, 7), b'1234567')", "malformed"),
            ("os.write(1, b'unsat')", "ended with exit code 0"),
            ("say(b'unsat\\n', (600, 0))", "ended with exit code 0"),
            ("say(b'sat\\n')", "with 0 values"),
            ("say(b'hello\\n')", "answered hello"),
            ("os.abort()", "SIGABRT"),
        ],
    )
    def test_what_is_no_answer_decides_nothing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
    ) -> None:
        self.use(monkeypatch, tmp_path, f"say(b'ready\\n'); os.read(0, 8); {script}")
        with MarabouBackend() as backend:
            answer = backend.solve(YES, TIMEOUT)
            assert isinstance(answer, Undecided)
            assert reason in answer.reason


class TestParents:
    SCRIPT = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from marabou_tools import *\n"
        "backend = MarabouBackend()\n"
        "backend.solve(YES, TIMEOUT)\n"
        "print(backend.worker_pid, flush=True)\n"
    )

    def parent(self, body: str) -> subprocess.Popen[str]:
        here = str(Path(__file__).parents[2] / "support" / "builders")
        command = [sys.executable, "-c", self.SCRIPT + body, here]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @linux
    @pytest.mark.parametrize("busy", [False, True])
    def test_no_orphan_is_left(self, busy: bool) -> None:
        body = "backend.solve(hard_query(), 1000.0)" if busy else "time.sleep(1000.0)"
        with self.parent(body) as parent:
            assert parent.stdout is not None
            worker = int(parent.stdout.readline())
            assert not is_gone(worker)
            time.sleep(1.0 if busy else 0.0)
            parent.kill()
        assert eventually(lambda: is_gone(worker))

    @linux
    def test_none_is_left_by_a_parent_that_just_ends(self) -> None:
        with self.parent("") as parent:
            assert parent.stdout is not None
            worker = int(parent.stdout.readline())
        assert parent.returncode == 0
        assert eventually(lambda: is_gone(worker))

    @linux
    @pytest.mark.usefixtures("heeded_signals")
    def test_ctrl_c_while_waiting(self, backend: MarabouBackend) -> None:
        backend.solve(YES, TIMEOUT)
        worker = worker_of(backend)
        timer = during(lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            backend.solve(hard_query(), TIMEOUT)
        timer.join()
        assert is_gone(worker)
        assert backend.worker_pid is None
        assert_works(backend)

    def test_threads_take_turns(self, backend: MarabouBackend) -> None:
        answers: list[Answer] = []
        queries = [YES, NO] * 4
        threads = [
            threading.Thread(target=lambda q=q: answers.append(backend.solve(q, TIMEOUT)))
            for q in queries
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kinds = sorted(type(answer).__name__ for answer in answers)
        assert kinds == ["Candidate"] * 4 + ["Infeasible"] * 4
        assert_works(backend)

    def test_a_busy_backend_gives_up_in_time(self, backend: MarabouBackend) -> None:
        thread = threading.Thread(target=backend.solve, args=(hard_query(), TIMEOUT))
        thread.start()
        assert eventually(lambda: backend.worker_pid is not None)
        answer = backend.solve(YES, 0.2)
        os.kill(worker_of(backend), signal.SIGKILL)
        thread.join()
        assert isinstance(answer, Undecided)
        assert "busy" in answer.reason

    def test_a_forked_child_leaves_the_worker_alone(self, backend: MarabouBackend) -> None:
        assert_works(backend)
        worker = worker_of(backend)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert_works(backend)
                status = 0 if backend.worker_pid != worker else 2
                backend.close()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert backend.worker_pid == worker
        assert_works(backend)
        assert backend.worker_pid == worker
