"""How to search for a ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from marapatch.errors import InputError
from marapatch.problem.verdict import Evidence
from marapatch.search import SEARCHES
from marapatch.search.branch_and_bound.branching import RULES
from marapatch.search.options import SearchOptions
from marapatch_encodings.l1_ball import L1_FORMS, L1Form


@dataclass(frozen=True)
class GroundTruthOptions:
    """How to search; see ``marapatch groundtruth --help`` for what each means.

    ``tolerance``: the gap at which a bracket is closed, in units of the network's input.
    ``timeout``, ``query_timeout``: seconds for the image, for one query. ``nodes``: sub-problems
    bounded for everything, after about as many of which the search stops (a query of ``descent``
    and ``bisection`` counts as one); without a timeout two runs then give the same, on any machine
    of one kind and any load. ``search``: a name in :data:`marapatch.search.SEARCHES`;
    ``branching``: the tree's rule, a name in
    :data:`marapatch.search.branch_and_bound.branching.RULES`; ``record``: keep its trees, for
    :mod:`marapatch.certificates.file` (all are then over phases, also where halving the input box
    would be faster). ``encoding``: the form of the L1 ball. ``confirm``: whether HiGHS is asked to
    confirm an ``unsat`` of Marabou, which then counts for more (None: in all searches but
    bisection, which is as published without). ``evidence``: the weakest evidence that may move
    ``lower``. Raises :class:`InputError` on a value out of range.
    """

    tolerance: float = 1e-4
    margin: float = 0.0
    timeout: float | None = None
    nodes: int | None = None
    query_timeout: float | None = None
    search: str = "tree"
    encoding: L1Form = "split"
    backend: str = "marabou"
    bounds: bool = True
    confirm: bool | None = None
    evidence: Evidence = Evidence.SOLVER
    seed: int = 0
    jobs: int = 1
    branching: str = "trial"
    record: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.tolerance < inf:
            raise InputError(f"the tolerance must be finite and at least 0, not {self.tolerance}")
        if not 0.0 <= self.margin < inf:
            raise InputError(f"the margin must be finite and at least 0, not {self.margin}")
        for name in ("timeout", "query_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and not 0.0 < seconds < inf:
                raise InputError(f"{name} must be a positive number of seconds, not {seconds}")
        if self.nodes is not None and self.nodes < 1:
            raise InputError(f"nodes must be at least 1, not {self.nodes}")
        if self.search not in SEARCHES:
            raise InputError(f"search {self.search!r} is not one of {', '.join(SEARCHES)}")
        if self.encoding not in L1_FORMS:
            raise InputError(f"encoding {self.encoding!r} is not one of {', '.join(L1_FORMS)}")
        if self.branching not in RULES:
            raise InputError(f"branching {self.branching!r} is not one of {', '.join(RULES)}")
        if self.record and self.search != "tree":
            raise InputError(f"only the search tree has trees to record, not {self.search}")
        if self.jobs < 1:
            raise InputError(f"jobs must be at least 1, not {self.jobs}")
        if self.evidence is Evidence.FILE:
            raise InputError("evidence must be bound or solver: a file proves nothing by itself")

    def for_search(self) -> SearchOptions:
        """What a search needs to know."""
        return SearchOptions(
            tolerance=self.tolerance,
            nodes=self.nodes,
            query_timeout=self.query_timeout,
            l1_form=self.encoding,
            bounds=self.bounds,
            confirm=self.confirm,
            evidence=self.evidence,
            seed=self.seed,
            jobs=self.jobs,
            branching=self.branching,
            record=self.record,
        )
