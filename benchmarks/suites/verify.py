"""VNN-COMP properties: ACAS Xu (186) and mnist_fc (24), beside plain maraboupy with its defaults.

``python benchmarks/verify.py run acasxu`` adds one JSON line an instance to
benchmarks/results/verify.jsonl and leaves out what is there already; ``run acasxu --engine
maraboupy --sample 20`` asks plain maraboupy; ``--report`` prints solved, wrong, median and PAR-2,
and ``--report --write benchmarks/PERFORMANCE.md`` puts them there.

Instances run one after the other in this process, one thread. Seconds are of the wall clock, with
the processor's seconds beside them (a machine that is shared shows in the difference). Verdicts to
compare with: those of the competition where two tools or more agree, from the data folder. Every
``sat`` of marapatch was replayed on the network and by onnxruntime.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from _ground_truth_report import write
from _harness import geometric_mean, table

from marapatch.data.fetch import locate
from marapatch.formats.vnnlib.reader import read_property
from marapatch.network.load import load
from marapatch.problem.verdict import Sat, Unknown, Unsat
from marapatch.solvers.marabou.backend import MarabouBackend
from marapatch.verification.api import verify

RESULTS = Path(__file__).with_name("results") / "verify.jsonl"
LISTS = {"acasxu": "acasxu/acasxu_instances.csv", "mnist_fc": "mnist_fc/mnistfc_instances.csv"}
DECIDED = ("sat", "unsat")
Record = Mapping[str, object]

PLAIN = """
import sys, time
from maraboupy import Marabou, MarabouCore, MarabouUtils
from marapatch.formats.vnnlib.reader import read_property
network, specification, timeout = sys.argv[1], read_property(sys.argv[2]), float(sys.argv[3])
started, answer = time.monotonic(), "unsat"
for case in specification.cases:
    for condition in case.conditions:
        net = Marabou.read_onnx(network)
        inputs, outputs = net.inputVars[0].flatten(), net.outputVars[0].flatten()
        for v, low, high in zip(inputs, case.lower, case.upper):
            net.setLowerBound(v, low)
            net.setUpperBound(v, high)
        for row, rhs in zip(condition.matrix, condition.rhs):
            net.addInequality(outputs.tolist(), (-row).tolist(), -rhs)
        left = timeout - (time.monotonic() - started)
        options = Marabou.createOptions(verbosity=0, timeoutInSeconds=max(1, int(left)))
        code = "timeout" if left <= 0 else net.solve(verbose=False, options=options)[0]
        if code == "sat":
            print("verdict sat")
            sys.exit()
        answer = answer if code == "unsat" else code
print("verdict", answer)
"""
"""What a user writes with maraboupy: bounds, output rows, solve, once a disjunct."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=("run",), help="measure what is missing")
    parser.add_argument("set", nargs="?", choices=tuple(LISTS), default="acasxu")
    parser.add_argument("--engine", choices=("marapatch", "maraboupy"), default="marapatch")
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--sample", type=int, help="every so many instances only, that many")
    parser.add_argument("--report", action="store_true", help="print the tables")
    parser.add_argument("--write", type=Path, help="with --report: between their marks in a file")
    given = parser.parse_args()
    if given.task is None and not given.report:
        parser.error("say run, or --report")
    if given.task == "run":
        run(given.set, given.engine, given.timeout, given.sample)
    if given.report and given.write is None:
        print(report(records()))
    elif given.report:
        write(given.write, {"verify": report(records())})


def instances(name: str) -> Iterator[tuple[Path, Path]]:
    """The pairs of a network and a property whose files are here."""
    folder = LISTS[name].partition("/")[0]
    for network, specification, _ in csv.reader(locate(LISTS[name]).read_text().splitlines()):
        try:
            paths = locate(f"{folder}/onnx/{network}"), locate(f"{folder}/vnnlib/{specification}")
        except ValueError:
            continue
        yield paths


def known() -> dict[tuple[str, str], str]:
    """The competition's verdicts."""
    rows = csv.DictReader(locate("reference/vnncomp_verdicts.csv").read_text().splitlines())
    return {(row["onnx"], row["vnnlib"]): row["verdict"] for row in rows}


