"""``marapatch patch-attack`` and ``marapatch mark``: what they print, keep and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import model, node, reference, save
from patch_attack_files import COUNT, RNG, attack
from PIL import Image

import marapatch.patch_attacks.dataset_run as runs
from marapatch.cli import main
from marapatch.network.load import load
from marapatch.patch_attacks.measures import distances, pielou


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
