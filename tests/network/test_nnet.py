"""The .nnet reader: the format, its dialect, its headers, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.load import load
from marapatch.network.nnet import read_nnet

TEXT = """\
// a comment
// another
2,2,1,3,
2,3,1,
0,
-1.0,0.0,
1.0,4.0,
0.5,2.0,7.0,
2.0,4.0,3.0,
1.0,2.0,
-1.0,0.5,
0.25,0.0,
0.1,
0.2,
-0.3,
1.0,-2.0,4.0
0.75
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "net.nnet"
    path.write_text(text)
    return path


def test_the_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    network = read_nnet(_write(tmp_path, TEXT))
    x = np.array([[0.3, -0.7], [1.0, 2.0]])
    first = np.maximum(x @ [[1.0, -1.0, 0.25], [2.0, 0.5, 0.0]] + [0.1, 0.2, -0.3], 0.0)
    np.testing.assert_allclose(network.evaluate(x), first @ [[1.0], [-2.0], [4.0]] + 0.75)
    assert network.input_dtype == np.dtype(np.float64)
    assert network.notes == ()
    assert [(layer.outputs, layer.inputs) for layer in network.affine_layers] == [(3, 2), (1, 3)]


def test_the_box_is_in_normalised_units(tmp_path: Path) -> None:
    box = read_nnet(_write(tmp_path, TEXT)).input_box
    assert box is not None
    np.testing.assert_array_equal(box[0], [-0.75, -0.5])
    np.testing.assert_array_equal(box[1], [0.25, 0.5])


def test_the_source_names_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, TEXT)
    source = read_nnet(path).source
    assert source is not None
    assert (source.path, source.format, len(source.sha256)) == (str(path), "nnet", 64)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0,4.0,3.0,", "2.0,0.0,3.0,"),
        ("2.0,4.0,3.0,", "2.0,-1.0,3.0,"),
        ("2.0,4.0,3.0,", "2.0,4.0,"),
        ("0.5,2.0,7.0,", "0.5,2.0,"),
        ("-1.0,0.0,\n1.0,4.0,", "1.0,4.0,\n-1.0,0.0,"),
        ("-1.0,0.0,\n1.0,4.0,", "-1.0,\n1.0,"),
    ],
)
def test_a_header_that_is_filler_gives_no_box(old: str, new: str, tmp_path: Path) -> None:
    network = read_nnet(_write(tmp_path, TEXT.replace(old, new, 1)))
    assert network.input_box is None
    assert "no box" in network.notes[0]
    assert network.evaluate([0.0, 0.0]).shape == (1, 1)


def test_neurifys_dialect(tmp_path: Path) -> None:
    lines = TEXT.splitlines()
    dialect = "\n".join([*lines[:4], "0,0,", *lines[9:]])
    network = read_nnet(_write(tmp_path, dialect))
    expected = read_nnet(_write(tmp_path, TEXT))
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_array_equal(network.evaluate(x), expected.evaluate(x))
    assert network.input_box is None
    assert "Neurify" in network.notes[0]
    with pytest.raises(InputError, match=r"layer types \[1, 0\]: only fully connected"):
        read_nnet(_write(tmp_path, dialect.replace("0,0,", "1,0,")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.75\n", "", "ends before bias 0 of layer 1; the file is cut off"),
        ("1.0,2.0,\n", "1.0,\n", "line 10: row 0 of the weights of layer 0 needs 2 numbers"),
        ("0.75\n", "0.75\n0.5\n", "line 18: more numbers than the sizes announce"),
        ("-1.0,0.5,", "-1.0,x,", "line 11: row 1 of the weights of layer 0 expected"),
        ("-1.0,0.5,", "-1.0,nan,", "line 11: row 1 of the weights of layer 0 contains NaN"),
        ("2,3,1,", "2,3,2,", "do not run from 2 inputs to 1 outputs"),
        ("2,3,1,", "2,3,3,1,", "line 4: the sizes of the layers needs 3 numbers, found 4"),
        ("2,3,1,", "2,0,1,", "line 4: the sizes of the layers must be whole numbers"),
        ("2,3,1,", "2,2.5,1,", "line 4: the sizes of the layers must be whole numbers"),
        ("2,2,1,3,", "2,2,1,", "line 3: the numbers of layers, inputs and outputs needs 4"),
        ("0.1,\n", "0.1,0.2,\n", "line 13: bias 0 of layer 0 needs 1 numbers"),
    ],
)
def test_damaged_files_are_refused_by_line(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = _write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_nnet(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_no_prefix_of_a_file_is_read(tmp_path: Path) -> None:
    lines = TEXT.splitlines()
    for end in range(len(lines)):
        with pytest.raises(InputError, match="cut off"):
            read_nnet(_write(tmp_path, "\n".join(lines[:end])))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.nnet"
    path.write_bytes(b"\xff\xfe\x00\x08")
    with pytest.raises(InputError, match="no text file"):
        read_nnet(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_nnet(tmp_path / "gone.nnet")


def test_load_goes_by_suffix_or_content(tmp_path: Path) -> None:
    path = _write(tmp_path, TEXT)
    assert load(path).outputs == 1
    bare = tmp_path / "network"
    bare.write_text(TEXT)
    assert load(bare).outputs == 1
    bare.write_text("nothing of the kind")
    with pytest.raises(InputError, match="is no ONNX file"):
        load(bare)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "gone")
