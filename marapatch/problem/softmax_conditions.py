"""Conditions on probabilities and their logarithms, as conditions on the scores before Softmax.

With scores y the file gives P_j = exp(y_j) / sum_k exp(y_k), or log P_j = y_j - LSE(y), where LSE
is the logarithm of the sum of exponentials, a convex function. A linear row over P

    sum_j a_j P_j >= b    is    sum_j c_j exp(y_j) >= 0    with c_j = a_j - b,

as the probabilities sum to 1. Let S be the classes with c_j > 0, N those with c_j < 0. The row is

    sum over s in S of exp(r_s) >= 1,    r_s = y_s - LSE over N of (y_j + log(|c_j| / c_s)):

a *group* of rows r_s >= 0, of which S = {s} is the convex case; where N is one class too, r_s is
linear. A row over log P is sum_j a_j y_j - A LSE(y) >= b with A = sum_j a_j: linear where A = 0,
convex where A > 0, and else a group of linear rows, sum_k exp(y_k + (a . y - b) / |A|) >= 1; of a
single class it is a row over P with b replaced by exp(b).

Whether a row *holds* at given scores is decided with certainty from the sign of a sum of
exponentials (:mod:`marapatch.arithmetic.exponentials`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import assert_never

import numpy as np

from marapatch.arithmetic.exponentials import (
    Interval,
    exp_bounds,
    least_sum,
    log_bounds,
    sign_of_sum,
)
from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.specification import LinearRow

_NONE: Mapping[int, Fraction] = MappingProxyType({})


MOST_SHARES = 2**20
"""Tangents are taken at shares that are multiples of one over this, so that they are exact."""

Shares = tuple[tuple[int, Fraction], ...]
"""Where a tangent touches: numbers by class that sum to 1."""


@dataclass(frozen=True, eq=False, slots=True)
class ScoreRow:
    """``inputs . x + scores . y - weight LSE_j(y_j + offsets_j) >= rhs`` over the scores y.

    LSE runs over the classes in ``offsets``; ``weight`` is at least 0, and 0 where there are none.
    ``rhs`` and the offsets are at most what they should be: the row may be a little weaker than
    meant, never stronger.
    """

    inputs: Mapping[int, Fraction]
    scores: Mapping[int, Fraction]
    rhs: Fraction
    weight: Fraction = Fraction(0)
    offsets: Mapping[int, Fraction] = field(default_factory=dict)

    def weakened(self, count: int) -> ScoreRow:
        """What one of ``count`` rows of a group meets at least: the largest of the exponentials
        that sum to 1 is 1 over their number or more."""
        # The upper end of the logarithm: a smaller right-hand side asks for less, and what is
        # refuted has to be implied.
        rhs = self.rhs - log_bounds(Fraction(count))[1]
        return ScoreRow(self.inputs, self.scores, rhs, self.weight, self.offsets)

    def tangent(self, shares: Mapping[int, Fraction]) -> ScoreRow:
        """A linear row that this one implies.

        ``shares``: positive numbers, of some classes of the LSE, that sum to 1; as the tangent at
        z has softmax(z). By Gibbs' inequality LSE(z) >= sum_j w_j z_j - sum_j w_j log(w_j).
        """
        scores = dict(self.scores)
        rhs = self.rhs
        for j, share in shares.items():
            scores[j] = scores.get(j, Fraction(0)) - self.weight * share
            # The upper end of log(share) as well: it makes rhs smaller, and the row weaker.
            rhs += self.weight * share * (self.offsets[j] - log_bounds(share)[1])
        return ScoreRow(self.inputs, {j: c for j, c in scores.items() if c}, rhs)


Group = tuple[ScoreRow, ...]
"""Rows r with ``sum exp(surplus of r) >= 1``, the surplus being left-hand side minus right-hand
side: of a single row, that it is met. Of no row: what is never met."""


def score_rows(row: LinearRow, transform: OutputTransform, classes: int) -> Group | None:
    """What ``row`` over the file's outputs implies for the scores: a group, or None for nothing.

    ``transform``: what the file does with the scores of its ``classes`` last. The group is
    equivalent to the row up to the rounding of logarithms. Raises InputError where the outputs are
    no function of scores that is known here, and where the row speaks of inputs as well.
    """
    if not row.outputs or transform is OutputTransform.NONE:
        return (ScoreRow(row.inputs, row.outputs, row.rhs),)
    if row.inputs:
        raise InputError(
            f"a comparison of inputs with {transform.value}'s outputs is not supported; "
            "compare either with numbers"
        )
    match transform:
        case OutputTransform.SOFTMAX:
            return _probabilities(row, classes)
        case OutputTransform.LOG_SOFTMAX:
            return _log_probabilities(row, classes)
        case OutputTransform.ARGMAX | OutputTransform.SEVERAL:
            raise InputError(
                f"the network ends in {transform.value}: conditions on its outputs cannot be "
                "written as conditions on scores; cut the network before it"
            )
        case _:
            assert_never(transform)


def holds(
    row: LinearRow,
    transform: OutputTransform,
    x: Sequence[Fraction],
    scores: Sequence[Interval],
) -> bool | None:
    """Whether ``row`` over the file's outputs holds at inputs ``x`` for all scores in an interval
    each; None where some say yes and some no, or nobody can tell.

    Where every interval is a point the answer is exact.
    """
    if not row.outputs:
        return row.holds(x, ())
    if transform is OutputTransform.NONE or (
        transform is OutputTransform.LOG_SOFTMAX and not sum(row.outputs.values())
    ):
        low, high = _linear(row.outputs, scores)
        constant = _inputs(row, x)
        return _judged(_sign(low + constant), _sign(high + constant), strict=row.strict)
    match transform:
        case OutputTransform.SOFTMAX:
            terms = [(row.outputs.get(j, Fraction(0)) - row.rhs, y) for j, y in enumerate(scores)]
            direction = 1
        case OutputTransform.LOG_SOFTMAX:
            # A (L - LSE(y)) >= 0 with L = (a . y - b) / A: the signs of exp(L) - sum exp(y) and A.
            total = sum(row.outputs.values(), Fraction(0))
            low, high = _linear(row.outputs, scores)
            # Divided by a total below 0 the ends change places.
            ends = sorted([(low - row.rhs) / total, (high - row.rhs) / total])
            terms = [(Fraction(1), (ends[0], ends[1])), *((Fraction(-1), y) for y in scores)]
            direction = 1 if total > 0 else -1
        case OutputTransform.ARGMAX | OutputTransform.SEVERAL:
            return None
        case _:
            assert_never(transform)
    coefficients = [direction * c for c, _ in terms]
    ranges = [y for _, y in terms]
    # Over points the sum may be 0, which decides rows that are not strict: `sign_of_sum` finds that
    # as well, `least_sum` only a sign that is not 0.
    if all(low == high for low, high in ranges):
        sign = sign_of_sum(coefficients, [low for low, _ in ranges])
    else:
        sign = least_sum(coefficients, ranges)
    return None if sign is None else _judged(sign, sign, strict=row.strict)


def estimate(row: LinearRow, transform: OutputTransform, scores: Array) -> float:
    """About the surplus of a row over the file's outputs at ``scores``; proves nothing."""
    outputs = scores
    if transform in (OutputTransform.SOFTMAX, OutputTransform.LOG_SOFTMAX):
        logarithms = scores - np.logaddexp.reduce(scores)
        softmax = transform is OutputTransform.SOFTMAX
        outputs = np.exp(logarithms) if softmax else logarithms
    return sum(float(c) * float(outputs[j]) for j, c in row.outputs.items()) - float(row.rhs)


