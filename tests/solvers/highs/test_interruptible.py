"""Calls into a library end on a signal, and are waited for."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from marapatch.solvers.highs.interruptible import interruptible


def test_a_result_and_an_error_come_back() -> None:
    assert interruptible(lambda: 7, lambda: None) == 7
    with pytest.raises(ValueError, match="of the library"):
        interruptible(_fail, lambda: None)


def _fail() -> None:
    raise ValueError("of the library")


@pytest.mark.usefixtures("heeded_signals")
def test_a_signal_stops_the_call_and_goes_on() -> None:
    stopped = threading.Event()

    def call() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.wait(60.0)
        ended.append(True)

    ended: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        interruptible(call, stopped.set)
    assert ended == [True]


def test_elsewhere_than_in_the_main_thread_it_is_a_plain_call() -> None:
    threads: list[threading.Thread] = []

    def outer() -> None:
        interruptible(lambda: threads.append(threading.current_thread()), lambda: None)

    thread = threading.Thread(target=outer)
    thread.start()
    thread.join()
    assert threads == [thread]
