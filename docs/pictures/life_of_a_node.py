"""The life of a node of the tree: docs/pictures/life_of_a_node.svg."""

from __future__ import annotations

from matplotlib.axes import Axes
from style import (
    GREEN,
    GREEN_PALE,
    GREY,
    INK,
    PALE,
    PROOF,
    PROOF_PALE,
    WITNESS,
    Point,
    arrow,
    box,
    canvas,
    note,
    save,
)

SIZE = (2.4, 0.98)
TOP, MIDDLE, LOW = 4.75, 2.75, 0.95
LEFT, SECOND, THIRD, RIGHT = 1.5, 4.6, 7.5, 10.4


def path(axes: Axes, *points: Point, color: str) -> None:
    """A bent arrow through ``points``."""
    axes.plot(*zip(*points[:-1], strict=True), color=color, linewidth=1.4, solid_joinstyle="round")
    arrow(axes, points[-2], points[-1], color=color)


def main() -> None:
    """Draw it."""
    figure, axes = canvas(12.0, 6.2)

    # Along the top: what is done with a node that has unstable neurons.
    about = "in the queue: the node\nrefuted least comes first"
    box(axes, (LEFT, TOP), SIZE, "open", about, edge=INK, face=PALE)
    box(axes, (SECOND, TOP), SIZE, "split", "one unstable neuron,\ntwo children", edge=PROOF)
    about = "inner bounds, under the\ncut of the node above"
    box(axes, (THIRD, TOP), SIZE, "tighten", about, edge=PROOF)
    about = "alpha, beta, lambda by\nsupergradient steps"
    box(axes, (RIGHT, TOP), SIZE, "bound", about, edge=PROOF)
    for start, end in ((LEFT, SECOND), (SECOND, THIRD), (THIRD, RIGHT)):
        arrow(axes, (start + 1.22, TOP), (end - 1.22, TOP), color=PROOF)
    back = TOP + 0.85
    path(axes, (RIGHT, TOP + 0.5), (RIGHT, back), (LEFT, back), (LEFT, TOP + 0.5), color=INK)
    text = (
        "not refuted: open, with the radius that is refuted; the least of all open nodes is lower"
    )
    note(axes, (0.5 * (LEFT + RIGHT), back + 0.17), text, color=INK)

    # Multipliers, and the end of most nodes.
    about = "proposes multipliers\nwhere it pays"
    box(axes, (THIRD, MIDDLE), SIZE, "linear program", about, edge=WITNESS)
    arrow(axes, (9.5, TOP - 0.5), (8.1, MIDDLE + 0.51), color=GREY)
    arrow(axes, (8.5, MIDDLE + 0.51), (9.9, TOP - 0.5), color=WITNESS)
    about = "least value > 0 over the\nball: closed for good"
    box(axes, (RIGHT, MIDDLE), SIZE, "refuted", about, edge=PROOF, face=PROOF_PALE)
    arrow(axes, (RIGHT + 0.3, TOP - 0.5), (RIGHT + 0.3, MIDDLE + 0.51), color=PROOF)
    note(axes, (RIGHT + 0.42, 0.5 * (TOP + MIDDLE)), "> 0", color=PROOF, ha="left")

    # A leaf.
    about = "all phases fixed:\none linear program"
    box(axes, (SECOND, MIDDLE), SIZE, "leaf", about, edge=INK)
    arrow(axes, (LEFT + 0.4, TOP - 0.5), (SECOND - 0.8, MIDDLE + 0.51), color=INK)
    note(axes, (2.45, 3.6), "no unstable\nneuron", color=INK, ha="right")
    arrow(axes, (SECOND + 0.9, MIDDLE - 0.5), (THIRD - 0.8, LOW + 0.51), color=GREY)
    note(axes, (5.75, 1.7), "neither", ha="right")
    about = "for what rounding leaves;\nevidence: solver"
    box(axes, (THIRD, LOW), SIZE, "solver", about, edge=WITNESS)
    arrow(axes, (THIRD + 0.9, LOW + 0.51), (RIGHT - 0.7, MIDDLE - 0.51), color=PROOF)
    note(axes, (9.25, 1.78), "unsat", color=PROOF, ha="left")
    arrow(axes, (SECOND, MIDDLE + 0.5), (SECOND, 3.55), color=PROOF)
    note(axes, (SECOND, 3.7), "refuted, by its dual values", color=PROOF)
    box(axes, (RIGHT, LOW), SIZE, "unresolved", "lower ends at its radius", edge=GREY)
    arrow(axes, (THIRD + 1.22, LOW), (RIGHT - 1.22, LOW), dashed=True)

    # Witnesses.
    about = "replayed and polished: less\nis to be refuted everywhere"
    box(axes, (LEFT, LOW), SIZE, "witness", about, edge=GREEN, face=GREEN_PALE)
    arrow(axes, (SECOND - 0.9, MIDDLE - 0.5), (LEFT + 0.8, LOW + 0.51), color=GREEN)
    note(axes, (3.15, 1.75), "feasible", color=GREEN, ha="left")
    save(figure, "life_of_a_node")


if __name__ == "__main__":
    main()
