"""Text files without end or sense (.nnet, goals, properties, results), trees that are none, and
paths to what is no file."""

from __future__ import annotations

import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from hostile_arrays import (
    NOISE,
    ZEROS,
    announcing,
    gzip_bomb,
    header,
    npy,
    npz,
    sparse,
    zip_bomb,
)
from hostile_models import HUGE, Make, content


def text(of: Callable[[Random], str], name: str) -> Make:
    """A text file."""
    return content(lambda rng: of(rng).encode("utf-8", "surrogatepass"), name)


def nnet(of: Callable[[Random], str]) -> Make:
    """A network in the .nnet format."""
    return text(of, "net.nnet")


START = "// a network\n1,2,2,2,\n2,2,\n0,\n0,0,\n1,1,\n0,0,0,\n1,1,1,\n"
"""The header of a .nnet file of one layer; four weights and two biases follow."""

NNETS: dict[str, Make] = {
    ".nnet: empty": nnet(lambda rng: ""),
    ".nnet: comments": nnet(lambda rng: "// nothing\n" * 100_000),
    ".nnet: random bytes": content(lambda rng: b"\xff" + rng.randbytes(500), "net.nnet"),
    ".nnet: zeros": content(lambda rng: bytes(2**20), "net.nnet"),
    ".nnet: cut off": nnet(lambda rng: (START + "1,2,\n3,4,\n0,\n0,\n")[: rng.randrange(70)]),
    ".nnet: a billion layers": nnet(lambda rng: "1000000000,2,2,2,\n2,2,\n"),
    ".nnet: 20,000 layers": nnet(lambda rng: "20000,2,2,2,\n" + "2," * 20_001 + "\n0,\n"),
    ".nnet: a billion neurons": nnet(
        lambda rng: "2,2,2,9,\n2,1000000000,2,\n0,0,\n" + "1,1,\n" * 2000
    ),
    ".nnet: sizes of 400 digits": nnet(lambda rng: f"{'9' * 400},2,2,2,\n2,2,\n"),
    ".nnet: sizes of 300 digits": nnet(lambda rng: f"1,{'9' * 300},2,2,\n{'9' * 300},2,\n"),
    ".nnet: half a layer": nnet(lambda rng: "1.5,2,2,2,\n2,2,\n"),
    ".nnet: no layers": nnet(lambda rng: "0,2,2,2,\n2,\n0,\n"),
    ".nnet: NaN": nnet(lambda rng: START + "nan,2,\n3,4,\n0,\n0,\n"),
    ".nnet: infinity": nnet(lambda rng: START + "1e999,2,\n3,4,\n0,\n0,\n"),
    ".nnet: words": nnet(lambda rng: START + "one,two,\n"),
    ".nnet: a word without end": nnet(lambda rng: START + "x" * 3_000_000),
    ".nnet: a line of a million numbers": nnet(lambda rng: START + "1," * 1_000_000 + "\n"),
    ".nnet: numbers that go on": nnet(lambda rng: START + "1,2,\n3,4,\n0,\n0,\n" + "1,\n" * 99),
}

DECLARED = "".join(f"(declare-const {v} Real)\n" for v in ("X_0", "X_1", "Y_0", "Y_1"))
BOX = "".join(f"(assert (>= X_{i} 0))(assert (<= X_{i} 1))\n" for i in (0, 1))


def vnnlib(of: Callable[[Random], str]) -> Make:
    """A property that asserts this."""
    return text(lambda rng: DECLARED + BOX + of(rng), "property.vnnlib")


