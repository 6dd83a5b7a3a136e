"""The tables of the suites about the tree: its peers, its scale, its rules, its longest runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.harness.markdown import NORMS, geometric_mean, table
from benchmarks.harness.rows import Row
from benchmarks.reports import cells

Rows = Sequence[Row]
Suites = Mapping[str, Rows]
Subject = tuple[str, str, int, int]

PEERS = {"milp": "MILP", "marabou": "Marabou, our bounds", "published": "Algorithm 1"}
"""What the tree is compared with."""


def _subject(row: Row) -> Subject:
    return row["network"], row["norm"], row["image"], row["target"]


def _by_method(rows: Rows) -> dict[Subject, dict[str, Row]]:
    """Rows by what they ask and then by method, in the order of the suite."""
    found: dict[Subject, dict[str, Row]] = {}
    for row in rows:
        if row["status"] != "failed":
            found.setdefault(_subject(row), {})[row["method"]] = row
    return found


def _ratio(pairs: Iterable[tuple[Row, Row]], what: str) -> str:
    """The geometric mean of the second's over the first's, with how many; not below 1 ms."""
    known = [max(other[what], 1e-3) / max(mine[what], 1e-3) for mine, other in pairs]
    return f"{cells.number(geometric_mean(known), '.3g')} (n = {len(known)})"


def _peers(rows: Suites) -> str:
    found = _by_method(rows["peers"])
    text = table(
        (
            "peer",
            "norm",
            "n",
            "tree closed",
            "peer closed",
            "peer only",
            "tree only",
            "seconds, peer over tree",
            "of both closed",
            "processor s, peer over tree",
        ),
        [_peer_line(peer, norm, list(found.values())) for peer in PEERS for norm in (*NORMS, "")],
    )
    header = ("instance", "incumbent", "unstable", "tree", "nodes", "MILP", "nodes")
    others = list(PEERS)[1:]
    each = [
        (
            _title(subject),
            cells.number(next(iter(group.values()))["first_upper"], ".5g"),
            next(iter(group.values()))["unstable"],
            cells.cell(group.get("tree")),
            _nodes(group.get("tree")),
            cells.cell(group.get("milp")),
            _nodes(group.get("milp")),
        )
        for subject, group in found.items()
    ]
    few = [
        (_title(subject), *(cells.cell(group.get(method)) for method in ("tree", *others)))
        for subject, group in found.items()
        if any(method in group for method in others)
    ]
    names = ("instance", "tree", *(PEERS[method] for method in others))
    failed = [row["key"] for row in rows["peers"] if row["status"] == "failed"]
    return (
        f"{text}\nRatios are geometric means over the instances that the tree closed. A peer that "
        "was not done counts with its limit, so that such a ratio is *at least* what it says; "
        "*of both closed* has none of these. *Peer only*: closed by the peer and not by the tree. "
        f"*unstable*: neurons, by one pass of linear bounds within the incumbent's distance.\n\n"
        f"{table(header, each)}\n{table(names, few)}"
        + "".join(f"\nFailed: {key}.\n" for key in failed)
    )


def _title(subject: Subject) -> str:
    network, norm, image, target = subject
    return f"{network}, {NORMS[norm]}, digit {image} as {target}"


def _nodes(row: Row | None) -> object:
    return "-" if row is None else row["nodes"]


def _peer_line(peer: str, norm: str, groups: Sequence[Mapping[str, Row]]) -> tuple[object, ...]:
    pairs = [
        (group["tree"], group[peer])
        for group in groups
        if peer in group and "tree" in group and norm in ("", group["tree"]["norm"])
    ]
    ours = [(mine, other) for mine, other in pairs if mine["closed"]]
    both = [(mine, other) for mine, other in ours if other["closed"]]
    late = len(ours) > len(both)
    return (
        PEERS[peer],
        NORMS.get(norm, "both"),
        len(pairs),
        len(ours),
        sum(other["closed"] for _, other in pairs),
        sum(other["closed"] and not mine["closed"] for mine, other in pairs),
        len(ours) - len(both),
        ("at least " if late else "") + _ratio(ours, "seconds"),
        _ratio(both, "seconds"),
        ("at least " if late else "") + _ratio(ours, "cpu"),
    )


def _scale(rows: Suites) -> str:
    lines = []
    names = list(dict.fromkeys(row["network"] for row in rows["scale"]))
    for name in [*names, "all"]:
        group = [row for row in rows["scale"] if name in (row["network"], "all")]
        good = cells.good(group)
        open_rows = [row for row in good if not row["closed"]]
        lines.append(
            (
                name,
                len(group),
                len(group) - len(good),
                sum(row["closed"] for row in good),
                cells.median((cells.upper(row) for row in good), ".4g"),
                cells.median((row["unstable"] or 0 for row in good), ".0f"),
                cells.median((_width(row) for row in good), ".2g"),
                cells.median((cells.share(row) for row in open_rows), ".1f"),
                cells.median((row["seconds"] for row in good), ".1f"),
                cells.median((row["nodes"] for row in good), ".0f"),
            )
        )
    header = (
        "network",
        "n",
        "failed",
        "closed",
        "median upper",
        "unstable",
        "median width",
        "gap % of the open",
        "median s",
        "median nodes",
    )
    wrong = [f"{r['network']}, digit {r['image']}" for r in cells.good(rows["scale"]) if _erred(r)]
    each = [
        (
            f"{row['network']}, digit {row['image']}",
            cells.bracket(row),
            *(
                ("-",) * 6
                if row["status"] == "failed"
                else (
                    f"{_width(row):.2g}",
                    f"{cells.share(row):.1f}",
                    f"{row['seconds']:.1f}",
                    row["nodes"],
                    row["unstable"],
                    row["nearest"],
                )
            ),
        )
        for row in rows["scale"]
    ]
    decided = (
        f"Decided wrongly: {', '.join(wrong)}." if wrong else "All images are decided rightly."
    )
    columns = (
        "image",
        "bracket",
        "width",
        "gap %",
        "seconds",
        "nodes",
        "unstable",
        "nearest class",
    )
    return f"{table(header, lines)}\n{decided}\n\n{table(columns, each)}"


def _width(row: Row) -> float:
    return cells.upper(row) - cells.lower(row) if row["lower"] is not None else 0.0


def _erred(row: Row) -> bool:
    """The images are one a digit, in order."""
    return bool(row["label"] != row["image"])


def _branching(rows: Suites) -> str:
    found = _by_method(rows["branching"])
    methods = list(dict.fromkeys(row["method"] for row in rows["branching"]))
    first = methods[0]
    lines = []
    for norm in (*NORMS, ""):
        groups = [
            group for subject, group in found.items() if norm in ("", subject[1])
        ]  # subject[1]: its norm
        for method in methods:
            mine = [group[method] for group in groups if method in group]
            both = [
                (group[first], group[method])
                for group in groups
                if first in group
                and method in group
                and group[first]["closed"]
                and group[method]["closed"]
            ]
            lines.append(
                (
                    method.removeprefix("branching "),
                    NORMS.get(norm, "both"),
                    len(mine),
                    sum(row["closed"] for row in mine),
                    cells.median((row["seconds"] for row in mine), ".2f"),
                    cells.median((row["nodes"] for row in mine), ".0f"),
                    cells.median((cells.share(row) for row in mine if not row["closed"]), ".1f"),
                    _ratio(both, "nodes"),
                    _ratio(both, "seconds"),
                )
            )
    name = first.removeprefix("branching ")
    header = (
        "rule",
        "norm",
        "n",
        "closed",
        "median s",
        "median nodes",
        "gap % of the open",
        f"nodes over {name}'s",
        f"seconds over {name}'s",
    )
    each = [
        (_title(subject), *(_work(group.get(method)) for method in methods))
        for subject, group in found.items()
    ]
    columns = ("instance", *(method.removeprefix("branching ") for method in methods))
    return (
        f"{table(header, lines)}\nRatios are geometric means over the instances that both rules "
        f"closed.\n\n{table(columns, each)}"
    )


def _work(row: Row | None) -> str:
    if row is None:
        return "not run"
    result = "closed" if row["closed"] else f"open, gap {cells.share(row):.1f} %"
    return f"{result}, {row['seconds']:.1f} s, {row['nodes']} nodes"


def _seed600(rows: Suites) -> str:
    before = {_subject(row): row for row in cells.good(rows.get("seed360", []))}
    lines = []
    for row in rows["seed600"]:
        failed = row["status"] == "failed"
        lines.append(
            (
                row["key"] if failed else cells.name(row),
                cells.bracket(before.get(_subject(row))),
                cells.bracket(row),
                "-" if failed else f"{cells.share(row):.1f}",
                "-" if failed else f"{row['seconds']:.1f}",
                "-" if failed else row["nodes"],
                "-" if failed else row["unstable"],
                row.get("note", ""),
            )
        )
    header = ("instance", "60 s", "600 s", "gap %", "seconds", "nodes", "unstable", "why open")
    return table(header, lines)


SEARCH_REPORTS: Mapping[str, Callable[[Suites], str]] = {
    "seed600": _seed600,
    "peers": _peers,
    "scale": _scale,
    "branching": _branching,
}
