"""How small are the least patches, and how fast are they found? The patch benchmarks.

Each suite is a list of instances; each instance becomes one row of results/patches-SUITE.jsonl,
timeouts and failures too. A suite that was stopped goes on where it ended, in the same command.

  python benchmarks/patches.py --list
  python benchmarks/patches.py --suite acas        Goldberger et al., ACAS Xu N_2,9, last layer
  python benchmarks/patches.py --suite watermark   Goldberger et al., watermark removal
  python benchmarks/patches.py --suite layers      the setting of AIGENT's Table III, every layer
  python benchmarks/patches.py --suite engines     one variable a neuron against one a weight
  python benchmarks/patches.py --suite marks       what marking saves
  python benchmarks/patches.py --suite mnist       repair of misclassified test images
  python benchmarks/patches.py --report --write benchmarks/PERFORMANCE.md

The data are found through MARAPATCH_DATA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from math import inf
from pathlib import Path
from time import monotonic

import numpy as np
from _ground_truth_report import write
from _harness import RESULTS, Row, Store, finite, processor_seconds, run
from _patch_report import report
from numpy.typing import NDArray

from marapatch.bounds.interval import interval_bounds
from marapatch.data.bundled import resolve
from marapatch.data.fetch import locate
from marapatch.errors import MarapatchError
from marapatch.network.cut import tail
from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.patching.api import (
    check_goals,
    check_inputs,
    find_layer,
    minimal_patch,
)
from marapatch.patching.changes import changes, sources
from marapatch.patching.formulation import by_neuron, by_weight
from marapatch.patching.goals import Goal, combinations, linear
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.report import drawdown, status
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.ball import Norm
from marapatch.problem.conditions import Rule
from marapatch.problem.question import Question
from marapatch.query.lowering import lower
from marapatch.solvers import create
from marapatch.solvers.base import Candidate, Infeasible, Undecided

Array = NDArray[np.float64]

AIGENT_POINT = (0.6399288845, 0.0, 0.0, 0.475, -0.475)
MARABOU_TOLERANCE = 3e-3
"""What Marabou's answers support on their own: an ``unsat`` at r counts for r (1 - 1e-3)."""
METHODS: Mapping[str, PatchOptions] = {
    "auto": PatchOptions(),
    "unmarked": PatchOptions(marks=False),
    "neurons": PatchOptions(engine="neurons"),
    "weights": PatchOptions(engine="weights"),
    "weights-unmarked": PatchOptions(engine="weights", marks=False),
    "marabou": PatchOptions(search="bisection", tolerance=MARABOU_TOLERANCE),
}
ASKED = 0.5
"""The radius of the query asked of Marabou by neuron and by weight, as a share of what is proved:
it is unsat, in both forms."""


@dataclass(frozen=True)
class Instance:
    """One patch: ``about`` names the inputs and goals within the suite."""

    suite: str
    network: str
    rows: tuple[int, ...]
    goal: str
    layer: int
    norm: str
    margin: float
    decision: str
    method: str
    timeout: float

    @property
    def key(self) -> str:
        rows = ",".join(map(str, self.rows)) if len(self.rows) < 6 else f"{len(self.rows)} rows"
        return (
            f"{self.network} {rows} {self.goal} layer={self.layer} {self.norm} "
            f"margin={self.margin:g} {self.method} {self.timeout:g}s"
        )

    def about(self) -> Row:
        return asdict(self)


@cache
def network_of(name: str) -> Network:
    return load(resolve(name, "network") if name.startswith("example:") else locate(name))


@cache
def inputs_of(suite: str, network: str) -> Array:
    if "acasxu" in network:
        rows = np.loadtxt(locate("goldberger/acas_2_9/inputs.csv"), delimiter=",")
        return np.vstack([rows, AIGENT_POINT])
    if suite == "mnist":
        return digits()[0]
    with np.load(locate("reassure/watermark_set.npz")) as arrays:
        return np.asarray(arrays["images"].reshape(100, 784))


