"""The last layer: closed forms, published optima, and what is proved where there is no patch."""

from __future__ import annotations

import csv
from math import inf
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from marapatch.network.graph import Network, dense_network
from marapatch.network.load import load
from marapatch.patching.api import minimal_patch
from marapatch.patching.goals import linear
from marapatch.patching.options import PatchOptions
from marapatch.patching.sparse import sparse_patch
from marapatch.problem.verdict import Evidence

RNG = np.random.default_rng(4)


def last_layer_of(size: int, classes: int) -> tuple[Network, np.ndarray]:
    """One fully connected layer, and an input of it as a ReLU would leave one."""
    network = dense_network([RNG.normal(size=(classes, size))], [RNG.normal(size=classes)])
    return network, np.maximum(RNG.normal(size=size), 0.0)


@pytest.mark.parametrize("attempt", range(10))
def test_closed_forms(attempt: int) -> None:
    """gap / (2 |h|_1) and gap / max h, where the nearest class is wanted (ARCHITECTURE: 2)."""
    network, h = last_layer_of(8, 4)
    y = network.evaluate(h)[0]
    first, second = np.argsort(-y)[:2]
    margin = 0.05
    gap = y[first] - y[second] + margin
    linf = minimal_patch(network, h, int(second), margin=margin)
    l1 = minimal_patch(network, h, int(second), norm="l1", margin=margin)
    assert linf.evidence is Evidence.BOUND
    assert linf.lower == pytest.approx(gap / (2.0 * h.sum()), rel=1e-9)
    assert l1.lower == pytest.approx(gap / h.max(), rel=1e-9)
    for patch in (linf, l1):
        assert patch.engine == "linear program"
        assert patch.lower <= patch.upper <= patch.lower * (1.0 + 1e-5)
        assert patch.apply().evaluate(h)[0].argmax() == second


def test_with_the_bias_free_it_is_one_more_source() -> None:
    network, h = last_layer_of(8, 4)
    y = network.evaluate(h)[0]
    first, second = np.argsort(-y)[:2]
    patch = minimal_patch(network, h, int(second), bias=True, margin=0.0)
    assert patch.lower == pytest.approx((y[first] - y[second]) / (2.0 * (h.sum() + 1.0)), rel=1e-9)
    assert patch.delta_bias is not None
    assert np.abs(patch.delta_bias).max() > 0.0


def test_contradictory_goals_have_no_patch() -> None:
    network, h = last_layer_of(6, 3)
    patch = minimal_patch(network, np.stack([h, h]), ["0", "1"])
    assert patch.lower == inf
    assert patch.infeasible
    assert patch.closed
    assert patch.delta is None
    assert patch.evidence is Evidence.SOLVER


def test_a_limit_that_is_too_small_is_refuted_rigorously() -> None:
    network, h = last_layer_of(6, 3)
    y = network.evaluate(h)[0]
    first, second = np.argsort(-y)[:2]
    needed = (y[first] - y[second] + 1e-3) / (2.0 * h.sum())
    for norm in ("linf", "l1"):
        patch = minimal_patch(network, h, int(second), norm=norm, max_change=0.9 * needed)
        assert patch.lower == inf
        assert patch.evidence is Evidence.BOUND
        other = minimal_patch(network, h, int(second), norm=norm, max_change=1.1 * needed)
        assert other.closed
        assert other.upper < inf


def test_no_source_no_patch() -> None:
    network, h = last_layer_of(6, 3)
    lead = int(network.evaluate(0.0 * h)[0].argmax())
    want = (lead + 1) % 3
    patch = minimal_patch(network, np.stack([h, 0.0 * h]), want)
    assert patch.impossible == (1,)
    assert patch.infeasible
    assert patch.evidence is Evidence.BOUND
    assert "input 1" in patch.note
    assert minimal_patch(network, 0.0 * h, want, bias=True).upper < inf


def test_a_goal_that_is_met_needs_nothing() -> None:
    network, h = last_layer_of(6, 3)
    patch = minimal_patch(network, h, int(network.evaluate(h)[0].argmax()), margin=0.0)
    assert patch.already
    assert patch.upper == patch.lower == 0.0
    assert patch.changed_weights == 0
    assert not patch.queries


def test_linear_goals() -> None:
    """Only the second class must catch up with the first; what a third one does is not asked."""
    network, h = last_layer_of(6, 3)
    y = network.evaluate(h)[0]
    order = np.argsort(-y)
    matrix = np.zeros((1, 3))
    matrix[0, order[2]], matrix[0, order[0]] = 1.0, -1.0
    patch = minimal_patch(network, h, linear(matrix, [0.0], 3))
    gap = y[order[0]] - y[order[2]]
    assert patch.lower == pytest.approx(gap / (2.0 * h.sum()), rel=1e-9)


def test_fewest_weights_of_one_input() -> None:
    """Each weight gives at most limit * h_i, for the winner and against the rival."""
    network, h = last_layer_of(9, 2)
    y = network.evaluate(h)[0]
    first, second = np.argsort(-y)
    gap, limit = y[first] - y[second] + 1e-3, 0.2
    gains = np.sort(np.concatenate([h, h]))[::-1] * limit
    count = int(np.searchsorted(np.cumsum(gains), gap)) + 1
    patch = sparse_patch(network, h, int(second), max_change=limit)
    if count > gains.size:
        assert patch.infeasible
    else:
        assert patch.lower == patch.upper == count


