"""The attacks one after another: from a cheap first success to a near one."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np

from marapatch.attacks.bim import BasicIterativeMethod
from marapatch.attacks.carlini_wagner import CarliniWagner
from marapatch.attacks.fgm import FastGradientMethod
from marapatch.attacks.objective import Classes, Objective
from marapatch.attacks.problem import AttackResult, Problem, Rows, judge
from marapatch.errors import InputError

_MOST_TARGETS = 20
"""An untargeted attack looks at no more targets than this: those that lead at the input."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """FGM, then BIM from two starts, then Carlini-Wagner: half of ``steps`` each for the last two.

    A targeted problem costs ``steps`` gradients an input. An untargeted one is solved as targeted
    ones, because attacks on the nearest rival stay with the first rival they follow: every other
    class is tried with ``steps // 20`` gradients, the ``finalists`` nearest with ``steps`` each.
    Measured on MNIST networks: the worst of 30 images then is 0.2 to 4 % from the best known
    distance, against 40 to 60 % for as many gradients spent on the untargeted margin.
    Deterministic for a ``seed``.
    """

    steps: int = 400
    finalists: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 4 or self.finalists < 1:
            raise InputError("Cascade: needs steps >= 4 and finalists >= 1")

    def run(
        self, problem: Problem, incumbent: AttackResult | None = None, deadline: float = inf
    ) -> AttackResult:
        """Attack every input of ``problem``; an incumbent's successes are kept where nearer."""
        if problem.objective.targeted:
            return self._targeted(problem, incumbent, deadline)
        rows, targets = _other_classes(problem)
        argmin = problem.objective.argmin
        wide = problem.take(rows, Objective.towards(targets, argmin=argmin))
        scout = FastGradientMethod().run(wide, None, deadline)
        short = BasicIterativeMethod(max(self.steps // 20, 1), restarts=1, seed=self.seed)
        scout = short.run(wide, scout, deadline)
        chosen = _nearest_of_each(rows, scout, self.finalists)
        final = wide.take(chosen)
        result = self._targeted(final, scout.take(chosen), deadline)
        # A target's success may lose its margin over a third class when judged untargeted: no
        # class but the label counts there, so the untargeted margin is at least as large.
        claims, about = [scout.inputs, result.inputs], [rows, rows[chosen]]
        if incumbent is not None:
            claims, about = [*claims, incumbent.inputs], [*about, np.arange(len(problem))]
        n = max(len(problem), 1)
        return judge(
            problem,
            np.concatenate(claims),
            np.concatenate(about),
            gradients=(scout.gradients * len(wide) + result.gradients * len(final)) / n,
            evaluations=(scout.evaluations * len(wide) + result.evaluations * len(final)) / n,
        )

    def _targeted(
        self, problem: Problem, incumbent: AttackResult | None, deadline: float
    ) -> AttackResult:
        quarter = max(self.steps // 4, 1)
        result = FastGradientMethod().run(problem, incumbent, deadline)
        result = BasicIterativeMethod(quarter, 2, seed=self.seed).run(problem, result, deadline)
        return CarliniWagner(quarter, searches=2).run(problem, result, deadline)


def nearest(
    problem: Problem, *, steps: int = 400, seconds: float = inf, seed: int = 0
) -> AttackResult:
    """The nearest successes that :class:`Cascade` finds within ``steps`` gradients and ``seconds``.

    The same for the same ``seed``, unless the time runs out first.
    """
    return Cascade(steps=steps, seed=seed).run(problem, deadline=monotonic() + seconds)


def _other_classes(problem: Problem) -> tuple[Rows, Classes]:
    """One row for each input and each class it could change to, at most ``_MOST_TARGETS``."""
    outputs = problem.form.evaluate(problem.snap(problem.centres))
    scores = np.array(-outputs if problem.objective.argmin else outputs)
    scores[np.arange(len(problem)), problem.objective.classes] = -inf
    count = min(problem.form.outputs - 1, _MOST_TARGETS)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return np.repeat(np.arange(len(problem)), count), order.reshape(-1)


def _nearest_of_each(rows: Rows, result: AttackResult, count: int) -> Rows:
    """The ``count`` nearest rows of each input, rows without a success last."""
    order = np.lexsort((result.distances, rows))
    ranks = np.arange(rows.size) - np.searchsorted(rows[order], rows[order])
    return np.sort(order[ranks < count])
