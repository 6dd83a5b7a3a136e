"""What a record is checked for and counted as, on a network of one neuron with a known optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recorded_trees import built

from marapatch.certificates.check import difference, recheck
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.certificates.recheck import Rechecked, recheck_tree
from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm
from marapatch.search.tree_record import TreeRecord

# y0 = 0.5 and y1 = relu(x - 0.25), x within [0, 1] and 0 at first: they are equal at 0.75
NETWORK = dense_network(
    [np.array([[1.0]]), np.array([[0.0], [1.0]])], [np.array([-0.25]), np.array([0.5, 0.0])]
)
BALL = Ball(np.zeros(1), np.zeros(1), np.ones(1), Norm.LINF, np.inf)
CONDITION = beats(1, 2, Rule.ARGMAX)
BOTH = [(-1, 0, 0), (0, 0, 1), (0, 0, -1)]


def checked(record: TreeRecord) -> Rechecked:
    return recheck_tree(record, NETWORK.standard_form, BALL, CONDITION)


def test_a_tree_of_both_phases_proves_all_there_is_to_prove() -> None:
    for claim in (0.5, 0.74999):
        assert checked(built(BOTH, 1, 1, claim)) == Rechecked(claim, claim, 3, 2, 0, 0)


def test_a_leaf_that_falls_short_is_counted_and_is_proved_as_far_as_it_goes() -> None:
    found = checked(built(BOTH, 1, 1, 0.9))
    assert (found.nodes, found.leaves, found.short, found.solver_certified) == (3, 2, 1, 0)
    assert found.radius == found.given
    assert 0.75 * (1.0 - 1e-7) <= found.radius <= 0.75


def test_a_leaf_that_a_solver_closed_is_not_short() -> None:
    record = replace(built(BOTH, 1, 1, 0.9), solver_certified=np.array([False, True, False]))
    found = checked(record)
    assert (found.given, found.short, found.solver_certified) == (0.9, 0, 1)
    assert found.radius <= 0.75


def test_what_refutes_a_node_refutes_its_parts() -> None:
    """The leaves' own multipliers say nothing; the root's do, and those of a node in between."""
    record = built([*BOTH, (1, 0, 1), (1, 0, -1)], 1, 1, 0.7)
    for node in (0, 1):
        rows = np.zeros_like(record.row_multipliers)
        rows[[node, 2]] = 1.0
        found = checked(replace(record, row_multipliers=rows))
        # the root alone: y1 <= 0.45 / 0.7 x over [0, 0.7] by the chord, and 0.45 < 0.5
        assert (found.radius, found.short) == (0.7, 0)
    rows = np.zeros_like(record.row_multipliers)
    rows[2] = 1.0
    found = checked(replace(record, row_multipliers=rows))
    assert (found.radius, found.short) == (0.0, 2)


def test_a_record_is_checked_no_further_than_the_box() -> None:
    ball = replace(BALL, upper=np.full(1, 0.5))
    record = built(BOTH, 1, 1, 7.0)
    found = recheck_tree(record, NETWORK.standard_form, ball, CONDITION)
    assert found.radius == ball.covering_radius
    assert found.short == 0
    point = replace(ball, upper=np.zeros(1))
    assert recheck_tree(record, NETWORK.standard_form, point, CONDITION) == Rechecked(
        0.0, 0.0, 3, 2, 0, 0
    )
    assert checked(replace(record, radius=0.0)).radius == 0.0


def test_rounds_narrow_the_root_alone() -> None:
    """Under the condition's own cut x is at least 0.5, so the neuron is active: no split needed."""
    rounds = ((np.ones(1), np.zeros(1), np.ones(1)),)
    alone = built([(-1, 0, 0)], 1, 1, 0.9)
    assert checked(alone).radius < 0.74
    assert checked(replace(alone, rounds=rounds)).radius >= 0.75 * (1.0 - 1e-6)
    assert checked(replace(alone, rounds=rounds)).radius <= 0.75


def test_progress_counts_every_node_once() -> None:
    record = built(BOTH, 1, 1, 0.5)
    seen: list[tuple[int, int]] = []
    recheck_tree(record, NETWORK.standard_form, BALL, CONDITION, lambda *count: seen.append(count))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    claims = tuple(TargetClaim(target, 0.0, (record, record)) for target in (1, 0))
    certificate = Certificate(None, BALL, Rule.ARGMAX, 0.0, np.inf, None, claims)
    seen.clear()
    recheck(certificate, NETWORK, lambda *count: seen.append(count))
    assert seen == [(k, 12) for k in range(1, 13)]


