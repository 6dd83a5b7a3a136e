"""Replay is where witnesses are made: nothing passes that does not hold in real arithmetic."""

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction
from math import inf, nan
from pathlib import Path

import exact_values
import numpy as np
import pytest
from exact_networks import evaluate_exactly
from small_networks import KINDS, branching_network, cancelling_balls, small_case

from marapatch.network.graph import Network, dense_network
from marapatch.network.load import load
from marapatch.network.onnx.writer import write_onnx
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.replay import Replay, decided_class, round_into_box, tie_note
from marapatch.problem.verdict import Witness

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def single(network: Network) -> Network:
    """The same network, its input in single precision."""
    return replace(network, input_dtype=FLOAT32)


def slack_of(witness: Witness, network: Network, condition: OutputCondition) -> Fraction:
    """The least slack of the condition at a witness, without rounding."""
    x = exact_values.fractions(witness.input.reshape(-1).astype(np.float64))
    outputs = evaluate_exactly(network, x)
    rows = zip(condition.matrix.tolist(), condition.rhs.tolist(), strict=True)
    return min(
        sum(Fraction(w) * y for w, y in zip(row, outputs, strict=True)) - Fraction(rhs)
        for row, rhs in rows
    )


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_rounding_stays_in_the_box_and_next_to_the_claim(dtype: np.dtype[np.floating]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        n = int(rng.integers(1, 6))
        centre = rng.random(n).astype(dtype).astype(np.float64)
        lower = centre - rng.random(n) * 10.0 ** rng.integers(-6, 1, n)
        upper = centre + rng.random(n) * 10.0 ** rng.integers(-6, 1, n)
        fixed = rng.random(n) < 0.3
        lower[fixed] = upper[fixed] = centre[fixed]
        ball = Ball(centre, lower, upper, Norm.LINF, inf)
        claimed = np.where(rng.random(n) < 0.5, rng.uniform(lower - 1e-3, upper + 1e-3), upper)
        vector = round_into_box(claimed, ball, dtype)
        assert vector is not None
        assert vector.dtype == dtype
        found = vector.astype(np.float64)
        assert ((found >= lower) & (found <= upper)).all()
        np.testing.assert_array_equal(found[fixed], centre[fixed])
        spacing = np.spacing(np.abs(vector)).astype(np.float64)
        assert (np.abs(found - np.clip(claimed, lower, upper))[~fixed] <= spacing[~fixed]).all()


def test_an_edge_that_single_precision_would_step_over() -> None:
    """0.1 is 0.10000000149 in float32, outside of a box that ends at 0.1."""
    ball = Ball(np.zeros(1), np.full(1, -0.1), np.full(1, 0.1), Norm.LINF, inf)
    for claim in (0.1, 5.0, -0.1, -5.0):
        vector = round_into_box(np.full(1, claim), ball, FLOAT32)
        assert vector is not None
        assert 0.0999999 < abs(float(vector[0])) <= 0.1


def test_an_entry_between_two_numbers_of_the_type_has_no_input() -> None:
    centre = np.array([0.1 + 2.0**-40])
    ball = Ball(centre, centre - 2.0**-45, centre + 2.0**-45, Norm.LINF, inf)
    assert round_into_box(centre, ball, FLOAT32) is None
    assert round_into_box(centre, ball, FLOAT64) is not None


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.9])
def test_an_entry_is_never_moved_across_the_box_into_its_other_side(share: float) -> None:
    """The nearest number of the type is on the one side of the box, the next on the other."""
    unit = 2.0**-23
    centre = np.array([1.0 + share * unit])
    ball = Ball(centre, centre - 0.05 * unit, centre + 0.05 * unit, Norm.LINF, inf)
    assert round_into_box(centre, ball, FLOAT32) is None
    touching = Ball(centre, np.ones(1), centre, Norm.LINF, inf)
    vector = round_into_box(centre, touching, FLOAT32)
    assert vector is not None
    assert vector[0] == 1.0


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_a_claim_that_is_no_number_is_refused(bad: float) -> None:
    case = small_case(0, ("plain",))
    claimed = np.array(case.ball.centre)
    claimed[0] = bad
    assert Replay(case.network, case.ball, case.condition)(claimed) is None


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_the_distance_is_that_of_the_rounded_vector_and_rounded_up(
    dtype: np.dtype[np.floating],
) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for seed in range(30):
        case = small_case(seed)
        centre = case.ball.centre.astype(dtype).astype(np.float64)
        lower, upper = np.minimum(case.ball.lower, centre), np.maximum(case.ball.upper, centre)
        lower, upper = lower.astype(dtype).astype(float), upper.astype(dtype).astype(float)
        ball = Ball(centre, lower, upper, case.ball.norm, inf)
        network = replace(case.network, input_dtype=dtype)
        replay = Replay(network, ball, case.condition)
        for _ in range(20):
            witness = replay(rng.uniform(lower, upper))
            if witness is None:
                continue
            found += 1
            x = exact_values.fractions(witness.input.reshape(-1).astype(np.float64))
            away = [abs(a - Fraction(c)) for a, c in zip(x, centre.tolist(), strict=True)]
            true = max(away) if ball.norm is Norm.LINF else sum(away)
            assert true <= Fraction(witness.distance) <= true * (1 + Fraction(1, 10**12))
            assert witness.input.dtype == dtype
            assert witness.input.shape == network.input_shape
            assert slack_of(witness, network, case.condition) >= Fraction(witness.margin) > 0
    assert found > 50


