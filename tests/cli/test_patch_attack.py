"""``marapatch patch-attack`` and ``marapatch mark``: what they print, keep and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import model, node, reference, save
from PIL import Image

import marapatch.cli.patch_attack_run as runs
from marapatch.cli import main
from marapatch.network.load import load
from marapatch.patch_attacks.measures import distances, pielou

RNG = np.random.default_rng(21)
WEIGHTS = {
    "W0": RNG.normal(size=(4, 6)),
    "b0": 0.3 * RNG.normal(size=6),
    "W1": RNG.normal(size=(6, 5)),
    "b1": 0.3 * RNG.normal(size=5),
    "W2": RNG.normal(size=(5, 3)),
    "b2": 0.1 * RNG.normal(size=3),
}
NODES = [
    node("Gemm", ["x", "W0", "b0"], ["z0"]),
    node("Relu", ["z0"], ["a0"]),
    node("Gemm", ["a0", "W1", "b1"], ["z1"]),
    node("Relu", ["z1"], ["a1"]),
    node("Gemm", ["a1", "W2", "b2"], ["y"]),
]
COUNT = 6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(model(NODES, ["batch", 4], WEIGHTS), tmp_path, "net.onnx")
    centred = WEIGHTS["b2"] - np.median(load("net.onnx").evaluate(_inputs(500)), axis=0)
    other = {**WEIGHTS, "W2": WEIGHTS["W2"] + 0.2 * RNG.normal(size=(5, 3))}
    save(model(NODES, ["batch", 4], {**WEIGHTS, "b2": centred}), tmp_path, "net.onnx")
    save(model(NODES, ["batch", 4], {**other, "b2": centred}), tmp_path, "other.onnx")
    images = _inputs(COUNT)
    decided = load("net.onnx").evaluate(images).argmax(axis=1)
    np.save("images.npy", images)
    np.save("one.npy", images[0])
    np.save("wrong.npy", (decided + 1) % 3)
    np.save("outside.npy", np.vstack([images, np.full((1, 4), 1.5)]))
    np.save("nan.npy", np.array([0.5, np.nan, 0.5, 0.5]))
    np.save("wide.npy", np.zeros((2, 5)))
    np.save("long.npy", np.zeros(9, dtype=int))
    np.save("half.npy", np.full(COUNT, 0.5))
    np.savez("set.npz", images=images, labels=decided)
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    return tmp_path


def _inputs(count: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(0.1, 0.9, size=(count, 4)).astype(np.float32)


def attack(*arguments: str) -> int:
    return main(["patch-attack", "net.onnx", *arguments, "--box", "0,1"])


def rows(path: str = "out/rows.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_one_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert attack("one.npy", "--json", "one.json", "--plot", "one.png") == 0
    printed = capsys.readouterr().out
    report = json.loads(Path("one.json").read_text())
    (row,) = report["images_done"]
    sentence = f"decided {row['target']} instead of {row['decision']}, found by {row['by']}"
    assert sentence in printed
    assert "patch at layer" in printed
    assert report["measures"]["found"] == report["measures"]["confirmed"] == 1
    with Image.open("one.png") as picture:
        assert picture.size[0] > 400


def test_a_set_of_images_is_kept_exactly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["set.npz", "--labels", "set.npz", "-o", "out", "--transfer", "other.onnx"]
    assert attack(*arguments) == 0
    assert f"found {COUNT} of {COUNT} (100.0 %)" in capsys.readouterr().out
    kept, originals = rows(), np.load("images.npy")
    with np.load("out/adversarial.npz") as arrays:
        found = arrays["images"]
        assert found.dtype == np.float32
        assert found.shape == (COUNT, 4)
        assert (arrays["originals"] == originals).all()
        assert arrays["numbers"].tolist() == list(range(COUNT))
        outputs = reference("net.onnx", found, (4,))
        assert (outputs.argmax(axis=1) == arrays["decisions"]).all()
        assert (arrays["decisions"] != arrays["labels"]).all()
    assert 0.0 <= found.min() <= found.max() <= 1.0
    far = distances(originals, found)
    for name in ("l0", "l1", "l2", "linf"):
        assert [row[name] for row in kept] == getattr(far, name).tolist()
    with Path("out/results.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(line["image"]) for line in table] == list(range(COUNT))
    assert [float(line["linf"]) for line in table] == far.linf.tolist()
    assert [int(line["target"]) for line in table] == [row["target"] for row in kept]
    assert all(line["found"] == "1" and line["stages"] for line in table)
    summary = json.loads(Path("out/summary.json").read_text())["measures"]
    assert summary["pielou"] == pielou([row["target"] for row in kept], 3)
    assert summary["transfer"]["inputs"] == COUNT
    assert summary["frechet"] > 0.0
    assert Path("out/grid-1.png").stat().st_size > 0


def test_a_run_goes_on_where_it_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted, then cut off in the middle of a line as by a crash: no finished row is lost."""
    real, calls = runs.patch_attack, []

    def until_third(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*given, **options)

    monkeypatch.setattr(runs, "patch_attack", until_third)
    assert attack("images.npy", "-o", "out") == 130
    assert "interrupted; what is known so far:" in capsys.readouterr().out
    before = rows()
    assert [row["image"] for row in before] == [0, 1, 2]
    assert len(np.load("out/adversarial.npz")["images"]) == 3
    text = Path("out/rows.jsonl").read_text()
    Path("out/rows.jsonl").write_text(text + '{"key": "3", "ima')
    assert attack("images.npy", "-o", "out", "--limit", "5") == 0
    assert rows()[:3] == before
    assert [row["image"] for row in rows()] == [0, 1, 2, 3, 4]
    assert len(calls) == 4 + 2
    assert attack("images.npy", "-o", "out") == 0
    assert attack("images.npy", "-o", "out") == 0
    assert len(calls) == 4 + 3
    assert [row["image"] for row in rows()] == list(range(COUNT))
    assert len(np.load("out/adversarial.npz")["images"]) == COUNT


