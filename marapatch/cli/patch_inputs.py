"""What ``marapatch patch`` reads: inputs, goals, masks and labelled data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.image_files import read_array
from marapatch.inputs import LoadedImage, Scale, fit, read_image
from marapatch.network.layers import Array
from marapatch.network.network import Network
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.goal_files import read_goals, read_list
from marapatch.patching.goals import Goal, per_input
from marapatch.patching.options import DEFAULT_MARGIN
from marapatch.properties import Rule

Labelled = tuple[Array, NDArray[np.int64]]


def read_inputs(path: str, network: Network, *, index: int | None, scale: Scale) -> Array:
    """All inputs of a file as (n, network inputs); InputError where they do not fit."""
    return _rows(read_image(path, index, scale), network)


def _rows(image: LoadedImage, network: Network) -> Array:
    return np.stack([fit(one, network) for one in separate(image, network)])


def separate(image: LoadedImage, network: Network) -> list[LoadedImage]:
    """The images of a file that holds one or several; InputError where the sizes do not fit."""
    if image.values.size == network.inputs:
        return [image]
    if image.values.ndim < 2 or image.values.size != image.values.shape[0] * network.inputs:
        raise InputError(
            f"{image.path}: shape {image.values.shape} is neither one input nor several of "
            f"{network.inputs} entries"
        )
    return [replace(image, values=values) for values in image.values]


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
    return per_input(wanted, avoided, inputs, outputs, rule, asked)


def read_mask_of(path: str) -> Array:
    """The numbers of a mask file, whatever their shape."""
    return read_array(path).values


def read_check(path: str, network: Network, *, scale: Scale) -> Labelled:
    """Images and labels of an .npz file."""
    if Path(path).suffix.lower() != ".npz":
        raise InputError(f"{path}: --check takes an .npz file with the arrays images and labels")
    labels = read_array(f"{path}:labels")
    images = _rows(read_image(f"{path}:images", scale=scale), network)
    if not labels.integer or labels.values.shape != (len(images),):
        raise InputError(
            f"{path}: {len(images)} images need as many whole numbers as labels, not an array of "
            f"shape {labels.values.shape}"
        )
    return images, labels.values.astype(np.int64)
