"""The limit on what a file may need: what counts, what it says, and where it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save

import marapatch as mp
from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.files.memory import (
    DEFAULT_LIMIT,
    GIB,
    Budget,
    afford,
    bounded_allocations,
    limit,
    memory_limit,
)
from marapatch.formats.inputs import read_image
from marapatch.network.load import load


def test_the_limit_holds_within_its_block() -> None:
    assert limit() == DEFAULT_LIMIT == 4 * GIB
    with memory_limit(1000):
        assert limit() == 1000
        with pytest.raises(InputError, match="the memory limit must be a positive number"):
            memory_limit(-1.0).__enter__()
        with memory_limit(10):
            assert limit() == 10
        assert limit() == 1000
    assert limit() == DEFAULT_LIMIT


def test_what_is_over_the_limit_is_named() -> None:
    afford("a tensor", DEFAULT_LIMIT)
    with pytest.raises(InputError, match=r"a tensor needs 8 GiB of memory, the limit is 4 GiB"):
        afford("a tensor", 8 * GIB)
    with pytest.raises(InputError, match="far too much"):
        afford("a tensor", 2**200)


def test_a_budget_adds_up() -> None:
    budget = Budget()
    with memory_limit(100):
        budget.spend("one", 60)
        budget.room("two", 40)
        with pytest.raises(InputError, match="two: with it the network needs"):
            budget.spend("two", 41)
        budget.spend("three", 40)
    assert budget.spent == 100


def test_a_convolution_counts_its_matrix(tmp_path: Path) -> None:
    """Of 9 numbers of a kernel come 36 thousand of a matrix, for which there may be no room."""
    made = model([node("Conv", ["x", "K"], ["y"])], [1, 1, 66, 66], {"K": np.ones((1, 1, 3, 3))})
    path = save(made, tmp_path, "net.onnx")
    with memory_limit(6 * 2**20), pytest.raises(InputError, match=r"net\.onnx: Conv 'y'"):
        load(path)
    with memory_limit(64 * 2**20), pytest.raises(InputError, match="a decision among 4096"):
        load(path)
    assert load(path).outputs == 4096


def test_affine_layers_multiplied_out_count(tmp_path: Path) -> None:
    constants = {"A": np.ones((900, 1)), "B": np.ones((1, 900)), "C": np.ones((900, 2))}
    nodes = [
        node("MatMul", ["x", "A"], ["a"]),
        node("MatMul", ["a", "B"], ["b"]),
        node("Relu", ["b"], ["r"]),
        node("MatMul", ["r", "C"], ["y"]),
    ]
    network = load(save(model(nodes, [1, 900], constants), tmp_path, "net.onnx"))
    with memory_limit(10 * 2**20), pytest.raises(InputError, match=r"net\.onnx: the product of"):
        network.standard_form  # noqa: B018
    assert network.standard_form.sizes == (900, 900)


def test_an_image_counts(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((100, 100), np.uint8))
    with memory_limit(10_000), pytest.raises(InputError, match=r"an array of shape \(100, 100\)"):
        read_image(tmp_path / "a.npy")
    with memory_limit(10_000):
        assert read_image(tmp_path / "a.npy", index=3).values.shape == (100,)


def test_max_memory_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = model([node("MatMul", ["x", "W"], ["y"])], [1, 500], {"W": np.eye(500)})
    save(made, tmp_path, "net.onnx")
    asked = ["mark", "net.onnx", "--target", "0"]
    assert main([*asked, "--max-memory", "0.01"]) == 2
    assert capfd.readouterr().err == (
        "marapatch: error: net.onnx: tensor 'W' needs 0.0112 GiB of memory, the limit is 0.01 GiB; "
        "--max-memory sets it (in GiB)\n"
    )
    assert main(asked) == 0
    assert limit() == DEFAULT_LIMIT
    capfd.readouterr()
    for wrong in ("0", "-3", "nan", "inf"):
        assert main([*asked, "--max-memory", wrong]) == 2
        assert "give a positive number of GiB" in capfd.readouterr().err


def test_the_library_names_it_too() -> None:
    with mp.memory_limit(2**20):
        assert limit() == 2**20


def test_allocations_by_others_are_bounded() -> None:
    with memory_limit(2**28), bounded_allocations(), pytest.raises(MemoryError):
        np.empty(2**30, np.uint8)
    assert np.empty(2**30, np.uint8).size == 2**30
