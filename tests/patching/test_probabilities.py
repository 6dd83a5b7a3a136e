"""Patches for goals on probabilities: against closed forms, and refused where they are none."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, reference, save
from probability_goals import OPTIONS, classifier

from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.modelling import Problem
from marapatch.network.load import load
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.api import minimal_patch
from marapatch.patching.goal_files import read_goals
from marapatch.patching.goals import linear, parse
from marapatch.patching.sparse import sparse_patch
from marapatch.problem.conditions import Rule

VNNLIB = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1", "Y_2"))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("(<= Y_0 0.3)", "is not convex in the scores"),
        ("(>= (+ Y_0 Y_1) 0.8)", "is not convex in the scores"),
        ("(>= Y_0 1.5)", "can never be met"),
        ("(>= (- Y_0 X_0) 0)", "compares several inputs, or inputs with outputs"),
        ("(or (and (>= X_0 1) (<= X_0 0)) (>= Y_0 0.5))", "have an empty input box"),
    ],
)
def test_goals_that_are_refused(condition: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "goal.vnnlib"
    file.write_text(f"{VNNLIB}(assert {condition})")
    with pytest.raises(InputError, match=f"goal.vnnlib: .*{message}"):
        read_goals(file, 1, 3, Rule.ARGMAX, None, OutputTransform.SOFTMAX)


def test_goals_of_files_are_on_what_the_file_gives(tmp_path: Path) -> None:
    (tmp_path / "goal.vnnlib").write_text(
        VNNLIB + "(assert (or (>= Y_0 0.6) (>= Y_1 (+ Y_2 0.1))))"
    )
    (tmp_path / "goal.toml").write_text(
        "[[goal]]\nmatrix = [[1, 0, 0]]\nrhs = [0.6]\nmargin = 0.1\n"
    )
    scores, nothing = np.array([log(0.65), log(0.2), log(0.15)]), np.zeros(3)
    for name, met in (("goal.vnnlib", True), ("goal.toml", False)):
        (goal,) = read_goals(tmp_path / name, 1, 3, Rule.ARGMAX, None, OutputTransform.SOFTMAX)
        assert (goal.surplus(scores, nothing) > 0.0) is met
        assert (goal.surplus(scores + 7.0, nothing) > 0.0) is met  # a constant changes nothing
        assert goal.missed(scores, nothing) is not met
        if met:
            assert goal.surplus(scores, nothing) == pytest.approx(0.05, rel=1e-5)
            assert not goal.surplus(scores, np.full(3, 0.5)) > 0.0  # the error counts against it
            assert not goal.missed(scores - np.array([0.3, 0, 0]), np.full(3, 0.5))
    beyond = np.array([log(0.5), log(0.3), log(0.2) + 1e-9])
    (goal,) = read_goals(tmp_path / "goal.vnnlib", 1, 3, Rule.ARGMAX, None, OutputTransform.SOFTMAX)
    assert goal.surplus(beyond, nothing) <= 0.0


def test_scores_are_not_taken_for_probabilities(tmp_path: Path) -> None:
    network = classifier(tmp_path, np.random.default_rng(0), 3, "Softmax")
    x = np.array([0.5, -0.25])
    with pytest.raises(InputError, match="the network ends in Softmax"):
        minimal_patch(network, x, linear([[1.0, 0.0, 0.0]], [0.6], 3))
    assert minimal_patch(network, x, "1", options=OPTIONS).closed  # a class is an order
    goal = linear([[1.0, 0.0, 0.0]], [0.6], 3, transform=network.output_transform)
    with pytest.raises(InputError, match="a goal on probabilities"):
        sparse_patch(network, x, goal, max_change=1.0)
    problem = Problem()
    inputs = problem.array("x", 2, 0, 1)
    with pytest.raises(InputError, match=r"ends in Softmax.*network\.scores"):
        network(inputs)
    with pytest.raises(InputError, match="ends in Softmax"):
        network.with_free_weights(problem)([0.5, 0.5])
    assert network.scores(inputs).shape == (3,)
    assert network.with_free_weights(problem, name="other").scores([0.5, 0.5]).shape == (3,)


def test_classes_are_led_in_scores() -> None:
    goal = parse("0", 3, Rule.ARGMAX, 0.5)
    assert goal.of_classes
    value, slope = goal.lead(np.array([2.0, 1.0, 0.0]))
    assert (value, slope.tolist()) == (0.5, [1.0, -1.0, 0.0])


def test_command_patches_for_a_probability(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = classifier(tmp_path, np.random.default_rng(2), 3, "Softmax")
    x = np.array([[0.25, 0.5]], dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    target = int(network.evaluate(x)[0].argmin())
    (tmp_path / "goal.vnnlib").write_text(f"{VNNLIB}(assert (>= Y_{target} 0.75))")
    files = [str(tmp_path / name) for name in ("model.onnx", "x.npy")]
    out = tmp_path / "patched.onnx"
    code = main(["patch", *files, "--spec", str(tmp_path / "goal.vnnlib"), "-o", str(out)])
    assert code == 0
    assert "onnxruntime meets every goal" in capsys.readouterr().out
    assert reference(str(out), x, (2,))[0, target] == pytest.approx(0.75, abs=1e-3)


def test_files_say_how_they_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for last in ("Softmax", "LogSoftmax"):
        assert classifier(tmp_path, rng, 3, last).output_transform is OutputTransform(last)
    nodes = [node("Gemm", ["x", "W"], ["y"])]
    plain = load(save(model(nodes, [1, 2], {"W": np.eye(2)}), tmp_path))
    assert plain.output_transform is OutputTransform.NONE
    outputs = np.array([[0.25, 0.75, 0.0]])
    scores = OutputTransform.SOFTMAX.scores(outputs)
    np.testing.assert_allclose(scores[0, :2], [log(0.25), log(0.75)])
    assert np.isfinite(scores).all()
