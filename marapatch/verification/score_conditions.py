"""Exact rows over inputs and scores as a condition in float64 that a search can refute.

Whatever meets the rows meets the condition: each number is exact where it can be, and otherwise
rounded so that the condition asks for less. Inputs that rows speak of become outputs of the
network, by identity, so that every search takes them as it takes scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import isfinite, lcm

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.rationals import down, nearest
from marapatch.bounds.interval import interval_bounds
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.softmax_conditions import Group

LARGEST_WHOLE = 2**53
"""Integers up to this are exact in float64."""

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class FormulatedCondition:
    """``form``: the network, its outputs followed by the ``inputs`` that rows speak of. ``ball``:
    the box of inputs."""

    form: StandardForm
    ball: Ball
    inputs: tuple[int, ...]

    @staticmethod
    def of(form: StandardForm, ball: Ball, groups: Sequence[Group]) -> FormulatedCondition:
        """For groups whose rows may speak of inputs too."""
        inputs = tuple(sorted({i for group in groups for row in group for i in row.inputs}))
        extended = form if not inputs else _with_inputs(form, inputs)
        return FormulatedCondition(extended, ball, inputs)

    @cached_property
    def reach(self) -> Array:
        """For each output of ``form`` a bound on its size over the box."""
        low, high = interval_bounds(self.form, self.ball).output
        return np.maximum(np.abs(low), np.abs(high))

    def condition(self, groups: Sequence[Group]) -> OutputCondition:
        """The rows of ``groups``, all linear, one after the other, as a condition on the outputs of
        ``form`` that asks for less. Without rows: one that every output meets.
        """
        rows = [(row, len(group) == 1) for group in groups for row in group]
        if not rows:
            return OutputCondition(np.zeros((1, self.form.outputs)), np.full(1, -1.0))
        first = self.form.outputs - len(self.inputs)
        place = {i: first + k for k, i in enumerate(self.inputs)}
        pairs = [
            self._row(
                {**row.scores, **{place[i]: c for i, c in row.inputs.items()}}, row.rhs, alone
            )
            for row, alone in rows
        ]
        return OutputCondition(np.array([m for m, _ in pairs]), np.array([b for _, b in pairs]))

    def _row(
        self, coefficients: Mapping[int, Fraction], rhs: Fraction, scalable: bool
    ) -> tuple[Array, float]:
        """One row: its float64 coefficients, and its right-hand side rounded down.

        ``scalable``: whether a multiple of the row does as well.
        """
        factor = _whole_factor([*coefficients.values(), rhs]) if scalable else Fraction(1)
        row, lost = np.zeros(self.form.outputs), Fraction(0)
        for j, c in coefficients.items():
            row[j] = nearest(factor * c)
            error = abs(factor * c - Fraction(float(row[j])))
            if error:
                lost += error * Fraction(float(min(self.reach[j], LARGEST)))
                if self.reach[j] > LARGEST:  # nothing is known of the output: nothing is asked
                    return np.zeros(self.form.outputs), -1.0
        least = down(factor * rhs - lost)
        return (row, least) if isfinite(least) else (np.zeros(self.form.outputs), -1.0)


def _whole_factor(numbers: Sequence[Fraction]) -> Fraction:
    """A positive factor that makes all but the last of ``numbers`` (the right-hand side) exact in
    float64; 1 where there is none small."""
    *coefficients, rhs = numbers
    if all(Fraction(nearest(c)) == c for c in coefficients):
        return Fraction(1)
    common = lcm(*(c.denominator for c in coefficients))
    fits = max(abs(c * common) for c in coefficients) <= LARGEST_WHOLE
    return Fraction(common) if fits and abs(rhs * common) < LARGEST_WHOLE**2 else Fraction(1)


def _with_inputs(form: StandardForm, inputs: Sequence[int]) -> StandardForm:
    """``form`` with some of its inputs as further outputs."""
    output, count = form.output, len(inputs)
    at = np.arange(count), np.array(inputs)
    picked = sp.csr_array((np.ones(count), at), shape=(count, form.inputs))
    sources, weights, errors = (
        list(output.sources),
        list(output.weights),
        list(output.weight_errors),
    )
    if 0 not in sources:
        sources.insert(0, 0)
        weights.insert(0, sp.csr_array((output.outputs, form.inputs)))
        errors.insert(0, None)
    tall = []
    for source, matrix in zip(sources, weights, strict=True):
        more = picked if source == 0 else sp.csr_array((count, matrix.shape[1]))
        tall.append(sp.csr_array(sp.vstack([sp.csr_array(matrix), more])))
    tall_errors = [
        None
        if error is None
        else sp.csr_array(sp.vstack([sp.csr_array(error), sp.csr_array((count, error.shape[1]))]))
        for error in errors
    ]
    zero = np.zeros(count)
    extended = AffineMap(
        tuple(sources),
        tuple(tall),
        np.concatenate([output.bias, zero]),
        tuple(tall_errors),
        np.concatenate([output.bias_error, zero]),
    )
    return replace(form, output=extended)