def _inputs(row: LinearRow, x: Sequence[Fraction]) -> Fraction:
    """The part of the row's surplus that is not about outputs."""
    return sum((c * x[i] for i, c in row.inputs.items()), -row.rhs)


def _linear(coefficients: Mapping[int, Fraction], ranges: Sequence[Interval]) -> Interval:
    low = high = Fraction(0)
    for j, c in coefficients.items():
        # A negative coefficient swaps the ends.
        ends = c * ranges[j][0], c * ranges[j][1]
        low, high = low + min(ends), high + max(ends)
    return low, high


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _judged(low: int, high: int, *, strict: bool) -> bool | None:
    """Whether a surplus whose sign lies between two is enough."""
    least = 1 if strict else 0
    if low >= least:
        return True
    return False if high < least else None


def _probabilities(row: LinearRow, classes: int) -> Group | None:
    coefficients = {j: row.outputs.get(j, Fraction(0)) - row.rhs for j in range(classes)}
    more = {j: c for j, c in coefficients.items() if c > 0}
    less = {j: -c for j, c in coefficients.items() if c < 0}
    # No term is below 0, so the sum never is: always met, but for a strict row of zeros alone.
    if not less:
        return () if row.strict and not more else None
    rows = []
    for s, c in more.items():
        # The lower end: smaller offsets make LSE smaller, and y_s >= LSE asks for less.
        offsets = {j: log_bounds(size / c)[0] for j, size in less.items()}
        rows.append(_lead(s, offsets))
    return tuple(rows)


