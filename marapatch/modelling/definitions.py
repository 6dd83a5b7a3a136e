"""What the columns of a problem are: declared variables, or values of functions of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, assert_never, cast

import numpy as np

from marapatch.modelling.expressions import Expression, Space
from marapatch.network.exact import can_be_exact, exact_outputs, near
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch_encodings.l1_ball import L1Form

DOUBT = 1e-3
"""The share of a tolerance by which float64 may miss a network's outputs."""


@dataclass(frozen=True, eq=False)
class Declared:
    """A declared array: ``name``, ``shape``, bounds (size,) that may be infinite."""

    name: str
    shape: tuple[int, ...]
    lower: Array
    upper: Array


@dataclass(frozen=True, eq=False)
class ReluOf:
    """``max(x, 0)``, entry by entry."""

    inputs: Expression


@dataclass(frozen=True, eq=False)
class LeakyOf:
    """``x`` where positive, ``slope * x`` elsewhere."""

    inputs: Expression
    slope: float


@dataclass(frozen=True, eq=False)
class ClipOf:
    """``min(max(x, low), high)``."""

    inputs: Expression
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class AbsoluteOf:
    """``|x|``; ``native``: by the absolute-value constraint instead of a ReLU."""

    inputs: Expression
    native: bool


@dataclass(frozen=True, eq=False)
class MaximumOf:
    """The maximum along the last axis of ``inputs`` (entries, k); ``native``: by one constraint."""

    inputs: Expression
    native: bool


@dataclass(frozen=True, eq=False)
class NormOf:
    """One column: ``sum |x_i|``, in the form ``form``; the largest ``|x_i|`` where it is None."""

    inputs: Expression
    form: L1Form | None


@dataclass(frozen=True, eq=False)
class NetworkOf:
    """The outputs of ``network`` at ``inputs`` (inputs,)."""

    inputs: Expression
    network: Network


Definition = Declared | ReluOf | LeakyOf | ClipOf | AbsoluteOf | MaximumOf | NormOf | NetworkOf


class Defining(Space, Protocol):
    """A problem, as far as functions of expressions need it."""

    def define(self, definition: Definition, shape: tuple[int, ...]) -> Expression:
        """The columns of a definition as an expression of this shape."""
        ...


def define(x: Expression, definition: Definition, shape: tuple[int, ...]) -> Expression:
    """The columns of a definition as an expression of the problem of ``x``."""
    return cast(Defining, x.problem).define(definition, shape)


def size_of(definition: Definition) -> int:
    """How many columns a definition adds."""
    match definition:
        case Declared():
            return int(definition.lower.size)
        case MaximumOf():
            return definition.inputs.shape[0]
        case NormOf():
            return 1
        case NetworkOf():
            return definition.network.outputs
        case ReluOf() | LeakyOf() | ClipOf() | AbsoluteOf():
            return definition.inputs.size
        case _:
            assert_never(definition)


def label_of(definition: Definition) -> str:
    """How its columns are called in messages."""
    match definition:
        case Declared():
            return definition.name
        case ReluOf():
            return "relu(...)"
        case LeakyOf():
            return "leaky_relu(...)"
        case ClipOf():
            return "clip(...)"
        case AbsoluteOf():
            return "absolute(...)"
        case MaximumOf():
            return "maximum(...)"
        case NormOf():
            return "norm_inf(...)" if definition.form is None else "norm1(...)"
        case NetworkOf():
            return "network(...)"
        case _:
            assert_never(definition)


def evaluate(definition: Definition, columns: Array, tolerance: float = 0.0) -> Array:
    """The columns a definition adds, given all earlier ones (columns,); not for declared ones.

    A network is evaluated as such, on its own layers: in float64 where that may miss its outputs by
    no more than a share :data:`DOUBT` of ``tolerance``, else exactly. Where the network is too
    large for that and the doubt more than ``tolerance``, its outputs are NaN.
    """
    if isinstance(definition, Declared):
        raise ValueError(f"{definition.name} is declared, not computed")
    form = definition.inputs
    x: Array = form.matrix @ columns[: form.matrix.shape[1]] + form.constant
    match definition:
        case ReluOf():
            return np.maximum(x, 0.0)
        case LeakyOf():
            return np.where(x >= 0.0, x, definition.slope * x)
        case ClipOf():
            return np.clip(x, definition.low, definition.high)
        case AbsoluteOf():
            return np.abs(x)
        case MaximumOf():
            return np.asarray(x.reshape(form.shape).max(axis=1))
        case NormOf():
            size = np.abs(x)
            total = size.max(initial=0.0) if definition.form is None else size.sum()
            return np.full(1, float(total))
        case NetworkOf():
            return _outputs(definition.network, x, tolerance)
        case _:
            assert_never(definition)


def _outputs(network: Network, x: Array, tolerance: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        error = network.standard_form.evaluation_error(x)[1].max(initial=0.0)
    if not error <= DOUBT * tolerance and can_be_exact(network):
        return np.array([near(y) for y in exact_outputs(network, x)])
    if not error <= tolerance and tolerance > 0.0:
        return np.full(network.outputs, np.nan)
    return np.asarray(network.evaluate(x)[0])
