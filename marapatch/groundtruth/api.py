"""Ground truth: how near is the nearest input that changes the decision?

The use case that joins the parts: specify, attack, polish, then search between proofs and
witnesses, one target after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from math import inf
from time import monotonic
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.arithmetic.float_model import proving
from marapatch.errors import InputError
from marapatch.groundtruth.earlier import Earlier, question_of
from marapatch.groundtruth.targets import TargetProblem, TargetSearch, TargetState
from marapatch.network.graph import Network
from marapatch.problem.ball import Ball, Norm
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule
from marapatch.problem.input_ball import ball_of
from marapatch.problem.replay import decided_class
from marapatch.problem.verdict import Evidence, Witness, witness_of
from marapatch.search import SEARCHES
from marapatch.search.branch_and_bound.branching import RULES
from marapatch.search.options import QueryRecord, SearchOptions
from marapatch.search.tree_record import TreeRecord
from marapatch_encodings.l1_ball import L1_FORMS, L1Form

Choice = TypeVar("Choice", bound=Enum)


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


@dataclass(frozen=True)
class Progress:
    """Where a ground truth stands: of the target in hand, and of the whole."""

    target: int
    targets_done: int
    targets_total: int
    lower: float
    upper: float
    queries: int
    seconds: float


@dataclass(frozen=True, eq=False)
class TargetResult:
    """The bracket of one target. ``lower`` may be infinite: no input in the box reaches it.

    ``note`` says why an open bracket is open. ``nodes``: sub-problems the search bounded.
    ``trees``: its trees, where they were recorded.
    """

    target: int
    bracket: Bracket
    queries: tuple[QueryRecord, ...]
    seconds: float
    nodes: int = 0
    note: str = ""
    trees: tuple[TreeRecord, ...] = ()

    @staticmethod
    def of(target: int, found: TargetState) -> TargetResult:
        """What the search found of ``target``."""
        return TargetResult(
            target,
            found.bracket,
            found.queries,
            found.seconds,
            found.nodes,
            found.note,
            found.trees,
        )

    @property
    def lower(self) -> float:
        """Nothing decided as the target is nearer."""
        return self.bracket.lower

    @property
    def upper(self) -> float:
        """The distance of the witness, or infinity."""
        return self.bracket.upper

    @property
    def evidence(self) -> Evidence:
        """How ``lower`` is known."""
        return self.bracket.evidence

    @property
    def witness(self) -> Witness | None:
        """The nearest witness found."""
        found = self.bracket.witness
        return None if found is None else witness_of(found)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The answer: ``lower`` is proved and ``upper`` is witnessed, the nearest over ``targets``.

    ``witness``: the vector at ``upper``, of the network's input type and shape, or None.
    ``interrupted``: stopped by hand; everything reported holds all the same. ``decided``: what
    the network decides on the image. ``own``: the image itself as a witness, where it is one: it
    is decided as a target, by the margin asked for. ``earlier``: the file of a result that it began
    with. ``ball``: the centre and the box; ``rule``:
    how the network decides.
    """

    network: Network
    image: NDArray[np.floating]
    norm: Norm
    label: int
    decided: int
    targets: tuple[TargetResult, ...]
    options: GroundTruthOptions
    seconds: float
    nearest_only: bool
    ball: Ball
    rule: Rule
    interrupted: bool = False
    own: Witness | None = None
    earlier: str | None = None

    @property
    def already(self) -> bool:
        """Whether the image itself is what was asked for: decided otherwise than the label."""
        return self.own is not None

    @cached_property
    def _bracket(self) -> Bracket:
        if self.own is not None:
            return Bracket(witness=self.own)
        lower = min(t.lower for t in self.targets)
        best = min(self.targets, key=lambda t: t.upper)
        grades = [t.evidence for t in self.targets]
        return Bracket(lower, Evidence.weakest(*grades), best.witness)

    @property
    def lower(self) -> float:
        """Nothing that changes the decision to a target is nearer."""
        return self._bracket.lower

    @property
    def upper(self) -> float:
        """The distance of the nearest witness, or infinity; 0 where the label was wrong."""
        return self._bracket.upper

    @property
    def evidence(self) -> Evidence:
        """How ``lower`` is known: the weakest over the targets."""
        return self._bracket.evidence

    @property
    def witness(self) -> NDArray[np.floating] | None:
        """The input at ``upper``; the image itself where the label was wrong."""
        witness = self._bracket.witness
        return None if witness is None else witness.input

    @property
    def queries(self) -> tuple[QueryRecord, ...]:
        """All queries, target by target."""
        return tuple(q for target in self.targets for q in target.queries)

    @property
    def closed(self) -> bool:
        """Whether what was asked is answered to the tolerance: one bracket, or each target's."""
        tolerance = self.options.tolerance
        if self.already or self.nearest_only:
            return self.upper - self.lower <= tolerance or self.upper == self.lower
        return all(t.bracket.closed(tolerance) for t in self.targets)


