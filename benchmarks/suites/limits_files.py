"""The large networks, images and properties of the suite of limits, drawn at random."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from marapatch.data.fetch import locate
from marapatch.errors import InputError


def dense(folder: Path, name: str, sizes: Sequence[int], seed: int = 0) -> Path:
    """A random fully connected network, weights scaled so that activations keep their size."""
    rng = np.random.default_rng(seed)
    nodes, tensors, last = [], [], "x"
    for k, (n, m) in enumerate(pairwise(sizes)):
        weight = rng.normal(size=(n, m)) * np.sqrt(2.0 / n)
        tensors += [array(f"w{k}", weight), array(f"b{k}", 0.1 * rng.normal(size=m))]
        nodes.append(helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"z{k}"]))
        last = f"z{k}"
        if k < len(sizes) - 2:
            nodes.append(helper.make_node("Relu", [last], [f"a{k}"]))
            last = f"a{k}"
    return written(folder, name, nodes, tensors, [1, sizes[0]], last, [1, sizes[-1]])


def convolution(folder: Path, name: str, side: int, stride: int, *, pooled: bool) -> Path:
    """A random convolution of ``side`` x ``side`` images, four channels, then ten classes."""
    rng = np.random.default_rng(1)
    kernel, colours = 5, 3 if side > 100 else 1
    made = (side - kernel) // stride + 1
    nodes = [
        helper.make_node("Conv", ["x", "k", "c"], ["z0"], strides=[stride, stride]),
        helper.make_node("Relu", ["z0"], ["a0"]),
    ]
    last = "a0"
    if pooled:
        nodes.append(
            helper.make_node("MaxPool", ["a0"], ["p0"], kernel_shape=[2, 2], strides=[2, 2])
        )
        last, made = "p0", made // 2
    size = 4 * made * made
    nodes += [
        helper.make_node("Flatten", [last], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"]),
    ]
    tensors = [
        array("k", rng.normal(size=(4, colours, kernel, kernel)) / kernel),
        array("c", 0.1 * rng.normal(size=4)),
        array("w", rng.normal(size=(size, 10)) / np.sqrt(size)),
        array("b", 0.1 * rng.normal(size=10)),
    ]
    return written(folder, name, nodes, tensors, [1, colours, side, side], "y", [1, 10])


def array(name: str, values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def written(
    folder: Path,
    name: str,
    nodes: Sequence[Any],
    tensors: Sequence[Any],
    shape: Sequence[int],
    output: str,
    outputs: Sequence[int],
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(outputs))],
        list(tensors),
    )
    opsets = [helper.make_opsetid("", 13)]
    path = folder / f"{name}.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


def image(folder: Path, name: str, *shape: int) -> Path:
    path = folder / f"{name}.npy"
    np.save(path, np.random.default_rng(2).uniform(0.2, 0.8, size=shape).astype(np.float32))
    return path


def specification(
    folder: Path, name: str, shape: Sequence[int], radius: float, outputs: int
) -> Path:
    """That output 1 may lead all others within ``radius`` of the image of this shape."""
    x = np.load(image(folder, f"{name}-image", *shape)).astype(np.float64).ravel().tolist()
    lines = [f"(declare-const X_{i} Real)" for i in range(len(x))]
    lines += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    for i, value in enumerate(x):
        lines.append(f"(assert (>= X_{i} {max(value - radius, 0.0)!r}))")
        lines.append(f"(assert (<= X_{i} {min(value + radius, 1.0)!r}))")
    lines += [f"(assert (>= Y_1 Y_{j}))" for j in range(outputs) if j != 1]
    path = folder / f"{name}.vnnlib"
    path.write_text("\n".join(lines) + "\n")
    return path


def cifar_image(folder: Path, name: str) -> Path:
    """The first image of CIFAR-10's test set, as its networks take it."""
    with np.load(locate("cifar10/cifar10_test_first1000.npz")) as arrays:
        pixels = arrays["images"][0].transpose(2, 0, 1)[None].astype(np.float32) / 255
    path = folder / f"{name}.npy"
    np.save(path, pixels)
    return path


def beside_the_data(name: str) -> Path:
    """A file of a folder next to MARAPATCH_DATA: InputError where there is none."""
    path = Path(os.environ.get("MARAPATCH_DATA", "data")).parent / name
    if not path.exists():
        raise InputError(f"{path}: not on this machine; leave the case out")
    return path


FILES: Mapping[str, Callable[[Path, str], Path]] = {
    "wide": lambda folder, name: dense(folder, name, (784, 256, 256, 1000)),
    "deep": lambda folder, name: dense(folder, name, (784, 512, 512, 512, 512, 10)),
    "large": lambda folder, name: convolution(folder, name, 224, 4, pooled=False),
    "pooled": lambda folder, name: convolution(folder, name, 28, 1, pooled=True),
    "pixels": lambda folder, name: image(folder, name, 784),
    "big": lambda folder, name: image(folder, name, 3, 224, 224),
    "square": lambda folder, name: image(folder, name, 1, 28, 28),
    "near": lambda folder, name: specification(folder, name, (784,), 0.02, 1000),
    "far": lambda folder, name: specification(folder, name, (3, 224, 224), 0.01, 10),
    "tiny": lambda folder, name: image(folder, name, 1, 1, 2, 2),
    "tiny-network": lambda folder, name: beside_the_data("cases/ptime_1039.onnx"),
    "cifar": cifar_image,
    "cifar-network": lambda folder, name: locate("cifar10/onnx/oval_cifar_deep_kw.onnx"),
}
"""How each file is made in a folder, or where it is."""
