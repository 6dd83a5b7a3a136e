"""Network files that nobody exported in earnest: broken, lying about sizes, or without end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
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


def _linked(folder: Path, rng: Random) -> dict[str, object]:
    outside = folder / ".." / f"{folder.name}.outside"
    outside.write_bytes(bytes(16))
    (folder / "weights.bin").symlink_to(outside)
    return {"location": "weights.bin"}


def _piped(folder: Path, rng: Random) -> dict[str, object]:
    os.mkfifo(folder / "weights.bin")
    return {"location": "weights.bin"}


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _cut(rng: Random) -> bytes:
    whole = bytes(good().SerializeToString())
    return whole[: rng.randrange(1, len(whole) - 20)]


def _dims(*sizes: int) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        tensor = made.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(sizes)

    return change


def _nested(rng: Random) -> Any:
    inner = helper.make_graph([], "g", [], [])
    for _ in range(25):
        inner = helper.make_graph([node("If", ["x"], ["t"], then_branch=inner)], "g", [], [])
    return model([node("If", ["x"], ["y"], then_branch=inner)], ["batch", 2])


def _twice(made: Any, rng: Random) -> None:
    made.graph.node.append(node("Relu", ["x"], [rng.choice(["y", "z", "x", "W"])]))


def _cycle(rng: Random) -> Any:
    return model(
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], ["batch", 2], output="b"
    )


def _named(name: str) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        made.graph.node[0].op_type = name

    return change


def _not_utf8(rng: Random) -> bytes:
    made = good()
    made.graph.node[0].output[0] = made.graph.node[1].input[0] = "QQQQ"
    return bytes(made.SerializeToString()).replace(b"QQQQ", b"Q\xff\xfeQ")


def _weight(value: float) -> Callable[[Any, Random], None]:
    def change(made: Any, rng: Random) -> None:
        weights = np.array(WEIGHTS["W"], np.float32)
        weights[rng.randrange(2), rng.randrange(2)] = value
        made.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "W"))

    return change


def _input(elem: int = TensorProto.FLOAT, shape: Sequence[Any] = ("batch", 2)) -> Any:
    def change(made: Any, rng: Random) -> None:
        value = helper.make_tensor_value_info("x", elem, list(shape))
        made.graph.input[0].CopyFrom(value)

    return change


def _sparse(made: Any, rng: Random) -> None:
    values = helper.make_tensor("S", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2**40]))


def _overriding(made: Any, rng: Random) -> None:
    body = [node("Neg", ["a"], ["c"])]
    made.functions.append(
        helper.make_function("", "Relu", ["a"], ["c"], body, [helper.make_opsetid("", 13)])
    )


def _pool(operator: str, **attributes: Any) -> Make:
    return ops(lambda rng: [node(operator, ["x"], ["y"], **attributes)], ("batch", 1, 4, 4))


def _far(shape: Sequence[int]) -> Callable[[Random], Sequence[Any]]:
    return lambda rng: [
        node("Constant", [], ["s"], value=numpy_helper.from_array(np.array(shape, np.int64), "s")),
        node("ConstantOfShape", ["s"], ["c"]),
        node("Add", ["x", "c"], ["y"]),
    ]


def _wide_classes(rng: Random) -> Any:
    count = rng.choice([60_000, 100_000])
    return model([node("Gemm", ["x", "V"], ["y"])], ["batch", 2], {"V": np.ones((2, count))})


def _thin(rng: Random) -> Any:
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


def _sharing(rng: Random) -> Any:
    rows = rng.choice([200_000, 300_000])
    return model([node("MatMul", ["x", "V"], ["y"])], ["batch", rows, 16], {"V": np.ones((16, 64))})


def _expanded(rng: Random) -> Any:
    nodes = [node("Expand", ["s", "to"], ["V"]), node("MatMul", ["x", "V"], ["y"])]
    size = rng.choice([2**31, 2**36])
    return model(nodes, ["batch", 2], {"s": np.ones((2, 1)), "to": integers(2, size)})


def _attribute(operator: str, **attributes: Any) -> Make:
    return ops(lambda rng: [node(operator, ["x"], ["y"], **attributes)])


def _move(operator: str, *values: int) -> Make:
    return ops(lambda rng: [node(operator, ["x", "c"], ["y"])], c=integers(*values))


NETWORKS: dict[str, Make] = {
    "empty": content(lambda rng: b""),
    "text": content(lambda rng: b"this is no network\n" * rng.randrange(1, 99)),
    "zeros": content(lambda rng: bytes(2**20)),
    "random bytes": content(lambda rng: rng.randbytes(rng.randrange(10, 9999))),
    "cut off": content(_cut),
    "cut off elsewhere": content(_cut),
    "length beyond the end": content(lambda rng: b"\x3a" + _varint(rng.choice(HUGE)) + b"\0" * 9),
    "number without end": content(lambda rng: b"\xff" * 40),
    "100,000 empty operators": content(lambda rng: _message(7, b"\x0a\0" * 100_000)),
    "a million empty attributes": content(
        lambda rng: _message(7, _message(1, b"\x2a\0" * 1_000_000))
    ),
    "a million inputs of an operator": content(
        lambda rng: _message(7, _message(1, b"\x0a\0" * 1_000_000))
    ),
    "a million operator sets": content(lambda rng: b"\x42\0" * 1_000_000),
    "nested graphs": graph(_nested),
    "training graphs": content(lambda rng: b"\xa2\x01\0" * 1_000_000),
    "20,000 ReLUs": chain(20_000, "Relu"),
    "20,000 residual sums": chain(20_000, "Add"),
    "20,000 reshuffles": chain(20_000, "Identity"),
    "5,000 layers": chain(5_000, "Gemm"),
    "9,000 sums": chain(9_000, "Add"),
    "Concat doubling": doubling(lambda a, b, i: [node("Concat", [a, a], [b], axis=1)]),
    "Gather doubling": doubling(
        lambda a, b, i: (
            [
                node("Gather", [a, "two"], [f"{b}/g"], axis=0),
                node("Reshape", [f"{b}/g", "all"], [b]),
            ]
            if i
            else [
                node("Constant", [], ["all"], value_ints=[1, -1]),
                node("Concat", [a, a], [b], axis=1),
            ]
        )
    ),
    "Pad doubling": doubling(
        lambda a, b, i: [
            node("Constant", [], [f"p{i}"], value_ints=[0, 0, 0, 2 ** (i + 1)]),
            node("Pad", [a, f"p{i}"], [b]),
        ]
    ),
    "Expand doubling": doubling(
        lambda a, b, i: [
            node("Unsqueeze", [a, "one"], [f"{b}/u"]),
            node("Constant", [], [f"s{i}"], value_ints=[1, 2, 1]),
            node("Expand", [f"{b}/u", f"s{i}"], [f"{b}/e"]),
            node("Flatten", [f"{b}/e"], [b]),
        ]
    ),
    "constants doubling": ops(
        lambda rng: [
            node("Constant", [], ["c0"], value_ints=[1, 2]),
            *(node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(45)),
            node("Add", ["x", "c45"], ["y"]),
        ]
    ),
    "broadcasting a square": ops(
        lambda rng: [
            node("Expand", ["x", "to"], ["a"]),
            node("Transpose", ["a"], ["c"], perm=[1, 0]),
            node("Add", ["a", "c"], ["y"]),
        ],
        ("batch", 1),
        to=integers(1, 3_000_000),
    ),
    "Expand to a huge shape": _move("Expand", 2**31, 2**31, 2),
    "Expand to a large shape": _move("Expand", 50_000, 4_000, 2),
    "ConstantOfShape, huge": ops(_far([2**40])),
    "ConstantOfShape, overflowing": ops(_far([2**40, 2**40])),
    "ConstantOfShape, large": ops(_far([30_000, 20_000])),
    "ConstantOfShape, negative": ops(_far([-5])),
    "ConstantOfShape of a thousand axes": ops(_far([2] * 1000)),
    "Range without end": ops(
        lambda rng: [
            node("Constant", [], ["lo"], value_int=0),
            node("Constant", [], ["hi"], value_int=rng.choice(HUGE)),
            node("Constant", [], ["by"], value_int=1),
            node("Range", ["lo", "hi", "by"], ["c"]),
            node("Add", ["x", "c"], ["y"]),
        ]
    ),
    "Pad, huge": _move("Pad", 0, 0, 0, 2**40),
    "Pad, overflowing": _move("Pad", 0, 2**62, 0, 2**62),
    "Pad by reflection, huge": ops(
        lambda rng: [node("Pad", ["x", "c"], ["y"], mode="reflect")], c=integers(0, 0, 0, 2**35)
    ),
    "average over huge padding": _pool("AveragePool", kernel_shape=[2, 2], pads=[2**30] * 4),
    "maximum over huge padding": _pool("MaxPool", kernel_shape=[2, 2], pads=[2**20] * 4),
    "a huge window": _pool(
        "AveragePool", kernel_shape=[2**20, 2**20], pads=[2**20] * 4, count_include_pad=1
    ),
    "convolution of a huge padding": ops(
        lambda rng: [node("Conv", ["x", "K"], ["y"], pads=[2**25] * 4)],
        ("batch", 1, 4, 4),
        K=np.ones((2, 1, 3, 3)),
    ),
    "convolution of a large image": ops(
        lambda rng: [node("Conv", ["x", "K"], ["y"])],
        ("batch", 3, 2000, 2000),
        K=np.ones((64, 3, 3, 3)),
    ),
    "a matrix for many rows": graph(_sharing),
    "weights expanded": graph(_expanded),
    "60,000 classes": graph(_wide_classes),
    "a tensor of 2^40 numbers without data": edited(_dims(2**40)),
    "sizes that overflow": edited(_dims(2**32, 2**32)),
    "a negative size": edited(_dims(-2, -2)),
    "a thousand axes": edited(_dims(*[1] * 1000)),
    "an empty matrix": edited(_dims(0, 2)),
    "a huge input": edited(_input(shape=("batch", 2**40))),
    "a large input": edited(_input(shape=("batch", 50_000, 2_000))),
    "an input that overflows": edited(_input(shape=("batch", 2**40, 2**40))),
    "a batch of 0": edited(_input(shape=(0, 2))),
    "an axis of 0": edited(_input(shape=("batch", 0))),
    "a negative axis": edited(_input(shape=("batch", -3))),
    "a thousand input axes": edited(_input(shape=("batch", *[1] * 1000))),
    "a dynamic axis with a long name": edited(_input(shape=("batch", "w" * 100_000))),
    "input of strings": edited(_input(TensorProto.STRING)),
    "input of truth values": edited(_input(TensorProto.BOOL)),
    "input of a type without a name": edited(_input(9999)),
    "a name defined twice": edited(_twice),
    "an initializer twice": edited(
        lambda m, rng: m.graph.initializer.append(m.graph.initializer[0])
    ),
    "an input twice": edited(lambda m, rng: m.graph.input.append(m.graph.input[0])),
    "a cycle": graph(_cycle),
    "an operator that feeds itself": ops(lambda rng: [node("Add", ["x", "y"], ["y"])]),
    "an input that is nowhere": ops(lambda rng: [node("Add", ["x", "nowhere"], ["y"])]),
    "no outputs": edited(lambda m, rng: m.graph.ClearField("output")),
    "an output that nobody makes": edited(lambda m, rng: m.graph.output.add(name="nobody")),
    "output in place of the input": edited(
        lambda m, rng: setattr(m.graph.output[0], "name", "nobody")
    ),
    "no inputs": edited(lambda m, rng: m.graph.ClearField("input")),
    "20,000 inputs": edited(
        lambda m, rng: m.graph.input.extend(
            onnx.ValueInfoProto(name=f"i{k}") for k in range(20_000)
        )
    ),
    "NaN among the weights": edited(_weight(np.nan)),
    "infinity among the weights": edited(_weight(-np.inf)),
    "weights that are words": edited(
        lambda m, rng: m.graph.initializer[0].CopyFrom(
            helper.make_tensor("W", TensorProto.STRING, [2, 2], [b"a", b"b", b"c", b"d"])
        )
    ),
    "weights of a type that is none": edited(
        lambda m, rng: setattr(m.graph.initializer[0], "data_type", 777)
    ),
    "too few weights": edited(
        lambda m, rng: setattr(m.graph.initializer[0], "raw_data", bytes(rng.randrange(15)))
    ),
    "sparse weights": edited(_sparse),
    "a name that is no text": content(_not_utf8),
    "a name that moves the cursor": edited(_named("\x1b[2J\x07\r\nRelu\t" * 9)),
    "a name of a million letters": edited(_named("R" * 1_000_000)),
    "an operator set from the future": edited(
        lambda m, rng: setattr(m.opset_import[0], "version", rng.choice([10**6, 2**62]))
    ),
    "an operator set from the past": edited(
        lambda m, rng: setattr(m.opset_import[0], "version", rng.choice([-5, 0, 3]))
    ),
    "a domain of its own": edited(lambda m, rng: setattr(m.graph.node[0], "domain", "my.own")),
    "a Relu of its own": edited(_overriding),
    "Slice to nothing": ops(
        lambda rng: [node("Slice", ["x", "c", "c", "d"], ["y"])], c=integers(1), d=integers(1)
    ),
    "Slice by 0": ops(
        lambda rng: [node("Slice", ["x", "c", "d", "d", "c"], ["y"])], c=integers(0), d=integers(1)
    ),
    "Reshape to another size": _move("Reshape", 7, 9),
    "Reshape by a list of 100,000": _move("Reshape", *[1] * 100_000),
    "Reshape by fractions": ops(lambda rng: [node("Reshape", ["x", "b"], ["y"])]),
    "Transpose of axes that are not there": _attribute("Transpose", perm=[5, -9]),
    "an axis of 2^62": _attribute("Concat", axis=2**62),
    "Gather beyond the end": _move("Gather", 2**40),
    "Gather by fractions": ops(lambda rng: [node("Gather", ["x", "b"], ["y"])]),
    "LeakyRelu of NaN": _attribute("LeakyRelu", alpha=float("nan")),
    "Clip the wrong way": ops(
        lambda rng: [node("Clip", ["x", "lo", "hi"], ["y"])], lo=np.array(1.0), hi=np.array(-1.0)
    ),
    "an attribute of another type": _attribute("LeakyRelu", alpha="steep"),
    "an attribute of a million numbers": _attribute("Transpose", perm=[0] * 1_000_000),
    "division by zero": ops(lambda rng: [node("Div", ["x", "o"], ["y"])], o=np.zeros(2)),
    "a negative variance": ops(
        lambda rng: [node("BatchNormalization", ["x", "b", "b", "b", "v"], ["y"])], v=-np.ones(2)
    ),
    "weights elsewhere: missing": external(lambda f, rng: {"location": "gone.bin"}),
    "weights elsewhere: no name": external(lambda f, rng: {}),
    "weights elsewhere: from the root": external(lambda f, rng: {"location": "/etc/passwd"}),
    "weights elsewhere: up and away": external(
        lambda f, rng: {"location": f"../{f.name}/{beside(f, 16)}"}
    ),
    "weights elsewhere: a link": external(_linked),
    "weights elsewhere: a folder": external(lambda f, rng: {"location": "."}),
    "weights elsewhere: a pipe": external(_piped),
    "weights elsewhere: a device": external(lambda f, rng: {"location": "/dev/zero"}),
    "weights elsewhere: too short": external(
        lambda f, rng: {"location": beside(f, rng.randrange(16))}
    ),
    "weights elsewhere: beyond the end": external(
        lambda f, rng: {"location": beside(f, 16), "offset": rng.choice(HUGE)}
    ),
    "weights elsewhere: before the beginning": external(
        lambda f, rng: {"location": beside(f, 64), "offset": -rng.randrange(1, 9)}
    ),
    "weights elsewhere: far too many": external(
        lambda f, rng: {"location": beside(f, 64), "length": rng.choice(HUGE)}
    ),
    "weights elsewhere: no number": external(
        lambda f, rng: {"location": beside(f, 64), "offset": "9" * 5000}
    ),
    "weights elsewhere: a name without end": external(lambda f, rng: {"location": "w" * 100_000}),
}
"""Every kind, by its name."""

THIN: Make = graph(_thin)
"""Refused only where the layers are multiplied out, so for commands that do that."""
