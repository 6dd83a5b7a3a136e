"""A network evaluated in exact rational arithmetic: what it says, without any rounding.

Every number of a file is dyadic, an integer times a power of two, so the value of a neuron at a
rational input is a rational number, and one common denominator a vector keeps all of them whole
numbers: no fraction is ever reduced but by powers of two. Cost: one product of Python integers a
coefficient, about 0.2 microseconds; the integers grow by the width of the exponents of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite, lcm
from typing import Any

import numpy as np
import scipy.sparse as sp

from marapatch.errors import UnsupportedOperatorError
from marapatch.network.graph import Network
from marapatch.network.layers import (
    Abs,
    Affine,
    Array,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    Matrix,
    Maximum,
    MaxPool,
    Relu,
    Sum,
)

Integers = Any
"""An object array of Python integers (numpy has no type for it)."""

MOST_COEFFICIENTS = 4_000_000
"""Coefficients of a network from which on nothing is evaluated exactly: about a second's work."""


@dataclass(frozen=True, eq=False)
class Rationals:
    """The vector ``numerators / denominator``, the denominator a positive integer."""

    numerators: Integers
    denominator: int

    @staticmethod
    def of(values: Array | Sequence[Fraction]) -> Rationals:
        """The exact values of float64 numbers, or fractions as they are."""
        fractions = [Fraction(v) if isinstance(v, Fraction) else Fraction(float(v)) for v in values]
        # For float64 numbers a power of two; fractions of a property may have any denominator.
        common = lcm(1, *(f.denominator for f in fractions))
        return Rationals(
            _integers([f.numerator * (common // f.denominator) for f in fractions]), common
        )

    def over(self, denominator: int) -> Integers:
        """The numerators over another denominator, a multiple of this one."""
        return self.numerators * (denominator // self.denominator)

    def fractions(self) -> tuple[Fraction, ...]:
        """The entries, one by one."""
        return tuple(Fraction(int(n), self.denominator) for n in self.numerators)

    def shortened(self) -> Rationals:
        """The same numbers, powers of two that all of them have in common left out."""
        # The lowest bit set in any of the numbers: 2^zeros divides all of them, negative ones too,
        # whose two's complement ends in as many zeros.
        bits = self.denominator
        for n in self.numerators:
            bits |= int(n)
        zeros = (bits & -bits).bit_length() - 1
        if not zeros:
            return self
        return Rationals(self.numerators >> zeros, self.denominator >> zeros)


def can_be_exact(network: Network) -> bool:
    """Whether the network is small enough for :func:`exact_outputs`."""
    layers = (network.layer(node) for node in network.order if node != network.input_node)
    counts = (
        layer.weight.nnz if sp.issparse(layer.weight) else layer.weight.size
        for layer in layers
        if isinstance(layer, Affine)
    )
    return int(sum(counts)) <= MOST_COEFFICIENTS


def exact_outputs(network: Network, x: Array | Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The outputs of ``network`` at ``x`` (inputs,), in real arithmetic and without rounding.

    ``x``: float64 numbers, each meaning exactly what it holds, or fractions.
    """
    values = {network.input_node: Rationals.of(x)}
    for node in network.order:
        if node != network.input_node:
            taken = [values[p] for p in network.predecessors(node)]
            # Without shortening, numbers would widen by a layer's exponents even where all are
            # even.
            values[node] = _applied(network.layer(node), taken).shortened()
    return values[network.output_node].fractions()


def near(value: Fraction) -> float:
    """A float64 number near ``value``, infinite where none is."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _integers(values: Sequence[int]) -> Integers:
    # Objects from the start: of small numbers numpy would make int64, and their sums wrap.
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _scaled(values: Array) -> tuple[Integers, int]:
    """Integers and a power of two p: ``values`` is ``integers / 2^p`` (flat)."""
    mantissa, exponent = np.frexp(values)
    # 0.5 <= |mantissa| < 1 with 53 bits, so this is a whole number below 2^53: nothing is lost.
    whole = (mantissa * 2.0**53).astype(np.int64)
    shift = exponent.astype(np.int64) - 53
    # Zeros are left out: their exponent says nothing, and could only widen the others.
    least = min(int(shift[whole != 0].min(initial=0)), 0)
    up = np.where(whole != 0, shift - least, 0)
    return _integers([w << u for w, u in zip(whole.tolist(), up.tolist(), strict=True)]), -least


def _affine(layer: Affine, x: Rationals) -> Rationals:
    # Behind a ReLU many entries are 0, and the time goes into products of Python integers.
    used = np.flatnonzero(x.numerators != 0)
    sums, power = _product(layer.weight, used, x.numerators[used])
    bias, bias_power = _scaled(layer.bias)
    most = max(power, bias_power)
    numerators = sums * (1 << (most - power)) + bias * (x.denominator << (most - bias_power))
    return Rationals(numerators, x.denominator << most)


def _product(matrix: Matrix, used: Any, numerators: Integers) -> tuple[Integers, int]:
    """``matrix[:, used] @ numerators`` times a power of two, and that power."""
    sums = _integers([0] * matrix.shape[0])
    part = sp.csr_array(matrix[:, used])  # an explicit 0 does no harm
    if part.nnz:
        entries, power = _scaled(part.data)
        products = entries * numerators[part.indices]
        # For an empty row reduceat would give the entry that comes next instead of 0.
        rows = np.flatnonzero(np.diff(part.indptr) > 0)
        sums[rows] = np.add.reduceat(products, part.indptr[:-1][rows])
        return sums, power
    return sums, 0


def _pointwise(x: Rationals, factor: float) -> Rationals:
    exact = Fraction(factor)
    return Rationals(x.numerators * exact.numerator, x.denominator * exact.denominator)


def _clip(x: Rationals, low: float, high: float) -> Rationals:
    ends = [Fraction(end) for end in (low, high) if isfinite(end)]
    common = lcm(x.denominator, *(end.denominator for end in ends))
    numerators = x.over(common)
    if isfinite(low):
        # A whole number: `common` is a multiple of the bound's own denominator.
        numerators = np.maximum(numerators, int(Fraction(low) * common))
    if isfinite(high):
        numerators = np.minimum(numerators, int(Fraction(high) * common))
    return Rationals(numerators, common)


def _applied(layer: Layer, taken: Sequence[Rationals]) -> Rationals:
    x = taken[0]
    match layer:
        case Affine():
            return _affine(layer, x)
        case Relu():
            return Rationals(np.maximum(x.numerators, 0), x.denominator)
        case LeakyRelu(slope=slope):
            below = _pointwise(x, slope)
            # Both branches over one denominator, a multiple of that of x, as the vector has only
            # one.
            above = x.over(below.denominator)
            return Rationals(np.where(x.numerators < 0, below.numerators, above), below.denominator)
        case Abs():
            return Rationals(np.abs(x.numerators), x.denominator)
        case Clip(low=low, high=high):
            return _clip(x, low, high)
        case MaxPool(groups=groups):
            return Rationals(x.numerators[groups].max(axis=1), x.denominator)
        case Maximum() | Concat() | Sum():
            pass
        case _:
            raise UnsupportedOperatorError(
                f"{type(layer).__name__} cannot be evaluated in exact arithmetic"
            )
    if isinstance(layer, Sum):
        taken = [_pointwise(part, c) for part, c in zip(taken, layer.coefficients, strict=True)]
    common = lcm(*(part.denominator for part in taken))
    parts = [part.over(common) for part in taken]
    if isinstance(layer, Concat):
        return Rationals(np.concatenate(parts), common)
    joined = sum(parts) if isinstance(layer, Sum) else np.maximum.reduce(parts)
    return Rationals(joined, common)
