"""Arrays of affine expressions over the variables of one problem, and comparisons of them.

They behave like numpy arrays as far as affine arithmetic goes; what would not be affine is an
error that names the expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.modelling.affine_only import AffineOnly, described
from marapatch.modelling.matrices import numbers_of, widened
from marapatch.network.graph import Network
from marapatch.network.layers import Array, Matrix
from marapatch_encodings.terms import Sense

Operand: TypeAlias = "Expression | ArrayLike"

OPERATORS = {
    "add": ("__add__", "__radd__"),
    "subtract": ("__sub__", "__rsub__"),
    "multiply": ("__mul__", "__rmul__"),
    "divide": ("__truediv__", "__rtruediv__"),
    "matmul": ("__matmul__", "__rmatmul__"),
    "less_equal": ("__le__", "__ge__"),
    "greater_equal": ("__ge__", "__le__"),
    "equal": ("__eq__", "__eq__"),
    "not_equal": ("__ne__", "__ne__"),
    "less": ("__lt__", "__gt__"),
    "greater": ("__gt__", "__lt__"),
}
"""numpy's name of an operator, and what it is called with the expression first and second."""


class Space(Protocol):
    """What an expression needs of the problem it belongs to."""

    @property
    def columns(self) -> int:
        """The number of columns: declared variables and values defined by functions."""
        ...

    def column_name(self, column: int) -> str:
        """How a column is called in messages."""
        ...

    def apply(self, network: Network, inputs: Expression) -> Expression:
        """The outputs of ``network`` at ``inputs``."""
        ...


