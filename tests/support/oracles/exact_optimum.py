"""The nearest input that meets a condition, exactly: every phase pattern, then rational arithmetic.

Depth first over the phases of the neurons with a linear program at each prefix; the vertex of the
best pattern is then solved for in fractions and every constraint is checked on it without
rounding. So ``Optimum.point`` *is* an input of the ball that meets the condition, whatever the
linear programs did; that nothing is nearer rests on their tolerance of 1e-9 relative.
Shares the linear program solver with the library, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, islice, product

import numpy as np
from exact_values import Vector, dense, fractions

from marapatch.linear_programs.warm import LinearProgram
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm

Pattern = tuple[tuple[bool, ...], ...]


TIGHT = 1e-9
"""What of a row is left at the optimum of a linear program where it may be 0 in truth."""


MAX_CHOICES = 1000


@dataclass(frozen=True)
class Optimum:
    """``point`` meets the condition in real arithmetic and lies at ``distance``.

    ``exact`` is False where the vertex could not be verified: then ``distance`` is that of the
    linear program and ``point`` only near to feasible.
    """

    distance: Fraction
    point: tuple[Fraction, ...]
    exact: bool


def nearest(
    form: StandardForm, ball: Ball, condition: OutputCondition, within: float = np.inf
) -> Optimum | None:
    """The nearest input of ``ball``'s box that meets ``condition``; None where there is none.

    ``within``: a distance at which there is one, if known; only a hint that saves time.
    """
    search = _Search(form, ball, condition, 1.0, within * (1.0 + 1e-6))
    search.run()
    if search.best is None:
        return nearest(form, ball, condition) if within < np.inf else None
    if search.value > 0.0:  # again, with every tolerance relative to the optimum
        finer = _Search(form, ball, condition, search.value, search.value * (1.0 + 1e-6))
        finer.run()
        search = finer if finer.best is not None else search
    return _verified(search)


def extremes(form: StandardForm, ball: Ball) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The least and greatest value of every pre-activation and output over ``ball``, by layer.

    One pair of linear programs a neuron and feasible prefix of phases: right to about 1e-8.
    """
    search = _Extremes(form, ball, OutputCondition(np.zeros((0, form.outputs)), np.zeros(0)), 1.0)
    search.furthest = ball.radius
    search.least = [np.full(layer.outputs, np.inf) for layer in (*form.hidden, form.output)]
    search.most = [-least for least in search.least]
    search.run()
    return search.least, search.most