def watermarks(data: Path) -> tuple[np.ndarray, list[list[str]], list[list[str]]]:
    folder = data / "goldberger" / "watermark"
    with np.load(folder / "arrays.npz") as arrays:
        entering = arrays["lastlayer_input"].astype(np.float64)
    tables = []
    for name in ("linear.1.wm.csv", "nonLinear.1.wm.csv"):
        with (folder / name).open() as file:
            tables.append(list(csv.reader(file))[1:])
    return entering, tables[0], tables[1]


@pytest.mark.needs("goldberger")
def test_published_watermark_optima_from_the_published_sources(data_dir: Path) -> None:
    """All 100 L-infinity optima to 1e-9, from the last layer's published input."""
    entering, table, _ = watermarks(data_dir)
    network = load(data_dir / "reassure" / "watermark_model.onnx")
    weight, _ = network.weights(network.affine_layers[-1].node)
    last = dense_network([weight], [np.zeros(10)])
    outputs = last.evaluate(entering)
    for i in range(100):
        second = int(np.argsort(-outputs[i])[1])
        patch = minimal_patch(last, entering[i], second, margin=0.0)
        assert patch.lower == pytest.approx(float(table[i][0]), abs=1e-9)
        assert patch.evidence is Evidence.BOUND


@pytest.mark.needs("goldberger", "reassure/watermark_set.npz")
def test_watermark_from_the_file(data_dir: Path, tmp_path: Path) -> None:
    """Both norms from the network file, the patched file judged by onnxruntime."""
    _, linf, l1 = watermarks(data_dir)
    network = load(data_dir / "reassure" / "watermark_model.onnx")
    with np.load(data_dir / "reassure" / "watermark_set.npz") as arrays:
        images = arrays["images"].reshape(100, 784)
    for i in (0, 7, 63):
        second = int(np.argsort(-network.evaluate(images[i])[0])[1])
        patch = minimal_patch(network, images[i], second, margin=0.0)
        assert patch.lower == pytest.approx(float(linf[i][0]), abs=1e-6)
        patch = minimal_patch(network, images[i], second, norm="l1", margin=0.0)
        assert float(l1[i][0]) < patch.lower <= patch.upper < float(l1[i][1])
        patch.save(tmp_path / "patched.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "patched.onnx"))
        taken = session.get_inputs()[0].name
        outputs = session.run(None, {taken: images[i : i + 1].astype(np.float32)})[0]
        assert int(outputs.argmax()) == second


def acas(data: Path) -> tuple[Network, np.ndarray]:
    network = load(data / "acasxu" / "onnx" / "ACASXU_run2a_2_9_batch_2000.onnx")
    rows = np.loadtxt(data / "goldberger" / "acas_2_9" / "inputs.csv", delimiter=",")
    return network, rows


PUBLISHED_L1 = (
    (0.0009918212890625, 0.001068115234375),
    (0.0028228759765625, 0.002899169921875),
    (0.0028228759765625, 0.002899169921875),
    (0.0032806396484375, 0.00335693359375),
    (0.004119873046875, 0.0041961669921875),
)


@pytest.mark.needs("goldberger")
@pytest.mark.parametrize("count", range(1, 6))
def test_published_acas_intervals(data_dir: Path, count: int) -> None:
    network, rows = acas(data_dir)
    patch = minimal_patch(network, rows[:count], "0&1", norm="l1", margin=1e-3, decision="argmin")
    low, high = PUBLISHED_L1[count - 1]
    assert low < patch.lower <= patch.upper < high
    assert patch.closed
    assert patch.evidence is Evidence.BOUND
    assert patch.confirmed


@pytest.mark.needs("goldberger")
def test_acas_linf_weights_only(data_dir: Path) -> None:
    network, rows = acas(data_dir)
    patch = minimal_patch(network, rows[:4], "0&1", margin=0.01, decision="argmin")
    assert patch.lower == pytest.approx(0.00170644, abs=1e-8)
    assert patch.upper == pytest.approx(0.00170644, abs=2e-8)


@pytest.mark.needs("goldberger")
def test_acas_with_the_published_bias_tying(data_dir: Path) -> None:
    """Their encoding adds the changes of weight row 0 to the bias: each h_0 counts one more."""
    network, rows = acas(data_dir)
    node = network.affine_layers[-1]
    (before,) = network.predecessors(node.node)
    entering = network.values(rows[:4].astype(np.float32))[before].copy()
    weight, bias = network.weights(node.node)
    entering[:, 0] += 1.0
    tied = dense_network([weight], [bias - weight[:, 0]])
    patch = minimal_patch(tied, entering, "0&1", margin=0.01, decision="argmin")
    assert patch.lower == pytest.approx(0.00161166, abs=1e-8)


@pytest.mark.needs("goldberger")
@pytest.mark.parametrize("count", [1, 3, 5])
def test_acas_one_of_two_advisories(data_dir: Path, count: int) -> None:
    """The disjunctive goal that the published code encoded as a conjunction."""
    network, rows = acas(data_dir)
    patch = minimal_patch(
        network,
        rows[:count],
        "0|1",
        norm="l1",
        margin=1e-3,
        decision="argmin",
        options=PatchOptions(nodes=2000),
    )
    assert patch.upper == pytest.approx(0.000395, abs=1e-6)
    assert patch.closed
