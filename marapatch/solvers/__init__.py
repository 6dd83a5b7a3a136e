"""Engines that answer queries, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from marapatch.errors import InputError
from marapatch.solvers.base import Answer, Backend, Candidate, Infeasible, Optimum, Undecided
from marapatch.solvers.enumeration import EnumerationBackend
from marapatch.solvers.highs.backend import HighsBackend
from marapatch.solvers.marabou.backend import MarabouBackend

__all__ = [
    "BACKENDS",
    "Answer",
    "Backend",
    "Candidate",
    "EnumerationBackend",
    "HighsBackend",
    "Infeasible",
    "MarabouBackend",
    "Optimum",
    "Undecided",
    "create",
]

BACKENDS: Mapping[str, Callable[[], Backend]] = MappingProxyType(
    {
        "marabou": MarabouBackend,
        "highs": HighsBackend,
        "enumeration": EnumerationBackend,
    }
)
"""Every backend by its name, made with its defaults."""


def create(name: str) -> Backend:
    """A backend by name; :class:`InputError`, listing the names, where there is none so called."""
    if name not in BACKENDS:
        raise InputError(f"backend {name!r} is not known; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()