def records() -> list[Record]:
    """What was measured so far."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def run(name: str, engine: str, timeout: float, sample: int | None) -> None:
    """Measure what is not there yet."""
    chosen = list(instances(name))
    if sample is not None:
        chosen = chosen[:: max(1, len(chosen) // sample)][:sample]
    verdicts = known()
    done = {(r["engine"], r["network"], r["property"], r["timeout"]) for r in records()}
    with MarabouBackend() as backend, RESULTS.open("a") as out:
        for network, specification in chosen:
            names = network.name, specification.name
            if (engine, *names, timeout) in done:
                continue
            started, used = time.monotonic(), time.process_time()
            if engine == "marapatch":
                found = ours(network, specification, timeout, backend)
            else:
                found = plain(network, specification, timeout)
            record = {
                "engine": engine,
                "set": name,
                "network": names[0],
                "property": names[1],
                "timeout": timeout,
                **found,
                "seconds": round(time.monotonic() - started, 3),
                "cpu_seconds": round(time.process_time() - used, 3),
                "known": verdicts.get(names, "unknown"),
            }
            out.write(json.dumps(record) + "\n")
            out.flush()
            print(json.dumps(record), flush=True)


def ours(
    network: Path, specification: Path, timeout: float, backend: MarabouBackend
) -> dict[str, object]:
    """marapatch's answer, reading the files included."""
    result = verify(load(network), read_property(specification), backend, timeout)
    match result.verdict:
        case Sat(witness=witness):
            detail: dict[str, object] = {"margin": witness.margin, "confirmed": witness.confirmed}
        case Unsat(evidence=evidence):
            detail = {"evidence": evidence.value}
        case Unknown(reason=reason):
            detail = {"reason": reason}
    return {"verdict": result.status, "nodes": result.nodes, **detail}


def plain(network: Path, specification: Path, timeout: float) -> dict[str, object]:
    """maraboupy's answer in a process of its own, killed two seconds after its time."""
    command = [sys.executable, "-W", "ignore", "-c", PLAIN, str(network), str(specification)]
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


def report(rows: Sequence[Record]) -> str:
    """A line an engine and set, then the instances that both engines were asked, in markdown."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in rows:
        groups.setdefault((str(record["set"]), str(record["engine"])), []).append(record)
    header = ("set", "engine", "n", "sat", "unsat", "solved", "checked", "wrong", "median s")
    lines = [(*key, *_line(group)) for key, group in sorted(groups.items())]
    texts = [table((*header, "mean PAR-2 s"), lines), *_wrongs(rows)]
    texts += [_beside(name, groups) for name in LISTS if (name, "maraboupy") in groups]
    return "\n".join(texts)


def _line(group: Sequence[Record]) -> tuple[object, ...]:
    said = Counter(str(r["verdict"]) for r in group)
    decided = [r for r in group if r["verdict"] in DECIDED]
    checked = sum(r["known"] in DECIDED for r in decided)
    times = [_seconds(r) for r in decided]
    late = sum(2.0 * float(str(r["timeout"])) for r in group if r["verdict"] not in DECIDED)
    return (
        len(group),
        said["sat"],
        said["unsat"],
        len(decided),
        checked,
        sum(_is_wrong(r) for r in decided),
        f"{median(times):.2f}" if times else "-",
        f"{(sum(times) + late) / len(group):.1f}",
    )


def _is_wrong(record: Record) -> bool:
    return record["known"] in DECIDED and record["known"] != record["verdict"]


def _seconds(record: Record) -> float:
    return float(str(record["seconds"]))


def _wrongs(rows: Sequence[Record]) -> list[str]:
    """A sentence on wrong answers, those on which the engines contradict each other included."""
    found = [
        f"- {r['engine']}: {r['network']} {r['property']}: {r['verdict']}, known {r['known']}\n"
        for r in rows
        if r["verdict"] in DECIDED and _is_wrong(r)
    ]
    said: dict[tuple[object, object], set[object]] = {}
    for r in rows:
        if r["verdict"] in DECIDED:
            said.setdefault((r["network"], r["property"]), set()).add(r["verdict"])
    found += [
        f"- the engines contradict each other: {key}\n" for key, v in said.items() if len(v) > 1
    ]
    return ["Wrong answers:\n\n" + "".join(found)] if found else []


def _beside(name: str, groups: Mapping[tuple[str, str], Sequence[Record]]) -> str:
    """Both engines on the instances that both were asked."""
    ours = {(r["network"], r["property"]): r for r in groups.get((name, "marapatch"), [])}
    pairs = [
        (ours[key], r)
        for r in groups[name, "maraboupy"]
        if (key := (r["network"], r["property"])) in ours
    ]
    both = [p for p in pairs if all(r["verdict"] in DECIDED for r in p)]
    solved = [sum(p[i]["verdict"] in DECIDED for p in pairs) for i in (0, 1)]
    text = (
        f"{name}: of the {len(pairs)} instances that both were asked marapatch solved {solved[0]} "
        f"and maraboupy {solved[1]}."
    )
    if not both:
        return f"{text}\n"
    lines = []
    for status in DECIDED:
        chosen = [p for p in both if p[0]["verdict"] == status]
        if chosen:
            ratios = [_seconds(theirs) / _seconds(mine) for mine, theirs in chosen]
            medians = [f"{median(_seconds(p[i]) for p in chosen):.2f}" for i in (0, 1)]
            span = f"{min(ratios):.3g} to {max(ratios):.3g}"
            lines.append((status, len(chosen), *medians, f"{geometric_mean(ratios):.3g}", span))
    header = ("both say", "n", "marapatch, median s", "maraboupy, median s", "ratio", "from, to")
    return (
        f"{text} Where both did, maraboupy's seconds over marapatch's (geometric mean):\n\n"
        f"{table(header, lines)}"
    )


if __name__ == "__main__":
    main()
