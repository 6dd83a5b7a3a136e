"""The attacks of Foolbox, behind the same seam as the built-in ones, with their work counted.

Foolbox's own settings are kept for ``foolbox-*``, with the steps cut to the budget.
``foolbox-*-tuned`` change what its authors leave to the user: the best median on ten images of the
bundled network out of a grid, by budget. Fixed-radius attacks search the radius by bisection,
image by image.

Source: Rauber, Zimmermann, Bethge, Brendel, "Foolbox Native", JOSS 2020; the attacks as cited there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

import foolbox as fb
import foolbox.attacks as fa
import numpy as np
import torch
from _attack_contest import Contestant, Found, Runner

from marapatch.attacks import Distance, Problem
from marapatch.network.standard_form import StandardForm

LARGEST_RADIUS = 0.5
"""Where bisections over the L-inf radius start: half the pixel range."""


class Meter:
    """A torch module around another that counts the rows it evaluates and differentiates."""

    def __init__(self, form: StandardForm) -> None:
        if not form.is_chain:
            raise SystemExit("the comparison needs fully connected chains")
        layers: list[Any] = []
        for layer in (*form.hidden, form.output):
            weight = layer.weights[0]
            dense = weight.toarray() if hasattr(weight, "toarray") else np.array(weight)
            linear = torch.nn.Linear(dense.shape[1], dense.shape[0])
            linear.weight.data = torch.tensor(dense, dtype=torch.float32)
            linear.bias.data = torch.tensor(np.array(layer.bias), dtype=torch.float32)
            layers += [linear, torch.nn.ReLU()]
        inner = torch.nn.Sequential(*layers[:-1]).eval()
        for parameter in inner.parameters():
            parameter.requires_grad_(requires_grad=False)
        meter = self

        class Counted(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                y = inner(x)
                if y.requires_grad:
                    y.register_hook(lambda _: meter.differentiated(x.shape[0]))
                meter.rows += x.shape[0]
                return y

        self.rows = self.gradients = 0
        self.module = Counted().eval()

    def differentiated(self, rows: int) -> None:
        """Called as a gradient passes the outputs."""
        self.gradients += rows


def foolbox_contestants() -> Iterator[Contestant]:
    """The attacks of Foolbox, in the norms of ours."""

    def minimum(make: Callable[[int], Any]) -> Runner:
        def run(problem: Problem, budget: int) -> Found:
            return _foolbox_run(problem, make(budget), epsilons=None)

        return run

    def bisected(make: Callable[[int], Any], rounds: int) -> Runner:
        def run(problem: Problem, budget: int) -> Found:
            return _foolbox_bisect(problem, make(max(budget // rounds, 1)), rounds)

        return run

    def grid(problem: Problem, budget: int) -> Found:
        radii = np.geomspace(1e-3, LARGEST_RADIUS, min(budget, 100))
        return _foolbox_run(problem, fa.LinfFastGradientAttack(), epsilons=radii.tolist())

    linf, l1, l2 = Distance.LINF, Distance.L1, Distance.L2
    yield Contestant("foolbox-fgm", linf, grid)
    yield Contestant(
        "foolbox-pgd",
        linf,
        bisected(lambda s: fa.LinfPGD(steps=s, rel_stepsize=2.5 / s), 8),
    )
    yield Contestant(
        "foolbox-bim",
        linf,
        bisected(lambda s: fa.LinfBasicIterativeAttack(steps=s, rel_stepsize=2.5 / s), 8),
    )
    for norm, fmn in ((linf, fa.LInfFMNAttack), (l1, fa.L1FMNAttack), (l2, fa.L2FMNAttack)):
        yield Contestant("foolbox-fmn", norm, minimum(lambda b, f=fmn: f(steps=b)))
    yield Contestant("foolbox-ddn", l2, minimum(lambda b: fa.DDNAttack(steps=b)))
    yield Contestant(
        "foolbox-cw",
        l2,
        minimum(lambda b: fa.L2CarliniWagnerAttack(9, steps=b // 9)),
    )
    yield Contestant(
        "foolbox-cw-tuned",
        l2,
        minimum(lambda b: fa.L2CarliniWagnerAttack(4, b // 4, stepsize=0.05, initial_const=1.0)),
    )
    yield Contestant(
        "foolbox-ead",
        l1,
        minimum(lambda b: fa.EADAttack(9, steps=b // 9, decision_rule="L1")),
    )
    yield Contestant(
        "foolbox-ead-tuned",
        l1,
        minimum(
            lambda b: fa.EADAttack(
                4,
                steps=b // 4,
                initial_stepsize=0.05,
                initial_const=1.0,
                regularization=0.05,
                decision_rule="L1",
            )
        ),
    )
    yield Contestant("foolbox-bb", l1, minimum(lambda b: fa.L1BrendelBethgeAttack(steps=b)))
    yield Contestant(
        "foolbox-bb", linf, minimum(lambda b: fa.LinfinityBrendelBethgeAttack(steps=b))
    )


def _criterion(problem: Problem) -> Any:
    classes = torch.tensor(problem.objective.classes.copy())
    if problem.objective.targeted:
        return fb.criteria.TargetedMisclassification(classes)
    return fb.criteria.Misclassification(classes)


def _foolbox_run(problem: Problem, attack: Any, epsilons: Sequence[float] | None) -> Found:
    """The nearest of what ``attack`` returns at any of ``epsilons``; NaN where it fails."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  # Foolbox draws from the global generator
    meter = Meter(problem.form)
    model = fb.PyTorchModel(meter.module, bounds=(0.0, 1.0))
    inputs = torch.tensor(problem.centres, dtype=torch.float32)
    _, clipped, success = attack(model, inputs, _criterion(problem), epsilons=epsilons)
    many = clipped if isinstance(clipped, list) else [clipped]
    wins = success.reshape(len(many), -1).numpy()
    best, vectors = np.full(len(problem), inf), np.full(problem.centres.shape, np.nan)
    for found, won in zip(many, wins, strict=True):
        points = found.detach().numpy().astype(np.float64)
        distances = np.where(won, problem.distances(points), inf)
        nearer = distances < best
        best[nearer], vectors[nearer] = distances[nearer], points[nearer]
    n = len(problem)
    return Found(vectors, meter.gradients / n, (meter.rows - meter.gradients) / n)


def _foolbox_bisect(problem: Problem, attack: Any, rounds: int) -> Found:
    """The smallest radius, image by image, on a logarithmic scale."""
    vectors = np.full(problem.centres.shape, np.nan)
    gradients = evaluations = 0.0
    for i in range(len(problem)):
        single = problem.take(np.array([i]))
        low, high = 1e-3, LARGEST_RADIUS
        radius = high
        for _ in range(rounds):
            found = _foolbox_run(single, attack, epsilons=[radius])
            gradients, evaluations = gradients + found.gradients, evaluations + found.evaluations
            if np.isfinite(found.vectors).all():
                vectors[i], high = found.vectors[0], radius
            else:
                low = radius
                if radius == LARGEST_RADIUS:
                    break
            radius = float(np.sqrt(low * high))
    return Found(vectors, gradients / len(problem), evaluations / len(problem))
