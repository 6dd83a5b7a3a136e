"""One disjunct of a property: rows over scores in a box, and the search that decides them.

A property is refuted when every disjunct of every case is. Rows over probabilities give several
disjuncts (:mod:`marapatch.problem.softmax_conditions`); convex ones are asked about by tangents,
and a claim that meets all tangents but not the row adds one that cuts it off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

import numpy as np

from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.question import Question
from marapatch.problem.row_groups import Groups
from marapatch.problem.softmax_conditions import Group, ScoreRow, Shares, score_rows, tangent_at
from marapatch.problem.specification import Alternative
from marapatch.verification.property_replay import PropertyReplay
from marapatch.verification.score_conditions import FormulatedCondition

MAX_PRODUCT = 64
"""Disjuncts at most that the rows of one alternative are multiplied out to; rows that would make
more are left out of what is refuted, which then is refuted less often."""

MAX_CORNERS = 16
"""Classes of a row up to which each is compared with by itself from the start."""

MAX_TANGENTS = 64
MOST_ADDED = 6
"""Tangents of one row, and those that are added at once."""

CUT = 1e-9
"""By how much a new tangent must be missed by the claim it is made for."""


def groups_of(rows: Alternative, network: Network) -> tuple[Group, ...] | None:
    """Groups that ``rows``, over the file's outputs, all imply; None where they never hold."""
    groups = []
    for row in rows:
        group = score_rows(row, network.output_transform, network.outputs)
        if group is not None:
            groups.append(group)
    return None if () in groups else tuple(groups)


def conjunctions_of(groups: Sequence[Group]) -> list[tuple[Group, ...]]:
    """Groups of one row each, such that ``groups`` imply one of these conjunctions.

    A little less is asked of each row: searches that know no groups take them.
    """
    kept: list[list[Group]] = []
    count = 1
    for group in sorted(groups, key=len):
        count *= len(group)
        if count <= MAX_PRODUCT:
            single = len(group) == 1
            kept.append([(row if single else row.weakened(len(group)),) for row in group])
    return list(product(*kept))


@dataclass(eq=False)
class Disjunct:
    """``groups`` over scores, all of which must be met for inputs in ``formulated.ball``.

    ``replay``: judges claims by what the file asks. ``shares``: the tangents in use, by group.
    """

    formulated: FormulatedCondition
    groups: tuple[Group, ...]
    replay: PropertyReplay
    shares: list[set[Shares]] = field(init=False)

    def __post_init__(self) -> None:
        self.shares = [set() for _ in self.groups]
        centre = self.formulated.form.evaluate(self.formulated.ball.centre[None])[0]
        for group, known in zip(self.groups, self.shares, strict=True):
            if not group[0].weight:
                continue
            if len(group[0].offsets) <= MAX_CORNERS:
                known.update(((j, Fraction(1)),) for j in group[0].offsets)
            if np.isfinite(centre).all():
                known.add(tangent_at(group[0], centre))

    @property
    def linear(self) -> list[Group]:
        """Groups of linear rows: as given, or for every tangent."""
        found: list[Group] = []
        for group, known in zip(self.groups, self.shares, strict=True):
            if not group[0].weight:
                found.append(group)
            for shares in sorted(known):
                found.append(tuple(row.tangent(dict(shares)) for row in group))
        return found

    def asked(self) -> tuple[Question, Groups]:
        """What a search is asked: linear rows, and how they are grouped."""
        linear = self.linear
        condition = self.formulated.condition(linear)
        starts = np.cumsum([0, *(len(group) for group in linear)])[:-1]
        return Question(self.formulated.form, self.formulated.ball, condition, self.replay), Groups(
            starts if linear else np.zeros(1, int)
        )

    def refine(self, *, keep: bool = False) -> bool:
        """Cut off the latest claims that were refuted since, for these are where it is hard to
        tell; whether there is anything new. ``keep``: leave these claims to others too."""
        claims = list(self.replay.refuted)[::-1]
        if not keep:
            self.replay.refuted.clear()
        added = 0
        for scores in claims:
            for group, known in zip(self.groups, self.shares, strict=True):
                if not group[0].weight or len(known) >= MAX_TANGENTS or added >= MOST_ADDED:
                    continue
                shares = tangent_at(group[0], scores)
                if shares in known:
                    continue
                if _missed([row.tangent(dict(shares)) for row in group], scores):
                    known.add(shares)
                    added += 1
        return added > 0


def _missed(rows: Iterable[ScoreRow], scores: Array) -> bool:
    """Whether ``scores`` clearly do not meet a group of linear rows."""
    total = 0.0
    for row in rows:
        surplus = sum(float(c) * float(scores[j]) for j, c in row.scores.items()) - float(row.rhs)
        total += float(np.exp(min(surplus, 1.0)))
    return total < 1.0 - CUT
