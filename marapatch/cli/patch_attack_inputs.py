"""What ``marapatch patch-attack`` reads: images with their labels, samples, and other networks."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marapatch.cli.patch_inputs import read_inputs, read_several, separate
from marapatch.data.bundled import PREFIX, resolve
from marapatch.errors import InputError
from marapatch.files.images import Layout, read_array
from marapatch.formats.inputs import Scale, read_box, start
from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.patch_attacks.features import FileFeatures, penultimate
from marapatch.patch_attacks.image_set import ImageSet, digests
from marapatch.patch_attacks.report import Features


def read_images(
    path: str,
    network: Network,
    *,
    index: int | None,
    limit: int | None,
    scale: Scale,
    box: str | None,
    labels: str | None,
) -> tuple[ImageSet, tuple[str, ...]]:
    """The images of ``path``, and notes on how they were read; InputError where one does not fit
    its box, or labels do not fit."""
    loaded = read_several(path, network, index, scale)
    images = separate(loaded, network)
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: give at least 1")
    first = index or 0
    chosen = dict(enumerate(images[:limit], first))
    known = None if labels is None else _labels(labels, first, len(images), network.outputs)
    bounds = read_box(box, network, loaded)
    originals = {}
    for number, image in chosen.items():
        try:
            originals[number] = start(image, network, bounds).x
        except InputError as error:
            if len(images) == 1:
                raise
            raise InputError(f"image {number}: {error}") from error
    shape = network.input_shape
    if sum(n > 1 for n in shape) <= 1:  # the file may know better than a flat network
        shape = images[0].values.shape
    digest = digests(loaded.values, known, bounds)
    return ImageSet(originals, bounds, known, shape, digest), loaded.notes


def _labels(path: str, first: int, count: int, classes: int) -> dict[int, int]:
    """The labels of ``count`` images from number ``first`` on, by number.

    The file has one for each of these images, or one for every image of the file they are from.
    """

    def fits(layout: Layout) -> None:
        size = prod(layout.shape)
        if size != count and not (count == 1 and size > first):
            raise InputError(f"{path}: has {size} labels for {count} images")

    named = f"{path}:labels" if Path(path).suffix.lower() == ".npz" else path
    array = read_array(named, check=fits)
    values = array.values.reshape(-1)
    if not array.integer or (values < 0).any() or (values >= classes).any():
        raise InputError(f"{path}: labels are whole numbers of 0..{classes - 1}")
    offset = 0 if values.size == count else first
    return {first + i: int(values[offset + i]) for i in range(count)}


def read_samples(path: str | None, network: Network, scale: Scale) -> NDArray[np.float64] | None:
    """The images from which linear phases are learnt, (n, inputs)."""
    if path is None:
        return None
    return read_inputs(resolve(path, "image"), network, index=None, scale=scale)


def read_features(spec: str | None, network: Network) -> Features:
    """``FILE[:LAYER]`` as a function of inputs; None: the network's own before its last layer."""
    if spec is None:
        return lambda inputs: penultimate(network, inputs)
    bundled = spec.startswith(PREFIX)
    file, _, layer = spec.removeprefix(PREFIX).partition(":")
    features = FileFeatures(
        resolve(f"{PREFIX}{file}" if bundled else file, "network"), layer or None
    )
    features(np.zeros((2, network.inputs)))  # sizes are found to fit now, not after hours
    return features


def read_other(spec: str | None, network: Network) -> Network | None:
    """The second network of the transferability."""
    if spec is None:
        return None
    other = load(resolve(spec, "network"))
    if (other.inputs, other.outputs) != (network.inputs, network.outputs):
        raise InputError(
            f"{spec}: takes {other.inputs} numbers to {other.outputs} classes, the attacked "
            f"network {network.inputs} to {network.outputs}; give a network for the same task"
        )
    return other