PROPERTIES: dict[str, Make] = {
    "property: empty": text(lambda rng: "", "property.vnnlib"),
    "property: random bytes": content(lambda rng: b"\xff" + rng.randbytes(99), "property.vnnlib"),
    "property: never closed": vnnlib(lambda rng: "(assert (<= Y_0 Y_1)"),
    "property: closed too often": vnnlib(lambda rng: "(assert (<= Y_0 Y_1))))"),
    "property: nested deep": vnnlib(lambda rng: "(assert " + "(and " * 100_000),
    "property: a command of its own": vnnlib(lambda rng: "(launch (<= Y_0 Y_1))"),
    "property: an input that is not there": vnnlib(lambda rng: "(assert (<= X_7 1))"),
    "property: 65,536 cases": vnnlib(lambda rng: "(assert (or (<= Y_0 Y_1) (>= Y_0 Y_1)))\n" * 16),
    "property: cases without end": vnnlib(
        lambda rng: "(assert (and " + "(or (<= Y_0 Y_1) (>= Y_0 Y_1)) " * 64 + "))"
    ),
    "property: a product of products": vnnlib(
        lambda rng: "(assert (<= " + "(* (+ Y_0 Y_1) " * 90 + "2" + ")" * 90 + " 0))"
    ),
    "property: a number of 5,000 digits": vnnlib(lambda rng: f"(assert (<= Y_0 {'9' * 5000}))"),
    "property: a number far too small": vnnlib(lambda rng: f"(assert (<= Y_0 1e-{'9' * 30}))"),
    "property: a word without end": vnnlib(lambda rng: f"(assert (<= Y_0 {'z' * 3_000_000}))"),
    "property: a word that moves the cursor": vnnlib(lambda rng: "(assert (<= Y_0 \x1b[2J\x07))"),
    "property: a million inputs": text(
        lambda rng: "".join(f"(declare-const X_{i} Real)\n" for i in range(200_000)),
        "property.vnnlib",
    ),
    "property: an input with a huge number": text(
        lambda rng: "(declare-const X_999999999 Real)\n", "property.vnnlib"
    ),
    "property: bomb": content(lambda rng: gzip_bomb(b"", ZEROS), "property.vnnlib.gz"),
    "property: bomb of blanks": content(
        lambda rng: gzip.compress(b" " * 2**27), "property.vnnlib.gz"
    ),
    "property: gzip cut off": content(
        lambda rng: gzip.compress(rng.randbytes(999))[:500], "property.vnnlib.gz"
    ),
    "property: a gigabyte": sparse("property.vnnlib", b"(", 2**30),
}


def toml(of: Callable[[Random], str]) -> Make:
    """A file of goals."""
    return text(of, "goals.toml")


def linear(matrix: str, rhs: str = "[0]") -> Make:
    """A goal of this matrix and right-hand side."""
    return toml(lambda rng: f"[[goal]]\nmatrix = {matrix}\nrhs = {rhs}\n")


GOALS: dict[str, Make] = {
    "goals: empty": toml(lambda rng: ""),
    "goals: random bytes": content(lambda rng: b"\xff" + rng.randbytes(99), "goals.toml"),
    "goals: zeros": content(lambda rng: bytes(10_000), "goals.toml"),
    "goals: nested deep": toml(lambda rng: "a = " + "[" * 100_000),
    "goals: tables nested deep": toml(lambda rng: "a = " + "{b = " * 100_000),
    "goals: a key of 100,000 dots": toml(lambda rng: ".".join("a" * 100_000) + " = 1"),
    "goals: a table of 100,000 dots": toml(lambda rng: f"[{'.'.join('a' * 100_000)}]"),
    "goals: a number of 5,000 digits": linear(f"[[{'9' * 5000}, 1]]"),
    "goals: a number of 4,000 digits": linear(f"[[{'9' * 4000}, 1]]"),
    "goals: a margin of 4,000 digits": toml(
        lambda rng: f"[[goal]]\nwant = 1\nmargin = {'9' * 4000}\n"
    ),
    "goals: a million tables": toml(lambda rng: "[[goal]]\n" * 1_000_000),
    "goals: 10,000 goals": toml(lambda rng: "[[goal]]\nwant = 1\n" * 10_000),
    "goals: a word without end": toml(lambda rng: f'[[goal]]\nwant = "{"9" * 200_000}"\n'),
    "goals: a name without end": toml(lambda rng: f"[[goal]]\n{'a' * 200_000} = 1\n"),
    "goals: a name that moves the cursor": toml(lambda rng: '[[goal]]\n"\\u001b[2J\\u0007" = 1\n'),
    "goals: NaN": linear("[[nan, 1.0]]"),
    "goals: infinity": linear("[[0.0, 1.0]]", "[inf]"),
    "goals: words": linear('[["a", "b"]]'),
    "goals: dates": linear("[[2020-01-01, 2021-01-01]]"),
    "goals: a ragged matrix": linear("[[1.0], [1.0, 2.0]]"),
    "goals: a matrix nested deep": linear("[" * 90 + "1" + "]" * 90),
    "goals: a matrix of another network": linear("[[1.0, 2.0, 3.0]]"),
    "goals: rows without right-hand sides": linear("[[1.0, 2.0], [2.0, 1.0]]"),
    "goals: an array in place of tables": toml(lambda rng: "goal = [1, 2]\n"),
    "goals: a class that is not there": toml(lambda rng: f"[[goal]]\nwant = {rng.choice(HUGE)}\n"),
    "goals: of no kind": text(lambda rng: "want = 1\n", "goals.json"),
}

LISTS: dict[str, Make] = {
    "list: empty": text(lambda rng: "\n#\n", "want.txt"),
    "list: random bytes": content(lambda rng: b"\xff" + rng.randbytes(99), "want.txt"),
    "list: a million goals": text(lambda rng: "1\n" * 1_000_000, "want.txt"),
    "list: a word without end": text(lambda rng: "9" * 1_000_000, "want.txt"),
}


