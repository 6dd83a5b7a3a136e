"""Patches of layers whose numbers act at several places: a kernel's change acts everywhere.

The second opinion unrolls the layer by hand and tries every phase pattern, one linear program over
the kernel's entries each; the library is given an ONNX file and writes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from exact_patch import Rows, TiedCase
from onnx_models import model, node, reference, save

from marapatch.errors import InputError
from marapatch.network.load import load
from marapatch.patching.api import minimal_patch
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch

MARGIN = 0.01
SLACK = 1e-5
"""The second opinion works with the file's float32 numbers but in float64, by scipy."""


def unrolled(
    size: tuple[int, int, int], kernel: tuple[int, ...], stride: int, pad: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which entry of the kernel stands where, and the channel of each output, by plain loops."""
    channels, height, width = size
    made, _, kh, kw = kernel
    oh, ow = (height + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    places = np.full((made * oh * ow, channels * height * width), -1)
    channel = np.zeros(made * oh * ow, dtype=int)
    for m in range(made):
        for r in range(oh):
            for c in range(ow):
                output = (m * oh + r) * ow + c
                channel[output] = m
                for k in range(channels):
                    for i in range(kh):
                        for j in range(kw):
                            y, x = r * stride + i - pad, c * stride + j - pad
                            if 0 <= y < height and 0 <= x < width:
                                entry = ((m * channels + k) * kh + i) * kw + j
                                places[output, (k * height + y) * width + x] = entry
    return places, channel


def dense(places: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.where(places >= 0, numbers.reshape(-1)[np.maximum(places, 0)], 0.0)


@dataclass(frozen=True)
class Given:
    """A file, the input's shape in it, and the same network unrolled by hand."""

    path: Path
    shape: tuple[int, ...]
    case: TiedCase


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers that float32 holds exactly."""
    return rng.normal(size=shape).astype(np.float32).astype(np.float64)


def lead(winner: int, outputs: int) -> list[Rows]:
    rows = np.array(
        [np.eye(outputs)[winner] - row for row in np.delete(np.eye(outputs), winner, 0)]
    )
    return [(rows, np.full(outputs - 1, MARGIN))]


def first_convolution(folder: Path, seed: int) -> Given:
    """Conv (2x2 on 3x3), ReLU, Gemm: the convolution is patched."""
    rng = np.random.default_rng(seed)
    k, b, W, c = draw(rng, 1, 1, 2, 2), draw(rng, 1), draw(rng, 4, 3), draw(rng, 3)
    nodes = [
        node("Conv", ["x", "k", "b"], ["z"]),
        node("Relu", ["z"], ["a"]),
        node("Flatten", ["a"], ["f"]),
        node("Gemm", ["f", "W", "c"], ["y"]),
    ]
    made = model(nodes, ["batch", 1, 3, 3], {"k": k, "b": b, "W": W, "c": c})
    places, channel = unrolled((1, 3, 3), k.shape, 1, 0)
    case = TiedCase(
        [dense(places, k), W.T], [b[channel], c], 0, np.zeros((0, 9)), [], "linf",
        numbers=k.size, places=places, offsets=channel,
    )  # fmt: skip
    return Given(save(made, folder), (1, 3, 3), case)


def inner_convolution(folder: Path, seed: int) -> Given:
    """Gemm, ReLU, Reshape, Conv (2x2, stride 2, padding 1, two channels), ReLU, Gemm: inner."""
    rng = np.random.default_rng(seed)
    V, a = draw(rng, 3, 4), np.abs(draw(rng, 4))
    k, b, W = draw(rng, 2, 1, 2, 2), draw(rng, 2), draw(rng, 8, 3)
    nodes = [
        node("Gemm", ["x", "V", "a"], ["p"]),
        node("Relu", ["p"], ["q"]),
        node("Reshape", ["q", "shape"], ["s"]),
        node("Conv", ["s", "k", "b"], ["z"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["z"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("MatMul", ["f", "W"], ["y"]),
    ]
    constants = {"V": V, "a": a, "k": k, "b": b, "W": W, "shape": np.array([-1, 1, 2, 2])}
    made = model(nodes, ["batch", 3], constants)
    places, channel = unrolled((1, 2, 2), k.shape, 2, 1)
    case = TiedCase(
        [V.T, dense(places, k), W.T], [a, b[channel], np.zeros(3)], 1, np.zeros((0, 3)), [],
        "linf", numbers=k.size, places=places, offsets=channel,
    )  # fmt: skip
    return Given(save(made, folder), (3,), case)


def last_convolution(folder: Path, seed: int) -> Given:
    """Conv, ReLU, Conv, Flatten: the last layer is a convolution, so a linear program."""
    rng = np.random.default_rng(seed)
    first, b = draw(rng, 2, 1, 2, 2), np.abs(draw(rng, 2))
    k, c = draw(rng, 3, 2, 2, 2), draw(rng, 3)
    nodes = [
        node("Conv", ["x", "first", "b"], ["z"]),
        node("Relu", ["z"], ["a"]),
        node("Conv", ["a", "k", "c"], ["w"]),
        node("Flatten", ["w"], ["y"]),
    ]
    made = model(nodes, ["batch", 1, 3, 3], {"first": first, "b": b, "k": k, "c": c})
    before, channel = unrolled((1, 3, 3), first.shape, 1, 0)
    places, classes = unrolled((2, 2, 2), k.shape, 1, 0)
    case = TiedCase(
        [dense(before, first), dense(places, k)], [b[channel], c[classes]], 1, np.zeros((0, 9)),
        [], "linf", numbers=k.size, places=places, offsets=classes,
    )  # fmt: skip
    return Given(save(made, folder), (1, 3, 3), case)


def rows_of_a_product(folder: Path, seed: int) -> Given:
    """MatMul of a (2, 3) input by one W (3, 2), a bias, ReLU, Gemm: W acts on both rows."""
    rng = np.random.default_rng(seed)
    k, b, W = draw(rng, 3, 2), draw(rng, 2), draw(rng, 4, 3)
    nodes = [
        node("MatMul", ["x", "k"], ["m"]),
        node("Add", ["m", "b"], ["z"]),
        node("Relu", ["z"], ["a"]),
        node("Flatten", ["a"], ["f"]),
        node("MatMul", ["f", "W"], ["y"]),
    ]
    made = model(nodes, ["batch", 2, 3], {"k": k, "b": b, "W": W})
    places = np.full((4, 6), -1)
    for row in range(2):
        for o in range(2):  # weights are reported as (outputs, inputs)
            places[2 * row + o, 3 * row : 3 * row + 3] = 3 * o + np.arange(3)
    case = TiedCase(
        [dense(places, k.T), W.T], [np.tile(b, 2), np.zeros(3)], 0, np.zeros((0, 6)), [], "linf",
        numbers=6, places=places, offsets=np.tile([0, 1], 2),
    )  # fmt: skip
    return Given(save(made, folder), (2, 3), case)


MADE = [first_convolution, inner_convolution, last_convolution, rows_of_a_product]
CASES = [
    (make, inputs, bias)
    for make in MADE
    for inputs, bias in [(1, False), (1, True), (2, False)]
    if make is not inner_convolution or inputs == 1  # two of them have 65,536 patterns
]
NAMES = [f"{make.__name__}-{inputs}{'-bias' * bias}" for make, inputs, bias in CASES]


def judged(patch: Patch, given: Given, goals: Sequence[list[Rows]], folder: Path) -> None:
    """The file written holds the patch, and onnxruntime on it meets every goal."""
    path = folder / "patched.onnx"
    patch.save(path)
    written = load(path)
    node_name = patch.layer.node
    assert patch.delta is not None
    moved = written.weights(node_name)[0] - load(given.path).weights(node_name)[0]
    assert (moved == patch.delta).all()
    outputs = reference(str(path), patch.inputs.astype(np.float32), given.shape)
    for y, alternatives in zip(outputs, goals, strict=True):
        assert any((rows @ y >= rhs - 1e-5).all() for rows, rhs in alternatives)


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize(("make", "inputs", "bias"), CASES, ids=NAMES)
def test_shared_numbers_against_every_pattern(
    make: object, inputs: int, bias: bool, norm: str, tmp_path: Path
) -> None:
    given = make(tmp_path, 5)  # type: ignore[operator]
    network = load(given.path)
    points = draw(np.random.default_rng(9), inputs, network.inputs)
    decided = network.evaluate(points).argmax(axis=1)
    wanted = [int(d + 1 + i) % network.outputs for i, d in enumerate(decided)]
    goals = [lead(w, network.outputs) for w in wanted]
    case = replace(given.case, inputs=points, goals=goals, norm=norm, bias=bias)
    optimum = case.optimum()
    patch = minimal_patch(
        network,
        points,
        wanted,
        layer=case.layer,
        norm=norm,
        bias=bias,
        margin=MARGIN,
        options=PatchOptions(nodes=2000),
    )
    assert patch.engine in ("weights", "linear program")
    if optimum == np.inf:
        assert patch.delta is None
        return
    assert patch.closed
    assert patch.lower <= optimum * (1.0 + SLACK)
    assert optimum * (1.0 - SLACK) <= patch.upper <= optimum * (1.0 + 1e-3 + SLACK)
    judged(patch, given, goals, tmp_path)


def test_masks_and_limits_of_a_kernel(tmp_path: Path) -> None:
    """A masked entry stays what it is at every position."""
    given = first_convolution(tmp_path, 5)
    network = load(given.path)
    points = draw(np.random.default_rng(9), 1, 9)
    wanted = [(int(network.evaluate(points).argmax()) + 1) % 3]
    free = np.array([[[[True, False], [True, True]]]])
    case = replace(
        given.case, inputs=points, goals=[lead(wanted[0], 3)], norm="l1", free=free, limit=1.5
    )
    patch = minimal_patch(
        network, points, wanted, layer=0, norm="l1", margin=MARGIN, mask=free, max_change=1.5
    )
    optimum = case.optimum()
    assert (patch.delta is None) == (optimum == np.inf)
    assert patch.lower <= optimum * (1.0 + SLACK)
    if patch.delta is not None:
        assert patch.upper <= optimum * (1.0 + 1e-3 + SLACK)
        assert patch.delta[~free] == 0.0
        assert np.abs(patch.delta).max() <= 1.5


def test_marabou_alone_on_a_convolution(tmp_path: Path) -> None:
    given = first_convolution(tmp_path, 5)
    network = load(given.path)
    points = draw(np.random.default_rng(9), 1, 9)
    wanted = [(int(network.evaluate(points).argmax()) + 1) % 3]
    case = replace(given.case, inputs=points, goals=[lead(wanted[0], 3)])
    options = PatchOptions(search="bisection", tolerance=1e-2, nodes=2000)
    patch = minimal_patch(network, points, wanted, layer=0, margin=MARGIN, options=options)
    optimum = case.optimum()
    assert patch.closed
    assert patch.lower <= optimum * (1.0 + SLACK)
    assert optimum * (1.0 - SLACK) <= patch.upper <= optimum * (1.0 + 1e-2 + SLACK)
    assert {query.backend for query in patch.queries} == {"marabou"}


def test_a_tensor_of_two_layers_is_left_alone(tmp_path: Path) -> None:
    """A change of it would act in both, so that no patch of one layer is one of it."""
    rng = np.random.default_rng(3)
    W, U = draw(rng, 3, 3), draw(rng, 3, 3)
    nodes = [
        node("MatMul", ["x", "W"], ["z"]),
        node("Relu", ["z"], ["a"]),
        node("MatMul", ["a", "U"], ["p"]),
        node("Relu", ["p"], ["q"]),
        node("MatMul", ["q", "W"], ["y"]),
    ]
    path = save(model(nodes, ["batch", 3], {"W": W, "U": U}), tmp_path)
    network = load(path)
    assert [layer.node for layer in network.affine_layers] == ["p"]
    points = np.abs(draw(rng, 1, 3))
    wanted = [(int(network.evaluate(points).argmax()) + 1) % 3]
    goals = [lead(wanted[0], 3)]
    case = TiedCase(
        [W.T, U.T, W.T], [np.zeros(3)] * 3, 1, points, goals, "linf",
        numbers=9, places=np.arange(9).reshape(3, 3), offsets=np.arange(3),
    )  # fmt: skip
    patch = minimal_patch(network, points, wanted, margin=MARGIN)
    optimum = case.optimum()
    assert patch.closed
    assert patch.lower <= optimum * (1.0 + SLACK)
    assert optimum * (1.0 - SLACK) <= patch.upper <= optimum * (1.0 + 1e-3 + SLACK)
    judged(patch, Given(path, (3,), case), goals, tmp_path)


def test_no_layer_has_weights_of_its_own(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "W"], ["z"]), node("MatMul", ["z", "W"], ["y"])]
    network = load(save(model(nodes, ["batch", 2], {"W": np.eye(2)}), tmp_path))
    with pytest.raises(InputError, match="shared by several layers"):
        minimal_patch(network, [1.0, 2.0], 0)
