"""One tree expanded by several processes: its open nodes are dealt out, and dealt out anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from marapatch.bounds.bounds import Bounds
from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence, Replayed
from marapatch.search.branch_and_bound.open_nodes import OpenNode
from marapatch.search.options import QueryRecord, SearchOptions
from marapatch.search.processes import processes


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the open nodes of a tree, and what it takes to expand them ``until`` a time
    of the monotonic clock (which all processes of a machine share) and by at most about ``most``
    nodes.

    ``bounds``: of the root; ``target``: the radius at which everything must be refuted.
    """

    question: Question
    bounds: Bounds
    backend: str
    options: SearchOptions
    bracket: Bracket
    target: float
    open: tuple[OpenNode, ...]
    until: float
    most: float


@dataclass(frozen=True, eq=False)
class ExpandedPart:
    """What came of a part: nodes still open, leaves that are unresolved, a nearer witness if
    any."""

    open: tuple[OpenNode, ...]
    unresolved: tuple[float, ...]
    bounded: int
    queries: tuple[QueryRecord, ...]
    evidence: Evidence
    witness: Replayed | None


@dataclass(frozen=True, eq=False)
class Workers:
    """Processes that expand parts of a tree; they start with the first part."""

    jobs: int
    pool: ProcessPoolExecutor

    def expand(
        self, expand: Callable[[Part], ExpandedPart], parts: Sequence[Part]
    ) -> list[ExpandedPart]:
        """All parts at once. Raises BackendError where a process dies."""
        return list(self.pool.map(expand, parts))


@contextmanager
def workers(jobs: int) -> Iterator[Workers | None]:
    """``jobs`` workers, or none for one job: the process itself is enough."""
    if jobs == 1:
        yield None
        return
    with processes(jobs) as pool:
        yield Workers(jobs, pool)
