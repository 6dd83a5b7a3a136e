"""Sums, factors, means and normalisations in ONNX files, against onnxruntime."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import model, node, normals, save
from operator_cases import Case, assert_agrees_with_onnxruntime

from marapatch.network.exact import exact_outputs
from marapatch.network.onnx.linear import LINEAR
from marapatch.network.onnx.reader import read_onnx

RNG = np.random.default_rng(7)

CASES = [
    Case(
        "average pool",
        [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 2], pads=[1, 1, 1, 0])],
        (1, 2, 6, 5),
    ),
    Case(
        "average pool with padding",
        [
            node(
                "AveragePool",
                ["x"],
                ["y"],
                kernel_shape=[3, 2],
                pads=[1, 1, 1, 0],
                count_include_pad=1,
                strides=[2, 2],
            )
        ],
        (1, 2, 6, 5),
    ),
    Case("global average pool", [node("GlobalAveragePool", ["x"], ["y"])], (1, 3, 4, 5)),
    Case(
        "batch normalization",
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3)],
        (1, 3, 4, 5),
        {"s": normals(3), "b": normals(3), "m": normals(3), "v": RNG.uniform(0.1, 2.0, 3)},
    ),
    Case("sub constant", [node("Sub", ["x", "c"], ["y"])], (1, 2, 3), {"c": normals(2, 1)}),
    Case("sub from constant", [node("Sub", ["c", "x"], ["y"])], (1, 2, 3), {"c": normals(3)}),
    Case("add of zero", [node("Add", ["x", "c"], ["y"])], (1, 3), {"c": np.zeros(3)}, layers=0),
    Case("mul", [node("Mul", ["c", "x"], ["y"])], (1, 2, 3), {"c": normals(2, 1)}),
    Case("mul that widens", [node("Mul", ["x", "c"], ["y"])], (1, 1, 3), {"c": normals(2, 1)}),
    Case("div", [node("Div", ["x", "c"], ["y"])], (1, 2, 3), {"c": RNG.uniform(0.5, 2, (2, 3))}),
    Case("neg", [node("Neg", ["x"], ["y"])], (1, 3)),
    Case("sum of three", [node("Sum", ["x", "x", "r"], ["y"])], (1, 3)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_onnxruntime(case: Case, tmp_path: Path) -> None:
    assert_agrees_with_onnxruntime(case, tmp_path)


def test_every_operator_has_a_case() -> None:
    assert set(LINEAR) <= set().union(*(case.operators for case in CASES))


def test_a_normalisation_is_the_network_of_its_own_numbers(tmp_path: Path) -> None:
    """shift - mean * scale in one number rounds to another network: here by the whole lead."""
    scale, mean = 2.0**26 + 1.0, 2.0**27 + 1.0
    constants = {"s": [scale], "b": [scale * mean], "m": [mean], "v": [1.0]}
    made = model(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.0)],
        [1, 1],
        {name: np.array(values) for name, values in constants.items()},
        elem_type=TensorProto.DOUBLE,
    )
    network = read_onnx(save(made, tmp_path))
    (value,) = exact_outputs(network, np.zeros(1))
    assert value == Fraction(scale * mean) - Fraction(scale) * Fraction(mean)
    assert value != 0
