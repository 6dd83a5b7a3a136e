"""The way of the data through a ground truth: docs/pictures/way_of_the_data.svg."""

from __future__ import annotations

from style import (
    GREEN,
    GREEN_PALE,
    INK,
    PALE,
    PROOF,
    PROOF_PALE,
    WITNESS,
    WITNESS_PALE,
    arrow,
    box,
    canvas,
    lane,
    note,
    save,
)


def main() -> None:
    """Draw it."""
    figure, axes = canvas(12.0, 5.7)

    # Files in, on the left.
    box(axes, (0.98, 4.2), (1.6, 0.86), "network", "net.onnx, net.nnet", face=PALE)
    box(axes, (0.98, 1.5), (1.6, 0.86), "input, box", "image.npy, .png, ...", face=PALE)
    box(axes, (3.05, 4.2), (1.75, 0.86), "read", "network/", edge=INK)
    box(axes, (3.05, 1.5), (1.75, 0.86), "read", "formats/, files/", edge=INK)
    box(
        axes, (3.05, 2.85), (1.75, 0.95), "question", "ball, condition,\nreplay: problem/", edge=INK
    )
    arrow(axes, (1.78, 4.2), (2.18, 4.2))
    arrow(axes, (1.78, 1.5), (2.18, 1.5))
    arrow(axes, (3.05, 3.77), (3.05, 3.32))
    arrow(axes, (3.05, 1.93), (3.05, 2.38))

    # What only proposes, above.
    lane(axes, (4.4, 3.55), (4.6, 1.95), WITNESS_PALE)
    note(axes, (6.7, 5.25), "what only proposes", color=WITNESS, fontsize=10.5, weight="bold")
    box(axes, (5.57, 4.55), (1.95, 0.82), "attack, polish", "witnesses/", edge=WITNESS)
    box(axes, (7.83, 4.55), (1.95, 0.82), "linear programs", "linear_programs/", edge=WITNESS)
    note(axes, (6.7, 3.83), "inputs, minimisers, a solver's assignments", color=INK)

    # What proves, below.
    lane(axes, (4.4, 0.2), (4.6, 2.42), PROOF_PALE)
    note(axes, (6.7, 0.45), "what proves", color=PROOF, fontsize=10.5, weight="bold")
    box(axes, (5.57, 2.0), (1.95, 0.82), "first lower end", "bounds/", edge=PROOF)
    box(axes, (7.83, 2.0), (1.95, 0.82), "tree: split, bound", "search/, bounds/", edge=PROOF)
    box(axes, (7.83, 1.04), (1.95, 0.68), "leaf: a solver", "query/, solvers/", edge=PROOF)
    arrow(axes, (7.83, 1.6), (7.83, 1.37), color=PROOF)
    note(axes, (5.57, 1.22), "rounded outward", color=INK)
    note(axes, (5.57, 0.98), "a solver is asked for", color=INK)
    note(axes, (5.57, 0.8), "more than is claimed", color=INK)

    # From the question to both, and between the two.
    arrow(axes, (3.93, 3.05), (4.58, 4.3), color=WITNESS)
    arrow(axes, (3.93, 2.65), (4.58, 2.15), color=PROOF)
    arrow(axes, (7.2, 3.55), (7.2, 2.42))
    note(axes, (7.1, 3.08), "multipliers", ha="right")
    arrow(axes, (7.75, 2.42), (7.75, 3.55))
    note(axes, (7.85, 3.08), "points", ha="left")

    # Into the bracket, and out.
    box(axes, (10.5, 4.55), (1.7, 0.82), "replay", "problem/", edge=WITNESS)
    arrow(axes, (9.02, 4.55), (9.64, 4.55), color=WITNESS)
    box(
        axes,
        (10.5, 2.85),
        (2.1, 0.95),
        "bracket",
        r"lower $\leq$ d* $\leq$ upper",
        edge=INK,
        face=PALE,
    )
    arrow(axes, (10.5, 4.13), (10.5, 3.33), color=WITNESS)
    note(axes, (10.62, 3.75), "witness: upper", color=WITNESS, ha="left")
    arrow(axes, (9.02, 1.3), (9.85, 2.36), color=PROOF)
    note(axes, (9.62, 1.72), "refuted: lower", color=PROOF, ha="left")
    arrow(axes, (9.44, 2.95), (8.83, 2.25), dashed=True)
    note(axes, (8.98, 3.02), "radius\nto refute", fontsize=8.4)
    box(
        axes,
        (10.9, 0.75),
        (1.9, 0.98),
        "answer",
        "report, JSON, picture,\ntree to recheck",
        edge=GREEN,
        face=GREEN_PALE,
    )
    arrow(axes, (11.3, 2.37), (11.3, 1.25), color=GREEN)
    save(figure, "way_of_the_data")


if __name__ == "__main__":
    main()