def test_another_question_needs_another_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attack("one.npy", "-o", "out") == 0
    capsys.readouterr()
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    for changed, said in (
        (["one.npy", "--max-pixel", "0.5"], "max_pixel was 1.0, not 0.5"),
        (["images.npy"], "images was"),
        (["one.npy", "--labels", "wrong.npy", "--index", "0"], "holds one image"),
    ):
        assert attack(*changed, "-o", "out") == 2
        assert said in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


def test_what_is_decided_otherwise_already_is_not_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attack("images.npy", "--labels", "wrong.npy", "-o", "out") == 0
    assert f"{COUNT} of {COUNT} images left alone" in capsys.readouterr().out
    assert [row["status"] for row in rows()] == ["already"] * COUNT
    decided = load("net.onnx").evaluate(np.load("images.npy")).argmax(axis=1)
    target = int(decided[0])
    attack("images.npy", "--target", str(target), "--json", "all.json", "--minimise", "linf")
    done = json.loads(Path("all.json").read_text())["images_done"]
    assert [row["status"] == "already" for row in done] == (decided == target).tolist()
    assert all(row["target"] == target for row in done if row["status"] == "found")


def test_nothing_found_is_an_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No value may change by more than a millionth: nothing changes the decision."""
    arguments = ["images.npy", "--limit", "2", "--max-pixel", "1e-6", "-o", "out"]
    assert attack(*arguments, "--plot", "no.png") == 1
    printed = capsys.readouterr()
    assert "found 0 of 2 (0.0 %)" in printed.out
    assert "no.png was not written" in printed.err
    assert not Path("no.png").exists()
    assert [row["status"] for row in rows()] == ["not found"] * 2
    assert all(row["linf"] is None and row["reason"] for row in rows())
    assert len(np.load("out/adversarial.npz")["images"]) == 0
    with Path("out/results.csv").open() as file:
        assert [line["found"] for line in csv.DictReader(file)] == ["0", "0"]


def test_every_norm_and_phases(folder: Path) -> None:
    """Each finds inputs; fewest values and least change are traded for each other."""
    sizes: dict[str, np.ndarray] = {}
    for minimise in ("l0", "l1", "linf"):
        name = f"{minimise}.json"
        assert attack("images.npy", "--minimise", minimise, "--json", name) == 0
        done = json.loads(Path(name).read_text())["images_done"]
        sizes[minimise] = np.array([[row["l0"], row["linf"]] for row in done])
    assert sizes["l0"][:, 0].sum() < sizes["linf"][:, 0].sum()
    assert sizes["linf"][:, 1].sum() < sizes["l0"][:, 1].sum()
    code = attack(
        "one.npy", "--phases", "linear", "--samples", "images.npy", "--json", "lines.json"
    )
    assert code in (0, 1)
    assert json.loads(Path("lines.json").read_text())["phases"] == "linear"


BAD = [
    (["gone.npy"], "gone.npy"),
    (["nan.npy"], "must be finite"),
    (["wide.npy"], "neither one input nor several"),
    (["outside.npy"], "image 6: outside.npy: entry 0 is 1.5, outside the box [0, 1]"),
    (["one.npy", "--target", "7"], "target 7 is not one of the network's classes 0..2"),
    (["one.npy", "--index", "1"], "leave out --index"),
    (["images.npy", "--limit", "0"], "--limit 0"),
    (["images.npy", "--labels", "long.npy"], "9 labels for 6 images"),
    (["images.npy", "--labels", "half.npy"], "whole numbers of 0..2"),
    (["images.npy", "--labels", "gone.npz"], "gone.npz"),
    (["one.npy", "--max-pixel", "0"], "max_pixel must be positive"),
    (["one.npy", "--margin", "-1"], "margin"),
    (["one.npy", "--timeout", "0"], "timeout"),
    (["one.npy", "--targets", "0"], "targets"),
    (["one.npy", "--pictures", "-1"], "--pictures -1"),
    (["one.npy", "--backend", "luck"], "backend 'luck'"),
    (["one.npy", "--phases", "linear"], "samples"),
    (["one.npy", "--phases", "linear", "--samples", "wide.npy"], "wide.npy"),
    (["one.npy", "--features", "gone.onnx"], "gone.onnx: cannot be read"),
    (["one.npy", "--features", "net.onnx:top"], "has no layer 'top'"),
    (["one.npy", "--transfer", "gone.onnx"], "gone.onnx"),
    (["one.npy", "-o", "other"], "holds other things"),
    (["one.npy", "-o", "net.onnx"], "is no folder"),
    (["one.npy", "-o", "gone/out"], "no folder"),
    (["one.npy", "--json", "net.onnx"], "would be overwritten"),
    (["one.npy", "--json", "a.png", "--plot", "a.png"], "would be overwritten"),
    (["one.npy", "--plot", "a.txt"], "a picture ends in"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(str(path) for path in folder.rglob("*"))
    assert attack(*arguments, *([] if "-o" in arguments else ["-o", "out"])) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert message in printed.err
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_an_image_decided_as_the_target_already(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = int(load("net.onnx").evaluate(np.load("one.npy")).argmax())
    assert attack("one.npy", "--target", str(target), "-o", "out") == 2
    assert f"already decided {target}; choose another --target" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_network_of_another_task_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(
        model([node("MatMul", ["x", "W"], ["y"])], [1, 5], {"W": np.ones((5, 3))}), folder, "w.onnx"
    )
    for option in ("--transfer", "--features"):
        assert attack("one.npy", option, "w.onnx") == 2
        assert "w.onnx: takes 5 numbers" in capsys.readouterr().err


def test_hidden_activations_other_than_relu_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        node("Gemm", ["x", "W0", "b0"], ["z0"]),
        node("Sigmoid", ["z0"], ["a0"]),
        node("MatMul", ["a0", "W1"], ["y"]),
    ]
    save(model(nodes, [1, 4], WEIGHTS), folder, "net.onnx")
    assert attack("one.npy", "-o", "out") == 2
    assert "Sigmoid" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_network_of_one_layer_is_attacked_directly(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [node("Gemm", ["x", "V", "c"], ["y"])]
    weights = {"V": RNG.normal(size=(4, 3)), "c": np.zeros(3)}
    save(model(nodes, [1, 4], weights), folder, "net.onnx")
    assert attack("one.npy", "--json", "one.json") == 0
    (row,) = json.loads(Path("one.json").read_text())["images_done"]
    assert any("nothing to halve" in stage["note"] for stage in row["stages"])


@pytest.mark.needs("aigent")
def test_an_mnist_network(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three test images of the network of the paper: found by halving, with few pixels."""
    monkeypatch.chdir(tmp_path)
    network, images = data_dir / "aigent/mnist_8_16.onnx", data_dir / "mnist/mnist_test.npz"
    arguments = [str(network), str(images), "--labels", str(images), "--limit", "3", "-o", "out"]
    assert main(["patch-attack", *arguments, "--pictures", "0"]) == 0
    kept = rows()
    assert all(row["status"] == "found" and row["by"] == "halving" for row in kept)
    assert all(row["l0"] <= 24 and row["linf"] <= 1.0 for row in kept)
    with np.load("out/adversarial.npz") as arrays:
        outputs = reference(str(network), arrays["images"], (784,))
        assert (outputs.argmax(axis=1) == arrays["decisions"]).all()
        assert (arrays["images"] >= 0.0).all()
        assert (arrays["images"] <= 1.0).all()


