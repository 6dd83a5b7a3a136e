"""What ``verify`` answers where the truth is known: probabilities, fixed inputs, edges, rows."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from property_texts import IDENTITY, network, run, text_of

from marapatch.errors import InputError
from marapatch.formats.vnnlib.reader import parse_property
from marapatch.network.graph import Network
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify


def scores_of(folder: Path, last: str, rows: ArrayLike, biases: ArrayLike) -> Network:
    """Scores ``rows * x + biases`` of one input in [-4, 4], then ``last``."""
    slopes = np.array(rows, float)
    output = np.stack([slopes, -slopes], axis=1)
    return network(folder, [[1.0], [-1.0]], output, last, output_biases=biases)


def probabilities(x: float, rows: ArrayLike, biases: ArrayLike) -> np.ndarray:
    scores = np.array(rows, float) * x + np.array(biases, float)
    sizes = np.exp(scores - scores.max())
    return np.asarray(sizes / sizes.sum())


SCORES = {
    "two": ([1.0, -0.5], [0.25, 0.0]),
    "three": ([1.0, -0.5, 0.25], [0.0, 0.5, -0.5]),
    "five": ([1.0, -1.0, 0.5, 0.0, 2.0], [0.0, 0.0, 1.0, 0.5, -3.0]),
}


ROWS = {  # coefficients of the outputs
    "at least": {0: 1.0},
    "at most": {0: -1.0},
    "sum": {0: 1.0, 1: 1.0},
    "sum at most": {0: -1.0, 1: -1.0},
    "lead": {0: 1.0, 1: -1.0},
    "mixed": {0: 1.0, 1: 0.5},
}


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("classes", SCORES)
@pytest.mark.parametrize("kind", ROWS)
def test_thresholds_of_probabilities(
    last: str, classes: str, kind: str, tmp_path: Path, marabou: MarabouBackend
) -> None:
    """The largest value of the row over x in [-2, 2] on a fine grid, a little less, and a little
    more than the grid can miss: sat below it, unsat above it, and never otherwise."""
    slopes, biases = SCORES[classes]
    net = scores_of(tmp_path, last, slopes, biases)
    points = np.linspace(-2.0, 2.0, 20_001)
    outputs = np.array([probabilities(x, slopes, biases) for x in points])
    outputs = outputs if last == "Softmax" else np.log(outputs)
    count = len(biases)
    coefficients = [ROWS[kind].get(j, 0.0) for j in range(count)]
    best = float((outputs @ coefficients).max())
    terms = " ".join(f"(* {c} Y_{j})" for j, c in enumerate(coefficients) if c)
    for gap, status in ((-1e-3, "sat"), (1e-4, "unsat"), (10.0, "unsat")):
        condition = f"(>= (+ {terms}) {best + gap:.17f})"
        asked = parse_property(text_of(1, count, [[-2, 2]], condition))
        result = verify(net, asked, marabou, nodes=20000)
        if kind == "sum" and classes == "two" and last == "Softmax" and gap == 10.0:
            assert result.disjuncts == 0  # never met, whatever the scores
        assert result.status == status, (gap, result)
        if isinstance(result.verdict, Unsat):
            assert result.verdict.evidence is Evidence.BOUND
        if isinstance(result.verdict, Sat):
            assert result.verdict.witness.confirmed


def test_log_odds_are_decided_next_to_the_threshold(
    tmp_path: Path, marabou: MarabouBackend
) -> None:
    """P_0 at x = 1 is 1 / (1 + exp(-2)): 1e-12 more is refuted, 1e-6 less is found."""
    net = scores_of(tmp_path, "Softmax", [1.0, -1.0], [0.0, 0.0])
    most = 1.0 / (1.0 + exp(-2.0))
    for gap, status in ((1e-12, "unsat"), (-1e-6, "sat")):
        for condition in (f"(>= Y_0 {most + gap:.17f})", f"(<= Y_1 {1.0 - most - gap:.17f})"):
            asked = parse_property(text_of(1, 2, [[-1, 1]], condition))
            assert verify(net, asked, marabou, nodes=20000).status == status, condition


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
def test_probabilities_with_many_inputs_go_to_the_tree(
    last: str, tmp_path: Path, marabou: MarabouBackend
) -> None:
    """14 inputs: s_0 = sum |x_i| - 3 against 0 and 1, so that P_0 is largest in the corners."""
    eye = np.eye(14)
    net = network(
        tmp_path,
        np.vstack([eye, -eye]),
        [np.ones(28), np.zeros(28), np.zeros(28)],
        last,
        output_biases=[-3.0, 0.0, 1.0],
    )
    rivals = log(1.0 + exp(1.0))
    most = 1.0 / (1.0 + exp(rivals - (14 * 0.25 - 3.0)))
    for level, status in ((most - 0.01, "sat"), (most + 0.01, "unsat")):
        asked = level if last == "Softmax" else log(level)
        box = [[-0.25, 0.25]] * 14
        wanted = parse_property(text_of(14, 3, box, f"(>= Y_0 {asked:.9f})"))
        assert verify(net, wanted, marabou, nodes=20000).status == status


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax"])
def test_rows_that_are_not_convex_with_many_inputs(
    last: str, tmp_path: Path, marabou: MarabouBackend
) -> None:
    """Scores (s, 0, -1) with s from -3.5 to 3.5 where every ReLU is active: P_0 is least where s
    is. A tree asks whether either rival alone takes half of the rest: a probability is found above
    the least, refuted well below it, and open, with the reason, just below it."""
    weights = [np.ones(14), np.zeros(14), np.zeros(14)]
    biases = [-14.0, 0.0, -1.0]
    net = network(tmp_path, np.eye(14), weights, last, biases=np.ones(14), output_biases=biases)
    least = exp(-3.5) / (exp(-3.5) + 1.0 + exp(-1.0))
    for share, status in ((1.1, "sat"), (0.95, "unknown"), (0.4, "unsat")):
        level = share * least if last == "Softmax" else log(share * least)
        wanted = parse_property(text_of(14, 3, [[-0.25, 0.25]] * 14, f"(<= Y_0 {level:.9f})"))
        result = verify(net, wanted, marabou, nodes=500)
        assert result.status == status
        if isinstance(result.verdict, Unknown):
            assert "not convex" in result.verdict.reason


def test_inputs_fixed_at_a_number_that_the_type_cannot_hold(
    tmp_path: Path, marabou: MarabouBackend
) -> None:
    """y = x_0 + x_1 with X_0 = 0.1: conditions that tell a tenth from the nearest float32, which
    is 1.5e-9 more, and from the nearest float64, which is 5.6e-18 more."""
    net = network(
        tmp_path, [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [[1.0, -1.0, 1.0, -1.0]]
    )
    for condition, status in {
        "(>= Y_0 0.1)": "sat",
        "(<= Y_0 0.1)": "sat",
        "(<= Y_0 0.10000000000000000001)": "sat",
        "(>= Y_0 0.1000000001)": "unsat",
        "(<= Y_0 0.0999999999)": "unsat",
        "(> Y_0 0.1)": "unknown",  # the closed condition holds, the strict one nowhere
    }.items():
        asked = parse_property(text_of(2, 1, [["0.1", "0.1"], ["0", "0"]], condition))
        result = verify(net, asked, marabou, nodes=200)
        assert result.status == status, (condition, result)
        if isinstance(result.verdict, Sat):
            assert result.verdict.witness.exact == (Fraction(1, 10), 0)
            assert result.verdict.witness.input.dtype == np.float32
            assert result.verdict.witness.confirmed


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (("(<= (+ X_0 X_1) -0.5)", "(>= Y_0 0.45)"), "sat"),  # |x0 + x1| >= 0.5
        (("(<= (+ X_0 X_1) 0.5)", "(>= (+ X_0 X_1) -0.5)", "(>= Y_0 0.51)"), "unsat"),
        (("(<= (+ X_0 X_1) 0.5)", "(>= (+ X_0 X_1) -0.5)", "(>= Y_0 0.49)"), "sat"),
        (("(>= X_0 (* 3 Y_0))", "(>= Y_0 0.3)"), "sat"),  # x0 = 1, x1 = -0.7
        (("(>= X_0 (* 3 Y_0))", "(>= Y_0 0.34)"), "unsat"),
        (("(>= (* 0.3 X_0) (* 0.7 Y_0))", "(>= Y_0 0.43)"), "unsat"),
        (("(>= (* 0.3 X_0) (* 0.7 Y_0))", "(>= Y_0 0.42)"), "sat"),
        (("(> X_0 0.5)", "(< X_0 0.5000001)", "(< Y_0 0.1)"), "sat"),
        (("(>= (* 2 X_0) 1.9)", "(<= X_1 -1.0)", "(>= Y_0 0.06)"), "unsat"),
    ],
)
def test_linear_rows_over_inputs(
    conditions: tuple[str, ...], status: str, tmp_path: Path, marabou: MarabouBackend
) -> None:
    """y = |x_0 + x_1| over [-1, 1]^2."""
    net = network(tmp_path, [[1.0, 1.0], [-1.0, -1.0]], [[1.0, 1.0]])
    asked = parse_property(text_of(2, 1, [[-1, 1]], *conditions))
    result = verify(net, asked, marabou, nodes=20000)
    assert result.status == status
    if isinstance(result.verdict, Sat):
        x = result.verdict.witness.input.astype(float)
        assert asked.holds(x, np.abs(x.sum(keepdims=True)))


def test_strict_bounds_on_inputs(tmp_path: Path, marabou: MarabouBackend) -> None:
    """y = x over 0 <= x < 1: 1 is not reached, and what is just below it is."""
    net = network(tmp_path, *IDENTITY)
    for condition, status in {"(>= Y_0 0.9999999)": "sat", "(>= Y_0 1)": "unknown"}.items():
        text = text_of(1, 1, [[0, 2]], "(< X_0 1)", condition)
        result = verify(net, parse_property(text), marabou, nodes=200)
        assert result.status == status
        if isinstance(result.verdict, Sat):
            assert result.verdict.witness.input[0] < 1


@pytest.mark.parametrize("operators", [("ArgMax",), ("Softmax", "Softmax")])
def test_ends_that_are_not_read_are_refused(
    operators: tuple[str, ...], tmp_path: Path, marabou: MarabouBackend
) -> None:
    net = network(tmp_path, np.eye(3), np.eye(3), *operators)
    asked = parse_property(text_of(3, 3, [[0, 1]], "(>= Y_0 0.5)"), "p.vnnlib")
    with pytest.raises(InputError, match=r"p\.vnnlib: .* ends in (ArgMax|several Softmax)"):
        verify(net, asked, marabou)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (text_of(1, 1, [[1, -1]], "(>= Y_0 0)"), "unsat", "warning: the property's input box is"),
        (
            text_of(1, 1, [[-1, 1]], "(or (and (>= X_0 3) (<= X_0 2)) (>= Y_0 5))"),
            "unsat",
            "note: 1 cases with an empty input box were left out",
        ),
        (
            text_of(1, 1, [[-1, 1]], "(or (and (>= X_0 3) (<= X_0 2)) (>= Y_0 0.5))"),
            "sat",
            "note: 1 cases with an empty input box were left out",
        ),
    ],
)
def test_command_with_empty_boxes(
    text: str, status: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network(tmp_path, *IDENTITY)
    code, lines, err = run(tmp_path, text, capsys)
    assert (code, lines[0]) == (0, status)
    assert err.startswith(f"marapatch: {said}")


def test_command_says_why_time_was_not_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network(tmp_path, *IDENTITY)
    text = text_of(1, 1, [[-1, 1]], "(>= Y_0 0.5)")
    code, lines, err = run(tmp_path, text, capsys, "--timeout", "1e-9")
    assert (code, lines) == (1, ["timeout"])
    assert err == "marapatch: timeout: not all of 1 disjuncts were looked at\n"
