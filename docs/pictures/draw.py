"""Draw the pictures of the documentation: ``python docs/pictures/draw.py``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

FOLDER = Path(__file__).parent
INK, SOFT, BLUE, ORANGE, GREEN = "#22303c", "#8a97a3", "#2f6db5", "#d9772b", "#3c8d5a"


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure whose axes are as large as it is, in inches, without a frame."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
    axes.axis("off")
    return figure, axes


def box(axes: Axes, x: float, y: float, size: tuple[float, float], text: str, colour: str) -> None:
    """A rounded box around a text, its centre at (x, y)."""
    width, height = size
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.12",
            facecolor=colour + "1c",
            edgecolor=colour,
            linewidth=1.4,
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=10, color=INK, linespacing=1.35)


def arrow(
    axes: Axes, start: Sequence[float], end: Sequence[float], text: str = "", bend: float = 0.0
) -> None:
    """An arrow, with a text beside its middle."""
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": SOFT,
            "linewidth": 1.3,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x, y + 0.13, text, ha="center", va="bottom", fontsize=9, color=SOFT)


def data_way() -> Figure:
    """From a file to a bracket."""
    figure, axes = canvas(9.6, 3.5)
    size = (1.35, 0.85)
    steps = [
        ("read\nnetwork, image", SOFT),
        ("specify\nball, condition", SOFT),
        ("bound\nfirst lower end", BLUE),
        ("attack\nfirst witness", ORANGE),
        ("polish\nnearer witness", ORANGE),
    ]
    for i, (text, colour) in enumerate(steps):
        x = 0.95 + 1.9 * i
        box(axes, x, 2.85, size, text, colour)
        if i:
            arrow(axes, (x - 1.9 + 0.7, 2.85), (x - 0.72, 2.85))
    loop = [
        (8.55, "split\na node in two", GREEN),
        (6.55, "bound\nits parts", BLUE),
        (4.55, "replay\nwhat is feasible", ORANGE),
        (2.55, "tighten\n[lower, upper]", GREEN),
    ]
    arrow(axes, (8.55, 2.4), (8.55, 1.62))
    for i, (x, text, colour) in enumerate(loop):
        box(axes, x, 1.15, (1.5, 0.85), text, colour)
        if i:
            arrow(axes, (x + 2.0 - 0.78, 1.15), (x + 0.8, 1.15))
    arrow(axes, (2.55, 0.68), (8.55, 0.68), bend=0.16)
    axes.text(5.55, 0.06, "until the bracket is closed, or the time is over", ha="center",
              fontsize=9, color=SOFT)  # fmt: skip
    box(axes, 0.75, 1.15, (1.1, 0.85), "report", SOFT)
    arrow(axes, (1.76, 1.15), (1.34, 1.15))
    return figure


def triangle() -> Figure:
    """The relaxation of an unstable ReLU, and what a phase does to it."""
    figure = Figure(figsize=(9.6, 3.7), facecolor="white")
    FigureCanvasAgg(figure)
    low, high, alpha = -1.5, 2.0, 0.35
    for place, split in enumerate((False, True)):
        axes = figure.add_axes((0.06 + 0.49 * place, 0.12, 0.42, 0.74))
        z = np.linspace(low, high, 200)
        axes.axhline(0.0, color=SOFT, linewidth=0.8)
        axes.axvline(0.0, color=SOFT, linewidth=0.8)
        chord = high * (z - low) / (high - low)
        if split:
            z = np.linspace(0.0, high, 100)
            axes.fill_between([low, 0.0], -0.55, 2.35, color=SOFT, alpha=0.12, linewidth=0.0)
            axes.plot(z, z, color=INK, linewidth=2.4)
            axes.text(-0.75, 1.35, "cut off by the phase\n$z \\geq 0$", ha="center", fontsize=10,
                      color=SOFT)  # fmt: skip
            axes.text(0.2, -0.38, "its multiplier $\\beta \\geq 0$ adds $-\\beta z$\nto the bound",
                      fontsize=10, color=GREEN, va="center", ha="left")  # fmt: skip
            axes.set_title("fixed active: exact", fontsize=11, color=INK)
        else:
            floor = np.maximum(alpha * z, np.maximum(z, 0.0) * 0.0 + alpha * z)
            axes.fill_between(z, np.maximum(z, 0.0), chord, color=BLUE, alpha=0.14, linewidth=0.0)
            axes.plot(z, chord, color=BLUE, linewidth=2.0)
            axes.plot(z, floor, color=ORANGE, linewidth=2.0)
            axes.plot(z, np.maximum(z, 0.0), color=INK, linewidth=2.4)
            axes.text(-0.62, 1.12, "upper line (chord)", fontsize=10, color=BLUE, ha="center",
                      rotation=30)  # fmt: skip
            axes.text(0.62, -0.3, "lower line $\\alpha z$, any $\\alpha$ in [0, 1]", fontsize=10,
                      color=ORANGE, ha="left")  # fmt: skip
            axes.text(1.42, 1.02, "relu(z)", fontsize=10, color=INK)
            axes.set_title("unstable: between two lines", fontsize=11, color=INK)
        axes.set_xlim(low - 0.1, high + 0.35)
        axes.set_ylim(-0.62, 2.35)
        axes.set_xticks([low, 0.0, high], ["l", "0", "u"])
        axes.set_yticks([])
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axes.tick_params(length=0, labelcolor=INK)
    return figure


def patch_inside() -> Figure:
    """A patch of a layer is a perturbation of what enters the rest."""
    figure, axes = canvas(9.6, 3.6)
    rows = [(2.65, "ground truth", "x", "x + d"), (0.95, "patch of layer k", "z", "z + Δz")]
    for y, title, before, after in rows:
        axes.text(0.15, y + 0.72, title, fontsize=11, color=INK, weight="bold")
        if title == "ground truth":
            box(axes, 1.1, y, (1.3, 0.8), f"input\n{before}", SOFT)
            arrow(axes, (1.8, y), (3.9, y), "move by d, |d| least")
            box(axes, 4.7, y, (1.4, 0.8), after, ORANGE)
            arrow(axes, (5.45, y), (6.25, y))
            box(axes, 7.25, y, (1.8, 0.8), "whole network", BLUE)
        else:
            box(axes, 1.1, y, (1.5, 0.8), "activations\nh", SOFT)
            arrow(axes, (1.9, y), (3.9, y), "weights W + E")
            box(axes, 4.7, y, (1.4, 0.8), f"{after}\nΔz = E·h", ORANGE)
            arrow(axes, (5.45, y), (6.25, y))
            box(axes, 7.25, y, (1.8, 0.8), "tail network", BLUE)
        arrow(axes, (8.2, y), (8.62, y))
        axes.text(8.68, y, "wanted\nclass", fontsize=10, color=INK, va="center")
    largest = "least largest change of E  =  max |Δz| / ‖h‖₁"
    total = "least sum of changes of E  =  Σ |Δz| / ‖h‖∞"
    axes.text(2.6, 0.12, largest, ha="center", fontsize=10, color=INK)
    axes.text(7.0, 0.12, total, ha="center", fontsize=10, color=INK)
    return figure


def node_life() -> Figure:
    """What becomes of a sub-problem."""
    figure, axes = canvas(9.6, 4.2)
    box(axes, 1.0, 3.2, (1.5, 0.8), "a node:\nsome phases fixed", GREEN)
    box(axes, 3.6, 3.2, (1.7, 0.8), "bounded: refuted\nup to radius r", BLUE)
    box(axes, 6.6, 3.2, (1.6, 0.8), "open, in a queue\nby r", GREEN)
    box(axes, 8.75, 3.2, (1.35, 0.8), "refuted", SOFT)
    box(axes, 6.6, 1.75, (1.6, 0.8), "split: one neuron\nactive, inactive", GREEN)
    box(axes, 3.6, 1.75, (1.7, 0.8), "leaf: no unstable\nneuron is left", ORANGE)
    box(axes, 1.0, 1.75, (1.5, 0.8), "linear program\nover its region", ORANGE)
    box(axes, 1.0, 0.45, (1.7, 0.7), "infeasible: refuted", SOFT)
    box(axes, 4.2, 0.45, (2.0, 0.7), "feasible: a witness,\nreplayed and polished", ORANGE)
    box(axes, 7.6, 0.45, (2.2, 0.7), "undecided: a solver is\nasked, or unresolved", SOFT)
    arrow(axes, (1.78, 3.2), (2.72, 3.2))
    arrow(axes, (4.48, 3.2), (5.76, 3.2), "r < target")
    arrow(axes, (4.0, 3.62), (8.75, 3.63), bend=-0.1)
    axes.text(6.3, 4.02, "r ≥ target", fontsize=9, color=SOFT, ha="center")
    arrow(axes, (6.6, 2.78), (6.6, 2.17))
    axes.text(6.7, 2.47, "least r first", fontsize=9, color=SOFT, va="center")
    arrow(axes, (5.78, 1.95), (4.3, 2.76), bend=0.0)
    axes.text(5.42, 2.42, "two nodes", fontsize=9, color=SOFT, ha="center")
    arrow(axes, (3.6, 2.78), (3.6, 2.17))
    arrow(axes, (2.72, 1.75), (1.78, 1.75))
    arrow(axes, (1.0, 1.33), (1.0, 0.83))
    arrow(axes, (1.5, 1.33), (3.6, 0.84))
    arrow(axes, (1.7, 1.33), (6.6, 0.84))
    return figure


PICTURES = {
    "data_way.png": data_way,
    "triangle.png": triangle,
    "patch_inside.png": patch_inside,
    "node_life.png": node_life,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().savefig(FOLDER / name, dpi=110)