def test_entries_that_may_not_change_are_the_centres_whatever_is_claimed() -> None:
    network = dense_network([np.array([[0.0, 0.0], [1.0, 1.0]])], [np.array([0.0, -0.5])])
    centre = np.array([0.25, 0.125])
    ball = Ball(centre, np.array([0.0, 0.125]), np.array([1.0, 0.125]), Norm.L1, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX))
    witness = replay(np.array([0.75, 9.0]))
    assert witness is not None
    assert witness.input.tolist() == [0.75, 0.125]
    assert replay(np.array([0.3, 9.0])) is None


@pytest.mark.parametrize("rule", Rule)
def test_a_tie_is_not_decided_for_the_target(rule: Rule) -> None:
    sign = rule.sign
    network = dense_network([np.array([[0.0], [sign]])], [np.array([0.0, -0.5 * sign])])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, rule))
    assert replay(np.array([0.5])) is None
    assert replay(np.array([0.5 - 1e-9])) is None
    barely = replay(np.array([0.5 + 1e-9]))
    assert barely is not None
    assert barely.margin == pytest.approx(1e-9, rel=1e-5)


def test_the_margin_asked_for_is_demanded_on_top() -> None:
    network = dense_network([np.array([[0.0], [1.0]])], [np.zeros(2)])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX, margin=0.25))
    assert replay(np.array([0.2499])) is None
    level = replay(np.array([0.25]))  # exactly as much as was asked for
    assert level is not None
    assert level.margin == 0.0
    witness = replay(np.array([0.5]))
    assert witness is not None
    assert witness.margin == pytest.approx(0.25)
    assert witness.margin <= 0.25


def test_a_lead_smaller_than_the_evaluation_error_is_told_apart_exactly() -> None:
    """float64 sees a lead in each of these; real arithmetic does not always."""
    deceived, hidden, kept = 0, 0, 0
    for norm in PROVED:
        for form, ball, rng in cancelling_balls(norm):
            weights = [*(h.weights[0] for h in form.hidden), form.output.weights[0]]
            biases = [*(h.bias for h in form.hidden), form.output.bias]
            network = dense_network(weights, biases)
            for target in (0, 1):
                condition = beats(target, 2, Rule.ARGMAX)
                replay = Replay(network, ball, condition)
                for x in rng.uniform(ball.lower, ball.upper, (6, ball.centre.size)):
                    seen = condition.worst(network.evaluate(x))[0] > 0.0
                    claim = Witness(x, 0.0, 0.0, np.zeros(2), None)
                    lead = slack_of(claim, network, condition)
                    true = lead > 0 or (lead == 0 and target == 0)  # of equal ones the first
                    witness = replay(x)
                    assert (witness is not None) == true
                    deceived += seen and not true
                    hidden += true and not seen
                    kept += true
    assert deceived > 5
    assert hidden > 0
    assert kept > 0


def test_a_network_too_large_for_exact_evaluation_keeps_to_the_error_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("marapatch.network.exact.MOST_COEFFICIENTS", 1)
    network = dense_network([np.array([[0.0], [1.0]])], [np.zeros(2)])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX, margin=0.25))
    assert replay(np.array([0.25])) is None
    assert replay(np.array([0.26])) is not None


def test_of_equal_classes_the_first_is_decided() -> None:
    """The input ties 0 with 1, and 2 with 3, which lead."""
    network = dense_network([np.array([[1.0], [1.0], [2.0], [2.0]])], [np.zeros(4)])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, inf)
    found = {}
    for target in range(4):
        found[target] = Replay(network, ball, beats(target, 4, Rule.ARGMAX))(np.array([0.5]))
    assert [w is not None for w in found.values()] == [False, False, True, False]
    assert decided_class(network, np.array([0.5]), Rule.ARGMAX) == 2
    assert decided_class(network, np.array([-0.5]), Rule.ARGMAX) == 0
    assert decided_class(network, np.array([0.5]), Rule.ARGMIN) == 0


@pytest.mark.parametrize("kind", [*KINDS, "branching"])
def test_the_evaluation_error_is_a_bound(kind: str) -> None:
    rng = np.random.default_rng(3)
    for seed in range(10):
        network = (
            branching_network(rng) if kind == "branching" else small_case(seed, (kind,)).network
        )
        for x in rng.uniform(-2.0, 2.0, (5, network.inputs)):
            computed, error = network.standard_form.evaluation_error(x)
            true = evaluate_exactly(network, exact_values.fractions(x))
            for c, t, e in zip(computed.tolist(), true, error.tolist(), strict=True):
                assert abs(Fraction(c) - t) <= Fraction(e)


