"""The checker's own standard form: what it says of every coefficient is true, and it is in step
with the search's, since records number neurons by it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import exact_values
import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from recorded_trees import built
from small_networks import branching_network

from marapatch.certificates.recheck import recheck_tree
from marapatch.certificates.recheck_form import form_of
from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.exact import exact_outputs
from marapatch.network.graph import Network
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
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm

RNG = np.random.default_rng(0)


def chain(layers: list[Layer], inputs: int, outputs: int) -> Network:
    graph = nx.DiGraph()
    graph.add_node("input")
    last = "input"
    for k, layer in enumerate(layers):
        graph.add_node(f"n{k}", layer=layer, inputs=(last,))
        graph.add_edge(last, f"n{k}")
        last = f"n{k}"
    return Network(graph, "input", last, (inputs,), (outputs,), np.dtype(np.float64))


def affine(rows: int, columns: int, *, sparse: bool = False, spread: float = 0.0) -> Affine:
    shape = (rows, columns)
    weight = RNG.normal(size=shape) * 10.0 ** RNG.uniform(-spread, spread, shape)
    weight = np.where(RNG.random(shape) < 0.4, 0.0, weight) if sparse else weight
    bias = RNG.normal(size=rows) * 10.0 ** RNG.uniform(-spread, spread, rows)
    return Affine(sp.csr_array(weight) if sparse else weight, bias)


def dense(matrix: object) -> np.ndarray:
    return np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix)  # type: ignore[attr-defined]


def parts(layer: AffineMap, source: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their errors, of one source."""
    nothing = np.zeros((layer.outputs, width))
    if source not in layer.sources:
        return nothing, nothing
    i = layer.sources.index(source)
    error = layer.weight_errors[i]
    return dense(layer.weights[i]), nothing if error is None else dense(error)


def fused(layers: list[Affine]) -> tuple[list[list[Fraction]], list[Fraction]]:
    """The exact matrix and bias of affine layers one after the other."""
    columns = layers[0].weight.shape[1]
    matrix = [[Fraction(int(i == j)) for j in range(columns)] for i in range(columns)]
    bias = [Fraction(0)] * columns
    for layer in layers:
        weight = [[Fraction(v) for v in row] for row in dense(layer.weight).tolist()]
        matrix = [
            [sum(w * m[j] for w, m in zip(row, matrix, strict=True)) for j in range(columns)]
            for row in weight
        ]
        bias = [
            sum(w * b for w, b in zip(row, bias, strict=True)) + Fraction(c)
            for row, c in zip(weight, layer.bias.tolist(), strict=True)
        ]
    return matrix, bias


@pytest.mark.parametrize("spread", [0.0, 8.0, 90.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_fused_coefficients_are_within_their_errors(sparse: bool, spread: float) -> None:
    """Also where products of them underflow to 0."""
    for _ in range(4):
        sizes = (3, 4, 3, 2)
        layers = [affine(b, a, sparse=sparse, spread=spread) for a, b in pairwise(sizes)]
        output = form_of(chain([*layers], 3, 2)).output
        matrix, bias = fused(layers)
        weight, error = parts(output, 0, 3)
        for i in range(2):
            for j in range(3):
                assert abs(Fraction(weight[i, j]) - matrix[i][j]) <= Fraction(error[i, j])
            assert abs(Fraction(output.bias[i]) - bias[i]) <= Fraction(output.bias_error[i])


def test_a_product_that_underflows_keeps_its_error() -> None:
    """Three maps whose product is 1e-1 x and whose stored product is 0."""
    layers = [Affine(np.array([[w]]), np.zeros(1)) for w in (1e-200, 1e-200, 1e300)]
    output = form_of(chain([*layers, Affine(np.array([[1e99]]), np.zeros(1))], 1, 1)).output
    weight, error = parts(output, 0, 1)
    assert weight[0, 0] == 0.0
    assert error[0, 0] >= 0.1


def test_selections_and_changes_of_sign_are_exact() -> None:
    twice = Affine(sp.csr_array(np.array([[0.0, 1, 0], [-1, 0, 0], [0, 1, 0]])), np.zeros(3))
    once = Affine(sp.csr_array(np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])), np.zeros(3))
    for layers in ([affine(3, 2), twice, Relu()], [once, affine(2, 3), Relu()]):
        first = form_of(chain(layers, layers[0].weight.shape[1], 2)).hidden[0]
        assert all(error is None for error in first.weight_errors)
        assert not first.bias_error.any()
    added = form_of(chain([twice, affine(2, 3), Relu()], 3, 2)).hidden[0]  # x1 is taken twice
    error = parts(added, 0, 3)[1]
    assert (error[:, 1] > 0.0).all()
    assert not error[:, [0, 2]].any()


