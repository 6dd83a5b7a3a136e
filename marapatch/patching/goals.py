"""What each input should be decided as: conditions on the outputs, with a named margin.

A goal is met where any of its clauses is, and a clause says of the outputs y

    rows y + max_c (choices_c y) >= rhs        (every row)

so that "one of these classes beats all the others" is one clause: the class that attains the
maximum beats them all. Everything is closed; a margin stands in ``rhs``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from marapatch.arithmetic.float_model import SMALL, gamma
from marapatch.errors import InputError, check_class, check_size
from marapatch.network.layers import Array, freeze
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.probabilities import ProbabilityCondition, rows_of
from marapatch.problem.conditions import OutputCondition, Rule

MAX_COMBINATIONS = 1024
"""More ways than this to choose a clause for every input are refused."""

NOTHING = "-"
"""Stands for "nothing is asked of this input" in a list of classes."""


@dataclass(frozen=True, eq=False)
class Clause:
    """``rows y + max_c (choices_c y) >= rhs``, every row of it.

    ``rows``: (rows, outputs); ``choices``: (choices, outputs), at least one; ``rhs``: (rows,).
    """

    rows: Array
    choices: Array
    rhs: Array

    def __post_init__(self) -> None:
        for name in ("rows", "choices", "rhs"):
            object.__setattr__(self, name, freeze(getattr(self, name), "goal"))
        ok = self.rows.ndim == 2 and self.choices.ndim == 2 and self.choices.shape[0] > 0
        if not ok or self.rhs.shape != self.rows.shape[:1]:
            raise InputError(
                f"goal: rows of shape {self.rows.shape} do not fit {self.rhs.shape} numbers"
            )

    @property
    def plain(self) -> bool:
        """Whether there is nothing to choose: the clause is a conjunction of linear rows."""
        return int(self.choices.shape[0]) == 1

    @property
    def condition(self) -> OutputCondition:
        """The same as an :class:`OutputCondition`; ValueError where there is a choice."""
        if not self.plain:
            raise ValueError("a clause with a choice is no conjunction of rows")
        return OutputCondition(self.rows + self.choices, self.rhs)

    def lead(self, outputs: Array) -> tuple[float, Array]:
        """The least slack at ``outputs`` and its derivative by them, in plain float64."""
        choice = self.choices[int(np.argmax(self.choices @ outputs))]
        slack = self.rows @ outputs + choice @ outputs - self.rhs
        row = int(np.argmin(slack))
        return float(slack[row]), self.rows[row] + choice

    def margin(self, outputs: Array, error: Array) -> float:
        """A lower bound on the least slack where the true outputs are within ``error``."""
        size, terms = np.abs(outputs), outputs.size + 4
        chosen = self.choices @ outputs - _doubt(self.choices, size, error)
        slack = self.rows @ outputs + chosen.max() - self.rhs - _doubt(self.rows, size, error)
        rounding = gamma(terms) * (
            np.abs(self.rows) @ size + np.abs(self.choices @ outputs).max() + np.abs(self.rhs)
        )
        return float((slack - rounding).min())

    def excess(self, outputs: Array, error: Array) -> float:
        """An upper bound on the least slack: below 0, the clause is certainly not met."""
        size, terms = np.abs(outputs), outputs.size + 4
        chosen = self.choices @ outputs + _doubt(self.choices, size, error)
        slack = self.rows @ outputs + chosen.max() - self.rhs + _doubt(self.rows, size, error)
        rounding = gamma(terms) * (
            np.abs(self.rows) @ size + np.abs(self.choices @ outputs).max() + np.abs(self.rhs)
        )
        return float((slack + rounding).min())


def _doubt(matrix: Array, size: Array, error: Array) -> Array:
    terms = gamma(size.size + 4)
    lost = (np.abs(matrix) @ error) * (1.0 + terms) + terms * (np.abs(matrix) @ size)
    return np.asarray(lost + SMALL)  # of what underflows


@dataclass(frozen=True, eq=False)
class Goal:
    """Met where any of ``clauses`` is. ``text``: for people. ``margin``: what it was made with.

    ``probabilities``: for a file that ends in Softmax or LogSoftmax, what its outputs must meet,
    any of these; the clauses are then linear rows over the scores that they imply, one a
    condition, and ``touching`` where the tangents among them touch. ``of_classes``: whether only
    the order of the outputs is asked for, with ``margin`` a lead in scores.
    """

    clauses: tuple[Clause, ...]
    text: str
    margin: float
    probabilities: tuple[ProbabilityCondition, ...] = ()
    touching: tuple[Array, ...] = ()
    of_classes: bool = False

    def touched(self, scores: Sequence[Array]) -> Goal:
        """With tangents at more ``scores`` (outputs,); only of a goal on probabilities."""
        touching = (*self.touching, *scores)
        clauses = [_plain(*each.linear(touching)) for each in self.probabilities]
        return replace(self, clauses=tuple(clauses), touching=touching)

    def lead(self, outputs: Array) -> tuple[float, Array]:
        """About the slack at ``outputs`` (outputs,), and its derivative; proves nothing."""
        if self.probabilities:
            leads = [each.lead(outputs) for each in self.probabilities]
        else:
            leads = [clause.lead(outputs) for clause in self.clauses]
        return max(leads, key=lambda lead: lead[0])

    def surplus(self, outputs: Array, error: Array) -> float:
        """A lower bound on the slack: above 0, the goal is met with certainty and strictly."""
        if self.probabilities:
            return max(each.surplus(outputs, error) for each in self.probabilities)
        return max(clause.margin(outputs, error) for clause in self.clauses)

    def missed(self, outputs: Array, error: Array) -> bool:
        """Whether the goal is not met, with certainty."""
        if self.probabilities:
            return all(each.missed(outputs, error) for each in self.probabilities)
        return all(clause.excess(outputs, error) < 0.0 for clause in self.clauses)


def one_of(classes: Iterable[int], outputs: int, rule: Rule, margin: float) -> Goal:
    """One of ``classes`` leads every class outside them by at least ``margin``: ``0|1``."""
    chosen, others = _split(classes, outputs)
    rows, choices = np.zeros((len(others), outputs)), np.zeros((len(chosen), outputs))
    rows[np.arange(len(others)), others] = -rule.sign
    choices[np.arange(len(chosen)), chosen] = rule.sign
    clause = Clause(rows, choices, np.full(len(others), _margin(margin)))
    return Goal((clause,), "|".join(map(str, chosen)), margin, of_classes=True)


def each_of(classes: Iterable[int], outputs: int, rule: Rule, margin: float) -> Goal:
    """Each of ``classes`` leads every class outside them by at least ``margin``: ``0&1``."""
    chosen, others = _split(classes, outputs)
    pairs = list(product(chosen, others))
    rows = np.zeros((len(pairs), outputs))
    for i, (winner, loser) in enumerate(pairs):
        rows[i, winner], rows[i, loser] = rule.sign, -rule.sign
    clause = Clause(rows, np.zeros((1, outputs)), np.full(len(pairs), _margin(margin)))
    return Goal((clause,), "&".join(map(str, chosen)), margin, of_classes=True)


def none_of(classes: Iterable[int], outputs: int, rule: Rule, margin: float) -> Goal:
    """Some other class leads every one of ``classes`` by at least ``margin``."""
    avoided, others = _split(classes, outputs)
    goal = one_of(others, outputs, rule, margin)
    return replace(goal, text="not " + "|".join(map(str, avoided)))


def linear(
    matrix: ArrayLike,
    rhs: ArrayLike,
    outputs: int,
    margin: float = 0.0,
    text: str = "linear",
    transform: OutputTransform = OutputTransform.NONE,
) -> Goal:
    """``matrix y >= rhs + margin`` for the outputs y of the file.

    ``transform``: the network's ``output_transform``. Where that is Softmax or LogSoftmax, the rows
    must be convex in the scores; InputError otherwise.
    """
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != outputs:
        raise InputError(
            f"goal: a matrix of shape {rows.shape} does not fit {outputs} outputs; give (rows, "
            f"{outputs})"
        )
    right = np.asarray(rhs, dtype=np.float64) + _margin(margin)
    clause = _plain(rows, right)
    if transform is OutputTransform.NONE:
        return Goal((clause,), text, margin)
    asked = ProbabilityCondition.of(rows_of(clause.rows, clause.rhs), transform, outputs)
    return Goal((), text, margin, (asked,)).touched([np.zeros(outputs)])


def any_of(goals: Sequence[Goal], text: str, margin: float) -> Goal:
    """Met where any of ``goals`` is, all made by :func:`linear` for one network."""
    clauses = tuple(clause for goal in goals for clause in goal.clauses)
    conditions = tuple(each for goal in goals for each in goal.probabilities)
    return Goal(clauses, text, margin, conditions, goals[0].touching)


def _plain(rows: Array, rhs: Array) -> Clause:
    """A clause without a choice."""
    return Clause(rows, np.zeros((1, rows.shape[1])), rhs)


def parse(spec: str | int, outputs: int, rule: Rule, margin: float) -> Goal:
    """The goal that ``3``, ``0|1`` or ``0&1`` names; InputError where it names none."""
    text = str(spec).strip()
    if "|" in text and "&" in text:
        raise InputError(f"goal {text!r}: use | or &, not both")
    make = each_of if "&" in text else one_of
    return make(_classes(text), outputs, rule, margin)


def per_input(
    want: Sequence[str], avoid: Sequence[str], inputs: int, outputs: int, rule: Rule, margin: float
) -> tuple[Goal, ...]:
    """The goals of ``inputs`` inputs from lists of classes: one for all, or one an input.

    ``want``, ``avoid``: entries as for :func:`parse`, or ``-`` where nothing is asked by that
    list. Raises InputError where the lengths do not fit, an input is left without a goal, or a
    class is both wanted and avoided.
    """
    wanted, avoided = _spread(want, inputs, "want"), _spread(avoid, inputs, "avoid")
    goals = []
    for i, (w, a) in enumerate(zip(wanted, avoided, strict=True)):
        if w == NOTHING and a == NOTHING:
            raise InputError(f"input {i} has no goal: neither a class to want nor one to avoid")
        if a != NOTHING and "&" in a:
            raise InputError(f"avoid {a!r}: classes to avoid are joined by |")
        if w == NOTHING:
            goals.append(none_of(_classes(a), outputs, rule, margin))
            continue
        if a != NOTHING:
            both = set(_classes(w)) & set(_classes(a))
            if both:
                raise InputError(f"input {i}: class {min(both)} is both wanted and avoided")
        goals.append(parse(w, outputs, rule, margin))
    return tuple(goals)


def _spread(entries: Sequence[str], inputs: int, what: str) -> list[str]:
    given = [entry.strip() for entry in entries] or [NOTHING]
    if len(given) == 1:
        return given * inputs
    if len(given) != inputs:
        raise InputError(
            f"--{what} names {len(given)} goals, but there are {inputs} inputs; give one for all "
            "or one an input"
        )
    return given


def _classes(text: str) -> list[int]:
    parts = text.replace("&", "|").split("|")
    try:
        return [int(part) for part in parts]
    except ValueError:
        raise InputError(
            f"goal {text!r}: give classes as in 3, 0|1 (one of these) or 0&1 (each of these)"
        ) from None


def _split(classes: Iterable[int], outputs: int) -> tuple[list[int], list[int]]:
    chosen = sorted(set(classes))
    for c in chosen:
        check_class("class", c, outputs)
    others = [j for j in range(outputs) if j not in chosen]
    if not chosen or not others:
        raise InputError(
            f"a goal names {len(chosen)} of {outputs} classes; at least one must be in it and at "
            "least one outside"
        )
    return chosen, others


def _margin(margin: float) -> float:
    check_size("margin", margin)
    return margin


def combinations(goals: Sequence[Goal]) -> list[tuple[Clause, ...]]:
    """Every way to choose one clause an input; InputError where there are too many."""
    count = float(np.prod([float(len(goal.clauses)) for goal in goals]))
    if count > MAX_COMBINATIONS:
        raise InputError(
            f"the goals can be met in {count:.0f} combinations of their alternatives; at most "
            f"{MAX_COMBINATIONS} are searched: give fewer inputs or alternatives"
        )
    return list(product(*(goal.clauses for goal in goals)))