def trees(of: Callable[[Random], bytes]) -> Make:
    """What recheck is given as trees."""
    return content(of, "trees.npz")


def _about(json: str) -> bytes:
    return npz(about=npy(np.array(json)), centre=npy(np.zeros(2)))


TREES: dict[str, Make] = {
    "trees: empty": trees(lambda rng: b""),
    "trees: random bytes": trees(lambda rng: rng.randbytes(500)),
    "trees: an image": trees(lambda rng: NOISE),
    "trees: cut off": trees(lambda rng: NOISE[: len(NOISE) // 2]),
    "trees: no JSON": trees(lambda rng: _about("no trees")),
    "trees: of another format": trees(lambda rng: _about('{"format": "leaves 7"}')),
    "trees: JSON nested deep": trees(lambda rng: _about("[" * 100_000)),
    "trees: a number of 5,000 digits": trees(lambda rng: _about("9" * 5000)),
    "trees: pickled": trees(lambda rng: npz(about=npy([{}, 3]))),
    "trees: bomb": trees(lambda rng: zip_bomb(announcing(f"({ZEROS // 8},)"), ZEROS)),
    "trees: bomb of a header": trees(lambda rng: zip_bomb(header("x", 2, 2**32 - 1), ZEROS)),
    "trees: 5,000 arrays": trees(
        lambda rng: npz(**{f"a{i}": npy(np.zeros(3)) for i in range(5_000)})
    ),
    "trees: numbers that are not there": trees(lambda rng: npz(about=announcing(f"({2**40},)"))),
}


def _folder(run: str, rows: str) -> Make:
    def make(folder: Path, rng: Random) -> str:
        (folder / "attacked").mkdir()
        (folder / "attacked/run.json").write_text(run)
        (folder / "attacked/rows.jsonl").write_text(rows)
        return "attacked"

    return make


FOLDERS: dict[str, Make] = {
    "results: nested deep": _folder("[" * 100_000, ""),
    "results: no JSON": _folder("{", ""),
    "results: a list": _folder("[1, 2]", ""),
    "results: another run": _folder('{"marapatch": "patch-attack", "network": "none"}', ""),
    "results: a number of 5,000 digits": _folder("9" * 5000, ""),
    "results: a word without end": _folder(f'{{"network": "{"x" * 3_000_000}"}}', ""),
}


def _made(make: Callable[[Path], object], name: str) -> Make:
    def of(folder: Path, rng: Random) -> str:
        make(folder / name)
        return name

    return of


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _unreadable(path: Path) -> None:
    path.write_text("secret")
    path.chmod(0)


def paths(suffix: str) -> dict[str, Make]:
    """What may stand where a file with ``suffix`` is expected."""
    found: dict[str, Make] = {
        "a folder": _made(Path.mkdir, f"a{suffix}"),
        "a pipe": _made(os.mkfifo, f"a{suffix}"),
        "a device": _made(lambda path: path.symlink_to("/dev/zero"), f"a{suffix}"),
        "a terminal": _made(lambda path: path.symlink_to("/dev/ptmx"), f"a{suffix}"),
        "a socket": _made(_socket, f"a{suffix}"),
        "a link to itself": _made(_loop, f"a{suffix}"),
        "a link to nothing": _made(lambda path: path.symlink_to("nothing"), f"a{suffix}"),
        "a file inside a file": _made(lambda path: path.parent.write_text(""), f"f/a{suffix}"),
        "a name without end": _made(lambda path: None, "a" * 300 + suffix),
        "a name that moves the cursor": _made(lambda path: None, f"\x1b[2J\n\x07{suffix}"),
        "a name that is no text": _made(lambda path: None, f"\udcff\udcfe{suffix}"),
        "a file in the process's memory": _made(
            lambda path: path.symlink_to("/proc/self/mem"), f"a{suffix}"
        ),
    }
    if os.geteuid() != 0:  # nothing is unreadable to root
        found["a file that may not be read"] = _made(_unreadable, f"a{suffix}")
    return {f"{kind} in place of {suffix}": make for kind, make in found.items()}


ZIPPED: dict[str, Make] = {
    "net.onnx.gz: bomb": content(lambda rng: gzip_bomb(b"", ZEROS), "net.onnx.gz"),
    "net.onnx.gz: bomb of a network": content(
        lambda rng: gzip_bomb(b"\x3a\x80\x80\x80\x80\x10", ZEROS), "net.onnx.gz"
    ),
    "net.onnx.gz: cut off": content(
        lambda rng: gzip.compress(rng.randbytes(999))[:500], "net.onnx.gz"
    ),
    "net.onnx.gz: text": content(lambda rng: gzip.compress(b"no network\n"), "net.onnx.gz"),
}
