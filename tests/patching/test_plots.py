"""Pictures of patches: the change of one, the brackets of several."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marapatch.network.graph import dense_network
from marapatch.patching.api import minimal_patch
from marapatch.patching.patch import Patch
from marapatch.patching.plots import plot_patches


@pytest.fixture(scope="module")
def found() -> Patch:
    network = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    return minimal_patch(network, [1.0, 0.5], 1, layer="last", margin=0.0)


def colours(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)


def test_a_rise_is_red_and_a_fall_is_blue(found: Patch, tmp_path: Path) -> None:
    assert found.delta is not None
    for sign in (1.0, -1.0):
        plot_patches([replace(found, delta=sign * np.ones((1, 2)))], tmp_path / "one.png")
        red, _, blue = colours(tmp_path / "one.png").T
        strong = np.abs(red - blue) > 60
        share = (red > blue)[strong].mean()
        assert share > 0.6 if sign > 0.0 else share < 0.4


def test_brackets_of_layers_are_drawn_as_far_as_they_are_known(
    found: Patch, tmp_path: Path
) -> None:
    several = [found, replace(found, upper=inf), replace(found, lower=inf, upper=inf)]
    plot_patches(several, tmp_path / "all.png")
    plot_patches(several[1:], tmp_path / "fewer.png")
    blue = [
        int(((b > 150) & (r < 80)).sum())
        for r, _, b in (colours(tmp_path / name).T for name in ("all.png", "fewer.png"))
    ]
    assert blue[0] > blue[1]
