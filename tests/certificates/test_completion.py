"""Records completed before they are written: new multipliers, and splits where these fall short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from claims import NEAR, beyond, optimum, plain_claim, proved
from recorded_trees import built, expand
from small_networks import small_case

from marapatch.certificates.completion import LEAST_NODES, Completion
from marapatch.certificates.recheck import Progress, recheck_tree
from marapatch.problem.conditions import Rule, beats
from marapatch.search.tree_record import TreeRecord


def completed(record: TreeRecord, *about: Any, progress: Progress | None = None) -> Completion:
    """The record checked and completed."""
    done = Completion(record, *about)
    done.check(progress=progress)
    done.complete()
    return done


@pytest.mark.parametrize("nodes", [1, 8])
def test_an_unfinished_tree_is_proved_as_far_as_it_came(nodes: int) -> None:
    for seed in range(4):
        case = small_case(seed, ("plain", "thin"))
        outcome = expand(case.question, nodes=nodes, tolerance=1e-9)
        distance = optimum(case.question, case.witnessed)
        for record in outcome.trees:
            again = proved(record, case.question)
            assert not beyond(again, distance)
            assert again >= min(record.radius, case.ball.covering_radius) * (1.0 - 1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_a_record_whose_multipliers_prove_nothing_is_completed(seed: int) -> None:
    """One node, plain multipliers and a radius just below the optimum: all has to be added."""
    case = small_case(seed, ("plain", "corner"))
    question, distance = case.question, optimum(case.question, case.witnessed)
    radius = float(np.fmin(0.999 * float(distance), 0.999 * case.ball.covering_radius))
    neurons = sum(layer.outputs for layer in question.form.hidden)
    record = built([(-1, 0, 0)], neurons, question.condition.rhs.size, radius)
    about = question.form, question.ball, question.condition
    assert proved(record, question) < radius
    late = Completion(record, *about)
    late.check(until=-np.inf)
    late.complete()
    assert late.record is record
    assert late.radius is None
    late.check()
    late.complete(until=-np.inf)
    assert late.record is record
    assert late.radius == proved(record, question)
    counts: list[tuple[int, int]] = []
    done = completed(record, *about, progress=lambda *count: counts.append(count))
    whole = done.record
    assert counts == [(1, 1)]
    assert radius >= proved(whole, question) >= radius * (1.0 - NEAR)
    assert done.radius == proved(whole, question)
    assert not beyond(proved(replace(whole, radius=1.01 * radius), question), distance)
    again = completed(whole, *about)
    assert again.record is whole
    assert again.radius == done.radius


def test_leaves_of_a_solver_and_hopeless_ones_stay() -> None:
    question = plain_claim()
    about = question.form, question.ball, question.condition
    closed = replace(built([(-1, 0, 0)], 6, 2, 0.3), solver_certified=np.array([True]))
    assert completed(closed, *about).record is closed
    label = int(question.form.evaluate(question.ball.centre[None])[0].argmax())
    already = beats(label, 3, Rule.ARGMAX)  # the centre itself: nothing refutes it
    given = completed(built([(-1, 0, 0)], 6, 2, 0.3), question.form, question.ball, already)
    hopeless = given.record
    assert given.radius == 0.0
    assert recheck_tree(hopeless, question.form, question.ball, already).radius == 0.0
    assert len(hopeless) <= 1 + LEAST_NODES