@dataclass
class _Search:
    """Variables: the change d of the input, and its norm t; both in units of ``scale``."""

    form: StandardForm
    ball: Ball
    condition: OutputCondition
    scale: float
    value: float = np.inf
    best: tuple[Pattern, np.ndarray] | None = None
    furthest: float = 1e30
    _norm_rows: np.ndarray = field(init=False)
    _span: float = field(init=False)

    def __post_init__(self) -> None:
        self._norm_rows = np.array(norm_rows(self.ball), dtype=float)
        room = np.maximum(self.ball.upper - self.ball.centre, self.ball.centre - self.ball.lower)
        self._span = float(np.minimum(room, min(self.value, 1e30)).sum() / self.scale)

    def run(self) -> None:
        identity = np.eye(self.form.inputs), np.array(self.ball.centre)
        self._layer(0, [identity], np.zeros((0, self.form.inputs)), np.zeros(0), ())

    def _layer(
        self,
        k: int,
        values: list[tuple[np.ndarray, np.ndarray]],
        rows: np.ndarray,
        constants: np.ndarray,
        pattern: Pattern,
    ) -> None:
        last = k == len(self.form.hidden)
        layer = self.form.output if last else self.form.hidden[k]
        matrix = np.zeros((layer.outputs, self.form.inputs))
        constant = np.array(layer.bias)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            matrix += dense(weight) @ values[source][0]
            constant += dense(weight) @ values[source][1]
        self._reached(k, rows, constants, matrix, constant)
        if last:
            C = self.condition.matrix
            program = self._program(rows, constants, C @ matrix, C @ constant - self.condition.rhs)
            found = self._solve(program, rows.shape[0], [True] * C.shape[0])
            if found is not None and self.condition.rhs.size:
                self.value, self.best = found[0], (pattern, found[1])
            return
        program = self._program(rows, constants, matrix, constant)
        for phases in self._phases(program, rows.shape[0], layer.outputs, []):
            active = np.array(phases)
            sign = np.where(active, 1.0, -1.0)
            self._layer(
                k + 1,
                [*values, (matrix * active[:, None], constant * active)],
                np.vstack([rows, matrix * sign[:, None]]),
                np.append(constants, constant * sign),
                (*pattern, phases),
            )

    def _reached(
        self,
        k: int,
        rows: np.ndarray,
        constants: np.ndarray,
        matrix: np.ndarray,
        constant: np.ndarray,
    ) -> None:
        """Layer ``k`` is ``matrix @ d + constant`` where ``rows @ d + constants >= 0``."""

    def _phases(
        self, program: LinearProgram, fixed: int, count: int, prefix: list[bool]
    ) -> Iterator[tuple[bool, ...]]:
        """Every feasible assignment of phases to one layer that may beat the best so far."""
        if self._solve(program, fixed, [*prefix, *[None] * (count - len(prefix))]) is None:
            return
        if len(prefix) == count:
            yield tuple(prefix)
            return
        for phase in (False, True):
            yield from self._phases(program, fixed, count, [*prefix, phase])

    def _program(
        self, rows: np.ndarray, constants: np.ndarray, new: np.ndarray, offset: np.ndarray
    ) -> LinearProgram:
        """Rows in the order: norm, decided phases, then ``new`` (switched on by :meth:`_solve`)."""
        both = np.vstack([rows, new]) * self.scale
        # A row whose constant decides it must not hide within the tolerance: scale it up too.
        offsets = np.append(constants, offset)
        size = np.maximum(np.abs(both).max(axis=1), np.abs(offsets) / self._span)
        size = np.where(size > 0.0, size, 1.0)
        both = both / size[:, None]
        sides = -offsets / size
        matrix = np.vstack([self._norm_rows, np.hstack([both, np.zeros((size.size, 1))])])
        low = np.append((self.ball.lower - self.ball.centre) / self.scale, 0.0)
        high = np.append((self.ball.upper - self.ball.centre) / self.scale, self.furthest)
        free = np.full(matrix.shape[0], np.inf)
        cost = np.append(np.zeros(self.form.inputs), 1.0)
        program = LinearProgram(matrix, (-free, free), (low, high), cost)
        program.sides = sides  # type: ignore[attr-defined]  # kept with its program
        return program

    def _solve(
        self, program: LinearProgram, fixed: int, phases: Sequence[bool | None]
    ) -> tuple[float, np.ndarray] | None:
        """The optimum under these phases if it is nearer than the best: (value, change)."""
        sides = program.sides  # type: ignore[attr-defined]
        low = np.concatenate([np.zeros(len(self._norm_rows)), sides])
        high = np.full(low.size, np.inf)
        for j, phase in enumerate(phases):
            i = len(self._norm_rows) + fixed + j
            if phase is None:
                low[i] = -np.inf
            elif not phase:
                low[i], high[i] = -np.inf, low[i]
        program.bound_rows(low, high)
        solution = program.solve()
        if solution is None or not solution.objective * self.scale < self.value:
            return None
        return solution.objective * self.scale, solution.values[:-1] * self.scale


class _Extremes(_Search):
    """The same walk over all prefixes within the ball, with other objectives."""

    least: list[np.ndarray]
    most: list[np.ndarray]

    def _reached(
        self,
        k: int,
        rows: np.ndarray,
        constants: np.ndarray,
        matrix: np.ndarray,
        constant: np.ndarray,
    ) -> None:
        size = np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1e-300)
        count = len(self._norm_rows)
        scaled = np.hstack([rows / size[:, None], np.zeros((size.size, 1))])
        low = np.concatenate([np.zeros(count), -constants / size])
        box = self.ball.lower - self.ball.centre, self.ball.upper - self.ball.centre
        bounds = np.append(box[0], 0.0), np.append(box[1], self.furthest)
        everything = np.vstack([self._norm_rows, scaled])
        for i in range(constant.size):
            for sign in (1.0, -1.0):
                cost = sign * np.append(matrix[i], 0.0)
                sides = (low, np.full(low.size, np.inf))
                solution = LinearProgram(everything, sides, bounds, cost).solve()
                if solution is None:
                    continue
                value = sign * solution.objective + constant[i]
                self.least[k][i] = min(self.least[k][i], value)
                self.most[k][i] = max(self.most[k][i], value)


def norm_rows(ball: Ball) -> list[list[int]]:
    """Rows over (d, t) that are all >= 0 exactly where ``t >= norm(d)``."""
    n = ball.centre.size
    if ball.norm is Norm.L1:
        return [[-s for s in signs] + [1] for signs in product((1, -1), repeat=n)]
    unit = np.eye(n, dtype=int).tolist()
    return [[s * v for v in row] + [1] for row in unit for s in (1, -1)]


