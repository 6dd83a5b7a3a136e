"""An adversarial input made nearer: fewer entries, a smaller sum, or a smaller largest entry.

With the activation pattern of what is known the nearest input is a linear program; its pattern is
the next one, until nothing more is gained. Every step is replayed on the network.

Shapes: I inputs, R rows, E entries that a change moves; inputs and changes (I,), linearised rows
(R, I), the questions over changed entries alone (E,).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp

from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.patch_attacks.options import Minimise
from marapatch.patch_attacks.realise import DAMPING, MARGIN, InputBox
from marapatch.patch_attacks.sparsify import fewer
from marapatch.patching.tail import Start, compose
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.problem.replay import Replay
from marapatch.problem.verdict import Replayed
from marapatch.witnesses.first_witness import shrink
from marapatch.witnesses.linear_region import region_of
from marapatch.witnesses.polish import polish
from marapatch.witnesses.restriction import RestrictedPoint, lifted
from marapatch.witnesses.row_lp import Rows, min_l0, min_l1, min_linf
from marapatch.witnesses.trust_region_lp import derivative, nearer

DERIVATIVE_STEPS = 12
"""Linear programs at derivatives."""

BEYOND_OPTIMUM = (1.0, 1.05, 1.15, 1.4)
"""How far beyond a linear program's optimum its direction is followed."""

REGIONS = 4
GAIN = 1e-4
"""How many linear regions are gone through, while each makes the change so much smaller."""

POLISHED = 5_000
"""Entries times ReLUs up to which the regions across every costly facet are looked at too."""

UNCHANGED = 1e-9
"""An entry that a linear program changes by less is left as it is."""


@dataclass(frozen=True, eq=False)
class Target:
    """One condition and one image: where the input may go, and what replays a claim."""

    network: Network
    condition: OutputCondition
    domain: InputBox

    def replay(self, norm: Norm) -> Replay:
        """What replays claims, measuring in ``norm``."""
        return Replay(self.network, self.ball(norm), self.condition)

    def ball(self, norm: Norm) -> Ball:
        """The whole box around the image."""
        return Ball(self.domain.x, self.domain.lower, self.domain.upper, norm, inf)

    def size(self, change: Array, minimise: Minimise) -> tuple[float, float]:
        """What is made small, and what decides between equals: their sum."""
        total = float(np.abs(change).sum())
        if minimise == "l0":
            return float(np.count_nonzero(change)), total
        if minimise == "l1":
            return total, 0.0
        return float(np.abs(change).max(initial=0.0)), total


def shrunk(
    target: Target, x: Array, minimise: Minimise, deadline: float, exact: float = 0.0
) -> Array:
    """An input that meets the condition, no larger a change than ``x`` and as small as found.

    ``x``: (inputs,), meets the condition. Of ``l0``: the fewest entries found, then the least sum
    over these entries; ``exact``: seconds for the fewest in the last linear region (MILP).
    """
    change = _followed(target, x - target.domain.x, minimise, deadline)
    if minimise == "l0":
        form = target.network.standard_form
        found = fewer(form, target.condition, target.domain, change, deadline)
        change = _replayed(target, found, change, minimise)
        if exact > 0.0:
            change = _min_l0(target, change, min(exact, deadline - monotonic()))
        return target.domain.x + _settled(target, change, Norm.L1, deadline, once=True)
    norm = Norm.L1 if minimise == "l1" else Norm.LINF
    if norm is Norm.L1:  # few entries that go far are a small sum too, and a better start
        few = fewer(target.network.standard_form, target.condition, target.domain, change, deadline)
        change = _replayed(target, few, change, minimise)
        change = _followed(target, change, minimise, deadline)
    return target.domain.x + _settled(target, change, norm, deadline)


def _replayed(target: Target, claimed: Array, known: Array, minimise: Minimise) -> Array:
    """The claimed change as it replays, if it does and is smaller; else the known one."""
    witness = target.replay(Norm.L1)(target.domain.x + claimed)
    if witness is None:
        return known
    # Replaying rounds to the file's type and into the box: what is compared is the change of the
    # vector that was judged, and not the one that was claimed.
    change = witness.input.astype(np.float64).reshape(-1) - target.domain.x
    return change if target.size(change, minimise) < target.size(known, minimise) else known


