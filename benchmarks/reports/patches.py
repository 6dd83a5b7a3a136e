"""The tables of the patch suites, from their rows; numbers only."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from statistics import fmean, median

import numpy as np

from benchmarks.harness.markdown import NORMS, footer, geometric_mean, table
from benchmarks.harness.rows import Row
from marapatch.data.fetch import locate

Rows = Sequence[Row]

PUBLISHED_L1 = {1: "0", 2: "2", 3: "3", 4: "4", 5: "5"}
"""The file of the published interval by the number of inputs (goldberger/acas_2_9)."""


def report(suite: str, rows: Rows, expected: int) -> str:
    """The tables of ``suite`` in markdown; ``expected``: how many instances it has."""
    if not rows:
        return "Not run yet: n = 0.\n"
    good = [row for row in rows if row["status"] != "failed"]
    return f"{REPORTS[suite](good)}\n{footer(rows, expected)}"


def _ends(row: Row | None) -> str:
    """The bracket, or why there is none."""
    if row is None:
        return "not run"
    if row["status"] == "already":
        return "0"
    if row["status"] == "none":
        return "none exists"
    lower, upper = row["lower"], row["upper"]
    if upper is None:
        return f"at least {lower:.5g}"
    if row["status"] == "closed":
        return f"{_between(lower, upper)}"
    return f"[{lower:.5g}, {upper:.5g}] open"


def _between(lower: float, upper: float) -> str:
    """A closed bracket: both ends, to as many digits as tell them apart."""
    digits = 5
    while digits < 9 and f"{lower:.{digits}g}" == f"{upper:.{digits}g}":
        digits += 1
    return f"[{lower:.{digits}g}, {upper:.{digits}g}]"


def _name(row: Row) -> str:
    name = Path(row["network"].removeprefix("example:")).stem
    name = name.replace("ACASXU_run2a_", "N_").replace("_batch_2000", "")
    return {"mnist_3x24": "N", "watermark_model": "watermark"}.get(name, name)


def _acas(rows: Rows) -> str:
    found = {(len(r["rows"]), r["goal"], r["norm"], r["method"]): r for r in rows}
    lines = []
    for goal, norm in (("0&1", "l1"), ("0|1", "l1"), ("0&1", "linf")):
        for count in range(1, 6):
            mine = found.get((count, goal, norm, "auto"))
            alone = found.get((count, goal, norm, "marabou"))
            lines.append(
                (
                    f"{goal.replace('&', ' and ').replace('|', ' or ')}, {NORMS[norm]}",
                    count,
                    _interval(count) if (goal, norm) == ("0&1", "l1") else "-",
                    _ends(mine),
                    "-" if mine is None else mine["changed"],
                    "-" if mine is None else f"{mine['seconds']:.2f}",
                    _ends(alone),
                    "-" if alone is None else alone["queries"],
                    "-" if alone is None else f"{alone['seconds']:.1f}",
                )
            )
    header = (
        "goal, norm",
        "K",
        "published",
        "default",
        "changed",
        "s",
        "Marabou alone",
        "queries",
        "s",
    )
    return table(header, lines)


def _interval(count: int) -> str:
    """The published (unsat, sat] of the first ``count`` inputs."""
    name = f"goldberger/acas_2_9/ACASXU_2_9_{PUBLISHED_L1[count]}.txt"
    lines = locate(name).read_text(encoding="utf-8").splitlines()
    at = lines.index("(unsat_epsilon, sat_epsilon)")
    low, high = lines[at + 1].strip("()").split(",")
    return f"({float(low):.5g}, {float(high):.5g}]"


def _watermark(rows: Rows) -> str:
    folder = locate("goldberger/watermark/arrays.npz").parent
    with np.load(folder / "arrays.npz") as arrays:
        subsets = {k: arrays[f"random_samples_{k}"].tolist() for k in range(2, 6)}
    lines = []
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
        lines.append(
            (
                count,
                NORMS[norm],
                len(mine),
                agree,
                f"{worst:.2g}" if norm == "linf" else "inside",
                f"{fmean(r['upper'] for r in mine):.6g}",
                f"{fmean(r['before'] for r in mine):.4f}",
                f"{fmean(r['after'] for r in mine):.4f}",
                f"{sum(r['seconds'] for r in mine):.0f}",
            )
        )
    header = (
        "watermarks",
        "norm",
        "n",
        "agree",
        "largest difference",
        "mean upper",
        "accuracy before",
        "mean after",
        "s in all",
    )
    total = sum(r["seconds"] for r in rows)
    return f"{table(header, lines)}\nIn all {total:.0f} s for {len(rows)} patches.\n"


def _layers(rows: Rows) -> str:
    """A table a norm: a row a layer, the columns the networks; the best of each marked."""
    networks = list(dict.fromkeys(_name(r) for r in rows))
    parts = []
    for norm in ("l1", "linf"):
        found = {(_name(r), r["layer"]): r for r in rows if r["norm"] == norm}
        best: dict[str, float] = {}
        for (name, _), r in found.items():
            best[name] = min(best.get(name, inf), r["upper"] or inf)
        lines = []
        for layer in range(6, -1, -1):
            cells = []
            for name in networks:
                if (name, layer) not in found:
                    cells.append("not run")
                    continue
                r = found[name, layer]
                star = "**best** " if r["upper"] == best[name] else ""
                cells.append(f"{star}{_ends(r)}, n = {r['changed']}, {r['seconds']:.1f} s")
            lines.append((f"{NORMS[norm]}, {layer}", *cells))
        parts.append(table(("norm, layer", *networks), lines))
        mine = [r for r in rows if r["norm"] == norm]
        closed = [r for r in mine if r["status"] == "closed"]
        text = f"{NORMS[norm]}: closed {len(closed)} of {len(mine)}"
        if closed:
            text += f", median {median(r['seconds'] for r in closed):.1f} s"
        parts.append(text + ".\n")
    return "\n".join(parts)


def _engines(rows: Rows) -> str:
    sizes, times = [], []
    for r in rows:
        about = f"{r['layer']}, {NORMS[r['norm']]}"
        a, b = r["neurons"], r["weights"]
        sizes.append(
            (
                about,
                *(f"{b[k]} / {a[k]}" for k in SIZES),
                f"{_answer(b)} / {_answer(a)}",
                _ratio(b["answer_seconds"], a["answer_seconds"], b["answer"], a["answer"]),
            )
        )
        times.append(
            (
                about,
                _ends(a),
                f"{a['seconds']:.1f}",
                _ends(b),
                f"{b['seconds']:.1f}",
                _ratio(b["seconds"], a["seconds"], b["status"], a["status"]),
            )
        )
    first = table(
        (
            "layer, norm",
            "variables",
            "equations",
            "inequalities",
            "ReLUs",
            "Marabou, weight / neuron",
            "ratio of times",
        ),
        sizes,
    )
    second = table(
        ("layer, norm", "by neuron", "s", "by weight", "s", "ratio of times"),
        times,
    )
    both = [r for r in rows if r["status"] == "closed"]
    ratio = geometric_mean(
        r["weights"]["seconds"] / max(r["neurons"]["seconds"], 1e-3) for r in both
    )
    said = f"Both searches closed on {len(both)} of {len(rows)}"
    said += f": geometric mean of the ratios of times {ratio:.2f}." if both else "."
    pairs = [
        r
        for r in rows
        if r["weights"]["answer"] == r["neurons"]["answer"] and r["neurons"]["answer"] == "unsat"
    ]
    asked = geometric_mean(
        r["weights"]["answer_seconds"] / max(r["neurons"]["answer_seconds"], 1e-3) for r in pairs
    )
    said += f" Marabou answered both queries of {len(pairs)}"
    said += f": {asked:.2f}." if pairs else "."
    return f"{first}\n{second}\n{said}\n"


SIZES = ("query_variables", "query_equations", "query_inequalities", "query_relus")


def _answer(part: Row) -> str:
    word = part["answer"].split(":")[0]
    return f"{word} {part['answer_seconds']:.2f} s"


def _ratio(more: float, less: float, *words: str) -> str:
    """A ratio of times, where both ended with an answer."""
    decided = all(word in ("closed", "unsat") for word in words)
    return f"{more / max(less, 1e-3):.2f}" if decided else "-"


def _marks(rows: Rows) -> str:
    found: dict[tuple[object, ...], dict[str, Row]] = {}
    for r in rows:
        key = (_name(r), len(r["rows"]), r["goal"], r["layer"], r["norm"])
        found.setdefault(key, {})[r["method"]] = r
    lines = []
    for (name, inputs, goal, layer, norm), pair in found.items():
        marked, plain = pair.get("weights"), pair.get("weights-unmarked")
        if marked is None or plain is None:
            continue
        what = str(goal).replace("&", " and ").replace("|", " or ")
        lines.append(
            (
                f"{name}, {inputs} inputs, {what}",
                layer,
                NORMS[str(norm)],
                marked["numbers"],
                marked["fixed"],
                marked["halved"],
                f"{plain.get('query_variables', '-')} / {marked.get('query_variables', '-')}",
                _ends(plain),
                f"{plain['seconds']:.2f}",
                _ends(marked),
                f"{marked['seconds']:.2f}",
            )
        )
    header = (
        "instance",
        "layer",
        "norm",
        "variables",
        "fixed",
        "halved",
        "in the query, without / with",
        "without marks",
        "s",
        "with marks",
        "s",
    )
    return table(header, lines)


def _mnist(rows: Rows) -> str:
    lines = [
        (
            _name(r),
            len(r["rows"]),
            r["layer"],
            NORMS[r["norm"]],
            _ends(r),
            r["changed"],
            f"{r['before']:.4f}" if "before" in r else "-",
            f"{r['after']:.4f}" if "after" in r else "-",
            r.get("decisions", "-"),
            f"{r['seconds']:.1f}",
        )
        for r in rows
    ]
    header = (
        "network",
        "images",
        "layer",
        "norm",
        "bracket",
        "changed",
        "accuracy before",
        "after",
        "decisions changed",
        "s",
    )
    return table(header, lines)


REPORTS: Mapping[str, Callable[[Rows], str]] = {
    "acas": _acas,
    "watermark": _watermark,
    "layers": _layers,
    "engines": _engines,
    "marks": _marks,
    "mnist": _mnist,
}
