from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from small_networks import KINDS, branching_network

from marapatch.bounds.crown import linear_bounds
from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.formats.vnnlib.reader import parse_property
from marapatch.network.graph import Network, dense_network
from marapatch.network.onnx.writer import write_onnx
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat
from marapatch.search.branch_and_bound.input_tree import BoxBounder, Boxes, InputSplit
from marapatch.solvers import MarabouBackend
from marapatch.verification.api import verify
from marapatch.verification.property_search import covering_radius
from marapatch.witnesses.falsify import falsify


@pytest.fixture(scope="module")
def marabou() -> Iterator[MarabouBackend]:
    with MarabouBackend() as backend:
        yield backend


def network_of(seed: int, inputs: int = 2) -> Network:
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return branching_network(rng, inputs, 2)
    kind = ("plain", "huge", "tiny")[seed % 3]
    return dense_network(*KINDS[kind](rng, (inputs, 5, 5, 2)))


def question_of(network: Network, matrix: np.ndarray, rhs: np.ndarray) -> Question:
    ball = covering_radius(-np.ones(network.inputs), np.ones(network.inputs), network.input_dtype)
    condition = OutputCondition(matrix, rhs)
    judge = Replay(network, ball, condition)
    return Question(network.standard_form, ball, condition, judge)


def grid(inputs: int) -> np.ndarray:
    axis = np.linspace(-1, 1, 81 if inputs == 2 else 11)
    return np.stack(np.meshgrid(*[axis] * inputs), -1).reshape(-1, inputs)


@pytest.mark.parametrize("seed", range(12))
def test_both_searches_agree_with_a_fine_grid(seed: int, marabou: MarabouBackend) -> None:
    """Asked for more than the largest value on a grid plus what lies between: never sat wrongly,
    never unsat wrongly; asked for clearly less: sat."""
    network = network_of(seed)
    points = grid(2)
    values = network.evaluate(points)
    lead = values[:, 0] - values[:, 1]
    best, spread = float(lead.max()), float(np.ptp(lead))
    words = []
    for gap in (-0.3, -0.01, -1e-6, 0.01, 0.3):
        matrix, rhs = np.array([[1.0, -1.0]]), np.array([best + gap * spread])
        text = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))
        text += "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in (0, 1))
        text += f"(assert (>= (- Y_0 Y_1) {rhs[0]:.17f}))"
        result = verify(network, parse_property(text), marabou, nodes=20000)
        if gap < 0.0:
            assert result.status == "sat"
        if result.status == "sat":
            assert isinstance(result.verdict, Sat)
            x = result.verdict.witness.input
            assert ((x >= -1) & (x <= 1)).all()
            assert matrix @ network.evaluate(x)[0] >= rhs
        elif result.status == "unsat":
            assert best < rhs[0]
            assert isinstance(result.verdict, Unsat)
            assert result.verdict.evidence is Evidence.BOUND
        words.append(result.status)
    assert words[-1] == "unsat"


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_bounded_soundly(seed: int) -> None:
    """Pre-activations and the condition at sampled points lie within the bounds of their box."""
    network = network_of(seed, 3)
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-1, 1, size=(2000, 3))
    leads = network.evaluate(samples)
    matrix = np.array([[1.0, -1.0], [0.5, 1.0]])
    question = question_of(network, matrix, (leads @ matrix.T).max(axis=0) * 0.9)
    bounds = linear_bounds(question.form, question.ball)
    bounder = BoxBounder(question.form, bounds, question.condition)
    count = 40
    ends = np.sort(rng.uniform(-1, 1, size=(count, 3, 2)), axis=2)
    none = np.zeros(0)
    lower = np.tile(np.concatenate([none, *bounds.lower]), (count, 1))
    upper = np.tile(np.concatenate([none, *bounds.upper]), (count, 1))
    boxes = Boxes(ends[..., 0], ends[..., 1], lower, upper, np.zeros(count), np.ones((count, 3)))
    bounded, points = bounder.bound(boxes)
    assert (points >= boxes.low).all()
    assert (points <= boxes.high).all()
    tighter = 0
    for i in range(count):
        inside = rng.uniform(boxes.low[i], boxes.high[i], size=(200, 3))
        hidden, outputs = question.form.pre_activations(inside)
        flat = np.concatenate(hidden, axis=1)
        slack = 1e-9 * (1.0 + np.abs(flat).max())
        assert (flat >= bounded.lower[i] - slack).all()
        assert (flat <= bounded.upper[i] + slack).all()
        worst = question.condition.worst(outputs)
        assert bounded.value[i] <= -worst.max() + slack
        tighter += int((bounded.upper[i] - bounded.lower[i] < upper[i] - lower[i]).all())
    assert tighter > count // 2


