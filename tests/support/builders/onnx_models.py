"""Small ONNX models built in the tests, and onnxruntime as the reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node

_RNG = np.random.default_rng(11)


def normals(*shape: int) -> NDArray[np.float64]:
    """Normally distributed numbers."""
    return _RNG.normal(size=shape)


def integers(*values: int) -> NDArray[np.int64]:
    """A constant of integers, as shapes and axes are."""
    return np.array(values, dtype=np.int64)


def model(
    nodes: Sequence[Any],
    shape: Sequence[int | str | None],
    constants: Mapping[str, ArrayLike] | None = None,
    *,
    opset: int = 13,
    output: str = "y",
    elem_type: int = TensorProto.FLOAT,
) -> Any:
    """A model with the input ``x`` of ``shape``; float constants become the input's type."""
    dtype = np.float64 if elem_type == TensorProto.DOUBLE else np.float32
    tensors = []
    for name, values in (constants or {}).items():
        array = np.asarray(values)
        array = array.astype(dtype) if array.dtype == np.float64 else array
        tensors.append(numpy_helper.from_array(array, name))
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", elem_type, list(shape))],
        [helper.make_empty_tensor_value_info(output)],
        tensors,
    )
    graph.output[0].type.tensor_type.elem_type = elem_type
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def save(made: Any, folder: Path, name: str = "model.onnx") -> Path:
    """The model as a file."""
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def session(content: bytes | str) -> onnxruntime.InferenceSession:
    """onnxruntime on one thread, without warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def reference(
    content: bytes | str, inputs: NDArray[Any], shape: Sequence[int]
) -> NDArray[np.float64]:
    """The outputs of onnxruntime, one input after the other, at batch 1: (batch, outputs)."""
    run = session(content)
    name = run.get_inputs()[0].name
    rows = [run.run(None, {name: row.reshape(1, *shape)})[0].reshape(-1) for row in inputs]
    return np.stack(rows).astype(np.float64)


def load_constants(path: Path) -> dict[str, NDArray[Any]]:
    """The initializers of a file."""
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
