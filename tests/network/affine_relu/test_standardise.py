"""From layers to affine maps and ReLUs: the same function, with errors stated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from exact_networks import Sketch, exact, exact_matrix
from layered_networks import NETWORKS

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import dense_network
from marapatch.network.layers import Affine, Clip, LeakyRelu, Sum


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_in_standard_form(name: str) -> None:
    network, relus = NETWORKS[name]
    form = network.standard_form
    assert sum(form.sizes[1:]) == relus
    x = np.random.default_rng(0).normal(size=(200, 4))
    np.testing.assert_allclose(form.evaluate(x), network.evaluate(x), rtol=0, atol=1e-14)


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


def test_plain_layers_are_taken_over_exactly() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(5, 3)), rng.normal(size=(2, 5))]
    form = dense_network(weights, [rng.normal(size=5), rng.normal(size=2)]).standard_form
    for layer, weight in zip((*form.hidden, form.output), weights, strict=True):
        assert layer.weight_errors == (None,)
        assert not layer.bias_error.any()
        np.testing.assert_array_equal(layer.weights[0], weight)
