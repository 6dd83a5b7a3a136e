"""Files that are no certificates, or damaged: refused by name, never believed for more."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from certified import SMALL
from stored_certificates import certificate, stored, stored_arrays, stored_bytes

from marapatch.certificates.check import recheck
from marapatch.certificates.file import Certificate
from marapatch.errors import InputError


def _about(**change: object) -> bytes:
    about = json.loads(str(stored_arrays()["about"])) | change
    return stored(about=np.array(json.dumps(about)))


def _npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("about.npy", b"no array")
    return content.getvalue()


OTHER: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"hello\n",
    "an array": _npy,
    "another archive": _zip,
    "cut short": lambda: stored_bytes()[: len(stored_bytes()) // 2],
    "without about": lambda: stored(about=None),
    "about is no text": lambda: stored(about=np.zeros(3)),
    "about is no object": lambda: stored(about=np.array("[1, 2]")),
    "about is deep": lambda: stored(about=np.array("[" * 100_000)),
    "another format": lambda: _about(format="marapatch trees 0"),
    "no such norm": lambda: _about(norm="l2"),
    "no such rule": lambda: _about(decision="best"),
    "no margin": lambda: _about(margin=None),
    "targets are no list": lambda: _about(targets=5),
    "no targets": lambda: _about(targets=[]),
    "a target is text": lambda: _about(targets=["x"]),
    "infinitely many rounds": lambda: _about(
        targets=[{"target": 0, "lower": 0.0, "trees": [{"radius": 1.0, "rounds": 10**9}]}]
    ),
    "the target is infinite": lambda: _about(targets=[{"target": np.inf, "lower": 0, "trees": []}]),
    "a radius is text": lambda: _about(
        targets=[{"target": 0, "lower": 0.0, "trees": [{"radius": "far", "rounds": 0}]}]
    ),
    "no centre": lambda: stored(centre=None),
    "the centre has NaN": lambda: stored(centre=np.full(3, np.nan)),
    "the box does not fit": lambda: stored(lower=np.zeros(5)),
    "the centre is outside": lambda: stored(lower=np.ones(3)),
    "the witness does not fit": lambda: stored(witness=np.zeros(7)),
    "an array is missing": lambda: stored(**{"0/0/alpha": None}),
    "an array holds objects": lambda: stored(**{"0/0/alpha": np.array([{}], object)}),
    "the witness is text": lambda: stored(witness=np.array(["0.1", "0.2", "0.3"])),
    "the witness is of bytes": lambda: stored(witness=np.array([b"0.1", b"0.2", b"0.3"])),
    "the witness is complex": lambda: stored(witness=np.zeros(3, complex)),
    "the witness is of records": lambda: stored(witness=np.zeros(3, [("a", "f8")])),
    "the witness is a time": lambda: stored(witness=np.zeros(3, "M8[s]")),
    "the witness is a column": lambda: stored(witness=np.zeros((3, 1))),
    "the witness has NaN": lambda: stored(witness=np.full(3, np.nan)),
    "the witness is infinite": lambda: stored(witness=np.full(3, np.inf)),
    "the centre is text": lambda: stored(centre=np.array(["0.25", "0.5", "0.75"])),
    "the box is of single precision": lambda: stored(lower=np.zeros(3, np.float32)),
    "the box is one number": lambda: stored(upper=np.array(1.0)),
    "about is bytes": lambda: stored(about=np.array(b"{}")),
    "about is a list of texts": lambda: stored(about=np.array(["{}"])),
    "the margin is NaN": lambda: _about(margin=np.nan),
    "the margin is negative": lambda: _about(margin=-1.0),
    "the margin is true": lambda: _about(margin=True),
    "the upper end is NaN": lambda: _about(upper=np.nan),
    "the upper end is negative": lambda: _about(upper=-1.0),
    "the upper end is text": lambda: _about(upper="1.0"),
    "a lower end is NaN": lambda: _claims(lower=np.nan),
    "a lower end is a huge whole number": lambda: _claims(lower=10**400),
    "a target is a fraction": lambda: _claims(target=0.5),
    "a target is named twice": lambda: _about(targets=2 * [_claim()]),
    "rounds are a fraction": lambda: _claims(trees=[{"radius": 1.0, "rounds": 0.5}]),
    "the network's sha256 is a number": lambda: _about(sha256=5),
    "another image is named": lambda: _about(image="0" * 64),
    "no image is named": lambda: _about(image=None),
    "two arrays have one name": lambda: _appended("centre.npy", _npy()),
    "an array is longer than it says": lambda: _appended("more.npy", _npy() + b"x"),
    "an array is shorter than it says": lambda: _appended("more.npy", _npy()[:-1]),
    "an array announces 2^60 bytes": lambda: _appended("more.npy", _announced((2**57,))),
    "an array announces 5 GiB": lambda: _appended("more.npy", _announced((5 * 2**27,))),
    "an array announces less than nothing": lambda: _appended("more.npy", _announced((-1,))),
    "an array wraps around": lambda: _appended("more.npy", _announced((2**32, 2**32))),
    "an array of nothing is huge": lambda: _appended("more.npy", _announced((2**60, 0))),
    "entries have no size": lambda: _appended("more.npy", _announced((3,), "'<U0'")),
    "a header is a call": lambda: _appended("more.npy", _announced((3,), "exit(1)")),
    "a header is far too long": lambda: _appended(
        "more.npy", _npy()[:8] + b"\xff\xff" + b" " * 65535
    ),
    "compressed otherwise": lambda: _appended("more.npy", _npy(), zipfile.ZIP_LZMA),
}


def _claim(**change: object) -> dict[str, object]:
    return {"target": 0, "lower": 0.0, "trees": [], **change}


def _claims(**change: object) -> bytes:
    return _about(targets=[_claim(**change)])


def _announced(shape: tuple[int, ...], kind: str = "'<f8'") -> bytes:
    """An array's file of a few bytes with a header of any ``shape``."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _appended(name: str, member: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO(stored())
    with warnings.catch_warnings(), zipfile.ZipFile(content, "a") as archive:
        warnings.simplefilter("ignore")  # two members of one name, on purpose
        archive.writestr(name, member, method)
    return content.getvalue()


@pytest.mark.parametrize("what", OTHER)
def test_other_files_are_refused_with_their_name(what: str, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(OTHER[what]())
    with pytest.raises(InputError, match=r"t\.npz") as caught:
        Certificate.load(path)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 400
    with pytest.raises(InputError, match="missing"):
        Certificate.load(tmp_path / "missing.npz")


def test_flipped_bytes_never_give_more_than_the_optimum(tmp_path: Path) -> None:
    """A file with any byte changed is refused, or what it proves is true of what it states."""
    rng = np.random.default_rng(0)
    content = np.frombuffer(stored(), np.uint8)
    path, read = tmp_path / "t.npz", 0
    for _ in range(60):
        spoiled = content.copy()
        spoiled[rng.integers(content.size, size=3)] ^= np.uint8(1 << rng.integers(8))
        path.write_bytes(spoiled.tobytes())
        try:
            found = recheck(Certificate.load(path), SMALL)
        except InputError:
            continue
        read += 1
        assert found.lower <= certificate().upper
    assert read < 60