def kinds() -> dict[str, Network]:
    """Networks of every layer there is."""
    groups = np.array([[0, 1, 2], [3, 4, 4], [5, 0, 2]])
    networks = {
        "leaky": chain([affine(3, 2), LeakyRelu(0.1), affine(2, 3)], 2, 2),
        "steep leaky": chain([affine(3, 2), LeakyRelu(-1.7), affine(2, 3)], 2, 2),
        "abs": chain([affine(3, 2), Abs(), affine(2, 3)], 2, 2),
        "clip": chain([affine(3, 2), Clip(-0.3, 0.4), affine(2, 3)], 2, 2),
        "clip below": chain([affine(3, 2), Clip(0.1, np.inf), affine(2, 3)], 2, 2),
        "clip above": chain([affine(3, 2), Clip(-np.inf, 0.4), affine(2, 3)], 2, 2),
        "pool": chain([affine(6, 2), MaxPool(groups), affine(2, 3)], 2, 2),
        "constant": chain([Affine(np.zeros((2, 2)), np.array([1.0, 2.0]))], 2, 2),
        "branching": branching_network(np.random.default_rng(5), 2, 2),
    }
    graph = nx.DiGraph()
    graph.add_node("input")
    for name, layer, taken in (
        ("a", affine(3, 2), ("input",)),
        ("r", Relu(), ("a",)),
        ("b", affine(3, 3), ("r",)),
        ("m", Maximum(), ("a", "b", "r", "b", "a")),
        ("s", Sum((0.3, -1.0, 2.0)), ("m", "a", "r")),
        ("c", Concat(), ("s", "input", "m")),
        ("o", affine(2, 8), ("c",)),
    ):
        graph.add_node(name, layer=layer, inputs=taken)
        graph.add_edges_from((p, name) for p in taken)
    networks["graph"] = Network(graph, "input", "o", (2,), (2,), np.dtype(np.float64))
    return networks


KINDS = kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_network_and_in_step_with_the_searchs_form(kind: str) -> None:
    network = KINDS[kind]
    mine, theirs = form_of(network), network.standard_form
    assert mine.sizes == theirs.sizes
    pairs = zip((*mine.hidden, mine.output), (*theirs.hidden, theirs.output), strict=True)
    for a, b in pairs:
        for source, width in enumerate(mine.sizes):
            (weight, error), (other, doubt) = parts(a, source, width), parts(b, source, width)
            assert (np.abs(weight - other) <= error + doubt).all()
            assert (error <= 1e-13 * (1.0 + np.abs(weight))).all()
        assert (np.abs(a.bias - b.bias) <= a.bias_error + b.bias_error).all()
    ball = Ball(np.zeros(2), np.full(2, -2.0), np.full(2, 2.0), Norm.LINF, 2.0)
    for x in exact_values.points(ball, np.random.default_rng(1), 5):
        _, outputs = exact_values.evaluate(mine, x)
        for y, z in zip(outputs, exact_outputs(network, x), strict=True):
            assert abs(y - z) <= 1e-10  # up to the coefficients' errors


def test_a_layer_that_is_no_piece_of_a_line_is_refused() -> None:
    class Cubed:
        def __call__(self, *inputs: np.ndarray) -> np.ndarray:
            return np.asarray(inputs[0] ** 3)

    with pytest.raises(UnsupportedOperatorError, match=r"n0: Cubed .* not piecewise linear"):
        form_of(chain([Cubed()], 1, 1))


def test_what_overflows_is_refused() -> None:
    layers = [Affine(np.array([[1e200]]), np.zeros(1)), Affine(np.array([[1e200]]), np.zeros(1))]
    with pytest.raises(InputError, match="overflow"):
        form_of(chain([*layers], 1, 1))


def test_what_underflows_between_fused_layers_is_not_proved_away() -> None:
    """y0 = x + 0.1 - 0.2 by way of 1e-200 twice: at a distance of 0.1 class 0 wins."""
    down = [Affine(np.array([[1e-200]]), np.zeros(1)), Affine(np.array([[1e-200]]), np.zeros(1))]
    up = [Affine(np.array([[1e200]]), np.zeros(1)), Affine(np.array([[1e200]]), np.zeros(1))]
    last = Affine(np.array([[1.0], [0.0]]), np.array([0.0, 0.1]))
    network = chain([*down, *up, last], 1, 2)
    ball = Ball(np.zeros(1), np.zeros(1), np.ones(1), Norm.LINF, np.inf)
    record = built([(-1, 0, 0)], 0, 1, 0.5)
    form: StandardForm = form_of(network)
    assert recheck_tree(record, form, ball, beats(0, 2, Rule.ARGMAX)).radius <= 0.1
