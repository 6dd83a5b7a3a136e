"""The images that a run over a data set attacks, each placed in one box, with their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.formats.inputs import Start
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import Norm


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images by number, in the order in which they are attacked.

    ``originals``: float64 (inputs,) each, as the network takes them: numbers of its input type.
    ``box``: (lower, upper), each (inputs,), in which all may move. ``labels``: by number; None
    where none were given. ``shape``: how one image is laid out, for pictures. ``digests``: of all
    images, of the labels and of the box as given, by which a run is known again.
    """

    originals: Mapping[int, Array]
    box: tuple[Array, Array]
    labels: Mapping[int, int] | None
    shape: tuple[int, ...]
    digests: Mapping[str, str | None]

    @staticmethod
    def of(
        network: Network,
        images: ArrayLike,
        box: tuple[ArrayLike, ArrayLike] | None = None,
        labels: ArrayLike | None = None,
    ) -> ImageSet:
        """Of an array (n, ...): ``images`` in the network's shape or flat.

        ``box``: as for :func:`marapatch.patch_attacks.api.patch_attack`. ``labels``: whole numbers
        (n,). Raises :class:`InputError` where something does not fit, naming the image.
        """
        given = np.asarray(images, dtype=np.float64)
        if given.ndim < 2 or not len(given) or prod(given.shape[1:]) != network.inputs:
            raise InputError(
                f"images of shape {given.shape} are not (n, ...) with {network.inputs} numbers each"
            )
        originals = {}
        for number, image in enumerate(given):
            try:
                ball, _ = ball_of(network, image.reshape(-1), Norm.LINF, box, None)
            except InputError as error:
                raise InputError(f"image {number}: {error}") from error
            originals[number] = ball.centre
        known = None if labels is None else _labels(labels, len(given), network.outputs)
        sides = (ball.lower, ball.upper)
        shape = network.input_shape
        if sum(n > 1 for n in shape) <= 1:  # the array may know better than a flat network
            shape = given.shape[1:]
        return ImageSet(originals, sides, known, shape, digests(given, known, sides))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the images."""
        return tuple(self.originals)

    def start(self, number: int) -> Start:
        """Image ``number`` and its box; an entry that the box fixes is fixed at the image's."""
        x, (lower, upper) = self.originals[number], self.box
        fixed = lower == upper
        return Start(x, np.where(fixed, x, lower), np.where(fixed, x, upper))

    def label(self, number: int) -> int | None:
        """The label of image ``number``, where labels were given."""
        return None if self.labels is None else self.labels[number]


def digests(
    images: Array, labels: Mapping[int, int] | None, box: tuple[Array, Array]
) -> dict[str, str | None]:
    """SHA-256 of what is attacked: ``images``, ``labels`` (None where there are none), ``box``."""
    return {
        "images": sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "labels": None if labels is None else sha256(repr(dict(labels)).encode()).hexdigest(),
        "box": sha256(b"".join(side.tobytes() for side in box)).hexdigest(),
    }


def _labels(labels: ArrayLike, count: int, classes: int) -> dict[int, int]:
    known = np.asarray(labels)
    if known.dtype.kind not in "iu" or known.shape != (count,):
        raise InputError(
            f"labels are whole numbers of shape ({count},), not {known.dtype} {known.shape}"
        )
    if (known < 0).any() or (known >= classes).any():
        raise InputError(f"labels are whole numbers of 0..{classes - 1}")
    return dict(enumerate(known.tolist()))
