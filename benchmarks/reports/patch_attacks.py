"""The tables of the patch-attack suites, from their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf, isnan
from pathlib import Path
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.markdown import footer, table
from benchmarks.harness.rows import Row
from marapatch.network.graph import Network
from marapatch.patch_attacks.features import penultimate
from marapatch.patch_attacks.records import Record
from marapatch.patch_attacks.report import Measures, measure

Networks = Callable[[str], Network]
Replayed = Callable[[Row], tuple[Record, NDArray[np.float64]]]

PRINTED = {
    "mnist": ["72 (91.4)", "", "24", "", "1.82 (4.1)", "0.66 (0.80)", "", "", "", "1.7", ""],
    "cifar": ["100", "", "12", "", "1.6", "0.5", "", "", "", "12", ""],
}
"""What the paper printed, as printed; which of its settings the numbers in parentheses belong to,
and whether its sizes are means or medians, is not stated with them."""

COLUMNS = (
    *("network", "n", "found %", "by halving %", "values, median", "mean", "L2, mean"),
    *("L-inf, mean", "Pielou", "entropy", "Frechet", "s, mean", "s, median"),
)


def report(
    suite: str, rows: Sequence[Row], expected: int, network_of: Networks, replayed: Replayed
) -> str:
    """The tables of ``suite`` in markdown; ``expected``: how many instances it has."""
    good = [row for row in rows if row["status"] != "failed"]
    if not good:
        return f"Not run yet: n = 0 ({len(rows)} failed).\n"
    makers = {"optimum": _optimum, "phases": _phases}
    if suite in makers:
        text = makers[suite](good, network_of, replayed)
    else:
        text = _attacks(suite, good, network_of, replayed)
    made = footer(rows, expected, lambda row: row["status"] == "found", "found")
    return f"{text}\n{made}"


def _groups(rows: Iterable[Row], *names: str) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(str(row[name]) for name in names), []).append(row)
    return found


def _measures(rows: Sequence[Row], network: Network, replayed: Replayed) -> Measures:
    """The measures over rows, every success evaluated again."""
    pairs = [replayed(row) for row in rows]
    originals = {record.image: x for record, x in pairs}
    records = [record for record, _ in pairs]
    result = measure(
        records, network, originals, features=lambda inputs: penultimate(network, inputs)
    )
    if result.confirmed not in (None, result.found):
        print(f"WRONG: onnxruntime confirms {result.confirmed} of {result.found} successes")
    return result


def _attacks(suite: str, rows: Sequence[Row], network_of: Networks, replayed: Replayed) -> str:
    lines = []
    for (name, timeout), mine in _groups(rows, "network", "timeout").items():
        m = _measures(mine, network_of(name), replayed)
        lines.append(_line(f"{_short(name)}, {float(timeout):g} s", m))
    if suite in PRINTED:
        lines.append(["paper, as printed", "", *PRINTED[suite]])
    return table(COLUMNS, lines)


def _line(name: str, m: Measures) -> list[str]:
    return [
        name,
        str(m.images),
        f"{100 * m.detection:.1f}",
        f"{100 * m.halving:.1f}",
        _number(m.l0.median),
        _number(m.l0.mean),
        _number(m.l2.mean),
        _number(m.linf.mean),
        _number(m.pielou),
        _number(m.entropy),
        _number(m.frechet),
        _number(m.seconds.mean),
        _number(m.seconds.median),
    ]


def _phases(rows: Sequence[Row], network_of: Networks, replayed: Replayed) -> str:
    lines = []
    for (name, phases), mine in sorted(_groups(rows, "network", "phases").items()):
        m = _measures(mine, network_of(name), replayed)
        failed = [s for row in mine for s in row["stages"] if s["upper"] is None]
        line = _line(f"{_short(name)}, {phases}", m)
        lines.append([*line, f"{len(failed) / len(mine):.2f}"])
    return table((*COLUMNS, "failed stages an image"), lines)


def _optimum(rows: Sequence[Row], network_of: Networks, replayed: Replayed) -> str:
    """Ratios to the ground truth's upper end, where the bracket is closed; and what is saved."""
    near, saved = [], []
    for (name, norm, search), mine in sorted(
        _groups(rows, "network", "minimise", "search").items()
    ):
        closed = [r for r in mine if r["truth"]["status"] == "closed" and r["status"] == "found"]
        truths = [r["truth"]["upper"] for r in closed]
        where = f"{_short(name)}, {norm}, {search}"
        near.append(
            [
                where,
                f"{sum(r['status'] == 'found' for r in mine)}/{len(mine)}",
                str(len(closed)),
                _of(median, [r[norm] / t for r, t in zip(closed, truths, strict=True)]),
                _of(max, [r[norm] / t for r, t in zip(closed, truths, strict=True)]),
                _of(median, [r["cw"] / t for r, t in zip(closed, truths, strict=True) if r["cw"]]),
                _of(max, [r["cw"] / t for r, t in zip(closed, truths, strict=True) if r["cw"]]),
                _of(median, [r["seconds"] for r in mine]),
                _of(median, [r["cw_seconds"] for r in mine]),
                _of(median, [r["truth"]["seconds"] for r in mine]),
            ]
        )
        pairs = [(r["truth"], r["truth_init"]) for r in mine if r["truth_init"] is not None]
        both = [(a, b) for a, b in pairs if a["status"] == b["status"] == "closed"]
        counts = []
        for what in ("queries", "nodes", "seconds"):
            counts += [_of(fmean, [pair[i][what] for pair in both]) for i in (0, 1)]
        closing = [sum(p[i]["status"] == "closed" for p in pairs) for i in (0, 1)]
        gaps = [_of(median, [_gap(p[i]) for p in pairs if _gap(p[i]) < inf]) for i in (0, 1)]
        nearer = sum(b["upper"] < a["upper"] * (1.0 - 1e-6) for a, b in pairs if a["upper"])
        saved.append([where, str(len(pairs)), *map(str, closing), *gaps, str(nearer), *counts])
    head = ("network, norm, search", "found", "closed", "attack/truth, median", "largest")
    tail = ("CW/truth, median", "largest", "attack s", "CW s", "truth s")
    ends = ("closed", "closed with init", "gap %, median", "with init", "upper nearer with init")
    kinds = (f"{what}{how}" for what in ("queries", "nodes", "s") for how in ("", " with init"))
    return (
        "Distances over the ground truth's upper end, where its bracket is closed:\n\n"
        + table((*head, *tail), near)
        + "\nThe attack's input as the first upper bound of a ground truth (means over what closes "
        "both ways):\n\n" + table(("network, norm, search", "n", *ends, *kinds), saved)
    )


def _gap(truth: Row) -> float:
    """The gap of a bracket as a share of its upper end, in per cent."""
    if truth["upper"] is None or truth["lower"] is None or truth["upper"] == 0.0:
        return inf
    return 100.0 * (1.0 - truth["lower"] / truth["upper"])


def _short(name: str) -> str:
    seeds = {"example:mnist_3x24": "N", "example:mnist_3x24_adversarial": "N-bar"}
    return seeds.get(name, Path(name).stem)


def _number(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3g}"


def _of(summary: Callable[[list[float]], float], values: list[float]) -> str:
    return _number(summary(values)) if values else "-"
