"""Check a recorded tree anew, with code that shares nothing with the search.

From the splits and multipliers of a :class:`TreeRecord` this module works out everything else for
itself: the bounds of the neurons, the linear forms, their least values. It is meant to be read and
believed: one node after the other, and nothing shared with the search but the layers as read
(:mod:`marapatch.certificates.recheck_form` makes affine maps and ReLUs of them). The record may
come from anyone: it is looked through before any of it is used, and no multiplier in it can make a
false claim hold. The arithmetic is :mod:`marapatch.certificates.recheck_bounds`. (ARCHITECTURE:
6.5.)

What is checked of each leaf is weak duality: for every input of the leaf that meets the
condition, a sum of things that are at most 0 (rows of the condition not met by less than 0, the
phases of the leaf, linear relaxations of the ReLUs) is more than 0 over the whole ball. What is
checked of the tree is that its leaves cover the ball: every node that is divided has two parts,
one neuron's two phases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.certificates.recheck_bounds import Checker, Node
from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.search.tree_record import TreeRecord

Flags = NDArray[np.bool_]
Multipliers = tuple[Array, Array, Array]
Progress = Callable[[int, int], None]
"""Called with the nodes checked and their number."""

NEAR_CLAIM = 1e-7
"""Relative difference of two radii that counts as none: the multipliers are kept in float32."""


@dataclass(frozen=True)
class Rechecked:
    """``radius``: up to which all leaves were refuted again, at most what the record claims.

    Nothing is taken on trust in it: a leaf that a solver closed counts as far as its multipliers
    reach, which is seldom far enough. ``given``: the same if those leaves are as the solver said;
    equal to ``radius`` where there are none. ``nodes``, ``leaves``: of the record. ``short``:
    leaves that support less than was claimed, but for the ``solver_certified`` ones, which a solver
    closed.
    """

    radius: float
    given: float
    nodes: int
    leaves: int
    short: int
    solver_certified: int


def recheck_tree(
    record: TreeRecord,
    form: StandardForm,
    ball: Ball,
    condition: OutputCondition,
    progress: Progress | None = None,
) -> Rechecked:
    """Check ``record`` against the question: does nothing within its radius meet ``condition``?

    ``ball``: centre, norm and box of the question; its radius is not looked at. Raises InputError
    where the record is no tree over the network's neurons, naming what is wrong with it.
    """
    neurons = sum(layer.outputs for layer in form.hidden)
    inside = divided(record, neurons, condition.rhs.size)
    leaves = int((~inside).sum())
    solver_certified = int(record.solver_certified.sum())
    # Beyond the covering radius the ball is the whole box: there is no further input to refute.
    radius = min(record.radius, ball.covering_radius)
    if not radius > 0.0:
        return Rechecked(0.0, 0.0, len(record), leaves, 0, solver_certified)
    with np.errstate(all="ignore"):  # what overflows proves nothing
        checker = Checker(form, ball.with_radius(radius), condition)
        proved, given, short = radius, radius, 0
        for done, (number, node) in enumerate(walk(checker, record, inside)):
            if progress is not None:
                progress(done + 1, len(record))
            # A divided node is proved by its parts. Valid bounds that contradict each other leave
            # no input that meets the condition, and there is nothing to multiply.
            if inside[number] or node.empty:
                continue
            reached = supported(checker, node, multipliers_of(record, number))
            proved = min(proved, reached)
            # The flag is as the file has it: it may spare a leaf in `given`, never in `proved`.
            if not record.solver_certified[number]:
                given = min(given, reached)
                short += reached < radius
    return Rechecked(proved, given, len(record), leaves, short, solver_certified)


def supported(checker: Checker, leaf: Node, multipliers: Multipliers) -> float:
    """The radius up to which ``leaf`` is refuted: by itself or, as what refutes a node refutes
    its parts, by a node above it."""
    # A cut is at most 0 at every input of its node that meets the condition, within any smaller
    # ball too: where it is above 0 there is no such input.
    reached = checker.over.radius_of(checker.cut(leaf, *multipliers))
    above = leaf.above
    while reached < checker.ball.radius and above is not None:
        reached = max(reached, checker.over.radius_of(above.cut))
        above = above.above
    return reached


def multipliers_of(record: TreeRecord, number: int) -> Multipliers:
    """Alpha, beta and row multipliers of node ``number``."""
    return _double(record.alpha[number], record.beta[number], record.row_multipliers[number])


def _double(alpha: Any, beta: Any, row_multipliers: Any) -> Multipliers:
    alpha, beta, row_multipliers = (
        np.asarray(part, dtype=np.float64) for part in (alpha, beta, row_multipliers)
    )
    return alpha, beta, row_multipliers


def walk(checker: Checker, record: TreeRecord, inside: Flags) -> Iterator[tuple[int, Node]]:
    """Every node with its bounds, children after their parents; few are kept at a time."""
    # `divided` has seen that each divided node has two parts: after the second its bounds go.
    waiting = np.where(inside, 2, 0)
    kept: dict[int, Node] = {}
    for number, parent in enumerate(record.parent.tolist()):
        if parent < 0:
            node = checker.root([_double(*parts) for parts in record.rounds])
        else:
            node = checker.child(
                kept[parent], int(record.neuron[number]), int(record.phase[number])
            )
            waiting[parent] -= 1
            if not waiting[parent]:
                del kept[parent]
        # The parts inherit this cut: what holds at all inputs of a node holds at those of a part.
        if inside[number]:
            kept[number] = checker.with_cut(node, *multipliers_of(record, number))
        yield number, node


def divided(record: TreeRecord, neurons: int, rows: int) -> Flags:
    """Which nodes are divided; InputError unless the record is a tree that covers the ball."""
    radius, count = record.radius, int(np.size(record.parent))
    if not (isfinite(radius) and radius >= 0.0):
        raise InputError(f"the tree's radius is {radius}; it must be finite and at least 0")
    if not count:
        raise InputError("the tree has no nodes")
    for name, kinds, shape in (
        # Signed: as unsigned numbers -1 would be a large one, and no phase less than 0.
        ("parent", "i", (count,)),
        ("neuron", "i", (count,)),
        ("phase", "i", (count,)),
        ("solver_certified", "b", (count,)),
        ("alpha", "f", (count, neurons)),
        ("beta", "f", (count, neurons)),
        ("row_multipliers", "f", (count, rows)),
    ):
        _looked_at(getattr(record, name), f"the tree's {name}", kinds, shape)
    for k, parts in enumerate(record.rounds):
        if len(parts) != 3:
            raise InputError(f"round {k} of the tree has {len(parts)} arrays instead of 3")
        for name, part, size in zip(
            ("alpha", "beta", "row_multipliers"), parts, (neurons, neurons, rows), strict=True
        ):
            _looked_at(part, f"{name} in round {k} of the tree", "f", (size,))
    return _covering(record, neurons)


def _looked_at(array: Any, what: str, kind: str, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.kind != kind or array.shape != shape:
        found = f"{getattr(array, 'dtype', type(array).__name__)} {np.shape(array)}"
        words = {"i": "whole numbers", "b": "booleans", "f": "floating-point numbers"}
        raise InputError(f"{what} is {found}; it must be {words[kind]} {shape}")
    # They could prove nothing, as NaN ends as a bound of minus infinity: refused, so as not to look
    # like a leaf that merely falls short.
    if kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{what} contains NaN or infinity")


def _covering(record: TreeRecord, neurons: int) -> Flags:
    parent, count = record.parent, len(record)
    if parent[0] != -1 or record.phase[0] != 0:
        raise InputError(
            f"the tree's first node must be the root, parent -1 and phase 0, not parent "
            f"{parent[0]} and phase {record.phase[0]}"
        )
    later = np.arange(1, count)
    for wrong, text in (
        (parent[1:] < 0, "is a second root"),
        # So there is no cycle, and `walk` meets every parent before its parts.
        (parent[1:] >= later, "comes before its parent"),
        # Two phases of 0 would pass for opposite ones below, and `child` takes both for inactive:
        # the active part would be left out.
        (np.abs(record.phase[1:]) != 1, "has a phase that is neither 1 nor -1"),
        (
            (record.neuron[1:] < 0) | (record.neuron[1:] >= neurons),
            f"is split on a neuron that is none of the network's {neurons}",
        ),
    ):
        if wrong.any():
            raise InputError(f"node {int(later[wrong][0])} of the tree {text}")
    children = np.bincount(parent[1:], minlength=count)
    wrong = (children != 0) & (children != 2)
    if wrong.any():
        node = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"node {node} of the tree has {children[node]} parts instead of 2: they do not cover it"
        )
    # With two parts or none for each node, sorted by parent, the parts of one stand side by side.
    pairs = later[np.argsort(parent[1:], kind="stable")].reshape(-1, 2)
    first, second = pairs[:, 0], pairs[:, 1]
    wrong = (record.neuron[first] != record.neuron[second]) | (
        record.phase[first] != -record.phase[second]
    )
    if wrong.any():
        node = int(parent[first[wrong][0]])
        raise InputError(
            f"the parts of node {node} of the tree are not the two phases of one neuron: they do "
            "not cover it"
        )
    inside: Flags = children == 2
    # A solver's word counts for leaves: for a divided node it would be counted and never used.
    wrong = inside & record.solver_certified
    if wrong.any():
        node = int(np.flatnonzero(wrong)[0])
        raise InputError(f"node {node} of the tree is divided, and yet closed by a solver")
    return inside
