"""The tables of the ground-truth suites, from their rows; numbers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from benchmarks.harness.markdown import NORMS, footer, geometric_mean, table
from benchmarks.harness.rows import Row
from benchmarks.reports import cells
from benchmarks.reports.search import SEARCH_REPORTS

Rows = Sequence[Row]
Suites = Mapping[str, Rows]

OVERSHOOT = 3.0
"""Seconds beyond its timeout from which a row counts as wrong."""


def report(suite: str, rows: Suites, expected: int) -> str:
    """The tables of ``suite`` in markdown; ``rows``: those of every suite.

    ``expected``: how many instances the suite has.
    """
    if not rows.get(suite):
        return "Not run yet: n = 0.\n"
    return f"{REPORTS[suite](rows)}\n{footer(rows[suite], expected)}"


def check(rows: Rows) -> list[str]:
    """One line for each row that should not be: see the conditions."""
    problems = []
    for row in rows:
        where = f"{row['suite']}: {row['key']}: "
        if row["status"] == "failed":
            problems.append(where + row["error"])
            continue
        lower, upper = cells.lower(row), cells.upper(row)
        if lower > upper:
            problems.append(f"{where}lower {lower} > upper {upper}")
        ours = row["method"] == "tree" or row["method"].startswith("branching")
        if row["evidence"] != "bound" and ours:
            problems.append(f"{where}evidence is {row['evidence']}")
        over = row["seconds"] - row["timeout"]
        if over > OVERSHOOT:
            problems.append(f"{where}{over:.1f} s beyond its timeout")
        if row["attack"] is not None and row["attack"] < lower * (1.0 - 1e-9):
            problems.append(f"{where}the attack's {row['attack']} is below lower {lower}")
        if row["witness_confirmed"] is False:
            problems.append(f"{where}onnxruntime does not confirm the witness")
        if row["closed"] != (upper - lower <= row["options"]["tolerance"]) and lower < inf:
            problems.append(f"{where}closed is {row['closed']} at [{lower}, {upper}]")
    return problems


def _grid(suite: str) -> Callable[[Suites], str]:
    def tables(rows: Suites) -> str:
        return _paper_table(rows[suite]) + "\n" + _work_table(rows[suite])

    return tables


def _groups(rows: Rows) -> list[tuple[tuple[str, str], list[Row]]]:
    pairs = [(network, norm) for network in ("N", "N-bar") for norm in ("linf", "l1")]
    return [(pair, [r for r in rows if (r["network"], r["norm"]) == pair]) for pair in pairs]


def _paper_table(rows: Rows) -> str:
    """The paper's Table 1: means over the closed points, and by how much the attack is beaten."""
    lines = []
    for (network, norm), group in _groups(rows):
        points = [r for r in cells.good(group) if r["closed"] and cells.upper(r) < inf]
        both = [r for r in points if r["attack"] is not None]
        attack, truth = (
            cells.mean(r["attack"] for r in both),
            cells.mean(cells.upper(r) for r in both),
        )
        lines.append(
            (
                network,
                NORMS[norm],
                f"{sum(r.get('closed', False) for r in group)}/{len(group)}",
                cells.number(attack),
                cells.number(truth),
                cells.number(100.0 * (1.0 - truth / attack) if both else float("nan"), ".2f"),
                cells.number(
                    max((100 * (1 - cells.upper(r) / r["attack"]) for r in both), default=0), ".2f"
                ),
            )
        )
    closed, total = sum(r.get("closed", False) for r in rows), len(rows)
    lines.append(("all", "", f"{closed}/{total}", "", "", "", ""))
    header = (
        "network",
        "norm",
        "points closed",
        "CW, mean",
        "ground truth, mean",
        "improvement %",
        "largest %",
    )
    return table(header, lines)


def _work_table(rows: Rows) -> str:
    """What the closed and the open brackets cost, and how open the open ones are."""
    lines = []
    everything = [*_groups(rows), (("all", ""), list(rows))]
    for (network, norm), group in everything:
        good = cells.good(group)
        done, left = [r for r in good if r["closed"]], [r for r in good if not r["closed"]]
        lines.append(
            (
                network,
                NORMS.get(norm, ""),
                len(group),
                len(group) - len(good),
                len(done),
                cells.median((r["queries"] for r in done), "g"),
                cells.median((r["seconds"] for r in done), ".2f"),
                cells.median((r["cpu"] for r in done), ".2f"),
                cells.median((r["nodes"] for r in done), ".0f"),
                len(left),
                cells.median((cells.share(r) for r in left), ".1f"),
                cells.median((r["nodes"] for r in left), ".0f"),
            )
        )
    header = (
        "network",
        "norm",
        "n",
        "failed",
        "closed",
        "queries",
        "seconds",
        "processor s",
        "nodes",
        "open",
        "gap %",
        "nodes (open)",
    )
    return table(header, lines)


