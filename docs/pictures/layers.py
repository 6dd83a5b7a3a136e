"""The layers of the import contract of pyproject.toml: docs/pictures/layers.svg."""

from __future__ import annotations

import tomllib

from matplotlib.patches import FancyBboxPatch
from style import (
    FOLDER,
    GREEN,
    GREEN_PALE,
    GREY,
    INK,
    PALE,
    PROOF,
    PROOF_PALE,
    WITNESS,
    WITNESS_PALE,
    arrow,
    canvas,
    note,
    save,
)

WIDTH, STEP = 9.0, 0.42

SAYS = {
    "cli": "a module a command",
    "patch_attacks": "AIGENT",
    "groundtruth": "the use cases",
    "certificates": "trees checked anew; file formats",
    "search": "bisection, descent, branch and bound",
    "witnesses": "what only proposes; questions of one's own",
    "solvers": "Marabou, HiGHS, enumeration",
    "query": "rows, ReLUs, disjunctions",
    "bounds": "CROWN, multipliers, rounded outward",
    "linear_programs": "HiGHS kept warm; questions, verdicts, replay",
    "network": "files, layers, the standard form",
    "reporting": "what is shown; data sets by name",
    "arithmetic": "rounding; files read within limits",
    "marapatch_encodings": "the mathematical kernel",
    "errors": "the exceptions",
}

COLOURS = {
    "patch_attacks": (GREEN, GREEN_PALE),
    "groundtruth": (GREEN, GREEN_PALE),
    "verification": (GREEN, GREEN_PALE),
    "patching": (GREEN, GREEN_PALE),
    "witnesses": (WITNESS, WITNESS_PALE),
    "search": (PROOF, PROOF_PALE),
    "bounds": (PROOF, PROOF_PALE),
    "certificates": (PROOF, PROOF_PALE),
}


def main() -> None:
    """Draw it."""
    contracts = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    layers = contracts["tool"]["importlinter"]["contracts"][0]["layers"]
    height = STEP * len(layers) + 0.5
    figure, axes = canvas(WIDTH, height)
    for i, layer in enumerate(layers):
        names = [name.strip().removeprefix("marapatch.") for name in layer.split("|")]
        y = height - 0.25 - STEP * (i + 1)
        across = 4.9 / len(names)
        for k, name in enumerate(names):
            edge, face = COLOURS.get(name, (GREY, PALE))
            corner = (0.6 + across * k + 0.04, y + 0.05)
            style = "round,pad=0,rounding_size=0.06"
            axes.add_patch(
                FancyBboxPatch(
                    corner,
                    across - 0.08,
                    STEP - 0.1,
                    boxstyle=style,
                    edgecolor=edge,
                    facecolor=face,
                    linewidth=1.1,
                )
            )
            middle = (corner[0] + (across - 0.08) / 2, y + STEP / 2)
            note(axes, middle, name, color=INK, fontsize=9.5)
        note(axes, (5.7, y + STEP / 2), SAYS.get(names[0], ""), ha="left", fontsize=9)
    arrow(axes, (0.3, height - 0.3), (0.3, 0.3))
    axes.text(0.14, height / 2, "imports", rotation=90, ha="center", va="center", color=GREY)
    save(figure, "layers")


if __name__ == "__main__":
    main()
