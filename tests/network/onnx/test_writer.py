"""Networks with replaced weights, and writing them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike
from onnx import numpy_helper
from onnx_models import integers, load_constants, model, node, normals, reference, save

from marapatch.errors import InputError
from marapatch.network import Network, dense_network, load, write_onnx
from marapatch.network.layers import Abs, Relu
from marapatch.network.nnet import read_nnet
from marapatch.network.onnx.reader import read_onnx
from marapatch.network.onnx.writer import to_onnx
from marapatch.network.parameters import Kind

RNG = np.random.default_rng(3)


def _tail(name: str) -> list[Any]:
    return [node("Relu", [name], ["r"], name="act"), node("Flatten", ["r"], ["y"], name="end")]


PATCHABLE = {
    "gemm": ([node("Gemm", ["x", "w", "b"], ["h"])], (1, 4), {"w": (4, 3), "b": (3,)}),
    "gemm transposed": (
        [node("Gemm", ["x", "w", "b"], ["h"], transB=1)],
        (1, 4),
        {"w": (3, 4), "b": (1, 3)},
    ),
    "gemm after a transpose": (
        [
            node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            node("Flatten", ["t"], ["f"]),
            node("Gemm", ["f", "w", "b"], ["h"]),
        ],
        (1, 2, 3),
        {"w": (6, 3), "b": (3,)},
    ),
    "matmul and add": (
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["b", "m"], ["h"])],
        (1, 4),
        {"w": (4, 3), "b": (3,)},
    ),
    "matmul of a transposed constant": (
        [
            node("Transpose", ["w"], ["v"]),
            node("MatMul", ["x", "v"], ["m"]),
            node("Add", ["m", "b"], ["h"]),
        ],
        (1, 4),
        {"w": (3, 4), "b": (3,)},
    ),
    "matmul on rows": (
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["h"])],
        (1, 2, 4),
        {"w": (4, 3), "b": (3,)},
    ),
    "conv": (
        [node("Conv", ["x", "w", "b"], ["h"], group=2, strides=[2, 1], pads=[1, 0, 0, 1])],
        (1, 4, 4, 3),
        {"w": (6, 2, 2, 2), "b": (6,)},
    ),
    "conv after a transpose": (
        [
            node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            node("Conv", ["t", "w"], ["c"]),
            node("Add", ["c", "b"], ["h"]),
        ],
        (1, 4, 5, 2),
        {"w": (3, 2, 2, 2), "b": (1, 3, 1, 1)},
    ),
}


def _made(name: str) -> Any:
    nodes, shape, shapes = PATCHABLE[name]
    constants: dict[str, ArrayLike] = {key: normals(*size) for key, size in shapes.items()}
    return model([*nodes, *_tail("h")], shape, constants)


@pytest.mark.parametrize("name", PATCHABLE)
def test_a_patched_file_is_the_patched_network(name: str, tmp_path: Path) -> None:
    made = _made(name)
    network = read_onnx(save(made, tmp_path))
    (layer,) = network.affine_layers
    weight, bias = network.weights(layer.node)
    assert layer.biases == bias.size == 3 + 3 * (name == "conv")
    patched = network.with_weights(
        layer.node, weight + RNG.normal(size=weight.shape), bias + RNG.normal(size=bias.shape)
    )
    target = tmp_path / "patched.onnx"
    write_onnx(patched, target)
    again = load(target)
    x = RNG.normal(size=(20, network.inputs)).astype(np.float32)
    np.testing.assert_array_equal(again.evaluate(x), patched.evaluate(x))
    expected = reference(target.read_bytes(), x, network.input_shape)
    np.testing.assert_allclose(patched.evaluate(x), expected, atol=1e-4)
    assert np.abs(patched.evaluate(x) - network.evaluate(x)).max() > 0.1

    written = onnx.load(target)
    for tensor in written.graph.initializer:
        assert numpy_helper.to_array(tensor).dtype == np.float32
    del written.graph.initializer[:], made.graph.initializer[:]
    assert written == made


@pytest.mark.parametrize("name", PATCHABLE)
def test_one_weight_changes_one_number_of_the_file(name: str, tmp_path: Path) -> None:
    path = save(_made(name), tmp_path)
    network = read_onnx(path)
    node_name = network.affine_layers[0].node
    weight, _ = network.weights(node_name)
    weight[(1,) * weight.ndim] += 1.0
    write_onnx(network.with_weights(node_name, weight), tmp_path / "new.onnx")
    old, new = load_constants(path), load_constants(tmp_path / "new.onnx")
    assert old.keys() == new.keys()
    assert sum(int((old[k] != new[k]).sum()) for k in old) == 1
    assert (old["w"] != new["w"]).sum() == 1


def test_an_unchanged_network_is_written_byte_for_byte(tmp_path: Path) -> None:
    path = save(_made("conv"), tmp_path)
    network = read_onnx(path)
    write_onnx(network, tmp_path / "copy.onnx")
    assert (tmp_path / "copy.onnx").read_bytes() == path.read_bytes()
    weight, bias = network.weights("h")
    same = network.with_weights("h", weight, bias)
    assert to_onnx(same) == path.read_bytes()
    assert same.source == network.source


def test_the_old_network_stays_as_it_was(tmp_path: Path) -> None:
    network = read_onnx(save(_made("gemm"), tmp_path))
    x = RNG.normal(size=(4, 4))
    before = network.evaluate(x)
    weight, _ = network.weights("h")
    patched = network.with_weights("h", weight * 2.0)
    np.testing.assert_array_equal(network.evaluate(x), before)
    assert patched.standard_form is not network.standard_form
    assert patched.source is not None
    assert network.source is not None
    assert patched.source.sha256 != network.source.sha256
    weight[:] = 9.0
    assert (network.weights("h")[0] != 9.0).all()


def test_numbers_are_rounded_to_the_type_of_the_file(tmp_path: Path) -> None:
    network = read_onnx(save(_made("gemm"), tmp_path))
    patched = network.with_weights("h", np.full((3, 4), 0.1), np.full(3, 1.0 / 3.0))
    assert (patched.weights("h")[0] == float(np.float32(0.1))).all()
    assert (patched.weights("h")[1] == float(np.float32(1.0 / 3.0))).all()
    with pytest.raises(InputError, match="layer 'h': weights: contains NaN or infinity"):
        network.with_weights("h", np.full((3, 4), 1e300))
    with pytest.raises(InputError, match=r"layer 'h': weights: shape \(4, 3\) given"):
        network.with_weights("h", np.zeros((4, 3)))
    with pytest.raises(
        InputError, match=r"layer 'q' cannot be patched; those that can are \['h'\]"
    ):
        network.with_weights("q", np.zeros((4, 3)))


def test_weights_in_constant_nodes_can_be_patched(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(np.eye(3, dtype=np.float32), "inner name")
    nodes = [node("Constant", [], ["w"], value=tensor), node("MatMul", ["x", "w"], ["y"])]
    path = save(model(nodes, (1, 3)), tmp_path)
    network = read_onnx(path).with_weights("y", np.full((3, 3), 2.0))
    write_onnx(network, path)
    assert load(path).evaluate([1.0, 1.0, 1.0]).tolist() == [[6.0, 6.0, 6.0]]
    assert onnx.load(path).graph.node[0].attribute[0].t.name == "inner name"


def test_a_layer_without_bias_has_none_to_patch(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    network = read_onnx(save(model(nodes, (1, 3), {"w": normals(3, 2)}), tmp_path))
    assert network.affine_layers[0].biases == 0
    assert network.weights("y")[1].size == 0
    with pytest.raises(InputError, match="layer 'y': the layer has no bias of its own"):
        network.with_weights("y", bias=np.zeros(2))


def test_weights_used_twice_are_not_patchable(tmp_path: Path) -> None:
    nodes = [
        node("Gemm", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("Gemm", ["r", "w"], ["b"]),
        node("Gemm", ["b", "v"], ["y"]),
    ]
    network = read_onnx(
        save(model(nodes, (1, 3), {"w": normals(3, 3), "v": normals(3, 2)}), tmp_path)
    )
    assert [layer.node for layer in network.affine_layers] == ["y"]


def test_a_bias_that_others_read_stays_apart(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Add", ["a", "m"], ["y"]),
    ]
    made = model(nodes, (1, 3), {"w": normals(3, 3), "b": normals(3)})
    network = read_onnx(save(made, tmp_path))
    assert [layer.biases for layer in network.affine_layers] == [0]
    x = RNG.normal(size=(5, 3)).astype(np.float32)
    expected = reference(made.SerializeToString(), x, (3,))
    np.testing.assert_allclose(network.evaluate(x), expected, atol=1e-5)


def test_affine_layers_are_counted_in_order(tmp_path: Path) -> None:
    nodes = [
        node("Unsqueeze", ["x", "one"], ["i"]),
        node("Conv", ["i", "k", "c"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("Flatten", ["r"], ["f"]),
        node("MatMul", ["f", "w"], ["m"]),
        node("Add", ["m", "b"], ["y"]),
    ]
    constants = {
        "one": integers(1), "k": normals(2, 1, 3), "c": normals(2), "w": normals(6, 4),
        "b": normals(4),
    }  # fmt: skip
    network = read_onnx(save(model(nodes, (1, 5), constants), tmp_path))
    found = [
        (a.number, a.node, a.kind, a.inputs, a.outputs, a.weights, a.biases)
        for a in network.affine_layers
    ]
    assert found == [(0, "h", Kind.CONV, 5, 6, 6, 2), (1, "m", Kind.MATMUL, 6, 4, 24, 4)]


def _built() -> Network:
    rng = np.random.default_rng(0)
    return dense_network(
        [rng.normal(size=(5, 3)), rng.normal(size=(2, 5))], [rng.normal(size=5), np.ones(2)]
    )


def test_a_built_network_becomes_a_plain_file(tmp_path: Path) -> None:
    network = _built()
    path = tmp_path / "plain.onnx"
    write_onnx(network, path)
    again = load(path)
    x = RNG.normal(size=(7, 3))
    np.testing.assert_array_equal(again.evaluate(x), network.evaluate(x))
    assert again.input_dtype == np.dtype(np.float64)
    np.testing.assert_allclose(reference(path.read_bytes(), x, (3,)), network.evaluate(x))
    assert [n.op_type for n in onnx.load(path).graph.node] == ["Gemm", "Relu", "Gemm"]


def test_a_nnet_network_becomes_a_plain_file(tmp_path: Path) -> None:
    text = "1,2,1,2,\n2,1,\n0,\n0,0,\n1,1,\n0,0,0,\n1,1,1,\n0.1,0.2,\n0.3,\n"
    (tmp_path / "net.nnet").write_text(text)
    network = read_nnet(tmp_path / "net.nnet")
    write_onnx(network, tmp_path / "net.onnx")
    x = RNG.normal(size=(5, 2))
    np.testing.assert_array_equal(load(tmp_path / "net.onnx").evaluate(x), network.evaluate(x))
    patched = network.with_weights("affine0", [[0.7, 0.1]], [0.2])
    assert patched.source is None
    write_onnx(patched, tmp_path / "net.onnx")
    np.testing.assert_array_equal(load(tmp_path / "net.onnx").evaluate(x), patched.evaluate(x))
    assert patched.evaluate([1.0, 2.0])[0, 0] == pytest.approx(1.1)


def test_other_built_networks_are_refused(tmp_path: Path) -> None:
    network = _built()
    graph = _copy_of_graph(network)
    graph.add_node("abs", layer=Abs(), inputs=(network.output_node,))
    graph.add_edge(network.output_node, "abs")
    double = np.dtype(np.float64)
    with pytest.raises(InputError, match=r"layer 'abs' \(Abs\) cannot be written"):
        write_onnx(Network(graph, "input", "abs", (3,), (2,), double), tmp_path / "no.onnx")
    single = Network(_copy_of_graph(network), "input", network.output_node, (3,), (2,))
    with pytest.raises(InputError, match="its weight does not fit float32"):
        write_onnx(single, tmp_path / "no.onnx")
    assert list(tmp_path.iterdir()) == []


def _copy_of_graph(network: Network) -> Any:
    return network.graph.copy()


@pytest.mark.parametrize("target", ["missing/net.onnx", "folder"])
def test_a_path_that_cannot_be_written_is_named(target: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_onnx(_built(), tmp_path / target)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_relu_layers_are_no_affine_layers() -> None:
    network = _built()
    assert [a.node for a in network.affine_layers] == ["affine0", "affine1"]
    assert isinstance(network.layer("relu0"), Relu)
