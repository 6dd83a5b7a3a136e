"""VNN-COMP properties: ACAS Xu (186) and mnist_fc (24), beside plain maraboupy with its defaults.

  python -m benchmarks.suites.verify --set acasxu
  python -m benchmarks.suites.verify --set acasxu --engine maraboupy --sample 20
  python -m benchmarks.suites.verify --report        solved, wrong, median and PAR-2

Instances run in a process that is replaced where it dies, one thread. Seconds are of the wall
clock, with the processor's seconds beside them (a shared machine shows in the difference).
Verdicts to compare with: those of the competition where two tools or more agree, from the data
folder. Every ``sat`` of marapatch was replayed on the network and by onnxruntime.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.harness.command import Suite, exit_with, main_of, parser_of
from benchmarks.harness.rows import Row, processor_seconds
from benchmarks.reports.verify import report
from marapatch.data.fetch import locate
from marapatch.formats.vnnlib.reader import read_property
from marapatch.network.load import load
from marapatch.problem.verdict import Sat, Unknown, Unsat
from marapatch.solvers.marabou.backend import MarabouBackend
from marapatch.verification.api import verify

LISTS = {"acasxu": "acasxu/acasxu_instances.csv", "mnist_fc": "mnist_fc/mnistfc_instances.csv"}
ENGINES = ("marapatch", "maraboupy")
PLAIN = Path(__file__).resolve().parents[1] / "peers" / "plain_verify.py"
SECONDS = 60.0


@dataclass(frozen=True)
class Instance:
    """A property of a network, put to one engine; both are names of files of the set's folder."""

    engine: str
    set: str
    network: str
    specification: str
    timeout: float

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return f"{self.engine}/{self.network}/{self.specification}/{self.timeout:g}s"

    def about(self) -> Row:
        """What is known before it runs."""
        return {
            "engine": self.engine,
            "set": self.set,
            "network": self.network,
            "property": self.specification,
            "timeout": self.timeout,
            "known": known().get((self.network, self.specification), "unknown"),
        }

    @property
    def paths(self) -> tuple[Path, Path]:
        """The files; InputError where they are not in the data folder."""
        folder = LISTS[self.set].partition("/")[0]
        return locate(f"{folder}/onnx/{self.network}"), locate(
            f"{folder}/vnnlib/{self.specification}"
        )


def instances(name: str, engine: str, timeout: float) -> Iterator[Instance]:
    """The instances of a set whose files are here."""
    for network, specification, _ in csv.reader(locate(LISTS[name]).read_text().splitlines()):
        one = Instance(engine, name, Path(network).name, Path(specification).name, timeout)
        try:
            found = one.paths
        except ValueError:
            continue
        if all(path.exists() for path in found):
            yield one


@cache
def known() -> dict[tuple[str, str], str]:
    """The competition's verdicts."""
    rows = csv.DictReader(locate("reference/vnncomp_verdicts.csv").read_text().splitlines())
    return {(row["onnx"], row["vnnlib"]): row["verdict"] for row in rows}


@cache
def _backend() -> MarabouBackend:
    """One a process; it ends with it."""
    return MarabouBackend()


def work(case: Instance) -> Row:
    """The row of one instance."""
    started, used = time.monotonic(), processor_seconds()
    network, specification = case.paths
    found = (ours if case.engine == "marapatch" else plain)(network, specification, case.timeout)
    return {
        **case.about(),
        **found,
        "status": found["verdict"],
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(processor_seconds() - used, 3),
    }


def ours(network: Path, specification: Path, timeout: float) -> Row:
    """marapatch's answer, reading the files included."""
    result = verify(load(network), read_property(specification), _backend(), timeout)
    match result.verdict:
        case Sat(witness=witness):
            detail: Row = {"margin": witness.margin, "confirmed": witness.confirmed}
        case Unsat(evidence=evidence):
            detail = {"evidence": evidence.value}
        case Unknown(reason=reason):
            detail = {"reason": reason}
    return {"verdict": result.status, "nodes": result.nodes, **detail}


def plain(network: Path, specification: Path, timeout: float) -> Row:
    """maraboupy's answer in a process of its own, killed two seconds after its time."""
    command = [sys.executable, "-W", "ignore", str(PLAIN), str(network), str(specification)]
    try:
        text = subprocess.run(
            [*command, str(timeout)],
            capture_output=True,
            text=True,
            timeout=timeout + 2,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        return {"verdict": "timeout"}
    words = [line.split()[1].lower() for line in text.splitlines() if line.startswith("verdict ")]
    return {"verdict": words[0] if words else "error"}


SUITE = Suite(
    "verify",
    "VNN-LIB properties of ACAS Xu and mnist_fc, beside plain maraboupy",
    lambda: [case for name in LISTS for case in instances(name, "marapatch", SECONDS)],
    work,
    report,
    open_ended=True,
)


def main() -> int:
    """Run what is missing, and print the tables."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--set", choices=tuple(LISTS), default="acasxu")
    add("--engine", choices=ENGINES, default="marapatch")
    add("--timeout", type=float, default=SECONDS)
    add("--sample", type=int, help="every so many instances only, that many")
    options = parser.parse_args()
    cases: list[Instance] = []
    if not options.report:
        cases = list(instances(options.set, options.engine, options.timeout))
        if options.sample is not None:
            cases = cases[:: max(1, len(cases) // options.sample)][: options.sample]
    return main_of(SUITE, options, cases=cases)


if __name__ == "__main__":
    exit_with(main)
