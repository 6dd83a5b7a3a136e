"""Small networks and properties of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from small_networks import KINDS, branching_network

from marapatch.network.graph import Network, dense_network
from marapatch.network.onnx.writer import write_onnx
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.verification.property_search import covering_radius


def network_of(seed: int, inputs: int = 2) -> Network:
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return branching_network(rng, inputs, 2)
    kind = ("plain", "huge", "tiny")[seed % 3]
    return dense_network(*KINDS[kind](rng, (inputs, 5, 5, 2)))


def question_of(network: Network, matrix: np.ndarray, rhs: np.ndarray) -> Question:
    ball = covering_radius(-np.ones(network.inputs), np.ones(network.inputs), network.input_dtype)
    condition = OutputCondition(matrix, rhs)
    replay = Replay(network, ball, condition)
    return Question(network.standard_form, ball, condition, replay)


def grid(inputs: int) -> np.ndarray:
    axis = np.linspace(-1, 1, 81 if inputs == 2 else 11)
    return np.stack(np.meshgrid(*[axis] * inputs), -1).reshape(-1, inputs)


DECLARED = "".join(f"(declare-const {v} Real)" for v in ("X_0", "X_1", "Y_0", "Y_1"))


BOX = "".join(f"(assert (>= X_{i} -1.0))(assert (<= X_{i} 1.0))" for i in (0, 1))


def files(folder: Path, condition: str) -> tuple[str, str]:
    network = network_of(1)
    write_onnx(network, folder / "net.onnx")
    (folder / "p.vnnlib").write_text(DECLARED + BOX + condition)
    return str(folder / "net.onnx"), str(folder / "p.vnnlib")
