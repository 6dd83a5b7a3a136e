"""Image files that fill the memory, end too soon, or hold anything but numbers."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hostile_models import HUGE, Make, content
from PIL import Image, PngImagePlugin


def npy(values: Any) -> bytes:
    """An array in numpy's format, pickled where it holds objects."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=True)
    return file.getvalue()


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    """An .npy file of a header alone."""
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def announcing(shape: object, dtype: str = "<f8", order: bool = False) -> bytes:
    """A header that announces an array of which nothing follows."""
    return header(f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


def npz(**members: bytes) -> bytes:
    """An archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def _deflated(start: bytes, zeros: int) -> Iterator[bytes]:
    """``start`` and then as many zeros, deflated: a block of them once, and then repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = 2**24
    repeated = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(zeros // block):
        yield repeated
    yield packer.compress(bytes(zeros % block)) + packer.flush(zlib.Z_FINISH)


def zip_bomb(start: bytes, zeros: int) -> bytes:
    """An .npz of one member that grows a thousandfold; its checksum is wrong, but at its end."""
    data = b"".join(_deflated(start, zeros))
    size = min(len(start) + zeros, 2**32 - 1)
    name = b"images.npy"
    sizes = struct.pack("<HHHIIIHH", 8, 0, 33, 0, len(data), size, len(name), 0)
    local = b"PK\3\4" + struct.pack("<HH", 20, 0) + sizes + name
    central = (
        b"PK\1\2" + struct.pack("<HHH", 20, 20, 0) + sizes + struct.pack("<HHHII", 0, 0, 0, 0, 0)
    )
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central) + len(name), len(local) + len(data), 0)
    return local + data + central + name + b"PK\5\6" + end


def gzip_bomb(start: bytes, zeros: int) -> bytes:
    """A gzip file that grows a thousandfold."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"".join(_deflated(start, zeros)) + bytes(8)


def idx(shape: tuple[int, ...], code: int = 8, data: bytes = b"") -> bytes:
    """An idx file."""
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG of these chunks; without any: of the zeros of one row."""
    start = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunks or (_chunk(b"IDAT", zlib.compress(bytes(1000))),)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", start) + b"".join(body) + _chunk(b"IEND", b"")


def _png_bomb(rng: Random) -> bytes:
    size = rng.choice([8_000, 9_000])
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(size + 1)) for _ in range(size)) + packer.flush()
    return png(size, size, _chunk(b"IDAT", data))


def _png_of_text(rng: Random) -> bytes:
    information = PngImagePlugin.PngInfo()
    information.add_text("a", "b" * 2**26, zip=True)
    file = io.BytesIO()
    Image.new("L", (2, 1)).save(file, "PNG", pnginfo=information)
    return file.getvalue()


def _picture(mode: str) -> Callable[[Random], bytes]:
    def of(rng: Random) -> bytes:
        file = io.BytesIO()
        Image.new(mode, (rng.randrange(3, 9), 2)).save(file, "PNG")
        return file.getvalue()

    return of


def _many_members(rng: Random) -> bytes:
    return npz(**{f"a{i}": b"" for i in range(70_000)})


def _lying_directory(rng: Random) -> bytes:
    whole = npz(a=npy([0.5, 0.25]))
    place = whole.rfind(b"PK\5\6")
    return whole[: place + 12] + struct.pack("<I", 2**32 - 2) + whole[place + 16 :]


