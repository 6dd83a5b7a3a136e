"""Standard output holds the answer and nothing else, whatever the solvers print.

A driver runs the command with Python's ``sys.stdout`` led to a file of its own. What then arrives
at the process's standard output was written past Python: by a solver, or by the command where it
was told to write JSON to ``/dev/stdout``.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save

ROOT = Path(__file__).resolve().parents[2]

RNG = np.random.default_rng(50)
WEIGHTS = {
    "W0": RNG.normal(size=(3, 6)),
    "b0": RNG.normal(size=6),
    "W1": RNG.normal(size=(6, 5)),
    "b1": RNG.normal(size=5),
    "W2": RNG.normal(size=(5, 3)),
    "b2": RNG.normal(size=3),
}
NODES = [
    node("Gemm", ["x", "W0", "b0"], ["z0"]),
    node("Relu", ["z0"], ["a0"]),
    node("Gemm", ["a0", "W1", "b1"], ["z1"]),
    node("Relu", ["z1"], ["a1"]),
    node("Gemm", ["a1", "W2", "b2"], ["y"]),
]
IMAGES = np.array([[0.25, 0.5, 0.75], [0.6, 0.3, 0.4]], dtype=np.float32)

PROPERTY = """
(declare-const X_0 Real) (declare-const X_1 Real) (declare-const X_2 Real)
(declare-const Y_0 Real) (declare-const Y_1 Real) (declare-const Y_2 Real)
(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1) (>= X_2 0) (<= X_2 1)))
(assert (<= Y_2 Y_0))
"""

DRIVER = """
import sys
from marapatch.cli import main
if __name__ == "__main__":
    sys.stdout = open("said.txt", "w", encoding="utf-8")
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.exit(code)
"""

GROUND_TRUTH = ["groundtruth", "net.onnx", "image.npy", "--box", "0,1"]
PATCH = ["patch", "net.onnx", "image.npy", "--want", "1"]
PATCH_ATTACK = ["patch-attack", "net.onnx", "images.npy", "--box", "0,1"]
DISTANCE, LEAST = r"nearest input decided ", r"layer \d .*: least "
JSON = ["--json", "/dev/stdout"]

COMMANDS = {
    "groundtruth": ([*GROUND_TRUTH, "--all-targets"], DISTANCE),
    "groundtruth, as JSON": ([*GROUND_TRUTH, "--norm", "l1", *JSON], DISTANCE),
    "groundtruth, descent": (
        [*GROUND_TRUTH, "--backend", "highs", "--search", "descent"],
        DISTANCE,
    ),
    "groundtruth, two processes": ([*GROUND_TRUTH, "--jobs", "2", *JSON], DISTANCE),
    "patch": ([*PATCH, "--layer", "0"], LEAST),
    "patch, as JSON": ([*PATCH, "--norm", "l1", *JSON], LEAST),
    "patch-attack": (PATCH_ATTACK, r"found \d of 2 "),
    "patch-attack, as JSON": ([*PATCH_ATTACK, *JSON], r"found \d of 2 "),
    "mark": (["mark", "net.onnx", "--target", "1", *JSON], r"marks for class 1 to win "),
    "attack": (["attack", "net.onnx", "image.npy", "--box", "0,1"], r"fgm "),
    "verify": (["verify", "net.onnx", "property.vnnlib", "--backend", "highs"], r"(uns|s)at$"),
    "recheck": (["recheck", "trees.npz", "net.onnx", *JSON], r"norm linf, "),
    "export": (["export", "net.onnx", "property.vnnlib", "query.mps"], r"query.mps: "),
    "doctor": (["doctor"], r"python "),
    "fetch": (["fetch"], r"acasxu "),
    "version": (["--version"], r"marapatch \d"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, images of it, a property, the driver and a search tree."""
    path = tmp_path_factory.mktemp("stdout")
    save(model(NODES, ["batch", 3], WEIGHTS), path, "net.onnx")
    np.save(path / "images.npy", IMAGES)
    np.save(path / "image.npy", IMAGES[0])
    (path / "property.vnnlib").write_text(PROPERTY)
    (path / "driver.py").write_text(DRIVER)
    run(path, [*GROUND_TRUTH, "--tree", "trees.npz"])
    return path


