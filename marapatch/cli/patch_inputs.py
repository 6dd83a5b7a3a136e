"""What ``marapatch patch`` reads: inputs, goals, masks and labelled data."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.images import Layout, read_array
from marapatch.files.reading import shown
from marapatch.formats.inputs import LoadedImage, Scale, fit, read_image
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.goal_files import read_goals, read_list
from marapatch.patching.goals import Goal, per_input
from marapatch.patching.options import DEFAULT_MARGIN
from marapatch.problem.conditions import Rule

Labelled = tuple[Array, NDArray[np.int64]]


def read_inputs(
    path: str, network: Network, *, index: int | None, scale: Scale, most: int | None = None
) -> Array:
    """All inputs of a file, at most ``most``, as (n, network inputs); InputError where they do not
    fit."""
    return _rows(read_several(path, network, index, scale, most), network)


def read_several(
    path: str, network: Network, index: int | None, scale: Scale, most: int | None = None
) -> LoadedImage:
    """A file that holds one input or several, not read where the sizes do not fit."""

    def fits(layout: Layout) -> None:
        _check_several(path, layout.shape, network)
        count = prod(layout.shape) // network.inputs
        if most is not None and count > most:
            raise InputError(
                f"{path}: {count} inputs are too many, at most {most} are taken; choose some"
            )

    return read_image(path, index, scale, check=fits)


def _rows(image: LoadedImage, network: Network) -> Array:
    return np.stack([fit(one, network) for one in separate(image, network)])


def separate(image: LoadedImage, network: Network) -> list[LoadedImage]:
    """The images of a file that holds one or several; InputError where the sizes do not fit."""
    _check_several(image.path, image.values.shape, network)
    if image.values.size == network.inputs:
        return [image]
    return [replace(image, values=values) for values in image.values]


def _check_several(path: str, shape: tuple[int, ...], network: Network) -> None:
    """Raise InputError where an array of ``shape`` holds no whole number of inputs."""
    if prod(shape) == network.inputs:
        return
    if len(shape) < 2 or prod(shape[1:]) != network.inputs:
        raise InputError(
            f"{path}: shape {shown(shape)} is neither one input nor several of "
            f"{network.inputs} entries"
        )


def read_goals_given(
    want: str | None,
    avoid: str | None,
    spec: str | None,
    *,
    inputs: int,
    outputs: int,
    rule: Rule,
    margin: float | None,
    transform: OutputTransform,
) -> tuple[Goal, ...]:
    """The goals that the options name; InputError where they name none or contradict.

    ``transform``: what the network's file does last.
    """
    if spec is not None:
        if want is not None or avoid is not None:
            raise InputError("--spec holds the goals: leave out --want and --avoid")
        return read_goals(spec, inputs, outputs, rule, margin, transform)
    if want is None and avoid is None:
        raise InputError("say what is wanted: --want LABELS, --avoid LABELS or --spec FILE")
    asked = DEFAULT_MARGIN if margin is None else margin
    wanted = [] if want is None else read_list(want)
    avoided = [] if avoid is None else read_list(avoid)
    try:
        return per_input(wanted, avoided, inputs, outputs, rule, asked)
    except InputError as error:
        files = [text for text in (want, avoid) if text is not None and Path(text).suffix]
        raise InputError(": ".join([*files, str(error)])) from error


def read_mask_of(path: str, network: Network) -> Array:
    """The numbers of a mask file: as many as a layer of the network has weights."""
    sizes = {layer.weights for layer in network.affine_layers}
    sizes |= {layer.inputs * layer.outputs for layer in network.affine_layers}

    def fits(layout: Layout) -> None:
        if prod(layout.shape) > max(sizes, default=0):
            raise InputError(
                f"{path}: a mask of shape {shown(layout.shape)} has more entries than any layer "
                "has weights"
            )

    return read_array(path, check=fits).values


def read_check(path: str, network: Network, *, scale: Scale) -> Labelled:
    """Images and labels of an .npz file."""
    if Path(path).suffix.lower() != ".npz":
        raise InputError(f"{path}: --check takes an .npz file with the arrays images and labels")
    images = _rows(read_several(f"{path}:images", network, None, scale), network)

    def fits(layout: Layout) -> None:
        if layout.shape != (len(images),):
            raise InputError(
                f"{path}: {len(images)} images need as many whole numbers as labels, not an array "
                f"of shape {shown(layout.shape)}"
            )

    labels = read_array(f"{path}:labels", check=fits)
    if not labels.integer:
        raise InputError(f"{path}: labels are whole numbers, not fractions")
    return images, labels.values.astype(np.int64)
