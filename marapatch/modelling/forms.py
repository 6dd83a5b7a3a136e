"""The columns of a problem as linear forms over the variables of a query in the making."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from marapatch.arithmetic.float_model import SAFE, SMALL, gamma, least_size
from marapatch.modelling.expressions import Comparison, Expression
from marapatch.modelling.matrices import widened
from marapatch.network.layers import Array, Matrix
from marapatch_encodings.terms import (
    Constraint,
    Encoding,
    Row,
    Variable,
    VariablePool,
    dense_row,
)


class Forms:
    """Grows by a block of columns a definition; ``constraints`` say what the variables are."""

    def __init__(self) -> None:
        self.pool = VariablePool()
        self.constraints: list[Constraint] = []
        self._blocks: list[Matrix] = []
        self._constants: list[Array] = []

    @property
    def columns(self) -> int:
        """How many columns are there so far."""
        return sum(block.shape[0] for block in self._blocks)

    def append(self, block: Matrix, constants: Array) -> None:
        """Columns that are the forms ``block @ variables + constants``."""
        self._blocks.append(block)
        self._constants.append(constants)

    def append_variables(self, entries: Sequence[Variable | None]) -> None:
        """Columns that are variables (0 where None)."""
        used = [(i, int(v)) for i, v in enumerate(entries) if v is not None]
        at = [i for i, _ in used], [v for _, v in used]
        shape = (len(entries), len(self.pool))
        self.append(sp.csr_array((np.ones(len(used)), at), shape=shape), np.zeros(len(entries)))

    def substitute(self, low: Array, high: Array) -> None:
        """Entries of the newest block that are fixed become numbers in every later form."""
        fixed = low == high
        if fixed.any():
            free = (~fixed).astype(np.float64)
            keep = sp.dia_array((free[None], [0]), shape=(fixed.size, fixed.size))
            block = sp.csr_array(keep @ self._blocks[-1])
            block.eliminate_zeros()
            self._blocks[-1] = block
            self._constants[-1] = np.where(fixed, low, 0.0)

    def of(self, expression: Expression) -> tuple[Matrix, Array]:
        """``expression`` over the pool's variables: (matrix, constant)."""
        width = len(self.pool)
        blocks = [widened(block, width) for block in self._blocks]
        table = (
            sp.csr_array(sp.vstack(blocks, format="csr")) if blocks else sp.csr_array((0, width))
        )
        offsets = np.concatenate([np.zeros(0), *self._constants])
        rows = expression.rows(table.shape[0])
        return sp.csr_array(rows @ table), rows @ offsets + expression.constant

    def rows(self, comparison: Comparison) -> list[Row]:
        """The comparison as rows, one an entry."""
        matrix, constant = self.of(comparison.expression)
        rows = []
        for i in range(constant.size):
            part = slice(matrix.indptr[i], matrix.indptr[i + 1])
            rhs = -float(constant[i])
            row = dense_row(matrix.indices[part], matrix.data[part], comparison.sense, rhs)
            rows.append(row)
        return rows

    def range(self, matrix: Matrix, constant: Array) -> tuple[Array, Array]:
        """Outward-rounded bounds of forms over the pool's bounds: (rows,) each."""
        low, high = self.pool.lower, self.pool.upper
        data, columns = matrix.data, matrix.indices
        with np.errstate(invalid="ignore"):
            least = np.where(data > 0.0, data * low[columns], data * high[columns])
            most = np.where(data > 0.0, data * high[columns], data * low[columns])
        ends = []
        size = np.maximum(np.abs(least), np.abs(most))
        for values in (least, most, np.where(np.isfinite(size), size, 0.0)):
            ends.append(sp.csr_array((values, columns, matrix.indptr), shape=matrix.shape))
        width = matrix.shape[1]
        lower, upper, total = (np.asarray(end @ np.ones(width)) for end in ends)
        slack = gamma(width) * (total + np.abs(constant))
        if least_size(data) * min(least_size(low), least_size(high)) < SAFE:
            slack += SMALL * (np.diff(matrix.indptr) > 0)  # products that underflow
        return lower + constant - slack, upper + constant + slack

    def name_it(self, matrix: Matrix, constant: Array, name: str) -> list[Variable]:
        """A variable for each form, with its range; forms that are a variable stay that one."""
        low, high = self.range(matrix, constant)
        named = []
        for i in range(constant.size):
            part = slice(matrix.indptr[i], matrix.indptr[i + 1])
            columns, data = matrix.indices[part], matrix.data[part]
            if columns.size == 1 and data[0] == 1.0 and constant[i] == 0.0:
                named.append(Variable(int(columns[0])))
                continue
            if not columns.size:
                named.append(self.pool.fresh(f"{name}[{i}]", constant[i], constant[i]))
                continue
            t = self.pool.fresh(f"{name}[{i}]", float(low[i]), float(high[i]))
            row = dense_row([*columns, t], [*data, -1.0], "=", -float(constant[i]))
            self.constraints.append(row)
            named.append(t)
        return named

    def add(self, encoding: Encoding) -> Variable | None:
        """Take the constraints of an encoding in; its value."""
        self.constraints += encoding.constraints
        return encoding.value
