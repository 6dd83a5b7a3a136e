"""What is known after a question was asked: a replayed witness, a proof, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Evidence(Enum):
    """How a lower bound is known; ordered by :meth:`weakest` (ARCHITECTURE: 5, rule 6)."""

    BOUND = "bound"
    """Our own outward-rounded bounds: rigorous without any solver."""
    SOLVER = "solver"
    """A solver (Marabou or HiGHS) answered, and is trusted."""
    FILE = "file"
    """An earlier result says so, which was handed on in a file and is taken at its word."""

    @staticmethod
    def weakest(*grades: Evidence) -> Evidence:
        """The weakest of several grades; BOUND where there is none."""
        order = list(Evidence)
        return max(grades, key=order.index, default=Evidence.BOUND)


class Replayed(Protocol):
    """A point that a question's ``replay`` accepted: all that a search knows of a witness.

    ``input``: in the coordinates of the question (an input, or the change of a patch). ``margin``
    and ``outputs``: as evaluated there, ``margin > 0``. Who asks gives it its meaning: a
    :class:`Witness`, or a point of its own type.
    """

    @property
    def input(self) -> NDArray[np.floating]: ...
    @property
    def distance(self) -> float: ...
    @property
    def margin(self) -> float: ...
    @property
    def outputs(self) -> NDArray[np.float64]: ...
    @property
    def confirmed(self) -> bool | None: ...


@dataclass(frozen=True, eq=False)
class Witness:
    """An input that was re-evaluated on the original network and does change the decision.

    ``input``: array of the network file's input type and shape, inside the box. ``distance``:
    its distance from the original, rounded up. ``margin``: by how much the target leads every
    rival on the real-valued network, evaluation error already subtracted (so it is > 0).
    ``outputs``: the network's float64 outputs. ``confirmed``: whether onnxruntime, run on the
    file as given, decides the same (None where there is no ONNX file).
    ``exact``: None, except for a property that leaves no room for a vector of the input type (an
    input fixed at 0.1): then the witness is this point, and ``input`` the vector nearest to it.
    Made by :class:`marapatch.problem.replay.Replay` and, for properties, by
    :class:`marapatch.verification.property_replay.PropertyReplay`, and nowhere else.
    """

    input: NDArray[np.floating]
    distance: float
    margin: float
    outputs: NDArray[np.float64]
    confirmed: bool | None
    exact: tuple[Fraction, ...] | None = None


def witness_of(found: Replayed) -> Witness:
    """The witness that ``found`` is, to a question about inputs; TypeError where it is none."""
    if not isinstance(found, Witness):
        raise TypeError(f"a {type(found).__name__} is no witness of an input")
    return found


@dataclass(frozen=True)
class Sat:
    """There is one, here it is, and it was replayed."""

    witness: Replayed


@dataclass(frozen=True)
class Unsat:
    """Proved: there is none nearer than ``radius``."""

    radius: float
    evidence: Evidence


@dataclass(frozen=True)
class Unknown:
    """Nothing is known, and nothing may be concluded; ``reason`` says why, for people."""

    reason: str


Verdict = Sat | Unsat | Unknown
