"""What is not affine is refused, and named in few words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from some_expressions import W

from marapatch.errors import InputError
from marapatch.modelling import (
    Expression,
    Problem,
    any_of,
    at_most_k_nonzero,
    concatenate,
    insert,
    maximum,
    norm1,
    relu,
)

Bad = Callable[[Expression, Expression], object]


MISTAKES: dict[str, tuple[Bad, str]] = {
    "product": (lambda x, y: x[0] * x[1], r"\(x\[0\]\) \* \(x\[1\]\) is a product of variables"),
    "matrix product": (lambda x, y: x @ x, "is a product of variables"),
    "power": (lambda x, y: x[0] ** 2, r"\(x\[0\]\) \*\* 2 is not linear"),
    "division": (lambda x, y: 1.0 / x[0], "divides by variables"),
    "division by zero": (lambda x, y: x / 0.0, "other than 0"),
    "foreign": (lambda x, y: x[0] + y[0], r"\(y\[0\]\) belongs to another problem"),
    "foreign in maximum": (lambda x, y: maximum(x[0], y[0]), "belongs to another problem"),
    "shapes": (lambda x, y: x + np.ones(3), r"shapes \(2,\) and \(3,\) do not fit"),
    "matrix shapes": (lambda x, y: np.ones((2, 3)) @ x, r"shapes \(2, 3\) and \(2,\) do not fit"),
    "NaN": (lambda x, y: x + np.nan, "contains NaN or infinity"),
    "infinity": (lambda x, y: x <= np.inf, "contains NaN or infinity"),
    "overflow": (lambda x, y: x * 1e200 * 1e200, "gives NaN or infinity"),
    "text": (lambda x, y: x + "one", "is no array of numbers"),
    "chained": (lambda x, y: 0 <= x[0] <= 1, "has no truth value"),
    "strict": (lambda x, y: x[0] < 1, "is not closed"),
    "unequal": (lambda x, y: x[0] != 1, "is not closed"),
    "truth": (lambda x, y: bool(x[0]), "has no truth value"),
    "number": (lambda x, y: float(x[0]), "is no number"),
    "index": (lambda x, y: x[2], "out of bounds"),
    "reshape": (lambda x, y: x.reshape(3), "cannot reshape"),
    "numpy function": (lambda x, y: abs(x), "absolute"),
    "numpy exp": (lambda x, y: np.exp(x), r"numpy.exp of \(\[x\[0\], x\[1\]\] of shape"),
    "numpy maximum": (lambda x, y: np.maximum(x, 0.0), "has relu, maximum"),
    "numpy reduction": (lambda x, y: np.add.reduce(x), "numpy.add of"),
    "numpy array": (lambda x, y: np.array([x[0], x[1]]), r"\(x\[0\]\) cannot become a numpy array"),
    "sparse matrix": (lambda x, y: sp.eye_array(2) @ x, "give matrices as numpy arrays"),
    "Python's max": (lambda x, y: max(x[0], x[1]), r"maximum\(...\) for Python's max"),
    "Python's min": (lambda x, y: min(x[0], x[1]), r"minimum\(...\) for Python's min"),
    "joining numbers": (lambda x, y: concatenate([1.0, 2.0]), "none of the parts"),
    "joining foreign": (lambda x, y: concatenate([x, y]), "belongs to another problem"),
    "no time": (lambda x, y: x.problem.solve(timeout=0.0), "give a positive, finite number"),
    "no time to minimise": (lambda x, y: x.problem.minimise(x[0], timeout=-1.0), "positive"),
    "no witnesses": (lambda x, y: x.problem.witnesses(0, apart=1.0), "0 is not at least 1"),
    "relu of numbers": (lambda x, y: relu(np.ones(2)), "is no expression"),
    "any_of nothing": (lambda x, y: any_of(), "no alternative"),
    "any_of limit": (lambda x, y: any_of(at_most_k_nonzero(x, 1)), "cannot be an alternative"),
    "negative limit": (lambda x, y: at_most_k_nonzero(x, -1), "at least 0"),
    "insert shape": (lambda x, y: insert(np.ones(3), [0], x), r"shape \(2,\), the places"),
    "norm form": (lambda x, y: norm1(x, form="cube"), "no form 'cube'"),
    "bool condition": (lambda x, y: x.problem.require(True), "is no condition"),
    "expression condition": (lambda x, y: x.problem.require(x), "is no condition"),
    "foreign condition": (lambda x, y: x.problem.require(y <= 1), "belongs to another problem"),
    "name taken": (lambda x, y: x.problem.variable("x"), "not taken yet"),
    "empty bounds": (lambda x, y: x.problem.variable("z", 1, 0), "empty or NaN"),
    "NaN bound": (lambda x, y: x.problem.variable("z", np.nan), "empty or NaN"),
    "bound shape": (lambda x, y: x.problem.array("z", 3, [0, 1]), r"do not fit \(3,\)"),
    "minimise array": (lambda x, y: x.problem.minimise(x), "not an array"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_the_expression(name: str) -> None:
    mistake, message = MISTAKES[name]
    with pytest.raises(InputError, match=message) as caught:
        mistake(Problem().array("x", 2), Problem().array("y", 2))
    assert "\n" not in str(caught.value)


def test_description_is_short() -> None:
    x = Problem().array("x", 100)
    assert (2 * x[0] - x[1] + 3).describe() == "2*x[0] - x[1] + 3"
    assert len((W[:, :1] @ x[None, :]).describe()) < 100
    assert len(x.sum().describe()) < 60
