"""How small are the least patches, and how fast are they found? The patch benchmarks.

Each suite is a list of instances; each instance becomes one row of results/patches-SUITE.jsonl,
timeouts and failures too. A suite that was stopped goes on where it ended, in the same command.

  python benchmarks/patches.py --list
  python benchmarks/patches.py --suite acas        Goldberger et al., ACAS Xu N_2,9, last layer
  python benchmarks/patches.py --suite watermark   Goldberger et al., watermark removal
  python benchmarks/patches.py --suite layers      the setting of AIGENT's Table III, every layer
  python benchmarks/patches.py --suite engines     by neuron against by weight, and Marabou alone
  python benchmarks/patches.py --suite mnist       repair of misclassified test images
  python benchmarks/patches.py --report            the tables of every suite

The data are found through MARAPATCH_DATA.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import inf
from pathlib import Path
from statistics import fmean, median

import numpy as np
from _harness import RESULTS, Row, Store, finite, processor_seconds, run
from numpy.typing import NDArray

from marapatch.data import locate
from marapatch.network.load import load
from marapatch.network.network import Network
from marapatch.patch_report import drawdown, status
from marapatch.patching.goals import Goal, linear
from marapatch.patching.minimal import minimal_patch
from marapatch.patching.options import PatchOptions
from marapatch.properties import Rule

Array = NDArray[np.float64]

AIGENT_POINT = (0.6399288845, 0.0, 0.0, 0.475, -0.475)
METHODS: Mapping[str, PatchOptions] = {
    "auto": PatchOptions(),
    "unmarked": PatchOptions(marks=False),
    "weights": PatchOptions(engine="weights"),
    "marabou": PatchOptions(search="bisection"),
}


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
    return load(locate(name))


@cache
def inputs_of(suite: str) -> Array:
    match suite:
        case "watermark":
            with np.load(locate("reassure/watermark_set.npz")) as arrays:
                return np.asarray(arrays["images"].reshape(100, 784))
        case "mnist":
            return digits()[0]
        case _:
            rows = np.loadtxt(locate("goldberger/acas_2_9/inputs.csv"), delimiter=",")
            return np.vstack([rows, AIGENT_POINT])


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
    """Find the patch, and what it does to other inputs where the suite has any."""
    network, inputs = network_of(case.network), inputs_of(case.suite)[list(case.rows)]
    goals = goals_of(case, network, inputs)
    known = {**asdict(METHODS[case.method]), "timeout": case.timeout}
    known["evidence"] = METHODS[case.method].evidence
    before = processor_seconds()
    patch = minimal_patch(
        network,
        inputs,
        goals,
        layer=case.layer,
        norm=case.norm,
        margin=case.margin,
        decision=case.decision,
        options=PatchOptions(**known),
    )
    row: Row = {
        **asdict(case),
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
        "cpu": processor_seconds() - before,
        "note": patch.note,
    }
    if case.suite in ("watermark", "mnist") and patch.delta is not None and patch.upper > 0.0:
        images, labels = digits()
        scale = 255.0 if case.suite == "watermark" else 1.0
        effect = drawdown(network, patch.apply(), scale * images, labels, Rule.ARGMAX)
        row |= {"before": effect.before, "after": effect.after, "decisions": effect.changed}
    return row


def acas_name(name: str) -> str:
    return f"acasxu/onnx/ACASXU_run2a_{name}_batch_2000.onnx"


def acas() -> Iterable[Instance]:
    """The published last-layer experiments on N_2,9."""
    name, layer = acas_name("2_9"), 6
    for method in ("auto", "marabou", "unmarked"):
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
                    "auto", 30.0,
                )  # fmt: skip


def engines() -> Iterable[Instance]:
    """The same question by neuron, by weight, and by Marabou alone."""
    for layer in range(6, -1, -1):
        for norm in ("linf", "l1"):
            for method in ("auto", "weights", "marabou", "unmarked"):
                yield Instance(
                    "engines", acas_name("2_9"), (0,), "0", layer, norm, 1e-4, "argmax", method,
                    60.0,
                )  # fmt: skip


def mnist() -> Iterable[Instance]:
    """The first misclassified test images, repaired together."""
    name = "mnist_fc/onnx/mnist-net_256x2.onnx"
    images, labels = digits()
    wrong = np.flatnonzero(network_of(name).evaluate(images).argmax(axis=1) != labels)
    for count in (1, 10, 50):
        rows = tuple(int(i) for i in wrong[:count])
        for layer in (2, 1):
            for norm in ("linf", "l1"):
                yield Instance(
                    "mnist", name, rows, "label", layer, norm, 1e-3, "argmax", "auto", 120.0
                )


SUITES: Mapping[str, Callable[[], Iterable[Instance]]] = {
    "acas": acas,
    "watermark": watermark,
    "layers": layers,
    "engines": engines,
    "mnist": mnist,
}


def store_of(suite: str) -> Store:
    return Store(RESULTS / f"patches-{suite}.jsonl")


def show(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def table(suite: str, rows: Sequence[Row]) -> None:
    """One line a row, in the order of the suite."""
    print(f"\n### {suite}: n = {len(rows)}, {sum(r.get('seconds', 0.0) for r in rows):.0f} s\n")
    print(
        "| network | inputs | goal | layer | norm | method | lower | upper | changed | s | status |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        name = Path(r["network"]).stem.replace("ACASXU_run2a_", "").replace("_batch_2000", "")
        cells = [name, str(len(r["rows"])), r["goal"].replace("|", "or"), str(r["layer"])]
        cells += [r["norm"], r["method"], show(r.get("lower")), show(r.get("upper"))]
        cells += [str(r.get("changed", "-")), f"{r.get('seconds', 0.0):.1f}", r["status"]]
        if "after" in r:
            cells[-1] += f", accuracy {r['before']:.4f} -> {r['after']:.4f}"
        print("| " + " | ".join(cells) + " |")


def watermark_table(rows: Sequence[Row]) -> None:
    """Against the published files."""
    folder = locate("goldberger/watermark/arrays.npz").parent
    with np.load(folder / "arrays.npz") as arrays:
        subsets = {k: arrays[f"random_samples_{k}"].tolist() for k in range(2, 6)}
    print("\n### watermark\n")
    print(
        "| watermarks | norm | n | agree | largest difference | mean upper | mean accuracy after "
        "| s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count, norm in [(1, "linf"), (1, "l1"), (2, "linf"), (3, "linf"), (4, "linf"), (5, "linf")]:
        kind = "linear" if norm == "linf" else "nonLinear"
        with (folder / f"{kind}.{count}.wm.csv").open() as file:
            published = list(csv.reader(file))[1:]
        mine = [r for r in rows if len(r["rows"]) == count and r["norm"] == norm]
        if not mine:
            continue
        agree, worst = 0, 0.0
        for r in mine:
            at = r["rows"][0] if count == 1 else subsets[count].index(list(r["rows"]))
            if norm == "linf":
                difference = abs(r["lower"] - float(published[at][0]))
                worst = max(worst, difference)
                agree += difference <= 1e-6
            else:
                low, high = float(published[at][0]), float(published[at][1])
                agree += low < r["lower"] <= r["upper"] < high
        print(
            f"| {count} | {norm} | {len(mine)} | {agree} | {worst:.2g} | "
            f"{fmean(r['upper'] for r in mine):.6g} | {fmean(r['after'] for r in mine):.4f} | "
            f"{sum(r['seconds'] for r in mine):.0f} |"
        )


def engines_table(rows: Sequence[Row]) -> None:
    """Ratios of time and size between the methods, over closed pairs."""
    known = {(r["layer"], r["norm"], r["method"]): r for r in rows if r["status"] == "closed"}
    for other in ("weights", "marabou", "unmarked"):
        pairs = [
            (r, known[layer, norm, other])
            for (layer, norm, method), r in known.items()
            if method == "auto" and (layer, norm, other) in known
        ]
        if pairs:
            ratio = median(b["seconds"] / max(a["seconds"], 1e-3) for a, b in pairs)
            print(f"\n{other}: n = {len(pairs)} closed pairs, median time ratio {ratio:.2f}")


def report() -> None:
    """The tables of all suites that have rows."""
    for suite in SUITES:
        rows = store_of(suite).rows()
        if not rows:
            continue
        good = [r for r in rows if r["status"] != "failed"]
        if suite == "watermark":
            watermark_table(good)
        else:
            table(suite, rows)
        if suite == "engines":
            engines_table(good)


def main() -> int:
    """Run the suite asked for, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=[*SUITES], help="run this suite")
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument("--report", action="store_true", help="print the tables")
    parser.add_argument("--limit", type=float, default=inf, help="only the first so many instances")
    options = parser.parse_args()
    if options.list:
        for name, suite in SUITES.items():
            print(f"{name}: {len(list(suite()))} instances")
    if options.suite:
        cases = [c for i, c in enumerate(SUITES[options.suite]()) if i < options.limit]
        run(cases, work, store_of(options.suite), jobs=1)
    if options.report:
        report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
