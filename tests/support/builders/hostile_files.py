"""Hostile files by kind, and the commands that read them: for the benchmark and for the tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from hostile_arrays import ARRAYS
from hostile_models import Make, good
from hostile_networks import NETWORKS, THIN
from hostile_texts import (
    BOX,
    DECLARED,
    FOLDERS,
    GOALS,
    LISTS,
    NNETS,
    PROPERTIES,
    TREES,
    ZIPPED,
    paths,
)

FILE = "{}"
"""Stands for the hostile file in a command."""

ASKED = ("--box", "0,1")

NETWORK = (
    ("groundtruth", FILE, "good.npy", *ASKED),
    ("verify", FILE, "good.vnnlib"),
    ("mark", FILE, "--target", "0"),
    ("patch", FILE, "good.npy", "--want", "0"),
    ("attack", FILE, "good.npy", *ASKED),
    ("patch-attack", FILE, "good.npy", *ASKED, "-o", "new"),
    ("patch-attack", "good.onnx", "good.npy", *ASKED, "--transfer", FILE),
    ("export", FILE, "good.vnnlib", "new.smt2"),
)
IMAGE = (
    ("groundtruth", "good.onnx", FILE, *ASKED, "--out", "new.npy"),
    ("groundtruth", "good.onnx", "good.npy", *ASKED, "--init", FILE),
    ("attack", "good.onnx", FILE, *ASKED),
)
MASK = (("groundtruth", "good.onnx", "good.npy", *ASKED, "--mask", FILE),)
BOXES = (("groundtruth", "good.onnx", "good.npy", "--box", FILE),)
PROPERTY = (("verify", "good.onnx", FILE), ("export", "good.onnx", FILE, "new.mps"))
GOAL = (("patch", "good.onnx", "good.npy", "--spec", FILE, "-o", "new.onnx"),)
LIST = (("patch", "good.onnx", "good.npy", "--want", FILE),)
TREE = (("recheck", FILE, "good.onnx"),)
RESULTS = (("patch-attack", "good.onnx", "good.npy", *ASKED, "-o", FILE),)

Commands = tuple[tuple[str, ...], ...]

KINDS: Mapping[str, tuple[Make, Commands]] = {
    **{kind: (make, NETWORK) for kind, make in {**NETWORKS, **NNETS, **ZIPPED}.items()},
    "two thin layers": (THIN, (("mark", FILE, "--target", "0"),)),
    **{kind: (make, IMAGE) for kind, make in ARRAYS.items()},
    **{kind: (make, PROPERTY) for kind, make in PROPERTIES.items()},
    **{kind: (make, GOAL) for kind, make in GOALS.items()},
    **{kind: (make, LIST) for kind, make in LISTS.items()},
    **{kind: (make, TREE) for kind, make in TREES.items()},
    **{kind: (make, RESULTS) for kind, make in FOLDERS.items()},
    **{kind: (make, NETWORK) for kind, make in paths(".onnx").items()},
    **{kind: (make, NETWORK) for kind, make in paths(".nnet").items()},
    **{kind: (make, IMAGE) for kind, make in paths(".csv").items()},
    **{kind: (make, MASK) for kind, make in paths(".npy").items()},
    **{kind: (make, BOXES) for kind, make in paths(".vnnlib").items()},
    **{kind: (make, GOAL) for kind, make in paths(".toml").items()},
    **{kind: (make, TREE) for kind, make in paths(".npz").items()},
}
"""By kind: who makes the file, and the commands of which one is run on it."""


@dataclass(frozen=True)
class Hostile:
    """A file and a command: ``name`` is the file's, ``arguments`` are the command's."""

    kind: str
    name: str
    arguments: tuple[str, ...]


def hostile(kind: str, seed: int, folder: Path) -> Hostile:
    """Make a file of ``kind`` in ``folder``, with everything else that a command on it needs."""
    make, commands = KINDS[kind]
    rng = Random(f"{kind}/{seed}")
    help_files(folder)
    name = make(folder, rng)
    chosen = rng.choice(commands)
    return Hostile(kind, name, tuple(name if word == FILE else word for word in chosen))


def help_files(folder: Path) -> None:
    """A network, an image and a property that are as they should be."""
    (folder / "good.onnx").write_bytes(good().SerializeToString())
    np.save(folder / "good.npy", np.array([0.5, 0.25], np.float32))
    (folder / "good.vnnlib").write_text(f"{DECLARED}{BOX}(assert (<= Y_0 Y_1))\n")


def contents(folder: Path) -> dict[str, bytes]:
    """The regular files below ``folder`` and what is in them; of large ones the sizes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.stat().st_size < 2**20
        else b"large"
        for path in _files(folder)
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def faults(case: Hostile, code: int, out: str, err: str) -> list[str]:
    """What a command on a hostile file should have done otherwise; empty where all is as it should
    be: exit code 2, nothing on stdout (``verify`` says ``error`` there), and one short line."""
    checks: Mapping[str, Callable[[], bool]] = {
        "exit code": lambda: code == 2,
        "stdout": lambda: out == ("error\n" if case.arguments[0] == "verify" else ""),
        "one line": lambda: err.count("\n") == 1 and err.endswith("\n"),
        "short": lambda: len(err) <= 450,
        "plain": lambda: all(c.isprintable() or c == "\n" for c in err),
        "names the file": lambda: _part(case.name) in err,
        "no defect": lambda: "defect" not in err and "Traceback" not in err,
    }
    return [name for name, holds in checks.items() if not holds()]


def _part(name: str) -> str:
    """So much of a name as stands in a message in any case."""
    return max(re.findall(r"[!-~]+", name), key=len)[:40]
