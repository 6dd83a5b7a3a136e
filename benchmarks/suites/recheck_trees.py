"""Does recheck accept every tree that the search closes?

Random small networks (dense of every kind of weights, residual, max-pool, leaky, clipped; both
norms, boxes near and far, margins, one target or each) are searched with the trees recorded. Of
every target three things are noted: whether the claim holds for the record as the search left it,
whether it holds for the one that is written (completed, see marapatch/certificates/completion.py),
and what completing took.

  python -m benchmarks.suites.recheck_trees                  300 questions
  python -m benchmarks.suites.recheck_trees --questions 20
  python -m benchmarks.suites.recheck_trees --report         the table of what is known

A run that was stopped goes on where it ended. Exits with 1 where a claim of a closed question did
not hold in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import process_time

import networkx as nx
import numpy as np
from small_networks import KINDS, branching_network

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.markdown import made_by, table
from benchmarks.harness.processes import Numbered
from benchmarks.harness.rows import Row, finite
from marapatch.certificates.check import recheck
from marapatch.certificates.file import TargetClaim
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.certificate import certificate_of
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.network.graph import Network, dense_network
from marapatch.network.layers import Abs, Affine, Clip, Layer, LeakyRelu, MaxPool, Relu, Sum
from marapatch.problem.verdict import Evidence

SECONDS = 6.0
"""Of one search."""

BOXES = ((0.0, 1.0), (-1.0, 2.0), (-5.0, 6.0), (0.0, 1.0))


QUESTIONS = 300
LIMIT = 120.0
"""Seconds for the search, what completes its record, and two rechecks."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One question, drawn from its seed."""

    kind: str
    network: Network
    image: np.ndarray
    box: tuple[float, float]
    norm: str
    each: bool
    options: GroundTruthOptions


def quantised(rng: np.random.Generator, sizes: list[int]) -> Network:
    """Weights and biases in steps of 1/64: bounds meet, ties happen."""
    pairs = list(pairwise(sizes))
    weights = [np.round(rng.normal(size=(b, a)) * np.sqrt(2.0 / a) * 64) / 64 for a, b in pairs]
    return dense_network(weights, [np.round(12.8 * rng.normal(size=b)) / 64 for _, b in pairs])


