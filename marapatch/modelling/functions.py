"""Piecewise-linear functions of expressions, and the usual conditions on a network's outputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.modelling.conditions import AllOf, AnyOf, any_of
from marapatch.modelling.definitions import (
    AbsoluteOf,
    ClipOf,
    LeakyOf,
    MaximumOf,
    NormOf,
    ReluOf,
    define,
)
from marapatch.modelling.expressions import Comparison, Expression, Operand, joined, lift
from marapatch.problem.conditions import Rule, beats
from marapatch_encodings.l1_ball import L1_FORMS, L1Form


def _checked(x: object, what: str) -> Expression:
    if not isinstance(x, Expression):
        raise InputError(f"{what}: {type(x).__name__} is no expression of a problem")
    return x


def relu(x: Expression) -> Expression:
    """``max(x, 0)``, entry by entry."""
    return define(_checked(x, "relu"), ReluOf(x.ravel()), x.shape)


def leaky_relu(x: Expression, slope: float = 0.01) -> Expression:
    """``x`` where positive, ``slope * x`` elsewhere, entry by entry; any finite slope."""
    if not isfinite(slope):
        raise InputError(f"leaky_relu({_checked(x, 'leaky_relu').describe()}, {slope}): no slope")
    return define(_checked(x, "leaky_relu"), LeakyOf(x.ravel(), float(slope)), x.shape)


def clip(x: Expression, low: float, high: float) -> Expression:
    """``min(max(x, low), high)``, entry by entry."""
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise InputError(
            f"clip({_checked(x, 'clip').describe()}, {low}, {high}): needs finite low <= high"
        )
    return define(_checked(x, "clip"), ClipOf(x.ravel(), float(low), float(high)), x.shape)


def absolute(x: Expression, *, native: bool = False) -> Expression:
    """``|x|``, entry by entry. ``native``: by the solver's own constraint instead of a ReLU."""
    return define(_checked(x, "absolute"), AbsoluteOf(x.ravel(), native), x.shape)


def maximum(*xs: Operand, native: bool = False) -> Expression:
    """The entry-wise maximum of several arrays; of one array, its largest entry.

    ``native``: by the solver's own constraint instead of a tournament of ReLUs.
    """
    first = next((x for x in xs if isinstance(x, Expression)), None)
    if first is None:
        raise InputError("maximum: none of its arguments is an expression of a problem")
    if len(xs) == 1:
        if not first.size:
            raise InputError(f"maximum({first.describe()}): there is no entry")
        return define(first, MaximumOf(first.reshape(1, -1), native), ())
    parts = [lift(first.problem, x, f"maximum({first.describe()}, ...)") for x in xs]
    try:
        shape = np.broadcast_shapes(*(part.shape for part in parts))
    except ValueError as error:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise InputError(f"maximum({first.describe()}, ...): shapes {shapes} do not fit") from error
    rows = [(part + np.zeros(shape)).ravel() for part in parts]
    return define(first, MaximumOf(_side_by_side(rows), native), shape)


def minimum(*xs: Operand, native: bool = False) -> Expression:
    """The entry-wise minimum of several arrays; of one array, its least entry."""
    negated = [-x if isinstance(x, Expression) else -np.asarray(x, np.float64) for x in xs]
    return -maximum(*negated, native=native)


def insert(numbers: ArrayLike, key: Any, x: Expression) -> Expression:
    """A copy of the array ``numbers`` with ``x`` in the places ``numbers[key]``."""
    base = np.array(numbers, dtype=np.float64)
    places = np.arange(base.size).reshape(base.shape)[key]
    if np.shape(places) != _checked(x, "insert").shape:
        raise InputError(
            f"insert({x.describe()}): shape {x.shape}, the places have {np.shape(places)}"
        )
    at = np.asarray(places).reshape(-1)
    base.reshape(-1)[at] = 0.0
    shift = sp.csr_array((np.ones(at.size), (at, np.arange(at.size))), shape=(base.size, at.size))
    rows = sp.csr_array(shift @ x.matrix)
    moved = Expression(x.problem, rows, np.asarray(shift @ x.constant), base.shape)
    return moved + base


def concatenate(parts: Sequence[Operand]) -> Expression:
    """Expressions, arrays and numbers one after the other, each flattened: shape (entries,)."""
    first = next((part for part in parts if isinstance(part, Expression)), None)
    if first is None:
        raise InputError("concatenate: none of the parts is an expression of a problem")
    return joined([lift(first.problem, part, "concatenate([...])") for part in parts])


def norm1(x: Expression, *, form: L1Form = "split") -> Expression:
    """``sum |x_i|`` of all entries.

    ``form``: how the ball is written where the norm is only bounded from above or minimised
    (``split`` is linear); elsewhere absolute values are written out.
    """
    if form not in L1_FORMS:
        raise InputError(f"norm1: no form {form!r}; choose one of {', '.join(L1_FORMS)}")
    return define(_checked(x, "norm1"), NormOf(x.ravel(), form), ())


def norm_inf(x: Expression) -> Expression:
    """The largest ``|x_i|`` of all entries."""
    return define(_checked(x, "norm_inf"), NormOf(x.ravel(), None), ())


def decides(
    outputs: Expression, target: int, *, decision: str | Rule = Rule.ARGMAX, margin: float = 0.0
) -> Comparison:
    """Class ``target`` leads every other class by at least ``margin``."""
    condition = beats(target, _checked(outputs, "decides").size, Rule.of(decision), margin)
    return condition.matrix @ outputs.ravel() >= condition.rhs


def decides_one_of(
    outputs: Expression,
    targets: Collection[int],
    *,
    decision: str | Rule = Rule.ARGMAX,
    margin: float = 0.0,
    every: bool = False,
) -> AnyOf | AllOf:
    """Some class of ``targets`` (``every``: each of them) leads all classes outside ``targets``."""
    y = _checked(outputs, "decides_one_of").ravel()
    chosen = sorted(set(targets))
    rivals = [j for j in range(y.size) if j not in chosen]
    if not chosen or not rivals or not 0 <= chosen[0] <= chosen[-1] < y.size:
        raise InputError(
            f"decides_one_of({y.describe()}, {chosen}): some but not all of the {y.size} classes "
            "must be targets"
        )
    rule = Rule.of(decision)
    leads = [rule.sign * (y[t] - y[np.array(rivals)]) >= margin for t in chosen]
    return AllOf(tuple(leads)) if every else any_of(*leads)


def decides_other(
    outputs: Expression, label: int, *, decision: str | Rule = Rule.ARGMAX, margin: float = 0.0
) -> AnyOf:
    """Some other class leads class ``label`` by at least ``margin``."""
    y = _checked(outputs, "decides_other").ravel()
    if not 0 <= label < y.size or y.size < 2:
        raise InputError(f"decides_other: {label} is not one of {y.size} classes (two at least)")
    sign, rivals = Rule.of(decision).sign, (j for j in range(y.size) if j != label)
    return any_of(*(sign * (y[j] - y[label]) >= margin for j in rivals))


def _side_by_side(rows: list[Expression]) -> Expression:
    """Expressions (n,) as the columns of one of shape (n, k)."""
    return joined(rows).reshape(len(rows), -1).T
