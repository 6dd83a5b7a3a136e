"""Numbers over the whole range of their type: is any answer wrong?

Random small networks, float32 and float64 files, whose weights and biases are denormal, huge,
cancel at 2^60 or tie exactly, in boxes from 1e-300 to 1e300 wide (tests/wide_networks.py); each is
asked from its file on, for both norms, and every claim is held against the exact rational optimum
of the file's numbers, by an oracle that shares no code with the program (tests/rational_*.py). An
answer is wrong where a proved lower end lies beyond the optimum, where a witness is outside the
box, of another type, nearer or farther than said, or decided otherwise in exact arithmetic, or
where the image's own decision is not the exact one.

  python benchmarks/wide_range.py                       5,000 by the tree, 1,000 by the others
  python benchmarks/wide_range.py --searches tree --networks 200
  python benchmarks/wide_range.py --report              the tables of what is known
  python benchmarks/wide_range.py --report --write benchmarks/PERFORMANCE.md
  python benchmarks/wide_range.py --show tree:17        one question: its answer and the exact one

One row a question in results/wide_range.jsonl; a run that was stopped goes on where it ended. Made
again are rows of another generator and those whose process was killed (it may have been the
machine that slept); --again: those of other sources of the program, too. Exits with 1 where an
answer was wrong, a contradiction was raised or the program broke down.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from _harness import RESULTS, Row, Store, finite, provenance, run

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from _ground_truth_report import write
from _wide_report import failures, report
from wide_judge import Judgement, judged
from wide_networks import WideCase, wide_case

TESTS = Path(__file__).resolve().parents[1] / "tests"

_TEMPORARY = re.compile(r"\S+/net\.onnx")
"""How a message names the file, which lies in a folder of its own at every run."""

NETWORKS = {"tree": 5_000, "descent": 1_000, "bisection": 1_000}
"""How many by each search."""

SECONDS = 3.0
"""For each question."""

ORACLE = (
    "rational_cells",
    "rational_onnx",
    "rational_optimum",
    "wide_drawing",
    "wide_judge",
    "wide_networks",
)


@cache
def generator() -> str:
    """What drew the networks and judged the answers: sha256 of the modules."""
    digest = hashlib.sha256()
    for name in ORACLE:
        digest.update((TESTS / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Asked:
    """The question number ``seed``, put to one search."""

    search: str
    seed: int
    timeout: float = SECONDS

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"{self.search}:{self.seed}"

    def about(self) -> Row:
        """What is known before it runs."""
        return {"search": self.search, "seed": self.seed, "generator": generator()}


def answer(asked: Asked) -> Row:
    """The row of one question."""
    case = wide_case(asked.seed)
    return {**asked.about(), **described(case), **told(judged(case, asked.search, asked.timeout))}


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


def told(judgement: Judgement) -> Row:
    """The judgement, as far as JSON holds it."""
    row: Row = {**asdict(judgement), "wrong": list(judgement.wrong)}
    row["message"] = _TEMPORARY.sub("net.onnx", judgement.message)
    row |= {"lower": finite(judgement.lower), "upper": finite(judgement.upper)}
    return {**row, "none": judgement.lower == float("inf"), "status": judgement.outcome}


def wanted(arguments: argparse.Namespace) -> list[Asked]:
    """Every question to ask, search by search."""
    return [
        Asked(search, seed)
        for search in arguments.searches
        for seed in range(arguments.networks or NETWORKS[search])
    ]


def stale(row: Row, *, again: bool) -> bool:
    """Whether the row is about another network, or tells of a process that was killed, or
    (``again``) was made by other sources than are here."""
    killed = row["status"] == "failed" and row["died"]
    made_elsewhere = row["source"] != provenance()["source"]
    return row.get("generator") != generator() or killed or (again and made_elsewhere)


def show(name: str) -> None:
    """Print one question, its answer and the exact one."""
    search, seed = name.split(":")
    case = wide_case(int(seed))
    for key, value in {**described(case), "label": case.label, "target": case.target}.items():
        print(f"{key:12} {value}")
    print("exact        ", {t: o if o is None else float(o) for t, o in case.optima.items()})
    for key, value in told(judged(case, search, SECONDS)).items():
        print(f"{key:12} {value}")


def main(given: Sequence[str] | None = None) -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--networks", type=int, help="seeds 0 .. N-1 (else 5,000, 1,000 and 1,000)")
    parser.add_argument("--jobs", type=int, default=1, help="questions at a time")
    parser.add_argument("--output", type=Path, default=RESULTS / "wide_range.jsonl")
    parser.add_argument("--again", action="store_true", help="also rows of other sources")
    parser.add_argument("--report", action="store_true", help="only the tables")
    parser.add_argument("--write", type=Path, help="put the tables between their marks")
    parser.add_argument("--show", metavar="SEARCH:SEED", help="one question")
    arguments = parser.parse_args(given)
    if arguments.show:
        show(arguments.show)
        return 0
    store = Store(arguments.output)
    if not arguments.report:
        store.forget(lambda row: stale(row, again=arguments.again))
        questions = wanted(arguments)
        jobs = arguments.jobs
        run(questions, answer, store, jobs=jobs, report=lambda line: print(line, flush=True))
    rows = store.rows()
    text = report(rows)
    print(text)
    if arguments.write is not None:
        write(arguments.write, {"wide-range": text})
    return 1 if failures(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