def ground_truth(
    network: Network,
    x: ArrayLike,
    *,
    norm: str | Norm = Norm.LINF,
    label: int | None = None,
    target: int | Sequence[int] | None = None,
    each_target: bool = False,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    mask: ArrayLike | None = None,
    decision: str | Rule = Rule.ARGMAX,
    init: ArrayLike | None = None,
    options: GroundTruthOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    started: float | None = None,
    earlier: Earlier | None = None,
) -> GroundTruth:
    """The nearest input decided otherwise than ``x``: a bracket, lower proved, upper witnessed.

    ``x``: one input in the network's shape or flat; rounded to the file's input type, and so are
    ``box`` = (lower, upper), numbers or arrays of the input's shape (where None: the network
    file's own box, or else [0, 1]). ``label``: what ``x`` counts as (None: what the network
    decides); where the network decides otherwise, and as one of the targets, the distance is 0.
    ``target``: one class, some, or None for all others; the nearest over them is found, with one
    incumbent for all, or with ``each_target`` every target's own bracket. ``mask``: True where an
    entry may change.
    ``init``: an input to start from. ``progress``: called as the bracket moves. ``started``: when
    the time of ``options`` began, by ``time.monotonic`` (None: now). ``earlier``: a result of the
    same question to begin with; its lower ends are evidence ``file``.

    A KeyboardInterrupt ends the search; what is known is returned with ``interrupted`` set.

    Raises :class:`InputError` on an input that does not fit (shape, box, target, label, options).
    Source: Carlini et al., "Ground-Truth Adversarial Examples", section 4.
    """
    options = options or GroundTruthOptions()
    started = monotonic() if started is None else started
    rule, norm = _choice(Rule, decision, "decision"), _choice(Norm, norm, "norm")
    ball, image = ball_of(network, x, norm, box, mask)
    decided = decided_class(network, ball.centre, rule)
    label = decided if label is None else _class(label, network, "label")
    targets = _targets(target, label, network)
    asked = TargetProblem(
        network=network,
        ball=ball,
        rule=rule,
        margin=options.margin,
        search=options.search,
        backend=options.backend,
        options=options.for_search(),
        nearest_only=not each_target,
    )

    def watch(target: int, done: int, bracket: Bracket, queries: int) -> None:
        if progress is not None:
            seconds, total = monotonic() - started, len(targets)
            bounds = bracket.lower, bracket.upper
            progress(Progress(target, done, total, *bounds, queries, seconds))

    if earlier is not None:
        if options.record:
            raise InputError("an earlier result has no tree: leave out one of --from and --tree")
        earlier.check(question_of(network, ball, rule, options.margin, label, targets))
    deadline = inf if options.timeout is None else started + options.timeout
    search = TargetSearch(asked, targets, deadline, watch, options.jobs)
    own = asked.question(decided).replay(ball.centre) if decided in targets else None
    interrupted = False
    if own is None:
        try:
            with proving():
                if earlier is not None:
                    search.take_up(earlier)
                search.bound()
                search.attack(None if init is None else network.flatten(init)[0])
            search.run()
            search.confirm()
            search.explain()
        except KeyboardInterrupt:
            interrupted = True
    found = () if own is not None else targets
    results = tuple(TargetResult.of(t, search.found[t]) for t in found)
    return GroundTruth(
        network=network,
        image=image,
        norm=norm,
        label=label,
        decided=decided,
        targets=results,
        options=options,
        seconds=monotonic() - started,
        nearest_only=not each_target,
        ball=ball,
        rule=rule,
        interrupted=interrupted,
        own=None if own is None else witness_of(own),
        earlier=None if earlier is None else earlier.path,
    )


def _choice(kind: type[Choice], value: object, what: str) -> Choice:
    """``value`` as a member of ``kind``, by its name or as it is."""
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(str(member.value) for member in kind)
        raise InputError(f"{what} {value!r} is not one of {names}") from None


def _class(number: int, network: Network, what: str) -> int:
    if not 0 <= number < network.outputs:
        raise InputError(
            f"{what} {number} is not one of the network's classes 0..{network.outputs - 1}"
        )
    return number


def _targets(target: int | Sequence[int] | None, label: int, network: Network) -> tuple[int, ...]:
    if target is None:
        chosen = tuple(t for t in range(network.outputs) if t != label)
    else:
        chosen = tuple(dict.fromkeys(int(t) for t in np.atleast_1d(target)))
    for t in chosen:
        _class(t, network, "target")
        if t == label:
            raise InputError(f"target {t} is the label itself; choose another class")
    if not chosen:
        raise InputError("the network has no other class to ask about")
    return chosen
