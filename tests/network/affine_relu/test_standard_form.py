"""The standard form: the same function, its gradients, and its bounds on rounding."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from exact_networks import Sketch, evaluate_exactly, exact, exact_matrix, random_network
from small_networks import is_chain

from marapatch.network.affine_relu import standard_form
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import pattern
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import (
    Abs,
    Affine,
    Clip,
    Concat,
    Layer,
    LeakyRelu,
    Maximum,
    MaxPool,
    Relu,
    Sum,
)

SEEDS = range(60)


def _one(layer: Layer, outputs: int) -> Network:
    sketch = Sketch(4)
    return sketch.network(sketch.add(layer, "input"), outputs)


def _two(layer: Layer, outputs: int) -> Network:
    """``layer`` on the input and a ReLU of it."""
    sketch = Sketch(4)
    return sketch.network(sketch.add(layer, "input", sketch.add(Relu(), "input")), outputs)


NETWORKS = {
    "affine": (_one(Affine(np.arange(8.0).reshape(2, 4), np.ones(2)), 2), 0),
    "relu": (_one(Relu(), 4), 4),
    "leaky": (_one(LeakyRelu(0.25), 4), 4),
    "leaky, negative": (_one(LeakyRelu(-0.5), 4), 4),
    "abs": (_one(Abs(), 4), 4),
    "clip": (_one(Clip(-0.5, 0.75), 4), 8),
    "clip below": (_one(Clip(-0.5, np.inf), 4), 4),
    "clip above": (_one(Clip(-np.inf, 0.75), 4), 4),
    "clip nowhere": (_one(Clip(-np.inf, np.inf), 4), 0),
    "max pool": (_one(MaxPool(np.array([[0, 1, 2], [3, 3, 1]])), 2), 4),
    "max pool of four": (_one(MaxPool(np.array([[0, 1, 2, 3]])), 1), 3),
    "maximum": (_two(Maximum(), 4), 8),
    "sum": (_two(Sum((0.5, -2.0)), 4), 4),
    "concat": (_two(Concat(), 8), 4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_in_standard_form(name: str) -> None:
    network, relus = NETWORKS[name]
    form = network.standard_form
    assert sum(form.sizes[1:]) == relus
    x = np.random.default_rng(0).normal(size=(200, 4))
    np.testing.assert_allclose(form.evaluate(x), network.evaluate(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_keep_their_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    x = rng.normal(size=(50, 4))
    expected = network.evaluate(x)
    scale = np.abs(expected).max() + 1.0
    for values in network.values(x).values():
        scale = max(scale, np.abs(values).max())
    np.testing.assert_allclose(
        network.standard_form.evaluate(x), expected, rtol=0, atol=1e-11 * scale
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_pullback_is_the_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = random_network(rng, depth=3).standard_form
    x = rng.normal(size=(1, 4))
    direction = rng.normal(size=(1, form.outputs))
    phases = pattern(form, x)
    gradient = form.pullback(phases, direction)[0]
    step = 1e-7
    for i in range(4):
        shift = step * np.eye(4)[i : i + 1]
        if any(
            (a != b).any() or (a != c).any()
            for a, b, c in zip(
                phases, pattern(form, x + shift), pattern(form, x - shift), strict=True
            )
        ):
            continue  # a kink lies within the step
        difference = (form.evaluate(x + shift) - form.evaluate(x - shift)) @ direction[0]
        slack = 1e-4 * (1.0 + np.abs(gradient).max())
        assert difference[0] / (2 * step) == pytest.approx(gradient[i], abs=slack)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_evaluation_error_bounds_the_error(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    network = random_network(rng, depth=6)
    form = network.standard_form
    for _ in range(3):
        x = rng.normal(size=4)
        outputs, bound = form.evaluation_error(x)
        np.testing.assert_array_equal(outputs, form.evaluate(x[None])[0])
        truth = evaluate_exactly(network, exact(x))
        for value, limit, true in zip(outputs, bound, truth, strict=True):
            assert abs(Fraction(float(value)) - true) <= Fraction(float(limit))
        largest = max(np.abs(v).max() for v in network.values(x).values()) + 1.0
        assert bound.max() <= 1e-7 * largest


def test_evaluation_error_where_rounding_decides_a_phase() -> None:
    """0.1 + 0.2 - 0.3 is 2^-55 exactly and 2^-54 in float64; what follows enlarges it."""
    big = 2.0**60
    network = dense_network(
        [np.array([[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]), np.array([[big, big]])],
        [np.zeros(2), np.zeros(1)],
    )
    x = np.array([0.1, 0.2, 0.3])
    outputs, bound = network.standard_form.evaluation_error(x)
    (truth,) = evaluate_exactly(network, exact(x))
    assert truth > 0
    assert Fraction(float(outputs[0])) != truth
    assert abs(Fraction(float(outputs[0])) - truth) <= Fraction(float(bound[0]))


@pytest.mark.parametrize("share", [1.125, 2.0, 100.0])
@pytest.mark.parametrize("exponent", [-62, -80])
def test_evaluation_error_where_an_open_phase_spoils_a_cancellation(
    exponent: int, share: float
) -> None:
    """relu(h) - relu(h + d), h = (x + 1) - 1 + y: while both are active, what h is off by cancels.
    Where h is computed positive but truly negative, it does not.

    1 swallows x. Every weight is 1 or -1 and the sums that follow are exact, so that h is computed
    as y in any order, with fused multiplication or without: the same on every machine.
    """
    d = 2.0**-44
    network = dense_network(
        [
            np.eye(2),
            np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]),
            np.array([[1.0, -1.0, 1.0], [1.0, -1.0, 1.0]]),
            np.array([[1.0, -1.0]]),
        ],
        [np.array([1.0, 0.0]), np.array([-1.0, 1.0, 0.0]), np.array([0.0, d]), np.zeros(1)],
    )
    y = 2.0**exponent
    x = np.array([-share * y, y])
    form = network.standard_form
    assert form.pre_activations(x[None])[0][2][0, 0] == y
    assert Fraction(x[0]) + Fraction(x[1]) < 0
    outputs, bound = form.evaluation_error(x)
    (true,) = evaluate_exactly(network, exact(x))
    assert abs(Fraction(float(outputs[0])) - true) <= Fraction(float(bound[0]))
    assert outputs[0] == -d  # as if both phases were active; truly only the second is
    assert true == -(Fraction(x[0]) + Fraction(x[1]) + Fraction(d))


def test_evaluation_error_of_a_deep_network_lets_signs_cancel() -> None:
    rng = np.random.default_rng(5)
    sizes = (20, *(50,) * 7, 3)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(n, m)) * np.sqrt(2.0 / m) for m, n in pairs]
    network = dense_network(weights, [np.zeros(n) for _, n in pairs])
    x = rng.normal(size=20)
    outputs, bound = network.standard_form.evaluation_error(x)
    truth = evaluate_exactly(network, exact(x))
    errors = [
        abs(Fraction(float(value)) - true) for value, true in zip(outputs, truth, strict=True)
    ]
    assert all(e <= Fraction(float(b)) for e, b in zip(errors, bound, strict=True))
    assert bound.max() < 1e-11


def _coefficients(form: StandardForm, source: int) -> tuple[list[list[Fraction]], np.ndarray]:
    """The output's stored coefficients of ``source``, and their errors."""
    at = form.output.sources.index(source)
    error = form.output.weight_errors[at]
    weight = form.output.weights[at]
    if error is None:
        return exact_matrix(weight), np.zeros(weight.shape)
    return exact_matrix(weight), error.toarray() if sp.issparse(error) else np.asarray(error)


