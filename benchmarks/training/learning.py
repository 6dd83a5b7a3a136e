"""Training a small network on MNIST, normally or against projected gradient descent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (784, 24, 24, 24, 10)

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