@pytest.fixture
def worked_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The network of the paper's figure 1."""
    monkeypatch.chdir(tmp_path)
    weights = {
        "W0": np.array([[1.0, -1.0], [1.0, 2.0]]),
        "W1": np.array([[2.0, 1.0], [3.0, 1.0]]),
        "W2": np.array([[2.0, -4.0], [-8.0, 5.0]]),
    }
    nodes = [
        node("MatMul", ["x", "W0"], ["z0"]),
        node("Relu", ["z0"], ["a0"]),
        node("MatMul", ["a0", "W1"], ["z1"]),
        node("Relu", ["z1"], ["a1"]),
        node("MatMul", ["a1", "W2"], ["y"]),
    ]
    return save(model(nodes, [1, 2], weights), tmp_path, "paper.onnx")


def test_marks_of_the_worked_example(
    worked_example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["paper.onnx", "--target", "1", "--json", "marks.json", "--plot", "marks.png"]
    assert main(["mark", *arguments]) == 0
    printed = capsys.readouterr().out
    for line in ("inputs: **", "ReLU layer 1: **", "ReLU layer 2: -+", "outputs: -+"):
        assert line in printed
    report = json.loads(Path("marks.json").read_text())
    assert report["layers"][2] == ["decrement", "increment"]
    assert report["table"][2] == {
        "layer": 2, "size": 2, "increment": 1, "decrement": 1, "free": 0, "none": 0,
    }  # fmt: skip
    with Image.open("marks.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    colours = {tuple(pixel) for pixel in np.unique(pixels, axis=0).tolist()}
    assert {(44, 160, 44), (214, 39, 40), (127, 127, 127)} <= colours


def test_marks_of_a_large_network_are_counted_but_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mark", "example:mnist_3x24", "--target", "3"]) == 0
    printed = capsys.readouterr().out
    assert "outputs: ---+------" in printed
    assert "inputs:" not in printed
    assert main(["mark", "example:mnist_3x24", "--target", "3", "--plot", "no.png"]) == 2
    assert "too many to draw" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_marks_of_a_class_that_is_not_there(
    worked_example: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mark", "paper.onnx", "--target", "2", "--json", "marks.json"]) == 2
    assert "2" in capsys.readouterr().err
    assert not Path("marks.json").exists()
