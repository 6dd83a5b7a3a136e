"""From a patch to an adversarial input: halve, realise, shrink, and search directly if need be.

Source: Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.arithmetic.float_model import proving
from marapatch.errors import InputError, check_class
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import head
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.patch_attacks.halving import FirstLayerPatch, Halving
from marapatch.patch_attacks.options import Minimise, PatchAttackOptions, Stage, StageKind
from marapatch.patch_attacks.realise import InputBox, realised
from marapatch.patch_attacks.shrink import Target, shrunk
from marapatch.problem.conditions import OutputCondition, Rule, beats
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import Norm
from marapatch.problem.replay import Replay, decided_class
from marapatch.witnesses.attacks.nearest import nearest
from marapatch.witnesses.attacks.objective import Objective
from marapatch.witnesses.attacks.problem import Problem
from marapatch.witnesses.row_lp import Rows, min_l1
from marapatch.witnesses.trust_region_lp import derivative, trust_region_lp

__all__ = ["PatchAttack", "PatchAttackOptions", "Stage", "patch_attack", "replay_of"]

TRUST = 0.25
"""The first step towards the decision, as a share of what an entry may change."""

DIRECT_STEPS = 50
"""Of the direct search, where halving fails."""


@dataclass(frozen=True, eq=False)
class PatchAttack:
    """The answer to one image.

    ``adversarial``: float64 in the shape of the image, inside the box; it is what was replayed
    and measured; None where nothing was found. ``decision``: what the network decides on the
    image; ``wanted``: the target that was asked for (None: any other class); ``target``: the
    class that the adversarial input is decided as (None where there is none). ``by``: who found
    it: ``halving`` or ``direct`` (empty where nobody did). ``l0``, ``l1``, ``l2``, ``linf``: of
    the change, against the image as the network's input type holds it; infinite where nothing was
    found (l0: -1). ``stages``: everything that was tried, in order; ``reason``: why nothing was
    found.
    """

    found: bool
    adversarial: NDArray[np.float64] | None
    decision: int
    wanted: int | None
    target: int | None
    by: str
    stages: tuple[Stage, ...]
    l0: int
    l1: float
    l2: float
    linf: float
    seconds: float
    reason: str = ""


def patch_attack(
    network: Network,
    image: ArrayLike,
    *,
    target: int | None = None,
    decision: str | Rule = Rule.ARGMAX,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    options: PatchAttackOptions | None = None,
    started: float | None = None,
) -> PatchAttack:
    """An input near ``image`` that is decided otherwise, found by way of patches.

    A patch of the middle layer is halved down to the first
    (:mod:`marapatch.patch_attacks.halving`), realised as an input
    (:mod:`marapatch.patch_attacks.realise`) and shrunk; a direct search follows where that fails.
    ``target``: the class wanted (None: any other; several are tried, the nearest by a first-order
    estimate). ``box``: (lower, upper), numbers or arrays (None: the
    network file's own box, or [0, 1]). ``decision``: ``argmax``, or ``argmin`` as in ACAS Xu. The
    image is rounded to the network's input type, and so
    is what is returned, replayed on the network with its evaluation error subtracted.
    ``started``: when the time of ``options`` began, by ``time.monotonic`` (None: now).

    Raises :class:`InputError` where the image is outside the box or decided as the target
    already, or anything does not fit.
    """
    options = options or PatchAttackOptions()
    started = monotonic() if started is None else started
    rule = Rule.of(decision)
    domain = _domain(network, image, box, options.max_pixel)
    decided = decided_class(network, domain.x, rule)
    if target is not None:
        _check_target(target, decided, network)
    deadline = inf if options.timeout is None else started + options.timeout
    search = _Search(network, domain, rule, options, deadline)
    with proving():
        best, by = search.run(decided, target)
    seconds = monotonic() - started
    stages = tuple(search.stages)
    if best is None:
        reason = stages[-1].note if stages else "out of time"
        return PatchAttack(
            False, None, decided, target, None, "", stages, -1, inf, inf, inf, seconds, reason
        )
    change = best - domain.x
    return PatchAttack(
        found=True,
        adversarial=best.reshape(np.shape(image)),
        decision=decided,
        wanted=target,
        target=decided_class(network, best, rule),
        by=by,
        stages=stages,
        l0=int(np.count_nonzero(change)),
        l1=Norm.L1.distance(change),
        l2=float(np.sqrt((change**2).sum())),
        linf=Norm.LINF.distance(change),
        seconds=seconds,
    )


def replay_of(
    network: Network,
    image: ArrayLike,
    target: int,
    *,
    decision: str | Rule = Rule.ARGMAX,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    options: PatchAttackOptions | None = None,
) -> Replay:
    """What replays inputs that are claimed to be decided as ``target``; arguments as for
    :func:`patch_attack`. Whatever that returns, it accepts without changing a number."""
    options = options or PatchAttackOptions()
    domain = _domain(network, image, box, options.max_pixel)
    condition = beats(target, network.outputs, Rule.of(decision), options.margin)
    return Target(network, condition, domain).replay(Norm.L1)


@dataclass(eq=False)
class _Search:
    """The search for one image; ``stages`` grows as it goes."""

    network: Network
    domain: InputBox
    rule: Rule
    options: PatchAttackOptions
    deadline: float
    stages: list[Stage] = field(default_factory=list)

    def run(self, decided: int, wanted: int | None) -> tuple[Array | None, str]:
        """The best input found over the classes tried, and who found it."""
        classes = [wanted] if wanted is not None else self._classes(decided)
        found: list[tuple[tuple[float, float], Array]] = []
        for each in classes:
            goal = self._goal(each)
            x = self._halved(goal)
            if x is not None:
                found.append((goal.size(x - self.domain.x, self.options.minimise), x))
            if monotonic() >= self.deadline:
                break
        if found:
            by = "halving" if self._halves else "direct"
            return min(found, key=lambda pair: pair[0])[1], by
        if self.options.fallback and monotonic() < self.deadline:
            for each in classes:
                x = self._direct(self._goal(each), each)
                if x is not None:
                    return x, "direct"
        return None, ""

    def _goal(self, each: int) -> Target:
        margin = self.options.margin
        condition = beats(each, self.network.outputs, self.rule, margin)
        return Target(self.network, condition, self.domain)

    def _classes(self, decided: int) -> list[int]:
        """The other classes, the nearest by the derivative at the image first."""
        form, domain = self.network.standard_form, self.domain
        sizes = {}
        for each in range(self.network.outputs):
            if each == decided:
                continue
            matrix, rhs = derivative(form, domain.x, self._goal(each).condition)
            rows = Rows.scaled(matrix, rhs, domain.lower - domain.x, domain.upper - domain.x)
            change = min_l1(rows, np.ones(domain.x.size), self.deadline)
            sizes[each] = inf if change is None else float(np.abs(change).sum())
        return sorted(sizes, key=lambda each: (sizes[each], each))[: self.options.targets]

    def _halved(self, goal: Target) -> Array | None:
        """By halving and realising; every attempt until one gives an input."""
        if not self._halves:
            return self._one_layer(goal)
        halving = Halving(self.network, self.domain.x, goal.condition, self.options, self.deadline)
        for patch in halving.attempts():
            self.stages += halving.stages
            halving.stages.clear()
            x = self._realised(goal, patch)
            if x is not None:
                return self._shrunk(goal, x)
        self.stages += halving.stages
        return None

    @property
    def _halves(self) -> bool:
        return len(self.network.affine_layers) > 1

    def _one_layer(self, goal: Target) -> Array | None:
        """Nothing to halve: the rows of the decision are realised directly."""
        started = monotonic()
        found = self._realising(self.network.standard_form, goal, goal.condition)
        note = "the network has one layer, so there is nothing to halve"
        self._stage("direct", started, found[0], "; ".join(filter(None, (note, found[1]))))
        return None if found[0] is None else self._shrunk(goal, found[0])

    def _realised(self, goal: Target, patch: FirstLayerPatch) -> Array | None:
        """The input that does what the patch does, or the nearest to it that does."""
        started = monotonic()
        assert patch.condition is not None
        front = head(self.network, patch.layer)
        found, note = self._realising(front, goal, patch.condition)
        self._stage("realise", started, found, note)
        return found

    def _realising(
        self, front: StandardForm, goal: Target, condition: OutputCondition
    ) -> tuple[Array | None, str]:
        options, form = self.options, self.network.standard_form
        shrinks = options.shrink and self._halves  # then any input will do
        x, met = realised(
            front,
            condition,
            self.domain,
            None if shrinks else options.minimise,
            options.exact or None,
            options.backend,
            self.deadline,
        )
        note = "" if met else "property out of reach in the box: the nearest values"
        found = self._replayed(goal, x)
        if found is None:
            trust = TRUST * float(self.domain.extent.max(initial=0.0))
            lower, upper = self.domain.lower, self.domain.upper
            x = trust_region_lp(form, goal.condition, x, lower, upper, trust, self.deadline)
            found = self._replayed(goal, x)
            note = "; ".join(filter(None, (note, "then towards the decision")))
        return found, note

    def _shrunk(self, goal: Target, x: Array) -> Array:
        if not self.options.shrink:
            return x
        started = monotonic()
        options = self.options
        smaller = shrunk(goal, x, options.minimise, self.deadline, options.exact)
        # A change added to the image again is rounded: what is returned has to replay as it is.
        again = self._replayed(goal, smaller)
        self._stage("shrink", started, again, "" if again is not None else "did not replay")
        return x if again is None else again

    def _replayed(self, goal: Target, x: Array) -> Array | None:
        witness = goal.replay(Norm.L1)(x)
        return None if witness is None else witness.input.astype(np.float64).reshape(-1)

    def _direct(self, goal: Target, each: int) -> Array | None:
        """Gradients towards the class, whatever the layers are."""
        started = monotonic()
        norm = Norm.LINF if self.options.minimise == "linf" else Norm.L1
        ball = goal.ball(norm)
        objective = Objective.towards([each], argmin=self.rule is Rule.ARGMIN)
        problem = Problem.of_ball(
            self.network.standard_form, ball.with_radius(ball.covering_radius), objective,
            self.network.input_dtype, self.options.margin,
        )  # fmt: skip
        seconds = self.deadline - started
        result = nearest(problem, steps=DIRECT_STEPS, seconds=seconds, seed=self.options.seed)
        found = None
        if result.success[0]:
            found = self._replayed(goal, result.inputs[0].astype(np.float64))
        self._stage("direct", started, found, "" if found is not None else "nothing found")
        return None if found is None else self._shrunk(goal, found)

    def _stage(self, kind: StageKind, started: float, x: Array | None, note: str) -> None:
        minimise: Minimise = self.options.minimise
        size, count = inf, 0
        if x is not None:
            change = x - self.domain.x
            count = int(np.count_nonzero(change))
            sizes = {
                "l0": float(count),
                "l1": Norm.L1.distance(change),
                "linf": Norm.LINF.distance(change),
            }
            size = sizes[minimise]
        seconds = monotonic() - started
        self.stages.append(Stage(0, kind, 0.0, size, minimise, seconds, count, note))


def _check_target(target: int, decided: int, network: Network) -> None:
    check_class("target", target, network.outputs)
    if target == decided:
        raise InputError(f"the image is decided as {target} already; choose another target")


def _domain(
    network: Network,
    image: ArrayLike,
    box: tuple[ArrayLike, ArrayLike] | None,
    max_pixel: float,
) -> InputBox:
    """The image and where it may go, as numbers of the network's input type."""
    ball, _ = ball_of(network, image, Norm.LINF, box, None)
    return InputBox.within(ball.centre, ball.lower, ball.upper, max_pixel)
