"""Files for ``marapatch patch-attack`` and ``mark``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import THREE_GEMMS, model, save

from marapatch.cli import main
from marapatch.network.load import load

RNG = np.random.default_rng(21)
WEIGHTS = {
    "W0": RNG.normal(size=(4, 6)),
    "b0": 0.3 * RNG.normal(size=6),
    "W1": RNG.normal(size=(6, 5)),
    "b1": 0.3 * RNG.normal(size=5),
    "W2": RNG.normal(size=(5, 3)),
    "b2": 0.1 * RNG.normal(size=3),
}
COUNT = 6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save(model(THREE_GEMMS, ["batch", 4], WEIGHTS), tmp_path, "net.onnx")
    centred = WEIGHTS["b2"] - np.median(load("net.onnx").evaluate(_inputs(500)), axis=0)
    other = {**WEIGHTS, "W2": WEIGHTS["W2"] + 0.2 * RNG.normal(size=(5, 3))}
    save(model(THREE_GEMMS, ["batch", 4], {**WEIGHTS, "b2": centred}), tmp_path, "net.onnx")
    save(model(THREE_GEMMS, ["batch", 4], {**other, "b2": centred}), tmp_path, "other.onnx")
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
