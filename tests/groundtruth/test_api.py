"""Ground truths on networks small enough to know the answer."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import inf, nan

import exact_optimum as exact
import exact_values
import numpy as np
import pytest
from exact_networks import evaluate_exactly
from plane_questions import CENTRE, OPTIONS, check, optimum, three_classes
from small_networks import small_case

from marapatch.errors import InputError
from marapatch.groundtruth.api import ground_truth
from marapatch.network.graph import dense_network
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.verdict import Evidence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros(3)}, "shape"),
        ({"x": np.zeros((2, 2))}, "one input"),
        ({"x": np.array([0.5, nan])}, "NaN"),
        ({"x": np.array([0.5, 1.5])}, "outside the box at entry 1"),
        ({"box": (0.0, 0.4)}, "outside the box at entry 0"),
        ({"box": (0.9, 0.1)}, "the box is empty"),
        ({"box": (-inf, inf)}, "finite"),
        ({"box": (np.zeros(3), 1.0)}, "box has shape"),
        ({"mask": np.ones(5)}, "mask has shape"),
        ({"label": 4}, "label 4 is not one of the network's classes"),
        ({"label": -1}, "label -1"),
        ({"target": 4}, "target 4 is not one of the network's classes"),
        ({"target": 0}, "target 0 is the label itself"),
        ({"target": [1, 0]}, "target 0 is the label itself"),
        ({"target": []}, "no other class"),
        ({"norm": "l2"}, "l2"),
        ({"decision": "largest"}, "largest"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    given = {"x": CENTRE, "options": OPTIONS, **arguments}
    with pytest.raises(InputError, match=message):
        ground_truth(three_classes(), given.pop("x"), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", PROVED)
def test_the_nearest_over_all_other_classes(norm: Norm) -> None:
    network = three_classes()
    result = ground_truth(network, CENTRE, norm=norm, options=OPTIONS)
    distances = {t: optimum(network, t, norm) for t in (1, 2, 3)}
    check(result, min(distances.values()))
    assert result.label == result.decided == 0
    assert sorted(t.target for t in result.targets) == [1, 2, 3]
    for one in result.targets:
        assert one.lower <= distances[one.target] <= one.upper * (1.0 + 1e-9)
    assert result.lower == min(t.lower for t in result.targets)
    assert result.upper == min(t.upper for t in result.targets)
    assert result.closed
    assert not result.interrupted


def test_a_target_out_of_reach_is_proved_so() -> None:
    result = ground_truth(three_classes(), CENTRE, target=3, options=OPTIONS)
    assert (result.lower, result.upper, result.witness) == (inf, inf, None)
    assert result.closed


@pytest.mark.parametrize("chosen", [1, [1], (1,), np.int64(1), np.array([1]), [np.int64(1), 1]])
def test_targets_may_be_given_in_many_ways(chosen: object) -> None:
    result = ground_truth(three_classes(), CENTRE, target=chosen, options=OPTIONS)  # type: ignore[arg-type]
    assert [t.target for t in result.targets] == [1]
    check(result, 0.25)


def test_a_witness_is_of_the_file_s_type_in_the_box_and_where_it_says() -> None:
    network = replace(three_classes(), input_dtype=np.dtype(np.float32))
    centre = np.array([0.3, 0.6])
    result = ground_truth(network, centre, norm="l1", options=OPTIONS)
    witness = result.witness
    assert witness is not None
    assert witness.dtype == np.float32
    assert result.image.dtype == np.float32
    x, c = (exact_values.fractions(v.astype(np.float64)) for v in (witness, result.image))
    away = sum(abs(a - b) for a, b in zip(x, c, strict=True))
    assert away <= Fraction(result.upper) <= away * (1 + Fraction(1, 10**12))
    outputs = evaluate_exactly(network, x)
    assert max(outputs[1:]) > outputs[0]
    assert all(0 <= v <= 1 for v in x)


def test_an_image_decided_otherwise_than_its_label_is_at_distance_zero() -> None:
    result = ground_truth(three_classes(), CENTRE, label=1, options=OPTIONS)
    assert (result.lower, result.upper) == (0.0, 0.0)
    assert (result.label, result.decided) == (1, 0)
    assert result.closed
    np.testing.assert_array_equal(result.witness, CENTRE)


def test_a_wrong_label_and_a_target_that_is_not_what_it_is_decided_as() -> None:
    """Labelled 1, decided 0: how far to 2?"""
    result = ground_truth(three_classes(), CENTRE, label=1, target=2, options=OPTIONS)
    check(result, 0.25)


@pytest.mark.parametrize("free", [[True, False], [False, True]])
def test_entries_outside_of_the_mask_do_not_change(free: list[bool]) -> None:
    network, mask = three_classes(), np.array(free)
    centre = np.array([0.4, 0.45])
    result = ground_truth(network, centre, mask=mask, options=OPTIONS, each_target=True)
    for one in result.targets:
        check(one, optimum(network, one.target, centre=centre, free=mask))
        if one.witness is not None:
            np.testing.assert_array_equal(one.witness.input[~mask], centre[~mask])


def test_nothing_may_change_so_nothing_is_reached() -> None:
    result = ground_truth(three_classes(), CENTRE, mask=[False, False], options=OPTIONS)
    assert result.upper == inf
    assert result.witness is None


def test_the_box_is_honoured() -> None:
    network = three_classes()
    result = ground_truth(network, CENTRE, box=(0.3, 0.8), options=OPTIONS, each_target=True)
    for one in result.targets:
        check(one, optimum(network, one.target, box=(0.3, 0.8)))
    assert {t.target: t.lower == inf for t in result.targets} == {1: False, 2: True, 3: True}


def test_where_the_smallest_output_decides() -> None:
    """The same network with its outputs turned round."""
    network = three_classes()
    form = network.standard_form
    turned = dense_network(
        [form.hidden[0].weights[0], -form.output.weights[0]],
        [form.hidden[0].bias, -form.output.bias],
    )
    centre = np.array([0.9, 0.5])
    result = ground_truth(turned, centre, decision="argmin", options=OPTIONS, each_target=True)
    assert result.decided == int(network.evaluate(centre)[0].argmax()) == 1
    for one in result.targets:
        check(one, optimum(network, one.target, centre=centre))
        assert optimum(turned, one.target, rule=Rule.ARGMIN, centre=centre) == optimum(
            network, one.target, centre=centre
        )


def test_the_margin_is_demanded() -> None:
    options = replace(OPTIONS, margin=0.1)
    result = ground_truth(three_classes(), CENTRE, target=1, options=options)
    check(result, 0.35)
    (one,) = result.targets
    assert one.witness is not None
    assert one.witness.outputs[1] - one.witness.outputs[0] > 0.1


def test_an_input_to_start_from_is_used() -> None:
    """Nothing else finds the needle; the search never asks."""
    spike = np.array([[1.0], [1.0], [1.0]])
    width = 1e-7
    last = np.array([[0.0, 0.0, 0.0], [1.0 / width, -2.0 / width, 1.0 / width]])
    biases = [-0.9 + width * np.array([1.0, 0.0, -1.0]), np.array([0.5, 0.0])]
    network = dense_network([spike, last], biases)
    options = replace(OPTIONS, evidence=Evidence.BOUND, nodes=50, search="descent")
    without = ground_truth(network, [0.1], options=options)
    given = ground_truth(network, [0.1], init=[0.9], options=options)
    assert without.upper > 0.81
    assert given.upper <= 0.8
    assert given.lower <= 0.8


@pytest.mark.parametrize("search", ["tree", "descent", "bisection"])
@pytest.mark.parametrize("backend", ["highs", "marabou"])
def test_every_search_and_backend_holds_the_optimum(search: str, backend: str) -> None:
    options = replace(OPTIONS, search=search, backend=backend)
    for seed in range(4):
        case = small_case(seed, ("plain", "corner"))
        box = (case.ball.lower, case.ball.upper)
        result = ground_truth(
            case.network,
            case.ball.centre,
            norm=case.ball.norm,
            target=case.target,
            label=int(case.network.evaluate(case.ball.centre)[0].argmax()),
            box=box,
            options=options,
        )
        best = exact.nearest(case.network.standard_form, case.ball, case.condition, case.witnessed)
        if best is None:
            assert result.witness is None
        elif best.exact:
            assert result.lower <= float(best.distance) <= result.upper * (1.0 + 1e-9)
