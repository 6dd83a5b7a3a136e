"""Does a network have a property? A VNN-LIB property decided case by case, as in the competition.

The property says what is unsafe: ``sat`` comes with a counterexample, replayed on the network and
by onnxruntime on the file; ``unsat`` means that every case was refuted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from marapatch.backends.base import Backend
from marapatch.ball import Ball, Norm
from marapatch.bracket import Bracket
from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.network.network import Network
from marapatch.network.onnx_session import OnnxSession
from marapatch.properties import OutputCondition
from marapatch.question import Question
from marapatch.replay import Replay
from marapatch.search.falsify import falsify
from marapatch.search.input_split import InputSplit
from marapatch.search.options import SearchOptions
from marapatch.search.phase_tree import PhaseTree
from marapatch.verdict import Evidence, Sat, Unknown, Unsat, Verdict, Witness
from marapatch.vnnlib import Property

FEW_INPUTS = 12
"""Boxes with at most this many sides that have a length are halved; else ReLU phases are split."""

FIRST_ROUNDS = 2
"""Batches of the attack on each disjunct before proofs begin."""

SECONDS = 116.0
"""For a property where nothing is said: the competition's limit."""

SLICE_SECONDS = 4.0
TURN_NODES = 500
"""The first turn of each disjunct, in sub-problems where these are limited; turns grow twice as
long while several are open."""

ATTACK_SHARE = 0.5
ATTACK_ROUNDS = 2
"""The share of its turn in which a disjunct that stays open is attacked once more; in batches where
sub-problems are limited."""


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
    def word(self) -> str:
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
) -> Verification:
    """Decide ``specification`` for ``network`` within about ``timeout`` seconds (None: 116, or no
    limit where ``nodes`` are limited: after about so many sub-problems bounded it stops).

    First a gradient attack on every disjunct; then they take turns: bisection of the box where it
    has few sides (:mod:`marapatch.search.input_split`), else a tree over ReLU phases
    (:mod:`marapatch.search.phase_tree`), whose last leaves go to ``backend`` unless ``evidence``
    is ``bound``. Raises :class:`~marapatch.errors.InputError` where the property does not fit the
    network or leaves an input unbounded.
    """
    started = monotonic()
    if timeout is None:
        timeout = SECONDS if nodes is None else np.inf
    deadline = started + timeout
    questions = disjuncts(network, specification)
    for question in questions:
        witness = falsify(question, deadline, seed, FIRST_ROUNDS)
        if witness is not None:
            return Verification(Sat(witness), len(questions), 0, monotonic() - started)
    searches: list[_Turns] = [
        InputSplit(question)
        if _few_sides(question)
        else _Phases(question, backend, evidence, nodes)
        for question in questions
    ]
    verdict = _in_turns(searches, deadline, seed, nodes)
    nodes = sum(search.bounded for search in searches)
    return Verification(verdict, len(questions), nodes, monotonic() - started)


def _few_sides(question: Question) -> bool:
    ball = question.ball
    return int(np.count_nonzero(ball.upper > ball.lower)) <= FEW_INPUTS


class _Turns(Protocol):
    """A search that goes on where it stopped."""

    @property
    def question(self) -> Question:
        """What is asked."""
        ...

    @property
    def bounded(self) -> int:
        """Sub-problems bounded so far."""
        ...

    def advance(self, until: float, nodes: float = np.inf) -> Verdict:
        """Unknown before ``until`` and before so many more ``nodes`` are bounded: there is nothing
        more that it could do."""
        ...


def _in_turns(
    searches: Sequence[_Turns], deadline: float, seed: int, nodes: int | None = None
) -> Verdict:
    """Disjuncts take turns, first short ones, so that a hard one does not hide a witness; what a
    turn leaves open is attacked once more. Where ``nodes`` are limited, turns are of sub-problems,
    not of seconds."""
    turn = np.inf if nodes is None else TURN_NODES
    still = list(searches)
    grades: list[Evidence] = []
    seconds = SLICE_SECONDS
    verdict: Unknown | None = None
    given_up: Unknown | None = None
    while still:
        for search in list(still):
            until = deadline if nodes is not None else min(deadline, monotonic() + seconds)
            if until <= monotonic():
                return verdict or Unknown(f"timeout: {len(still)} disjuncts were not decided")
            bounded, most = search.bounded, turn
            if nodes is not None:
                most = min(turn, nodes - sum(each.bounded for each in searches))
                if most <= 0:
                    return Unknown(f"the limit of sub-problems is reached: {len(still)} disjuncts "
                                   "were not decided")  # fmt: skip
            found = search.advance(until, most)
            if isinstance(found, Unknown):
                if monotonic() < until and search.bounded < bounded + most:
                    still.remove(search)
                    given_up = found
                attacked_until, rounds = monotonic() + ATTACK_SHARE * seconds, None
                if nodes is not None:
                    attacked_until, rounds = deadline, ATTACK_ROUNDS
                seed += 1
                witness = falsify(search.question, min(deadline, attacked_until), seed, rounds)
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


