"""The tables of the verification suite, from its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.harness.markdown import geometric_mean, table
from benchmarks.harness.rows import Row

DECIDED = ("sat", "unsat")


def report(rows: Sequence[Row], _: int = 0) -> str:
    """A line an engine and set, then the instances that both engines were asked, in markdown."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((str(row["set"]), str(row["engine"])), []).append(row)
    header = ("set", "engine", "n", "sat", "unsat", "solved", "checked", "wrong", "median s")
    lines = [(*key, *_line(group)) for key, group in sorted(groups.items())]
    texts = [table((*header, "mean PAR-2 s"), lines), *_wrongs(rows)]
    texts += [_beside(name, groups) for name, engine in sorted(groups) if engine == "maraboupy"]
    return "\n".join(texts)


def _line(group: Sequence[Row]) -> tuple[object, ...]:
    said = Counter(str(r.get("verdict")) for r in group)
    decided = [r for r in group if r.get("verdict") in DECIDED]
    checked = sum(r["known"] in DECIDED for r in decided)
    times = [_seconds(r) for r in decided]
    late = sum(2.0 * float(r["timeout"]) for r in group if r.get("verdict") not in DECIDED)
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


def _is_wrong(row: Row) -> bool:
    return row["known"] in DECIDED and row["known"] != row.get("verdict")


def _seconds(row: Row) -> float:
    return float(row["seconds"])


def _wrongs(rows: Sequence[Row]) -> list[str]:
    """A sentence on wrong answers, those on which the engines contradict each other included."""
    found = [
        f"- {r['engine']}: {r['network']} {r['property']}: {r['verdict']}, known {r['known']}\n"
        for r in rows
        if r.get("verdict") in DECIDED and _is_wrong(r)
    ]
    said: dict[tuple[object, object], set[object]] = {}
    for r in rows:
        if r.get("verdict") in DECIDED:
            said.setdefault((r["network"], r["property"]), set()).add(r.get("verdict"))
    found += [
        f"- the engines contradict each other: {key}\n" for key, v in said.items() if len(v) > 1
    ]
    return ["Wrong answers:\n\n" + "".join(found)] if found else []


def _beside(name: str, groups: Mapping[tuple[str, str], Sequence[Row]]) -> str:
    """Both engines on the instances that both were asked."""
    ours = {(r["network"], r["property"]): r for r in groups.get((name, "marapatch"), [])}
    pairs = [
        (ours[key], r)
        for r in groups[name, "maraboupy"]
        if (key := (r["network"], r["property"])) in ours
    ]
    both = [p for p in pairs if all(r.get("verdict") in DECIDED for r in p)]
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