def _matmul(left: list[list[Fraction]], right: list[list[Fraction]]) -> list[list[Fraction]]:
    columns = list(zip(*right, strict=True))
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns]
        for row in left
    ]


def _assert_within(
    stored: list[list[Fraction]], error: np.ndarray, truth: list[list[Fraction]]
) -> None:
    for i, row in enumerate(truth):
        for j, true in enumerate(row):
            assert abs(stored[i][j] - true) <= Fraction(float(error[i, j]))


@pytest.mark.parametrize("seed", range(20))
def test_fused_coefficients_stay_within_their_errors(seed: int) -> None:
    """B leaky(A x + a) + b: s B A and (1 - s) B, and a constant s B a + b."""
    rng = np.random.default_rng(seed)
    A, a, B, b = (rng.normal(size=shape) for shape in ((3, 4), 3, (2, 3), 2))
    slope = 0.1
    sketch = Sketch(4)
    hidden = sketch.add(LeakyRelu(slope), sketch.add(Affine(A, a), "input"))
    form = sketch.network(sketch.add(Affine(B, b), hidden), 2).standard_form
    s = Fraction(slope)
    product = _matmul(exact_matrix(B), exact_matrix(A))
    stored, error = _coefficients(form, 0)
    _assert_within(stored, error, [[s * p for p in row] for row in product])
    stored, error = _coefficients(form, 1)
    _assert_within(stored, error, [[(1 - s) * p for p in row] for row in exact_matrix(B)])
    offset = _matmul(exact_matrix(B), [[v] for v in exact(a)])
    truth = [[s * o[0] + v] for o, v in zip(offset, exact(b), strict=True)]
    bias = [[v] for v in exact(form.output.bias)]
    _assert_within(bias, form.output.bias_error[:, None], truth)


def test_a_leaky_relu_alone_states_its_rounding() -> None:
    """0.1 w and 1 - 0.1 are no float64 numbers in general."""
    A = np.random.default_rng(0).normal(size=(3, 4))
    sketch = Sketch(4)
    inner = sketch.add(Affine(A, np.zeros(3)), "input")
    form = sketch.network(sketch.add(LeakyRelu(0.1), inner), 3).standard_form
    stored, error = _coefficients(form, 0)
    truth = [[Fraction(0.1) * w for w in row] for row in exact_matrix(A)]
    assert stored != truth
    _assert_within(stored, error, truth)
    stored, error = _coefficients(form, 1)
    truth = [[(1 - Fraction(0.1)) * (i == j) for j in range(3)] for i in range(3)]
    assert stored != truth
    _assert_within(stored, error, truth)


