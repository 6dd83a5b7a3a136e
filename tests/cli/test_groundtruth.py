"""``marapatch groundtruth``: what it prints, what it writes, and the code it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import RUN, SMALL

from marapatch.cli import main
from marapatch.network.load import load


def test_the_answer_is_printed_and_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = ["--out", "w.npy", "--json", "w.json", "--plot", "w.png"]
    assert main([*RUN, *written]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("nearest input decided as another class instead of ")
    assert printed[1].split()[:4] == ["target", "lower", "upper", "gap"]

    report = json.loads((files / "w.json").read_text())
    network = load(files / "net.nnet")
    witness = np.load(files / "w.npy")
    assert report["status"] == "closed"
    assert 0.0 <= report["upper"] - report["lower"] <= 1e-4
    assert report["witness"] == "w.npy"
    assert report["network"]["sha256"] == network.source.sha256  # type: ignore[union-attr]
    assert report["image"] == {"path": "image.npy", "index": None, "scaled": False}
    assert set(report["versions"]) >= {"marapatch", "maraboupy", "numpy", "onnxruntime"}
    assert report["options"]["nodes"] == 2000
    assert witness.dtype == network.input_dtype
    assert witness.shape == network.input_shape
    assert int(np.argmax(network.evaluate(witness))) != report["label"]
    image = np.load(files / "image.npy").astype(network.input_dtype).astype(float)
    assert np.abs(witness.astype(float) - image).max() <= report["upper"]
    assert (files / "w.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in files.iterdir()) == [
        "image.npy",
        "net.nnet",
        "w.json",
        "w.npy",
        "w.png",
    ]


def test_every_target_has_its_bracket_and_its_witness(files: Path) -> None:
    assert main([*RUN, "--all-targets", "--out", "w.npy", "--json", "w.json"]) == 0
    report = json.loads((files / "w.json").read_text())
    assert len(report["targets"]) == 2
    for entry in report["targets"]:
        assert entry["status"] == "closed"
        assert entry["witness"] == f"w-{entry['target']}.npy"
        witness = np.load(files / entry["witness"])
        assert int(np.argmax(SMALL.evaluate(witness.astype(float)))) == entry["target"]


def test_an_open_bracket_exits_with_1(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--evidence", "bound", "--tolerance", "0", "--norm", "l1"]) == 1
    assert " open" in capsys.readouterr().out


def test_a_wrong_label_is_at_distance_0_and_it_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = int(np.argmax(SMALL.evaluate(np.load("image.npy"))))
    other = (decided + 1) % 3
    assert main([*RUN, "--label", str(other), "--out", "w.npy", "--json", "w.json"]) == 0
    assert f"already decided {decided}, not {other}" in capsys.readouterr().out
    report = json.loads((files / "w.json").read_text())
    assert (report["status"], report["lower"], report["upper"]) == ("already", 0.0, 0.0)
    image = np.load("image.npy").astype(np.load("w.npy").dtype)
    np.testing.assert_array_equal(np.load("w.npy"), image)


def test_without_a_witness_nothing_is_written_and_it_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("box.npy", np.array([[0.25, 0.5, 0.75], [0.2501, 0.5, 0.75]]))
    assert main([*RUN, "--box", "box.npy", "--out", "w.npy", "--json", "w.json"]) == 0
    captured = capsys.readouterr()
    assert "no input in the box is decided as another class" in captured.out
    assert "no witness was found, so w.npy was not written" in captured.err
    assert not (files / "w.npy").exists()
    report = json.loads((files / "w.json").read_text())
    assert (report["status"], report["lower"], report["upper"]) == ("none", None, None)


def test_the_mask_keeps_entries_and_the_witness_can_be_started_from(files: Path) -> None:
    np.save("free.npy", np.array([True, True, False]))
    masked = [*RUN, "--mask", "free.npy", "--json", "a.json", "--out", "a.npy"]
    assert main(masked) == 0
    first = json.loads((files / "a.json").read_text())
    witness = np.load("a.npy")
    assert witness.reshape(-1)[2] == witness.dtype.type(0.75)
    assert main([*masked[:-4], "--init", "a.npy", "--json", "b.json"]) == 0
    assert json.loads((files / "b.json").read_text())["upper"] <= first["upper"]


def test_pixels_are_scaled_and_it_says_so(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("pixels.npy", np.array([64, 128, 192], np.uint8))
    main(["groundtruth", "net.nnet", "pixels.npy", "--nodes", "2000", "--json", "w.json"])
    assert "whole numbers of 0..255, divided by 255" in capsys.readouterr().err
    assert json.loads((files / "w.json").read_text())["image"]["scaled"] is True


@pytest.mark.parametrize("backend", ["marabou", "highs", "enumeration"])
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_every_backend_finds_the_same(files: Path, backend: str, norm: str) -> None:
    """Bisection by the backend alone agrees with the default way, to the tolerances."""
    asked = [*RUN, "--norm", norm, "--tolerance", "1e-3"]
    alone = ["--backend", backend, "--search", "bisection", "--json", "alone.json"]
    assert main([*asked, *alone]) == 0
    assert main([*asked, "--json", "default.json"]) == 0
    a, b = (json.loads(Path(name).read_text()) for name in ("alone.json", "default.json"))
    assert a["lower"] <= b["upper"]
    assert b["lower"] <= a["upper"]
