"""Images, boxes and masks: read as they are meant, or refused with one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_files import PIXELS, save, write_idx
from numpy.typing import NDArray
from PIL import Image

from marapatch.errors import InputError
from marapatch.formats.inputs import LoadedImage, Scale, fit, read_box, read_image, read_mask, start
from marapatch.network.graph import Network, dense_network


def network(*shape: int, dtype: type[np.floating] = np.float32) -> Network:
    size = int(np.prod(shape))
    plain = dense_network([np.ones((2, size))], [np.zeros(2)])
    return replace(plain, input_shape=shape, input_dtype=np.dtype(dtype))


def image(values: object, **known: bool) -> LoadedImage:
    settings = {"integer": False, "scaled": False, **known}
    return LoadedImage("image.npy", np.array(values, dtype=np.float64), **settings)


@pytest.mark.parametrize(
    "name",
    ["a.npy", "a.npz", "a.png", "a.csv", "a-idx2-ubyte", "a-idx2-ubyte.gz", "a.idx"],
)
def test_pixels_of_every_format_are_scaled_and_it_says_so(tmp_path: Path, name: str) -> None:
    read = read_image(save(tmp_path, name, PIXELS))
    np.testing.assert_array_equal(read.values, PIXELS / 255.0)
    assert read.scaled
    assert read.integer
    assert "divided by 255" in read.notes[-1]


def test_scale_1_leaves_pixels_and_scale_255_divides_fractions(tmp_path: Path) -> None:
    whole = save(tmp_path, "a.npy", PIXELS)
    floats = save(tmp_path, "b.npy", PIXELS.astype(np.float32))
    np.testing.assert_array_equal(read_image(whole, scale="1").values, PIXELS)
    np.testing.assert_array_equal(read_image(floats).values, PIXELS)
    np.testing.assert_array_equal(read_image(floats, scale="255").values, PIXELS / 255.0)


def test_whole_numbers_beyond_255_are_no_pixels(tmp_path: Path) -> None:
    read = read_image(save(tmp_path, "a.npy", np.array([-3, 700])))
    np.testing.assert_array_equal(read.values, [-3.0, 700.0])
    assert not read.scaled


def test_a_black_and_white_png_is_scaled_but_zeros_and_ones_are_ambiguous(tmp_path: Path) -> None:
    bits = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(read_image(save(tmp_path, "a.png", bits)).values, bits)
    with pytest.raises(InputError, match="say --scale 1"):
        read_image(save(tmp_path, "a.npy", bits.astype(np.uint8)))


def truncated_png(path: Path) -> None:
    Image.fromarray(np.arange(1600, dtype=np.uint8).reshape(40, 40)).save(path)
    path.write_bytes(path.read_bytes()[:60])


def alpha_png(path: Path) -> None:
    Image.new("RGBA", (2, 2)).save(path)


def sixteen_bit_png(path: Path) -> None:
    Image.fromarray(np.full((2, 2), 70, np.uint16)).save(path)


def transparent_png(path: Path) -> None:
    Image.new("L", (2, 2)).save(path, transparency=0)


def truncated_npy(path: Path) -> None:
    np.save(path, PIXELS)
    path.write_bytes(path.read_bytes()[:-2])


def truncated_npz(path: Path) -> None:
    np.savez(path, a=PIXELS)
    path.write_bytes(path.read_bytes()[:-30])


def truncated_idx(path: Path) -> None:
    write_idx(path, PIXELS, 0x08)
    path.write_bytes(path.read_bytes()[:-1])


def truncated_gzip(path: Path) -> None:
    write_idx(path, PIXELS, 0x08)
    path.write_bytes(path.read_bytes()[:-9])


def huge_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (2**57,)}
        )


def contents(values: object) -> object:
    return lambda path: np.save(path, np.array(values))


def text(content: str) -> object:
    return lambda path: path.write_text(content)


BROKEN = {
    "missing": ("a.npy", lambda path: None, "No such file"),
    "folder": ("a.npy", Path.mkdir, "it is a folder"),
    "unknown kind": ("a.jpg", text("x"), "not a known kind of image; give .npy"),
    "text as npy": ("a.npy", text("1 2 3"), "not an array in numpy's format"),
    "empty npy": ("a.npy", text(""), "or cut off"),
    "truncated npy": ("a.npy", truncated_npy, "truncated or damaged: an array of shape (2, 3)"),
    "huge npy": ("a.npy", huge_npy, "its header is damaged: a shape of"),
    "truncated npz": ("a.npz", truncated_npz, "damaged"),
    "pickled npy": ("a.npy", contents([{}]), "holds object entries"),
    "words": ("a.npy", contents(["a"]), "not real numbers"),
    "complex": ("a.npy", contents([1j]), "complex128 entries, not real numbers"),
    "no entries": ("a.npy", contents(np.zeros((0, 3))), "empty array of shape (0, 3)"),
    "nan": ("a.npy", contents([[0.0, 0.5], [np.nan, 1.0]]), "entry (1, 0) is nan"),
    "infinity": ("a.npy", contents([0.0, -np.inf]), "entry (1,) is -inf"),
    "truncated idx": ("a.idx", truncated_idx, "has 6 bytes of data, this one 5"),
    "truncated gzip": ("a.idx.gz", truncated_gzip, "truncated or damaged"),
    "not gzip": ("a.idx.gz", text("hello"), "not an idx file"),
    "empty idx": ("a.idx", text(""), "not an idx file"),
    "truncated png": ("a.png", truncated_png, "cannot be read"),
    "not a png": ("a.png", text("hello"), "cannot be read: it is no PNG picture"),
    "alpha": ("a.png", alpha_png, "a PNG of kind 'RGBA'; save it as"),
    "transparent": ("a.png", transparent_png, "with transparency"),
    "16 bits": ("a.png", sixteen_bit_png, "save it as 8-bit"),
    "empty csv": ("a.csv", text("\n"), "is empty"),
    "word in csv": ("a.csv", text("1,2\n3,x\n"), "line 2: 'x' is not a number"),
    "hole in csv": ("a.csv", text("1,,2\n"), "line 1: '' is not a number"),
    "ragged csv": ("a.csv", text("1,2\n3\n"), "line 2: 1 numbers, the first row has 2"),
    "binary csv": ("a.csv", lambda path: path.write_bytes(b"\xff\xfe1"), "is not a text file"),
}


@pytest.mark.parametrize(("name", "make", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_are_refused_in_one_line(
    tmp_path: Path, name: str, make: object, message: str
) -> None:
    make(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_scale_255_wants_pixels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"entry \(1,\) is 256, not a pixel"):
        read_image(save(tmp_path, "a.npy", np.array([0.0, 256.0])), scale="255")


@pytest.mark.parametrize(
    ("have", "want"),
    [
        ((2, 3), (2, 3)),
        ((2, 3), (6,)),
        ((6,), (1, 2, 3)),
        ((1, 2, 3), (2, 3, 1)),
        ((2, 3), (6, 1)),
        ((6, 1), (2, 3)),
    ],
)
def test_shapes_fit_flattened_or_not(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    values = np.arange(6.0).reshape(have)
    np.testing.assert_array_equal(fit(image(values), network(*want)), np.arange(6.0))


@pytest.mark.parametrize(
    ("have", "want", "hint"),
    [
        ((2, 2), (6,), " or flat (6,)"),
        ((3, 2), (2, 3), ": the axes are in another order, transpose them"),
        ((10, 6), (2, 3), ": it holds 10 images, choose one with --index"),
        ((10, 2, 3), (2, 3), ": it holds 10 images, choose one with --index"),
        ((2, 2, 3), (3, 2, 2), ": the axes are in another order, transpose them"),
    ],
)
def test_other_shapes_are_refused_naming_both(
    have: tuple[int, ...], want: tuple[int, ...], hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        fit(image(np.zeros(have)), network(*want))
    assert f"has shape {have}, the network takes {want}" in str(caught.value)
    assert str(caught.value).endswith(hint)


def test_a_colour_png_fits_a_network_with_channels_first(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    read = read_image(save(tmp_path, "a.png", pixels))
    np.testing.assert_array_equal(
        fit(read, network(3, 2, 2)), pixels.transpose(2, 0, 1).reshape(-1) / 255.0
    )
    np.testing.assert_array_equal(fit(read, network(2, 2, 3)), pixels.reshape(-1) / 255.0)


def test_the_box_of_pixels_is_the_unit_box() -> None:
    lower, upper = read_box(None, network(2), image([0, 1], scaled=True))
    np.testing.assert_array_equal(lower, [0, 0])
    np.testing.assert_array_equal(upper, [1, 1])


def test_the_box_that_the_network_states() -> None:
    stated = replace(network(2), input_box=(np.array([-1.0, -2.0]), np.array([1.0, 2.0])))
    lower, upper = read_box(None, stated, image([0, 0]))
    np.testing.assert_array_equal([lower, upper], [[-1, -2], [1, 2]])
    lower, _ = read_box("-5,5", stated, image([0, 0]))
    np.testing.assert_array_equal(lower, [-5, -5])


@pytest.mark.parametrize(
    ("values", "hint"),
    [([0.0, 0.5], "give --box LO,HI, for instance --box 0,1"), ([0.0, 200.0], "--scale 255")],
)
def test_a_box_that_cannot_be_inferred_must_be_given(values: list[float], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        read_box(None, network(2), image(values))


def test_a_box_from_a_file(tmp_path: Path) -> None:
    box = np.array([[[0.0, 1.0]], [[2.0, 3.0]]])
    np.save(tmp_path / "box.npy", box)
    for shape in ((1, 2), (2,)):
        lower, upper = read_box(str(tmp_path / "box.npy"), network(1, 2), image([0, 1]))
        np.testing.assert_array_equal([lower, upper], [[0, 1], [2, 3]])
        np.save(tmp_path / "box.npy", box.reshape(2, *shape))
    (tmp_path / "box.vnnlib").write_text(
        "(declare-const X_0 Real)(declare-const X_1 Real)(assert (or (and (>= X_0 0) (<= X_0 2)"
        "(>= X_1 1) (<= X_1 3))))"
    )
    lower, upper = read_box(str(tmp_path / "box.vnnlib"), network(2), image([0, 1]))
    np.testing.assert_array_equal([lower, upper], [[0, 1], [2, 3]])


BOXES = {
    "one number": ("0.5", "neither LO,HI"),
    "words": ("a,b", "neither LO,HI"),
    "three numbers": ("0,1,2", "neither LO,HI"),
    "empty": ("1,0", "the box is empty at entry (0, 0): [1, 0]"),
    "nan": ("nan,1", "finite numbers"),
    "infinite": ("0,inf", "finite numbers"),
    "missing file": ("{}/no.npy", "No such file"),
    "missing property": ("{}/no.vnnlib", "No such file"),
    "wrong shape": (
        "{}/shape.npy",
        "a box has shape (2, 2) or (2, 1, 2) (lower, upper), not (3, 2)",
    ),
    "empty in a file": ("{}/empty.npy", "the box is empty at entry (0, 1): [5, 4]"),
    "nan in a file": ("{}/nan.npy", "the box is not finite at entry (0, 0)"),
    "inputs": ("{}/inputs.vnnlib", "declares 1 inputs, the network takes 2"),
    "open": ("{}/open.vnnlib", "X_1 has no upper bound"),
    "two boxes": ("{}/two.vnnlib", "has 2 input boxes, --box takes one"),
}


@pytest.mark.parametrize(("spec", "message"), BOXES.values(), ids=BOXES.keys())
def test_unusable_boxes_are_refused(tmp_path: Path, spec: str, message: str) -> None:
    np.save(tmp_path / "shape.npy", np.zeros((3, 2)))
    np.save(tmp_path / "empty.npy", np.array([[0.0, 5.0], [1.0, 4.0]]))
    np.save(tmp_path / "nan.npy", np.array([[np.nan, 0.0], [1.0, 1.0]]))
    one, two = "(declare-const X_0 Real)", "(declare-const X_1 Real)"
    (tmp_path / "inputs.vnnlib").write_text(one)
    (tmp_path / "open.vnnlib").write_text(
        f"{one}{two}(assert (and (>= X_0 0)(<= X_0 1)(>= X_1 0)))"
    )
    (tmp_path / "two.vnnlib").write_text(f"{one}{two}(assert (or (>= X_0 0) (<= X_0 1)))")
    with pytest.raises(InputError) as caught:
        read_box(spec.format(tmp_path), network(1, 2), image([0, 0]))
    assert message in str(caught.value).replace(str(tmp_path), "")


def test_the_start_is_in_the_type_the_network_takes() -> None:
    begun = start(image([0.1, 0.7]), network(2), "0,1")
    np.testing.assert_array_equal(begun.x, np.array([0.1, 0.7], np.float32).astype(np.float64))
    assert "rounded to float32" in begun.notes[0]
    exact = start(image([0.1, 0.7]), network(2, dtype=np.float64), "0,1")
    np.testing.assert_array_equal(exact.x, [0.1, 0.7])
    assert exact.notes == ()
    with pytest.raises(ValueError, match="read-only"):
        exact.x[0] = 0.0


def test_rounding_never_leaves_the_box() -> None:
    edge = 0.1  # float32(0.1) > 0.1
    begun = start(image([edge]), network(1), f"0,{edge!r}")
    assert begun.x[0] < edge
    assert begun.x[0] == np.nextafter(np.float32(edge), np.float32(0.0))


def test_an_entry_fixed_by_the_box_is_fixed_where_it_was_rounded(tmp_path: Path) -> None:
    np.save(tmp_path / "box.npy", np.array([[0.1, 0.0], [0.1, 1.0]]))
    begun = start(image([0.1, 0.5]), network(2), str(tmp_path / "box.npy"))
    assert begun.lower[0] == begun.upper[0] == begun.x[0]


def test_a_box_too_narrow_for_the_type_is_refused() -> None:
    low, high = 0.1, np.nextafter(0.1, 1.0)
    with pytest.raises(InputError, match="no float32 number near entry 0"):
        start(image([low]), network(1), f"{low!r},{float(high)!r}")


def test_an_image_outside_the_box_names_the_first_entry() -> None:
    with pytest.raises(InputError) as caught:
        start(image([[0.5, 1.5], [-2.0, 0.0]]), network(2, 2), "0,1")
    assert str(caught.value) == "image.npy: entry (0, 1) is 1.5, outside the box [0, 1]"


def test_a_mask_says_which_entries_may_change(tmp_path: Path) -> None:
    np.save(tmp_path / "free.npy", np.array([[True, False], [False, True]]))
    np.testing.assert_array_equal(
        read_mask(tmp_path / "free.npy", network(4)), [True, False, False, True]
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.5, 1.0]), "holds booleans"),
        (np.array([0, 2]), "holds booleans"),
        (np.array([True, False, True]), "the network takes"),
        (np.array([False, False]), "lets no entry change"),
    ],
)
def test_unusable_masks(tmp_path: Path, values: NDArray[np.generic], message: str) -> None:
    np.save(tmp_path / "free.npy", values)
    with pytest.raises(InputError, match=message):
        read_mask(tmp_path / "free.npy", network(2))


def test_scales_are_the_ones_the_command_offers() -> None:
    assert Scale.__args__ == ("auto", "1", "255")
