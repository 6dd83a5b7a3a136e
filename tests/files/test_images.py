"""Images in files: read as they are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import PIXELS, save

from marapatch.errors import InputError
from marapatch.formats.inputs import read_image


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a-idx2-ubyte"])
def test_index_selects_along_the_first_axis(tmp_path: Path, name: str) -> None:
    read = read_image(save(tmp_path, name, PIXELS), index=1)
    np.testing.assert_array_equal(read.values, PIXELS[1] / 255.0)


def test_an_npz_gives_its_array_by_key_or_its_images(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    np.savez(path, images=PIXELS, labels=np.array([3, 4]))
    np.testing.assert_array_equal(read_image(path).values, PIXELS / 255.0)
    assert "'images'" in read_image(path).notes[0]
    np.testing.assert_array_equal(read_image(f"{path}:labels", scale="1").values, [3.0, 4.0])
    with pytest.raises(InputError, match="no array 'pixels'; it has images, labels"):
        read_image(f"{path}:pixels")
    np.savez(path, a=PIXELS, b=PIXELS)
    with pytest.raises(InputError, match=r"holds 2 arrays \(a, b\); choose one"):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("a.npy", 2, "--index 2 is not one of its 2 images"),
        ("a.npy", -1, "--index -1 is not one of"),
        ("a.csv", 2, "--index 2 is not one of its 2 rows"),
    ],
)
def test_an_index_that_is_not_there(tmp_path: Path, name: str, index: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_image(save(tmp_path, name, PIXELS), index=index)


def test_an_index_into_a_single_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave out --index"):
        read_image(save(tmp_path, "a.npy", PIXELS[0]), index=0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("pack", ["npy", "npz"])
def test_one_of_many_is_read_without_the_others(tmp_path: Path, order: str, pack: str) -> None:
    """Whichever axis runs fastest in the file."""
    values = np.random.default_rng(3).normal(size=(5, 2, 3, 4))
    stored = np.asfortranarray(values) if order == "F" else values
    path = tmp_path / f"a.{pack}"
    if pack == "npy":
        np.save(path, stored)
    else:
        np.savez_compressed(path, stored)
    for index in range(5):
        np.testing.assert_array_equal(read_image(path, index).values, values[index])
    np.testing.assert_array_equal(read_image(path).values, values)
