"""Numbers over the whole range of their type: is any answer wrong?

Random small networks, float32 and float64 files, whose weights and biases are denormal, huge,
cancel at 2^60 or tie exactly, in boxes from 1e-300 to 1e300 wide (tests/support/builders); each is
asked from its file on, for both norms, and every claim is held against the exact rational optimum
of the file's numbers, by an oracle that shares no code with the program (tests/support/oracles). An
answer is wrong where a proved lower end lies beyond the optimum, where a witness is outside the
box, of another type, nearer or farther than said, or decided otherwise in exact arithmetic, or
where the image's own decision is not the exact one.

  python -m benchmarks.suites.wide_range                   5,000 by the tree, 1,000 by the others
  python -m benchmarks.suites.wide_range --searches tree --networks 200
  python -m benchmarks.suites.wide_range --report          the tables of what is known
  python -m benchmarks.suites.wide_range --show tree:17    one question, answered and exact

A run that was stopped goes on where it ended. Made again are rows of another generator and those
whose process was killed; with --other-sources: those of other sources of the program, too. Exits
with 1 where an answer was wrong, a contradiction was raised or the program broke down.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

from wide_judge import Judgement, judged
from wide_networks import WideCase, wide_case

from benchmarks import SUPPORT
from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.rows import Row, finite, provenance
from benchmarks.reports.wide_range import is_failure, report

_TEMPORARY = re.compile(r"\S+/net\.onnx")
"""How a message names the file, which lies in a folder of its own at every run."""

NETWORKS = {"tree": 5_000, "descent": 1_000, "bisection": 1_000}
"""How many by each search."""

SECONDS = 3.0
"""For each question."""

ORACLE = (
    "oracles/rational_cells.py",
    "oracles/rational_onnx.py",
    "oracles/rational_optimum.py",
    "builders/wide_drawing.py",
    "oracles/wide_judge.py",
    "builders/wide_kinds.py",
    "builders/wide_networks.py",
)
"""What draws the networks and judges the answers, below tests/support."""


@cache
def generator() -> str:
    """What drew the networks and judged the answers: sha256 of what those modules compute.

    That is of the syntax trees of their functions, classes and constants, without docstrings and
    imports and in no order: they may stand elsewhere tomorrow.
    """
    parts: list[str] = []
    for name in ORACLE:
        tree = ast.parse((SUPPORT / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [part for part in body if not _says_nothing(part)]  # type: ignore[attr-defined]
        parts += map(ast.dump, tree.body)
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def _says_nothing(part: ast.stmt) -> bool:
    text = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    return text or isinstance(part, ast.Import | ast.ImportFrom)


@dataclass(frozen=True)
class Asked:
    """The question number ``seed``, put to one search."""

    search: str
    seed: int
    timeout: float = SECONDS

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return f"{self.search}:{self.seed}"

    def about(self) -> Row:
        """What is known before it runs."""
        return {"search": self.search, "seed": self.seed, "generator": generator()}


def answer(asked: Asked) -> Row:
    """The row of one question."""
    case = wide_case(asked.seed)
    return {
        **asked.about(),
        **described(case),
        **outcome(judged(case, asked.search, asked.timeout)),
    }


def described(case: WideCase) -> Row:
    """The question and its exact answer, as far as JSON holds them."""
    exact = case.exact
    return {
        "kind": case.kind,
        "box": case.place.name,
        "type": "float32" if exact.network.single else "float64",
        "norm": exact.norm,
        "inputs": exact.network.inputs,
        "sha256": hashlib.sha256(case.content).hexdigest()[:16],
        "distance": None if case.nearest is None else float(case.nearest),
        "tolerance": case.tolerance,
    }


def outcome(judgement: Judgement) -> Row:
    """The judgement, as far as JSON holds it."""
    row: Row = {**asdict(judgement), "wrong": list(judgement.wrong)}
    row["message"] = _TEMPORARY.sub("net.onnx", judgement.message)
    row |= {"lower": finite(judgement.lower), "upper": finite(judgement.upper)}
    return {**row, "none": judgement.lower == float("inf"), "status": judgement.outcome}


def questions(searches: Sequence[str], networks: int | None) -> list[Asked]:
    """Every question to ask, search by search."""
    return [
        Asked(search, seed) for search in searches for seed in range(networks or NETWORKS[search])
    ]


def fresh(row: Row) -> bool:
    """Whether the row is about the network that is drawn today, and not of a process that was
    killed (it may have been the machine that slept)."""
    killed = row["status"] == "failed" and row["died"]
    return row.get("generator") == generator() and not killed


def show(name: str) -> None:
    """Print one question, its answer and the exact one."""
    search, seed = name.split(":")
    case = wide_case(int(seed))
    for key, value in {**described(case), "label": case.label, "target": case.target}.items():
        print(f"{key:12} {value}")
    print("exact        ", {t: o if o is None else float(o) for t, o in case.optima.items()})
    for key, value in outcome(judged(case, search, SECONDS)).items():
        print(f"{key:12} {value}")


SUITE = Suite(
    "wide-range",
    "numbers over the whole range of their type, against exact rational optima",
    lambda: questions(list(NETWORKS), None),
    answer,
    report,
    fresh=fresh,
    open_ended=True,
)


def main() -> int:
    """Run and report."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--searches", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    add("--networks", type=int, help="seeds 0 .. N-1 (else 5,000, 1,000 and 1,000)")
    add("--other-sources", action="store_true", help="again what other sources answered")
    add("--show", metavar="SEARCH:SEED", help="one question")
    options = parser.parse_args()
    if options.show:
        show(options.show)
        return 0
    suite = SUITE
    if options.other_sources:
        here = provenance()["source"]
        suite = replace(SUITE, fresh=lambda row: fresh(row) and row["source"] == here)
    cases = questions(options.searches, options.networks)
    return main_of(suite, options, cases=cases, wrong=is_failure)


if __name__ == "__main__":
    exit_with(main)
