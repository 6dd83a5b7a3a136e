"""A linear program kept warm in HiGHS: bounds and costs change, the basis stays."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

from marapatch.errors import BackendError
from marapatch.linear_programs.highs import new_highs, run_highs
from marapatch.network.layers import Array, Matrix

FEASIBILITY_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Solution:
    """An optimal solution as HiGHS reports it: candidates, to be checked by whoever uses them.

    ``values`` (columns,), ``objective``, ``row_duals`` (rows,), ``reduced_costs`` (columns,).
    """

    values: Array
    objective: float
    row_duals: Array
    reduced_costs: Array


class LinearProgram:
    """``min cost . x`` over ``lower <= x <= upper`` and ``row_lower <= A x <= row_upper``.

    One HiGHS instance, single-threaded dual simplex; every :meth:`solve` starts from the last
    basis. Without ``scaled`` the model is taken as it is: quicker, where its coefficients are of
    one size. A program that HiGHS refuses (coefficients beyond what it computes with) has no
    solution to propose: :meth:`solve` gives None.
    """

    def __init__(
        self,
        matrix: Matrix,
        row_bounds: tuple[Array, Array],
        bounds: tuple[Array, Array],
        cost: Array,
        *,
        scaled: bool = True,
    ) -> None:
        columns = sp.csc_array(matrix)
        model: Any = highspy.HighsLp()
        model.num_row_, model.num_col_ = columns.shape
        model.col_cost_ = cost
        model.col_lower_, model.col_upper_ = bounds
        model.row_lower_, model.row_upper_ = row_bounds
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = columns.indptr
        model.a_matrix_.index_ = columns.indices
        model.a_matrix_.value_ = columns.data
        self._columns = np.arange(columns.shape[1], dtype=np.int32)
        self._rows = np.arange(columns.shape[0], dtype=np.int32)
        self._highs = new_highs()
        # HiGHS's threads belong to the process: an instance that wants another number of them than
        # the first one that ran fails.
        self._option("threads", 1)
        self._option("presolve", "off")
        # Its optimum is a vertex with a basis, from which the next solve starts.
        self._option("solver", "simplex")
        if not scaled:
            self._option("simplex_scale_strategy", 0)
        self._option("primal_feasibility_tolerance", FEASIBILITY_TOLERANCE)
        self._option("dual_feasibility_tolerance", FEASIBILITY_TOLERANCE)
        # HiGHS 1.13 to 1.15 keep half of a refused model; changing it is a segmentation fault.
        self._refused = self._highs.passModel(model) == highspy.HighsStatus.kError

    def _option(self, name: str, value: object) -> None:
        if self._highs.setOptionValue(name, value) == highspy.HighsStatus.kError:
            raise BackendError(f"HiGHS does not know the option {name}={value!r}")

    def bound(self, lower: Array, upper: Array) -> None:
        """Change the bounds of all columns."""
        if not self._refused:
            columns = self._columns
            self._changed(self._highs.changeColsBounds(columns.size, columns, lower, upper))

    def bound_rows(self, lower: Array, upper: Array) -> None:
        """Change the bounds of all rows."""
        if not self._refused:
            rows = self._rows
            self._changed(self._highs.changeRowsBounds(rows.size, rows, lower, upper))

    def _changed(self, status: object) -> None:
        if status == highspy.HighsStatus.kError:  # it then keeps all of the old bounds
            self._refused = True

    def change(self, row: int, column: int, value: float) -> None:
        """Change one coefficient."""
        if not self._refused:
            self._highs.changeCoeff(row, column, value)

    def basis(self) -> Any:
        """The basis of the last solve, for :meth:`start_from`."""
        return self._highs.getBasis()

    def start_from(self, basis: Any) -> None:
        """Start the next solve from a basis that :meth:`basis` gave (of these columns and rows)."""
        if not self._refused:
            self._highs.setBasis(basis)

    def ray(self) -> Array | None:
        """Row multipliers that refute the rows, where the last solve found them infeasible.

        Their sign is HiGHS's choice; None where it has none.
        """
        if self._refused or self._highs.getModelStatus() != highspy.HighsModelStatus.kInfeasible:
            return None
        _, exists, values = self._highs.getDualRay()
        return np.array(values) if exists else None

    def solve(self, timeout: float = inf) -> Solution | None:
        """The optimum, or None where HiGHS found none (infeasible, out of time, or refused)."""
        if self._refused:
            return None
        if timeout < inf:
            # HiGHS limits the time of all runs of an instance together: what is past is added.
            self._option("time_limit", float(self._highs.getRunTime() + max(timeout, 0.0)))
        run_highs(self._highs)
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = self._highs.getSolution()
        return Solution(
            np.array(found.col_value),
            float(self._highs.getInfo().objective_function_value),
            np.array(found.row_dual),
            np.array(found.col_dual),
        )