def test_halves_cover_the_box() -> None:
    rng = np.random.default_rng(1)
    low = rng.uniform(-1, 0, size=(50, 3))
    high = low + rng.uniform(0, 1, size=(50, 3)) * (rng.random((50, 3)) < 0.8)
    rest = np.zeros((50, 4)), np.ones((50, 4)), np.zeros(50), rng.random((50, 3))
    halves = Boxes(low, high, *rest).halves()
    inside = low + rng.random((50, 3)) * (high - low)
    first = ((inside >= halves.low[:50]) & (inside <= halves.high[:50])).all(axis=1)
    second = ((inside >= halves.low[50:]) & (inside <= halves.high[50:])).all(axis=1)
    assert (first | second).all()
    wide = (high > low).any(axis=1)
    assert ((halves.high - halves.low).sum(axis=1)[:50] < (high - low).sum(axis=1))[wide].all()


def test_an_interrupted_search_can_be_resumed() -> None:
    network = network_of(1, 3)
    lead = network.evaluate(grid(3)) @ np.array([1.0, -1.0])
    question = question_of(
        network, np.array([[1.0, -1.0]]), np.array([lead.max() + 0.05 * np.ptp(lead)])
    )
    search = InputSplit(question)
    first = search.advance(0.0)
    assert isinstance(first, Unknown) == (search.bounded == 1 and bool(search.open))
    assert isinstance(search.advance(np.inf), Unsat)
    again = InputSplit(question)
    assert isinstance(again.advance(np.inf), Unsat)
    assert again.bounded == search.bounded


def test_falsify_is_repeatable_and_replayed() -> None:
    network = network_of(4, 3)
    lead = network.evaluate(grid(3)) @ np.array([1.0, -1.0])
    easy = question_of(
        network, np.array([[1.0, -1.0]]), np.array([lead.max() - 0.1 * np.ptp(lead)])
    )
    witness, same = (falsify(easy, np.inf, seed=5, rounds=3) for _ in range(2))
    assert witness is not None
    assert same is not None
    assert np.array_equal(witness.input, same.input)
    assert witness.margin > 0.0
    hard = question_of(network, np.array([[1.0, -1.0]]), np.array([lead.max() + np.ptp(lead)]))
    assert falsify(hard, np.inf, rounds=2) is None


DECLARED = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))
BOX = "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in (0, 1))


def files(folder: Path, condition: str) -> tuple[str, str]:
    network = network_of(1)
    write_onnx(network, folder / "net.onnx")
    (folder / "p.vnnlib").write_text(DECLARED + BOX + condition)
    return str(folder / "net.onnx"), str(folder / "p.vnnlib")