def mixed(rng: np.random.Generator, inputs: int, outputs: int) -> Network:
    """One to three blocks, each with another activation; some residual."""
    graph = nx.DiGraph()
    graph.add_node("input")

    def add(name: str, layer: Layer, *taken: str) -> str:
        graph.add_node(name, layer=layer, inputs=taken)
        graph.add_edges_from((other, name) for other in taken)
        return name

    def affine(name: str, rows: int, columns: int, taken: str) -> str:
        weight = rng.normal(size=(rows, columns)) * np.sqrt(2.0 / columns)
        return add(name, Affine(weight, 0.2 * rng.normal(size=rows)), taken)

    last, size = "input", inputs
    for k in range(int(rng.integers(1, 4))):
        width = 2 * int(rng.integers(2, 9))
        wide = affine(f"a{k}", width, size, last)
        match str(rng.choice(["relu", "leaky", "pool", "abs", "clip", "residual"])):
            case "pool":
                groups = rng.integers(0, width, (width // 2, int(rng.integers(2, 5))))
                last, size = add(f"p{k}", MaxPool(groups), wide), width // 2
            case "residual":
                back = affine(f"b{k}", size, width, add(f"r{k}", Relu(), wide))
                last = add(f"s{k}", Sum((1.0, 1.0)), last, back)
            case name:
                one: Layer = Relu()
                if name == "leaky":
                    one = LeakyRelu(float(rng.choice([0.01, 0.1, 0.3, -0.2])))
                elif name == "abs":
                    one = Abs()
                elif name == "clip":
                    one = Clip(-0.5, float(rng.choice([0.7, 6.0, np.inf])))
                last, size = add(f"e{k}", one, wide), width
    last = affine("out", outputs, size, last)
    return Network(graph, "input", last, (inputs,), (outputs,), np.dtype(np.float64))


def draw(seed: int) -> Asked:
    """The question number ``seed``."""
    rng = np.random.default_rng((77, seed))
    inputs, outputs = int(rng.choice([1, 2, 3, 4, 6, 10])), int(rng.integers(2, 5))
    width, depth = int(rng.integers(3, 15)), int(rng.integers(1, 4))
    kind = str(rng.choice([*KINDS, "quantised", "quantised", "branching", "mixed", "mixed"]))
    if kind in KINDS:
        sizes = (inputs, *[width] * max(depth, 2), outputs)
        network = dense_network(*KINDS[kind](rng, sizes))
    elif kind == "quantised":
        network = quantised(rng, [inputs, *[width] * depth, outputs])
    elif kind == "branching":
        network = branching_network(rng, inputs, outputs)
    else:
        network = mixed(rng, inputs, outputs)
    image = rng.uniform(0.0, 1.0, inputs)
    options = GroundTruthOptions(
        tolerance=float(rng.choice([1e-3, 1e-4, 1e-5, 1e-6])),
        margin=float(rng.choice([0.0, 0.0, 0.01, 0.1])),
        timeout=SECONDS,
        evidence=Evidence.BOUND,
        record=True,
    )
    return Asked(
        kind,
        network,
        np.round(32.0 * image) / 32.0 if rng.random() < 0.5 else image,
        BOXES[int(rng.integers(len(BOXES)))],
        str(rng.choice(["l1", "linf"])),
        bool(rng.random() < 0.4),
        options,
    )


def examine(case: Numbered) -> Row:
    """One row: what was claimed of every target, and what recheck says of it."""
    asked = draw(case.seed)
    row: Row = {"kind": asked.kind, "norm": asked.norm, "box": list(asked.box)}
    result = ground_truth(
        asked.network,
        asked.image,
        norm=asked.norm,
        box=asked.box,
        each_target=asked.each,
        options=asked.options,
    )
    row |= {"closed": result.closed, "targets": []}
    row["status"] = "closed" if result.closed else "open"
    if result.already:
        return row
    searched, started = result.seconds, process_time()
    certificate = certificate_of(result)
    row |= {"searched": searched, "completing": process_time() - started}
    raw = tuple(TargetClaim(t.target, t.lower, t.trees) for t in result.targets)
    before = recheck(replace(certificate, claims=raw), asked.network)
    started = process_time()
    lower = {t.target: t.lower for t in result.targets}
    whole = tuple(replace(claim, lower=lower[claim.target]) for claim in certificate.claims)
    after = recheck(replace(certificate, claims=whole), asked.network)
    row |= {"rechecking": process_time() - started, "witness": after.witness_held}
    for claim, first, last in zip(raw, before.targets, after.targets, strict=True):
        row["targets"].append(
            {
                "claimed": finite(claim.lower),
                "raw": first.verified,
                "held": last.verified,
                "radius": finite(last.radius),
                "nodes": sum(len(tree) for tree in claim.trees),
                "nodes written": sum(tree.nodes for tree in last.trees),
            }
        )
    return row


def report(rows: Sequence[Row], expected: int) -> str:
    """What was claimed of every target, and what recheck says of it."""
    lines = []
    for name in ("closed", "open"):
        found = [
            each
            for row in rows
            if row.get("closed") is (name == "closed")
            for each in row["targets"]
        ]
        nodes = sum(each["nodes"] for each in found)
        more = sum(each["nodes written"] for each in found) - nodes
        held = sum(each["raw"] for each in found), sum(each["held"] for each in found)
        lines.append((name, len(found), *held, nodes, more))
    header = ("question", "claims", "held as searched", "held as written", "nodes", "nodes added")
    timed = [row for row in rows if "searched" in row]
    spent = {
        name: sum(row[name] for row in timed) for name in ("searched", "completing", "rechecking")
    }
    return (
        f"{table(header, lines)}\n{len(rows)} of {expected} questions; "
        f"{spent['searched']:.0f} s of searching, {spent['completing']:.0f} s of completing and "
        f"{spent['rechecking']:.0f} s of rechecking (the searches by the clock, the others of the "
        f"processor). {made_by(rows)}.\n"
    )


def does_not_hold(row: Row) -> bool:
    """Whether a claim of a closed question does not hold as it is written."""
    return bool(row.get("closed")) and not all(each["held"] for each in row["targets"])


SUITE = Suite(
    "recheck-trees",
    "recorded trees of random small networks: what recheck accepts",
    lambda: [Numbered(seed, LIMIT) for seed in range(QUESTIONS)],
    examine,
    report,
)


def main() -> int:
    """Run and report."""
    parser = parser_of(__doc__)
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="seeds 0 .. N-1")
    options = parser.parse_args()
    cases = [Numbered(seed, LIMIT) for seed in range(options.questions)]
    return main_of(SUITE, options, cases=cases, wrong=does_not_hold)


if __name__ == "__main__":
    exit_with(main)
