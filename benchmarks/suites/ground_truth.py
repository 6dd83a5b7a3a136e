"""How near are the brackets, and how fast? The ground-truth benchmarks.

Each suite is a list of instances. Each instance becomes one row; timeouts and failures are rows. A
suite that was stopped goes on where it ended, in the same command. An instance has one thread, in a
process that is replaced where it dies.

  python -m benchmarks.suites.ground_truth --list
  python -m benchmarks.suites.ground_truth --suite table1
  python -m benchmarks.suites.ground_truth --suite table1 --limit 4 --timeout 5    a first look
  python -m benchmarks.suites.ground_truth --suite seed360 --jobs 2
  python -m benchmarks.suites.ground_truth --report            the tables of every suite
  python -m benchmarks.suites.ground_truth --report --write    put them on their page
  python -m benchmarks.suites.ground_truth --plots             the pictures beside them
  python -m benchmarks.suites.ground_truth --check             rows that look wrong

The suites acas and scale need MARAPATCH_DATA, or first: marapatch fetch acasxu mnist_fc mnist_nets
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial

from benchmarks.harness.command import (
    Suite,
    Suites,
    exit_with,
    main_of_several,
    parser_of_several,
    say,
)
from benchmarks.harness.rows import Row, finite, processor_seconds
from benchmarks.harness.subjects import subject, unstable
from benchmarks.harness.targets import attack_distance, target_of
from benchmarks.reports.ground_truth import check, report
from benchmarks.reports.ground_truth_plots import PLOTS, draw, pictures
from benchmarks.suites.ground_truth_instances import METHODS, Instance
from benchmarks.suites.ground_truth_instances import SUITES as INSTANCES
from benchmarks.suites.ground_truth_peers import PEER_SUITES, compared
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.report import status
from marapatch.groundtruth.result import GroundTruth, Progress


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


def _suite(name: str) -> Suite:
    about, cases = INSTANCES[name]
    return Suite(name, about, partial(cases, name), work, partial(_report, name))


def _report(name: str, rows: Sequence[Row], expected: int) -> str:
    """The tables of a suite, with its pictures; see :data:`BESIDE`."""
    others = {other: SUITES[other].known()[0] for other in BESIDE.get(name, ())}
    return report(name, {**others, name: rows}, expected) + pictures(name)


BESIDE = {"published": ("table1",), "seed600": ("seed360",)}
"""Suites whose rows are shown in the tables of another."""

SUITES: Suites = {name: _suite(name) for name in INSTANCES}


def main() -> int:
    """Run what the arguments say; the exit code."""
    parser = parser_of_several(__doc__, SUITES)
    add = parser.add_argument
    add("--plots", action="store_true", help=f"draw the rows in {PLOTS}; runs nothing")
    add("--check", action="store_true", help="print rows that look wrong; exit 1 if there are any")
    options = parser.parse_args()
    chosen = options.suite or [*SUITES]
    if options.check:
        rows = [row for name in chosen for row in SUITES[name].known(options.results)[0]]
        problems = check(rows)
        print("\n".join(problems) or "nothing looks wrong")
        return 1 if problems else 0
    if options.plots:
        for path in draw({name: SUITES[name].known(options.results)[0] for name in chosen}):
            say(str(path))
        return 0
    return main_of_several(SUITES, options)


if __name__ == "__main__":
    exit_with(main)
