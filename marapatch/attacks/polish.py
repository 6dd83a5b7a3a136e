"""Polish a witness: the nearest point of its linear region, then of the regions next to it.

With the activation pattern fixed the network is affine, and the nearest point of the region that
meets the condition is a linear program. Facets of the region that hold the optimum back are
stepped over while that brings it nearer (DESIGN: 6.4). Everything found is replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from marapatch.ball import Norm
from marapatch.bounds.bounds import Bounds
from marapatch.bounds.linear import linear_bounds
from marapatch.linear_program import LinearProgram
from marapatch.network.layers import Array
from marapatch.question import Question
from marapatch.verdict import Witness

Pattern = tuple[NDArray[np.bool_], ...]

LOOSENING = (1e-6, 1e-5, 1e-4, 1e-3)
"""By how much more, relatively, than the least distance a witness may use to gain its margin."""

NEWTON_STEPS = 12
FACETS = 12
"""How many facets of a region are tried, the most costly first."""


@dataclass(frozen=True, eq=False)
class _Region:
    """The rows ``matrix @ d >= rhs`` under which an activation pattern and the condition hold.

    ``d``: the change of the input. ``neuron``: the (layer, index) of each row, (-1, i) for rows
    of the condition.
    """

    matrix: Array
    rhs: Array
    neuron: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class _Nearest:
    """The nearest point of a region: its distance, the change, and what each row costs."""

    distance: float
    change: Array
    price: Array


def polish(question: Question, witness: Witness, deadline: float) -> Witness:
    """The nearest witness reachable from ``witness`` over facets, at worst itself.

    ``deadline``: a :func:`time.monotonic` time after which no new linear program is started.
    """
    best = witness
    while monotonic() < deadline:
        bounds = linear_bounds(question.form, question.ball.at(min(best.distance, 1e12)))
        better = _descend(question, bounds, best, deadline)
        if better is None or better.distance >= best.distance * (1.0 - 1e-5):
            return best if better is None or better.distance >= best.distance else better
        best = better
    return best


def _descend(
    question: Question, bounds: Bounds, witness: Witness, deadline: float
) -> Witness | None:
    """Step from region to region while the least distance falls; the last replayed point."""
    x = witness.input.astype(np.float64).reshape(1, -1)
    pattern = tuple(z[0] > 0.0 for z in question.form.pre_activations(x)[0])
    best: Witness | None = None
    current = nearest_in_region(question, pattern, bounds, witness.distance)
    while current is not None:
        best = _confirm(question, pattern, bounds, current[1]) or best
        pattern_next = None
        for other in _neighbours(pattern, *current):
            if monotonic() >= deadline:
                return best
            found = nearest_in_region(question, other, bounds, current[1].distance)
            if found is not None and found[1].distance < current[1].distance * (1.0 - 1e-6):
                pattern_next, current = other, found
                break
        if pattern_next is None:
            break
        pattern = pattern_next
    return best


def _neighbours(pattern: Pattern, region: _Region, nearest: _Nearest) -> Iterator[Pattern]:
    """Patterns across the facets that cost most, then all of those at once."""
    order = np.argsort(-nearest.price)
    costly = [region.neuron[i] for i in order if nearest.price[i] > 1e-9]
    flips = [n for n in costly if n[0] >= 0][:FACETS]
    for flip in flips:
        yield _flip(pattern, [flip])
    if len(flips) > 1:
        yield _flip(pattern, flips)


def _flip(pattern: Pattern, neurons: Sequence[tuple[int, int]]) -> Pattern:
    copy = [layer.copy() for layer in pattern]
    for layer, index in neurons:
        copy[layer][index] = ~copy[layer][index]
    return tuple(copy)


def _confirm(
    question: Question, pattern: Pattern, bounds: Bounds, nearest: _Nearest
) -> Witness | None:
    """A replayed witness near the optimum of a region: a little farther, for a strict margin."""
    witness = question.replay(question.ball.centre + nearest.change)
    for loosening in LOOSENING:
        if witness is not None:
            return witness
        distance = nearest.distance * (1.0 + loosening)
        change = _deepest(question, _region(question, pattern, bounds), distance)
        witness = None if change is None else question.replay(question.ball.centre + change)
    return witness


def nearest_in_region(
    question: Question, pattern: Pattern, bounds: Bounds, limit: float
) -> tuple[_Region, _Nearest] | None:
    """The nearest point where ``pattern`` and the condition hold, if nearer than ``limit``."""
    region = _region(question, pattern, bounds)
    if question.ball.norm is Norm.L1:
        nearest = _nearest_l1(question, region)
    else:
        nearest = _nearest_linf(question, region, limit)
    if nearest is None or nearest.distance > limit:
        return None
    return region, nearest


def _region(question: Question, pattern: Pattern, bounds: Bounds) -> _Region:
    form, centre = question.form, question.ball.centre
    values = [(np.eye(form.inputs), centre)]
    rows, offsets, neurons = [], [], []
    for k, layer in enumerate((*form.hidden, form.output)):
        matrix = np.zeros((layer.outputs, form.inputs))
        constant = np.array(layer.bias)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            matrix += weight @ values[source][0]
            constant += weight @ values[source][1]
        if k == len(form.hidden):
            rows.append(question.condition.matrix @ matrix)
            offsets.append(question.condition.rhs - question.condition.matrix @ constant)
            neurons += [(-1, i) for i in range(question.condition.rhs.size)]
            break
        active = pattern[k]
        free = np.flatnonzero((bounds.lower[k] < 0.0) & (bounds.upper[k] > 0.0))
        sign = np.where(active[free], 1.0, -1.0)
        rows.append(matrix[free] * sign[:, None])
        offsets.append(-constant[free] * sign)
        neurons += [(k, int(i)) for i in free]
        values.append((matrix * active[:, None], constant * active))
    return _Region(np.concatenate(rows), np.concatenate(offsets), tuple(neurons))


def _scales(region: _Region) -> Array:
    return np.maximum(np.abs(region.matrix).sum(axis=1), 1e-12)


def _nearest_l1(question: Question, region: _Region) -> _Nearest | None:
    """One linear program over d = p - m, p, m >= 0: minimise their sum."""
    down, up = question.ball.at(np.inf).reach
    matrix = region.matrix / _scales(region)[:, None]
    rhs = region.rhs / _scales(region)
    size = up.size
    program = LinearProgram(
        np.hstack([matrix, -matrix]),
        (rhs, np.full(rhs.size, np.inf)),
        (np.zeros(2 * size), np.concatenate([up, down])),
        np.ones(2 * size),
    )
    solution = program.solve()
    if solution is None:
        return None
    change = solution.values[:size] - solution.values[size:]
    return _Nearest(float(np.abs(change).sum()), change, np.abs(solution.row_duals))


class _SlackProgram:
    """``max s : matrix d >= rhs + s * scale`` over the L-infinity ball of a radius, kept warm.

    ``s`` is concave in the radius, and >= 0 exactly where the region meets the ball.
    """

    def __init__(self, question: Question, region: _Region) -> None:
        self.room = question.ball.at(np.inf).reach
        scales = _scales(region)
        size = self.room[0].size
        self.cost = np.append(np.zeros(size), -1.0)
        self.program = LinearProgram(
            np.hstack([region.matrix / scales[:, None], -np.ones((scales.size, 1))]),
            (region.rhs / scales, np.full(scales.size, np.inf)),
            (np.append(-self.room[0], -1e6), np.append(self.room[1], 1e6)),
            self.cost,
        )

    def at(self, radius: float) -> tuple[float, float, Array, Array] | None:
        """(slack, its derivative by the radius, change, price of rows) at ``radius``."""
        down, up = np.minimum(self.room[0], radius), np.minimum(self.room[1], radius)
        self.program.bound(np.append(-down, -1e6), np.append(up, 1e6))
        solution = self.program.solve()
        if solution is None:
            return None
        reduced = solution.reduced_costs[:-1]
        moving = np.where(reduced < 0.0, self.room[1] > radius, self.room[0] > radius)
        slope = float(np.abs(reduced) @ moving)
        return -solution.objective, slope, solution.values[:-1], np.abs(solution.row_duals)


def _nearest_linf(question: Question, region: _Region, limit: float) -> _Nearest | None:
    """Newton on the concave slack: from any radius a tangent's root never passes the optimum."""
    program = _SlackProgram(question, region)
    radius = limit
    for _ in range(NEWTON_STEPS):
        result = program.at(radius)
        if result is None:
            return None
        slack, slope, change, price = result
        if slope <= 0.0:
            return _Nearest(radius, change, price) if slack >= 0.0 else None
        following = radius - slack / slope
        if following > limit * (1.0 + 1e-12):
            return None
        if abs(following - radius) <= 1e-9 * limit:
            return _Nearest(radius, change, price)
        radius = max(following, 0.0)
    return None


def _deepest(question: Question, region: _Region, distance: float) -> Array | None:
    """The point within ``distance`` that is farthest inside the region and the condition."""
    if question.ball.norm is Norm.LINF:
        result = _SlackProgram(question, region).at(distance)
        return None if result is None or result[0] <= 0.0 else result[2]
    down, up = question.ball.at(np.inf).reach
    scales = _scales(region)
    matrix = region.matrix / scales[:, None]
    size = up.size
    budget = np.append(np.ones(2 * size), 0.0)[None]
    rows = np.hstack([matrix, -matrix, -np.ones((scales.size, 1))])
    program = LinearProgram(
        np.vstack([rows, budget]),
        (np.append(region.rhs / scales, -np.inf), np.append(np.full(scales.size, np.inf), distance)),
        (np.append(np.zeros(2 * size), -1e6), np.concatenate([up, down, [1e6]])),
        np.append(np.zeros(2 * size), -1.0),
    )
    solution = program.solve()
    if solution is None or solution.objective >= 0.0:
        return None
    return np.asarray(solution.values[:size] - solution.values[size : 2 * size])
