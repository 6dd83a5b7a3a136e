"""The attacks of Foolbox, behind the same seam as the built-in ones, with their work counted.

Foolbox's own settings are kept for ``foolbox-*``, with the steps cut to the budget. The settings
of ``foolbox-*-tuned`` are the best median on ten images of mnist_3x24 out of grids over the number
of searches (2, 4, 9), step size (0.01 to 0.1), first constant (0.1 to 10) and, for EAD,
regularisation, for each of the two default budgets, without early stops. Fixed-radius attacks
search the radius by bisection, image by image.

Source: Rauber, Zimmermann, Bethge, Brendel, "Foolbox Native", JOSS 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

import foolbox as fb
import foolbox.attacks as fa
import numpy as np
import torch

from benchmarks.peers.contest import Contestant, Found, Runner
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.witnesses.attacks import Norm, Problem

LARGEST_RADIUS = 0.5
"""Where bisections over the L-inf radius start: half the pixel range."""

BISECTIONS = 8
SMALL_BUDGET = 400
"""Below it the settings tuned for 200 gradients are used, else those for 1000."""


class Counted(torch.nn.Module):
    """A fully connected ReLU network that counts the rows it evaluates and differentiates."""

    def __init__(self, form: StandardForm) -> None:
        super().__init__()
        chain = all(layer.sources == (k,) for k, layer in enumerate((*form.hidden, form.output)))
        if not chain:
            raise SystemExit("the comparison with Foolbox needs fully connected networks")
        layers: list[torch.nn.Module] = []
        for layer in (*form.hidden, form.output):
            weight = layer.weights[0]
            dense = weight.toarray() if hasattr(weight, "toarray") else np.array(weight)
            linear = torch.nn.Linear(dense.shape[1], dense.shape[0])
            linear.weight.data = torch.tensor(dense, dtype=torch.float32)
            linear.bias.data = torch.tensor(np.array(layer.bias), dtype=torch.float32)
            layers += [linear, torch.nn.ReLU()]
        self.inner = torch.nn.Sequential(*layers[:-1]).requires_grad_(requires_grad=False)
        self.rows = self.gradients = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs."""
        outputs = self.inner(x)
        self.rows += x.shape[0]
        if outputs.requires_grad:
            outputs.register_hook(self._differentiated)
        return outputs

    def _differentiated(self, gradient: torch.Tensor) -> None:
        self.gradients += gradient.shape[0]