def _other_method(rng: Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", rng.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])) as archive:
        archive.writestr("images.npy", npy([0.5, 0.25]))
    return file.getvalue()


def _encrypted(rng: Random) -> bytes:
    whole = bytearray(npz(a=npy([0.5, 0.25])))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        whole[whole.find(mark) + place] |= 1
    return bytes(whole)


def _damaged(whole: bytes) -> Callable[[Random], bytes]:
    """Bytes in the middle overwritten: a checksum does not fit."""

    def of(rng: Random) -> bytes:
        place = len(whole) // 2
        return whole[: place - 8] + rng.randbytes(16) + whole[place + 8 :]

    return of


def _cut(whole: bytes) -> Callable[[Random], bytes]:
    return lambda rng: whole[: rng.randrange(1, len(whole) - 1)]


def _file(name: str, of: Callable[[Random], bytes]) -> Make:
    return content(of, name)


def sparse(name: str, start: bytes, size: int) -> Make:
    """A file of ``size`` bytes that takes no room on the disk."""

    def make(folder: Path, rng: Random) -> str:
        with (folder / name).open("wb") as file:
            file.write(start)
            file.truncate(size)
        return name

    return make


NOISE = npz(images=npy(np.random.default_rng(0).random((40, 5))))
GREY = _picture("L")(Random(0))
PIXELS = idx((3, 2), 8, bytes(6))
ZEROS = 6 * 2**30

ARRAYS: dict[str, Make] = {
    "npy: empty": _file("a.npy", lambda rng: b""),
    "npy: text": _file("a.npy", lambda rng: b"0.5, 0.25\n"),
    "npy: cut off": _file("a.npy", _cut(npy(np.zeros(9)))),
    "npy: random bytes": _file("a.npy", lambda rng: b"\x93NUMPY\1\0" + rng.randbytes(500)),
    "npy: numbers that are not there": _file(
        "a.npy", lambda rng: announcing(f"({rng.choice(HUGE)},)")
    ),
    "npy: a size that overflows": _file("a.npy", lambda rng: announcing(f"({2**62}, {2**62})")),
    "npy: a size of 4,000 digits": _file("a.npy", lambda rng: announcing(f"({'9' * 4000},)")),
    "npy: a negative size": _file("a.npy", lambda rng: announcing("(-2,)") + bytes(16)),
    "npy: no numbers": _file("a.npy", lambda rng: announcing("(0, 5)")),
    "npy: a hundred axes": _file("a.npy", lambda rng: announcing(str((1,) * 100)) + bytes(8)),
    "npy: sizes that are words": _file("a.npy", lambda rng: announcing("('a',)") + bytes(8)),
    "npy: header nested deep": _file("a.npy", lambda rng: header("(" * 9000)),
    "npy: header without end": _file("a.npy", lambda rng: header("x", 2, 2**32 - 1)),
    "npy: a header of megabytes": _file("a.npy", lambda rng: header(" " * 3_000_000, 2)),
    "npy: a header that calls": _file("a.npy", lambda rng: header("__import__('os').abort()")),
    "npy: of another version": _file("a.npy", lambda rng: b"\x93NUMPY\x09\0" + bytes(200)),
    "npy: pickled": _file("a.npy", lambda rng: npy([{}, None])),
    "npy: words": _file("a.npy", lambda rng: npy(["a", "b"])),
    "npy: complex": _file("a.npy", lambda rng: npy([1j, 2.0])),
    "npy: dates": _file("a.npy", lambda rng: npy(np.array(["2020-01-01"], "datetime64[D]"))),
    "npy: records": _file("a.npy", lambda rng: npy(np.zeros(2, [("a", "f8"), ("b", "f4")]))),
    "npy: entries of a megabyte": _file("a.npy", lambda rng: announcing("(2,)", "|V1000000")),
    "npy: NaN": _file("a.npy", lambda rng: npy(np.full(2, np.nan))),
    "npy: infinity": _file("a.npy", lambda rng: npy([-np.inf, 0.5])),
    "npy: far too many, and there": sparse("a.npy", announcing(f"({2**37},)"), 2**40 + 200),
    "npy: a gigabyte of images": sparse("a.npy", announcing(f"({2**26}, 2)"), 2**30 + 200),
    "npy: a gigabyte of one image": sparse("a.npy", announcing(f"({2**27},)"), 2**30 + 200),
    "npy: a gigabyte, columns first": sparse(
        "a.npy", announcing(f"({2**26}, 2)", order=True), 2**30 + 200
    ),
    "npz: empty": _file("a.npz", lambda rng: b""),
    "npz: text": _file("a.npz", lambda rng: b"PK or not PK\n"),
    "npz: cut off": _file("a.npz", _cut(NOISE)),
    "npz: damaged": _file("a.npz", _damaged(NOISE)),
    "npz: of nothing": _file("a.npz", lambda rng: npz()),
    "npz: several": _file("a.npz", lambda rng: npz(a=npy([1.0]), b=npy([2.0]))),
    "npz: names without end": _file(
        "a.npz", lambda rng: npz(**{"a" * 9000: npy([1.0]), "b" * 9000: npy([2.0])})
    ),
    "npz: a name that moves the cursor": _file(
        "a.npz", lambda rng: npz(**{"\x1b[2J\n": npy([1.0]), "b": npy([2.0])})
    ),
    "npz: a member that is none": _file("a.npz", lambda rng: npz(images=b"no array")),
    "npz: bomb": _file("a.npz", lambda rng: zip_bomb(announcing(f"({ZEROS // 8},)"), ZEROS)),
    "npz: bomb of images": _file(
        "a.npz", lambda rng: zip_bomb(announcing(f"({ZEROS // 16}, 2)"), ZEROS)
    ),
    "npz: bomb of a header": _file("a.npz", lambda rng: zip_bomb(header("x", 2, 2**32 - 1), ZEROS)),
    "npz: numbers that are not there": _file(
        "a.npz", lambda rng: npz(images=announcing(f"({rng.choice(HUGE)},)"))
    ),
    "npz: 70,000 members": _file("a.npz", _many_members),
    "npz: a directory that lies": _file("a.npz", _lying_directory),
    "npz: packed in another way": _file("a.npz", _other_method),
    "npz: encrypted": _file("a.npz", _encrypted),
    "npz: pickled": _file("a.npz", lambda rng: npz(images=npy([{}, 3]))),
    "npz: more than it announces": _file(
        "a.npz", lambda rng: npz(images=npy([0.5, 0.25]) + bytes(2**20))
    ),
    "idx: empty": _file("a.idx", lambda rng: b""),
    "idx: random bytes": _file("a.idx", lambda rng: b"\0" + rng.randbytes(300)),
    "idx: cut off": _file("a.idx", _cut(PIXELS)),
    "idx: huge": _file("a.idx", lambda rng: idx((2**32 - 1,) * 3)),
    "idx: 255 axes": _file("a.idx", lambda rng: idx((1,) * 255, 8, b"\0")),
    "idx: more than it announces": _file("a.idx", lambda rng: PIXELS + b"\0"),
    "idx: no images": _file("a.idx", lambda rng: idx((0, 28, 28))),
    "idx: NaN": _file("a.idx", lambda rng: idx((2,), 0x0E, struct.pack(">dd", np.nan, 0))),
    "idx.gz: bomb": _file("a.idx.gz", lambda rng: gzip_bomb(idx((ZEROS // 2, 2)), ZEROS)),
    "idx.gz: bomb of one image": _file("a.idx.gz", lambda rng: gzip_bomb(idx((2**32 - 1,)), ZEROS)),
    "idx.gz: bomb that is none": _file("a.idx.gz", lambda rng: gzip_bomb(b"", ZEROS)),
    "idx.gz: bomb after two pixels": _file("a.idx.gz", lambda rng: gzip_bomb(idx((2,)), ZEROS)),
    "idx.gz: cut off": _file("a.idx.gz", _cut(gzip.compress(PIXELS))),
    "idx.gz: damaged": _file(
        "a.idx.gz", _damaged(gzip.compress(idx((2, 99), 8, Random(0).randbytes(198))))
    ),
    "idx.gz: gzipped twice": _file("a.idx.gz", lambda rng: gzip.compress(gzip.compress(PIXELS))),
    "idx.gz: packed in another way": _file("a.idx.gz", lambda rng: bz2.compress(PIXELS)),
    "png: empty": _file("a.png", lambda rng: b""),
    "png: text": _file("a.png", lambda rng: b"no picture\n" * 9),
    "png: cut off": _file("a.png", _cut(GREY)),
    "png: damaged": _file("a.png", _damaged(GREY)),
    "png: huge": _file("a.png", lambda rng: png(2**31 - 1, 2**31 - 1)),
    "png: large": _file("a.png", lambda rng: png(50_000, 50_000)),
    "png: just under the limits": _file("a.png", lambda rng: png(9_400, 9_400)),
    "png: bomb": _file("a.png", _png_bomb),
    "png: bomb of text": _file("a.png", _png_of_text),
    "png: of no width": _file("a.png", lambda rng: png(0, 5)),
    "png: a chunk without end": _file(
        "a.png", lambda rng: GREY[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + bytes(99)
    ),
    "png: of a kind that is none": _file("a.png", lambda rng: png(2, 1, depth=77, colour=99)),
    "png: of 16 bits": _file("a.png", _picture("I;16")),
    "png: with alpha": _file("a.png", _picture("RGBA")),
    "png: with a palette": _file("a.png", _picture("P")),
    "png: a JPEG": _file("a.png", lambda rng: b"\xff\xd8\xff\xe0" + rng.randbytes(400)),
    "csv: empty": _file("a.csv", lambda rng: b""),
    "csv: blanks": _file("a.csv", lambda rng: b" \n\t\n" * 9),
    "csv: separators": _file("a.csv", lambda rng: b",,;;,\n"),
    "csv: words": _file("a.csv", lambda rng: b"0.5, half\n"),
    "csv: a word without end": _file("a.csv", lambda rng: b"x" * 3_000_000),
    "csv: a word that moves the cursor": _file("a.csv", lambda rng: b"0.5,\x1b[2J\x07\x08\n"),
    "csv: a million columns": _file("a.csv", lambda rng: b"0.5," * 1_000_000 + b"0.5\n"),
    "csv: a million rows": _file("a.csv", lambda rng: b"0.5,1\n" * 1_000_000),
    "csv: three million rows": _file("a.csv", lambda rng: b"1\n" * 3_000_000),
    "csv: a number of 5,000 digits": _file("a.csv", lambda rng: b"9" * 5000 + b",1\n"),
    "csv: a number of a million digits": _file("a.csv", lambda rng: b"1" * 10**6 + b",1\n"),
    "csv: infinity": _file("a.csv", lambda rng: b"1e999,0\n"),
    "csv: NaN": _file("a.csv", lambda rng: b"nan,0\n"),
    "csv: rows of different lengths": _file("a.csv", lambda rng: b"1,2\n1,2,3\n"),
    "csv: random bytes": _file("a.csv", lambda rng: b"\xff" + rng.randbytes(500)),
    "csv: UTF-16": _file("a.csv", lambda rng: "0.5,0.25\n".encode("utf-16")),
    "csv: zeros": _file("a.csv", lambda rng: bytes(2**20)),
    "csv: a terabyte": sparse("a.csv", b"0.5,", 2**40),
    "csv: a gigabyte": sparse("a.csv", b"0.5,", 2**30),
    "an image of no kind": _file("a.jpg", lambda rng: b"\xff\xd8\xff\xe0" + rng.randbytes(400)),
}
"""Every kind, by its name."""
