"""VNN-COMP properties: ACAS Xu (186) and mnist_fc (24), beside plain maraboupy with its defaults.

``python benchmarks/verify.py run acasxu`` adds one JSON line an instance to
benchmarks/results/verify.jsonl and leaves out what is there already; ``run acasxu --engine
maraboupy --sample 20`` asks plain maraboupy; ``table`` prints solved, wrong, median and PAR-2.

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
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from marapatch.backends.marabou import MarabouBackend
from marapatch.data import locate
from marapatch.network.load import load
from marapatch.verdict import Sat, Unknown, Unsat
from marapatch.verification import verify
from marapatch.vnnlib import read_property

RESULTS = Path(__file__).with_name("results") / "verify.jsonl"
LISTS = {"acasxu": "acasxu/acasxu_instances.csv", "mnist_fc": "mnist_fc/mnistfc_instances.csv"}
SEED = 7

PLAIN = """
import sys, time
from maraboupy import Marabou, MarabouCore, MarabouUtils
from marapatch.vnnlib import read_property
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("run", "table"))
    parser.add_argument("set", nargs="?", choices=tuple(LISTS), default="acasxu")
    parser.add_argument("--engine", choices=("marapatch", "maraboupy"), default="marapatch")
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--sample", type=int, help="every so many instances only, that many")
    given = parser.parse_args()
    if given.task == "run":
        run(given.set, given.engine, given.timeout, given.sample)
    table()


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


def records() -> list[dict[str, object]]:
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
    return {"verdict": result.word, "nodes": result.nodes, **detail}


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


def table() -> None:
    """One line an engine and set."""
    groups: dict[tuple[str, str], list[dict[str, object]]] = {}
    for record in records():
        groups.setdefault((str(record["engine"]), str(record["set"])), []).append(record)
    print("engine      set       instances  solved  wrong  median s  mean PAR-2 s")
    for (engine, name), group in sorted(groups.items()):
        decided = [r for r in group if r["verdict"] in ("sat", "unsat")]
        wrong = [r for r in decided if r["known"] not in ("unknown", r["verdict"])]
        late = [r for r in group if r not in decided]
        times = [float(str(r["seconds"])) for r in decided]
        penalty = sum(2.0 * float(str(r["timeout"])) for r in late)
        average = (sum(times) + penalty) / len(group)
        print(
            f"{engine:11} {name:9} {len(group):9} {len(decided):7} {len(wrong):6} "
            f"{median(times) if times else float('nan'):9.2f} {average:13.2f}"
        )
        for r in wrong:
            print(f"  WRONG: {r['network']} {r['property']}: {r['verdict']}, known {r['known']}")


if __name__ == "__main__":
    main()
