"""Networks in files, whatever their format: loaded, and known by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmark_networks import REFUSED

from marapatch.errors import UnsupportedOperatorError
from marapatch.network import load


@pytest.mark.needs("acasxu/nnet", "acasxu/normalisation.json")
@pytest.mark.parametrize("name", ["1_1", "2_9", "3_3"])
def test_nnet_files_agree_with_their_onnx_twins(name: str, data_dir: Path) -> None:
    nnet = load(data_dir / f"acasxu/nnet/ACASXU_run2a_{name}_batch_2000.nnet")
    onnx = load(data_dir / f"acasxu/onnx/ACASXU_run2a_{name}_batch_2000.onnx")
    for one, other in zip(nnet.affine_layers, onnx.affine_layers, strict=True):
        for text, stored in zip(nnet.weights(one.node), onnx.weights(other.node), strict=True):
            np.testing.assert_array_equal(text.astype(np.float32), stored)
    assert nnet.input_box is not None
    known = json.loads((data_dir / "acasxu/normalisation.json").read_text())
    np.testing.assert_allclose(nnet.input_box[0], known["norm_box_lo"], rtol=1e-12)
    np.testing.assert_allclose(nnet.input_box[1], known["norm_box_hi"], rtol=1e-12)


@pytest.mark.parametrize(
    ("path", "box"),
    [
        ("mnist_nets/marabou/mnist10x10.nnet", (0.0, 1.0)),
        ("mnist_nets/neuralverification_jl/mnist3.nnet", None),
        ("mnist_nets/neuralverification_jl/mnist_small.nnet", None),
        pytest.param("neurify/mnist50.nnet", None, marks=pytest.mark.needs("neurify")),
    ],
)
def test_headers_of_mnist_nnet_files(
    path: str, box: tuple[float, float] | None, data_dir: Path
) -> None:
    network = load(data_dir / path)
    if box is None:
        assert network.input_box is None
        assert network.notes
    else:
        assert network.input_box is not None
        assert [set(bound.tolist()) for bound in network.input_box] == [{box[0]}, {box[1]}]


def test_sigmoid_is_refused_by_name(data_dir: Path) -> None:
    (path,) = REFUSED
    with pytest.raises(UnsupportedOperatorError, match=r"Sigmoid '/Sigmoid' is not supported: "):
        load(data_dir / path)
