"""Every benchmark network: loads, agrees with onnxruntime, keeps its function and its accuracy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_networks import REFUSED
from numpy.typing import NDArray
from onnx_models import reference

from marapatch.network import Network, load
from marapatch.network.layers import Affine

Images = NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """A network: its file, where its real inputs come from, and its affine layers."""

    path: str
    inputs: str
    layers: tuple[tuple[int, int], ...]  # (outputs, inputs) of each that can be patched

    def __str__(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def _dense(*sizes: int) -> tuple[tuple[int, int], ...]:
    return tuple(zip(sizes[1:], sizes[:-1], strict=True))


ACAS = _dense(5, 50, 50, 50, 50, 50, 50, 5)


CONV_SMALL = ((2704, 784), (800, 2704), (100, 800), (10, 100))


NETWORKS = [
    Entry("acasxu/onnx_dnnv/N_2_9.onnx", "acas", ACAS),
    Entry("acasxu/nnet/ACASXU_run2a_1_1_batch_2000.nnet", "acas", ACAS),
    Entry("acasxu/nnet/ACASXU_run2a_2_9_batch_2000.nnet", "acas", ACAS),
    Entry("acasxu/nnet/ACASXU_run2a_3_3_batch_2000.nnet", "acas", ACAS),
    Entry("aigent/cifar_100_50_25.onnx", "cifar", _dense(3072, 100, 50, 25, 10)),
    Entry("aigent/cifar_5x50.onnx", "cifar", _dense(3072, *(50,) * 5, 10)),
    Entry("aigent/mnist_6x50.onnx", "mnist", _dense(784, *(50,) * 6, 10)),
    Entry("aigent/mnist_8_16.onnx", "mnist", _dense(784, 8, 16, 10)),
    Entry("cifar10/onnx/marabou_cifar10_medium.onnx", "cifar",
          ((3600, 3072), (1152, 3600), *_dense(1152, 128, 64, 10))),
    Entry("cifar10/onnx/marabou_cifar10_small.onnx", "cifar",
          ((1800, 3072), (576, 1800), *_dense(576, 128, 64, 10))),
    Entry("cifar10/onnx/oval_cifar_base_kw.onnx", "oval",
          ((2048, 3072), (1024, 2048), *_dense(1024, 100, 10))),
    Entry("cifar10/onnx/oval_cifar_deep_kw.onnx", "oval",
          ((2048, 3072), (2048, 2048), (2048, 2048), (512, 2048), *_dense(512, 100, 10))),
    Entry("cifar10/onnx/resnet_2b.onnx", "resnet",
          ((2048, 3072), (1024, 2048), (1024, 1024), (1024, 2048), (1024, 1024), (1024, 1024),
           *_dense(1024, 100, 10))),
    Entry("mnist_fc/onnx/mnist-net_256x2.onnx", "mnist", _dense(784, 256, 256, 10)),
    Entry("mnist_fc/onnx/mnist-net_256x4.onnx", "mnist", _dense(784, *(256,) * 4, 10)),
    Entry("mnist_fc/onnx/mnist-net_256x6.onnx", "mnist", _dense(784, *(256,) * 6, 10)),
    Entry("mnist_nets/eran/convSmallRELU__PGDK.onnx", "eran", CONV_SMALL),
    Entry("mnist_nets/eran/convSmallRELU__Point.onnx", "eran", CONV_SMALL),
    Entry("mnist_nets/eran/mnist_relu_3_100.onnx", "mnist", _dense(784, 100, 100, 10)),
    Entry("mnist_nets/eran/mnist_relu_3_50.onnx", "mnist", _dense(784, 50, 50, 10)),
    Entry("mnist_nets/eran/mnist_relu_9_100.onnx", "mnist", _dense(784, *(100,) * 8, 10)),
    Entry("mnist_nets/marabou/cnn_max_mninst2.onnx", "mnist",
          ((5000, 784), (1936, 5000), (32, 484), (10, 32))),
    Entry("mnist_nets/marabou/mnist2x10.onnx", "mnist", _dense(784, 10, 10, 10)),
    Entry("mnist_nets/marabou/mnist5x20_leaky_relu.onnx", "mnist", _dense(784, *(20,) * 6, 10)),
    Entry("mnist_nets/marabou/mnist10x10.nnet", "mnist", _dense(784, *(10,) * 11)),
    Entry("mnist_nets/marabou/mnist10x20.nnet", "mnist", _dense(784, *(20,) * 10, 10)),
    Entry("mnist_nets/mipverify/RSL18a_linf0.1.onnx", "mnist", _dense(784, 500, 10)),
    Entry("mnist_nets/mipverify/WK17a_linf0.1.onnx", "mnist",
          ((3136, 784), (1568, 3136), *_dense(1568, 100, 10))),
    Entry("mnist_nets/neuralverification_jl/mnist3.nnet", "mnist", _dense(784, 25, 25, 25, 25, 10)),
    Entry("mnist_nets/neuralverification_jl/mnist_small.nnet", "mnist", _dense(784, 10)),
    Entry("mnist_nets/verivital/Convnet_avgpool.onnx", "mnist", ((23328, 784), (10, 1152))),
    Entry("mnist_nets/verivital/Convnet_maxpool.onnx", "mnist", ((23328, 784), (10, 1152))),
    Entry("neurify/mnist50.nnet", "mnist", _dense(784, 50, 50, 10)),
    Entry("reassure/HCAS_rect_v6_pra1_tau05_25HU_3000.nnet", "hcas", _dense(3, *(25,) * 5, 5)),
    Entry("reassure/mnist_target_model.onnx", "mnist", _dense(784, 256, 256, 10)),
    Entry("reassure/watermark_model.onnx", "mnist", _dense(784, 150, 10)),
]  # fmt: skip


def _each(entries: Sequence[Entry]) -> list[Any]:
    """A row for each of ``entries``, skipped where its file is not there."""
    return [pytest.param(e, id=str(e), marks=pytest.mark.needs(e.path)) for e in entries]


@cache
def _mnist(folder: Path) -> tuple[Images, NDArray[np.uint8]]:
    with np.load(folder / "mnist/mnist_test.npz") as arrays:
        return arrays["images"][:500].reshape(500, 784) / 255.0, arrays["labels"][:500]


@cache
def _cifar(folder: Path) -> tuple[Images, NDArray[np.uint8]]:
    with np.load(folder / "cifar10/cifar10_test_first1000.npz") as arrays:
        return arrays["images"] / 255.0, arrays["labels"]


def _normalised(images: Images, mean: list[float], deviation: list[float]) -> Images:
    """NHWC images as NCHW, less the mean, by the deviation."""
    return ((images - mean) / deviation).transpose(0, 3, 1, 2)


def _real(folder: Path, kind: str) -> tuple[Images, NDArray[np.uint8] | None]:
    """Inputs of a kind, flat and in the file's order, and their labels."""
    match kind:
        case "mnist":
            return _mnist(folder)
        case "eran":
            images, labels = _mnist(folder)
            return (images - 0.1307) / 0.3081, labels
        case "cifar":
            images, labels = _cifar(folder)
        case "oval":
            images, labels = _cifar(folder)
            images = _normalised(images, [0.485, 0.456, 0.406], [0.225] * 3)
        case "resnet":
            images, labels = _cifar(folder)
            images = _normalised(images, [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616])
        case _:
            low, high = {
                "acas": ([-0.3284, -0.5, -0.5, -0.5, -0.5], [0.6798, 0.5, 0.5, 0.5, 0.5]),
                "hcas": ([-0.4975, -0.5, -0.5], [0.5024, 0.5, 0.5]),
            }[kind]
            return np.random.default_rng(9).uniform(low, high, (20, len(low))), None
    return images.reshape(len(images), -1), labels


