"""The rest of a network as a function of a change: the same values, goals as conditions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from small_networks import branching_network, plain

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import dense_network
from marapatch.patching.goals import combinations, one_of
from marapatch.patching.tail import Start, compose, stack_copies, with_goals
from marapatch.problem.conditions import Rule


def start(rng: np.random.Generator, size: int, variables: int) -> Start:
    nothing = sp.csr_array((size, variables))
    matrix = sp.csr_array(rng.normal(size=(size, variables)))
    return Start(rng.normal(size=size), np.zeros(size), matrix, nothing)


def form_of(seed: int) -> StandardForm:
    if seed % 2:
        return branching_network(np.random.default_rng(seed), 3, 2).standard_form
    return dense_network(*plain(np.random.default_rng(seed), (3, 5, 2))).standard_form


@pytest.mark.parametrize("seed", range(6))
def test_a_composed_form_takes_the_values_of_the_tail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tail, begin = form_of(seed), start(rng, 3, 4)
    whole = compose(tail, begin)
    points = rng.normal(size=(20, 4))
    expected = tail.evaluate(begin.base + points @ begin.matrix.toarray().T)
    assert whole.inputs == 4
    assert whole.evaluate(points) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_copies_stand_one_after_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tail = form_of(seed)
    forms = [compose(tail, start(rng, 3, 4)) for _ in range(3)]
    both = stack_copies(forms)
    points = rng.normal(size=(10, 4))
    expected = np.hstack([form.evaluate(points) for form in forms])
    assert both.evaluate(points) == pytest.approx(expected, abs=1e-12)
    assert stack_copies(forms[:1]) is forms[0]


def test_goals_hold_exactly_where_the_condition_does() -> None:
    """Class 1 or 2 of the first input, class 0 of the second, by every choice."""
    rng = np.random.default_rng(5)
    tail = dense_network(*plain(rng, (3, 5, 3))).standard_form
    form = stack_copies([compose(tail, start(rng, 3, 2)) for _ in range(2)])
    goals = (one_of([1, 2], 3, Rule.ARGMAX, 0.01), one_of([0], 3, Rule.ARGMAX, 0.01))
    points = rng.normal(size=(300, 2))
    met = [
        all(goal.surplus(y, np.zeros(3)) >= 0.0 for goal, y in zip(goals, ys, strict=True))
        for ys in form.evaluate(points).reshape(-1, 2, 3)
    ]
    found = np.zeros(300, dtype=bool)
    for clauses in combinations(goals):
        whole, condition = with_goals(form, clauses)
        slack = whole.evaluate(points) @ condition.matrix.T - condition.rhs
        found |= (slack >= 0.0).all(axis=1)
    assert 5 < sum(met) < 295
    assert found.tolist() == met
