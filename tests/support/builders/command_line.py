"""The command on a small network, in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marapatch.network.graph import Network, dense_network

RNG = np.random.default_rng(50)  # both other classes are near the image below


SMALL = dense_network(
    [RNG.normal(size=(6, 3)), RNG.normal(size=(5, 6)), RNG.normal(size=(3, 5))],
    [RNG.normal(size=6), RNG.normal(size=5), RNG.normal(size=3)],
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network (.nnet) and an image, made the current one."""
    write_nnet(SMALL, tmp_path / "net.nnet")
    np.save(tmp_path / "image.npy", np.array([0.25, 0.5, 0.75]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_nnet(network: Network, path: Path) -> None:
    """As .nnet: header, sizes, box [0, 1], no normalisation, then weights and biases by layer."""
    form = network.standard_form
    maps = [*form.hidden, form.output]
    sizes = [form.inputs, *(layer.outputs for layer in maps)]
    lines = [
        "// a small network",
        f"{len(maps)},{sizes[0]},{sizes[-1]},{max(sizes)},",
        ",".join(map(str, sizes)) + ",",
        "0,",
        "0.0," * sizes[0],
        "1.0," * sizes[0],
        "0.0," * (sizes[0] + 1),
        "1.0," * (sizes[0] + 1),
    ]
    for layer in maps:
        lines += [",".join(map(repr, row.tolist())) + "," for row in np.asarray(layer.weights[0])]
        lines += [f"{b!r}," for b in layer.bias.tolist()]
    path.write_text("\n".join(lines) + "\n")


RUN = ["groundtruth", "net.nnet", "image.npy", "--nodes", "2000"]
