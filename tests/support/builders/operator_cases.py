"""Cases of ONNX operators: small models whose networks must compute what onnxruntime does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx_models import model, node, normals, reference, save

from marapatch.network.onnx.reader import read_onnx


@dataclass(frozen=True)
class Case:
    """Nodes from ``x`` to ``y``; ``r`` is a ReLU of ``x`` where a node wants it.

    ``layers``: how many nodes the graph of layers must have after the input.
    """

    name: str
    nodes: list[Any]
    shape: tuple[int | str, ...]
    constants: dict[str, ArrayLike] = field(default_factory=dict)
    opset: int = 13
    layers: int | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def operators(self) -> set[str]:
        """The operators in it."""
        return {n.op_type for n in self.nodes}


def conv(name: str, shape: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> Case:
    """A convolution with a bias."""
    constants = {"w": normals(*kernel), "b": normals(kernel[0])}
    return Case(name, [node("Conv", ["x", "w", "b"], ["y"], **attributes)], shape, constants)


def _build(case: Case) -> Any:
    made = {name for n in case.nodes for name in n.output}
    wanted = any("r" in n.input for n in case.nodes) and "r" not in made
    branch = [node("Relu", ["x"], ["r"])] if wanted else []
    return model([*branch, *case.nodes], case.shape, case.constants, opset=case.opset)


def assert_agrees_with_onnxruntime(case: Case, folder: Path) -> None:
    """The network computes what onnxruntime does, and so does its standard form."""
    made = _build(case)
    network = read_onnx(save(made, folder))
    shape = tuple(n if isinstance(n, int) else 1 for n in case.shape)[1:]
    assert network.input_shape == shape
    x = np.random.default_rng(3).normal(size=(40, network.inputs)).astype(np.float32)
    expected = reference(made.SerializeToString(), x, shape)
    assert network.outputs == expected.shape[1]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(network.evaluate(x), expected, rtol=0, atol=3e-6 * scale)
    np.testing.assert_allclose(
        network.standard_form.evaluate(x.astype(float)), network.evaluate(x), rtol=0, atol=1e-12
    )
    if case.layers is not None:
        assert len(network.graph) - 1 == case.layers
