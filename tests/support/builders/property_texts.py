"""Properties in text, and what is answered to them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from onnx import TensorProto
from onnx_models import model, node, save

from marapatch.cli import main
from marapatch.network.graph import Network
from marapatch.network.load import load


def network(
    folder: Path,
    hidden: ArrayLike,
    output: ArrayLike,
    *last: str,
    biases: ArrayLike | None = None,
    output_biases: ArrayLike | None = None,
    elem_type: int = TensorProto.FLOAT,
) -> Network:
    """``output @ relu(hidden @ x + biases) + output_biases`` in a file, and operators behind it."""
    first, second = np.array(hidden, np.float64).T, np.array(output, np.float64).T
    constants = {
        "W": first,
        "b": np.zeros(first.shape[1]) if biases is None else np.array(biases, np.float64),
        "V": second,
        "c": np.zeros(second.shape[1])
        if output_biases is None
        else np.array(output_biases, np.float64),
    }
    names = ["s", *(f"o{i}" for i in range(len(last)))]
    names[-1] = "y"
    nodes = [node("Gemm", ["x", "W", "b"], ["a"]), node("Relu", ["a"], ["r"])]
    nodes.append(node("Gemm", ["r", "V", "c"], [names[0]]))
    for i, operator in enumerate(last):
        nodes.append(node(operator, [names[i]], [names[i + 1]], axis=-1))
    made = model(nodes, [1, first.shape[0]], constants, elem_type=elem_type)
    return load(save(made, folder))


def text_of(inputs: int, outputs: int, bounds: ArrayLike, *conditions: str) -> str:
    """Declarations, a box (a pair an input, or one for all) and conditions."""
    names = [f"X_{i}" for i in range(inputs)] + [f"Y_{j}" for j in range(outputs)]
    text = "".join(f"(declare-const {name} Real)" for name in names)
    for i, (low, high) in enumerate(np.broadcast_to(np.array(bounds, object), (inputs, 2))):
        text += f"(assert (>= X_{i} {low}))(assert (<= X_{i} {high}))"
    return text + "".join(f"(assert {condition})" for condition in conditions)


IDENTITY = ([[1.0], [-1.0]], [[1.0, -1.0]])
"""One input, passed on."""


def run(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[str], str]:
    file = folder / "p.vnnlib.gz"
    file.write_bytes(gzip.compress(text.encode()))
    code = main(["verify", str(folder / "model.onnx"), str(file), *options])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err