def _followed(target: Target, change: Array, minimise: Minimise, deadline: float) -> Array:
    """Linear programs at the derivative of what is known, while they lead to something smaller."""
    form, domain = target.network.standard_form, target.domain
    here, extent = change, np.maximum(domain.extent, 1e-3)
    for _ in range(DERIVATIVE_STEPS):
        if monotonic() >= deadline:
            break
        matrix, rhs = derivative(form, domain.x + here, target.condition)
        # The derivative's rows are about steps from here. With ``matrix @ here`` added they are
        # about the whole change of the image, whose size is to be least.
        rows = Rows.scaled(
            matrix, rhs + matrix @ here, domain.lower - domain.x, domain.upper - domain.x
        )
        weights = np.ones(domain.x.size)
        if minimise == "l0":
            # An entry that changes much already costs little, so that the weighted sum comes near a
            # count (see REWEIGHTED in realise.py). Of no change DAMPING keeps the weight finite.
            weights = 1.0 / ((np.abs(here) / extent + DAMPING) * extent)
        found = min_linf(rows) if minimise == "linf" else min_l1(rows, weights, deadline)
        if found is None:
            break
        before = change
        # The optimum meets the linearised rows with equality, and the network may fall short of its
        # derivative there: a little farther along the same direction it may not.
        for factor in BEYOND_OPTIMUM:
            claimed = np.clip(factor * found, domain.lower - domain.x, domain.upper - domain.x)
            change = _replayed(
                target, np.where(np.abs(claimed) > UNCHANGED, claimed, 0.0), change, minimise
            )
            # Identity tells: ``_replayed`` gives back the very array that is known where a claim
            # does not replay or is no smaller.
            if change is not before:
                break
        if change is before:
            break
        here = change
    return change


def _min_l0(target: Target, change: Array, seconds: float) -> Array:
    """The fewest entries in the linear region of what is known, if that is fewer."""
    form, domain = target.network.standard_form, target.domain
    pattern = tuple(z[0] > 0.0 for z in form.pre_activations((domain.x + change)[None])[0])
    everywhere = tuple(np.ones(p.size, dtype=bool) for p in pattern)
    here = region_of(form, domain.x, target.condition, pattern, everywhere)
    rows = Rows.scaled(here.matrix, here.rhs, domain.lower - domain.x, domain.upper - domain.x)
    # Only rows of the condition are exceeded: on a facet both phases give the same outputs, and
    # room for the phases would only cost entries.
    decides = np.array([layer < 0 for layer, _ in here.neuron])
    rows = replace(rows, rhs=rows.rhs + np.where(decides, MARGIN, 0.0))
    found, _ = min_l0(rows, max(seconds, 1e-3))
    return change if found is None else _replayed(target, found, change, "l0")


def _settled(
    target: Target, change: Array, norm: Norm, deadline: float, *, once: bool = False
) -> Array:
    """The nearest change over the same entries, by regions: :mod:`marapatch.witnesses.polish`.

    ``once``: in the region that it is in.
    """
    domain = target.domain
    entries = np.flatnonzero(change)
    if norm is Norm.LINF:
        # Of the largest entry nothing is gained by leaving others at 0: all that can move share it.
        entries = np.flatnonzero(domain.lower < domain.upper)
    if not entries.size:
        return change
    size = domain.x.size
    # A selection of entries: the form over these alone, the rest of the image being part of its
    # biases.
    picked = sp.csr_array(
        (np.ones(entries.size), (entries, np.arange(entries.size))), shape=(size, entries.size)
    )
    start = Start(domain.x, np.zeros(size), picked, sp.csr_array(picked.shape))
    form = compose(target.network.standard_form, start)
    lower, upper = (domain.lower - domain.x)[entries], (domain.upper - domain.x)[entries]
    ball = Ball(np.zeros(entries.size), np.minimum(lower, 0.0), np.maximum(upper, 0.0), norm, inf)
    ball = ball.with_radius(ball.covering_radius)
    replayed = target.replay(norm)

    def replay(claimed: Array) -> Replayed | None:
        found = replayed(domain.x + lifted(claimed, entries, size))
        if found is None:
            return None
        # Distances and margins are those of the whole input, as it was replayed; only the entries
        # that may move are handed to the search.
        moved = found.input.astype(np.float64).reshape(-1) - domain.x
        return RestrictedPoint(moved[entries], found)

    question = Question(form, ball, target.condition, replay)
    witness = replay(change[entries])
    if witness is None:
        return change
    if norm is Norm.LINF:
        witness = shrink(question, witness, deadline)
    better = nearer(question, witness)
    for _ in range(0 if once else REGIONS):
        before = better
        better = nearer(question, before) if monotonic() < deadline else before
        if better.distance >= before.distance * (1.0 - GAIN):
            break
    if not once and entries.size * sum(form.sizes[1:]) <= POLISHED:
        better = polish(question, better, deadline)
    # Both are rounded up in the same way, so that what rounds to the same size is no gain.
    if better.distance >= norm.distance(change):
        return change
    return lifted(better.input, entries, size)
