"""A small ONNX graph drawn operator by operator, its numbers rounded to the file's type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper


class Drawing:
    """Values are rows (1, width); ``x`` is the input. Every method adds a node and names it.

    ``single``: a float32 file, else float64. Numbers too large for the type become its largest.
    """

    def __init__(self, inputs: int, *, single: bool) -> None:
        self.single = single
        self.inputs = inputs
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.widths = {"x": inputs}

    def copy(self) -> Drawing:
        """The same so far; what is added to it stays out of this one."""
        other = Drawing(self.inputs, single=self.single)
        other.nodes, other.constants = list(self.nodes), dict(self.constants)
        other.widths = dict(self.widths)
        return other

    def rounded(self, numbers: ArrayLike) -> np.ndarray:
        """The numbers in the file's type, finite."""
        largest = float(np.finfo(self.dtype).max)
        with np.errstate(over="ignore", under="ignore"):
            finite = np.nan_to_num(np.asarray(numbers, dtype=np.float64), nan=0.0)
            return np.clip(finite, -largest, largest).astype(self.dtype)

    def constant(self, numbers: ArrayLike) -> str:
        """A stored tensor of the file's type."""
        return self._stored(self.rounded(numbers))

    def integers(self, *numbers: int) -> str:
        """A stored tensor of integers, as shapes are."""
        return self._stored(np.array(numbers, dtype=np.int64))

    def _stored(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def node(self, operator: str, given: Sequence[str], width: int, **attributes: Any) -> str:
        """Any operator; ``width`` is what comes out."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(given), [name], **attributes))
        self.widths[name] = width
        return name

    def affine(self, x: str, weight: ArrayLike, bias: ArrayLike | None = None) -> str:
        """``weight @ x + bias`` as a Gemm."""
        weight = np.asarray(weight)
        given = [x, self.constant(weight)] + ([] if bias is None else [self.constant(bias)])
        return self.node("Gemm", given, weight.shape[0], transB=1)

    def affine_in_steps(self, x: str, weight: ArrayLike, bias: ArrayLike) -> str:
        """The same as MatMul and Add."""
        weight = np.asarray(weight)
        product = self.node("MatMul", [x, self.constant(weight.T)], weight.shape[0])
        return self.node("Add", [product, self.constant(bias)], weight.shape[0])

    def entrywise(self, operator: str, x: str, **attributes: Any) -> str:
        """Relu, Abs, LeakyRelu, Neg."""
        return self.node(operator, [x], self.widths[x], **attributes)

    def clip(self, x: str, low: float, high: float) -> str:
        """Clip between two numbers."""
        return self.node("Clip", [x, self.constant(low), self.constant(high)], self.widths[x])

    def joined(self, operator: str, *xs: str) -> str:
        """Sum, Add, Sub, Max or Min of values of one width."""
        return self.node(operator, xs, self.widths[xs[0]])

    def with_constant(self, operator: str, x: str, numbers: ArrayLike) -> str:
        """Add, Sub, Mul, Div, Max or Min with constants."""
        return self.node(operator, [x, self.constant(numbers)], self.widths[x])

    def concat(self, *xs: str) -> str:
        """One row after the other."""
        return self.node("Concat", xs, sum(self.widths[x] for x in xs), axis=1)

    def max_pool(self, x: str, window: int, stride: int) -> str:
        """The maximum of each window, over one spatial axis."""
        width = self.widths[x]
        row = self.node("Reshape", [x, self.integers(1, 1, width)], width)
        after = (width - window) // stride + 1
        pooled = self.node("MaxPool", [row], after, kernel_shape=[window], strides=[stride])
        return self.node("Reshape", [pooled, self.integers(1, after)], after)

    def model(self, output: str) -> bytes:
        """The file's content."""
        kind = TensorProto.FLOAT if self.single else TensorProto.DOUBLE
        graph = helper.make_graph(
            self.nodes,
            "wide",
            [helper.make_tensor_value_info("x", kind, [1, self.inputs])],
            [helper.make_tensor_value_info(output, kind, [1, self.widths[output]])],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())
