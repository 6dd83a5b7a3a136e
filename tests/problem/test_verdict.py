"""Who may say that a point is a witness: what replays inputs, and nobody else."""

from __future__ import annotations

import ast
from math import inf
from pathlib import Path

import numpy as np
import pytest

import marapatch
from marapatch.network.graph import dense_network
from marapatch.patch_attacks.stage import StagePoint, formulate
from marapatch.patching.formulation import PatchProblem, by_weight
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import one_of
from marapatch.patching.verify_patch import PatchPoint, PatchVerifier
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Witness, witness_of

NETWORK = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
MAKERS = {"problem/replay.py", "verification/property_replay.py"}


def test_witnesses_are_made_where_inputs_are_replayed() -> None:
    root = Path(marapatch.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Witness"
    }
    assert found == MAKERS


def test_a_stage_ends_at_a_point_of_its_own() -> None:
    form, condition = NETWORK.standard_form, beats(1, 2, Rule.ARGMAX, 0.1)
    question = formulate(form, np.array([1.0, 0.5]), 1.0, condition, Norm.LINF, 0.0)
    found = question.replay(np.array([-0.5, 0.5]))
    assert isinstance(found, StagePoint)
    assert found.distance == 0.5
    assert found.margin == pytest.approx(0.4)
    assert question.replay(np.zeros(2)) is None
    with pytest.raises(TypeError, match="StagePoint is no witness"):
        witness_of(found)


def test_a_patch_is_no_witness_of_an_input() -> None:
    goals = (one_of([1], 2, Rule.ARGMAX, 0.1),)
    weights = free_weights(NETWORK, NETWORK.affine_layers[0])
    verifier = PatchVerifier(NETWORK, weights, np.array([[1.0, 0.5]]), goals, Norm.LINF)
    formulated = by_weight(PatchProblem.of(verifier), goals[0].clauses, marks=False)
    assert formulated.question.ball.covering_radius == inf
    found = formulated.question.replay(np.array([-0.5, -0.5, 0.5, 0.5]))
    assert isinstance(found, PatchPoint)
    assert formulated.replays.of(found) is found.verified
    assert found.distance == found.verified.size == 0.5
    with pytest.raises(TypeError, match="PatchPoint is no witness"):
        witness_of(found)
    witness = Witness(np.zeros(2), 0.0, 1.0, np.zeros(2), None)
    assert witness_of(witness) is witness
    with pytest.raises(TypeError, match="a point that is no patch"):
        formulated.replays.of(witness)