@dataclass(frozen=True, eq=False)
class Expression(AffineOnly):
    """``matrix @ columns + constant``, in an array of shape ``shape`` (C order).

    ``matrix``: csr_array (entries, columns the problem had when it was made); ``constant``:
    (entries,), finite. Supports ``+ - * / @``, comparisons, indexing, ``sum``, ``mean``,
    ``reshape``, ``ravel`` and ``T``, with numbers and numpy arrays broadcast as numpy does.
    """

    problem: Space
    matrix: Matrix
    constant: Array
    shape: tuple[int, ...]

    __hash__ = None  # type: ignore[assignment]  # comparing makes a condition

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.constant.size)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_constant(self) -> bool:
        """Whether no variable takes part."""
        return bool(self.matrix.nnz == 0)

    def __len__(self) -> int:
        if not self.shape:
            raise InputError(f"{self.describe()} is a single expression and has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Expression]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def describe(self) -> str:
        """The expression in words short enough for a message."""
        return described(self.matrix, self.constant, self.shape, self.problem.column_name)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *operands: Operand, **options: object
    ) -> Expression | Comparison:
        """An array's operator met this class: its own is asked; other functions are refused."""
        names = OPERATORS.get(ufunc.__name__)
        if names is None or method != "__call__" or options:
            raise InputError(
                f"numpy.{ufunc.__name__} of ({self.describe()}) is no affine expression; "
                "marapatch.modelling has relu, maximum, minimum, absolute, clip and norms"
            )
        first, second = operands
        if isinstance(first, Expression):
            answer = getattr(first, names[0])(second)
        else:
            answer = getattr(second, names[1])(first)
        result: Expression | Comparison = answer
        return result

    if not TYPE_CHECKING:  # type checkers would take the class for an array

        def __array__(self, *_: object, **__: object) -> NoReturn:
            raise InputError(
                f"({self.describe()}) cannot become a numpy array; join expressions with "
                "concatenate([...]), and give matrices as numpy arrays"
            )

    def __add__(self, other: Operand) -> Expression:
        left, right = _align(self, other, "+")
        return _make(left, left.matrix + right.matrix, left.constant + right.constant, left.shape)

    __radd__ = __add__

    def __neg__(self) -> Expression:
        return _make(self, -self.matrix, -self.constant, self.shape)

    def __pos__(self) -> Expression:
        return self

    def __sub__(self, other: Operand) -> Expression:
        return self + (-lift(self.problem, other, f"{self.describe()} - ..."))

    def __rsub__(self, other: Operand) -> Expression:
        return (-self) + other

    def __mul__(self, other: Operand) -> Expression:
        left, right = _align(self, other, "*")
        if not (left.is_constant or right.is_constant):
            raise InputError(
                f"({left.describe()}) * ({right.describe()}) is a product of variables; only "
                "affine expressions and piecewise-linear functions of them can be asked about"
            )
        form, factor = (right, left) if left.is_constant else (left, right)
        scale = sp.dia_array((factor.constant[None], [0]), shape=(form.size, form.size))
        return _make(form, scale @ form.matrix, factor.constant * form.constant, form.shape)

    __rmul__ = __mul__

    def __truediv__(self, other: ArrayLike) -> Expression:
        divisor = lift(self.problem, other, f"({self.describe()}) / ...")
        if not divisor.is_constant or not divisor.constant.all():
            raise InputError(
                f"({self.describe()}) / ({divisor.describe()}): only division by numbers other "
                "than 0 is affine"
            )
        return self * (1.0 / divisor.constant).reshape(divisor.shape)

    def __matmul__(self, other: Operand) -> Expression:
        if isinstance(other, Expression):
            if other.is_constant:
                return self @ other.constant.reshape(other.shape)
            if self.is_constant:
                return self.constant.reshape(self.shape) @ other
            raise InputError(
                f"({self.describe()}) @ ({other.describe()}) is a product of variables"
            )
        weight = numbers_of(other, f"({self.describe()}) @ ...")
        if not self.shape or weight.ndim not in (1, 2) or self.shape[-1] != weight.shape[0]:
            raise InputError(
                f"({self.describe()}) @ array of shape {weight.shape}: shapes {self.shape} and "
                f"{weight.shape} do not fit"
            )
        columns = weight.reshape(weight.shape[0], -1)
        rows = prod(self.shape[:-1])
        outer = sp.kron(sp.eye_array(rows), sp.csr_array(columns.T), format="csr")
        shape = (*self.shape[:-1], *weight.shape[1:])
        return _make(self, outer @ self.matrix, outer @ self.constant, shape)

    def __rmatmul__(self, other: ArrayLike) -> Expression:
        weight = numbers_of(other, f"... @ ({self.describe()})")
        if not 1 <= self.ndim <= 2 or weight.ndim not in (1, 2):
            raise InputError(
                f"array of shape {weight.shape} @ ({self.describe()}): both need one or two axes"
            )
        if weight.shape[-1] != self.shape[0]:
            raise InputError(
                f"array of shape {weight.shape} @ ({self.describe()}): shapes {weight.shape} and "
                f"{self.shape} do not fit"
            )
        rows = weight.reshape(-1, weight.shape[-1])
        outer = sp.kron(sp.csr_array(rows), sp.eye_array(prod(self.shape[1:])), format="csr")
        shape = (*weight.shape[:-1], *self.shape[1:])
        return _make(self, outer @ self.matrix, outer @ self.constant, shape)

    def __getitem__(self, key: Any) -> Expression:
        try:
            chosen = np.arange(self.size).reshape(self.shape)[key]
        except IndexError as error:
            raise InputError(f"({self.describe()})[{key}]: {error}") from error
        return self._take(np.asarray(chosen))

    def _take(self, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> Expression:
        flat = chosen.reshape(-1)
        return _make(self, self.matrix[flat], self.constant[flat], chosen.shape)

    def reshape(self, *shape: int | tuple[int, ...]) -> Expression:
        """The same entries in another shape (C order), as numpy does."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        try:
            index = np.arange(self.size).reshape(wanted)  # type: ignore[arg-type]  # numpy's rules
        except ValueError as error:
            raise InputError(f"({self.describe()}).reshape{wanted}: {error}") from error
        return _make(self, self.matrix, self.constant, index.shape)

    def ravel(self) -> Expression:
        """The entries in one row."""
        return self.reshape(-1)

    flatten = ravel

    @property
    def T(self) -> Expression:  # noqa: N802  # numpy's name
        """The array with its axes reversed."""
        return self._take(np.arange(self.size).reshape(self.shape).T)

    def sum(self, axis: int | None = None, out: None = None) -> Expression:
        """The sum of all entries, or along one axis; ``out`` is there for ``numpy.sum``."""
        if axis is None:
            ones = sp.csr_array(np.ones((1, self.size)))
            return _make(self, ones @ self.matrix, ones @ self.constant, ())
        index = np.moveaxis(np.arange(self.size).reshape(self.shape), axis, -1)
        rows = index.reshape(-1, self.shape[axis])
        picked = sp.csr_array(
            (
                np.ones(rows.size),
                (np.repeat(np.arange(rows.shape[0]), rows.shape[1]), rows.reshape(-1)),
            ),
            shape=(rows.shape[0], self.size),
        )
        return _make(self, picked @ self.matrix, picked @ self.constant, index.shape[:-1])

    def mean(self, axis: int | None = None, dtype: None = None, out: None = None) -> Expression:
        """The mean of all entries, or along one axis; the rest is there for ``numpy.mean``."""
        return self.sum(axis) / (self.size if axis is None else self.shape[axis])

    def __le__(self, other: Operand) -> Comparison:
        return Comparison(self - other, "<=")

    def __ge__(self, other: Operand) -> Comparison:
        return Comparison(self - other, ">=")

    def __eq__(self, other: Operand) -> Comparison:  # type: ignore[override]  # makes a condition
        return Comparison(self - other, "=")

    def through(self, network: Network) -> Expression:
        """The outputs of ``network`` at this input; what ``network(x)`` calls."""
        return self.problem.apply(network, self)

    def rows(self, columns: int) -> Matrix:
        """The matrix with ``columns`` columns, at least as many as it has: csr_array."""
        return widened(self.matrix, columns)


@dataclass(frozen=True, eq=False)
class Comparison:
    """``expression (<=, >=, =) 0``, entry by entry."""

    expression: Expression
    sense: Sense

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise InputError(
            f"{self.describe()} has no truth value; require two comparisons instead of chaining "
            "them, and combine them with any_of or all_of instead of or, and"
        )

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def describe(self) -> str:
        """The comparison in words short enough for a message."""
        return f"{self.expression.describe()} {'==' if self.sense == '=' else self.sense} 0"


def lift(problem: Space, value: Operand, what: str) -> Expression:
    """``value`` as an expression of ``problem``; InputError naming ``what`` where it is none."""
    if isinstance(value, Expression):
        if value.problem is not problem:
            raise InputError(f"{what}: ({value.describe()}) belongs to another problem")
        return value
    numbers = numbers_of(value, what)
    matrix = sp.csr_array((numbers.size, problem.columns))
    return Expression(problem, matrix, numbers.reshape(-1), numbers.shape)


def joined(parts: Sequence[Expression]) -> Expression:
    """Expressions of one problem, one after the other: shape (entries,)."""
    width = max(part.matrix.shape[1] for part in parts)
    stacked = sp.vstack([widened(part.matrix, width) for part in parts], format="csr")
    constant = np.concatenate([part.constant for part in parts])
    return Expression(parts[0].problem, sp.csr_array(stacked), constant, (constant.size,))


def _align(left: Expression, other: Operand, sign: str) -> tuple[Expression, Expression]:
    """Both operands with one shape and one number of columns."""
    right = lift(left.problem, other, f"({left.describe()}) {sign} ...")
    try:
        shape = np.broadcast_shapes(left.shape, right.shape)
    except ValueError as error:
        raise InputError(
            f"({left.describe()}) {sign} ({right.describe()}): shapes {left.shape} and "
            f"{right.shape} do not fit"
        ) from error
    columns = max(left.matrix.shape[1], right.matrix.shape[1])
    aligned = []
    for side in (left, right):
        index = np.broadcast_to(np.arange(side.size).reshape(side.shape), shape)
        taken = side if side.shape == shape else side._take(index)
        wide = widened(taken.matrix, columns)
        aligned.append(Expression(side.problem, wide, taken.constant, shape))
    return aligned[0], aligned[1]


def _make(like: Expression, matrix: Matrix, constant: Array, shape: tuple[int, ...]) -> Expression:
    """An expression of the same problem; InputError where numbers overflowed."""
    rows = sp.csr_array(matrix)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    values = np.asarray(constant, dtype=np.float64).reshape(-1)
    if not (np.isfinite(rows.data).all() and np.isfinite(values).all()):
        raise InputError(f"an operation on ({like.describe()}) gives NaN or infinity")
    return Expression(like.problem, rows, values, shape)
