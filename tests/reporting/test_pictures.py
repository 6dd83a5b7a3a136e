"""Pictures are drawn as pictures or as bars, in the right colours, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from marapatch.errors import InputError
from marapatch.reporting.pictures import check_format, picture_shape, plot_witness


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((28, 28), (28, 28)),
        ((1, 1, 28, 28), (28, 28)),
        ((28, 28, 1), (28, 28)),
        ((784,), (28, 28)),
        ((1, 784, 1), (28, 28)),
        ((8, 6), (8, 6)),
        ((3, 32, 32), (3, 32, 32)),
        ((32, 32, 3), (32, 32, 3)),
        ((5,), None),
        ((1, 1, 1, 5), None),
        ((4,), None),
        ((3072,), None),
        ((2, 50), None),
        ((4, 8, 8), None),
    ],
)
def test_what_is_a_picture(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    assert picture_shape(shape, int(np.prod(shape))) == expected


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_difference_is_red_where_the_witness_is_brighter_and_blue_where_darker(
    tmp_path: Path,
) -> None:
    before = np.full((6, 6), 0.5)
    after = before.copy()
    after[:, :3] += 0.01
    after[:, 3:] -= 0.01
    plot_witness(before, after, tmp_path / "a.png", (6, 6))
    picture = drawn(tmp_path / "a.png")
    panel = picture[:, picture.shape[1] // 2 :]
    red = (panel[..., 0] - panel[..., 2] > 60).nonzero()
    blue = (panel[..., 2] - panel[..., 0] > 60).nonzero()
    middle = panel.shape[0] // 2
    assert red[1].size > 1000
    assert blue[1].size > 1000
    left = np.flatnonzero(panel[middle, :, 0] - panel[middle, :, 2] > 60)
    right = np.flatnonzero(panel[middle, :, 2] - panel[middle, :, 0] > 60)
    assert left.min() < right.min()


@pytest.mark.parametrize("shape", [(784,), (3, 8, 8), (8, 8, 3), (5,), (40, 2)])
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_shape_and_format_is_written(
    tmp_path: Path, shape: tuple[int, ...], suffix: str
) -> None:
    before = np.linspace(-1.0, 2.0, int(np.prod(shape))).reshape(shape)
    path = tmp_path / f"a{suffix}"
    plot_witness(before, before[::-1], path, shape, ("first", "second", "third"))
    heads = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert path.read_bytes().startswith(heads[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_no_global_state_of_matplotlib_is_touched(tmp_path: Path) -> None:
    from matplotlib import pyplot

    settings, backend = dict(mpl.rcParams), mpl.get_backend()
    plot_witness(np.zeros(4), np.ones(4), tmp_path / "a.png", (4,))
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == settings
    assert mpl.get_backend() == backend


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.png"):
        check_format(tmp_path / "a.jpg")
