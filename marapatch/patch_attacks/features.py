"""Features of inputs, for measures that compare sets of inputs: what a layer makes of them."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.files.memory import bounded_allocations
from marapatch.files.reading import shown
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.file import FLOATS, check_names, read_model, shape_of_input, sole_input
from marapatch.network.onnx.session import OnnxSession

FILE_BATCH = 64
LINEAR = ("Gemm", "MatMul")
"""The operators of fully connected layers; the penultimate features enter the last of them."""


def penultimate(network: Network, inputs: ArrayLike) -> Array:
    """What enters the last affine layer of ``network`` at ``inputs``: (n, size of that layer).

    InputError where the network has no layer with weights, or inputs do not fit.
    """
    if not network.affine_layers:
        raise InputError("the network has no layer with weights, so no features before the last")
    (before,) = network.predecessors(network.affine_layers[-1].node)
    flat = network.flatten(inputs)
    parts = [
        network.values(flat[i : i + FILE_BATCH])[before] for i in range(0, len(flat), FILE_BATCH)
    ]
    return np.concatenate(parts)


class FileFeatures:
    """What a layer of an ONNX file makes of inputs, evaluated by onnxruntime.

    Any network that onnxruntime runs will do (Inception, say), not only those that this package
    can reason about. ``layer``: the name of a node or of a tensor; None: what enters the last
    fully connected layer. The file takes inputs of as many numbers as those given; where it wants
    another size or scale, put the resizing into the file.

    Raises :class:`InputError` where the file cannot be read or run, or has no such layer.
    """

    def __init__(self, path: str | Path, layer: str | None = None) -> None:
        self.path = Path(path)
        model, _ = read_model(self.path)
        try:
            tensor = _tensor(model.graph, layer)
            value = sole_input(model.graph)
            self._shape = shape_of_input(value)[1:]
            check_names(model.graph)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error
        self._dtype = FLOATS.get(value.type.tensor_type.elem_type)
        if self._dtype is None:
            raise InputError(f"{self.path}: takes other numbers than float or double")
        batch = value.type.tensor_type.shape.dim[0].dim_value
        self._batch = 1 if batch == 1 else FILE_BATCH
        self._tensor = tensor
        if tensor not in [output.name for output in model.graph.output]:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
        with bounded_allocations():  # onnxruntime works out constants of any size when it opens
            self._session = OnnxSession.of(model.SerializeToString())

    def __call__(self, inputs: ArrayLike) -> Array:
        """The features of ``inputs`` (n, ...), flattened: (n, size)."""
        array = np.asarray(inputs, dtype=self._dtype)
        size = prod(self._shape)
        if array.ndim < 2 or array[0].size != size:
            raise InputError(
                f"{self.path}: takes {size} numbers {self._shape}, the inputs have shape "
                f"{array.shape[1:]}; put the resizing into the file"
            )
        shaped = array.reshape(-1, *self._shape)
        parts = [self._run(shaped[i : i + self._batch]) for i in range(0, len(shaped), self._batch)]
        return np.concatenate(parts)

    def _run(self, batch: Any) -> Array:
        try:
            with bounded_allocations():
                found = self._session.tensor(self._tensor, batch)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error
        if found.size % len(batch) or not np.isfinite(found).all():
            raise InputError(
                f"{self.path}: tensor {shown(self._tensor)!r} gives NaN, infinity, or no numbers "
                "for each input; choose another layer"
            )
        return found.astype(np.float64).reshape(len(batch), -1)


def _tensor(graph: Any, layer: str | None) -> str:
    """The tensor that ``layer`` names."""
    if layer is None:
        last = next((node for node in reversed(graph.node) if node.op_type in LINEAR), None)
        if last is None:
            raise InputError("has no fully connected layer; name a layer: FILE:LAYER")
        return str(last.input[0])
    outputs = {name for node in graph.node for name in node.output}
    named = {node.name: str(node.output[0]) for node in graph.node if node.name}
    if layer in outputs:
        return layer
    if layer in named:
        return named[layer]
    last_few = ", ".join(map(shown, list(named or sorted(outputs))[-5:]))
    raise InputError(f"has no layer {shown(layer)!r}; the last ones are {last_few}")
