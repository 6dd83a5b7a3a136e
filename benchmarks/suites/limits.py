"""Are limits of time kept? Whole commands on large questions: wall and processor seconds.

    python benchmarks/limits.py            # every case that is not in results/limits.jsonl yet
    python benchmarks/limits.py wide jobs  # cases whose name begins so, again

A case is a command with ``--timeout S``. Loading the network counts. ``wall``: seconds from start
to end of the process, Python's own start (about a second) included; ``processor``: seconds used by
it and all its children, which is what the command would take of a machine that does nothing else.
Networks are random and drawn here, but for those of the data set (MARAPATCH_DATA).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

RESULTS = Path(__file__).parent / "results" / "limits.jsonl"
GRACE = 400.0
"""Seconds after which a command is ended by force, and its row says so."""


@dataclass(frozen=True)
class Limited:
    """A command and its limit of ``seconds``."""

    name: str
    seconds: float
    arguments: Sequence[str]


def dense(folder: Path, name: str, sizes: Sequence[int], seed: int = 0) -> str:
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


def convolution(folder: Path, name: str, side: int, stride: int, *, pooled: bool) -> str:
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
) -> str:
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
    return str(path)


def image(folder: Path, name: str, *shape: int) -> str:
    path = folder / f"{name}.npy"
    np.save(path, np.random.default_rng(2).uniform(0.2, 0.8, size=shape).astype(np.float32))
    return str(path)


def specification(folder: Path, name: str, point: str, radius: float, outputs: int) -> str:
    """That output 1 may lead all others within ``radius`` of the image."""
    x = np.load(point).astype(np.float64).ravel().tolist()
    lines = [f"(declare-const X_{i} Real)" for i in range(len(x))]
    lines += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    for i, value in enumerate(x):
        lines.append(f"(assert (>= X_{i} {max(value - radius, 0.0)!r}))")
        lines.append(f"(assert (<= X_{i} {min(value + radius, 1.0)!r}))")
    lines += [f"(assert (>= Y_1 Y_{j}))" for j in range(outputs) if j != 1]
    path = folder / f"{name}.vnnlib"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def cases(folder: Path) -> list[Limited]:
    """Every case; files are written into ``folder``."""
    wide = dense(folder, "wide", (784, 256, 256, 1000))
    deep = dense(folder, "deep", (784, 512, 512, 512, 512, 10))
    large = convolution(folder, "large", 224, 4, pooled=False)
    pooled = convolution(folder, "pooled", 28, 1, pooled=True)
    pixels, big = image(folder, "pixels", 784), image(folder, "big", 3, 224, 224)
    square = image(folder, "square", 1, 28, 28)
    near = specification(folder, "near", pixels, 0.02, 1000)
    far = specification(folder, "far", big, 0.01, 10)
    box = ("--box", "0,1")
    found = [
        Limited("wide: 784-256-256-1000", 5.0, ("groundtruth", wide, pixels, *box)),
        Limited("wide, L1", 5.0, ("groundtruth", wide, pixels, *box, "--norm", "l1")),
        Limited("wide, every class", 5.0, ("groundtruth", wide, pixels, *box, "--all-targets")),
        Limited("wide, two jobs", 5.0, ("groundtruth", wide, pixels, *box, "--jobs", "2")),
        Limited("deep: 784-4x512-10", 5.0, ("groundtruth", deep, pixels, *box)),
        Limited("large: 3x224x224", 5.0, ("groundtruth", large, big, *box)),
        Limited("large, L1", 5.0, ("groundtruth", large, big, *box, "--norm", "l1")),
        Limited("pooled: maximum of 2x2", 5.0, ("groundtruth", pooled, square, *box)),
        Limited("pooled, two jobs, L1", 5.0,
                ("groundtruth", pooled, square, *box, "--norm", "l1", "--jobs", "2")),
        Limited("descent", 5.0, ("groundtruth", deep, pixels, *box, "--search", "descent")),
        Limited("bisection", 5.0,
                ("groundtruth", deep, pixels, *box, "--search", "bisection", "--target", "1")),
        Limited("patch: first layer of 784-4x512-10", 5.0,
                ("patch", deep, pixels, "--want", "1", "--layer", "0", "--scale", "1")),
        Limited("patch: 3x224x224", 5.0,
                ("patch", large, big, "--want", "1", "--layer", "0", "--scale", "1")),
        Limited("patch, L1: every class of 1000", 5.0,
                ("patch", wide, pixels, "--want", "1", "--layer", "1", "--norm", "l1",
                 "--scale", "1")),
        Limited("patch-attack: 3x224x224", 5.0, ("patch-attack", large, big, *box)),
        Limited("patch-attack: 784-4x512-10", 5.0, ("patch-attack", deep, pixels, *box)),
        Limited("verify: 784-256-256-1000", 5.0, ("verify", wide, near)),
        Limited("verify: 3x224x224", 5.0, ("verify", large, far)),
        Limited("two jobs, one class", 5.0,
                ("groundtruth", "example:mnist_3x24", "example:seven", "--target", "0", "--jobs",
                 "2", "--tolerance", "1e-9")),
    ]  # fmt: skip
    data = Path(os.environ.get("MARAPATCH_DATA", "absent"))
    cifar = data / "cifar10" / "onnx" / "oval_cifar_deep_kw.onnx"
    if cifar.exists():
        pictures = np.load(data / "cifar10" / "cifar10_test_first1000.npz")["images"]
        np.save(folder / "cifar.npy", pictures[0].transpose(2, 0, 1)[None].astype(np.float32) / 255)
        for name, more in (("", ()), (", L1", ("--norm", "l1"))):
            arguments = ("groundtruth", str(cifar), str(folder / "cifar.npy"), *box, *more)
            found.append(Limited(f"oval_cifar_deep_kw{name}", 20.0, arguments))
    tiny = data.parent / "cases" / "ptime_1039.onnx"
    if tiny.exists():
        point = image(folder, "tiny", 1, 1, 2, 2)
        for want in range(3):
            arguments = ("patch", str(tiny), point, "--want", str(want), "--layer", "0")
            found.append(Limited(f"patch ptime_1039 to {want}", 1.0, arguments))
    return found


def measured(case: Limited) -> dict[str, Any]:
    """Run one command."""
    command = [sys.executable, "-m", "marapatch", *case.arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    ended, out, err = True, "", ""
    try:
        done = subprocess.run(
            [*command, "--timeout", str(case.seconds)],
            capture_output=True, text=True, timeout=GRACE, check=False,
        )  # fmt: skip
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        ended, code = False, -1
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = (out if code != 2 else err).strip().splitlines()
    return {
        "key": case.name,
        "command": case.arguments[0],
        "timeout": case.seconds,
        "wall": round(wall, 2),
        "processor": round(processor, 2),
        "exit": code,
        "ended": ended,
        "answer": lines[0] if lines else "",
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    chosen = sys.argv[1:]
    known = {}
    if RESULTS.exists():
        known = {row["key"]: row for row in map(json.loads, RESULTS.read_text().splitlines())}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            again = any(case.name.startswith(name) for name in chosen)
            if again if chosen else case.name not in known:
                row = measured(case)
                known[case.name] = row
                rows = (json.dumps(each) + "\n" for each in known.values())
                RESULTS.write_text("".join(rows))
                print(f"{case.name:40} {case.seconds:5.0f} s: {row['wall']:6.1f} s wall, "
                      f"{row['processor']:6.1f} s processor, exit {row['exit']}: "
                      f"{row['answer'][:90]}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
