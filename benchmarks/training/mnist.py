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
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (784, 24, 24, 24, 10)
ATTACK_RADII = (0.05, 0.1, 0.15)
EXAMPLES = Path(__file__).resolve().parents[1] / "marapatch" / "examples"
OPSET = 13
IR_VERSION = 8

Loss = Literal["cross_entropy", "margin"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained; ``radius == 0`` is normal training.

    ``radius`` is the L-infinity radius of the training attack in units of ``pixel / 255``, reached
    after ``warmup`` epochs. ``clean_share`` of the loss is on the unattacked images. The learning
    rate falls along half a cosine from ``learning_rate`` to 0. ``shift`` is the largest random
    translation of a training image, in pixels.
    """

    name: str
    file: str
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    shift: int = 0
    radius: float = 0.0
    warmup: int = 0
    steps: int = 0
    clean_share: float = 0.0

    def radius_at(self, progress: float) -> float:
        """Return the radius after ``progress`` epochs: a linear ramp, then constant."""
        return self.radius * min(1.0, progress / self.warmup) if self.warmup else self.radius

    def describe(self) -> str:
        """Say in one sentence how the network is trained."""
        sentence = (
            f"Adam, {self.epochs} epochs, batch {self.batch}, learning rate"
            f" {self.learning_rate:g} with cosine decay, weight decay {self.weight_decay:g}"
        )
        if self.shift:
            sentence += f", random shifts of up to {self.shift} pixel(s)"
        if self.radius:
            sentence += (
                f"; PGD adversarial training, L-infinity radius {self.radius:g} reached linearly"
                f" over {self.warmup} epochs, {self.steps} steps from a random start,"
                f" {self.clean_share:.0%} of the loss on clean images"
            )
        return sentence + "."


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


@dataclass(frozen=True, slots=True)
class Dataset:
    """``n`` images, as float32 inputs ``(n, 784)`` in [0, 1] and as uint8 ``(n, 28, 28)``."""

    inputs: Tensor
    labels: Tensor
    images: npt.NDArray[np.uint8]


def load(path: Path) -> Dataset:
    """Read an MNIST archive with the arrays ``images`` (n, 28, 28) and ``labels`` (n,), uint8."""
    with np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    inputs = torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / np.float32(255))
    return Dataset(inputs, torch.from_numpy(labels.astype(np.int64)), images)


def build(widths: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Make a fully connected ReLU network with He-uniform weights and zero biases."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lead_of_rival(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the best wrong logit minus the right one, per image: positive means misclassified."""
    right = logits.gather(1, labels[:, None])
    rivals = logits.scatter(1, labels[:, None], -torch.inf)
    return rivals.amax(1) - right[:, 0]


def attack(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    radius: float,
    steps: int,
    step_size: float,
    loss: Loss,
    generator: torch.Generator,
) -> Tensor:
    """Run PGD from a random start in the L-infinity ball, clipped to [0, 1].

    Every iterate lies in the ball; the last one is returned.
    """
    low, high = (inputs - radius).clamp(min=0), (inputs + radius).clamp(max=1)
    point = low + (high - low) * torch.rand(inputs.shape, generator=generator)
    for _ in range(steps):
        point.requires_grad_(True)
        logits = network(point)
        if loss == "margin":
            objective = lead_of_rival(logits, labels).sum()
        else:
            objective = functional.cross_entropy(logits, labels, reduction="sum")
        (gradient,) = torch.autograd.grad(objective, point)
        point = torch.clamp(point.detach() + step_size * gradient.sign(), low, high)
    return point


def shifted(inputs: Tensor, largest: int, generator: torch.Generator) -> Tensor:
    """Translate each 28x28 image by its own random whole number of pixels, filling with 0."""
    padded = functional.pad(inputs.view(-1, 28, 28), (largest,) * 4)
    down, right = torch.randint(0, 2 * largest + 1, (2, len(inputs)), generator=generator)
    grid = torch.arange(28)
    rows = (down[:, None] + grid)[:, :, None]
    columns = (right[:, None] + grid)[:, None, :]
    return padded[torch.arange(len(inputs))[:, None, None], rows, columns].reshape(len(inputs), -1)


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of one epoch in random order; a last incomplete batch is left out."""
    order = torch.randperm(count, generator=generator)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def train(recipe: Recipe, data: Dataset, seed: int) -> nn.Sequential:
    """Train one network as the recipe says and return it after the last epoch."""
    generator = torch.Generator().manual_seed(seed)
    network = build(WIDTHS, generator)
    optimiser = torch.optim.Adam(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    per_epoch = len(data.labels) // recipe.batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * per_epoch)
    for epoch in range(recipe.epochs):
        total = 0.0
        for number, index in enumerate(batches(len(data.labels), recipe.batch, generator)):
            inputs, labels = data.inputs[index], data.labels[index]
            if recipe.shift:
                inputs = shifted(inputs, recipe.shift, generator)
            loss = torch.zeros(())
            if recipe.radius:
                radius = recipe.radius_at(epoch + number / per_epoch)
                attacked = attack(
                    network,
                    inputs,
                    labels,
                    radius=radius,
                    steps=recipe.steps,
                    step_size=2.5 * radius / recipe.steps,
                    loss="cross_entropy",
                    generator=generator,
                )
                loss = (1 - recipe.clean_share) * functional.cross_entropy(
                    network(attacked), labels
                )
            clean_share = recipe.clean_share if recipe.radius else 1.0
            if clean_share:
                loss = loss + clean_share * functional.cross_entropy(network(inputs), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"{recipe.name}: epoch {epoch + 1}/{recipe.epochs}, loss {total / per_epoch:.4f}")
    return network


def accuracy_under_attack(
    network: nn.Module, data: Dataset, *, radius: float, steps: int, restarts: int, seed: int
) -> float:
    """Return the share of images that stay rightly classified under every PGD run.

    Runs ``restarts`` random starts on the cross-entropy and as many on the margin (the
    cross-entropy's gradient vanishes in float32 where the network is very sure). This is an upper
    bound on the true robust accuracy: a stronger attack can only lower it.
    """
    generator = torch.Generator().manual_seed(seed)
    losses: tuple[Loss, ...] = ("cross_entropy", "margin")
    with torch.no_grad():
        held = lead_of_rival(network(data.inputs), data.labels) < 0
    for loss, _ in itertools.product(losses, range(restarts)):
        index = held.nonzero()[:, 0]
        labels = data.labels[index]
        attacked = attack(
            network,
            data.inputs[index],
            labels,
            radius=radius,
            steps=steps,
            step_size=2.5 * radius / steps,
            loss=loss,
            generator=generator,
        )
        with torch.no_grad():
            held[index] = lead_of_rival(network(attacked), labels) < 0
    return held.double().mean().item()


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
        producer_name="marapatch benchmarks/train_mnist.py",
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
            "example: python benchmarks/train_mnist.py --data ../data --out new-examples\n"
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
        help="folder to write to, made if missing (default: marapatch/examples of this checkout;"
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
