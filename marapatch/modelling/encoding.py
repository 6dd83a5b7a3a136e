"""Functions of expressions as constraints: stable parts substituted away, convex ones linear.

Each function appends the columns of one definition to :class:`~marapatch.modelling.forms.Forms`.
``used``: the :class:`~marapatch.modelling.polarity.Polarity` of each of these columns.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.modelling.definitions import (
    AbsoluteOf,
    ClipOf,
    LeakyOf,
    MaximumOf,
    NormOf,
    ReluOf,
)
from marapatch.modelling.forms import Forms
from marapatch.modelling.matrices import widened
from marapatch.modelling.polarity import Flags, Polarity
from marapatch.network.layers import Array, Matrix
from marapatch_encodings import (
    absolute,
    absolute_native,
    clip,
    l1_radius,
    leaky,
    linf_radius,
    maximum,
    maximum_native,
    relu,
)
from marapatch_encodings.terms import Variable, dense_row

Entrywise = ReluOf | LeakyOf | ClipOf | AbsoluteOf


def add_entrywise(forms: Forms, definition: Entrywise, used: Flags, *, substitute: bool) -> None:
    """Stable entries become forms (where ``substitute``), the others variables of encodings."""
    matrix, constant = forms.of(definition.inputs)
    low, high = forms.range(matrix, constant)
    slopes, offsets = np.zeros(constant.size), np.zeros(constant.size)
    open_entries = np.zeros(constant.size, dtype=bool)
    for i in np.flatnonzero(used):
        piece = _only_piece(definition, float(low[i]), float(high[i])) if substitute else None
        if piece is None:
            open_entries[i] = True
        else:
            slopes[i], offsets[i] = piece
    chosen = np.flatnonzero(open_entries)
    named = forms.name_it(matrix[chosen], constant[chosen], "z")
    values = [
        _entry(forms, definition, z, Polarity(int(used[i])))
        for z, i in zip(named, chosen, strict=True)
    ]
    scale = sp.dia_array((slopes[None], [0]), shape=(slopes.size, slopes.size))
    width = len(forms.pool)
    fixed = widened(sp.csr_array(scale @ matrix), width)
    at = (chosen, np.array([int(v) for v in values], np.int64))
    free = sp.csr_array((np.ones(chosen.size), at), shape=(slopes.size, width))
    forms.append(sp.csr_array(fixed + free), slopes * constant + offsets)


def _entry(forms: Forms, definition: Entrywise, z: Variable, used: Polarity) -> Variable:
    pool = forms.pool
    if used is Polarity.CONVEX and isinstance(definition, ReluOf | AbsoluteOf):
        low, high = pool.bounds(z)
        is_relu = isinstance(definition, ReluOf)
        t = pool.fresh("above", 0.0, max(high, 0.0 if is_relu else -low))
        forms.constraints.append(dense_row([t, z], [1.0, -1.0], ">=", 0.0))
        if not is_relu:
            forms.constraints.append(dense_row([t, z], [1.0, 1.0], ">=", 0.0))
        return t
    match definition:
        case ReluOf():
            encoding = relu(pool, z)
        case LeakyOf(slope=slope):
            encoding = leaky(pool, z, slope)
        case ClipOf(low=least, high=most):
            encoding = clip(pool, z, least, most)
        case AbsoluteOf(native=native):
            encoding = (absolute_native if native else absolute)(pool, z)
        case _:
            assert_never(definition)
    forms.add(encoding)
    return encoding.variable


def add_maximum(forms: Forms, definition: MaximumOf, used: Flags) -> None:
    """A variable for the maximum of each row that is used."""
    matrix, constant = forms.of(definition.inputs)
    count, width = definition.inputs.shape
    pool, values = forms.pool, list[Variable | None]()
    for i in range(count):
        polarity = Polarity(int(used[i]))
        if polarity is Polarity.UNUSED:
            values.append(None)
            continue
        span = slice(i * width, (i + 1) * width)
        zs = forms.name_it(matrix[span], constant[span], "z")
        if polarity is Polarity.CONVEX:
            ends = [pool.bounds(z) for z in zs]
            t = pool.fresh("above", max(a for a, _ in ends), max(b for _, b in ends))
            forms.constraints += [dense_row([t, z], [1.0, -1.0], ">=", 0.0) for z in zs]
            values.append(t)
        else:
            encode = maximum_native if definition.native else maximum
            values.append(forms.add(encode(pool, zs)))
    forms.append_variables(values)


def add_norm(forms: Forms, definition: NormOf, used: Flags) -> None:
    """One variable for the norm; linear where it is only bounded from above or minimised."""
    polarity = Polarity(int(used[0]))
    forms.append_variables(
        [None if polarity is Polarity.UNUSED else _norm(forms, definition, polarity)]
    )


def _norm(forms: Forms, definition: NormOf, used: Polarity) -> Variable:
    pool, form = forms.pool, definition.form
    matrix, constant = forms.of(definition.inputs)
    chosen = _that_count(matrix, constant, largest=form is None)
    zs = forms.name_it(sp.csr_array(matrix[chosen]), constant[chosen], "d")
    if used is Polarity.CONVEX:
        encoding = linf_radius(pool, zs) if form is None else l1_radius(pool, zs, form)
        forms.add(encoding)
        return encoding.variable
    sizes = [(absolute_native if form == "abs" else absolute)(pool, z) for z in zs]
    parts = [size.variable for size in sizes]
    for size in sizes:
        forms.add(size)
    if form is None:
        encoding = maximum(pool, parts)
        forms.add(encoding)
        return encoding.variable
    at = (np.zeros(len(parts), np.int64), np.array(parts, np.int64))
    total = sp.csr_array((np.ones(len(parts)), at), shape=(1, len(pool)))
    return forms.name_it(total, np.zeros(1), "norm1")[0]


def _that_count(matrix: Matrix, constant: Array, *, largest: bool) -> NDArray[np.int64]:
    """The entries that a norm depends on: not the zeros, which images have many of.

    ``largest``: of other numbers the largest is enough. One entry at least.
    """
    numbers = np.diff(matrix.indptr) == 0
    counts = ~numbers | (constant != 0.0)
    if largest and constant[numbers].any():
        counts = ~numbers
        counts[np.argmax(np.where(numbers, np.abs(constant), -1.0))] = True
    chosen = np.flatnonzero(counts)
    return chosen if chosen.size else np.arange(min(constant.size, 1))


def _only_piece(definition: Entrywise, low: float, high: float) -> tuple[float, float] | None:
    """(slope, offset) of the one linear piece on ``[low, high]``; None where there are several."""
    match definition:
        case ReluOf():
            return (1.0, 0.0) if low >= 0.0 else (0.0, 0.0) if high <= 0.0 else None
        case LeakyOf(slope=slope):
            return (1.0, 0.0) if low >= 0.0 else (slope, 0.0) if high <= 0.0 else None
        case AbsoluteOf():
            return (1.0, 0.0) if low >= 0.0 else (-1.0, 0.0) if high <= 0.0 else None
        case ClipOf(low=least, high=most):
            if low >= most or high <= least:
                return 0.0, most if low >= most else least
            return (1.0, 0.0) if least <= low and high <= most else None
        case _:
            assert_never(definition)