def _lead(s: int, offsets: Mapping[int, Fraction]) -> ScoreRow:
    """``y_s >= LSE_j(y_j + offsets_j)``."""
    if len(offsets) == 1:
        ((j, offset),) = offsets.items()
        return ScoreRow(_NONE, {s: Fraction(1), j: Fraction(-1)}, offset)
    return ScoreRow(_NONE, {s: Fraction(1)}, Fraction(0), Fraction(1), offsets)


def _log_probabilities(row: LinearRow, classes: int) -> Group | None:
    total = sum(row.outputs.values(), Fraction(0))
    if total == 0:
        return (ScoreRow(_NONE, row.outputs, row.rhs),)
    if len(row.outputs) == 1:
        ((t, a),) = row.outputs.items()
        return _log_probability(t, row.rhs / a, classes, at_least=a > 0, strict=row.strict)
    if total > 0:
        offsets = {j: Fraction(0) for j in range(classes)}
        return (ScoreRow(_NONE, row.outputs, row.rhs, total, offsets),)
    rows = []
    for k in range(classes):
        # Divided by |A| > 0, in rational numbers: no logarithm is taken, so nothing is rounded.
        scores = {j: a / -total for j, a in row.outputs.items()}
        scores[k] = scores.get(k, Fraction(0)) + 1
        rows.append(ScoreRow(_NONE, {j: c for j, c in scores.items() if c}, row.rhs / -total))
    return tuple(rows)


def _log_probability(
    t: int, limit: Fraction, classes: int, *, at_least: bool, strict: bool
) -> Group | None:
    """``log P_t >= limit``, or ``<=``."""
    if limit >= 0:  # log P_t is below 0, or equal to it where there is one class only
        attained = limit == 0 and classes == 1 and not strict
        return (() if not attained else None) if at_least else _at_most(limit, classes, strict)
    if classes == 1:
        return () if not at_least else None
    limit = max(limit, LEAST_LOG) if not at_least else limit
    if at_least:
        # exp(y_t) (1 - e) >= e sum of the others, e = exp(limit), so that log(e / (1 - e)) is low
        # where e is low; below LEAST_LOG the row says next to nothing, and less is said.
        e = exp_bounds(limit)[0] if limit > LEAST_LOG else Fraction(0)
        if e == 0:
            return None
        offset = log_bounds(e / (1 - e))[0]
        return (_lead(t, {j: offset for j in range(classes) if j != t}),)
    e = exp_bounds(limit)[1]
    if e >= 1:
        return None
    # sum of the others >= exp(y_t) (1 - e) / e: low where e is high.
    offset = log_bounds((1 - e) / e)[0]
    return tuple(_lead(s, {t: offset}) for s in range(classes) if s != t)


LEAST_LOG = Fraction(-1000)
"""Logarithms of probabilities below this are treated as this one, which says less."""


def _at_most(limit: Fraction, classes: int, strict: bool) -> Group | None:
    """``log P_t <= limit`` with ``limit`` at least 0: always, but for a single class's equality."""
    return () if strict and limit == 0 and classes == 1 else None


def tangent_at(row: ScoreRow, scores: Array) -> Shares:
    """The shares of the tangent of ``row`` at ``scores``, rounded so that they sum to 1."""
    classes = sorted(row.offsets)
    values = np.array([scores[j] + float(row.offsets[j]) for j in classes])
    sizes = np.exp(values - values.max())
    # Whole counts, and what floor leaves over to the largest: as fractions they sum to 1 exactly,
    # which Gibbs' inequality asks for, whatever float64 made of the exponentials.
    counts = np.floor(sizes / sizes.sum() * MOST_SHARES).astype(int)
    counts[int(np.argmax(counts))] += MOST_SHARES - counts.sum()
    return tuple(
        (j, Fraction(int(n), MOST_SHARES)) for j, n in zip(classes, counts, strict=True) if n
    )
