"""The phases behind a patch: left free by the search, fixed to those of the image, or replaced
by lines learnt from samples.

``fixed`` and ``linear`` make the tail affine, so that a stage is one linear program; what it
proposes is replayed on the tail as it is. Sources: Khan, Madhukar, Sharma, "Efficient Adversarial
Input Generation via Neural Net Patching" (fixed phases, and linear approximations as its last
section); Paulsen, Wang, "Example Guided Synthesis of Linear Approximations for Neural Network
Verification", for lines fitted to samples.

Shapes: S samples, J neurons of a ReLU layer; its pre-activations at them (S, J), slopes and offsets
of its lines (J,). The change is of the pre-activations of the patched layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.witnesses.first_witness import estimate
from marapatch.witnesses.linear_region import Nearest, Region, nearest_in_region, region_of

FEWEST_SAMPLES = 10
"""With fewer samples that meet the condition, lines are fitted to all of them."""

FACTORS_TRIED = (1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
"""A change made for the lines is tried larger too on the network as it is."""

LIMITS = (1e1, 1e3, 1e5)
"""How far from the first-order estimate a linear program looks."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs from which lines are learnt: those that meet the condition, if they are enough."""

    network: Network
    inputs: Array

    @staticmethod
    def of(network: Network, samples: ArrayLike, condition: OutputCondition) -> Samples:
        """Choose among ``samples`` (n inputs, in the network's shape or flat)."""
        inputs = network.flatten(samples)
        # Lines are to be right where the patch leads, so they are learnt from inputs that are
        # decided as wanted; of a handful, a line would fit by chance.
        met = condition.worst(network.evaluate(inputs)) > 0.0
        return Samples(network, inputs[met] if met.sum() >= FEWEST_SAMPLES else inputs)

    def at(self, node: str) -> Array:
        """What ``node`` takes at the samples."""
        return self.network.values(self.inputs)[node]


def fixed_patch(question: Question) -> tuple[Bracket, str]:
    """The least change with every phase as it is at the centre: one linear program.

    Phases are enforced; where no change keeps them they are only assumed, as published, and what
    comes out counts where it holds on the ReLUs themselves. The lower end is 0: a change that
    lets phases go may be smaller.
    """
    form, centre = question.form, question.ball.centre
    pattern = tuple(z[0] > 0.0 for z in form.pre_activations(centre[None])[0])
    everywhere = tuple(np.ones(p.size, dtype=bool) for p in pattern)
    here = region_of(form, centre, question.condition, pattern, everywhere)
    nearest = _nearest(question, here)
    if nearest is not None:
        witness = question.replay(centre + nearest.change)
        if witness is not None:
            return Bracket(witness=witness), ""
    # The same affine function without the rows that keep it true: it is read as the network
    # wherever the change leads, as published, and only replaying says whether it is.
    nowhere = tuple(np.zeros(p.size, dtype=bool) for p in pattern)
    here = region_of(form, centre, question.condition, pattern, nowhere)
    bracket, note = _replayed(question, here)
    if bracket.witness is None:
        return bracket, "no patch keeps the phases of the image, and none holds without them"
    return bracket, "; ".join(filter(None, ("phases assumed, not kept", note)))


def linear_patch(question: Question, z: Sequence[Array]) -> tuple[Bracket, str]:
    """The least change where every ReLU is the line fitted to its samples ``z``, replayed on the
    ReLUs themselves; enlarged where it falls short. ``z``: per ReLU layer (samples, size)."""
    return _replayed(
        question, _by_lines(question.form, question.ball.centre, question.condition, z)
    )


def _replayed(question: Question, here: Region) -> tuple[Bracket, str]:
    """The least change by rows that only approximate the network, enlarged until it holds."""
    nearest = _nearest(question, here)
    if nearest is None:
        return Bracket(), "no patch under the approximation"
    # The approximation may promise more than the network keeps. Farther along the same direction
    # rows that ask for something have more slack; the smallest factor that replays is taken.
    for factor in FACTORS_TRIED:
        witness = question.replay(question.ball.centre + factor * nearest.change)
        if witness is not None:
            return Bracket(witness=witness), f"enlarged by {factor}" if factor > 1.0 else ""
    return Bracket(), "the patch made for the approximation does not change the network"


def _nearest(question: Question, here: Region) -> Nearest | None:
    if question.ball.norm is Norm.L1:
        return nearest_in_region(question, here, np.inf)
    scale = estimate(question)
    scale = scale if 0.0 < scale < np.inf else 1.0
    # Newton's steps start at the limit, and the radius bounds every column of the program: a limit
    # of 1e5 from the start would have it compute with numbers far from the solution's.
    for limit in LIMITS:
        found = nearest_in_region(question, here, limit * scale)
        if found is not None:
            return found
    return None


def lines(z: Array) -> tuple[Array, Array]:
    """By neuron, the line ``slope * z + offset`` nearest to ``max(z, 0)`` at samples (n, size)."""
    mean = z.mean(axis=0)
    active = np.maximum(z, 0.0)
    spread = ((z - mean) ** 2).sum(axis=0)
    joint = ((z - mean) * (active - active.mean(axis=0))).sum(axis=0)
    # Least squares in closed form. A neuron with one value at all samples determines no slope: it
    # gets that of ReLU at this value, so that the line is right there.
    slope = np.where(spread > 0.0, joint / np.where(spread > 0.0, spread, 1.0), mean > 0.0)
    return slope, active.mean(axis=0) - slope * mean


def _by_lines(
    form: StandardForm, centre: Array, condition: OutputCondition, z: Sequence[Array]
) -> Region:
    """The rows of the condition alone, with a line in the place of every ReLU."""
    values = [(np.eye(form.inputs), centre)]
    for k, layer in enumerate((*form.hidden, form.output)):
        matrix, constant = np.zeros((layer.outputs, form.inputs)), np.array(layer.bias)
        for source, weight in zip(layer.sources, layer.weights, strict=True):
            matrix += weight @ values[source][0]
            constant += weight @ values[source][1]
        if k < len(form.hidden):
            # A line keeps every layer affine, and there are no phases to be kept: so no rows but
            # those of the condition.
            slope, offset = lines(z[k])
            matrix, constant = matrix * slope[:, None], constant * slope + offset
        values.append((matrix, constant))
    matrix, constant = values[-1]
    rows = tuple((-1, i) for i in range(condition.rhs.size))
    rhs = condition.rhs - condition.matrix @ constant
    return Region(condition.matrix @ matrix, rhs, rows)
