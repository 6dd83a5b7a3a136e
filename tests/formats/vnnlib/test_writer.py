"""VNN-LIB properties, written and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_networks import branching_network
from written_queries import TIMEOUT

from marapatch.errors import InputError
from marapatch.formats import property_query, vnnlib_text
from marapatch.formats.vnnlib.reader import Property, parse_property
from marapatch.network.graph import Network, dense_network
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.specification import exact
from marapatch.solvers import Candidate, HighsBackend, Infeasible

CASES = {
    "box and rows": (
        "(assert (>= X_0 -0.1)) (assert (<= X_0 0.3)) (assert (>= X_1 0.0)) (assert (<= X_1 1.0))"
        "(assert (>= Y_0 Y_1)) (assert (<= (+ Y_0 (* 2.0 Y_1)) 3.5))"
    ),
    "any of outputs": (
        "(assert (and (>= X_0 -1.0) (<= X_0 1.0) (>= X_1 -1.0) (<= X_1 1.0)))"
        "(assert (or (>= Y_0 0.5) (and (>= Y_1 0.1) (<= Y_0 Y_1))))"
    ),
    "any of boxes": (
        "(assert (or (and (>= X_0 0.0) (<= X_0 0.5) (>= X_1 0.0) (<= X_1 0.25) (>= Y_0 1e-07))"
        "(and (>= X_0 0.75) (<= X_0 1.0) (>= X_1 0.0) (<= X_1 0.25) (<= Y_1 -0.3))))"
    ),
    "rows over inputs": (
        "(assert (and (>= X_0 -1.0) (<= X_0 1.0) (>= X_1 -1.0) (<= X_1 1.0)))"
        "(assert (<= (+ X_0 (* 0.3 X_1)) 0.1)) (assert (>= X_1 Y_0)) (assert (>= Y_1 -5))"
    ),
    "strict, and thirds": (
        "(assert (and (> (* 3 X_0) -1) (< X_0 1.0) (>= X_1 -1.0) (<= (* 7 X_1) 5)))"
        "(assert (> (* 3 Y_0) (+ 1 (* 2 Y_1))))"
    ),
}


def specification(name: str) -> Property:
    declared = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))
    return parse_property(declared + CASES[name], name)


def content(given: Property) -> list[object]:
    """Boxes and rows, exactly; a row up to a positive factor."""
    found: list[object] = []
    for case in given.cases:
        alternatives = []
        for rows in case.alternatives:
            kept = []
            for each in rows:
                scale = abs(next(iter([*each.inputs.values(), *each.outputs.values()])))
                inputs = {i: c / scale for i, c in each.inputs.items()}
                outputs = {j: c / scale for j, c in each.outputs.items()}
                kept.append((inputs, outputs, each.rhs / scale, each.strict))
            alternatives.append(kept)
        found.append((case.box, alternatives))
    return found


@pytest.mark.parametrize("name", CASES)
def test_vnnlib_written_and_read_is_the_same(name: str) -> None:
    given = specification(name)
    assert content(parse_property(vnnlib_text(given), name)) == content(given)


@pytest.mark.parametrize("number", range(1, 11))
def test_acas_properties_written_and_read_are_the_same(number: int, data_dir: Path) -> None:
    path = data_dir / "acasxu" / "vnnlib" / f"prop_{number}.vnnlib"
    given = parse_property(path.read_text(), str(path))
    assert content(parse_property(vnnlib_text(given), "again")) == content(given)


@pytest.mark.parametrize("name", CASES)
def test_a_property_as_a_query_means_the_same(name: str) -> None:
    """Feasible where sampling finds a point; a solution is such a point."""
    given = specification(name)
    decided = set()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network = (
            branching_network(rng, 2, 2)
            if seed % 2
            else dense_network(
                [rng.normal(size=(4, 2)), rng.normal(size=(2, 4))],
                [rng.normal(size=4), np.zeros(2)],
            )
        )
        answer = HighsBackend().solve(property_query(network, given), TIMEOUT)
        samples = rng.uniform(-1, 1, size=(4000, 2))
        outputs = network.evaluate(samples)
        found = any(given.holds(x, y) for x, y in zip(samples, outputs, strict=True))
        if isinstance(answer, Candidate):
            x = answer.assignment[:2]
            y = network.evaluate(x)[0]
            near = [
                (c.lower - 1e-6 <= x).all()
                and (x <= c.upper + 1e-6).all()
                and any(
                    all(r.surplus(exact(x), exact(y)) >= -1e-6 for r in a) for a in c.alternatives
                )
                for c in given.cases
            ]
            assert any(near)
        else:
            assert isinstance(answer, Infeasible)
            assert not found
        decided.add(isinstance(answer, Candidate))
    assert True in decided


def softmax(last: OutputTransform) -> Network:
    network = dense_network([np.eye(2), np.array([[1.0, -1.0], [0.0, 2.0]])], [np.ones(2)] * 2)
    return replace(network, output_transform=last)


BOX = "(assert (and (>= X_0 -1.0) (<= X_0 1.0) (>= X_1 -1.0) (<= X_1 1.0)))"


@pytest.mark.parametrize(
    ("last", "condition", "score_rows"),
    [
        (OutputTransform.SOFTMAX, "(>= Y_0 Y_1)", ["1 -1 0"]),
        (OutputTransform.SOFTMAX, "(and (>= Y_0 Y_1) (>= Y_1 -0.5))", ["1 -1 0"]),
        (OutputTransform.LOG_SOFTMAX, "(>= Y_0 (+ Y_1 0.5))", ["1 -1 0.5"]),
        (OutputTransform.NONE, "(>= Y_0 0.6)", ["1 0 0.6"]),
    ],
)
def test_orders_of_probabilities_are_written_as_rows_over_scores(
    last: OutputTransform, condition: str, score_rows: list[str]
) -> None:
    text = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1")) + BOX
    query = property_query(softmax(last), parse_property(f"{text}(assert {condition})"))
    plain = replace(softmax(last), output_transform=OutputTransform.NONE)
    rows = []
    for numbers in score_rows:
        first, second, rhs = numbers.split()
        rows.append(f"(assert (>= (+ (* {first} Y_0) (* {second} Y_1)) {rhs}))")
    asked = parse_property(text + "".join(rows).replace("(* 0 Y_1)", "0"))
    assert query.text == property_query(plain, asked).text


@pytest.mark.parametrize(
    ("last", "condition", "message"),
    [
        (OutputTransform.SOFTMAX, "(>= Y_0 0.6)", "no linear condition on scores"),
        (OutputTransform.SOFTMAX, "(>= Y_0 (+ Y_1 0.1))", "no linear condition on scores"),
        (OutputTransform.LOG_SOFTMAX, "(>= Y_0 -0.5)", "no linear condition on scores"),
        (OutputTransform.SOFTMAX, "(<= Y_0 -0.1)", "holds nowhere, whatever the scores"),
        (OutputTransform.ARGMAX, "(>= Y_0 0.5)", "ends in ArgMax"),
        (OutputTransform.NONE, "(and (>= X_0 0.5) (<= X_0 0.25))", "every case has an empty box"),
    ],
)
def test_what_is_no_query_is_refused(last: OutputTransform, condition: str, message: str) -> None:
    text = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1")) + BOX
    with pytest.raises(InputError, match=f"p.vnnlib: .*{message}"):
        property_query(softmax(last), parse_property(f"{text}(assert {condition})", "p.vnnlib"))
