"""Does a network have a property? A VNN-LIB property decided case by case, as in the competition.

The property says what is unsafe: ``sat`` comes with a counterexample, replayed on the network and
by onnxruntime on the file; ``unsat`` means that every case was refuted, over boxes rounded outward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

import numpy as np

from marapatch.arithmetic.float_model import proving
from marapatch.errors import ContradictionError, InputError
from marapatch.network.graph import Network
from marapatch.network.onnx.session import OnnxSession
from marapatch.network.output_transform import OutputTransform
from marapatch.problem.specification import Property
from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat, Verdict
from marapatch.search.budget import DISJUNCT_ATTACK_SHARE, DISJUNCT_SECONDS
from marapatch.solvers.base import Backend
from marapatch.verification.disjuncts import conjunctions_of, groups_of
from marapatch.verification.property_search import CaseBox, DisjunctSearch

FIRST_ROUNDS = 2
"""Batches of the attack on each disjunct before proofs begin."""

STOPPED_BY_HAND = "interrupted"
"""The reason of a verdict that somebody did not wait for."""

COMPETITION_SECONDS = 116.0
"""For a property where nothing is said: the competition's limit."""

TURN_NODES = 500
"""The first turn of each disjunct, in sub-problems where these are limited; turns get twice as
long while several are open."""

ATTACK_ROUNDS = 2
"""Batches in which a disjunct that stays open is attacked once more, where sub-problems are
limited."""


@dataclass(frozen=True)
class Verification:
    """The verdict on a property and how it came about.

    ``verdict``: Sat (the witness's distance is from the middle of its box and means nothing
    here), Unsat (radius infinite) or Unknown. ``disjuncts``: pairs of a box and an output
    condition, all of which were refuted for an Unsat. ``nodes``: sub-problems bounded.
    """

    verdict: Verdict
    disjuncts: int
    nodes: int
    seconds: float

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped by hand."""
        return isinstance(self.verdict, Unknown) and self.verdict.reason == STOPPED_BY_HAND

    @property
    def status(self) -> str:
        """The competition's word: ``sat``, ``unsat``, ``timeout`` or ``unknown``."""
        match self.verdict:
            case Sat():
                return "sat"
            case Unsat():
                return "unsat"
            case Unknown(reason=reason):
                return "timeout" if reason.startswith("timeout") else "unknown"
            case _:
                assert_never(self.verdict)


