"""Networks written as ONNX files."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import scipy.sparse as sp
from onnx import helper, numpy_helper

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.network.layers import Affine, Relu
from marapatch.network.onnx.file import FLOATS

OPSET = 13
FORMAT = 8
"""The versions of operator set and file format written for a network that has no ONNX file."""


def write_onnx(network: Network, path: str | PathLike[str]) -> None:
    """Write ``network`` to ``path``: the file appears whole or not at all.

    A network that came from an ONNX file keeps its names and structure, only replaced weights
    differ; any other must be a chain of fully connected layers and ReLUs, and becomes Gemm and
    Relu nodes in its input type. Raises :class:`InputError` where it is neither, or where the
    path cannot be written.
    """
    file = Path(path)
    content = to_onnx(network)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"{file}: cannot be written ({error.strerror}); choose another path"
        ) from error


def to_onnx(network: Network) -> bytes:
    """The content of the file that :func:`write_onnx` writes."""
    if network.source is not None and network.source.format == "onnx":
        return network.source.content
    return bytes(_plain(network).SerializeToString())


def _plain(network: Network) -> Any:
    """A graph of Gemm and Relu nodes."""
    dtype = network.input_dtype
    code = next(code for code, known in FLOATS.items() if known == dtype)
    nodes, tensors, last = [], [], network.input_node
    for name in network.order:
        if name == network.input_node:
            continue
        layer = network.layer(name)
        if network.predecessors(name) != (last,):
            raise InputError(f"layer {name!r}: only a chain of layers can be written as ONNX")
        match layer:
            case Affine(weight=weight, bias=bias):
                matrix = weight.toarray() if sp.issparse(weight) else weight
                for suffix, array in (("weight", matrix), ("bias", bias)):
                    rounded = array.astype(dtype)
                    if not np.array_equal(rounded, array):
                        raise InputError(f"layer {name!r}: its {suffix} does not fit {dtype}")
                    tensors.append(numpy_helper.from_array(rounded, f"{name}.{suffix}"))
                inputs = [last, f"{name}.weight", f"{name}.bias"]
                nodes.append(helper.make_node("Gemm", inputs, [name], name=name, transB=1))
            case Relu():
                nodes.append(helper.make_node("Relu", [last], [name], name=name))
            case _:
                raise InputError(
                    f"layer {name!r} ({type(layer).__name__}) cannot be written as ONNX; only "
                    "fully connected layers and ReLU can"
                )
        last = name
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(network.input_node, code, ["batch", network.inputs])],
        [helper.make_tensor_value_info(last, code, ["batch", network.outputs])],
        tensors,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=FORMAT)
    onnx.checker.check_model(model)
    return model
