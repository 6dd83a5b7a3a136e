"""Small ONNX files as the exact piecewise-linear functions of the numbers in them.

Reads the protocol buffer itself and shares no code with marapatch: every stored number is taken as
the fraction that it is, so no order of summation, no rounding, no overflow and no underflow comes
into it. Only what the random networks of :mod:`wide_networks` contain is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isinf, isqrt
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from rational_cells import Cell, Form, value

Tensor = np.ndarray
"""Of dtype object: an affine form (a tuple) an entry, or a plain fraction in a constant."""

Sign = Callable[[Form], int]


class UndecidedError(Exception):
    """The form changes sign within the cell: cut there."""

    def __init__(self, form: Form) -> None:
        super().__init__("changes sign")
        self.form = form


def exact(number: float) -> Fraction:
    """A finite number as it is."""
    return Fraction(float(number))


def _fractions(values: np.ndarray) -> Tensor:
    out = np.empty(values.shape, dtype=object)
    for index in np.ndindex(values.shape):
        out[index] = exact(values[index])
    return out


def _plus(a: Form, b: Form, factor: Fraction = Fraction(1)) -> Form:
    return tuple(x + factor * y if y else x for x, y in zip(a, b, strict=True))


def _times(a: Form, factor: Fraction) -> Form:
    return tuple(factor * x if x else x for x in a)


def _shifted(a: Form, constant: Fraction) -> Form:
    return (*a[:-1], a[-1] + constant)


@dataclass(frozen=True)
class RationalNetwork:
    """The function of one ONNX file, of one input and one output.

    ``inputs``, ``outputs``: how many numbers; ``single``: whether the file's type is float32.
    """

    nodes: tuple[Any, ...]
    constants: dict[str, np.ndarray]
    input_name: str
    output_name: str
    shape: tuple[int, ...]
    single: bool

    @staticmethod
    def read(content: bytes) -> RationalNetwork:
        """The network of a serialised model."""
        graph = onnx.load_from_string(content).graph
        (x,) = graph.input
        kind = x.type.tensor_type
        return RationalNetwork(
            tuple(graph.node),
            {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer},
            x.name,
            graph.output[0].name,
            tuple(dim.dim_value for dim in kind.shape.dim),
            kind.elem_type == onnx.TensorProto.FLOAT,
        )

    @property
    def inputs(self) -> int:
        """How many numbers go in."""
        return int(np.prod(self.shape))

    def evaluate(self, point: Sequence[Fraction]) -> list[Fraction]:
        """The outputs at one point."""
        ((_, outputs),) = self.pieces(Cell.point(point))
        return [value(form, tuple(point)) for form in outputs]

    def pieces(self, cell: Cell) -> Iterator[tuple[Cell, list[Form]]]:
        """``cell`` cut until the outputs are affine on each part; together they cover it."""
        n = self.inputs
        unit = [(*(Fraction(int(i == k)) for k in range(n)), Fraction(0)) for i in range(n)]
        x = np.empty(n, dtype=object)
        x[:] = unit
        yield from self._from(0, {self.input_name: x.reshape(self.shape)}, cell)

    def _from(
        self, start: int, known: dict[str, Tensor], cell: Cell
    ) -> Iterator[tuple[Cell, list[Form]]]:
        def sign(form: Form) -> int:
            found = cell.sign(form)
            if found == 0:
                raise UndecidedError(form)
            return found

        for k in range(start, len(self.nodes)):
            try:
                known[self.nodes[k].output[0]] = self._apply(self.nodes[k], known, sign)
            except UndecidedError as undecided:
                for half in cell.halves(undecided.form):
                    yield from self._from(k, dict(known), half)
                return
        yield cell, list(known[self.output_name].reshape(-1))

    def _apply(self, node: Any, known: dict[str, Tensor], sign: Sign) -> Tensor:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        given = [
            known[name] if name in known else self.constants[name] for name in node.input if name
        ]
        dependent = [name in known for name in node.input if name]
        return OPERATORS[node.op_type](attributes, given, dependent, sign)


def _each(function: Callable[..., Any], *tensors: Tensor) -> Tensor:
    """``function`` of the entries, with broadcasting."""
    spread = np.broadcast_arrays(*tensors)
    out = np.empty(spread[0].shape, dtype=object)
    for index in np.ndindex(out.shape):
        out[index] = function(*(tensor[index] for tensor in spread))
    return out


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x @ weight.T + bias`` for x (1, inputs) of forms and weight (outputs, inputs)."""
    size = len(x[0, 0])
    out = np.empty((1, weight.shape[0]), dtype=object)
    for i, row in enumerate(weight):
        total: Form = (Fraction(0),) * size
        for w, form in zip(row, x[0], strict=True):
            if w:
                total = _plus(total, form, w)
        out[0, i] = total
    return out if bias is None else _each(_shifted, out, bias)


