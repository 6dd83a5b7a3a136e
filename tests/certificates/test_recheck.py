"""Recorded trees are proved again, and nothing false ever is, whoever wrote the record."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import exact_values
import networkx as nx
import numpy as np
import pytest
from claims import NEAR, beyond, optimum, plain_claim, proved, sparsely
from recorded_trees import NODE_FIELDS, SPOILERS, built, expand
from small_networks import KINDS, branching_network, is_chain, small_case

from marapatch.certificates.recheck import recheck_tree
from marapatch.certificates.recheck_form import form_of
from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.exact import exact_outputs
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import Affine, Layer, Relu
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.search.tree_record import TreeRecord
from marapatch.solvers.base import Infeasible


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_search_recorded_is_proved_again(kind: str) -> None:
    trees = 0
    for seed in range(4):
        case = small_case(seed, (kind,))
        question = case.question
        distance = optimum(question, case.witnessed)
        if not float(distance) > 1e-6:  # a tie at the centre: no lower end to prove
            continue
        outcome = expand(question, tolerance=[1e-1, 1e-3, 1e-4][seed % 3])
        trees += len(outcome.trees)
        best = max((record.radius for record in outcome.trees), default=0.0)
        again = max((proved(record, question) for record in outcome.trees), default=0.0)
        assert not beyond(again, distance)
        assert again >= best * (1.0 - NEAR)
    assert trees >= 2


def test_a_claim_beyond_the_optimum_is_lowered_below_it() -> None:
    raised = 0
    for seed in range(10):
        record, question, distance = expanded(seed)
        for factor in (1.001, 2.0, 1e6):
            claim = replace(record, radius=record.radius * factor)
            assert not beyond(proved(claim, question), distance)
            raised += beyond(claim.radius, distance)
    assert raised > 10


def skipping(seed: int, norm: Norm, *, sparse: bool) -> Question:
    """A question about a network with skip connections."""
    rng = np.random.default_rng(seed)
    network = branching_network(rng)
    form = network.standard_form
    if sparse:
        form = StandardForm(form.inputs, tuple(map(sparsely, form.hidden)), sparsely(form.output))
    centre = rng.normal(size=3)
    fixed = np.array([False, seed % 2 == 0, False])
    ball = Ball(centre, np.where(fixed, centre, centre - 0.7), centre + 0.6 * ~fixed, norm, np.inf)
    label = int(network.evaluate(centre)[0].argmax())
    condition = beats(1 - label, 2, Rule.ARGMAX, 0.01 * (seed % 3))
    replay = Replay(network, ball, condition)
    return Question(form, ball.with_radius(ball.covering_radius), condition, replay)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("norm", PROVED)
def test_skip_connections_masks_and_margins(norm: Norm, sparse: bool) -> None:
    assert not is_chain(skipping(0, norm, sparse=sparse).form)
    for seed in range(3):
        question = skipping(seed, norm, sparse=sparse)
        distance = optimum(question)
        for record in expand(question, tolerance=1e-2).trees:
            again = proved(record, question)
            assert not beyond(again, distance)
            assert again >= record.radius * (1.0 - NEAR)
            doubled = replace(record, radius=2.0 * record.radius)
            assert not beyond(proved(doubled, question), distance)


def test_a_network_without_relu_and_one_without_rivals() -> None:
    network = dense_network([np.array([[1.0, 2.0], [0.5, -1.0]])], [np.array([0.0, 0.25])])
    ball = Ball(np.full(2, 0.5), np.zeros(2), np.ones(2), Norm.L1, np.inf)
    condition = beats(1, 2, Rule.ARGMAX)
    record = replace(built([(-1, 0, 0)], 0, 1), radius=0.49)  # the optimum is 0.5
    assert recheck_tree(record, network.standard_form, ball, condition).radius == 0.49
    record = replace(record, radius=0.6)
    assert 0.49 < recheck_tree(record, network.standard_form, ball, condition).radius < 0.5
    anything = OutputCondition(np.zeros((0, 2)), np.zeros(0))  # met by every input
    record = built([(-1, 0, 0)], 0, 0)
    assert recheck_tree(record, network.standard_form, ball, anything).radius == 0.0


@pytest.mark.parametrize("how", SPOILERS)
def test_no_tampering_gives_a_false_radius(how: str) -> None:
    rng = np.random.default_rng(len(how))
    refused, lowered = 0, 0
    for seed in range(10):
        record, question, distance = expanded(seed)
        for factor in (1.0, 1.1):
            spoiled = replace(SPOILERS[how](record, rng), radius=factor * record.radius)
            try:
                radius = proved(spoiled, question)
            except InputError:
                refused += 1
                continue
            assert not beyond(radius, distance)
            lowered += radius < spoiled.radius
    assert refused + lowered > 0


@cache
def expanded(seed: int) -> tuple[TreeRecord, Question, Fraction | float]:
    """The largest tree of a question, and its exact distance."""
    case = small_case(seed, ("plain", "huge", "corner"))
    distance = optimum(case.question, case.witnessed)
    trees = expand(case.question).trees if float(distance) > 1e-6 else ()
    neurons = sum(layer.outputs for layer in case.question.form.hidden)
    none = built([(-1, 0, 0)], neurons, case.condition.rhs.size, 0.1)  # nothing came of the search
    record = max(trees, key=len, default=none)
    return record, case.question, distance


def test_any_tree_with_any_multipliers_proves_nothing_false() -> None:
    """Trees of no search, well beyond the optimum: only the arithmetic stands in the way."""
    rng = np.random.default_rng(4)
    reached = 0
    for seed in range(24):
        case = small_case(seed)
        question = case.question
        distance = optimum(question, case.witnessed)
        neurons = sum(layer.outputs for layer in question.form.hidden)
        rows = question.condition.rhs.size
        record = built(
            [(-1, 0, 0)],
            neurons,
            rows,
            float(np.fmin(1.5 * float(distance), case.ball.covering_radius)),
        )
        for _ in range(int(rng.integers(0, 5))):
            record = SPOILERS["leaf divided"](record, rng)
        record = replace(
            record,
            alpha=rng.integers(0, 2, record.alpha.shape) * 1.0,
            beta=record.beta * 10.0 ** rng.uniform(-3, 0),
            rounds=((rng.random(neurons), np.zeros(neurons), rng.random(rows)),) * 2,  # type: ignore[arg-type]
        )
        radius = proved(record, question)
        assert not beyond(radius, distance)
        reached += radius > 0.5 * float(distance)
    assert reached >= 2


def over_the_whole_range(rng: np.random.Generator) -> Network:
    """Fused layers whose numbers are of all sizes that float64 has, their products often not."""
    graph = nx.DiGraph()
    graph.add_node("input")
    last, inputs = "input", 2

    def add(name: str, layer: Layer) -> None:
        nonlocal last
        graph.add_node(name, layer=layer, inputs=(last,))
        graph.add_edge(last, name)
        last = name

    for block in range(3):
        powers = rng.uniform(-250.0, 250.0, int(rng.integers(1, 4)))
        powers[-1] = -powers[:-1].sum() + rng.uniform(-3.0, 3.0)
        for k, power in enumerate(np.clip(powers, -300.0, 300.0)):
            weight = rng.normal(size=(2, inputs if block == k == 0 else 2)) * 10.0**power
            so_far = 10.0 ** np.clip(powers[: k + 1].sum(), -300.0, 300.0)
            add(
                f"affine {block} {k}", Affine(weight, rng.normal(size=2) * so_far * (block + k > 0))
            )
        if block < 2:
            add(f"relu {block}", Relu())
    return Network(graph, "input", last, (2,), (2,), np.dtype(np.float64))


@pytest.mark.parametrize("scale", [0.0, -150.0, 100.0])
def test_numbers_of_every_size_prove_nothing_false(scale: float) -> None:
    """Claims about a whole box, against points of it that are decided so in exact arithmetic."""
    rng = np.random.default_rng(6)
    reached, met = 0, 0
    for _ in range(40):
        network = over_the_whole_range(rng)
        size = 10.0**scale
        centre = rng.uniform(0.0, size, 2)
        ball = Ball(centre, centre - size, centre + size, rng.choice(list(PROVED)), np.inf)
        try:
            form = form_of(network)
        except InputError:  # it overflows
            continue
        points = exact_values.points(ball.with_radius(ball.covering_radius), rng, 8)
        outputs = [exact_outputs(network, x) for x in points]
        for target in range(2):
            record = built(
                [(-1, 0, 0)], 4, 1, ball.covering_radius * float(rng.choice([1.0, 0.1, 1e-3]))
            )
            size_of = 10.0 ** float(rng.choice([0.0, -290.0, 290.0]))
            record = replace(record, row_multipliers=np.full((1, 1), size_of))
            try:
                radius = recheck_tree(record, form, ball, beats(target, 2, Rule.ARGMAX)).radius
            except InputError:  # its values are too large
                continue
            reached += radius > 0.0
            for x, y in zip(points, outputs, strict=True):
                away = [abs(a - Fraction(c)) for a, c in zip(x, centre.tolist(), strict=True)]
                if y[target] >= y[1 - target]:
                    met += 1
                    assert radius == 0.0 or Fraction(radius) < (
                        max(away) if ball.norm is Norm.LINF else sum(away)
                    )
    assert reached >= 5
    assert met >= 100


GOOD = [(-1, 0, 0), (0, 1, 1), (0, 1, -1), (2, 0, 1), (2, 0, -1)]


@pytest.mark.parametrize(
    ("splits", "text"),
    [
        ([], "no nodes"),
        ([(0, 0, 0)], "must be the root"),
        ([(-1, 0, 1)], "must be the root"),
        ([(-1, 0, 0), (-1, 0, 0)], "node 1 of the tree is a second root"),
        ([*GOOD, (-7, 0, 1)], "node 5 of the tree is a second root"),
        ([(-1, 0, 0), (2, 1, 1), (0, 1, -1), (0, 0, 1)], "node 1 of the tree comes before"),
        ([(-1, 0, 0), (1, 1, 1), (0, 1, -1)], "node 1 of the tree comes before"),
        ([(-1, 0, 0), (9, 1, 1), (0, 1, -1)], "node 1 of the tree comes before"),
        ([(-1, 0, 0), (0, 1, 0), (0, 1, -1)], "node 1 of the tree has a phase"),
        ([(-1, 0, 0), (0, 1, 2), (0, 1, -2)], "node 1 of the tree has a phase"),
        ([(-1, 0, 0), (0, 6, 1), (0, 6, -1)], "node 1 of the tree is split on a neuron"),
        ([(-1, 0, 0), (0, -1, 1), (0, -1, -1)], "node 1 of the tree is split on a neuron"),
        ([(-1, 0, 0), (0, 1, 1)], "node 0 of the tree has 1 parts"),
        ([*GOOD, (1, 0, 1)], "node 1 of the tree has 1 parts"),
        ([*GOOD, (0, 1, 1)], "node 0 of the tree has 3 parts"),
        ([*GOOD, (0, 1, 1), (0, 1, -1)], "node 0 of the tree has 4 parts"),
        ([(-1, 0, 0), (0, 1, 1), (0, 1, 1)], "not the two phases of one neuron"),
        ([(-1, 0, 0), (0, 1, 1), (0, 2, -1)], "not the two phases of one neuron"),
        ([*GOOD, (1, 0, 1), (1, 2, -1)], "parts of node 1 of the tree are not"),
    ],
)
def test_what_is_no_tree_is_refused(splits: list[tuple[int, int, int]], text: str) -> None:
    question = plain_claim()
    whole = built(GOOD, 6, 2)
    assert recheck_tree(whole, question.form, question.ball, question.condition).leaves == 3
    if splits:
        record = built(splits, 6, 2)
    else:
        record = replace(whole, **{name: getattr(whole, name)[:0] for name in NODE_FIELDS})
    with pytest.raises(InputError, match=text):
        recheck_tree(record, question.form, question.ball, question.condition)
    nothing = replace(record, radius=0.0)
    with pytest.raises(InputError, match=text):
        recheck_tree(nothing, question.form, question.ball, question.condition)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"radius": np.nan}, "radius is nan"),
        ({"radius": np.inf}, "radius is inf"),
        ({"radius": -1.0}, "radius is -1.0"),
        ({"alpha": np.full((5, 6), np.nan)}, "alpha contains NaN"),
        ({"beta": np.full((5, 6), np.inf)}, "beta contains NaN or infinity"),
        ({"row_multipliers": np.full((5, 2), -np.inf)}, "row_multipliers contains NaN or infinity"),
        ({"alpha": np.ones((5, 5))}, r"alpha is float64 \(5, 5\); it must be .* \(5, 6\)"),
        ({"beta": np.ones(6)}, "beta is"),
        ({"row_multipliers": np.ones((4, 2))}, "row_multipliers is"),
        ({"row_multipliers": np.ones((5, 2), complex)}, "row_multipliers is complex128"),
        ({"alpha": np.ones((5, 6), bool)}, "alpha is bool"),
        ({"parent": np.zeros((5, 1), int)}, "parent is"),
        ({"parent": np.array([-1.0, 0, 0, 2, 2])}, "parent is float64"),
        ({"neuron": np.array([0, 1, 1, 0])}, "neuron is"),
        ({"phase": np.array([0, 1, -1, 1, -1.0])}, "phase is float64"),
        ({"solver_certified": np.zeros(5, int)}, "solver_certified is int64"),
        (
            {"solver_certified": np.array([False, False, True, False, False])},
            "node 2 .* closed by a solver",
        ),
        ({"rounds": ((np.ones(6), np.ones(6)),)}, "round 0 of the tree has 2 arrays"),
        ({"rounds": ((np.ones(6), np.ones(5), np.ones(2)),)}, "beta in round 0"),
        (
            {"rounds": ((np.ones(6), np.ones(6), np.array([1, np.nan])),)},
            "row_multipliers in round 0",
        ),
    ],
)
def test_what_is_malformed_is_refused(change: dict[str, object], text: str) -> None:
    question = plain_claim()
    record = replace(built(GOOD, 6, 2), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=text):
        recheck_tree(record, question.form, question.ball, question.condition)


def test_multipliers_out_of_their_range_are_moved_into_it() -> None:
    question = plain_claim()
    record = built(GOOD, 6, 2, 0.3)
    odd = replace(record, alpha=record.alpha + 4.0, beta=record.beta - 1.0)
    assert proved(odd, question) == proved(record, question)
    nothing = replace(record, row_multipliers=np.zeros_like(record.row_multipliers))
    assert proved(nothing, question) == 0.0


def test_a_solvers_word_is_not_taken_for_a_proof() -> None:
    """A tie over a whole region: no bound refutes it, so whoever says so is not believed."""
    network = dense_network(
        [np.array([[1.0]]), np.array([[1.0], [1.0]])], [np.array([-0.5]), np.array([0.0, 0.0])]
    )
    ball = Ball(np.array([0.4]), np.zeros(1), np.ones(1), Norm.LINF, np.inf)
    condition = beats(1, 2, Rule.ARGMAX)
    replay = Replay(network, ball, condition)
    question = Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )
    outcome = expand(question, Infeasible())
    assert outcome.bracket.lower == np.inf
    (record,) = outcome.trees
    checked = recheck_tree(record, question.form, question.ball, question.condition)
    assert checked.solver_certified > 0
    assert checked.radius == 0.0  # the centre itself ties
    assert checked.given == record.radius
    alone = replace(built([(-1, 0, 0)], 1, 1, 0.5), solver_certified=np.array([True]))
    checked = recheck_tree(alone, question.form, question.ball, question.condition)
    assert (checked.radius, checked.given, checked.short) == (0.0, 0.5, 0)