def _constraints(search: _Search, pattern: Pattern) -> tuple[list[Vector], Vector]:
    """Every constraint of a pattern as ``row . (d, t) + constant >= 0``, without rounding."""
    form, ball = search.form, search.ball
    n = form.inputs
    centre = fractions(ball.centre)
    rows: list[Vector] = [[Fraction(v) for v in row] for row in norm_rows(ball)]
    constants = [Fraction(0)] * len(rows)
    values: list[list[Vector]] = [
        [[Fraction(int(i == j)) for j in range(n)] + [centre[i]] for i in range(n)]
    ]
    for i in range(n):
        unit = [Fraction(int(i == j)) for j in range(n)] + [Fraction(0)]
        rows += [unit, [-u for u in unit]]
        constants += [centre[i] - Fraction(ball.lower[i]), Fraction(ball.upper[i]) - centre[i]]
    for k, layer in enumerate((*form.hidden, form.output)):
        z = [[Fraction(0)] * n + [b] for b in fractions(layer.bias)]
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            for i, entries in enumerate(dense(weight).tolist()):
                for w, a in zip(entries, values[source], strict=True):
                    if w != 0.0:
                        z[i] = [v + Fraction(w) * u for v, u in zip(z[i], a, strict=True)]
        if k == len(form.hidden):
            for c, d in zip(search.condition.matrix.tolist(), search.condition.rhs, strict=True):
                total = [Fraction(0)] * n + [-Fraction(d)]
                for w, a in zip(c, z, strict=True):
                    total = [v + Fraction(w) * u for v, u in zip(total, a, strict=True)]
                rows.append([*total[:-1], Fraction(0)])
                constants.append(total[-1])
            break
        for a, active in zip(z, pattern[k], strict=True):
            sign = 1 if active else -1
            rows.append([sign * v for v in a[:-1]] + [Fraction(0)])
            constants.append(sign * a[-1])
        zero = [Fraction(0)] * (n + 1)
        values.append([a if active else zero for a, active in zip(z, pattern[k], strict=True)])
    return rows, constants


def _verified(search: _Search) -> Optimum:
    assert search.best is not None
    pattern, change = search.best
    rows, constants = _constraints(search, pattern)
    x = np.append(change, search.value)
    matrix = np.array([[float(v) for v in row] for row in rows])
    slack = matrix @ x + np.array([float(c) for c in constants])
    slack /= np.maximum(np.abs(matrix).max(axis=1) * max(search.value, 1e-300), 1e-300)
    order = [int(i) for i in np.argsort(np.abs(slack)) if matrix[i].any()]
    met = None
    for chosen in _choices(order, int((np.abs(slack[order]) <= TIGHT).sum()), x.size):
        vertex = _vertex([rows[i] for i in chosen], [constants[i] for i in chosen], x.size)
        nearer = vertex is not None and (met is None or vertex[-1] < met[-1])
        if nearer and all(
            sum(a * v for a, v in zip(row, vertex, strict=True)) + c >= 0
            for row, c in zip(rows, constants, strict=True)
        ):
            met = vertex
            if chosen is order:
                break
    if met is not None:
        centre = fractions(search.ball.centre)
        point = tuple(c + d for c, d in zip(centre, met[:-1], strict=True))
        return Optimum(met[-1], point, exact=True)
    return Optimum(
        Fraction(search.value), tuple(fractions(search.ball.centre + change)), exact=False
    )


def _choices(order: list[int], tight: int, size: int) -> Iterator[Sequence[int]]:
    """Rows that may meet in the optimum: the tightest, then any ``size`` of those that all but
    are: which of several come first is for the rounding of the linear program to say."""
    yield order
    yield from islice(combinations(order[:tight], size), MAX_CHOICES)


def _vertex(rows: list[Vector], constants: Vector, size: int) -> Vector | None:
    """The point where the first ``size`` independent ``rows`` are 0 (Gauss-Jordan)."""
    pivots: list[tuple[int, Vector]] = []
    for row, c in zip(rows, constants, strict=True):
        line = [*row, -c]
        for column, pivot in pivots:
            if line[column]:
                factor = line[column]
                line = [v - factor * p for v, p in zip(line, pivot, strict=True)]
        column = next((j for j in range(size) if line[j]), -1)
        if column < 0:
            continue
        line = [v / line[column] for v in line]
        pivots = [
            (at, [v - pivot[column] * p for v, p in zip(pivot, line, strict=True)])
            for at, pivot in pivots
        ]
        pivots.append((column, line))
        if len(pivots) == size:
            break
    if len(pivots) < size:
        return None
    solution = [Fraction(0)] * size
    for column, pivot in pivots:
        solution[column] = pivot[-1]
    return solution
