"""VNN-LIB properties: read as they are meant, or refused with the line."""

from __future__ import annotations

import csv
import gzip
import operator
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property_files import declared

from marapatch.errors import InputError
from marapatch.formats.vnnlib.reader import parse_property, read_property

BOX = "(assert (and (>= X_0 -1) (<= X_0 1) (>= X_1 0.25) (<= X_1 0.5)))\n"


def test_a_box_and_an_output_condition() -> None:
    text = declared(2, 2) + BOX + "(assert (<= Y_1 Y_0)) ; a comment (\n(assert (>= Y_0 3.5))\n"
    (case,) = parse_property(text).cases
    np.testing.assert_array_equal(case.lower, [-1.0, 0.25])
    np.testing.assert_array_equal(case.upper, [1.0, 0.5])
    (condition,) = case.conditions
    np.testing.assert_array_equal(condition.matrix, [[1.0, -1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(condition.rhs, [0.0, 3.5])


def test_disjunctions_of_boxes_and_of_outputs_multiply() -> None:
    text = (
        declared(1, 2)
        + "(assert (or (and (>= X_0 0) (<= X_0 1)) (and (>= X_0 2) (<= X_0 3))))\n"
        + "(assert (or (<= Y_0 0) (<= Y_1 0) (and (>= Y_0 5) (>= Y_1 6))))\n"
    )
    read = parse_property(text)
    assert [(box[0][0], box[1][0]) for box in read.boxes] == [(0.0, 1.0), (2.0, 3.0)]
    assert [len(case.conditions) for case in read.cases] == [3, 3]
    assert read.holds([2.5], [7.0, -1.0])
    assert not read.holds([1.5], [7.0, -1.0])


def test_inputs_and_outputs_may_be_tied_in_a_disjunction() -> None:
    text = (
        declared(1, 1)
        + "(assert (and (>= X_0 0) (<= X_0 4)))"
        + "(assert (or (and (<= X_0 1) (>= Y_0 1)) (and (>= X_0 3) (<= Y_0 -1))))"
    )
    read = parse_property(text)
    assert [(box[0][0], box[1][0]) for box in read.boxes] == [(0.0, 1.0), (3.0, 4.0)]
    assert read.holds([0.5], [1.0])
    assert not read.holds([3.5], [1.0])


def test_linear_terms_over_outputs() -> None:
    text = declared(1, 3) + "(assert (<= (+ (* 2 Y_0) (- Y_1) 0.5) (- (* Y_2 3) Y_1 1)))"
    ((condition,),) = [case.conditions for case in parse_property(text).cases]
    np.testing.assert_array_equal(condition.matrix, [[-2.0, 0.0, 3.0]])
    np.testing.assert_array_equal(condition.rhs, [1.5])


def test_a_bound_that_is_not_stated_is_infinite() -> None:
    (case,) = parse_property(declared(2, 0) + "(assert (<= X_0 (- 1)))").cases
    np.testing.assert_array_equal(case.lower, [-inf, -inf])
    np.testing.assert_array_equal(case.upper, [-1.0, inf])
    assert case.conditions[0].matrix.shape == (0, 0)


REFUSED = {
    "nothing": ("", "line 1: no X_0"),
    "not a property": ("hello", "line 1: 'hello' stands outside a command"),
    "truncated": (declared(1, 1) + "(assert (<= X_0", "line 3: the '(' here is never closed"),
    "a parenthesis too many": ("(declare-const X_0 Real))", "line 1: a ')' closes nothing"),
    "deep": ("(" * 500, "nested more than"),
    "unknown command": (declared(1, 1) + "\n(check-sat)", "line 4: the command 'check-sat'"),
    "version 2": ("(vnnlib-version <2.0>)", "VNN-LIB 1"),
    "integer": ("(declare-const X_0 Int)", "X_0 must be declared Real"),
    "odd name": ("(declare-const Z_0 Real)", "must be X_i or Y_j"),
    "twice": ("(declare-const X_0 Real)\n" * 2, "line 2: X_0 is declared twice"),
    "gap": ("(declare-const X_1 Real)", "X_1 is declared but X_0 is not"),
    "undeclared": (declared(1, 0) + "(assert (<= X_1 0))", "line 2: X_1 is used"),
    "side by side": (declared(1, 1) + "(assert ((<= Y_0 0) (>= Y_0 0)))", "side by side"),
    "not": (declared(1, 1) + "(assert (not (<= Y_0 0)))", "the condition 'not'"),
    "a bare name": (declared(1, 1) + "(assert Y_0)", "'Y_0' is not a condition"),
    "product": (declared(1, 1) + "(assert (<= (* Y_0 Y_0) 1))", "is not linear"),
    "no variable": (declared(1, 1) + "(assert (<= 0 1))", "without variables"),
    "cancels": (declared(1, 1) + "(assert (<= Y_0 Y_0))", "without variables"),
    "not a number": (declared(1, 1) + "(assert (<= X_0 nan))", "'nan' is neither"),
    "too large": (declared(1, 1) + "(assert (<= X_0 1e999))", "'1e999' is too large"),
    "overflow": (declared(1, 1) + "(assert (<= Y_0 (* 1e300 1e300)))", "too large for float64"),
    "three arguments": (declared(1, 1) + "(assert (<= X_0 1 2))", "takes 2 argument(s)"),
    "empty or": (declared(1, 1) + "(assert (or))", "at least 1 argument(s)"),
    "digits": (declared(1, 1) + f"(assert (<= Y_0 {'1' * 4301}))", "has 4301 characters"),
    "long fraction": (declared(1, 1) + f"(assert (<= Y_0 0.{'1' * 1500}))", "too many digits"),
    "exponent": (declared(1, 1) + "(assert (<= Y_0 1e-99999999))", "too large an exponent"),
    "powers": (declared(1, 1) + f"(assert (<= (* {'1e-300 ' * 50} Y_0) 1))", "binary digits"),
    "long name": (declared(1, 1) + f"(assert ({'a' * 9999} 0 1))", "'aaaa"),
    "flat": (declared(1, 1) + f"(assert (or {'(<= Y_0 0) ' * 65_536}))", "has 65536 cases"),
    "nested products": (
        declared(1, 1) + f"(assert (and {'(or (<= Y_0 0) (>= Y_0 1)) ' * 40}))",
        "the property has 1099511627776 cases",
    ),
    "long products": (
        declared(1, 1) + f"(assert (and {'(<= Y_0 0) ' * 999} (or {'(<= Y_0 1) ' * 9999})))",
        "multiplied out the property has 9999000",
    ),
    "wide products": (
        declared(9000, 1) + f"(assert (or {'(<= X_0 1) ' * 999}))",
        "999 boxes of 9000 inputs",
    ),
    "many tokens": (declared(1, 1) + f"(assert (or {'a ' * 1_000_000}))", "more than 1000000"),
    "too many cases": (
        declared(1, 1) + "(assert (or (<= Y_0 0) (>= Y_0 1)))" * 17,
        "the property has 65536 cases",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_understood_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_property(text, "p.vnnlib")
    assert str(caught.value).startswith("p.vnnlib, line ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bounds", "empty", "cases"),
    [
        ("(>= X_0 1) (<= X_0 -1)", 1, 0),
        ("(>= X_0 1) (<= X_0 1)", 0, 1),
        ("(>= X_0 1) (< X_0 1)", 1, 0),
        ("(> X_0 1) (<= X_0 1)", 1, 0),
        ("(>= X_0 0.1) (<= X_0 0.0999999999999999999999)", 1, 0),  # one number in float64
    ],
)
def test_cases_with_an_empty_box_are_counted(bounds: str, empty: int, cases: int) -> None:
    read = parse_property(declared(1, 1) + f"(assert (and {bounds} (>= Y_0 0)))")
    assert (read.empty, len(read.cases)) == (empty, cases)
    both = f"(assert (or (and {bounds} (>= Y_0 0)) (and (<= X_0 5) (>= Y_0 1))))"
    assert (parse_property(declared(1, 1) + both).empty) == empty


def test_compressed_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "p.vnnlib.gz"
    file.write_bytes(gzip.compress((declared(1, 1) + "(assert (<= Y_0 1))").encode()))
    assert read_property(file).holds([0.0], [1.0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b" " * (70 << 20), 1), "more than 64 MiB of text"),
        (gzip.compress(b"(declare-const X_0 Real)" * 9)[:-12], "damaged gzip file"),
        (b"\x1f\x8b\x08\x00abc", "damaged gzip file"),
        (gzip.compress(b"\xff\xfe"), "not a text file"),
    ],
)
def test_compressed_files_that_are_not_read(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "p.vnnlib.gz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_property(file)


small = st.integers(-2, 2)


leaves = st.tuples(
    st.sampled_from(["<=", ">=", "<", ">"]), st.sampled_from(["X_0", "X_1", "Y_0", "Y_1"]), small
)


formulas = st.recursive(
    leaves,
    lambda parts: st.tuples(
        st.sampled_from(["and", "or"]), st.lists(parts, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def written(formula: tuple) -> str:
    if formula[0] in ("and", "or"):
        return f"({formula[0]} {' '.join(written(part) for part in formula[1])})"
    return f"({formula[0]} {formula[1]} {formula[2]})"


def judged(formula: tuple, point: dict[str, int]) -> bool:
    if formula[0] in ("and", "or"):
        parts = [judged(part, point) for part in formula[1]]
        return all(parts) if formula[0] == "and" else any(parts)
    compare = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
    return bool(compare[formula[0]](point[formula[1]], formula[2]))


@given(formulas, st.tuples(small, small, small, small))
def test_the_normal_form_means_what_the_formula_means(
    formula: tuple, values: tuple[int, ...]
) -> None:
    point = dict(zip(("X_0", "X_1", "Y_0", "Y_1"), values, strict=True))
    read = parse_property(declared(2, 2) + f"(assert {written(formula)})")
    assert read.holds(values[:2], values[2:]) == judged(formula, point)


ACAS_SHAPES = {  # property: (input boxes, conditions a box, rows a condition)
    "1": (1, 1, 1),
    "2": (1, 1, 4),
    "3": (1, 1, 4),
    "4": (1, 1, 4),
    "5": (1, 4, 1),
    "6": (2, 4, 1),
    "7": (1, 2, 3),
    "8": (1, 3, 2),
    "9": (1, 4, 1),
    "10": (1, 4, 1),
}


@pytest.mark.parametrize("number", ACAS_SHAPES)
def test_the_acas_properties(data_dir: Path, number: str) -> None:
    read = read_property(data_dir / "acasxu" / "vnnlib" / f"prop_{number}.vnnlib")
    boxes, conditions, rows = ACAS_SHAPES[number]
    assert (read.inputs, read.outputs, len(read.cases)) == (5, 5, boxes)
    for case in read.cases:
        assert np.isfinite(case.lower).all()
        assert np.isfinite(case.upper).all()
        assert [c.matrix.shape for c in case.conditions] == [(rows, 5)] * conditions


@pytest.mark.needs("mnist_fc/prop_index.csv")
def test_an_mnist_property_is_the_ball_around_its_image(data_dir: Path) -> None:
    folder = data_dir / "mnist_fc"
    images = np.load(data_dir / "mnist" / "mnist_test.npz")["images"]
    with (folder / "prop_index.csv").open() as file:
        rows = {(row["prop"], row["eps"]): row for row in csv.DictReader(file)}
    row = rows["0", "0.03"]
    read = read_property(folder / "vnnlib" / "prop_0_0.03.vnnlib")
    image = images[int(row["mnist_test_index"])].reshape(-1) / np.float32(255)
    radius = np.float32(row["eps"])
    (case,) = read.cases
    np.testing.assert_allclose(case.lower, np.clip(image - radius, 0, 1), atol=1e-7)
    np.testing.assert_allclose(case.upper, np.clip(image + radius, 0, 1), atol=1e-7)
    label = int(row["label"])
    assert read.holds(image, np.zeros(10))
    assert not read.holds(image, np.eye(10)[label])
