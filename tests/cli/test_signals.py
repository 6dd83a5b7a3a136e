"""A signal interrupts the command once; one that is ignored stays ignored."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from marapatch.cli.signals import ending


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once(number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    reported = False
    with ending():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # what is known is being written
        reported = True
    assert reported
    assert signal.getsignal(number) == handler


def test_a_signal_that_is_ignored_from_the_start_stays_ignored() -> None:
    """As under nohup."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, handler)


def test_other_threads_leave_signals_alone() -> None:
    seen: list[object] = []

    def watched() -> None:
        with ending():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=watched)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
