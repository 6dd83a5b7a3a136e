"""Numbers whose products underflow, overflow or cancel: what was proved of them once was false.

The networks have one input; the right values are worked out in exact fractions beside each.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from exact_networks import evaluate_exactly, exact

from marapatch import GroundTruthOptions, ground_truth
from marapatch.arithmetic.float_model import proving
from marapatch.bounds.backward import relax
from marapatch.bounds.crown import bound_condition, linear_bounds
from marapatch.bounds.subproblems import NodeBounder
from marapatch.certificates.recheck_bounds import Checker
from marapatch.errors import BackendError, InputError
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import Affine
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.replay import Replay, decided_class
from marapatch.query.lowering import lower

SINGLE = np.float32


def chain(weights: list[float], last: float, bias: float) -> Network:
    """``relu(w_k ... relu(w_1 x))`` times ``last`` against ``bias``: two classes."""
    matrices = [np.array([[float(w)]]) for w in weights]
    return dense_network(
        [*matrices, np.array([[0.0], [float(last)]])],
        [*(np.zeros(1) for _ in weights), np.array([float(bias), 0.0])],
    )


def reached(network: Network) -> Fraction:
    """The input at which the second class draws level, in exact arithmetic."""
    product = Fraction(1)
    *hidden, output = (
        network.layer(node)
        for node in network.order
        if isinstance(network.graph.nodes[node].get("layer"), Affine)
    )
    for layer in hidden:
        product *= Fraction(float(layer.weight[0, 0]))
    return Fraction(float(output.bias[0])) / (product * Fraction(float(output.weight[1, 0])))


def fused(weights: list[float], middle: list[float], after: list[float], bias: float) -> Network:
    """Affine layers without a ReLU between them, which the standard form multiplies out."""
    joined = chain(weights + middle + after, 1.0, bias)
    graph = joined.graph.copy()
    for k in range(len(weights), len(weights) + len(middle) - 1):
        graph.nodes[f"affine{k + 1}"]["inputs"] = (f"affine{k}",)
        graph.add_edge(f"affine{k}", f"affine{k + 1}")
        graph.remove_node(f"relu{k}")
    return Network(graph, "input", joined.output_node, (1,), (2,), np.dtype(np.float64))


CHAINS = {
    "a coefficient underflows on the way back": chain([1e149, 1e-200], 1e-200, 1e-252),
    "up and down again": chain([1e30] * 5 + [1e-30] * 10, 1e-30, 1.0000000000000004e-181),
    "in a float32 file": chain([SINGLE(1e38)] * 8 + [SINGLE(1e-38)] * 8, SINGLE(1e-38), 1e-39),
    "an activation underflows": chain([1e-323] + [1e14] * 19, 1e14, 8.893181625142439e-44),
    "fused layers underflow": fused(
        [SINGLE(1e37)] * 4, [SINGLE(1e-42)] * 8, [SINGLE(1e37)] * 4, SINGLE(1e-41)
    ),
}


@pytest.fixture(params=CHAINS.values(), ids=list(CHAINS))
def network(request: pytest.FixtureRequest) -> Network:
    made: Network = request.param
    return made


@pytest.mark.parametrize("norm", list(PROVED))
def test_nothing_is_refuted_beyond_the_exact_distance(network: Network, norm: Norm) -> None:
    distance = reached(network)
    assert 0 < distance < 1
    condition = beats(1, 2, Rule.ARGMAX)
    form = network.standard_form
    for radius in (1.0, 2.0 * float(distance), float(distance) * (1.0 + 1e-9)):
        ball = Ball(np.zeros(1), np.zeros(1), np.ones(1), norm, radius)
        with proving():
            bounds = linear_bounds(form, ball)
            bounder = NodeBounder(form, bounds, condition)
            node = bounder.bound(bounder.root(bounds), 10)
            assert Fraction(float(node.radius[0])) <= distance
            assert not node.value[0] > 0.0
            once = bound_condition(form, bounds, condition)
            assert Fraction(once.radius) <= distance
            assert once.worst >= 0.0


@pytest.mark.parametrize("norm", list(PROVED))
def test_nor_is_it_when_checked_again(network: Network, norm: Norm) -> None:
    ball = Ball(np.zeros(1), np.zeros(1), np.ones(1), norm, 1.0)
    with np.errstate(all="ignore"):
        try:
            checker = Checker(network.standard_form, ball, beats(1, 2, Rule.ARGMAX))
        except InputError:
            return  # values beyond what is checked in float64 are refused
        root = checker.root([])
        neurons = root.low.size
        form = checker.cut(root, np.ones(neurons), np.zeros(neurons), np.ones(1))
        assert Fraction(checker.over.radius_of(form)) <= reached(network)


def test_no_witness_nearer_than_the_exact_distance(network: Network) -> None:
    distance = reached(network)
    ball = Ball(np.zeros(1), np.zeros(1), np.ones(1), Norm.LINF, inf)
    replay = Replay(network, ball, beats(1, 2, Rule.ARGMAX))
    for share in (0.5, 0.83, 0.99, 1.0 - 1e-9):
        assert replay(np.array([float(distance) * share])) is None
    witness = replay(np.array([float(distance) * (1.0 + 1e-9)]))
    assert witness is not None
    assert Fraction(witness.distance) >= distance


def test_fused_coefficients_carry_what_underflowed() -> None:
    network = CHAINS["fused layers underflow"]
    form = network.standard_form
    layer = form.hidden[4]
    product = Fraction(1)
    for _ in range(8):
        product *= Fraction(float(SINGLE(1e-42)))
    stored, error = float(layer.weights[0][0, 0]), layer.weight_errors[0]
    assert error is not None
    assert abs(Fraction(stored) - product) <= Fraction(float(error[0, 0]))
    assert product > 0


def test_a_bound_that_is_no_number_is_refused() -> None:
    with pytest.raises(BackendError, match="NaN"):
        relax(np.array([[np.nan]]), np.array([[1.0]]))


CANCELLING = dense_network(
    [np.array([[2.0**60, 1.0], [2.0**60, 0.0]]), np.array([[1.0, -1.0], [0.0, 0.0]])],
    [np.zeros(2), np.array([0.0, 0.5])],
)


def test_the_images_own_decision_is_exact() -> None:
    """2^60 + 0.9 - 2^60 is 0 in float64 and 0.9 in truth, which is more than 0.5."""
    x = np.array([1.0, 0.9])
    assert decided_class(CANCELLING, x, Rule.ARGMAX) == 0
    assert decided_class(CANCELLING, x, Rule.ARGMIN) == 1
    assert evaluate_exactly(CANCELLING, exact(x))[0] == Fraction(0.9)
    found = ground_truth(CANCELLING, x, label=0, options=GroundTruthOptions(nodes=50))
    assert not found.already
    assert (found.label, found.decided) == (0, 0)
    assert found.lower <= 0.4 <= found.upper


def test_a_margin_is_demanded_of_the_image_too() -> None:
    identity = dense_network([np.eye(2)], [np.zeros(2)])
    options = GroundTruthOptions(margin=0.5)
    found = ground_truth(identity, np.array([0.4, 0.5]), label=0, options=options)
    assert found.decided == 1
    assert not found.already
    assert found.lower <= 0.2 <= found.upper
    assert found.closed
    met = ground_truth(identity, np.array([0.1, 0.9]), label=0, options=options)
    assert met.already
    assert (met.lower, met.upper) == (0.0, 0.0)


def test_values_that_overflow_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="overflows float64"):
        _ = fused([1e200, 1e200], [1e200, 1e200], [1.0], 1.0).standard_form


@pytest.mark.parametrize("target", [0, 1])
def test_a_row_that_overflows_is_left_out_of_a_query(target: int) -> None:
    """What is left out can only make a query easier to meet: it refutes nothing by itself."""
    network = dense_network([np.zeros((2, 1))], [np.array([1e305, 0.0])])
    ball = Ball(np.zeros(1), -np.ones(1), np.ones(1), Norm.LINF, 1.0)
    with proving():
        bounds = linear_bounds(network.standard_form, ball)
        query = lower(network.standard_form, bounds, ball, beats(target, 2, Rule.ARGMAX)).query
    assert query.constraints == ()
