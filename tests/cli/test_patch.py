"""``marapatch patch``: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx_models import model, node, save

from marapatch.cli import main
from marapatch.network.load import load
from marapatch.patching.api import minimal_patch

RNG = np.random.default_rng(10)
WEIGHTS = {
    "W0": RNG.normal(size=(3, 5)),
    "b0": 1.0 + 0.3 * RNG.normal(size=5),
    "W1": RNG.normal(size=(5, 4)),
    "b1": 1.0 + 0.3 * RNG.normal(size=4),
    "W2": RNG.normal(size=(4, 3)),
    "b2": 0.3 * RNG.normal(size=3),
}
NODES = [
    node("Gemm", ["x", "W0", "b0"], ["z0"]),
    node("Relu", ["z0"], ["a0"]),
    node("Gemm", ["a0", "W1", "b1"], ["z1"]),
    node("Relu", ["z1"], ["a1"]),
    node("Gemm", ["a1", "W2", "b2"], ["y"]),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(model(NODES, ["batch", 3], WEIGHTS), tmp_path, "net.onnx")
    rows = np.random.default_rng(2).uniform(0.1, 1.0, size=(40, 3)).astype(np.float32)
    labels = load("net.onnx").evaluate(rows).argmax(axis=1)
    np.save("rows.npy", rows[:3])
    np.savez("labelled.npz", images=rows, labels=labels)
    return tmp_path


def wanted() -> str:
    decided = load("net.onnx").evaluate(np.load("rows.npy")).argmax(axis=1)
    return ",".join(str((d + 1) % 3) for d in decided)


def test_one_layer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    want = wanted()
    arguments = ["--want", want, "--norm", "l1", "--layer", "1", "--nodes", "2000"]
    files = ["-o", "out.onnx", "--json", "out.json", "--plot", "out.png"]
    code = main(["patch", "net.onnx", "rows.npy", *arguments, *files, "--check", "labelled.npz"])
    printed = capsys.readouterr().out
    assert code == 0
    assert "onnxruntime meets every goal" in printed
    assert "accuracy on 40 inputs: 1.0000 before" in printed
    report = json.loads(Path("out.json").read_text())
    assert report["marapatch"] == "patch"
    assert report["status"] == "closed"
    assert report["layer"] == 1
    assert report["norm"] == "l1"
    assert report["margin"] == 1e-3
    assert report["patched_confirmed"] is True
    assert 0.0 < report["lower"] <= report["upper"] <= report["lower"] * 1.01
    assert {"changed_weights", "queries", "outputs", "engine"} <= set(report)
    old, new = load("net.onnx"), load("out.onnx")
    name = old.affine_layers[1].node
    change = new.weights(name)[0] - old.weights(name)[0]
    assert np.abs(change).sum() == pytest.approx(report["upper"], rel=1e-9)
    assert np.count_nonzero(change) == report["changed_weights"]
    for layer in (0, 2):
        node_name = old.affine_layers[layer].node
        assert (new.weights(node_name)[0] == old.weights(node_name)[0]).all()
    session = onnxruntime.InferenceSession("out.onnx")
    outputs = session.run(None, {"x": np.load("rows.npy")})[0]
    assert ",".join(map(str, outputs.argmax(axis=1))) == want
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


def test_all_layers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("row.npy", np.load("rows.npy")[0])
    want = wanted().split(",")[0]
    run = ["patch", "net.onnx", "row.npy", "--want", want, "--layer", "all", "--nodes", "2000"]
    code = main([*run, "--json", "all.json", "-o", "best.onnx", "--plot", "all.svg"])
    printed = capsys.readouterr().out
    assert code == 0
    assert "neuron layers K and K + 1" in printed
    report = json.loads(Path("all.json").read_text())
    assert [entry["layer"] for entry in report["layers"]] == [0, 1, 2]
    uppers = [entry["upper"] for entry in report["layers"]]
    assert report["best"] == int(np.argmin(uppers))
    assert [line[0] for line in printed.splitlines()[1:4]].index("*") == report["best"]
    assert load("best.onnx").evaluate(np.load("row.npy"))[0].argmax() == int(want)


def test_the_published_engine_and_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["patch", "net.onnx", "rows.npy", "--want", wanted(), "--nodes", "2000"]
    alone = ["--search", "bisection", "--tolerance", "1e-2"]
    assert main([*run, *alone, "--norm", "l1", "--json", "b"]) == 0
    report = json.loads(Path("b").read_text())
    assert {query["backend"] for query in report["queries"]} == {"marabou"}
    assert report["evidence"] == "solver"
    assert main([*run, "--norm", "l0", "--max-change", "1.5", "--json", "c"]) == 0
    report = json.loads(Path("c").read_text())
    assert report["lower"] == report["upper"] == report["changed_weights"]
    assert "[" in capsys.readouterr().out


def test_out_of_time_is_undecided(folder: Path) -> None:
    run = ["patch", "net.onnx", "rows.npy", "--want", wanted(), "--layer", "0", "--norm", "l1"]
    assert main([*run, "--timeout", "0.001"]) == 1


def test_apply_fits_only_the_same_shape(folder: Path) -> None:
    network = load("net.onnx")
    patch = minimal_patch(network, np.load("rows.npy"), [int(w) for w in wanted().split(",")])
    again = patch.apply(network)
    assert (again.weights(patch.layer.node)[0] == patch.apply().weights(patch.layer.node)[0]).all()
