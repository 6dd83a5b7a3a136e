"""Pictures of patches: the change of the weights, or the brackets by layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib.figure import Figure

from marapatch.patching.patch import Patch
from marapatch.patching.report import NORMS


def plot_patches(patches: Sequence[Patch], path: Path) -> None:
    """Draw one patch as a map of its changes, several as one bracket a layer; write ``path``."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    if len(patches) == 1:
        (patch,) = patches
        delta = np.zeros((1, 1)) if patch.delta is None else patch.delta
        flat = delta.reshape(delta.shape[0], -1)
        most = float(np.abs(flat).max()) or 1.0
        shown = axes.imshow(
            flat, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest"
        )
        figure.colorbar(shown, ax=axes, label="change of the weight")
        axes.set_xlabel("source")
        axes.set_ylabel("neuron")
        size = f"{NORMS[patch.norm]} {patch.upper:.6g}"
        axes.set_title(f"layer {patch.layer.number} ({patch.layer.node}), {size}")
    else:
        for patch in patches:
            number = patch.layer.number
            if isfinite(patch.lower) and isfinite(patch.upper):
                axes.plot([number, number], [patch.lower, patch.upper], "C0", linewidth=3)
            if isfinite(patch.upper):
                axes.plot([number], [patch.upper], "C0_", markersize=14)
            if isfinite(patch.lower) and patch.lower > 0.0:
                axes.plot([number], [patch.lower], "C1_", markersize=14)
        axes.set_yscale("log")
        axes.set_xlabel("layer")
        axes.set_ylabel(f"least {NORMS[patches[0].norm]} patch (lower, upper)")
        axes.set_xticks([patch.layer.number for patch in patches])
    figure.savefig(path)
