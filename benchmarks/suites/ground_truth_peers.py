"""The same question, from the same first witness, put to the tree and to its peers.

What is compared is the search alone: the witness is found and polished before the clock starts,
without a limit of time, so that it is the same for all of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from math import inf
from time import monotonic

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.harness.rows import Row, finite, processor_seconds
from benchmarks.harness.subjects import subject, unstable
from benchmarks.peers.milp import minimise
from benchmarks.suites.ground_truth_instances import METHODS, Instance
from marapatch.errors import InputError
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Evidence, Witness
from marapatch.search import SEARCHES
from marapatch.solvers import create
from marapatch.witnesses.attacks.nearest import nearest
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.polish import polish

PEER_SUITES = ("peers", "branching")
"""The suites whose rows :func:`compared` makes."""


@dataclass(frozen=True)
class Result:
    """What one method made of a question. ``solved``: it says that it is done."""

    bracket: Bracket
    solved: bool
    queries: int
    verdicts: dict[str, int]
    nodes: int
    note: str


def compared(instance: Instance) -> Row:
    """The row of an instance: the witness it begins from, and the search by its method."""
    question, sha256, label = question_of(instance)
    with threadpool_limits(1):
        started = monotonic()
        witness = incumbent(question, instance)
        attack_seconds = monotonic() - started
        before, started = processor_seconds(), monotonic()
        found = searched(question, witness, instance)
        seconds = monotonic() - started
    bracket = found.bracket
    last = bracket.witness
    return {
        **instance.about(),
        "label": label,
        "sha256": sha256,
        "attack": finite(witness.distance),
        "attack_seconds": attack_seconds,
        "first_upper": finite(witness.distance),
        "unstable": unstable(subject(instance.network).network, question.ball, witness.distance),
        "status": "closed" if found.solved else "open",
        "closed": found.solved,
        "lower": finite(bracket.lower),
        "upper": finite(bracket.upper),
        "evidence": bracket.evidence.value,
        "seconds": seconds,
        "queries": found.queries,
        "verdicts": found.verdicts,
        "nodes": found.nodes,
        "nearest": instance.target,
        "witness_margin": None if last is None else last.margin,
        "witness_confirmed": None if last is None else last.confirmed,
        "note": found.note,
        "cpu": processor_seconds() - before,
        "options": {
            name: getattr(value, "value", value)
            for name, value in asdict(METHODS[instance.method]).items()
        },
    }


def question_of(instance: Instance) -> tuple[Question, str | None, int]:
    """The question over the whole box, with the network's sha256 and what it decides now."""
    about = subject(instance.network)
    network, rule = about.network, about.rule
    if not isinstance(instance.target, int):
        raise InputError(f"{instance.key}: a comparison needs a class as its target")
    ball = about.ball(instance.image, instance.norm)
    condition = beats(instance.target, network.outputs, rule, 0.0)
    replay = Replay(network, ball, condition)
    question = Question(
        network.standard_form, ball.with_radius(ball.covering_radius), condition, replay
    )
    source = network.source
    label = rule.decide(network.evaluate(ball.centre)[0])
    return question, None if source is None else source.sha256, label


def incumbent(question: Question, instance: Instance) -> Witness:
    """The first witness: attacked as the program attacks, then polished, both to their ends."""
    about = subject(instance.network)
    assert isinstance(instance.target, int)
    objective = Objective.towards([instance.target], argmin=about.rule is Rule.ARGMIN)
    problem = Problem.of_ball(question.form, question.ball, objective, about.network.input_dtype)
    result = nearest(problem)
    witness = question.replay(result.inputs[0].astype(np.float64)) if result.success[0] else None
    if witness is None:
        raise InputError(f"{instance.key}: the attacks find no witness to begin from")
    return polish(question, witness, inf)


def searched(question: Question, witness: Witness, instance: Instance) -> Result:
    """The bracket that the instance's method finds from ``witness``."""
    options = replace(METHODS[instance.method].for_search(), timeout=instance.timeout)
    start = Bracket(witness=witness)
    if instance.method == "milp":
        found = minimise(question, witness, options.tolerance, instance.timeout)
        upper = inf if found.witness is None else found.witness.distance
        bracket = Bracket(min(found.lower, upper), Evidence.SOLVER, found.witness)
        return Result(bracket, found.solved, 1, {}, found.nodes, found.note)
    method = METHODS[instance.method]
    backend = create(method.backend)
    try:
        outcome = SEARCHES[method.search](
            question, start, backend, options, lambda bracket, queries: None
        )
    finally:
        backend.close()
    verdicts = Counter(f"{q.backend}: {q.verdict}" for q in outcome.queries)
    return Result(
        outcome.bracket,
        options.closed(outcome.bracket),
        len(outcome.queries),
        dict(verdicts),
        outcome.nodes,
        outcome.note,
    )