def test_errors_are_carried_through_cancellation() -> None:
    """C (B A) with B A nearly 0: its error is far above what C times it would suggest."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(2, 3)) * 1e6
    B = rng.normal(size=(1, 2))
    A[1] = -B[0, 0] * A[0] / B[0, 1]
    C = np.array([[1.5]])
    sketch = Sketch(3)
    last = "input"
    for weight in (A, B, C):
        last = sketch.add(Affine(weight, np.zeros(weight.shape[0])), last)
    stored, error = _coefficients(sketch.network(last, 1).standard_form, 0)
    truth = _matmul(exact_matrix(C), _matmul(exact_matrix(B), exact_matrix(A)))
    assert any(abs(a - b) > abs(b) / 2**45 for a, b in zip(stored[0], truth[0], strict=True))
    _assert_within(stored, error, truth)


def test_two_branches_that_cancel_state_their_rounding() -> None:
    """w x + v x of one source: the sum of the coefficients rounds."""
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)) * 1e-3
    a, b = rng.normal(size=3), rng.normal(size=3) * 1e-3
    sketch = Sketch(2)
    branches = [sketch.add(Affine(*pair), "input") for pair in ((A, a), (B, b))]
    form = sketch.network(sketch.add(Sum((1.0, -1.0)), *branches), 3).standard_form
    stored, error = _coefficients(form, 0)
    rows = zip(exact_matrix(A), exact_matrix(B), strict=True)
    truth = [[p - q for p, q in zip(r, t, strict=True)] for r, t in rows]
    assert stored != truth
    _assert_within(stored, error, truth)
    offsets = [[p - q] for p, q in zip(exact(a), exact(b), strict=True)]
    bias = [[v] for v in exact(form.output.bias)]
    assert bias != offsets
    _assert_within(bias, form.output.bias_error[:, None], offsets)


def test_a_clip_states_the_rounding_of_its_shift() -> None:
    bias = np.random.default_rng(0).normal(size=8)
    sketch = Sketch(1)
    inner = sketch.add(Affine(np.ones((8, 1)), bias), "input")
    form = sketch.network(sketch.add(Clip(-0.3, 0.1), inner), 8).standard_form
    for layer, bound in zip(form.hidden, (-0.3, 0.1), strict=True):
        stored = [[v] for v in exact(layer.bias)]
        truth = [[v - Fraction(bound)] for v in exact(bias)]
        assert stored != truth
        _assert_within(stored, layer.bias_error[:, None], truth)


def test_a_selection_that_repeats_an_entry_is_not_exact() -> None:
    """0.1 x + 0.2 x is 0.30000000000000004 x in float64: the error must be stated."""
    sketch = Sketch(1)
    twice = sketch.add(Affine(sp.csr_array([[1.0], [1.0]]), np.zeros(2)), "input")
    network = sketch.network(sketch.add(Affine(np.array([[0.1, 0.2]]), np.zeros(1)), twice), 1)
    stored, error = _coefficients(network.standard_form, 0)
    assert stored[0][0] != Fraction(0.1) + Fraction(0.2)
    _assert_within(stored, error, [[Fraction(0.1) + Fraction(0.2)]])


def test_chains_and_skips() -> None:
    chain = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    assert is_chain(chain.standard_form)
    assert not is_chain(NETWORKS["sum"][0].standard_form)


def test_plain_layers_are_taken_over_exactly() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(5, 3)), rng.normal(size=(2, 5))]
    form = dense_network(weights, [rng.normal(size=5), rng.normal(size=2)]).standard_form
    for layer, weight in zip((*form.hidden, form.output), weights, strict=True):
        assert layer.weight_errors == (None,)
        assert not layer.bias_error.any()
        np.testing.assert_array_equal(layer.weights[0], weight)


def test_the_error_of_many_outputs_needs_no_square_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources of a first layer are the image: as many outputs as pixels, and no ReLU."""
    sizes: list[int] = []
    eye = np.eye
    monkeypatch.setattr(np, "eye", lambda n, *rest: (sizes.append(n), eye(n, *rest))[1])
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(4, 3)), rng.normal(size=(6, 4))
    linear = dense_network([last @ first], [np.zeros(6)]).standard_form
    bent = dense_network([first, last], [np.zeros(4), np.zeros(6)]).standard_form
    linear.evaluation_error(np.ones(3))
    assert sizes == []
    near = bent.evaluation_error(np.ones(3))[1]
    assert sizes == [6]
    monkeypatch.setattr(standard_form, "MOST_GRADIENTS", 23)
    far = bent.evaluation_error(np.ones(3))[1]
    assert sizes == [6]
    assert (far >= near).all()
    assert (near > 0.0).all()
