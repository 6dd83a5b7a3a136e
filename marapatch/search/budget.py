"""How long a search may take: seconds and sub-problems, and shares of both."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic


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
        return monotonic() >= self.until or bounded >= self.nodes

    def share(self, share: float, bounded: int) -> Limit:
        """The limit at which ``share`` of the time left, and of the sub-problems left beyond those
        ``bounded``, is used up; what is not limited stays so."""
        now = monotonic()
        until = inf if self.until == inf else now + share * (self.until - now)
        nodes = inf if self.nodes == inf else bounded + share * (self.nodes - bounded)
        return Limit(until, nodes)