def _published(rows: Suites) -> str:
    ours = {
        (r["network"], r["norm"], r["image"], r["target"]): r
        for r in cells.good(rows.get("table1", []))
    }
    lines, ratios = [], []
    for row in rows["published"]:
        mine = ours.get((row["network"], row["norm"], row["image"], row["target"]))
        good = row["status"] != "failed"
        lines.append(
            (
                cells.name(row) if good else row["key"],
                cells.bracket(row),
                f"{row['seconds']:.1f}" if good else "-",
                row.get("queries", "-"),
                cells.bracket(mine),
                "-" if mine is None else f"{mine['seconds']:.1f}",
                "-" if mine is None else mine["queries"],
            )
        )
        if good and mine is not None and mine["closed"]:
            wall, work = row["seconds"] / mine["seconds"], row["cpu"] / mine["cpu"]
            ratios.append((wall, work, row["closed"]))
    header = (
        "instance",
        "published",
        "seconds",
        "queries",
        "default (table1)",
        "seconds",
        "queries",
    )
    text = table(header, lines)
    if ratios:
        closed = sum(done for *_, done in ratios)
        text += (
            f"\nPublished over default, where the default closed (n = {len(ratios)}): geometric "
            f"mean {geometric_mean(wall for wall, *_ in ratios):.3g} in seconds, "
            f"{geometric_mean(work for _, work, _ in ratios):.3g} in processor seconds; the "
            f"published method closed {closed} of these, for the others that is a lower bound.\n"
        )
    return text


def _encodings(rows: Suites) -> str:
    found = {(r["image"], r["method"]): r for r in rows["encodings"]}
    methods = list(dict.fromkeys(r["method"] for r in rows["encodings"]))
    images = sorted({r["image"] for r in rows["encodings"]})
    lines = []
    for method in methods:
        mine = [r for r in cells.good(rows["encodings"]) if r["method"] == method]
        done = [r for r in mine if r["closed"]]
        pairs = [
            (r["seconds"], found[r["image"], "split"]["seconds"])
            for r in mine
            if (r["image"], "split") in found and found[r["image"], "split"].get("closed")
        ]
        lines.append(
            (
                method,
                len([r for r in rows["encodings"] if r["method"] == method]),
                len(done),
                cells.median((r["seconds"] for r in done), ".2f"),
                cells.median((cells.share(r) for r in mine), ".1f"),
                cells.median((r["queries"] for r in mine), "g"),
                cells.number(geometric_mean(a / b for a, b in pairs), ".3g")
                + f" (n = {len(pairs)})",
            )
        )
    header = (
        "form of the ball",
        "n",
        "closed",
        "median s, closed",
        "median gap %",
        "median queries",
        "seconds over split's",
    )
    text = table(header, lines)
    each = [[f"digit {i}", *(cells.cell(found.get((i, m))) for m in methods)] for i in images]
    return (
        f"{text}\nThe ratio is the geometric mean over the instances that split closed; where the "
        f"other did not close in time its seconds are its limit, so the true ratio is larger.\n\n"
        f"{table(('instance', *methods), each)}"
    )


def _acas(rows: Suites) -> str:
    lines = []
    names = list(dict.fromkeys(r["network"] for r in rows["acas"]))
    for name in [*names, "all"]:
        group = [r for r in rows["acas"] if name in (r["network"], "all")]
        good = cells.good(group)
        lines.append(
            (
                name,
                len(group),
                len(group) - len(good),
                sum(r["closed"] for r in good),
                sum(cells.lower(r) > 0.0 for r in good),
                cells.median((cells.lower(r) for r in good), ".4g"),
                cells.median((cells.upper(r) for r in good), ".4g"),
                cells.median((cells.share(r) for r in good), ".1f"),
                cells.number(max(map(cells.share, good), default=float("nan")), ".1f"),
                cells.median((r["seconds"] for r in good), ".1f"),
            )
        )
    header = (
        "network",
        "n",
        "failed",
        "closed",
        "lower > 0",
        "median lower",
        "median upper",
        "median gap %",
        "largest gap %",
        "median s",
    )
    each = [
        (
            f"{r['network']}, input {r['image']}",
            cells.bracket(r),
            *(
                ("-", "-", "-", "-")
                if r["status"] == "failed"
                else (
                    f"{cells.share(r):.1f}",
                    f"{r['seconds']:.1f}",
                    r["nodes"],
                    cells.number(r["attack"] or inf, ".5g"),
                )
            ),
        )
        for r in rows["acas"]
    ]
    inputs = table(("input", "bracket", "gap %", "seconds", "nodes", "CW"), each)
    return f"{table(header, lines)}\n{inputs}"


def _first(rows: Suites) -> str:
    found = {(r["norm"], r["image"], r["method"]): r for r in rows["first"]}
    pairs = list(dict.fromkeys((r["norm"], r["image"]) for r in rows["first"]))
    lines = []
    for norm, image in pairs:
        line: list[object] = []
        target = "?"
        for method in ("descent", "tree"):
            row = found.get((norm, image, method))
            if row is None or row["status"] == "failed":
                line += [cells.bracket(row), "-", "-"]
            else:
                target = row["target"]
                line += [cells.bracket(row), f"{row['seconds']:.1f}", row["queries"]]
        lines.append((f"N, {NORMS[norm]}, digit {image} as {target}", *line))
    header = ("instance", "descent, Marabou", "s", "queries", "tree (default)", "s", "queries")
    return table(header, lines)


REPORTS: Mapping[str, Callable[[Suites], str]] = {
    "table1": _grid("table1"),
    "published": _published,
    "encodings": _encodings,
    "acas": _acas,
    "first": _first,
    "seed360": _grid("seed360"),
    **SEARCH_REPORTS,
}
