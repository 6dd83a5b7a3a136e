"""How to search for a patch."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Literal, get_args

from marapatch.errors import InputError, check_choice, check_count, check_seconds
from marapatch.problem.verdict import Evidence
from marapatch.search import SEARCHES
from marapatch.search.budget import Limit
from marapatch.search.options import SearchOptions
from marapatch.solvers import BACKENDS
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

Engine = Literal["auto", "weights", "neurons"]
"""``weights``: one variable a number that may change. ``neurons``: one a neuron, for one input
and a dense layer. ``auto``: a linear program where no ReLU follows, else neurons where that is
possible, else weights."""

DEFAULT_MARGIN = 1e-3


@dataclass(frozen=True)
class PatchOptions:
    """``tolerance``: the gap at which a bracket is closed, relative to ``upper``. ``timeout``,
    ``query_timeout``: seconds for one layer, for one query. ``nodes``: sub-problems bounded for one
    layer, after about as many of which the search stops: as for a ground truth. ``search``: a name
    in :data:`marapatch.search.SEARCHES`, or ``auto`` (linear programs, else ``tree``);
    ``bisection`` is the published engine: binary search over queries to the backend, by weight
    unless ``engine`` says otherwise, without a witness to start from. ``bounds``: whether linear
    bounds may decide and go into the queries (None: not under ``bisection``, whose answers then
    are the backend's alone). ``encoding``: the form of the L1 ball. ``marks``: prune by signs.
    ``evidence``: the weakest that may move ``lower``.
    """

    tolerance: float = 1e-3
    timeout: float | None = None
    nodes: int | None = None
    query_timeout: float | None = None
    search: str = "auto"
    engine: Engine = "auto"
    encoding: L1Form = "split"
    backend: str = "marabou"
    bounds: bool | None = None
    marks: bool = True
    evidence: Evidence = Evidence.SOLVER
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.tolerance < inf:
            raise InputError(f"the tolerance must be finite and above 0, not {self.tolerance}")
        check_seconds("timeout", self.timeout)
        check_seconds("query_timeout", self.query_timeout)
        check_count("nodes", self.nodes)
        check_choice("search", self.search, ("auto", *SEARCHES))
        if self.backend not in BACKENDS:
            raise InputError(
                f"backend {self.backend!r} is not known; choose one of {', '.join(BACKENDS)}"
            )
        check_choice("engine", self.engine, get_args(Engine))
        check_choice("encoding", self.encoding, L1_FORMS)

    @property
    def published(self) -> bool:
        """Whether the published engine is asked for."""
        return self.search == "bisection"

    def for_search(self, limit: Limit, bounded: int, tolerance: float) -> SearchOptions:
        """What a search needs to know; ``bounded``: of the sub-problems that ``limit`` allows;
        ``tolerance``: absolute."""
        return SearchOptions(
            tolerance=tolerance,
            timeout=limit.until - monotonic(),
            nodes=None if limit.nodes == inf else max(1, int(limit.nodes) - bounded),
            query_timeout=self.query_timeout,
            l1_form=self.encoding,
            bounds=not self.published if self.bounds is None else self.bounds,
            evidence=self.evidence,
            seed=self.seed,
        )
