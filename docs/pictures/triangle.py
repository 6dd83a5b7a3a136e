"""The triangle relaxation, with alpha and beta: docs/pictures/triangle.svg."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from style import ALPHA, BETA, GREY, INK, PALE, PROOF, PROOF_PALE, WITNESS, save

LOW, HIGH = -1.4, 2.0
AT_LEAST = r"$\geq$"


def alpha(axes: Axes) -> None:
    """ReLU between the chord above and a line of slope alpha below."""
    z = np.array([LOW, 0.0, HIGH])
    ends = z[[0, 2]]
    axes.fill(z[[0, 2, 1]], [0.0, HIGH, 0.0], color=PROOF_PALE, zorder=0)
    axes.plot(ends, [0.0, HIGH], color=PROOF, linewidth=2.0)
    axes.plot(z, np.maximum(z, 0.0), color=INK, linewidth=2.8, zorder=3)
    for slope, style in ((0.0, ":"), (0.4, "-"), (1.0, ":")):
        axes.plot(ends, slope * ends, color=WITNESS, linewidth=1.9, linestyle=style, zorder=2)
    chord = {"rotation": 29, "rotation_mode": "anchor", "ha": "center", "va": "bottom"}
    axes.text(0.93, 1.42, "chord  u (z - l) / (u - l)", color=PROOF, fontsize=10, **chord)
    axes.text(1.5, 1.2, "relu(z)", color=INK, fontsize=10.5, fontweight="bold")
    axes.text(2.06, 0.8, f"{ALPHA} z,  {ALPHA} = 0.4", color=WITNESS, va="center")
    axes.text(0.75, -0.12, f"{ALPHA} = 0", color=WITNESS, ha="center", va="top")
    axes.text(-1.0, -1.22, f"{ALPHA} = 1", color=WITNESS, ha="left", va="center")
    frame(axes)
    for x, name, up in ((LOW, "l", 0.1), (HIGH, "u", -0.32)):
        axes.plot([x, x], [-0.07, 0.07], color=INK, linewidth=1.4, zorder=4)
        axes.text(x, up, name, ha="center", fontsize=12, style="italic")
    axes.set_xlim(-1.8, 3.1)
    axes.set_title(f"An unstable neuron, l < 0 < u: any {ALPHA} in [0, 1] is sound", fontsize=11)


def beta(axes: Axes) -> None:
    """A bound in a node where z >= 0 was decided, tilted by beta."""
    z = np.array([LOW, HIGH])
    slope, constant = 0.62, 0.5
    axes.axvspan(LOW, 0.0, ymin=0.02, ymax=0.98, color=PALE, zorder=0)
    axes.axvspan(0.0, HIGH, ymin=0.02, ymax=0.98, color=PROOF_PALE, zorder=0)
    axes.plot(z, slope * z + constant, color=WITNESS, linewidth=2.4)
    axes.plot(z, [constant, constant], color=PROOF, linewidth=2.4)
    axes.plot([LOW], [slope * LOW + constant], "o", color=WITNESS, markersize=8)
    axes.plot([LOW], [constant], "o", color=PROOF, markersize=8)
    axes.annotate(
        "",
        (LOW, constant - 0.07),
        (LOW, slope * LOW + constant + 0.07),
        arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 1.4},
    )
    axes.text(0.95, 1.52, "bound", color=WITNESS, ha="right")
    axes.text(1.0, 0.3, f"bound - {BETA} z", color=PROOF, ha="center", va="top")
    axes.text(LOW / 2, -1.2, "z < 0: not in\nthis node", color=GREY, ha="center", va="center")
    axes.text(
        HIGH / 2,
        -1.2,
        "z \N{GREATER-THAN OR EQUAL TO} 0:\nthe node",
        color=PROOF,
        ha="center",
        va="center",
    )
    axes.text(
        LOW - 0.12,
        slope * LOW + constant,
        "least < 0:\nopen",
        color=WITNESS,
        ha="right",
        va="center",
    )
    axes.text(LOW - 0.12, constant, "least > 0:\nrefuted", color=PROOF, ha="right", va="center")
    frame(axes)
    axes.set_xlim(-2.6, 2.5)
    axes.set_title(
        f"A node in which z {AT_LEAST} 0: any {BETA} {AT_LEAST} 0 is sound",
        fontsize=11,
    )


def frame(axes: Axes) -> None:
    """Thin axes through 0, nothing else."""
    axes.axhline(0.0, color=GREY, linewidth=0.8, zorder=1)
    axes.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    axes.text(0.985, 0.36, "z", fontsize=12, style="italic", ha="right", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylim(-1.5, 2.3)
    for side in axes.spines.values():
        side.set_visible(False)


def main() -> None:
    """Draw it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.0, 4.6))
    alpha(left)
    beta(right)
    figure.tight_layout(w_pad=2.0)
    save(figure, "triangle")


if __name__ == "__main__":
    main()
