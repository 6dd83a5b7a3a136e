"""Does a network have a property? A VNN-LIB property decided case by case, as in the competition.

The property says what is unsafe: ``sat`` comes with a counterexample, replayed on the network and
by onnxruntime on the file; ``unsat`` means that every case was refuted.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import assert_never

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from marapatch.backends.base import Backend
from marapatch.ball import Ball, Norm
from marapatch.bracket import Bracket
from marapatch.errors import InputError
from marapatch.network.layers import Array
from marapatch.network.network import Network
from marapatch.properties import OutputCondition
from marapatch.question import Question
from marapatch.replay import Replay
from marapatch.search.falsify import falsify
from marapatch.search.input_split import InputSplit
from marapatch.search.options import SearchOptions
from marapatch.search.tree import tree
from marapatch.verdict import Evidence, Sat, Unknown, Unsat, Verdict, Witness
from marapatch.vnnlib import Property

FEW_INPUTS = 12
"""Boxes with at most this many sides that have a length are halved; else ReLU phases are split."""

FIRST_ROUNDS = 2
"""Batches of the attack on each disjunct before proofs begin."""

SLICE_SECONDS = 4.0
"""The first turn of each disjunct; turns grow twice as long while several are open."""

ATTACK_SHARE = 0.5
"""The share of its turn in which a disjunct that has few inputs is attacked once more."""


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
    timeout: float = 116.0,
    evidence: Evidence = Evidence.SOLVER,
    seed: int = 0,
) -> Verification:
    """Decide ``specification`` for ``network`` within about ``timeout`` seconds.

    First a gradient attack on every disjunct; then bisection of the boxes where all have few
    sides (:mod:`marapatch.search.input_split`), else a tree over ReLU phases for each
    (:mod:`marapatch.search.tree`), whose last leaves go to ``backend`` unless ``evidence`` is
    ``bound``. Raises :class:`~marapatch.errors.InputError` where the property does not fit the
    network or leaves an input unbounded.
    """
    started = monotonic()
    deadline = started + timeout
    questions = disjuncts(network, specification)
    for question in questions:
        witness = falsify(question, deadline, seed, FIRST_ROUNDS)
        if witness is not None:
            return Verification(Sat(witness), len(questions), 0, monotonic() - started)
    small = [_few_sides(question) for question in questions]
    verdict, nodes = (
        _by_boxes(questions, deadline, seed)
        if all(small)
        else _by_phases(questions, deadline, backend, evidence)
    )
    return Verification(verdict, len(questions), nodes, monotonic() - started)


def _few_sides(question: Question) -> bool:
    ball = question.ball
    return int(np.count_nonzero(ball.upper > ball.lower)) <= FEW_INPUTS


def _by_boxes(questions: list[Question], deadline: float, seed: int) -> tuple[Verdict, int]:
    """Disjuncts take turns, first short ones, so that a hard one does not hide a witness."""
    searches = [InputSplit(question) for question in questions]
    still = list(searches)
    seconds, verdict = SLICE_SECONDS, Unknown("timeout: no disjunct was decided")
    while still:
        for search in list(still):
            proof_until = min(deadline, monotonic() + seconds)
            found = search.advance(proof_until)
            if isinstance(found, Unknown) and monotonic() < deadline:
                until = min(deadline, monotonic() + ATTACK_SHARE * seconds)
                seed += 1
                witness = falsify(search.question, until, seed)
                found = found if witness is None else Sat(witness)
            match found:
                case Sat():
                    return found, sum(s.bounded for s in searches)
                case Unsat():
                    still.remove(search)
                case Unknown():
                    verdict = found
                case _:
                    assert_never(found)
        if monotonic() >= deadline and still:
            return verdict, sum(s.bounded for s in searches)
        seconds *= 2.0
    return Unsat(np.inf, Evidence.BOUND), sum(s.bounded for s in searches)


def _by_phases(
    questions: list[Question], deadline: float, backend: Backend, evidence: Evidence
) -> tuple[Verdict, int]:
    """One tree a disjunct; the first that cannot be refuted leaves the rest its share of time."""
    grades: list[Evidence] = []
    unknown: Unknown | None = None
    nodes = 0
    for number, question in enumerate(questions):
        left = deadline - monotonic()
        if left <= 0.0:
            unknown = Unknown(f"timeout: {len(questions) - number} disjuncts were not decided")
            break
        seconds = left / (len(questions) - number) if unknown is not None else left
        verdict, bounded = _grow(question, backend, seconds, evidence)
        nodes += bounded
        match verdict:
            case Sat():
                return verdict, nodes
            case Unsat(evidence=grade):
                grades.append(grade)
            case Unknown():
                unknown = verdict
            case _:
                assert_never(verdict)
    return unknown or Unsat(np.inf, Evidence.weakest(*grades)), nodes


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
    no ONNX file, the network's own float64 outputs."""
    source = network.source
    if source is None or source.format != "onnx":
        return witness.outputs
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        source.content, options, providers=["CPUExecutionProvider"]
    )
    given = session.get_inputs()[0]
    shape = [n if isinstance(n, int) else 1 for n in given.shape]
    outputs = session.run(None, {given.name: witness.input.reshape(shape)})[0]
    flat = np.asarray(outputs).reshape(-1)
    return flat if flat.size == network.outputs else witness.outputs


def _number(value: np.floating) -> str:
    return np.format_float_positional(value, unique=True, trim="0")


class _FoundError(Exception):
    """Ends a search at its first witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__("a witness was found")
        self.witness = witness


def _grow(
    question: Question, backend: Backend, seconds: float, evidence: Evidence
) -> tuple[Verdict, int]:
    """The verdict on one question over its whole box, and how many sub-problems were bounded."""

    def first(claimed: NDArray[np.float64]) -> Witness | None:
        witness = question.replay(claimed)
        if witness is not None:
            raise _FoundError(witness)
        return None

    until = monotonic() + seconds
    asked = Question(question.form, question.ball, question.condition, first)
    options = SearchOptions(timeout=seconds, evidence=evidence)
    try:
        outcome = tree(asked, Bracket(), backend, options, lambda *_: None)
    except _FoundError as found:
        return Sat(found.witness), 0
    if outcome.bracket.lower == np.inf:
        return Unsat(np.inf, outcome.bracket.evidence), outcome.nodes
    late = monotonic() >= until
    return Unknown(f"timeout: {outcome.note}" if late else outcome.note), outcome.nodes
