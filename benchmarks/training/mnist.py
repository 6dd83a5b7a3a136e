"""Train the two small MNIST networks that marapatch bundles, and pick their source images.

Both networks are fully connected, 784-24-24-24-10 with ReLUs, on ``pixel / 255`` in row-major
order:

- ``mnist_3x24.onnx`` (called N): trained normally;
- ``mnist_3x24_adversarial.onnx`` (called N-bar): trained against projected gradient descent
  (PGD) in the L-infinity ball, the radius growing linearly from 0 over the first epochs.
  Without that warm-up a network this narrow collapses to a constant decision.

The images (``digits.npz``, ``seven.npy``) are, for each digit, the first MNIST test image that
both networks classify rightly.

The weights after the last epoch are the result: the test set chooses neither epoch nor settings.
One seed and one thread make a run repeatable on one machine with one version of PyTorch;
elsewhere the weights may differ in rounding, and training amplifies that.

Sources: Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards Deep Learning Models Resistant to
Adversarial Attacks" (PGD training); Kingma and Ba, "Adam".
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from benchmarks.training.learning import (
    WIDTHS,
    Dataset,
    Recipe,
    accuracy_under_attack,
    load,
    train,
)

ATTACK_RADII = (0.05, 0.1, 0.15)
EXAMPLES = Path(__file__).resolve().parents[2] / "marapatch" / "data" / "examples"
OPSET = 13
IR_VERSION = 8

NORMAL = Recipe(
    name="N",
    file="mnist_3x24.onnx",
    epochs=60,
    batch=256,
    learning_rate=4e-3,
    weight_decay=1e-5,
    shift=1,
)
ADVERSARIAL = Recipe(
    name="N-bar",
    file="mnist_3x24_adversarial.onnx",
    epochs=100,
    batch=256,
    learning_rate=4e-3,
    weight_decay=0.0,
    radius=0.15,
    warmup=40,
    steps=8,
    clean_share=0.2,
)


def to_onnx(network: nn.Sequential, name: str) -> onnx.ModelProto:
    """Write the network as Flatten, then Gemm and Relu in turn, then a last Gemm.

    Input ``input`` float32 ``[batch, 1, 28, 28]``, output ``logits`` float32 ``[batch, 10]``;
    the weights are ``fc1.weight`` (out x in, ``transB = 1``), ``fc1.bias`` and so on.
    """
    linears = [layer for layer in network if isinstance(layer, nn.Linear)]
    nodes = [helper.make_node("Flatten", ["input"], ["flat"], name="flatten", axis=1)]
    weights: list[onnx.TensorProto] = []
    current = "flat"
    for number, linear in enumerate(linears, start=1):
        layer = f"fc{number}"
        last = number == len(linears)
        for part, parameter in (("weight", linear.weight), ("bias", linear.bias)):
            values = parameter.detach().numpy().astype(np.float32)
            weights.append(numpy_helper.from_array(values, f"{layer}.{part}"))
        result = "logits" if last else f"{layer}.out"
        operands = [current, f"{layer}.weight", f"{layer}.bias"]
        nodes.append(helper.make_node("Gemm", operands, [result], name=layer, transB=1))
        current = result
        if not last:
            current = f"relu{number}.out"
            nodes.append(helper.make_node("Relu", [result], [current], name=f"relu{number}"))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", WIDTHS[-1]])],
        initializer=weights,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="marapatch benchmarks/training/mnist.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def decisions(model: onnx.ModelProto, data: Dataset) -> npt.NDArray[np.int64]:
    """Return the ONNX model's decision for every image, as onnxruntime computes it."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"input": data.inputs.numpy().reshape(-1, 1, 28, 28)})
    decided: npt.NDArray[np.int64] = np.asarray(logits).argmax(axis=1)
    return decided


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The strength of the attack that measures a network."""

    steps: int
    restarts: int
    seed: int


def make(
    recipe: Recipe,
    training: Dataset,
    test: Dataset,
    *,
    evaluation: Evaluation,
    seed: int,
    out: Path,
) -> npt.NDArray[np.bool_]:
    """Train, measure and write one network; return which test images its ONNX file gets right."""
    started = time.perf_counter()
    network = train(recipe, training, seed)
    minutes = (time.perf_counter() - started) / 60
    model = to_onnx(network, Path(recipe.file).stem)
    correct: npt.NDArray[np.bool_] = decisions(model, test) == test.labels.numpy()
    # Written once before the slow measurement, so that an interrupted run still leaves a network.
    onnx.save(model, out / recipe.file)
    facts = [f"test accuracy {correct.mean():.4f}"]
    for radius in ATTACK_RADII:
        share = accuracy_under_attack(
            network,
            test,
            radius=radius,
            steps=evaluation.steps,
            restarts=evaluation.restarts,
            seed=evaluation.seed,
        )
        facts.append(f"PGD accuracy at L-infinity {radius:g}: {share:.4f}")
    dashed = "-".join(map(str, WIDTHS))
    model.doc_string = (
        f"{dashed} ReLU network for MNIST; input is pixel / 255, row-major. {recipe.describe()}"
        f" Seed {seed}. On all {len(correct)} test images: {'; '.join(facts)}"
        f" ({evaluation.steps} steps, {evaluation.restarts} random starts each on cross-entropy"
        " and margin)."
    )
    onnx.save(model, out / recipe.file)
    print(f"{recipe.name}: {'; '.join(facts)}; trained in {minutes:.1f} minutes")
    return correct


def pick(correct: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return, for each digit, the index of its first correctly classified image.

    Raises ``ValueError`` for a digit without one.
    """
    chosen = []
    for digit in range(10):
        candidates = np.flatnonzero(correct & (labels == digit))
        if not len(candidates):
            raise ValueError(f"digit {digit}: both networks are right on no test image of it")
        chosen.append(candidates[0])
    return np.array(chosen, dtype=np.int64)


