"""Networks evaluated on expressions layer by layer: for networks with free weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
import scipy.sparse as sp

from marapatch.errors import InputError, UnsupportedOperatorError
from marapatch.modelling.definitions import MaximumOf, define
from marapatch.modelling.expressions import Expression, Space, joined, lift
from marapatch.modelling.functions import absolute, clip, leaky_relu, maximum, relu
from marapatch.network.graph import Network
from marapatch.network.layers import (
    Abs,
    Affine,
    Clip,
    Concat,
    LeakyRelu,
    Matrix,
    Maximum,
    MaxPool,
    Relu,
    Sum,
)


@dataclass(frozen=True, eq=False)
class FreeNetwork:
    """A network whose weights at one layer are those of the file plus variables.

    ``weight_change``: expression of the shape in which the network holds the layer's weights;
    ``bias_change``: (biases,), or None where the bias stays. Call it with numbers: the input of
    the free layer must be known, else weights would be multiplied by variables.
    """

    problem: Space
    network: Network
    node: str
    weight_change: Expression
    bias_change: Expression | None

    def __call__(self, inputs: object) -> Expression:
        """The outputs (outputs,) at one input of numbers, as expressions in the changes.

        InputError where the file ends in Softmax or the like; :meth:`scores` are those before it.
        """
        self.network.check_outputs()
        return self.scores(inputs)

    def scores(self, inputs: object) -> Expression:
        """Like a call; where the file ends in Softmax, LogSoftmax or ArgMax: what goes into it."""
        if isinstance(inputs, Expression):
            raise InputError(
                f"({inputs.describe()}) is put into a network with free weights at "
                f"{self.node!r}: products of variables; give numbers"
            )
        flat = self.network.flatten(np.asarray(inputs, np.float64))
        if flat.shape[0] != 1:
            raise InputError(
                f"a network with free weights takes one input at a time, not {flat.shape[0]}"
            )
        values: dict[str, Expression] = {
            self.network.input_node: lift(self.problem, flat[0], "the network's input")
        }
        for node in self.network.order:
            if node == self.network.input_node:
                continue
            parts = [values[p] for p in self.network.predecessors(node)]
            layer = self.network.layer(node)
            values[node] = self._free(layer, parts[0]) if node == self.node else _step(layer, parts)
        return values[self.network.output_node]

    def _free(self, layer: object, x: Expression) -> Expression:
        """``(W + E) h + b + e``."""
        assert isinstance(layer, Affine)
        assert layer.parameters is not None
        h, sharing = x.constant, layer.parameters.sharing
        outputs = int(layer.weight.shape[0])
        if sharing is None:
            matrix: Matrix = sp.kron(sp.eye_array(outputs), sp.csr_array(h[None]), format="csr")
        else:
            at = sharing.rows, sharing.entries
            size = self.weight_change.size
            matrix = sp.csr_array((h[sharing.columns], at), shape=(outputs, size))
        fixed = np.asarray(layer.weight @ h) + layer.bias
        result: Expression = _linear(matrix, self.weight_change) + fixed
        if self.bias_change is not None:
            index = np.arange(outputs) if sharing is None else sharing.biases
            result = result + self.bias_change[index]
        return result


def _linear(matrix: Matrix, x: Expression) -> Expression:
    flat = x.ravel()
    rows = sp.csr_array(matrix @ flat.matrix)
    return Expression(x.problem, rows, np.asarray(matrix @ flat.constant), (matrix.shape[0],))


def _step(layer: object, parts: list[Expression]) -> Expression:
    """One layer on expressions (n,)."""
    x = parts[0]
    match layer:
        case Affine(weight=weight, bias=bias):
            return _linear(sp.csr_array(weight), x) + bias
        case Relu():
            return _on_variables(x, relu)
        case LeakyRelu(slope=slope):
            return leaky_relu(x, slope)
        case Abs():
            return absolute(x)
        case Clip(low=low, high=high):
            return _clip(x, low, high)
        case MaxPool(groups=groups):
            return define(x, MaximumOf(x[groups], native=False), (groups.shape[0],))
        case Maximum():
            return maximum(*parts)
        case Sum(coefficients=coefficients):
            total = parts[0] * coefficients[0]
            for c, part in zip(coefficients[1:], parts[1:], strict=True):
                total = total + part * c
            return total
        case Concat():
            return joined(parts)
        case _:
            raise UnsupportedOperatorError(f"{type(layer).__name__} is not piecewise linear")


def _on_variables(x: Expression, function: object) -> Expression:
    """``relu``; of numbers it is computed at once."""
    if x.is_constant:
        return Expression(x.problem, x.matrix, np.maximum(x.constant, 0.0), x.shape)
    return relu(x)


def _clip(x: Expression, low: float, high: float) -> Expression:
    if isfinite(low) and isfinite(high):
        return clip(x, low, high)
    if low > -inf:
        return relu(x - low) + low
    return x - relu(x - high) if high < inf else x
