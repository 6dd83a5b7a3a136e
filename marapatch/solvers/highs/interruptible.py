"""Long calls into a library that Ctrl-C and other signals can end."""

from __future__ import annotations

import threading
from collections.abc import Callable

STOP_SECONDS = 5.0
"""How long a call that was told to stop is waited for."""


def interruptible(call: Callable[[], object], stop: Callable[[], None]) -> object:
    """The result of ``call``, which is made in a thread of its own so that a KeyboardInterrupt
    reaches this one at once: then ``stop`` is called, and the interrupt goes on.

    Python runs signal handlers only between its own instructions, and so not while a library
    computes. Outside of the main thread, where no signal arrives, the call is made directly.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    results: list[object] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  # it is raised again where it was asked for
            errors.append(error)
        finally:
            done.set()

    try:
        threading.Thread(target=run, daemon=True).start()
        done.wait()  # joining a thread that was interrupted once does not wait again
    except KeyboardInterrupt:
        stop()
        done.wait(STOP_SECONDS)
        raise
    if errors:
        raise errors[0]
    return results[0]
