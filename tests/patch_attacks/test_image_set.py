"""The images of a run: by number, in one box, known again by what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.patch_attacks.image_set import ImageSet

NETWORK = dense_network([np.ones((3, 4))], [np.zeros(3)])
IMAGES = np.random.default_rng(0).random((2, 2, 2))


def test_images_are_numbered_in_their_order() -> None:
    made = ImageSet.of(NETWORK, IMAGES, labels=[2, 0])
    assert made.numbers == (0, 1)
    assert (made.originals[1] == IMAGES[1].reshape(-1)).all()
    assert (made.label(0), made.label(1)) == (2, 0)
    assert ImageSet.of(NETWORK, IMAGES).label(1) is None
    assert made.shape == (2, 2)  # a flat network does not know how an image is laid out


def test_an_entry_that_the_box_fixes_is_fixed_at_the_image_s() -> None:
    low, high = np.zeros(4), np.ones(4)
    low[2] = high[2] = 0.5
    images = np.array([[0.25, 0.25, 0.5, 0.25]])
    start = ImageSet.of(NETWORK, images, (low, high)).start(0)
    assert (start.lower[2], start.upper[2]) == (0.5, 0.5)
    assert (start.lower[0], start.upper[0]) == (0.0, 1.0)
    assert (start.x == images[0]).all()


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"images": IMAGES[::-1]}, "images"),
        ({"labels": [0, 0]}, "labels"),
        ({"labels": None}, "labels"),
        ({"box": (-1.0, 1.0)}, "box"),
    ],
)
def test_another_question_has_another_digest(change: dict[str, Any], differs: str) -> None:
    asked: dict[str, Any] = {"images": IMAGES, "box": None, "labels": [2, 0]}
    before = ImageSet.of(NETWORK, **asked).digests
    assert ImageSet.of(NETWORK, **asked).digests == before
    after = ImageSet.of(NETWORK, **{**asked, **change}).digests
    assert [name for name in before if before[name] != after[name]] == [differs]


def test_the_image_that_does_not_fit_is_named() -> None:
    outside = IMAGES.copy()
    outside[1, 0, 0] = 2.0
    with pytest.raises(InputError, match="image 1: "):
        ImageSet.of(NETWORK, outside)
