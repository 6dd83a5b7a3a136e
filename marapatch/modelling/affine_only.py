"""What expressions refuse, because it would not be affine, and how messages name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.network.layers import Array, Matrix

SHOWN_TERMS = 4
"""Terms, and entries of an array, that are written out when an expression is named."""


class AffineOnly:
    """Python's operators that an affine expression has not: each is an error that names it."""

    def describe(self) -> str:
        """The expression in words short enough for a message."""
        raise NotImplementedError

    def __rtruediv__(self, other: ArrayLike) -> NoReturn:
        raise InputError(f"... / ({self.describe()}) divides by variables, which is not linear")

    def __pow__(self, other: object) -> NoReturn:
        raise InputError(f"({self.describe()}) ** {other} is not linear")

    def __abs__(self) -> NoReturn:
        raise InputError(f"abs({self.describe()}): write absolute(...) of marapatch.modelling")

    def __ne__(self, other: object) -> NoReturn:
        raise InputError(f"({self.describe()}) != ...: is not closed; write any_of(<=, >=)")

    def __lt__(self, other: object) -> NoReturn:
        raise InputError(
            f"({self.describe()}) < ...: is not closed; write <= (with a margin), and minimum(...) "
            "for Python's min"
        )

    def __gt__(self, other: object) -> NoReturn:
        raise InputError(
            f"({self.describe()}) > ...: is not closed; write >= (with a margin), and maximum(...) "
            "for Python's max"
        )

    def __bool__(self) -> NoReturn:
        raise InputError(f"({self.describe()}) has no truth value: it depends on variables")

    def __float__(self) -> NoReturn:
        raise InputError(f"({self.describe()}) is no number: solve first, then read its value")


def described(
    matrix: Matrix, constant: Array, shape: tuple[int, ...], name: Callable[[int], str]
) -> str:
    """``matrix @ columns + constant`` in words short enough for a message; ``name``: of a
    column."""
    size = int(constant.size)
    if size == 1:
        return _entry(matrix, constant, 0, name)
    entries = ", ".join(_entry(matrix, constant, i, name) for i in range(min(size, SHOWN_TERMS)))
    more = ", ..." if size > SHOWN_TERMS else ""
    return f"[{entries}{more}] of shape {shape}"


def _entry(matrix: Matrix, constant: Array, i: int, name: Callable[[int], str]) -> str:
    row = matrix[[i]]
    pairs = list(zip(row.indices.tolist(), row.data.tolist(), strict=True))
    parts = []
    for column, coefficient in pairs[:SHOWN_TERMS]:
        factor = "" if abs(coefficient) == 1.0 else f"{abs(coefficient):g}*"
        sign = "-" if coefficient < 0.0 else "+"
        parts.append(f"{sign} {factor}{name(column)}")
    if len(pairs) > SHOWN_TERMS:
        parts.append("+ ...")
    if constant[i] or not parts:
        sign = "-" if constant[i] < 0.0 else "+"
        parts.append(f"{sign} {abs(constant[i]):g}")
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else f"-{text[2:]}"
