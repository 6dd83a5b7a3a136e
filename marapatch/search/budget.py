"""How long a search may take: seconds and sub-problems, and shares of both."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

FIRST_BOUNDS_SHARE = 0.15
"""Of the time of a ground truth: for first lower ends of all targets, before the attacks."""

ATTACK_SHARE = 0.2
ATTACK_SECONDS = 20.0
"""Of the time of a ground truth: for the attacks and their polish, and at most so many seconds."""

FIRST_LOOK_SHARE = 0.2
"""Of the time of a ground truth: for a first look at every target, before any gets the rest."""

DISJUNCT_SECONDS = 4.0
"""Of a property: for the first turn of each disjunct; turns get twice as long while several are
open."""

DISJUNCT_ATTACK_SHARE = 0.5
"""Of a disjunct's turn: for attacking it once more."""

TANGENT_SECONDS = 0.25
"""For a search over probabilities before its tangents are looked at; then twice as long each
time."""

TREE_AT_WITNESS_SHARE = 0.65
"""Of the time: for the tree just below the witness, before smaller radii are tried."""

ENDING_TREE_SHARE = 0.9
"""Of the time: for that tree where what is open gets less already."""

SMALLER_RADII_SHARE = 0.7
"""Of what is then left: for smaller radii; the tree has the rest."""

ONE_RADIUS_SHARE = 0.3
"""Of what smaller radii have left: for one of them."""

POLISH_SHARE = 0.25
"""Of the time left: for polishing one witness of a tree."""

POLISH_SECONDS = 5.0
"""For polishing one witness of halved boxes, which is not limited by a share."""

BATCH_SECONDS = 0.5
"""For one batch of nodes: so many are split at once as about fit into it."""

LEAF_SECONDS = 10.0
"""For a backend's answer about one leaf, where nothing else limits the search."""

WORKER_SECONDS = 3.0
"""For a worker's part of a tree, before all parts are dealt out anew."""


@dataclass(frozen=True)
class Limit:
    """``until``: of the monotonic clock. ``nodes``: sub-problems bounded by then, all together.
    Either may be infinite."""

    until: float = inf
    nodes: float = inf

    @property
    def finite(self) -> bool:
        """Whether anything is limited."""
        return self.until < inf or self.nodes < inf

    def over(self, bounded: int) -> bool:
        """Whether the limit is reached with so many sub-problems ``bounded``."""
        # At the limit counts as over: whatever began now would go beyond it.
        return monotonic() >= self.until or bounded >= self.nodes

    def share(self, share: float, bounded: int) -> Limit:
        """The limit at which ``share`` of the time left, and of the sub-problems left beyond those
        ``bounded``, is used up; what is not limited stays so."""
        now = monotonic()
        # By cases, since a share of 0 times infinity is NaN. Of a limit that is passed less than
        # nothing is left, so that its shares are passed as well.
        until = inf if self.until == inf else now + share * (self.until - now)
        nodes = inf if self.nodes == inf else bounded + share * (self.nodes - bounded)
        return Limit(until, nodes)