def verify(
    network: Network,
    specification: Property,
    backend: Backend,
    timeout: float | None = None,
    evidence: Evidence = Evidence.SOLVER,
    seed: int = 0,
    nodes: int | None = None,
    started: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Decide ``specification`` for ``network`` within about ``timeout`` seconds (None: 116, or no
    limit where ``nodes`` are limited: after about so many sub-problems bounded it stops).
    ``started``: when these seconds began, by ``time.monotonic`` (None: now). ``progress``: called
    with the number of sub-problems bounded so far.

    First a gradient attack on every disjunct; then they take turns: bisection of the box where it
    has few sides (:mod:`marapatch.search.branch_and_bound.input_tree`), else a tree over ReLU
    phases (:mod:`marapatch.search.branch_and_bound.relu_tree`), whose last leaves go to ``backend``
    unless ``evidence`` is ``bound``. A KeyboardInterrupt ends the search:
    Unknown(:data:`STOPPED_BY_HAND`). Raises :class:`~marapatch.errors.InputError` where the
    property does not fit the network or leaves an input unbounded.
    """
    started = monotonic() if started is None else started
    if timeout is None:
        timeout = COMPETITION_SECONDS if nodes is None else np.inf
    deadline = started + timeout
    searches: list[DisjunctSearch] = []
    try:
        with proving():
            searches += _searches(network, specification, backend, evidence, nodes)
            verdict = _attacked(searches, deadline, seed) or _in_turns(
                searches, deadline, seed, nodes, progress or (lambda _: None)
            )
            verdict = _consistent(searches, verdict)
    except KeyboardInterrupt:
        verdict = Unknown(STOPPED_BY_HAND)
    bounded = sum(search.bounded for search in searches)
    return Verification(verdict, len(searches), bounded, monotonic() - started)


def _attacked(searches: Sequence[DisjunctSearch], deadline: float, seed: int) -> Verdict | None:
    """A witness that a short attack on each disjunct finds, if any does."""
    last: DisjunctSearch | None = None
    for search in searches:
        if monotonic() >= deadline:
            return Unknown(f"timeout: not all of {len(searches)} disjuncts were looked at")
        if last is not None and search.case_box is last.case_box and search.rows is last.rows:
            continue  # another part of the same rows over probabilities
        last = search
        witness = search.attack(deadline, seed, FIRST_ROUNDS)
        if witness is not None:
            return Sat(witness)
    return None


def _in_turns(
    searches: Sequence[DisjunctSearch],
    deadline: float,
    seed: int,
    nodes: int | None,
    progress: Callable[[int], None],
) -> Verdict:
    """Disjuncts take turns, first short ones, so that a hard one does not hide a witness; what a
    turn leaves open is attacked once more. Where ``nodes`` are limited, turns are of sub-problems,
    not of seconds."""
    turn = np.inf if nodes is None else TURN_NODES
    still = list(searches)
    grades: list[Evidence] = []
    seconds = DISJUNCT_SECONDS
    verdict: Unknown | None = None
    given_up: Unknown | None = None
    while still:
        for search in list(still):
            until = deadline if nodes is not None else min(deadline, monotonic() + seconds)
            if until <= monotonic():
                return verdict or Unknown(f"timeout: {len(still)} disjuncts were not decided")
            progress(sum(each.bounded for each in searches))
            bounded, most = search.bounded, turn
            if nodes is not None:
                most = min(turn, nodes - sum(each.bounded for each in searches))
                if most <= 0:
                    return Unknown(
                        f"the limit of sub-problems is reached: {len(still)} disjuncts were not "
                        "decided"
                    )
            found = search.advance(until, most)
            if isinstance(found, Unknown):
                if monotonic() < until and search.bounded < bounded + most:
                    still.remove(search)
                    given_up = found
                attacked_until, rounds = monotonic() + DISJUNCT_ATTACK_SHARE * seconds, None
                if nodes is not None:
                    attacked_until, rounds = deadline, ATTACK_ROUNDS
                seed += 1
                witness = search.attack(min(deadline, attacked_until), seed, rounds)
                found = found if witness is None else Sat(witness)
            match found:
                case Sat():
                    return found
                case Unsat(evidence=grade):
                    still.remove(search)
                    grades.append(grade)
                case Unknown():
                    verdict = found
                case _:
                    assert_never(found)
        seconds, turn = 2.0 * seconds, 2 * turn
    return given_up or Unsat(np.inf, Evidence.weakest(*grades))


def _consistent(searches: Sequence[DisjunctSearch], verdict: Verdict) -> Verdict:
    """``verdict``, unless a counterexample is known that onnxruntime on the file contradicts."""
    contradicted = [s.contradicted for s in searches if s.contradicted is not None]
    if not contradicted or isinstance(verdict, Sat):
        return verdict
    if isinstance(verdict, Unsat):
        raise ContradictionError(
            "a proof says that there is no counterexample, and exact evaluation found one: "
            f"{contradicted[0].input.reshape(-1).tolist()[:20]}: please report this"
        )
    return Unknown(
        "what was found is a counterexample of the real-valued network, but not of the file as "
        "onnxruntime rounds it"
    )


def _searches(
    network: Network,
    specification: Property,
    backend: Backend,
    evidence: Evidence,
    nodes: int | None,
) -> Iterator[DisjunctSearch]:
    """One search a box and conjunction of rows, any of which makes the property hold."""
    _check_fit(network, specification)
    source = network.source
    runs = None
    if source is not None and source.format == "onnx":
        runs = OnnxSession.of(source.content)
    for case in specification.cases:
        case_box = CaseBox(network, case, runs)
        for rows in case.alternatives:
            try:
                groups = groups_of(rows, network)
            except InputError as error:
                raise InputError(f"{specification.path}: {error}") from error
            if groups is None:
                continue
            for conjunction in [groups] if case_box.few_sides else conjunctions_of(groups):
                yield DisjunctSearch(case_box, rows, conjunction, backend, evidence, nodes, groups)


def _check_fit(network: Network, specification: Property) -> None:
    """Raise InputError where the property is not about this network, or not about a box."""
    path, transform = specification.path, network.output_transform
    given, wanted = (specification.inputs, specification.outputs), (network.inputs, network.outputs)
    if transform in (OutputTransform.ARGMAX, OutputTransform.SEVERAL) and given[1]:
        raise InputError(
            f"{path}: is about the outputs of a network that ends in {transform.value}, which "
            "is not read; cut the network before it and write the property over scores"
        )
    if given != wanted and not (given[0] == wanted[0] and given[1] == 0):
        raise InputError(
            f"{path}: is about {given[0]} inputs and {given[1]} outputs, the network "
            f"has {wanted[0]} and {wanted[1]}; give the property that belongs to it"
        )
    for case in specification.cases:
        ends = zip(case.box.lower, case.box.upper, strict=True)
        unbounded = [i for i, pair in enumerate(ends) if None in pair]
        if unbounded:
            raise InputError(
                f"{path}: X_{unbounded[0]} has no finite bounds; a verified input region must be "
                "a box"
            )