@cache
def digits() -> tuple[Array, NDArray[np.int64]]:
    with np.load(locate("mnist/mnist_test.npz")) as arrays:
        images = arrays["images"].reshape(-1, 784).astype(np.float64)
        return images / 255.0, arrays["labels"].astype(np.int64)


def goals_of(case: Instance, network: Network, inputs: Array) -> list[Goal | str]:
    """``second``: the second best class leads all; ``published``: it leads the best one, and no
    more is asked; ``label``: what the image shows; else what the goal says, for every input."""
    if case.goal == "label":
        return [str(digits()[1][row]) for row in case.rows]
    if case.goal not in ("second", "published"):
        return [case.goal]
    goals: list[Goal | str] = []
    for y in network.evaluate(inputs):
        first, second = np.argsort(-y)[:2]
        if case.goal == "second":
            goals.append(str(second))
            continue
        matrix = np.zeros((1, y.size))
        matrix[0, second], matrix[0, first] = 1.0, -1.0
        goals.append(linear(matrix, [case.margin], y.size))
    return goals


def work(case: Instance) -> Row:
    """The row of one instance."""
    before = processor_seconds()
    row = engines_row(case) if case.method == "both" else patch_row(case)
    return {**asdict(case), **row, "cpu": processor_seconds() - before}


def patch_of(case: Instance, method: str) -> Patch:
    network, inputs = network_of(case.network), inputs_of(case.suite, case.network)
    inputs = inputs[list(case.rows)]
    return minimal_patch(
        network,
        inputs,
        goals_of(case, network, inputs),
        layer=case.layer,
        norm=case.norm,
        margin=case.margin,
        decision=case.decision,
        options=replace(METHODS[method], timeout=case.timeout),
    )


def patch_row(case: Instance) -> Row:
    """Find the patch, and what it does to other inputs where the suite has any."""
    patch = patch_of(case, case.method)
    row: Row = {
        "status": status(patch),
        "lower": finite(patch.lower),
        "upper": finite(patch.upper),
        "evidence": patch.evidence.value,
        "engine": patch.engine,
        "changed": patch.changed_weights,
        "l1": finite(patch.size_l1),
        "linf": finite(patch.size_linf),
        "confirmed": patch.confirmed,
        "queries": len(patch.queries),
        "variables": max((q.variables for q in patch.queries), default=0),
        "relus": max((q.relus for q in patch.queries), default=0),
        "nodes": patch.nodes,
        "seconds": patch.seconds,
        "note": patch.note,
    }
    if case.suite in ("watermark", "mnist") and patch.delta is not None and patch.upper > 0.0:
        images, labels = digits()
        scale = 255.0 if case.suite == "watermark" else 1.0
        effect = drawdown(patch.network, patch.apply(), scale * images, labels, Rule.ARGMAX)
        row |= {"before": effect.before, "after": effect.after, "decisions": effect.changed}
    if case.suite == "marks":
        question = formulated(case, "weights", marks=METHODS[case.method].marks)
        room = question.ball.upper - question.ball.lower
        row |= {
            "numbers": int(room.size),
            "fixed": int((room == 0.0).sum()),
            "halved": int(((question.ball.lower == 0.0) ^ (question.ball.upper == 0.0)).sum()),
        }
        if patch.upper < inf:
            row |= asdict(asked(question, patch.upper, 0.0))
    return row


def formulated(case: Instance, by: str, *, marks: bool = True) -> Question:
    """The question of an instance whose goals leave no choice, ``by`` neurons or weights."""
    network, rule = network_of(case.network), Rule(case.decision)
    given = check_inputs(network, inputs_of(case.suite, case.network)[list(case.rows)])
    goals = check_goals(
        goals_of(case, network, given.astype(np.float64)), len(given), network, rule, case.margin
    )
    what = changes(network, find_layer(network, case.layer))
    verifier = PatchVerifier(network, what, given, goals, Norm(case.norm))
    (clauses,) = combinations(goals)
    formulate = by_neuron if by == "neurons" else by_weight
    entering = sources(network, what.layer, given.astype(np.float64))
    return formulate(verifier, entering, tail(network, case.layer), clauses, marks=marks).question


