"""Pictures of the ground-truth suites: how many are closed when, and how the cost grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness.markdown import PAGES
from benchmarks.harness.rows import Row
from benchmarks.harness.subjects import subject, unstable
from marapatch.reporting.pictures import save

PLOTS = PAGES / "plots"
"""Where the pictures are kept; committed."""

DRAWN = ("seed360", "table1")
"""Suites over the four groups."""

GROUPS = {
    ("N", "linf"): ("N, L-inf", "tab:blue"),
    ("N", "l1"): ("N, L1", "tab:orange"),
    ("N-bar", "linf"): ("N-bar, L-inf", "tab:green"),
    ("N-bar", "l1"): ("N-bar, L1", "tab:red"),
}

NAMES = ("cactus", "growth")
"""Instances closed against seconds; nodes and seconds against radius and unstable neurons."""

DOTS = 90
"""Of the pictures, an inch."""


def draw(rows: Mapping[str, Sequence[Row]], folder: Path = PLOTS) -> Iterator[Path]:
    """Write the pictures of every suite of :data:`DRAWN` that has rows; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for suite in DRAWN:
        good = [row for row in rows.get(suite, []) if row["status"] != "failed"]
        if good:
            for name, figure in zip(NAMES, (_cactus(good), _growth(good)), strict=True):
                path = folder / f"{suite}-{name}.png"
                save(figure, path, dpi=DOTS)
                yield path


def pictures(suite: str) -> str:
    """Markdown that shows the suite's pictures, as far as they are drawn."""
    names = [f"{suite}-{name}.png" for name in NAMES]
    links = [f"\n![{name}]({PLOTS.name}/{name})\n" for name in names if (PLOTS / name).exists()]
    return "".join(links)


def _of_groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    for (network, norm), (label, colour) in GROUPS.items():
        yield label, colour, [r for r in rows if (r["network"], r["norm"]) == (network, norm)]


def _cactus(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    limit = max(row["timeout"] for row in rows)
    for label, colour, group in _of_groups(rows):
        seconds = np.sort([row["seconds"] for row in group if row["closed"]])
        counts = np.arange(1, seconds.size + 1)
        # A last step to the limit: nothing more was closed until then.
        axes.step(
            [*seconds, limit],
            [*counts, seconds.size],
            where="post",
            color=colour,
            label=f"{label}: {seconds.size} of {len(group)}",
        )
    axes.set_xscale("log")
    axes.set_xlabel("seconds for the whole ground truth")
    axes.set_ylabel("instances closed")
    axes.set_title(f"n = {len(rows)}, {limit:g} s each")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _growth(rows: Sequence[Row]) -> Figure:
    """Nodes and seconds against radius and unstable neurons, a panel each; log scales."""
    figure = Figure(figsize=(10.0, 10.4), layout="constrained")
    panels: Any = figure.subplots(3, 2)
    found = [row for row in rows if row["upper"] is not None]
    neurons = [_unstable(row) for row in found]
    causes = (
        ("radius of the witness, L-inf", "linf", [row["upper"] for row in found]),
        ("radius of the witness, L1", "l1", [row["upper"] for row in found]),
        ("unstable neurons at the root", None, neurons),
    )
    for line, (cause, norm, values) in zip(panels, causes, strict=True):
        for axes, effect in zip(line, ("nodes", "seconds"), strict=True):
            _scatter(axes, found, values, effect, norm)
            axes.set_xlabel(cause)
            axes.set_ylabel(effect)
    for axes in panels[:, 0]:
        axes.legend(fontsize="small")
    figure.suptitle("filled: closed; hollow: open when its time was over")
    return figure


def _scatter(
    axes: Axes, rows: Sequence[Row], values: Sequence[float], effect: str, norm: str | None
) -> None:
    for (network, kind), (label, colour) in GROUPS.items():
        if norm not in (None, kind):
            continue
        for closed in (True, False):
            points = [
                (value, max(row[effect], 1e-2 if effect == "seconds" else 1.0))
                for row, value in zip(rows, values, strict=True)
                if (row["network"], row["norm"], row["closed"]) == (network, kind, closed)
            ]
            x, y = np.array(points).reshape(-1, 2).T
            name = label if closed else "_nolegend_"
            face = colour if closed else "none"
            axes.scatter(x, y, s=18, facecolors=face, edgecolors=colour, linewidths=0.8, label=name)
    axes.set_yscale("log")
    axes.grid(alpha=0.3)


def _unstable(row: Row) -> int:
    """Neurons unstable within the witness's radius, as the row says, or computed for old rows."""
    if row.get("unstable") is not None:
        return int(row["unstable"])
    about = subject(row["network"])
    found = unstable(about.network, about.ball(row["image"], row["norm"]), row["upper"])
    assert found is not None
    return found