def _inputs(folder: Path, entry: Entry, network: Network) -> NDArray[np.float32]:
    """100 random inputs and 20 real ones, in float32."""
    chance = np.random.default_rng(1).uniform(-1.0, 1.0, (100, network.inputs))
    real = _real(folder, entry.inputs)[0][:20]
    return np.concatenate([chance, real]).astype(np.float32)


def _assert_close(one: NDArray[np.float64], other: NDArray[np.float64], share: float) -> None:
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= share * np.ptp(other)


@pytest.mark.needs("reference")  # which is in the whole collection only
def test_the_table_has_every_network(data_dir: Path) -> None:
    files = {
        str(path.relative_to(data_dir))
        for pattern in ("**/*.onnx", "**/*.nnet")
        for path in data_dir.glob(pattern)
    }
    acas = {path for path in files if path.startswith("acasxu/onnx/")}
    assert len(acas) == 45
    assert files - acas == {entry.path for entry in NETWORKS} | REFUSED


@pytest.mark.parametrize("entry", _each(NETWORKS))
def test_network(entry: Entry, data_dir: Path) -> None:
    network = load(data_dir / entry.path)
    assert tuple((a.outputs, a.inputs) for a in network.affine_layers) == entry.layers
    x = _inputs(data_dir, entry, network)
    values = network.evaluate(x)
    assert values.shape == (120, entry.layers[-1][0])
    form = network.standard_form.evaluate(x.astype(np.float64))
    _assert_close(form, values, 1e-9)
    if entry.path.endswith(".onnx"):
        content = (data_dir / entry.path).read_bytes()
        expected = reference(content, x, network.input_shape)
        _assert_close(values[:100], expected[:100], 1e-4)
        _assert_close(values[100:], expected[100:], 1e-4)


