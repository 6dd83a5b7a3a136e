"""How near are the brackets, and how fast? The ground-truth benchmarks.

Each suite is a list of instances. Each instance becomes one row of results/SUITE.jsonl; timeouts
and failures are rows. A suite that was stopped goes on where it ended, in the same command. An
instance has one thread, in a process that is replaced where it dies.

  python benchmarks/ground_truth.py --list
  python benchmarks/ground_truth.py --suite table1
  python benchmarks/ground_truth.py --suite table1 --limit 4 --timeout 5    a first look
  python benchmarks/ground_truth.py --suite seed360 --jobs 2
  python benchmarks/ground_truth.py --report                   the tables of every suite
  python benchmarks/ground_truth.py --report --write benchmarks/PERFORMANCE.md
  python benchmarks/ground_truth.py --plots                    the pictures beside them
  python benchmarks/ground_truth.py --check                    rows that look wrong

The suites acas and scale need MARAPATCH_DATA, or first: marapatch fetch acasxu mnist_fc mnist_nets
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from time import monotonic

import numpy as np
from _ground_truth_plots import PLOTS, draw, pictures
from _ground_truth_report import SUITES_REPORTED, check, report, write
from _ground_truth_suites import METHODS, SUITES, Goal, Instance, subject, unstable
from _harness import RESULTS, Row, Store, finite, processor_seconds, run
from _peers import PEER_SUITES, compared
from numpy.typing import NDArray

from marapatch.errors import MarapatchError
from marapatch.groundtruth.api import GroundTruth, Progress, ground_truth
from marapatch.groundtruth.report import status
from marapatch.network.graph import Network
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.witnesses.attacks import CarliniWagner, Distance, Objective, Problem

__all__ = ["Goal", "attack_distance", "target_of"]

Array = NDArray[np.float64]


def work(instance: Instance) -> Row:
    """The row of an instance of any suite."""
    return compared(instance) if instance.suite in PEER_SUITES else measure(instance)


def measure(instance: Instance) -> Row:
    """Attack, then find the bracket; the row of ``instance``."""
    about = subject(instance.network)
    network, rule = about.network, about.rule
    ball = about.ball(instance.image, instance.norm)
    x = ball.centre
    outputs = network.evaluate(x)[0]
    label = rule.decide(outputs)
    target = target_of(instance.target, network, ball, outputs, label, rule)
    attack, attack_seconds = attack_distance(network, ball, rule, label, target)
    first: list[float] = []

    def progress(now: Progress) -> None:
        if not first:
            first.append(now.upper)

    options = replace(METHODS[instance.method], timeout=instance.timeout)
    before = processor_seconds()
    result = ground_truth(
        network,
        x,
        norm=instance.norm,
        target=target,
        box=about.box,
        decision=rule,
        options=options,
        progress=progress,
    )
    row = instance.about()
    source = network.source
    return {
        **row,
        "target": target,
        "label": label,
        "sha256": None if source is None else source.sha256,
        "attack": finite(attack),
        "attack_seconds": attack_seconds,
        "unstable": unstable(network, ball, result.upper),
        "first_upper": finite(first[0]) if first else None,
        **_answer(result),
        "cpu": processor_seconds() - before,
        "options": {
            field.name: getattr(value, "value", value)
            for field in fields(options)
            for value in (getattr(options, field.name),)
        },
    }


def _answer(result: GroundTruth) -> Row:
    """What came out; ``first_upper`` beside it is the first witness, attacked and polished."""
    nearest = min(result.targets, key=lambda t: t.upper)
    witness = nearest.witness
    return {
        "status": status(result),
        "closed": result.closed,
        "lower": finite(result.lower),
        "upper": finite(result.upper),
        "evidence": result.evidence.value,
        "seconds": result.seconds,
        "queries": len(result.queries),
        "verdicts": dict(Counter(f"{q.backend}: {q.verdict}" for q in result.queries)),
        "nodes": sum(t.nodes for t in result.targets),
        "nearest": nearest.target,
        "witness_margin": None if witness is None else witness.margin,
        "witness_confirmed": None if witness is None else witness.confirmed,
        "note": "; ".join(dict.fromkeys(t.note for t in result.targets if t.note)),
    }


def target_of(
    goal: int | Goal, network: Network, ball: Ball, outputs: Array, label: int, rule: Rule
) -> int | None:
    """The class that ``goal`` means for this input; None for every other class."""
    others = [k for k in range(network.outputs) if k != label]
    match goal:
        case int():
            return goal
        case Goal.ANY:
            return None
        case Goal.RUNNER_UP:
            return max(others, key=lambda k: rule.sign * outputs[k])
        case Goal.NEAREST:
            objective = Objective.towards(others, argmin=rule is Rule.ARGMIN)
            form, dtype = network.standard_form, network.input_dtype
            problem = Problem.of_ball(form, ball, objective, dtype)
            return others[int(CarliniWagner().run(problem).distances.argmin())]


def attack_distance(
    network: Network, ball: Ball, rule: Rule, label: int, target: int | None
) -> tuple[float, float]:
    """The distance that Carlini and Wagner's attack finds for the norm, and its seconds."""
    argmin = rule is Rule.ARGMIN
    objective = (
        Objective.away_from([label], argmin=argmin)
        if target is None
        else Objective.towards([target], argmin=argmin)
    )
    problem = Problem.of_ball(network.standard_form, ball, objective, network.input_dtype)
    assert problem.distance is Distance.of(ball.norm)
    started = monotonic()
    result = CarliniWagner().run(problem)
    return float(result.distances[0]), monotonic() - started


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--list", action="store_true", help="say what the suites are and how much is done")
    add("--suite", action="append", choices=list(SUITES), help="which suite; may be repeated")
    add("--jobs", type=int, default=1, help="instances at a time, one thread each (default 1)")
    add("--limit", type=int, help="only the first so many instances of the suite")
    add("--timeout", type=float, help="other seconds an instance; such rows have their own keys")
    add("--again", action="store_true", help="forget failed rows first, so that they run again")
    add("--results", type=Path, default=RESULTS, help="folder of the rows (default: %(default)s)")
    add("--report", action="store_true", help="print the tables in markdown; runs nothing")
    add("--write", type=Path, help="with --report: put the tables between their marks in a file")
    add("--plots", action="store_true", help=f"draw the rows in {PLOTS}; runs nothing")
    add("--check", action="store_true", help="print rows that look wrong; exit 1 if there are any")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    for suite in arguments.suite:
        cases = _cases(suite, arguments.timeout)[: arguments.limit]
        store = Store(arguments.results / f"{suite}.jsonl")
        if arguments.again:
            store.forget(lambda row: row["status"] == "failed")
        run(cases, work, store, jobs=arguments.jobs, report=_say)
    return 0


