"""Network files that nobody exported in earnest: broken, lying about sizes, or without end."""

from __future__ import annotations

import numpy as np
import onnx
from hostile_models import (
    HUGE,
    Make,
    attribute,
    beside,
    chain,
    content,
    cut,
    cycle,
    dims,
    doubling,
    edited,
    expanded,
    external,
    far,
    graph,
    input_of,
    linked,
    message,
    move,
    named,
    nested,
    not_utf8,
    ops,
    overriding,
    piped,
    pool,
    sharing,
    sparse,
    thin,
    twice,
    varint,
    weight,
    wide_classes,
)
from onnx import TensorProto, helper
from onnx_models import integers, node

NETWORKS: dict[str, Make] = {
    "empty": content(lambda rng: b""),
    "text": content(lambda rng: b"this is no network\n" * rng.randrange(1, 99)),
    "zeros": content(lambda rng: bytes(2**20)),
    "random bytes": content(lambda rng: rng.randbytes(rng.randrange(10, 9999))),
    "cut off": content(cut),
    "cut off elsewhere": content(cut),
    "length beyond the end": content(lambda rng: b"\x3a" + varint(rng.choice(HUGE)) + b"\0" * 9),
    "number without end": content(lambda rng: b"\xff" * 40),
    "100,000 empty operators": content(lambda rng: message(7, b"\x0a\0" * 100_000)),
    "a million empty attributes": content(
        lambda rng: message(7, message(1, b"\x2a\0" * 1_000_000))
    ),
    "a million inputs of an operator": content(
        lambda rng: message(7, message(1, b"\x0a\0" * 1_000_000))
    ),
    "a million operator sets": content(lambda rng: b"\x42\0" * 1_000_000),
    "nested graphs": graph(nested),
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
    "Expand to a huge shape": move("Expand", 2**31, 2**31, 2),
    "Expand to a large shape": move("Expand", 50_000, 4_000, 2),
    "ConstantOfShape, huge": ops(far([2**40])),
    "ConstantOfShape, overflowing": ops(far([2**40, 2**40])),
    "ConstantOfShape, large": ops(far([30_000, 20_000])),
    "ConstantOfShape, negative": ops(far([-5])),
    "ConstantOfShape of a thousand axes": ops(far([2] * 1000)),
    "Range without end": ops(
        lambda rng: [
            node("Constant", [], ["lo"], value_int=0),
            node("Constant", [], ["hi"], value_int=rng.choice(HUGE)),
            node("Constant", [], ["by"], value_int=1),
            node("Range", ["lo", "hi", "by"], ["c"]),
            node("Add", ["x", "c"], ["y"]),
        ]
    ),
    "Pad, huge": move("Pad", 0, 0, 0, 2**40),
    "Pad, overflowing": move("Pad", 0, 2**62, 0, 2**62),
    "Pad by reflection, huge": ops(
        lambda rng: [node("Pad", ["x", "c"], ["y"], mode="reflect")], c=integers(0, 0, 0, 2**35)
    ),
    "average over huge padding": pool("AveragePool", kernel_shape=[2, 2], pads=[2**30] * 4),
    "maximum over huge padding": pool("MaxPool", kernel_shape=[2, 2], pads=[2**20] * 4),
    "a huge window": pool(
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
    "a matrix for many rows": graph(sharing),
    "weights expanded": graph(expanded),
    "60,000 classes": graph(wide_classes),
    "a tensor of 2^40 numbers without data": edited(dims(2**40)),
    "sizes that overflow": edited(dims(2**32, 2**32)),
    "a negative size": edited(dims(-2, -2)),
    "a thousand axes": edited(dims(*[1] * 1000)),
    "an empty matrix": edited(dims(0, 2)),
    "a huge input": edited(input_of(shape=("batch", 2**40))),
    "a large input": edited(input_of(shape=("batch", 50_000, 2_000))),
    "an input that overflows": edited(input_of(shape=("batch", 2**40, 2**40))),
    "a batch of 0": edited(input_of(shape=(0, 2))),
    "an axis of 0": edited(input_of(shape=("batch", 0))),
    "a negative axis": edited(input_of(shape=("batch", -3))),
    "a thousand input axes": edited(input_of(shape=("batch", *[1] * 1000))),
    "a dynamic axis with a long name": edited(input_of(shape=("batch", "w" * 100_000))),
    "input of strings": edited(input_of(TensorProto.STRING)),
    "input of truth values": edited(input_of(TensorProto.BOOL)),
    "input of a type without a name": edited(input_of(9999)),
    "a name defined twice": edited(twice),
    "an initializer twice": edited(
        lambda m, rng: m.graph.initializer.append(m.graph.initializer[0])
    ),
    "an input twice": edited(lambda m, rng: m.graph.input.append(m.graph.input[0])),
    "a cycle": graph(cycle),
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
    "NaN among the weights": edited(weight(np.nan)),
    "infinity among the weights": edited(weight(-np.inf)),
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
    "sparse weights": edited(sparse),
    "a name that is no text": content(not_utf8),
    "a name that moves the cursor": edited(named("\x1b[2J\x07\r\nRelu\t" * 9)),
    "a name of a million letters": edited(named("R" * 1_000_000)),
    "an operator set from the future": edited(
        lambda m, rng: setattr(m.opset_import[0], "version", rng.choice([10**6, 2**62]))
    ),
    "an operator set from the past": edited(
        lambda m, rng: setattr(m.opset_import[0], "version", rng.choice([-5, 0, 3]))
    ),
    "a domain of its own": edited(lambda m, rng: setattr(m.graph.node[0], "domain", "my.own")),
    "a Relu of its own": edited(overriding),
    "Slice to nothing": ops(
        lambda rng: [node("Slice", ["x", "c", "c", "d"], ["y"])], c=integers(1), d=integers(1)
    ),
    "Slice by 0": ops(
        lambda rng: [node("Slice", ["x", "c", "d", "d", "c"], ["y"])], c=integers(0), d=integers(1)
    ),
    "Reshape to another size": move("Reshape", 7, 9),
    "Reshape by a list of 100,000": move("Reshape", *[1] * 100_000),
    "Reshape by fractions": ops(lambda rng: [node("Reshape", ["x", "b"], ["y"])]),
    "Transpose of axes that are not there": attribute("Transpose", perm=[5, -9]),
    "an axis of 2^62": attribute("Concat", axis=2**62),
    "Gather beyond the end": move("Gather", 2**40),
    "Gather by fractions": ops(lambda rng: [node("Gather", ["x", "b"], ["y"])]),
    "LeakyRelu of NaN": attribute("LeakyRelu", alpha=float("nan")),
    "Clip the wrong way": ops(
        lambda rng: [node("Clip", ["x", "lo", "hi"], ["y"])], lo=np.array(1.0), hi=np.array(-1.0)
    ),
    "an attribute of another type": attribute("LeakyRelu", alpha="steep"),
    "an attribute of a million numbers": attribute("Transpose", perm=[0] * 1_000_000),
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
    "weights elsewhere: a link": external(linked),
    "weights elsewhere: a folder": external(lambda f, rng: {"location": "."}),
    "weights elsewhere: a pipe": external(piped),
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


THIN: Make = graph(thin)
"""Refused only where the layers are multiplied out, so for commands that do that."""