@pytest.mark.parametrize("norm", PROVED)
def test_the_evaluation_error_is_a_bound_where_everything_cancels(norm: Norm) -> None:
    for form, ball, rng in cancelling_balls(norm):
        for x in rng.uniform(ball.lower, ball.upper, (6, ball.centre.size)):
            computed, error = form.evaluation_error(x)
            true = exact_values.evaluate(form, exact_values.fractions(x))[1]
            for c, t, e in zip(computed.tolist(), true, error.tolist(), strict=True):
                assert abs(Fraction(c) - t) <= Fraction(e)


def through_a_file(network: Network, folder: Path) -> Network:
    path = folder / "network.onnx"
    write_onnx(network, path)
    return load(path)


def test_onnxruntime_confirms_what_it_decides_alike(tmp_path: Path) -> None:
    first = np.array([[1.0, -1.0], [0.5, 2.0]])
    last = np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.25]])
    network = single(dense_network([first, last], [np.zeros(2), np.zeros(3)]))
    network = through_a_file(network, tmp_path)
    assert network.input_dtype == FLOAT32
    ball = Ball(np.array([0.75, 0.25]), np.zeros(2), np.ones(2), Norm.LINF, inf)
    witness = Replay(network, ball, beats(1, 3, Rule.ARGMAX))(np.array([0.25, 0.75]))
    assert witness is not None
    assert witness.confirmed is True
    assert Replay(network, ball, beats(0, 3, Rule.ARGMAX))(np.array([0.25, 0.75])) is None


def test_a_judge_that_has_confirmed_can_be_sent_to_another_process(tmp_path: Path) -> None:
    network = single(dense_network([np.eye(2)], [np.zeros(2)]))
    network = through_a_file(network, tmp_path)
    ball = Ball(np.array([0.75, 0.25]), np.zeros(2), np.ones(2), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX))
    here = replay(np.array([0.25, 0.75]))
    sent = pickle.loads(pickle.dumps(replay))(np.array([0.25, 0.75]))
    assert here is not None
    assert sent is not None
    assert (sent.confirmed, sent.distance) == (here.confirmed, here.distance) == (True, 0.5)


def test_onnxruntime_may_round_a_witness_away_and_it_is_said(tmp_path: Path) -> None:
    """In real arithmetic (x + 1) - 1 > 0 for x = 2^-30; in single precision it is 0."""
    first, last = np.array([[1.0]]), np.array([[0.0], [1.0]])
    network = single(dense_network([first, last], [np.ones(1), np.array([0.0, -1.0])]))
    network = through_a_file(network, tmp_path)
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX))
    tiny, plain = replay(np.array([2.0**-30])), replay(np.array([0.5]))
    assert tiny is not None
    assert plain is not None
    assert slack_of(tiny, network, replay.condition) == Fraction(1, 2**30)
    assert (tiny.confirmed, plain.confirmed) == (False, True)


def test_without_a_file_nothing_is_confirmed() -> None:
    case = small_case(0, ("plain",))
    y = case.network.evaluate(case.ball.centre)[0]
    condition = beats(int(y.argmax()), y.size, Rule.ARGMAX)
    witness = Replay(case.network, case.ball, condition)(case.ball.centre)
    assert witness is not None
    assert witness.confirmed is None
    assert witness.distance == 0.0


def test_a_tie_at_the_input_is_said_where_it_can_be_told() -> None:
    """Both classes are x: at 0.5 they are equal, and nowhere does a proof tell them apart."""
    network = dense_network([np.array([[1.0], [2.0]])], [np.array([0.0, -0.5])])
    condition = beats(1, 2, Rule.ARGMAX)
    assert "ties with the class decided" in tie_note(network, np.full(1, 0.5), condition)
    assert tie_note(network, np.full(1, 0.25), condition) == ""
    twins = dense_network([np.array([[1.0], [1.0]])], [np.array([0.25, 0.25])])
    assert "equals an earlier class at every input" in tie_note(twins, np.zeros(1), condition)
    apart = dense_network([np.array([[1.0], [1.0]])], [np.array([0.25, 0.5])])
    assert tie_note(apart, np.zeros(1), condition) == ""


@pytest.mark.parametrize("sign", [1, -1])
def test_outputs_too_large_for_float64_are_told_apart_exactly(sign: int) -> None:
    """1e300 times 1e300 is no float64 number; which of two such is larger is known all the same."""
    huge, tiny = np.array([[1e300]]), np.full(1, 1e-300)
    weights = [huge, sign * np.array([[1e300], [1.0000001e300]])]
    network = dense_network(weights, [np.zeros(1), np.zeros(2)])
    target = 1 if sign > 0 else 0
    ball = Ball(np.ones(1), np.zeros(1), np.full(1, 2.0), Norm.LINF, inf)
    witness = Replay(network, ball, beats(target, 2, Rule.ARGMAX))(np.ones(1))
    assert witness is not None
    assert (np.asarray(witness.outputs) == sign * inf).all()
    assert 0.0 < witness.margin < inf
    assert decided_class(network, np.ones(1), Rule.ARGMAX) == target
    assert Replay(network, ball, beats(1 - target, 2, Rule.ARGMAX))(tiny * 1e300) is None
