"""The errors marapatch raises, and checks of options that raise them. A timeout is a verdict, not
an error."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf


class MarapatchError(Exception):
    """Base of all errors raised on purpose by marapatch."""


class InputError(MarapatchError, ValueError):
    """The user's input cannot be used; the message says what was found and what to do."""


class UnsupportedOperatorError(MarapatchError, NotImplementedError):
    """The network file uses an operator, or a form of one, that marapatch does not read."""


class BackendError(MarapatchError, RuntimeError):
    """A solver could not be started or broke its protocol (not: ran out of time)."""


class ScopeError(MarapatchError, RuntimeError):
    """Bounds were used outside the region, target or phases for which they were computed."""


class ContradictionError(MarapatchError, RuntimeError):
    """Two pieces of evidence cannot both be true; neither is trusted and nothing is repaired."""


def check_seconds(name: str, seconds: float | None) -> None:
    """InputError unless ``seconds`` is None or a positive, finite number of them."""
    if seconds is not None and not 0.0 < seconds < inf:
        raise InputError(f"{name} must be a positive number of seconds, not {seconds}")


def check_count(name: str, count: int | None) -> None:
    """InputError unless ``count`` is None or at least 1."""
    if count is not None and count < 1:
        raise InputError(f"{name} must be at least 1, not {count}")


def check_size(name: str, size: float) -> None:
    """InputError unless ``size``, of a margin or a tolerance, is finite and at least 0."""
    if not 0.0 <= size < inf:
        raise InputError(f"the {name} must be finite and at least 0, not {size}")


def check_class(name: str, number: int, classes: int) -> None:
    """InputError unless ``number`` is one of the network's ``classes``, which count from 0."""
    if not 0 <= number < classes:
        raise InputError(f"{name} {number} is not one of the network's classes 0..{classes - 1}")


def check_choice(name: str, chosen: object, choices: Iterable[str]) -> None:
    """InputError unless ``chosen`` is one of ``choices``, which the message lists."""
    known = tuple(choices)
    if chosen not in known:
        raise InputError(f"{name} {chosen!r} is not one of {', '.join(known)}")
