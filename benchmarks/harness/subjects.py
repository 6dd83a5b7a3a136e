"""The networks and inputs that the suites ask about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import inf

import numpy as np
from numpy.typing import NDArray

from marapatch.bounds.crown import linear_bounds
from marapatch.data.bundled import PREFIX, resolve
from marapatch.data.fetch import locate
from marapatch.network.graph import Network
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm

Array = NDArray[np.float64]

ACAS_INPUTS = 5
ACAS_SEED = 2018


@cache
def network_of(name: str) -> Network:
    """A bundled network (``example:NAME``) or a file of the data folder."""
    return load(resolve(name, "network") if name.startswith(PREFIX) else locate(name))


def acas_xu(name: str) -> str:
    """The file of the ACAS Xu network ``N_name``."""
    return f"acasxu/onnx/ACASXU_run2a_{name}_batch_2000.onnx"


@cache
def images_of(path: str) -> tuple[Array, NDArray[np.int64]]:
    """The images of a file of the data folder, flat, scaled to [0, 1], and their labels."""
    with np.load(locate(path)) as arrays:
        images = arrays["images"].astype(np.float64) / 255.0
        return images.reshape(len(images), -1), arrays["labels"].astype(np.int64)


@dataclass(frozen=True)
class Subject:
    """A network with the inputs asked about: (n, inputs), the box, and how it decides."""

    network: Network
    inputs: Array
    box: tuple[Array, Array]
    rule: Rule

    def ball(self, image: int, norm: str) -> Ball:
        """The whole box around an input, which is rounded as the program rounds it."""
        dtype = self.network.input_dtype
        x = self.inputs[image].astype(dtype).astype(np.float64)
        return Ball(x, *self.box, Norm(norm), inf)


def unstable(network: Network, ball: Ball, radius: float) -> int | None:
    """Neurons that linear bounds leave on either side of 0 within ``radius``; None if infinite."""
    if radius == inf:
        return None
    bounds = linear_bounds(network.standard_form, ball.with_radius(radius))
    return int(sum(unstable.sum() for unstable in bounds.unstable))


def _digits(name: str) -> Subject:
    """The ten bundled MNIST images, one a digit in the order 0 to 9, scaled to [0, 1]."""
    with np.load(resolve("example:digits", "image")) as arrays:
        images = arrays["images"].reshape(10, -1) / 255.0
    box = np.zeros(images.shape[1]), np.ones(images.shape[1])
    return Subject(network_of(name), images, box, Rule.ARGMAX)


def _acas(name: str) -> Subject:
    """Inputs drawn evenly from the domain that the network's .nnet file states."""
    low, high = load(locate(f"acasxu/nnet/ACASXU_run2a_{name}_batch_2000.nnet")).input_box or (0, 0)
    network = network_of(acas_xu(name))
    lower, upper = np.asarray(low, np.float64), np.asarray(high, np.float64)
    inputs = np.random.default_rng(ACAS_SEED).uniform(lower, upper, (ACAS_INPUTS, lower.size))
    return Subject(network, inputs, (lower, upper), Rule.ARGMIN)


SCALE = {
    "mnist_fc 256x2": "mnist_fc/onnx/mnist-net_256x2.onnx",
    "mnist_fc 256x4": "mnist_fc/onnx/mnist-net_256x4.onnx",
    "RSL18a": "mnist_nets/mipverify/RSL18a_linf0.1.onnx",
    "WK17a": "mnist_nets/mipverify/WK17a_linf0.1.onnx",
    "eran 3x50": "mnist_nets/eran/mnist_relu_3_50.onnx",
    "eran 3x100": "mnist_nets/eran/mnist_relu_3_100.onnx",
    "mnist10x20": "mnist_nets/marabou/mnist10x20.nnet",
}
"""Published MNIST networks; all take pixels scaled to [0, 1]."""

SUBJECTS: Mapping[str, Callable[[], Subject]] = {
    "N": lambda: _digits("example:mnist_3x24"),
    "N-bar": lambda: _digits("example:mnist_3x24_adversarial"),
    "acas 1,1": lambda: _acas("1_1"),
    "acas 2,9": lambda: _acas("2_9"),
    "acas 3,3": lambda: _acas("3_3"),
    **{name: partial(_digits, file) for name, file in SCALE.items()},
}

subject = cache(lambda name: SUBJECTS[name]())
