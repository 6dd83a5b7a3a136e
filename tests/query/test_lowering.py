"""A lowered query loses no input: every one that meets the condition extends to an assignment."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import exact_optimum as exact
import exact_values
import numpy as np
import pytest
from small_networks import KINDS, branching_network, cancelling_balls, small_case

from marapatch.bounds.bounds import Bounds
from marapatch.bounds.crown import linear_bounds
from marapatch.bounds.interval import interval_bounds
from marapatch.errors import ScopeError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm
from marapatch.query.lowering import RELAXATION, Lowered, lower
from marapatch.query.query import Query
from marapatch.solvers import EnumerationBackend, HighsBackend
from marapatch.solvers.base import Backend, Candidate, Infeasible
from marapatch_encodings import Abs, Relu, Row, worst_violation
from marapatch_encodings.intervals import round_down
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

NARROWEST = 1e-4
"""No variable may have a range between 0 and this."""


NORM_FORMS: list[tuple[Norm, L1Form]] = [(Norm.LINF, "split"), *((Norm.L1, f) for f in L1_FORMS)]


def met_at(form: StandardForm, x: exact.Vector) -> OutputCondition:
    """A condition that ``x`` meets as tightly as float64 can say."""
    outputs = exact_values.evaluate(form, x)[1]
    matrix = np.eye(form.outputs) - np.roll(np.eye(form.outputs), 1, axis=1)
    slacks = [
        sum(Fraction(w) * y for w, y in zip(row, outputs, strict=True)) for row in matrix.tolist()
    ]
    return OutputCondition(matrix[:-1], np.array([round_down(s) for s in slacks[:-1]]))


def extension(lowered: Lowered, form: StandardForm, bounds: Bounds, x: exact.Vector) -> np.ndarray:
    """The assignment that ``x`` stands for, from the meaning of the variables.

    Columns of the input are recognised by what decoding does to them; b is the pre-activation
    over the larger of its bounds; the rest follows from the piecewise-linear constraints.
    """
    query = lowered.query
    size = len(query.names)
    at_zero = lowered.decode(np.zeros(size))
    hidden = exact_values.evaluate(form, x)[0]
    values = np.zeros(size)
    for v, name in enumerate(query.names):
        kind = name.split("[")[0]
        if kind in ("u", "p", "m"):
            effect = lowered.decode(np.eye(size)[v]) - at_zero
            j = int(np.argmax(np.abs(effect)))
            share = float((x[j] - Fraction(bounds.ball.centre[j])) / Fraction(bounds.ball.radius))
            if kind == "u":  # a direction with next to no room is an error interval instead
                share = max(share, 0.0) if query.lower[v] == 0.0 else share
                share = min(share, 0.0) if query.upper[v] == 0.0 else share
            values[v] = {"u": share, "p": max(share, 0.0), "m": max(-share, 0.0)}[kind]
        elif kind.startswith("z"):
            k, j = int(kind[1:]) - 1, int(name[len(kind) + 1 : -1])
            reach = max(-bounds.lower[k][j], bounds.upper[k][j])
            values[v] = float(hidden[k][j] / Fraction(reach))
    settled = {int(r.variables[-1]): r for r in query.rows if r.sense == "="}
    for constraint in query.piecewise:
        match constraint:
            case Relu(input=a, output=b):
                if a in settled:  # its value up to an error that the query carries on
                    r = settled[a]
                    assert r.coefficients[-1] == 1.0
                    implied = r.rhs - r.coefficients[:-1] @ values[r.variables[:-1]]
                    assert abs(implied - values[a]) <= 1e-8
                    values[a] = implied
                values[b] = max(values[a], 0.0)
            case Abs(input=a, output=b):
                values[b] = abs(values[a])
    return values


def violation(query: Query, values: np.ndarray) -> float:
    """By how much ``values`` fails a constraint or a bound of ``query``."""
    outside = np.maximum(query.lower - values, values - query.upper).max(initial=0.0)
    return max(worst_violation(query.constraints, values), float(outside))


def check(form: StandardForm, ball: Ball, rng: np.random.Generator, l1: L1Form, count: int) -> None:
    root = linear_bounds(form, ball) if rng.random() < 0.7 else interval_bounds(form, ball)
    for x in exact_values.points(ball, rng, count):
        bounds, phases = (root, None) if rng.random() < 0.5 else prescribed(form, root, x, rng)
        lowered = lower(form, bounds, ball, met_at(form, x), l1, phases, relaxation=0.0)
        values = extension(lowered, form, bounds, x)
        assert violation(lowered.query, values) <= 1e-9
        decoded = lowered.decode(values)
        for v, c, d in zip(x, ball.centre.tolist(), decoded.tolist(), strict=True):
            assert abs(v - Fraction(d)) <= Fraction(2e-3 * ball.radius + 1e-15 * abs(c))
        width = lowered.query.upper - lowered.query.lower
        assert not ((width > 0.0) & (width < NARROWEST)).any()
        assert lowered.relus == sum(name.startswith("z") for name in lowered.query.names)


def prescribed(
    form: StandardForm, bounds: Bounds, x: exact.Vector, rng: np.random.Generator
) -> tuple[Bounds, list[np.ndarray]]:
    """Half of the phases of ``x``, and the bounds that rely on them."""
    lower_parts, upper_parts, phases = [], [], []
    for low, high, z in zip(
        bounds.lower, bounds.upper, exact_values.evaluate(form, x)[0], strict=True
    ):
        phase = np.where([v >= 0 for v in z], 1, -1) * (rng.random(low.size) < 0.5)
        lower_parts.append(np.where(phase > 0, np.maximum(low, 0.0), low))
        upper_parts.append(np.where(phase < 0, np.minimum(high, 0.0), high))
        phases.append(phase.astype(np.int8))
    split = Bounds(bounds.ball, tuple(lower_parts), tuple(upper_parts), bounds.output)
    return split, phases


@pytest.mark.parametrize(("norm", "l1"), NORM_FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_input_that_meets_the_condition_is_a_solution(
    kind: str, norm: Norm, l1: L1Form
) -> None:
    rng = np.random.default_rng(0)
    for seed in range(6):
        case = small_case(seed, (kind,))
        ball = Ball(case.ball.centre, case.ball.lower, case.ball.upper, norm, 0.0)
        whole = ball.covering_radius
        for radius in (1e-6 * whole, 0.1 * whole, whole, 2.0 * whole):
            check(case.network.standard_form, ball.with_radius(radius), rng, l1, 2)


@pytest.mark.parametrize(("norm", "l1"), NORM_FORMS)
def test_nothing_is_lost_in_branching_networks(norm: Norm, l1: L1Form) -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        form = branching_network(rng).standard_form
        centre = rng.normal(size=3)
        radius = 10.0 ** rng.uniform(-3, 0)
        check(form, Ball(centre, centre - 0.3, centre + 0.2, norm, radius), rng, l1, 3)


@pytest.mark.parametrize("norm", PROVED)
def test_nothing_is_lost_to_rounding_where_everything_cancels(norm: Norm) -> None:
    for form, ball, rng in cancelling_balls(norm):
        check(form, ball, rng, "split", 3)


@pytest.mark.parametrize(("norm", "l1"), NORM_FORMS)
def test_narrow_entries_and_neurons_become_no_narrow_variables(norm: Norm, l1: L1Form) -> None:
    """Centres at every distance from the edges of the box, radii of every size."""
    rng = np.random.default_rng(2)
    for seed in range(25):
        case = small_case(seed)
        form, n = case.network.standard_form, case.network.inputs
        lower_edge = np.zeros(n)
        centre = np.where(rng.random(n) < 0.5, 10.0 ** rng.uniform(-12, -1, n), 0.5)
        upper_edge = np.where(
            rng.random(n) < 0.5, centre * (1.0 + 10.0 ** rng.uniform(-9, 0, n)), 1
        )
        radius = 10.0 ** rng.uniform(-6, 0)
        check(form, Ball(centre, lower_edge, upper_edge, norm, radius), rng, l1, 2)


@pytest.mark.parametrize("norm", PROVED)
def test_a_ball_of_one_point_and_a_ball_without_room(norm: Norm) -> None:
    case = small_case(4, ("plain",))
    form, centre = case.network.standard_form, case.ball.centre
    for ball in (case.ball.with_radius(0.0), Ball(centre, centre, centre, norm, 0.5)):
        for l1 in L1_FORMS:
            x = exact_values.fractions(centre)
            bounds = linear_bounds(form, ball)
            met = lower(form, bounds, ball, met_at(form, x), l1)
            assert not met.query.names
            assert violation(met.query, np.zeros(0)) == 0.0
            np.testing.assert_array_equal(met.decode(np.zeros(0)), centre)
            missed = lower(form, bounds, ball, beyond(met_at(form, x)), l1)
            assert violation(missed.query, np.zeros(0)) > 0.0


def beyond(condition: OutputCondition) -> OutputCondition:
    return OutputCondition(condition.matrix, condition.rhs + 1e-3)


def test_a_box_without_end() -> None:
    rng = np.random.default_rng(5)
    form = small_case(1, ("plain",)).network.standard_form
    centre = rng.normal(size=form.inputs)
    for norm, l1 in NORM_FORMS:
        ball = Ball(centre, centre - inf, centre + inf, norm, 0.3)
        wide = Ball(centre, centre - 9.0, centre + 9.0, norm, 0.3)
        bounds = linear_bounds(form, ball)
        for x in exact_values.points(wide, rng, 4):
            lowered = lower(form, bounds, ball, met_at(form, x), l1)
            assert violation(lowered.query, extension(lowered, form, bounds, x)) <= 1e-9


def test_the_relaxation_gives_away_what_it_says_and_no_more() -> None:
    case = small_case(3, ("plain",))
    form, ball = case.network.standard_form, case.ball.with_radius(0.5 * case.ball.covering_radius)
    bounds = linear_bounds(form, ball)
    found = []
    for rho in (0.0, 1e-3):
        query = lower(form, bounds, ball, case.condition, relaxation=rho).query
        count = case.condition.rhs.size
        last = [row for row in query.constraints[-count:] if isinstance(row, Row)]
        assert len(last) == count
        assert all(row.sense == ">=" for row in last)
        assert all(np.abs(row.coefficients).max() == 1.0 for row in last)
        found.append((query.constraints[:-count], np.array([row.rhs for row in last])))
    assert found[0][0] == found[1][0]
    assert found[0][1] - found[1][1] == pytest.approx(1e-3, abs=1e-12)


def test_bounds_out_of_scope_are_refused() -> None:
    case = small_case(2, ("plain",))
    form = case.network.standard_form
    bounds = linear_bounds(form, case.ball.with_radius(0.1))
    with pytest.raises(ScopeError):
        lower(form, bounds, case.ball.with_radius(0.2), case.condition)


BACKENDS: dict[str, Backend] = {"highs": HighsBackend(), "enumeration": EnumerationBackend()}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("seed", range(14))
def test_verdicts_agree_with_the_exact_optimum(seed: int, backend: Backend) -> None:
    """Beyond the optimum a solution, before it none: with room for rho and for the error
    intervals that stand for narrow entries."""
    case = small_case(seed, ("plain", "corner"))
    form = case.network.standard_form
    optimum = exact.nearest(form, case.ball, case.condition, case.witnessed)
    distance = inf if optimum is None else float(optimum.distance)
    for share in (0.5, 0.98, 1.0 + 1e-6, 1.02, 2.0):
        radius = min(share * distance, case.ball.covering_radius)
        ball = case.ball.with_radius(radius)
        bounds = linear_bounds(form, ball)
        for l1 in L1_FORMS if ball.norm is Norm.L1 else ("split",):
            lowered = lower(form, bounds, ball, case.condition, l1)
            answer = backend.solve(lowered.query, 600.0)
            if radius >= distance:
                assert isinstance(answer, Candidate)
                assert violation(lowered.query, answer.assignment) <= 1e-7
                found = lowered.decode(answer.assignment)
                assert case.ball.norm.between(found, ball.centre) <= radius * (1.0 + 1e-2)
            elif not relaxed_optimum_within(case.condition, form, ball):
                assert isinstance(answer, Infeasible)


def relaxed_optimum_within(condition: OutputCondition, form: StandardForm, ball: Ball) -> bool:
    """Whether giving away what the query gives away, ten times over, brings a solution near."""
    bounds = interval_bounds(form, ball)
    spread = float((bounds.output[1] - bounds.output[0]).max())
    easier = OutputCondition(condition.matrix, condition.rhs - (1e-2 + 10 * RELAXATION) * spread)
    optimum = exact.nearest(form, ball.with_radius(ball.covering_radius), easier)
    return optimum is not None and float(optimum.distance) <= ball.radius