def _cases(suite: str, timeout: float | None) -> list[Instance]:
    """The instances of a suite, with their own seconds or other ones."""
    cases = list(SUITES[suite][1](suite))
    return cases if timeout is None else [replace(case, timeout=timeout) for case in cases]


def _rows(arguments: argparse.Namespace, suite: str) -> list[Row]:
    """What is known of the suite; a run with other seconds left rows that are not of it."""
    keys = {case.key for case in _cases(suite, arguments.timeout)}
    rows = Store(arguments.results / f"{suite}.jsonl").rows()
    return [row for row in rows if row["key"] in keys]


def _say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments say; the exit code."""
    parser = _arguments()
    arguments = parser.parse_args(argv)
    rows = {suite: _rows(arguments, suite) for suite in SUITES}
    if arguments.list:
        for suite, (about, cases) in SUITES.items():
            done = {row["key"] for row in rows[suite]}
            keys = [case.key for case in cases(suite)]
            print(f"{suite:10} {sum(key in done for key in keys):3} of {len(keys):3} done: {about}")
        return 0
    if arguments.check:
        problems = [line for suite in arguments.suite or SUITES for line in check(rows[suite])]
        print("\n".join(problems) or "nothing looks wrong")
        return 1 if problems else 0
    if arguments.plots:
        for path in draw(rows):
            _say(str(path))
        return 0
    if arguments.report:
        sizes = {suite: len(list(cases(suite))) for suite, (_, cases) in SUITES.items()}
        texts = {
            suite: report(suite, rows, sizes.get(suite, 0)) + pictures(suite)
            for suite in arguments.suite or SUITES_REPORTED
        }
        if arguments.write is not None:
            write(arguments.write, texts)
        else:
            print("\n".join(f"### {suite}\n\n{text}" for suite, text in texts.items()))
        return 0
    if not arguments.suite:
        parser.error("say which --suite to run, or --list, --report, --plots or --check")
    return _run(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MarapatchError as problem:
        sys.exit(f"ground_truth.py: {problem}")
