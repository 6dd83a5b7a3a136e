"""Marked networks as pictures: colours by marks, and none of what is too large to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.patching import mark_plots
from marapatch.patching.mark_graph import Marking, mark
from marapatch.patching.mark_plots import plot_marking


def marked() -> Marking:
    network = dense_network(
        [np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [-1.0, 1.0]])],
        [np.zeros(2), np.zeros(2)],
    )
    return mark(network, 1)


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    plot_marking(marked(), tmp_path / "marks.png")
    pixels = np.asarray(Image.open(tmp_path / "marks.png").convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 20


def test_what_is_too_large_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark_plots, "MOST_NEURONS", 3)
    with pytest.raises(InputError, match="3"):
        plot_marking(marked(), tmp_path / "marks.png")
    assert not (tmp_path / "marks.png").exists()