@dataclass(frozen=True)
class Asked:
    """One query without linear bounds: its size, and what Marabou said if it was asked."""

    query_variables: int
    query_equations: int
    query_inequalities: int
    query_relus: int
    answer: str
    answer_seconds: float


def asked(question: Question, radius: float, seconds: float) -> Asked:
    """The query within ``radius``, put to Marabou where ``seconds`` is above 0."""
    ball = question.ball.with_radius(radius)
    bounds = interval_bounds(question.form, ball)
    lowered = lower(question.form, bounds, ball, question.condition)
    query, relus = lowered.query, lowered.relus
    equations = sum(row.sense == "=" for row in query.rows)
    size = (len(query.names), equations, len(query.rows) - equations, relus)
    if seconds <= 0.0:
        return Asked(*size, "", 0.0)
    backend = create("marabou")
    started = monotonic()
    try:
        match backend.solve(query, seconds):
            case Infeasible():
                answer = "unsat"
            case Candidate():
                answer = "sat"
            case Undecided(reason=reason):
                answer = f"unknown: {reason}"
    finally:
        backend.close()
    return Asked(*size, answer, monotonic() - started)


def engines_row(case: Instance) -> Row:
    """The same question by neuron and by weight: both searches, and one query to Marabou."""
    row: Row = {}
    found = {by: patch_of(case, by) for by in ("neurons", "weights")}
    known = max(patch.lower for patch in found.values())
    for by, patch in found.items():
        row[by] = {
            "status": status(patch),
            "lower": finite(patch.lower),
            "upper": finite(patch.upper),
            "nodes": patch.nodes,
            "seconds": patch.seconds,
            "note": patch.note,
            **asdict(asked(formulated(case, by), ASKED * known, case.timeout)),
        }
    states = {patch.closed for patch in found.values()}
    row["status"] = "closed" if states == {True} else "open"
    row["radius"] = finite(ASKED * known)
    row["seconds"] = sum(patch.seconds for patch in found.values())
    return row


def acas_name(name: str) -> str:
    return f"acasxu/onnx/ACASXU_run2a_{name}_batch_2000.onnx"


def acas() -> Iterable[Instance]:
    """The published last-layer experiments on N_2,9."""
    name, layer = acas_name("2_9"), 6
    for method in ("auto", "marabou"):
        for count in range(1, 6):
            rows = tuple(range(count))
            for goal in ("0&1", "0|1"):
                yield Instance("acas", name, rows, goal, layer, "l1", 1e-3, "argmin", method, 120.0)
            yield Instance("acas", name, rows, "0&1", layer, "linf", 1e-2, "argmin", method, 120.0)


def watermark() -> Iterable[Instance]:
    """100 single watermarks in both norms, 50 subsets of 2 to 5 in L-infinity."""
    name = "reassure/watermark_model.onnx"
    for norm in ("linf", "l1"):
        for i in range(100):
            yield Instance("watermark", name, (i,), "second", 1, norm, 0.0, "argmax", "auto", 60.0)
    with np.load(locate("goldberger/watermark/arrays.npz")) as arrays:
        for count in range(2, 6):
            for subset in arrays[f"random_samples_{count}"][:50]:
                rows = tuple(int(i) for i in subset)
                yield Instance(
                    "watermark", name, rows, "published", 1, "linf", 0.0, "argmax", "auto", 60.0
                )


def layers() -> Iterable[Instance]:
    """Every layer of the four networks, both norms."""
    for network, row in (("1_2", 8), ("1_6", 8), ("3_8", 8), ("2_9", 0)):
        for norm in ("l1", "linf"):
            for layer in range(6, -1, -1):
                yield Instance(
                    "layers", acas_name(network), (row,), "0", layer, norm, 1e-4, "argmax",
                    "auto", 60.0,
                )  # fmt: skip


def engines() -> Iterable[Instance]:
    """The same question by neuron and by weight."""
    for layer in range(6, -1, -1):
        for norm in ("linf", "l1"):
            yield Instance(
                "engines", acas_name("2_9"), (0,), "0", layer, norm, 1e-4, "argmax", "both", 30.0
            )