def disjuncts(network: Network, specification: Property) -> list[Question]:
    """The questions, one a box and output condition, any of which makes the property hold."""
    given, wanted = (specification.inputs, specification.outputs), (network.inputs, network.outputs)
    if given != wanted and not (given[0] == wanted[0] and given[1] == 0):
        raise InputError(
            f"{specification.path}: is about {given[0]} inputs and {given[1]} outputs, the network "
            f"has {wanted[0]} and {wanted[1]}; give the property that belongs to it"
        )
    questions = []
    for case in specification.cases:
        unbounded = ~(np.isfinite(case.lower) & np.isfinite(case.upper))
        if unbounded.any():
            raise InputError(
                f"{specification.path}: X_{int(np.argmax(unbounded))} has no finite bounds; a "
                "verified input region must be a box"
            )
        ball = whole_box(case.lower, case.upper, network.input_dtype)
        for condition in case.conditions:
            fitted = condition
            if not condition.rhs.size:  # any output will do
                fitted = OutputCondition(np.zeros((1, network.outputs)), np.full(1, -1.0))
            judge = Replay(network, ball, fitted)
            questions.append(Question(network.standard_form, ball, fitted, judge))
    return questions


def whole_box(lower: Array, upper: Array, dtype: np.dtype[np.floating]) -> Ball:
    """The box as an L-infinity ball around about its middle, which is of type ``dtype`` inside."""
    middle = (0.5 * lower + 0.5 * upper).astype(dtype).astype(np.float64)
    ball = Ball(np.clip(middle, lower, upper), lower, upper, Norm.LINF, np.inf)
    return ball.at(ball.whole_box)


def counterexample(witness: Witness, outputs: Array) -> str:
    """The competition's text: ``((X_0 value) ... (Y_0 value) ...)``, every number exact.

    ``outputs``: those to print, usually onnxruntime's on the file; printed as given.
    """
    pairs = [f"(X_{i} {_number(x)})" for i, x in enumerate(witness.input.ravel())]
    pairs += [f"(Y_{j} {_number(y)})" for j, y in enumerate(outputs.ravel())]
    return "(" + "\n".join(pairs) + ")\n"


def outputs_of(network: Network, witness: Witness) -> Array:
    """What onnxruntime gives at a witness on the file as given, in the file's type; where there is
    no ONNX file that it runs, the network's own float64 outputs."""
    source = network.source
    if source is None or source.format != "onnx":
        return witness.outputs
    outputs = OnnxSession.of(source.content).outputs(witness.input)
    return witness.outputs if outputs is None or outputs.size != network.outputs else outputs


def _number(value: np.floating) -> str:
    return np.format_float_positional(value, unique=True, trim="0")


class _FoundError(Exception):
    """Ends a search at its first witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__("a witness was found")
        self.witness = witness


class _Phases:
    """A tree over ReLU phases that asks about the whole box and ends at its first witness."""

    def __init__(
        self, question: Question, backend: Backend, evidence: Evidence, nodes: int | None = None
    ) -> None:
        self.question = question

        def first(claimed: NDArray[np.float64]) -> Witness | None:
            witness = question.replay(claimed)
            if witness is not None:
                raise _FoundError(witness)
            return None

        asked = replace(question, replay=first)
        options = SearchOptions(evidence=evidence, nodes=nodes)
        self.tree = PhaseTree(asked, Bracket(), backend, options, lambda *_: None)

    @property
    def bounded(self) -> int:
        return self.tree.bounded

    def advance(self, until: float, nodes: float = np.inf) -> Verdict:
        """Grow until the whole box is refuted, there is a witness, it is ``until``, or about so
        many more ``nodes`` are bounded."""
        try:
            self.tree.advance(until, nodes)
        except _FoundError as found:
            return Sat(found.witness)
        if self.tree.bracket.lower == np.inf:
            return Unsat(np.inf, self.tree.bracket.evidence)
        note = self.tree.note
        return Unknown(f"timeout: {note}" if monotonic() >= until else note)