@pytest.mark.parametrize("entry", _each(NETWORKS))
def test_rounding_bound_is_small(entry: Entry, data_dir: Path) -> None:
    """What a witness's margin must exceed: far below the differences between outputs."""
    network = load(data_dir / entry.path)
    x = _real(data_dir, entry.inputs)[0][0].astype(np.float32).astype(np.float64)
    outputs, bound = network.standard_form.evaluation_error(x)
    assert bound.max() <= 1e-8 * np.abs(outputs).max()
    assert np.abs(outputs - network.evaluate(x)[0]).max() <= 2.0 * bound.max()


MEASURED = [
    entry for entry in NETWORKS if entry.inputs in ("mnist", "eran", "cifar", "oval", "resnet")
]


@pytest.mark.needs("reference/accuracy.json")
@pytest.mark.parametrize("entry", _each(MEASURED))
def test_accuracy_is_the_known_one(entry: Entry, data_dir: Path) -> None:
    measured = json.loads((data_dir / "reference/accuracy.json").read_text())[entry.path][1]
    network = load(data_dir / entry.path)
    images, labels = _real(data_dir, entry.inputs)
    rows = np.concatenate([network.evaluate(part) for part in np.array_split(images, 10)])
    accuracy = float((rows.argmax(axis=1) == labels).mean())
    tolerance = 1e-9 if len(images) == 1000 else 0.02  # measured on these 1000, or on 10000
    assert accuracy == pytest.approx(measured, abs=tolerance)


def test_all_45_acas_networks(data_dir: Path) -> None:
    x = np.random.default_rng(4).uniform(-0.5, 0.5, (120, 5)).astype(np.float32)
    for path in sorted((data_dir / "acasxu/onnx").glob("*.onnx")):
        network = load(path)
        assert network.input_shape == (1, 1, 5)
        assert network.output_shape == (5,)
        assert tuple((a.outputs, a.inputs) for a in network.affine_layers) == ACAS
        affine = [n for n in network.order[1:] if isinstance(network.layer(n), Affine)]
        assert len(affine) == 7
        values = network.evaluate(x)
        _assert_close(values, reference(path.read_bytes(), x, (1, 1, 5)), 1e-4)
        _assert_close(network.standard_form.evaluate(x.astype(np.float64)), values, 1e-9)