def test_command_sat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (or (>= Y_0 1e6) (>= Y_0 Y_1) (>= Y_1 Y_0)))")
    out, text = tmp_path / "w.npy", tmp_path / "result.txt"
    code = main(
        ["verify", network, specification, "--witness", str(out), "--counterexample", str(text)]
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert printed == text.read_text()
    status, *pairs = printed.splitlines()
    assert status == "sat"
    found = dict(re.fullmatch(r"\(?\(([XY]_\d) (\S+?)\)\)?", pair).groups() for pair in pairs)  # type: ignore[union-attr]
    assert list(found) == ["X_0", "X_1", "Y_0", "Y_1"]
    assert printed.count("(") == printed.count(")") == 5
    x = np.load(out)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    shape = [n if isinstance(n, int) else 1 for n in given.shape]
    y = np.asarray(session.run(None, {given.name: x.reshape(shape)})[0]).ravel()
    assert [float(found[f"X_{i}"]) for i in (0, 1)] == x.ravel().tolist()
    assert np.array([found["Y_0"], found["Y_1"]], y.dtype) == pytest.approx(y, rel=1e-6)


def test_command_unsat_and_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 1e6))")
    assert main(["verify", network, specification]) == 0
    assert capsys.readouterr().out == "unsat\n"
    assert main(["verify", network, str(tmp_path / "none.vnnlib")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "error\n"
    assert "cannot be read" in captured.err
    assert captured.err.count("\n") == 1


def test_a_property_of_another_network_is_refused(marabou: MarabouBackend) -> None:
    network = network_of(1, 3)
    with pytest.raises(InputError, match=r"2 inputs and 2 outputs, the network has 3 and 2"):
        verify(network, parse_property(DECLARED + BOX + "(assert (>= Y_0 0.0))"), marabou)
    open_ended = DECLARED + BOX.replace("(assert (<= X_1 1.0))", "") + "(assert (>= Y_0 0.0))"
    with pytest.raises(InputError, match=r"X_1 has no finite bounds"):
        verify(network_of(1), parse_property(open_ended), marabou)


@pytest.mark.parametrize("suffix", [".ipq", ".smt2", ".mps", ".lp", ".vnnlib", ".txt"])
def test_command_export(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 Y_1))")
    out = tmp_path / f"query{suffix}"
    assert main(["export", network, specification, str(out)]) == 0
    capsys.readouterr()
    assert out.stat().st_size > 100
    assert (tmp_path / "query.ipq.csv").exists() == (suffix == ".ipq")


def test_command_export_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, specification = files(tmp_path, "(assert (>= Y_0 Y_1))")
    assert main(["export", network, specification, str(tmp_path / "query.pdf")]) == 2
    assert "suffix must be one of" in capsys.readouterr().err
    assert main(["export", network, specification, specification]) == 2
    assert "would be overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "number", "status"),
    [("1_1", 4, "unsat"), ("4_5", 3, "unsat"), ("2_1", 2, "sat"), ("1_1", 1, "unsat")],
)
def test_acas_xu(
    network: str, number: int, status: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data_dir / "acasxu"
    code = main(
        [
            "verify",
            str(folder / "onnx" / f"ACASXU_run2a_{network}_batch_2000.onnx"),
            str(folder / "vnnlib" / f"prop_{number}.vnnlib"),
            "--nodes",
            "100000",
        ]
    )
    assert code == 0
    assert capsys.readouterr().out.splitlines()[0] == status


def test_many_inputs_go_to_the_tree(marabou: MarabouBackend) -> None:
    """With 14 inputs the phases are split; both answers, on networks small enough to be sure."""
    rng = np.random.default_rng(8)
    network = dense_network(
        [rng.normal(size=(6, 14)), rng.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)]
    )
    sign = np.sign(network.weights("affine0")[0]).T
    best = max(float(network.evaluate(s)[0] @ [1.0, -1.0]) for s in sign.T)
    names = [f"X_{i}" for i in range(14)] + ["Y_0", "Y_1"]
    text = "".join(f"(declare-const {v} Real)" for v in names)
    text += "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in range(14))
    ceiling = float(
        np.abs(network.weights("affine1")[0]).sum()
        * np.abs(network.weights("affine0")[0]).sum(1).max()
    )
    for level, status in ((best - 0.1, "sat"), (2 * ceiling, "unsat")):
        wanted = parse_property(f"{text}(assert (>= (- Y_0 Y_1) {level:.9f}))")
        assert verify(network, wanted, marabou, nodes=20000).status == status


def test_whole_box_covers_the_box() -> None:
    ball = covering_radius(np.array([0.1, -1.0]), np.array([0.1, 2.0]), np.dtype(np.float32))
    assert isinstance(ball, Ball)
    low, high = ball.enclosing_box
    assert (low <= [0.1, -1.0]).all()
    assert (high >= [0.1, 2.0]).all()
