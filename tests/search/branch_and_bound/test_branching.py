"""Rules choose neurons: none can make a bound wrong."""

from __future__ import annotations

import exact_optimum as exact
import numpy as np
import pytest
from recorded_trees import expand
from triangle_nodes import cases, prepared

from marapatch.errors import InputError
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.problem.norm import PROVED
from marapatch.search.branch_and_bound.branching import RULES


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_brackets_that_hold_the_exact_optimum(rule: str) -> None:
    nodes, closed = 0, 0
    for norm in PROVED:
        for case in cases(norm, 3):
            question = case.question
            optimum = exact.nearest(question.form, question.ball, question.condition)
            assert optimum is not None
            if optimum.distance < 1e-6:  # a tie at the centre: no lower end to prove
                continue
            outcome = expand(question, branching=rule, nodes=400, record=False)
            assert outcome.bracket.lower <= float(optimum.distance) * (1.0 + 1e-12)
            assert outcome.bracket.upper >= float(optimum.distance) * (1.0 - 1e-9)
            closed += outcome.bracket.closed(1e-3)
            nodes += outcome.nodes
    assert nodes > 10
    assert closed >= 2


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_chooses_an_unstable_neuron(rule: str) -> None:
    for norm in PROVED:
        for case in cases(norm, 4):
            bounder, _, nodes = prepared(case, 2.0)
            result = bounder.bound(nodes.take(~nodes.empty & nodes.unstable.any(axis=1)), 3)
            if not len(result.nodes):
                continue
            unstable = result.nodes.unstable
            for costs in (result.score, np.zeros_like(result.score)):
                score = np.where(unstable, costs + 1e-12, -1.0)
                neuron = RULES[rule](bounder, result.nodes, score)
                assert unstable[np.arange(len(neuron)), neuron].all()


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="branching 'best' is not one of trial"):
        GroundTruthOptions(branching="best")
