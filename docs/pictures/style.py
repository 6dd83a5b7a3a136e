"""What the pictures of the docs have in common: colours, boxes, arrows, how they are written."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

FOLDER = Path(__file__).resolve().parent

INK, GREY, PALE = "#22303c", "#6b7a88", "#eef1f4"
PROOF, PROOF_PALE = "#1f5fa8", "#dde9f6"
WITNESS, WITNESS_PALE = "#b84e12", "#fbe7d9"
GREEN, GREEN_PALE = "#2f7d4f", "#dff0e5"

ALPHA, BETA, DELTA = r"$\alpha$", r"$\beta$", r"$\Delta$"

Point = tuple[float, float]

mpl.rcParams.update(
    {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "svg.hashsalt": "marapatch",
        "savefig.facecolor": "white",
        "mathtext.fontset": "dejavusans",
    }
)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches whose axes are in inches, without a frame."""
    figure = plt.figure(figsize=(width, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
    axes.axis("off")
    return figure, axes


def lane(axes: Axes, corner: Point, size: Point, face: str) -> None:
    """A pale area behind boxes."""
    style = "round,pad=0,rounding_size=0.2"
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, facecolor=face, edgecolor="none"))


def box(
    axes: Axes,
    middle: Point,
    size: Point,
    title: str,
    below: str = "",
    *,
    edge: str = GREY,
    face: str = "white",
) -> None:
    """A rounded box: a title and, smaller, what is below it."""
    (x, y), (width, height) = middle, size
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.1",
            edgecolor=edge,
            facecolor=face,
            linewidth=1.3,
        )
    )
    lines = below.count("\n") + 1 if below else 0
    step = 0.165
    top = y + step * lines / 2
    axes.text(x, top, title, ha="center", va="center", fontsize=10.5, fontweight="bold")
    for i, line in enumerate(below.splitlines()):
        axes.text(x, top - 0.2 - step * i, line, ha="center", va="center", fontsize=8.8)


def arrow(
    axes: Axes,
    start: Point,
    end: Point,
    *,
    color: str = GREY,
    bend: float = 0.0,
    dashed: bool = False,
) -> None:
    """An arrow; ``bend``: how far it is curved."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            color=color,
            linewidth=1.4,
            linestyle="--" if dashed else "-",
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=2,
            shrinkB=2,
        )
    )


def note(axes: Axes, place: Point, text: str, **options: object) -> None:
    """Small text."""
    chosen = {"ha": "center", "va": "center", "fontsize": 8.8, "color": GREY, **options}
    axes.text(*place, text, **chosen)


def save(figure: Figure, name: str) -> None:
    """Write the figure as ``name``.svg beside this file, the same bytes at every run."""
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