def _gemm(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    weight = _fractions(given[1]) * exact(attributes.get("alpha", 1.0))
    weight = weight if attributes.get("transB", 0) else weight.T
    bias = _fractions(given[2]) * exact(attributes.get("beta", 1.0)) if len(given) > 2 else None
    return _affine(given[0], weight, bias)


def _matmul(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return _affine(given[0], _fractions(given[1]).T, None)


def _plus_or_minus(factor: int) -> Callable[..., Tensor]:
    def apply(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
        match dependent:
            case [True, True]:
                return _each(lambda a, b: _plus(a, b, Fraction(factor)), *given)
            case [True, False]:
                return _each(lambda a, c: _shifted(a, factor * exact(c)), *given)
            case _:
                return _each(lambda c, a: _shifted(_times(a, Fraction(factor)), exact(c)), *given)

    return apply


def _sum(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    total = given[0]
    for other in given[1:]:
        total = _each(_plus, total, other)
    return total


def _mul(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    x, constant = given if dependent[0] else given[::-1]
    return _each(lambda a, c: _times(a, exact(c)), x, constant)


def _div(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return _each(lambda a, c: _times(a, 1 / exact(c)), *given)


def _neg(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return _each(lambda a: _times(a, Fraction(-1)), given[0])


def _batch_norm(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    x, scale, shift, mean, variance = given

    def apply(a: Form, s: float, b: float, m: float, v: float) -> Form:
        square = exact(v) + exact(attributes.get("epsilon", 1e-5))
        root = Fraction(isqrt(square.numerator), isqrt(square.denominator))
        assert root * root == square, "only perfect squares have an exact root"
        return _shifted(_times(_shifted(a, -exact(m)), exact(s) / root), exact(b))

    return _each(apply, x, scale, shift, mean, variance)


def _leaky(slope: Fraction) -> Callable[[Sign], Callable[[Form], Form]]:
    return lambda sign: lambda a: a if sign(a) > 0 else _times(a, slope)


def _relu(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return _each(_leaky(Fraction(0))(sign), given[0])


def _leaky_relu(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    slope = exact(attributes.get("alpha", np.float32(0.01)))
    return _each(_leaky(slope)(sign), given[0])


def _abs(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return _each(_leaky(Fraction(-1))(sign), given[0])


def _greater(sign: Sign, a: Form, b: Form) -> Form:
    return a if sign(_plus(a, b, Fraction(-1))) > 0 else b


def _lesser(sign: Sign, a: Form, b: Form) -> Form:
    return b if sign(_plus(a, b, Fraction(-1))) > 0 else a


def _extreme(better: Callable[[Sign, Form, Form], Form]) -> Callable[..., Tensor]:
    def apply(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
        size = next(len(g.reshape(-1)[0]) for g, d in zip(given, dependent, strict=True) if d)
        flat = (Fraction(0),) * (size - 1)
        best = None
        for tensor, d in zip(given, dependent, strict=True):
            forms = tensor if d else _each(lambda c: (*flat, exact(c)), tensor)
            best = forms if best is None else _each(lambda a, b: better(sign, a, b), best, forms)
        assert best is not None
        return best

    return apply


def _clip(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    low, high = (float(bound.reshape(-1)[0]) for bound in given[1:3])

    def apply(a: Form) -> Form:
        flat = (Fraction(0),) * (len(a) - 1)
        if not isinf(low) and sign(_shifted(a, -exact(low))) < 0:
            return (*flat, exact(low))
        if not isinf(high) and sign(_shifted(a, -exact(high))) > 0:
            return (*flat, exact(high))
        return a

    return _each(apply, given[0])


def _max_pool(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    """One spatial axis (1, channels, length), no padding."""
    x = given[0]
    (width,), (stride,) = attributes["kernel_shape"], attributes.get("strides", [1])
    starts = range(0, x.shape[2] - width + 1, stride)
    out = np.empty((*x.shape[:2], len(starts)), dtype=object)
    for channel in range(x.shape[1]):
        for place, start in enumerate(starts):
            best = x[0, channel, start]
            for k in range(start + 1, start + width):
                best = _greater(sign, best, x[0, channel, k])
            out[0, channel, place] = best
    return out


def _concat(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return np.concatenate(given, axis=attributes["axis"])


def _reshape(attributes: Any, given: list[Any], dependent: list[bool], sign: Sign) -> Tensor:
    return given[0].reshape([int(n) for n in given[1]])


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Abs": _abs,
    "Add": _plus_or_minus(1),
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _div,
    "Gemm": _gemm,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matmul,
    "Max": _extreme(_greater),
    "MaxPool": _max_pool,
    "Min": _extreme(_lesser),
    "Mul": _mul,
    "Neg": _neg,
    "Relu": _relu,
    "Reshape": _reshape,
    "Sub": _plus_or_minus(-1),
    "Sum": _sum,
}
"""What each operator does to forms: (attributes, inputs, which depend on x, sign of a form)."""