def write_images(test: Dataset, index: npt.NDArray[np.int64], out: Path) -> None:
    """Write ``digits.npz`` (images, labels, test_index) and ``seven.npy`` (the image of the 7)."""
    np.savez_compressed(
        out / "digits.npz",
        images=test.images[index],
        labels=test.labels.numpy()[index].astype(np.uint8),
        test_index=index,
    )
    np.save(out / "seven.npy", test.images[index[7]])


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=(
            "Train the two bundled MNIST networks (784-24-24-24-10, ReLU), one normally and\n"
            "one adversarially (PGD, L-infinity 0.15); measure both; write them as ONNX together\n"
            "with one source image per digit that both classify rightly. Takes about 6 minutes."
        ),
        epilog=(
            "example: python -m benchmarks.training.mnist --data ../data --out new-examples\n"
            "needs the extra 'train': pip install -e '.[train]'"
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=os.environ.get("MARAPATCH_DATA"),
        help="folder with mnist/mnist_train.npz and mnist/mnist_test.npz, each holding images"
        " (n, 28, 28) and labels (n,) as uint8 (default: $MARAPATCH_DATA)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=EXAMPLES,
        help="folder to write to, made if missing (default: marapatch/data/examples here;"
        " files of the same names are replaced)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the initial weights, the batches and the training attack (default: 0)",
    )
    parser.add_argument(
        "--attack-steps",
        type=int,
        default=100,
        metavar="N",
        help="PGD steps when measuring robustness (default: 100)",
    )
    parser.add_argument(
        "--attack-restarts",
        type=int,
        default=3,
        metavar="N",
        help="random starts for each of the two losses when measuring robustness (default: 3)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads of PyTorch; another number may change the weights (default: 1)",
    )
    options = parser.parse_args(argv)
    if options.data is None:
        parser.error("no data folder: give --data DIR or set MARAPATCH_DATA")
    for part in ("train", "test"):
        path = options.data / "mnist" / f"mnist_{part}.npz"
        if not path.is_file():
            parser.error(f"{path} is missing: --data must name the folder that holds mnist/")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Train, measure and write both networks and the images."""
    options = arguments(argv)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    training = load(options.data / "mnist" / "mnist_train.npz")
    test = load(options.data / "mnist" / "mnist_test.npz")
    evaluation = Evaluation(options.attack_steps, options.attack_restarts, seed=options.seed + 1)
    correct = np.ones(len(test.labels), dtype=np.bool_)
    for recipe in (NORMAL, ADVERSARIAL):
        correct &= make(
            recipe, training, test, evaluation=evaluation, seed=options.seed, out=options.out
        )
    index = pick(correct, test.labels.numpy())
    write_images(test, index, options.out)
    print("images:", ", ".join(f"{digit}: test {i}" for digit, i in enumerate(index)))


if __name__ == "__main__":
    main()