def foolbox_contestants() -> Iterator[Contestant]:
    """The attacks of Foolbox, in the norms of ours."""
    linf, l1, l2 = Norm.LINF, Norm.L1, Norm.L2
    yield Contestant("foolbox-fgm", linf, _grid, goals=("untargeted",))
    yield Contestant("foolbox-pgd", linf, _bisected(_pgd))
    yield Contestant("foolbox-bim", linf, _bisected(_bim))
    yield Contestant("foolbox-fmn", linf, _minimum(lambda b: fa.LInfFMNAttack(steps=b)))
    yield Contestant("foolbox-fmn", l1, _minimum(lambda b: fa.L1FMNAttack(steps=b)))
    yield Contestant("foolbox-fmn", l2, _minimum(lambda b: fa.L2FMNAttack(steps=b)))
    yield Contestant("foolbox-ddn", l2, _minimum(lambda b: fa.DDNAttack(steps=b)))
    yield Contestant("foolbox-cw", l2, _minimum(lambda b: fa.L2CarliniWagnerAttack(9, b // 9)))
    yield Contestant("foolbox-cw-tuned", l2, _minimum(_carlini_wagner))
    ead = _minimum(lambda b: fa.EADAttack(9, b // 9, decision_rule="L1"))
    yield Contestant("foolbox-ead", l1, ead)
    yield Contestant("foolbox-ead-tuned", l1, _minimum(_ead))
    bethge = _minimum(lambda b: fa.L1BrendelBethgeAttack(steps=b))
    yield Contestant("foolbox-bb", l1, bethge, goals=("untargeted",), most=SMALL_BUDGET)


def _pgd(steps: int) -> Any:
    return fa.LinfPGD(steps=steps, rel_stepsize=2.5 / steps)


def _bim(steps: int) -> Any:
    return fa.LinfBasicIterativeAttack(steps=steps, rel_stepsize=2.5 / steps)


def _carlini_wagner(budget: int) -> Any:
    searches, step = (2, 0.1) if budget < SMALL_BUDGET else (4, 0.03)
    return fa.L2CarliniWagnerAttack(
        searches, budget // searches, stepsize=step, initial_const=1.0, abort_early=False
    )


def _ead(budget: int) -> Any:
    searches = 2 if budget < SMALL_BUDGET else 9
    return fa.EADAttack(
        searches,
        budget // searches,
        initial_const=10.0,
        regularization=0.1,
        decision_rule="L1",
        abort_early=False,
    )


def _minimum(make: Callable[[int], Any]) -> Runner:
    def run(problem: Problem, budget: int) -> Found:
        return _run(problem, make(budget), epsilons=None)

    return run


def _grid(problem: Problem, budget: int) -> Found:
    radii = np.geomspace(1e-3, LARGEST_RADIUS, min(budget, 100))
    return _run(problem, fa.LinfFastGradientAttack(), epsilons=radii.tolist())


def _bisected(make: Callable[[int], Any]) -> Runner:
    """The smallest radius at which the attack succeeds, on a logarithmic scale."""

    def run(problem: Problem, budget: int) -> Found:
        attack = make(max(budget // BISECTIONS, 1))
        each = [_bisect(problem.take(np.array([i])), attack) for i in range(len(problem))]
        return Found(
            np.concatenate([found.vectors for found in each]),
            float(np.mean([found.gradients for found in each])),
            float(np.mean([found.evaluations for found in each])),
        )

    return run


def _bisect(single: Problem, attack: Any) -> Found:
    vectors = np.full(single.centres.shape, np.nan)
    gradients = evaluations = 0.0
    low, high = 1e-3, LARGEST_RADIUS
    radius = high
    for _ in range(BISECTIONS):
        found = _run(single, attack, epsilons=[radius])
        gradients, evaluations = gradients + found.gradients, evaluations + found.evaluations
        if np.isfinite(found.vectors).all():
            vectors, high = found.vectors, radius
        else:
            low = radius
            if radius == LARGEST_RADIUS:
                break
        radius = float(np.sqrt(low * high))
    return Found(vectors, gradients, evaluations)


def _run(problem: Problem, attack: Any, epsilons: Sequence[float] | None) -> Found:
    """The nearest of what ``attack`` calls a success at any of ``epsilons``."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  # Foolbox draws from the global generator
    counted = Counted(problem.form).eval()
    model = fb.PyTorchModel(counted, bounds=(0.0, 1.0))
    inputs = torch.tensor(problem.centres, dtype=torch.float32)
    classes = torch.tensor(problem.objective.classes.copy())
    if problem.objective.targeted:
        criterion = fb.criteria.TargetedMisclassification(classes)
    else:
        criterion = fb.criteria.Misclassification(classes)
    _, clipped, success = attack(model, inputs, criterion, epsilons=epsilons)
    many = clipped if isinstance(clipped, list) else [clipped]
    best, vectors = np.full(len(problem), inf), np.full(problem.centres.shape, np.nan)
    for found, won in zip(many, success.reshape(len(many), -1).numpy(), strict=True):
        points = found.detach().numpy().astype(np.float64)
        distances = np.where(won, problem.distances(points), inf)
        nearer = distances < best
        best[nearer], vectors[nearer] = distances[nearer], points[nearer]
    n = len(problem)
    return Found(vectors, counted.gradients / n, (counted.rows - counted.gradients) / n)
