"""Pictures of a witness beside the original."""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.files.atomic_write import write_whole

PICTURE_FORMATS = (".png", ".pdf", ".svg")
SMALLEST_SIDE = 4
"""An array with a shorter side than this is drawn as bars, not as a picture."""


def check_format(path: Path) -> None:
    """Raise InputError where no picture can be written in the format that ``path`` ends in."""
    if path.suffix.lower() not in PICTURE_FORMATS:
        raise InputError(f"{path}: a picture ends in {', '.join(PICTURE_FORMATS)}")


def plot_witness(
    original: ArrayLike,
    witness: ArrayLike,
    path: Path,
    shape: Sequence[int],
    titles: tuple[str, str, str] = ("original", "witness", "difference"),
) -> None:
    """Write a picture of the original, the witness and their difference.

    ``original``, ``witness``: arrays of one size. ``shape``: how they are laid out: (H, W), with
    3 colours first or last, or flat (a square number of entries is drawn as a square); axes of
    size 1 do not matter. Anything else is drawn as bars. The difference is drawn in diverging
    colours with symmetric limits; of several colours, the one that changed most. Raises InputError
    where the file cannot be written.
    """
    check_format(path)
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    _draw(figure, original, witness, shape, titles)
    save(figure, path)


def plot_grid(
    pairs: Sequence[tuple[ArrayLike, ArrayLike, tuple[str, str, str]]],
    path: Path,
    shape: Sequence[int],
) -> None:
    """Write one picture with a row for each original and witness, as :func:`plot_witness` draws.

    ``pairs``: original, witness and titles of each row, at least one. Raises InputError where the
    file cannot be written.
    """
    check_format(path)
    figure = Figure(figsize=(9.0, 2.8 * len(pairs)), layout="constrained")
    rows: Any = figure.subfigures(len(pairs), 1, squeeze=False)
    for row, (original, witness, titles) in zip(rows[:, 0], pairs, strict=True):
        _draw(row, original, witness, shape, titles)
    save(figure, path, dpi=100)


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write ``figure`` in the format that ``path`` ends in, whole or not at all."""
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=dpi)
    write_whole(path, content.getvalue())


def _draw(
    figure: FigureBase,
    original: ArrayLike,
    witness: ArrayLike,
    shape: Sequence[int],
    titles: tuple[str, str, str],
) -> None:
    before, after = (np.asarray(a, dtype=np.float64).reshape(-1) for a in (original, witness))
    layout = picture_shape(shape, before.size)
    if layout is None:
        _bars(figure, before, after, titles)
    else:
        _pictures(figure, before, after, layout, titles)


def picture_shape(shape: Sequence[int], size: int) -> tuple[int, ...] | None:
    """(H, W), (H, W, 3) or (3, H, W) where ``size`` entries of ``shape`` are a picture."""
    sides = tuple(n for n in shape if n != 1)
    if len(sides) == 1 and isqrt(size) ** 2 == size:
        sides = (isqrt(size), isqrt(size))
    match sides:
        case (height, width) if min(height, width) >= SMALLEST_SIDE:
            return sides
        case (height, width, 3) if min(height, width) >= SMALLEST_SIDE:
            return sides
        case (3, height, width) if min(height, width) >= SMALLEST_SIDE:
            return sides
        case _:
            return None


def _pictures(
    figure: FigureBase,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    layout: tuple[int, ...],
    titles: tuple[str, str, str],
) -> None:
    panels: Any = figure.subplots(1, 3)
    images = [_channels_last(values.reshape(layout)) for values in (before, after)]
    low = min(0.0, float(min(before.min(), after.min())))
    high = max(1.0, float(max(before.max(), after.max())))
    for panel, image, title in zip(panels, images, titles, strict=False):
        shown = image if image.ndim == 2 else (image - low) / (high - low)
        panel.imshow(shown, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        panel.set_title(title)
    difference = images[1] - images[0]
    if difference.ndim == 3:
        strongest = np.abs(difference).argmax(axis=2)[..., None]
        difference = np.take_along_axis(difference, strongest, axis=2)[..., 0]
    limit = float(np.abs(difference).max()) or 1.0
    drawn = panels[2].imshow(
        difference, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    panels[2].set_title(titles[2])
    figure.colorbar(drawn, ax=panels[2], shrink=0.8)
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])


def _channels_last(image: NDArray[np.float64]) -> NDArray[np.float64]:
    if image.ndim == 3 and image.shape[2] != 3:
        return np.moveaxis(image, 0, 2)
    return image


def _bars(
    figure: FigureBase,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    titles: tuple[str, str, str],
) -> None:
    panels: Any = figure.subplots(1, 2)
    entries = np.arange(before.size)
    panels[0].bar(entries - 0.2, before, width=0.4, label=titles[0], color="0.6")
    panels[0].bar(entries + 0.2, after, width=0.4, label=titles[1], color="tab:red")
    panels[0].legend()
    difference = after - before
    panels[1].bar(entries, difference, color=np.where(difference < 0.0, "tab:blue", "tab:red"))
    panels[1].set_title(titles[2])
    limit = float(np.abs(difference).max(initial=0.0)) or 1.0
    panels[1].set_ylim(-1.1 * limit, 1.1 * limit)
    for panel in panels:
        panel.set_xlabel("entry")
        if before.size <= 20:
            panel.set_xticks(entries)
