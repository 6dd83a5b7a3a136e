"""A patch as a perturbation seen from inside: docs/pictures/patch_from_inside.svg."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from style import (
    DELTA,
    GREEN,
    GREEN_PALE,
    GREY,
    INK,
    PALE,
    PROOF,
    PROOF_PALE,
    WITNESS,
    WITNESS_PALE,
    Point,
    arrow,
    canvas,
    lane,
    note,
    save,
)

ENTERING = np.array([0.5, 2.0, 0.0, 1.5])
"""h: what enters the layer."""

CHANGE = 1.0
"""What the pre-activation is to move by."""


def neuron(axes: Axes, middle: Point, text: str, edge: str, face: str) -> None:
    """A circle with a number in it."""
    axes.add_patch(Circle(middle, 0.3, edgecolor=edge, facecolor=face, linewidth=1.4, zorder=3))
    axes.text(*middle, text, ha="center", va="center", fontsize=9.5, zorder=4)


def network(axes: Axes) -> None:
    """The layer that is patched, and the tail behind it."""
    places = [(1.0, 4.35 - 0.95 * i) for i in range(4)]
    ends = [(3.5, 3.85), (3.5, 2.95), (3.5, 2.05)]
    for start in places:
        for end in ends:
            axes.plot(*zip(start, end, strict=True), color=GREY, linewidth=0.8, zorder=1)
    for start, value in zip(places, ENTERING, strict=True):
        if value:  # a change of a weight on 0 changes nothing
            axes.plot(*zip(start, ends[1], strict=True), color=WITNESS, linewidth=2.0, zorder=2)
    for place, value in zip(places, ENTERING, strict=True):
        neuron(axes, place, f"{value:g}", INK, PALE)
    for end, name in zip(ends, ("", f"{DELTA}z", ""), strict=True):
        chosen = name != ""
        neuron(axes, end, name, WITNESS if chosen else INK, WITNESS_PALE if chosen else PALE)
    note(axes, (1.0, 5.0), "h, known", color=INK, fontsize=10)
    note(axes, (2.2, 5.0), "weights W + E", color=WITNESS, fontsize=10)
    note(axes, (3.5, 4.6), "z + " + DELTA + "z", color=INK, fontsize=10)
    lane(axes, (4.25, 1.75), (1.85, 2.4), PROOF_PALE)
    note(axes, (5.17, 3.2), "the tail", color=PROOF, fontsize=11, weight="bold")
    note(axes, (5.17, 2.9), "a network whose", color=INK)
    note(axes, (5.17, 2.7), "input is z + " + DELTA + "z", color=INK)
    for end in ends:
        arrow(axes, (end[0] + 0.32, end[1]), (4.25, 2.95 + 0.75 * (end[1] - 2.95)))
    lane(axes, (6.5, 2.55), (1.2, 0.8), GREEN_PALE)
    note(axes, (7.1, 2.95), "decided\nas wanted", color=GREEN, fontsize=9.5)
    arrow(axes, (6.1, 2.95), (6.5, 2.95), color=GREEN)
    note(
        axes,
        (3.9, 0.85),
        f"{DELTA}z = E h, so the least patch is the nearest input",
        color=INK,
        fontsize=10,
    )
    note(axes, (3.9, 0.55), "of the tail, around z, times a constant", color=INK, fontsize=10)


def bars(axes: Axes, left: float, bottom: float, weights: Sequence[float], color: str) -> None:
    """The row of E as bars over the entries of h."""
    axes.plot([left - 0.1, left + 2.3], [bottom, bottom], color=GREY, linewidth=0.9)
    for i, weight in enumerate(weights):
        x = left + 0.25 + 0.6 * i
        if weight:
            axes.bar(x, 1.6 * weight, width=0.34, bottom=bottom, color=color)
            note(axes, (x, bottom + 1.6 * weight + 0.13), f"{weight:g}", color=color)
        note(axes, (x, bottom - 0.15), f"h = {ENTERING[i]:g}", fontsize=8)


def main() -> None:
    """Draw it."""
    figure, axes = canvas(11.0, 5.4)
    network(axes)
    even = CHANGE / ENTERING.sum() * np.sign(ENTERING)
    single = np.where(np.arange(4) == ENTERING.argmax(), CHANGE / ENTERING.max(), 0.0)
    heading = {"ha": "left", "fontsize": 10.5, "weight": "bold"}
    formula = {"ha": "left", "fontsize": 10.5, "color": INK}
    note(axes, (8.3, 5.0), "least largest change: spread", color=WITNESS, **heading)
    bars(axes, 8.4, 3.75, even.tolist(), WITNESS)
    note(axes, (8.3, 3.25), r"$\max_i |E_i| = |\Delta z| \, / \, \|h\|_1 = 1/4$", **formula)
    note(axes, (8.3, 2.5), "least sum: all on one largest", color=PROOF, **heading)
    bars(axes, 8.4, 1.2, single.tolist(), PROOF)
    note(axes, (8.3, 0.7), r"$\sum_i |E_i| = |\Delta z| \, / \, \|h\|_\infty = 1/2$", **formula)
    save(figure, "patch_from_inside")


if __name__ == "__main__":
    main()
