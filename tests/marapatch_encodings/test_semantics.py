"""The oracle of the encodings, on hand-computed points."""

from __future__ import annotations

from math import inf, nan

import pytest

from marapatch_encodings import (
    Abs,
    Constraint,
    Disjunction,
    Max,
    Relu,
    Variable,
    holds,
    row,
    violation,
    worst_violation,
)

X, Y, Z = Variable(0), Variable(1), Variable(2)
AT_LEAST = row({X: 2.0, Y: -1.0}, ">=", 1.0)
AT_MOST = row({X: 2.0, Y: -1.0}, "<=", 1.0)
EQUAL = row({X: 2.0, Y: -1.0}, "=", 1.0)
FALSE = row({}, ">=", 0.5)
CHOICE = Disjunction(((row({X: 1.0}, "=", 0.0), row({Y: 1.0}, ">=", 4.0)), (AT_LEAST,)))


@pytest.mark.parametrize(
    ("constraint", "assignment", "expected"),
    [
        (AT_LEAST, [1.0, 1.0], 0.0),
        (AT_LEAST, [2.0, 1.0], 0.0),
        (AT_LEAST, [0.5, 1.0], 1.0),
        (AT_MOST, [1.0, 1.0], 0.0),
        (AT_MOST, [0.5, 1.0], 0.0),
        (AT_MOST, [2.0, 1.0], 2.0),
        (EQUAL, [1.0, 1.0], 0.0),
        (EQUAL, [0.5, 1.0], 1.0),
        (EQUAL, [2.0, 1.0], 2.0),
        (FALSE, [], 0.5),
        (row({}, "<=", 0.5), [], 0.0),
        (Relu(X, Y), [2.0, 2.0], 0.0),
        (Relu(X, Y), [-2.0, 0.0], 0.0),
        (Relu(X, Y), [-2.0, 0.5], 0.5),
        (Relu(X, Y), [2.0, 0.0], 2.0),
        (Relu(X, Y), [-2.0, -2.0], 2.0),
        (Abs(X, Y), [-2.0, 2.0], 0.0),
        (Abs(X, Y), [2.0, 2.0], 0.0),
        (Abs(X, Y), [-2.0, -2.0], 4.0),
        (Max((X, Y), Z), [1.0, 3.0, 3.0], 0.0),
        (Max((X, Y), Z), [1.0, 3.0, 1.0], 2.0),
        (Max((X, Y), Z), [1.0, 3.0, 5.0], 2.0),
        (CHOICE, [0.0, 4.0], 0.0),
        (CHOICE, [3.0, 4.0], 0.0),
        (CHOICE, [1.0, 4.0], 1.0),  # the first case misses by 1, the second by 3
        (CHOICE, [1.0, 2.0], 1.0),  # the first case misses by 2, the second by 1
        (Disjunction(()), [1.0], inf),
        (Disjunction(((AT_LEAST,), ())), [0.0, 0.0], 0.0),
        (AT_LEAST, [nan, 1.0], inf),
        (AT_MOST, [-inf, 1.0], inf),
        (EQUAL, [1.0, nan], inf),
        (AT_LEAST, [1.0, 1.0, nan], 0.0),  # a variable that does not occur
        (Relu(X, Y), [nan, 0.0], inf),
        (Relu(X, Y), [-inf, 0.0], inf),
        (Relu(X, Y), [1.0, nan], inf),
        (Abs(X, Y), [nan, 0.0], inf),
        (Max((X, Y), Z), [1.0, nan, 1.0], inf),
        (Max((X, Y), Z), [nan, 1.0, 1.0], inf),
        (CHOICE, [nan, nan], inf),
    ],
)
def test_violation(constraint: Constraint, assignment: list[float], expected: float) -> None:
    assert violation(constraint, assignment) == expected
    assert holds(constraint, assignment) == (expected == 0.0)
    if 0.0 < expected < inf:
        assert holds(constraint, assignment, tolerance=expected)
        assert not holds(constraint, assignment, tolerance=0.99 * expected)


def test_nothing_holds_under_a_tolerance_that_is_no_number() -> None:
    assert not holds(EQUAL, [1.0, 1.0], tolerance=nan)


def test_sums_are_rounded_once() -> None:
    tall = row({X: 1e16, Y: 1.0, Z: -1e16}, "=", 1.0)
    assert violation(tall, [1.0, 1.0, 1.0]) == 0.0


def test_worst_violation() -> None:
    assert worst_violation([], [1.0]) == 0.0
    assert worst_violation([AT_LEAST, EQUAL, Relu(X, Y)], [2.0, 1.0]) == 2.0


def test_a_short_assignment_is_refused() -> None:
    with pytest.raises(IndexError):
        violation(Relu(X, Y), [1.0])


def test_a_maximum_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        violation(Max((), X), [1.0])
