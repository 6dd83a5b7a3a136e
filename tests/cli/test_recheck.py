"""``marapatch recheck``: what groundtruth wrote is proved again, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certified import IMAGE, RUN, label_of
from recorded_trees import built

from marapatch.certificates.file import Certificate
from marapatch.cli import main
from marapatch.network.graph import dense_network
from marapatch.network.load import load
from marapatch.network.onnx.writer import write_onnx


def test_groundtruth_writes_what_recheck_proves_again(
    certified_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--tree", "t.npz"]) == 0
    capsys.readouterr()
    code = main(["recheck", "t.npz", "net.onnx", "--json", "r.json"])
    printed = capsys.readouterr().out
    said = json.loads((certified_files / "r.json").read_text())
    assert code == 0
    assert said["held"]
    assert said["witness_held"]
    assert 0.0 < said["lower"] <= said["upper"]
    assert "norm linf, 3 of 3 inputs may change within [0, 1], decided by argmax" in printed
    assert "the nearest input decided otherwise than" in printed

    digest = hashlib.sha256(IMAGE.astype("<f8").tobytes()).hexdigest()
    assert said["image"] == digest
    assert f"image: sha256 {digest}" in printed
    assert said["image_is_the_one"] is None

    np.save("other.npy", IMAGE + np.array([0.0, 0.125, 0.0]))
    np.save("both.npy", np.stack([IMAGE, IMAGE]))
    assert main(["recheck", "t.npz", "net.onnx", "image.npy"]) == 0
    assert "image.npy: the image that the trees are about" in capsys.readouterr().out
    assert main(["recheck", "t.npz", "net.onnx", "both.npy", "--index", "1"]) == 0
    capsys.readouterr()
    assert main(["recheck", "t.npz", "net.onnx", "other.npy", "--json", "r.json"]) == 1
    assert "NOT the image that the trees are about: entry 1 is 0.625" in capsys.readouterr().out
    assert json.loads((certified_files / "r.json").read_text())["image_is_the_one"] is False
    assert main(["recheck", "t.npz", "net.onnx", "both.npy"]) == 2
    assert "choose one with --index" in capsys.readouterr().err

    good = Certificate.load(certified_files / "t.npz")
    high = tuple(replace(c, lower=2.0 * good.upper) for c in good.claims)
    replace(good, claims=high).save(certified_files / "high.npz")
    assert main(["recheck", "high.npz", "net.onnx"]) == 1
    assert "does NOT hold" in capsys.readouterr().out

    network = load("net.onnx")
    neurons = sum(layer.outputs for layer in network.standard_form.hidden)
    tree = replace(built([(-1, 0, 0)], neurons, 2, 0.9), solver_certified=np.array([True]))
    said_so = tuple(replace(c, lower=0.9, trees=(tree,)) for c in good.claims)
    replace(good, claims=said_so).save(certified_files / "vouched.npz")
    assert main(["recheck", "vouched.npz", "net.onnx"]) == 1
    printed = capsys.readouterr().out
    assert "ONLY IF a solver was right" in printed
    assert "given 1 that a solver closed" in printed


def test_bad_input_is_exit_code_2_and_one_line(
    certified_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recheck", "image.npy", "net.onnx"]) == 2
    assert "image.npy: truncated or damaged: not an .npz file" in capsys.readouterr().err
    assert main([*RUN, "--tree", "t.npz", "--target", "0" if label_of() else "1"]) in (0, 1)
    capsys.readouterr()
    assert main(["recheck", "t.npz", "net.onnx", "--json", "t.npz"]) == 2
    capsys.readouterr()
    write_onnx(
        dense_network([np.eye(3), np.eye(3)], [np.ones(3)] * 2), certified_files / "other.onnx"
    )
    assert main(["recheck", "t.npz", "other.onnx"]) == 2
    error = capsys.readouterr().err
    assert "t.npz: the trees are of another network file" in error
    assert len(error.strip().splitlines()) == 1
    good = Certificate.load(certified_files / "t.npz")
    neurons = good.claims[0].trees[0].alpha.shape[1]
    half = built([(-1, 0, 0), (0, 1, 1)], neurons, 2)
    replace(good, claims=(replace(good.claims[0], trees=(half,)),)).save(
        certified_files / "half.npz"
    )
    assert main(["recheck", "half.npz", "net.onnx"]) == 2
    assert "half.npz: node 0 of the tree has 1 parts" in capsys.readouterr().err