@pytest.mark.parametrize(
    ("splits", "text"),
    [
        ([(-1, 0, 0), (0, 0, -1), (0, 0, -1)], "the parts of node 0 .* do not cover it"),
        ([(-1, 0, 0), (0, 0, 1), (0, 0, 1)], "the parts of node 0 .* do not cover it"),
        (
            [*BOTH, (1, 0, 1), (1, 0, 1), (2, 0, -1), (2, 0, -1)],
            "the parts of node 1 .* do not cover it",
        ),
        ([(-1, 0, 1), (0, 0, 1), (0, 0, -1)], "not parent -1 and phase 1"),
        ([(2, 0, 0), (0, 0, 1), (0, 0, -1)], "not parent 2 and phase 0"),
        ([*BOTH, (1, 0, 1), (2, 0, 1)], "node 1 of the tree has 1 parts"),
        ([*BOTH, (1, 0, 0), (1, 0, 7)], "node 3 of the tree has a phase"),
        ([*BOTH, (1, 3, 1), (1, -4, -1)], "node 3 of the tree is split on a neuron"),
    ],
)
def test_the_first_node_that_is_wrong_is_named(
    splits: list[tuple[int, int, int]], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        checked(built(splits, 1, 1))


def test_divided_and_yet_closed_names_the_node() -> None:
    record = built([*BOTH, (1, 0, 1), (1, 0, -1)], 1, 1)
    spoiled = replace(record, solver_certified=np.array([False, True, False, True, False]))
    with pytest.raises(InputError, match="node 1 of the tree is divided, and yet closed"):
        checked(spoiled)


def test_an_image_that_is_the_centre_may_lie_on_the_edge_of_the_box() -> None:
    for place in (0.0, 1.0):
        ball = replace(BALL, centre=np.full(1, place))
        assert difference(ball, np.full(1, place), NETWORK) is None
        assert difference(ball, np.full(1, np.nextafter(place, 0.5)), NETWORK) == 0
    two = Ball(np.zeros(3), np.zeros(3), np.ones(3), Norm.LINF, np.inf)
    assert difference(two, np.array([0.0, 0.5, 0.5]), NETWORK) == 1


def claims(*targets: TargetClaim, upper: float = 1.0, at: float | None = 1.0) -> Certificate:
    witness = None if at is None else np.full(1, at)
    return Certificate(None, BALL, Rule.ARGMAX, 0.0, upper, witness, targets)


def test_a_target_is_proved_by_the_best_of_its_trees() -> None:
    trees = tuple(built(BOTH, 1, 1, radius) for radius in (0.25, 0.5, 0.375))
    found = recheck(claims(TargetClaim(1, 0.5, trees)), NETWORK)
    assert (found.lower, found.given, found.upper, found.witness_note) == (0.5, 0.5, 1.0, "")
    assert found.verified
    assert found.targets[0].solver_certified == 0
    assert not recheck(claims(TargetClaim(1, 0.500001, trees)), NETWORK).verified
    near = recheck(claims(TargetClaim(1, 0.5 * (1.0 + 9e-8), trees)), NETWORK)
    assert near.verified  # multipliers are kept in float32


def test_a_solvers_word_is_counted_where_it_adds_to_what_is_proved() -> None:
    closed = np.array([False, True, False])
    for radius, counted in ((0.5, 0), (0.9, 1)):  # at 0.5 the multipliers of the leaf do as well
        tree = replace(built(BOTH, 1, 1, radius), solver_certified=closed)
        found = recheck(claims(TargetClaim(1, radius, (tree,))), NETWORK)
        assert found.targets[0].solver_certified == counted
        assert found.verified_given
        assert found.verified == (counted == 0)
        assert found.to_json()["targets"][0]["trees"][0]["vouched"] == 1


def test_the_upper_end_is_where_the_witness_is() -> None:
    claim = TargetClaim(1, 0.5, (built(BOTH, 1, 1, 0.5),))
    assert recheck(claims(claim, upper=0.75, at=0.75), NETWORK).upper == np.inf  # class 0 is first
    low = float(np.nextafter(0.75, 1.0))
    found = recheck(claims(claim, upper=low, at=low), NETWORK)
    assert (found.upper, found.witness_held) == (low, True)
    found = recheck(claims(claim, upper=0.75, at=1.0), NETWORK)
    assert found.witness_note == "the witness is at 1, not at 0.75"
    found = recheck(claims(claim, upper=0.75, at=0.5), NETWORK)
    assert found.witness_note == "the witness is not decided as any target by the margin"
    beyond = recheck(claims(claim, upper=1.5, at=1.5), NETWORK)
    assert beyond.witness_note.startswith("the witness's entry 0 is")
    assert beyond.witness_note.endswith("outside the box")
    found = recheck(claims(claim, upper=np.inf, at=None), NETWORK)
    assert (found.upper, found.witness_held, found.to_json()["upper"]) == (np.inf, True, None)


def test_nothing_lies_beyond_the_box() -> None:
    """A tree over the whole box says that no input at all is decided so: infinity."""
    ball = replace(BALL, upper=np.full(1, 0.5))
    tree = built(BOTH, 1, 1, 0.6)
    certificate = replace(claims(TargetClaim(1, np.inf, (tree,)), upper=np.inf, at=None), ball=ball)
    found = recheck(certificate, NETWORK)
    assert (found.lower, found.verified) == (np.inf, True)
    less = replace(certificate, claims=(TargetClaim(1, np.inf, (replace(tree, radius=0.4),)),))
    assert (recheck(less, NETWORK).lower, recheck(less, NETWORK).verified) == (0.4, False)