def run(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """What the driver does; its standard output is a pipe."""
    command = [sys.executable, "driver.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("arguments", "answer"), COMMANDS.values(), ids=COMMANDS.keys())
def test_only_the_answer(folder: Path, arguments: list[str], answer: str) -> None:
    done = run(folder, arguments)
    assert done.returncode in (0, 1), done.stderr
    assert re.match(answer, (folder / "said.txt").read_text().splitlines()[0])
    if JSON[0] in arguments:
        assert isinstance(json.loads(done.stdout), dict)
    else:
        assert done.stdout == ""


def test_the_answer_of_the_program_itself(folder: Path) -> None:
    """Without the driver: the JSON, as files are written first, then the answer, in one pipe."""
    command = [sys.executable, "-m", "marapatch", *GROUND_TRUTH, *JSON]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    written, end = json.JSONDecoder().raw_decode(done.stdout)
    assert written["status"] == "closed"
    lines = done.stdout[end:].strip().splitlines()
    assert lines[0].startswith("nearest input decided as another class instead of ")
    assert lines[1].split()[:3] == ["target", "lower", "upper"]
    assert re.fullmatch(r"\d+ quer(y|ies), \d+\.\d s", lines[-1])


LOUD = """
import ctypes, os, sys, threading
import highspy
from marapatch.linear_programs import highs as silent_highs
c = ctypes.CDLL(None)
made = []

class Loud(highspy.Highs):
    def __init__(self):
        c.puts(b"a banner of C")             # held in C's buffer where stdout is a pipe
        if "closed" not in sys.argv:
            os.write(1, b"a banner past C\\n")
        made.append(self)
        if "fail" in sys.argv and len(made) == 1:
            raise MemoryError
        super().__init__()

highspy.Highs = Loud
c.puts(b"before")
"""


def said(program: str, *arguments: str) -> list[str]:
    """The lines that ``program`` leaves at its standard output, a pipe."""
    command = [sys.executable, "-c", LOUD + program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_any_banner_of_the_first_instance_is_silenced() -> None:
    """Written with or without C's buffer; what was printed before and is printed after stays."""
    program = "silent_highs.new_highs(); assert len(made) == 2; made.clear(); c.puts(b'after')"
    lines = said(program)
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert lines.count("a banner of C") == lines.count("a banner past C") == 1  # of the second


def test_standard_output_is_back_after_an_error() -> None:
    program = """
try:
    silent_highs.new_highs()
except MemoryError:
    c.puts(b"after")
"""
    assert said(program, "fail") == ["before", "after"]


def test_a_closed_standard_output_stays_closed() -> None:
    program = """
c.fflush(None)
kept = os.dup(1)
os.close(1)
silent_highs.new_highs()
try:
    os.fstat(1)
except OSError:
    os.write(kept, b"still closed\\n")
"""
    assert said(program, "closed") == ["before", "still closed"]


def test_threads_that_start_together() -> None:
    program = """
together = threading.Barrier(8)
def first():
    together.wait()
    silent_highs.new_highs()
threads = [threading.Thread(target=first) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
c.puts(b"after")
"""
    lines = said(program)
    assert lines[0] == "before"
    assert lines[-1] == "after"
    # Of the eight instances after the first; lines of several threads may run together.
    assert "".join(lines).count("a banner of C") == 8


def test_nothing_else_makes_instances() -> None:
    """An instance made elsewhere could be a process's first."""
    for path in [*ROOT.glob("marapatch/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Attribute) and call.attr in ("Highs", "_Highs"):
                assert (path.parent.name, path.name) == ("linear_programs", "highs.py"), (
                    f"{path}:{call.lineno}"
                )