def marks() -> Iterable[Instance]:
    """By weight, with marks and without."""
    acas, watermark = acas_name("2_9"), "reassure/watermark_model.onnx"
    cases = [
        (acas, (0, 1, 2, 3), "0&1", 6, "argmin", 1e-2),
        (acas, (0,), "0", 6, "argmax", 1e-4),
        (acas, (0,), "0", 5, "argmax", 1e-4),
        (acas, (0,), "0", 4, "argmax", 1e-4),
        (acas, (0,), "0", 0, "argmax", 1e-4),
        (watermark, (0,), "second", 1, "argmax", 0.0),
        (watermark, tuple(range(10)), "second", 1, "argmax", 0.0),
        (watermark, tuple(range(50)), "second", 1, "argmax", 0.0),
    ]
    for network, rows, goal, layer, decision, margin in cases:
        for norm in ("linf", "l1"):
            for method in ("weights", "weights-unmarked"):
                yield Instance(
                    "marks", network, rows, goal, layer, norm, margin, decision, method, 30.0
                )


def mnist() -> Iterable[Instance]:
    """The first misclassified test images, repaired together in the last and an inner layer."""
    images, labels = digits()
    for name in ("example:mnist_3x24", "mnist_fc/onnx/mnist-net_256x2.onnx"):
        network = network_of(name)
        wrong = np.flatnonzero(network.evaluate(images).argmax(axis=1) != labels)
        last = len(network.affine_layers) - 1
        for count in (1, 10, 50):
            rows = tuple(int(i) for i in wrong[:count])
            for layer in (last, last - 1):
                for norm in ("linf", "l1"):
                    yield Instance(
                        "mnist", name, rows, "label", layer, norm, 1e-3, "argmax", "auto", 60.0
                    )


SUITES: Mapping[str, Callable[[], Iterable[Instance]]] = {
    "acas": acas,
    "watermark": watermark,
    "layers": layers,
    "engines": engines,
    "marks": marks,
    "mnist": mnist,
}


def store_of(suite: str) -> Store:
    return Store(RESULTS / f"patches-{suite}.jsonl")


def main() -> int:
    """Run the suite asked for, or print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--suite", action="append", choices=[*SUITES], help="run this suite; may be repeated")
    add("--list", action="store_true", help="list the suites and how much of each is done")
    add("--limit", type=int, help="only the first so many instances")
    add("--jobs", type=int, default=1, help="instances at a time, one thread each (default 1)")
    add("--again", action="store_true", help="forget failed rows first, so that they run again")
    add("--report", action="store_true", help="print the tables; runs nothing")
    add("--write", type=Path, help="with --report: put the tables between their marks in a file")
    options = parser.parse_args()
    chosen = options.suite or [*SUITES]
    if options.list or options.report:
        keys = {suite: [case.key for case in SUITES[suite]()] for suite in chosen}
        rows = {suite: {row["key"]: row for row in store_of(suite).rows()} for suite in chosen}
        here = {s: [rows[s][key] for key in keys[s] if key in rows[s]] for s in chosen}
    if options.list:
        for suite in chosen:
            print(f"{suite}: {len(here[suite])} of {len(keys[suite])} instances done")
        return 0
    if options.report:
        texts = {
            f"patches-{suite}": report(suite, here[suite], len(keys[suite])) for suite in chosen
        }
        if options.write is not None:
            write(options.write, texts)
        else:
            print("\n".join(f"### {name}\n\n{text}" for name, text in texts.items()))
        return 0
    if not options.suite:
        parser.error("say which --suite to run, or --list or --report")
    for suite in options.suite:
        cases = list(SUITES[suite]())[: options.limit]
        if options.again:
            store_of(suite).forget(lambda row: row["status"] == "failed")
        run(cases, work, store_of(suite), jobs=options.jobs, report=_say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MarapatchError as problem:
        sys.exit(f"patches.py: {problem}")
