"""How network files are broken: pieces of the table of hostile networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx_models import integers, model, node

Make = Callable[[Path, Random], str]
"""Writes into a folder; returns the name of the file to give to a command."""


WEIGHTS = {"W": np.array([[1.0, -1.0], [0.5, 2.0]]), "b": np.array([0.25, 0.0])}


GOOD = [node("Gemm", ["x", "W", "b"], ["z"]), node("Relu", ["z"], ["y"])]


HUGE = (2**33, 2**40, 2**62)


def good() -> Any:
    """A network of two inputs and two classes."""
    return model(GOOD, ["batch", 2], WEIGHTS)


def content(of: Callable[[Random], bytes], name: str = "net.onnx") -> Make:
    """A file of these bytes."""

    def make(folder: Path, rng: Random) -> str:
        (folder / name).write_bytes(of(rng))
        return name

    return make


def graph(of: Callable[[Random], Any]) -> Make:
    """A file of this model."""
    return content(lambda rng: of(rng).SerializeToString())


def ops(
    nodes: Callable[[Random], Sequence[Any]], shape: Sequence[Any] = ("batch", 2), **constants: Any
) -> Make:
    """A file of these nodes, from x to y."""
    return graph(lambda rng: model(nodes(rng), list(shape), {**WEIGHTS, **constants}))


def edited(change: Callable[[Any, Random], None]) -> Make:
    """The good network with something changed."""

    def of(rng: Random) -> Any:
        made = good()
        change(made, rng)
        return made

    return graph(of)


def chain(count: int, operator: str) -> Make:
    """One operator after the other."""

    def of(rng: Random) -> Any:
        names = ["x", *(f"t{i}" for i in range(count - 1)), "y"]
        pairs = pairwise(names)
        extra = {"Add": ["x"], "MatMul": ["W"], "Gemm": ["W", "b"]}.get(operator, [])
        return model([node(operator, [a, *extra], [b]) for a, b in pairs], ["batch", 2], WEIGHTS)

    return graph(of)


def doubling(step: Callable[[str, str, int], Sequence[Any]], times: int = 45) -> Make:
    """A tensor that becomes twice as large at every step."""

    def of(rng: Random) -> Any:
        nodes = [part for i in range(times) for part in step(f"t{i}", f"t{i + 1}", i)]
        nodes = [node("Identity", ["x"], ["t0"]), *nodes, node("Relu", [f"t{times}"], ["y"])]
        return model(nodes, ["batch", 2], {"two": integers(0, 0), "one": integers(1)})

    return graph(of)


def external(about: Callable[[Path, Random], dict[str, object]]) -> Make:
    """The good network, its matrix said to be in another file."""

    def make(folder: Path, rng: Random) -> str:
        made = good()
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in about(folder, rng).items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        (folder / "net.onnx").write_bytes(made.SerializeToString())
        return "net.onnx"

    return make


def beside(folder: Path, size: int) -> str:
    """A file of weights beside the network."""
    (folder / "weights.bin").write_bytes(bytes(size))
    return "weights.bin"


def linked(folder: Path, rng: Random) -> dict[str, object]:
    outside = folder / ".." / f"{folder.name}.outside"
    outside.write_bytes(bytes(16))
    (folder / "weights.bin").symlink_to(outside)
    return {"location": "weights.bin"}


def piped(folder: Path, rng: Random) -> dict[str, object]:
    os.mkfifo(folder / "weights.bin")
    return {"location": "weights.bin"}


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def message(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def cut(rng: Random) -> bytes:
    whole = bytes(good().SerializeToString())
    return whole[: rng.randrange(1, len(whole) - 20)]


def dims(*sizes: int) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        tensor = made.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(sizes)

    return change


def nested(rng: Random) -> Any:
    inner = helper.make_graph([], "g", [], [])
    for _ in range(25):
        inner = helper.make_graph([node("If", ["x"], ["t"], then_branch=inner)], "g", [], [])
    return model([node("If", ["x"], ["y"], then_branch=inner)], ["batch", 2])


def twice(made: Any, rng: Random) -> None:
    made.graph.node.append(node("Relu", ["x"], [rng.choice(["y", "z", "x", "W"])]))


def cycle(rng: Random) -> Any:
    return model(
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], ["batch", 2], output="b"
    )


def named(name: str) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        made.graph.node[0].op_type = name

    return change


def not_utf8(rng: Random) -> bytes:
    made = good()
    made.graph.node[0].output[0] = made.graph.node[1].input[0] = "QQQQ"
    return bytes(made.SerializeToString()).replace(b"QQQQ", b"Q\xff\xfeQ")


def weight(value: float) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        weights = np.array(WEIGHTS["W"], np.float32)
        weights[rng.randrange(2), rng.randrange(2)] = value
        made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "W"))

    return change


def input_of(elem: int = TensorProto.FLOAT, shape: Sequence[Any] = ("batch", 2)) -> Any:
    def change(made: Any, rng: Random) -> None:
        value = helper.make_tensor_value_info("x", elem, list(shape))
        made.graph.input[0].CopyFrom(value)

    return change


def sparse(made: Any, rng: Random) -> None:
    values = helper.make_tensor("S", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**40]))


def overriding(made: Any, rng: Random) -> None:
    body = [node("Neg", ["a"], ["c"])]
    made.functions.append(
        helper.make_function("", "Relu", ["a"], ["c"], body, [helper.make_opsetid("", 13)])
    )


def pool(operator: str, **attributes: Any) -> Make:
    return ops(lambda rng: [node(operator, ["x"], ["y"], **attributes)], ("batch", 1, 4, 4))


def far(shape: Sequence[int]) -> Callable[[Random], Sequence[Any]]:
    return lambda rng: [
        node("Constant", [], ["s"], value=numpy_helper.from_array(np.array(shape, np.int64), "s")),
        node("ConstantOfShape", ["s"], ["c"]),
        node("Add", ["x", "c"], ["y"]),
    ]


def wide_classes(rng: Random) -> Any:
    count = rng.choice([60_000, 100_000])
    return model([node("Gemm", ["x", "V"], ["y"])], ["batch", 2], {"V": np.ones((2, count))})


def thin(rng: Random) -> Any:
    """Two affine layers whose product is far larger than both."""
    size = rng.choice([40_000, 60_000])
    nodes = [
        node("MatMul", ["x", "A"], ["a"]),
        node("MatMul", ["a", "B"], ["c"]),
        node("Relu", ["c"], ["d"]),
        node("MatMul", ["d", "C"], ["y"]),
    ]
    constants = {"A": np.ones((size, 1)), "B": np.ones((1, size)), "C": np.ones((size, 2))}
    return model(nodes, ["batch", size], constants)


def sharing(rng: Random) -> Any:
    rows = rng.choice([200_000, 300_000])
    return model([node("MatMul", ["x", "V"], ["y"])], ["batch", rows, 16], {"V": np.ones((16, 64))})


def expanded(rng: Random) -> Any:
    nodes = [node("Expand", ["s", "to"], ["V"]), node("MatMul", ["x", "V"], ["y"])]
    size = rng.choice([2**31, 2**36])
    return model(nodes, ["batch", 2], {"s": np.ones((2, 1)), "to": integers(2, size)})


def attribute(operator: str, **attributes: Any) -> Make:
    return ops(lambda rng: [node(operator, ["x"], ["y"], **attributes)])


def move(operator: str, *values: int) -> Make:
    return ops(lambda rng: [node(operator, ["x", "c"], ["y"])], c=integers(*values))
