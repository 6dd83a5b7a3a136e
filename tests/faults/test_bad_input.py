"""Every way to give bad input: exit 2, one line on stderr that says what to do, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, save

from marapatch.cli import main
from marapatch.errors import BackendError, ContradictionError, MarapatchError, ScopeError

WEIGHTS = {"W": np.array([[1.0, -1.0], [0.5, 2.0], [-1.0, 0.25]]).T, "b": np.array([0.5, 0, -1])}
LINEAR = [node("Gemm", ["x", "W", "b"], ["y"])]


def two_inputs() -> Any:
    made = model([*LINEAR[:0], node("Add", ["x", "z"], ["y"])], ["batch", 2])
    made.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 2]))
    return made


def two_outputs() -> Any:
    made = model([*LINEAR, node("Relu", ["x"], ["z"])], ["batch", 2], WEIGHTS)
    made.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 2]))
    return made


def with_weight(value: float) -> Any:
    return model(LINEAR, ["batch", 2], {**WEIGHTS, "b": np.array([0.5, value, -1.0])})


def without_its_data(path: Path) -> None:
    onnx.save_model(
        model(LINEAR, ["batch", 2], {"W": np.ones((2, 900)), "b": np.zeros(900)}),
        str(path),
        save_as_external_data=True,
        location="gone.bin",
    )
    (path.parent / "gone.bin").unlink()


def build(folder: Path) -> None:
    """The files that the rows below name."""
    good = save(model(LINEAR, ["batch", 2], WEIGHTS), folder, "good.onnx").read_bytes()
    (folder / "cut.onnx").write_bytes(good[: len(good) // 2])
    (folder / "text.onnx").write_text("this is no network\n")
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "cut.nnet").write_text("// a network\n2,2,2,4,\n2,4,2,\n")
    without_its_data(folder / "external.onnx")
    save(model(LINEAR, ["batch", "width"], WEIGHTS), folder, "dynamic.onnx")
    save(with_weight(np.nan), folder, "nan.onnx")
    save(with_weight(np.inf), folder, "inf.onnx")
    save(two_inputs(), folder, "two_inputs.onnx")
    save(two_outputs(), folder, "two_outputs.onnx")
    save(model([node("Sigmoid", ["x"], ["y"], name="s1")], ["batch", 2]), folder, "sigmoid.onnx")
    np.save(folder / "good.npy", np.array([0.5, 0.25], np.float32))
    (folder / "cut.npy").write_bytes((folder / "good.npy").read_bytes()[:-3])
    np.save(folder / "nan.npy", np.array([0.5, np.nan]))
    np.save(folder / "inf.npy", np.array([np.inf, 0.5]))
    np.save(folder / "three.npy", np.zeros(3))
    np.save(folder / "batch.npy", np.zeros((4, 2)))
    np.save(folder / "pixels.npy", np.array([1, 200], np.uint8))
    np.save(folder / "words.npy", np.array(["a", "b"]))
    np.save(folder / "mask.npy", np.array([False, False]))
    np.save(folder / "box.npy", np.array([[0.0, 0.9], [1.0, 0.1]]))
    (folder / "box.vnnlib").write_text("(declare-const X_0 Real)\n(assert (<= X_0 1))\n")
    (folder / "picture.jpg").write_text("")
    (folder / "folder").mkdir()


GOOD = ["groundtruth", "good.onnx", "good.npy", "--box", "0,1"]


def net(name: str) -> list[str]:
    return ["groundtruth", name, "good.npy", "--box", "0,1"]


def image(name: str, *more: str) -> list[str]:
    return ["groundtruth", "good.onnx", name, *(more or ("--box", "0,1"))]


ROWS: dict[str, tuple[Sequence[str], str]] = {
    # the network
    "network missing": (net("no.onnx"), "no.onnx: cannot be read"),
    "network a folder": (net("folder"), "folder: cannot be read"),
    "network truncated": (net("cut.onnx"), "cut.onnx: is no ONNX file, or cut off"),
    "network not ONNX": (net("text.onnx"), "text.onnx: is no ONNX file"),
    "network empty": (net("empty.onnx"), "empty.onnx: is no ONNX file"),
    ".nnet truncated": (net("cut.nnet"), "cut.nnet"),
    "external data missing": (net("external.onnx"), "external.onnx: its weights are in another"),
    "dynamic axis": (net("dynamic.onnx"), "width"),
    "NaN in weights": (net("nan.onnx"), "nan.onnx"),
    "infinity in weights": (net("inf.onnx"), "inf.onnx"),
    "two inputs": (net("two_inputs.onnx"), "two_inputs.onnx"),
    "two outputs": (net("two_outputs.onnx"), "two_outputs.onnx"),
    "operator": (net("sigmoid.onnx"), "Sigmoid"),
    "no such example": (net("example:no"), "there are example:mnist_3x24, example:mnist_3x24_adv"),
    # the image
    "image missing": (image("no.npy"), "no.npy: cannot be read: No such file"),
    "image truncated": (image("cut.npy"), "cut.npy: truncated or damaged"),
    "image of NaN": (image("nan.npy"), "nan.npy: entry (1,) is nan"),
    "image of infinity": (image("inf.npy"), "inf.npy: entry (0,) is inf"),
    "image of words": (image("words.npy"), "not real numbers"),
    "image of another kind": (image("picture.jpg"), "not a known kind of image"),
    "image shape": (image("three.npy"), "has shape (3,), the network takes (2,)"),
    "image of many": (image("batch.npy"), "choose one with --index"),
    "index": (image("batch.npy", "--index", "4", "--box", "0,1"), "--index 4 is not one of"),
    "scale": (image("pixels.npy", "--scale", "10"), "'10' is not one of"),
    "no such example image": (image("example:no"), "there are example:digits, example:seven"),
    # the box and the mask
    "no box": (["groundtruth", "good.onnx", "good.npy"], "give --box"),
    "empty box": ([*GOOD[:3], "--box", "1,0"], "the box is empty at entry 0: [1, 0]"),
    "empty box in a file": (
        [*GOOD[:3], "--box", "box.npy"],
        "box.npy: the box is empty at entry 1",
    ),
    "box of another network": ([*GOOD[:3], "--box", "box.vnnlib"], "declares 1 inputs"),
    "box of words": ([*GOOD[:3], "--box", "a,b"], "neither LO,HI"),
    "outside the box": ([*GOOD[:3], "--box", "0.3,1"], "entry 1 is 0.25, outside the box [0.3, 1]"),
    "mask": ([*GOOD, "--mask", "mask.npy"], "lets no entry change"),
    "mask missing": ([*GOOD, "--mask", "no.npy"], "No such file"),
    "init": ([*GOOD, "--init", "three.npy"], "has shape (3,), the network takes (2,)"),
    # the question
    "target is the label": (
        [*GOOD, "--label", "1", "--target", "1"],
        "target 1 is the label itself",
    ),
    "target out of range": ([*GOOD, "--target", "3"], "target 3 is not one of"),
    "target negative": ([*GOOD, "--target", "-1"], "target -1 is not one of"),
    "target of words": ([*GOOD, "--target", "cat"], "'--target'"),
    "label out of range": ([*GOOD, "--label", "9"], "label 9 is not one of"),
    "target and all targets": ([*GOOD, "--target", "1", "--all-targets"], "exclude each other"),
    "norm": ([*GOOD, "--norm", "l2"], "'l2' is not one of 'linf', 'l1'"),
    "decision": ([*GOOD, "--decision", "argmid"], "'argmid' is not one of"),
    # how to search
    "negative tolerance": ([*GOOD, "--tolerance", "-0.1"], "the tolerance must be"),
    "tolerance nan": ([*GOOD, "--tolerance", "nan"], "the tolerance must be"),
    "negative margin": ([*GOOD, "--margin", "-1"], "the margin must be"),
    "timeout 0": ([*GOOD, "--timeout", "0"], "timeout must be a positive number"),
    "query timeout negative": ([*GOOD, "--query-timeout", "-5"], "query_timeout must be"),
    "jobs 0": ([*GOOD, "--jobs", "0"], "jobs must be at least 1"),
    "search": ([*GOOD, "--search", "guess"], "search 'guess' is not one of"),
    "backend": ([*GOOD, "--backend", "oracle"], "backend 'oracle' is not known"),
    "encoding": ([*GOOD, "--encoding", "l1"], "'l1' is not one of"),
    "evidence": ([*GOOD, "--evidence", "hearsay"], "'hearsay' is not one of"),
    # outputs
    "out in no folder": ([*GOOD, "--out", "none/w.npy"], "cannot be written: there is no folder"),
    "out a folder": ([*GOOD, "--out", "folder"], "folder: cannot be written: it is a folder"),
    "out in /proc": ([*GOOD, "--out", "/proc/w.npy"], "/proc/w.npy: cannot be written"),
    "json in no folder": ([*GOOD, "--json", "none/w.json"], "there is no folder"),
    "plot in no folder": ([*GOOD, "--plot", "none/w.png"], "there is no folder"),
    "plot format": ([*GOOD, "--plot", "w.gif"], "a picture ends in .png"),
    "out over the image": ([*GOOD, "--out", "good.npy"], "good.npy: would be overwritten"),
    "json over out": ([*GOOD, "--out", "w", "--json", "./w"], "w: would be overwritten"),
    # the command line itself
    "no arguments": (["groundtruth"], "Missing argument 'NET'"),
    "one argument": (["groundtruth", "good.onnx"], "Missing argument 'IMAGE'"),
    "unknown option": ([*GOOD, "--fast"], "No such option"),
    "unknown command": (["prove"], "No such command 'prove'"),
    # the other commands
    "attack: target is the label": (
        ["attack", "good.onnx", "good.npy", "--box", "0,1", "--label", "0", "--target", "0"],
        "target 0 is the label itself",
    ),
    "attack: out in no folder": (
        ["attack", *GOOD[1:], "--out", "none/w.npy"],
        "there is no folder",
    ),
    "attack: image missing": (["attack", "good.onnx", "no.npy"], "no.npy: cannot be read"),
    "fetch: no such set": (["fetch", "nothing"], "nothing: no such set of data; there are acasxu"),
}


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    build(folder)
    return folder


def check_refused(folder: Path, run: Callable[[], tuple[int, str, str]], message: str) -> None:
    before = contents(folder)
    code, out, err = run()
    assert code == 2, err
    assert out == ""
    assert err.startswith("marapatch: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert contents(folder) == before


@pytest.mark.parametrize(("arguments", "message"), ROWS.values(), ids=ROWS.keys())
def test_bad_input(
    files: Path,
    arguments: Sequence[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(files)
    monkeypatch.delenv("MARAPATCH_DEBUG", raising=False)

    def run() -> tuple[int, str, str]:
        code = main(arguments)
        return (code, *capfd.readouterr())

    check_refused(files, run, message)


@pytest.mark.parametrize(
    "row",
    ["network truncated", "out in no folder", "unknown option"],
)
def test_bad_input_through_a_process_of_its_own(files: Path, row: str) -> None:
    arguments, message = ROWS[row]

    def run() -> tuple[int, str, str]:
        environment = {k: v for k, v in os.environ.items() if k != "MARAPATCH_DEBUG"}
        done = subprocess.run(
            [sys.executable, "-m", "marapatch", *arguments],
            cwd=files,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    check_refused(files, run, message)


def test_fetch_offline_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9" if name != "no_proxy" else "")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9" if name != "no_proxy" else "")
    monkeypatch.delenv("MARAPATCH_DATA", raising=False)

    def run() -> tuple[int, str, str]:
        code = main(["fetch", "reassure", "--to", str(tmp_path)])
        return (code, *capfd.readouterr())

    check_refused(tmp_path, run, "when offline, set MARAPATCH_DATA")


def test_the_good_files_of_the_table_are_good(
    files: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert main([*GOOD, "--nodes", "1000"]) == 0
    assert "nearest input decided as another class instead of 0" in capfd.readouterr().out


def test_a_defect_is_no_exit_code_of_an_answer(
    files: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.chdir(files)
    monkeypatch.setattr("marapatch.formats.inputs.start", broken)
    monkeypatch.delenv("MARAPATCH_DEBUG", raising=False)
    assert main(GOOD) == 70
    assert capfd.readouterr().err.startswith(
        "marapatch: error: ZeroDivisionError: division by zero; this is a defect"
    )
    monkeypatch.setenv("MARAPATCH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(GOOD)


@pytest.mark.parametrize(
    ("error", "code"), [(BackendError, 3), (ContradictionError, 4), (ScopeError, 70)]
)
def test_exit_codes_of_other_errors(
    files: Path,
    error: type[MarapatchError],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*given: object) -> None:
        raise error("went wrong")

    monkeypatch.chdir(files)
    monkeypatch.setattr("marapatch.formats.inputs.start", broken)
    monkeypatch.delenv("MARAPATCH_DEBUG", raising=False)
    assert main(GOOD) == code
    err = capfd.readouterr().err
    assert "went wrong" in err
    assert err.count("\n") == 1
