"""What every target gets, and in what time: first lower ends, blocks of attacks, deadlines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from small_networks import small_case

from marapatch.bounds.first_radius import first_radii
from marapatch.groundtruth import first_brackets
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.first_brackets import FirstWitnesses
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.target_problem import TOO_LATE, TargetProblem
from marapatch.groundtruth.target_processes import TargetPool
from marapatch.groundtruth.targets import TargetSearch
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network, dense_network
from marapatch.problem.conditions import OutputCondition, Rule
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.verdict import Evidence
from marapatch.search.budget import Limit
from marapatch.witnesses.attacks.bim import BasicIterativeMethod
from marapatch.witnesses.attacks.carlini_wagner import CarliniWagner
from marapatch.witnesses.attacks.fgm import FastGradientMethod
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.attacks.tracker import Tracker


def wide(classes: int, width: int = 16) -> Network:
    rng = np.random.default_rng(4)
    return dense_network(
        [rng.normal(size=(width, 6)), rng.normal(size=(classes, width))],
        [rng.normal(size=width), rng.normal(size=classes)],
    )


IMAGE = np.full(6, 0.5)


@pytest.mark.parametrize("norm", PROVED, ids=lambda norm: norm.value)
@pytest.mark.parametrize("seed", range(6))
def test_first_radii_are_below_every_witness(norm: Norm, seed: int) -> None:
    """And above 0 where the decision has any lead."""
    case = small_case(seed, ("plain",))
    form, ball = case.question.form, case.question.ball
    ball = ball.with_radius(1.0)
    ball = type(ball)(
        ball.centre, ball.lower, ball.upper, norm, ball.with_radius(1.0).covering_radius
    )
    outputs = form.evaluate(ball.centre[None])[0]
    best = int(outputs.argmax())
    others = [t for t in range(form.outputs) if t != best]
    rows = OutputCondition(
        np.eye(form.outputs)[others] - np.eye(form.outputs)[best], np.zeros(len(others))
    )
    radii = first_radii(form, ball, rows, inf)
    assert (radii[-rows.slack(outputs[None])[0] > 1e-3] > 0.0).all()
    rng = np.random.default_rng(seed)
    for _ in range(20):
        points = rng.uniform(ball.lower, ball.upper, size=(500, ball.centre.size))
        points = ball.centre + rng.uniform(0.0, 1.0, size=(500, 1)) * (points - ball.centre)
        for point, slack in zip(points, rows.slack(form.evaluate(points)), strict=True):
            distance = norm.between(point, ball.centre)
            assert (distance > radii[slack >= 0.0]).all()


def test_without_time_nothing_is_claimed() -> None:
    case = small_case(0, ("plain",))
    form = case.question.form
    rows = OutputCondition(np.eye(form.outputs), np.full(form.outputs, 100.0))
    assert not first_radii(form, case.question.ball, rows, -inf).any()


def test_no_rows_have_no_first_radii() -> None:
    """Where the only target leads in float64 at the image, and does not exactly."""
    case = small_case(1)
    form = case.network.standard_form
    rows = OutputCondition(np.zeros((0, form.outputs)), np.zeros(0))
    assert first_radii(form, case.question.ball, rows, inf).shape == (0,)


def test_a_lower_end_is_proved_before_the_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever time these and the searches then take."""
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    monkeypatch.setattr(TargetSearch, "run", lambda self: None)
    result = ground_truth(wide(30), IMAGE)
    assert all(target.lower > 0.0 for target in result.targets)
    assert result.evidence is Evidence.BOUND
    assert not result.closed


def test_a_record_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a tree does not prove is not in its bracket."""
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    monkeypatch.setattr(TargetSearch, "run", lambda self: None)
    result = ground_truth(wide(3), IMAGE, options=GroundTruthOptions(record=True))
    assert result.lower == 0.0


def test_many_targets_are_attacked_in_blocks_and_the_rest_where_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks: list[list[int]] = []
    attack = FirstWitnesses._attack

    def watched(self: FirstWitnesses, targets: list[int], *more: object) -> None:
        blocks.append(targets)
        attack(self, targets, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(FirstWitnesses, "_attack", watched)
    monkeypatch.setattr(first_brackets, "ATTACKED_TARGETS", 7)
    network = wide(20)
    outputs = network.evaluate(IMAGE)[0]
    result = ground_truth(network, IMAGE, options=GroundTruthOptions(nodes=1, backend="highs"))
    assert [len(block) for block in blocks] == [7, 7, 5]
    leading = np.argsort(-outputs)[1:8]
    assert sorted(leading.tolist()) == blocks[0]
    assert result.upper < inf


def test_the_number_of_questions_posed_does_not_grow_with_the_targets_out_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question of one of a thousand classes has a million entries: it is made when asked."""
    posed: list[int] = []
    question = TargetProblem.question

    def counted(self: TargetProblem, target: int) -> object:
        posed.append(target)
        return question(self, target)

    monkeypatch.setattr(TargetProblem, "question", counted)
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)
    options = GroundTruthOptions(timeout=1e-9)
    result = ground_truth(wide(60), IMAGE, label=None, options=options)
    assert len(posed) == 0
    assert {t.note for t in result.targets} == {TOO_LATE}


class NoPool:
    """Stands for the processes; nothing may be asked of it."""

    def submit(self, *task: object) -> None:
        raise AssertionError("a search is begun for which there is no time")


def test_out_of_time_no_search_is_handed_to_a_process() -> None:
    """A task holds the network: a thousand of them take far longer than the searches."""
    options = GroundTruthOptions(timeout=1.0)
    network = wide(8)
    ball, _ = ball_of(network, IMAGE, Norm.LINF, None, None)
    asked = TargetProblem(
        network, ball, Rule.ARGMAX, 0.0, "tree", "highs", options.for_search(), True
    )
    search = TargetSearch(asked, tuple(range(1, 8)), -inf, lambda *_: None, jobs=2)
    pool = TargetPool(NoPool(), asked)  # type: ignore[arg-type]
    search._parallel(list(search.targets), Limit(until=-inf), pool)
    assert {found.note for found in search.found.values()} == {TOO_LATE}
    assert pool.late == []


class Countdown(Tracker):
    """Its time is over when so many parts of batches were evaluated."""

    left = 0
    used = 0

    @property
    def expired(self) -> bool:
        type(self).used += 1
        return self.used > self.left


@pytest.mark.parametrize("left", [1, 2, 5])
@pytest.mark.parametrize("distance", [Norm.LINF, Norm.L1, Norm.L2])
@pytest.mark.parametrize("attack", [FastGradientMethod(), BasicIterativeMethod(), CarliniWagner()])
def test_attacks_stop_within_a_step(
    attack: FastGradientMethod | BasicIterativeMethod | CarliniWagner,
    distance: Norm,
    left: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the parts of a batch, of which a large network has many."""
    monkeypatch.setattr(sys.modules[type(attack).__module__], "Tracker", Countdown)
    Countdown.left, Countdown.used = left, 0
    network = wide(4)
    calls: list[int] = []
    evaluate: Callable[..., object] = StandardForm.pre_activations

    def counted(self: StandardForm, x: np.ndarray) -> object:
        calls.append(len(x))
        return evaluate(self, x)

    monkeypatch.setattr(StandardForm, "pre_activations", counted)
    centres = np.tile(IMAGE, (3, 1))
    objective = Objective.towards([1, 2, 3], argmin=False)
    zero, one = np.zeros(6), np.ones(6)
    problem = Problem(network.standard_form, centres, zero, one, objective, distance)
    result = attack.run(problem, None, inf)
    assert len(result) == 3
    assert len(calls) <= left + 3
