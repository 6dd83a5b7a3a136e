"""Layer halving: from a patch of the middle layer to one of the first (ARCHITECTURE: 6.7).

The least patch of the middle layer that changes the decision sets the values that the layer must
give; they are the property of the first half, whose middle layer is patched next, and so on.
Every stage is a least-change question about what follows the layer, asked by neuron
(ARCHITECTURE: 2).

Source: Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching",
algorithm 1. Erratum: with l edge layers the loop patches layer p = ceil(l / 2), then goes on with
l = p. As printed it goes on with l = p + 1, and never ends once l is 3 (p = 2, l = 3, ...).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import head_network, tail, tail_network
from marapatch.network.graph import Network, PatchableLayer
from marapatch.network.layers import Array
from marapatch.patch_attacks.options import PatchAttackOptions, Stage, StageKind
from marapatch.patch_attacks.phases import Samples
from marapatch.patch_attacks.preimage import Relaxing, equalities, relaxed
from marapatch.patch_attacks.stage import (
    PROPERTY_TOLERANCE,
    STAGE_SECONDS,
    Outcome,
    StageSearch,
    formulate,
)
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm


@dataclass(frozen=True, eq=False)
class FirstLayerPatch:
    """A patch of the first layer (of the first fully connected one behind convolutions).

    ``layer``: which. ``values``: the pre-activations that it gives on the image, (outputs,); None
    where no stage got so far. ``condition``: rows over such values under which the network
    decides as wanted; ``values`` meet it, and it asks less than equality. ``delta``: the least
    change of the layer's weights that gives the values, in the norm of the patches. ``stages``:
    how it was found; ``reason``: why it was not.
    """

    layer: int
    values: Array | None
    condition: OutputCondition | None
    delta: Array | None
    stages: tuple[Stage, ...]
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether there is one."""
        return self.values is not None


def published(count: int) -> tuple[int, ...]:
    """The edge layers, counted from 1, that are patched one after the other in a network of
    ``count``: ``p = ceil(l / 2)``, then ``l = p`` (erratum: see the module), down to 1."""
    layers = [ceil(count / 2)]
    while layers[-1] > 1:
        layers.append(ceil(layers[-1] / 2))
    return tuple(layers)


def dense_layers(network: Network) -> tuple[PatchableLayer, ...]:
    """The layers that halving patches: from the first fully connected one that no convolution
    follows. InputError where there is none."""
    layers = network.affine_layers
    first = len(layers)
    while first > 0 and _dense(network, layers[first - 1]):
        first -= 1
    if first == len(layers):
        raise InputError("the network has no fully connected layer to patch after its convolutions")
    return layers[first:]


def _dense(network: Network, layer: PatchableLayer) -> bool:
    return layer.weights == layer.inputs * layer.outputs


def find_first_layer_patch(
    network: Network,
    image: ArrayLike,
    condition: OutputCondition,
    options: PatchAttackOptions | None = None,
    *,
    deadline: float = inf,
) -> FirstLayerPatch:
    """Halve the network until the patch is in its first layer; all stages are in the result.

    ``condition``: on the outputs. A stage that finds nothing proves nothing: the next-best value
    (that of the other norm) is tried, then another layer to split at, then the property as
    equalities relaxed by marks; each attempt's stages are kept. ``deadline``: a
    :func:`time.monotonic` time. Source and erratum: see the module. Raises :class:`InputError`
    where there is not one input or no fully connected layer.
    """
    halving = Halving(network, image, condition, options or PatchAttackOptions(), deadline)
    for found in halving.attempts():
        return found
    return halving.failed()


class Halving:
    """One search for patches of the first layer; ``stages`` grows as it goes."""

    def __init__(
        self,
        network: Network,
        image: ArrayLike,
        condition: OutputCondition,
        options: PatchAttackOptions,
        deadline: float = inf,
    ) -> None:
        flat = network.flatten(image)
        if flat.shape[0] != 1:
            raise InputError(f"one input is needed, {flat.shape[0]} were given")
        self.network, self.condition = network, condition
        self.options, self.deadline = options, deadline
        self.stages: list[Stage] = []
        self.layers = dense_layers(network)
        self.values = network.values(flat)
        samples = None
        if options.phases == "linear" and options.samples is not None:
            samples = Samples.of(network, options.samples, condition)
        self.search = StageSearch(options, deadline, samples)

    def attempts(self) -> Iterator[FirstLayerPatch]:
        """Patches of the first layer, each found in another way; fails are stages only."""
        first = Norm(self.options.patch_norm)
        other = Norm.L1 if first is Norm.LINF else Norm.LINF
        count = len(self.layers)
        middle = ceil(count / 2)
        splits = [*range(middle - 1, 0, -1), *range(middle + 1, count)]
        ways = [(middle, first, relaxed), (middle, other, relaxed)]
        ways += [(split, first, relaxed) for split in splits]
        ways += [(middle, first, equalities)]
        for split, norm, rule in ways:
            if monotonic() >= self.deadline:
                return
            found = self._halve(split, norm, rule)
            if found is not None:
                yield found

    def failed(self) -> FirstLayerPatch:
        """What is known where no attempt succeeded."""
        reason = self.stages[-1].note if self.stages else "out of time"
        return FirstLayerPatch(self.layers[0].number, None, None, None, tuple(self.stages), reason)

    def _halve(self, split: int, norm: Norm, relax: Relaxing) -> FirstLayerPatch | None:
        """The published loop, with ``split`` in the place of its first p."""
        part, condition = self.network, self.condition
        kind: StageKind = "middle patch"
        for p in (split, *(() if split == 1 else published(split))):
            layer = self.layers[p - 1]
            try:
                form = tail_network(part, layer.node).standard_form
            except InputError as error:  # something bypasses the layer
                size = norm.value
                self.stages.append(Stage(layer.number, kind, 0.0, inf, size, 0.0, 0, str(error)))
                break
            found = self._stage(form, layer, condition, norm, kind)
            if found is None:
                break
            values = found.values
            condition = relax(found.form, values, found.condition)
            if p == 1:
                delta = self._delta(layer, values, norm)
                stages = tuple(self.stages)
                return FirstLayerPatch(layer.number, values, condition, delta, stages)
            part, kind = head_network(self.network, layer.node), "halved patch"
        return None

    def _stage(
        self,
        form: StandardForm,
        layer: PatchableLayer,
        condition: OutputCondition,
        norm: Norm,
        kind: StageKind,
    ) -> _Found | None:
        """The values that the least patch of ``layer`` gives; ``form`` follows the layer."""
        started = monotonic()
        before = self.values[layer.node][0]
        scale = self._scale(layer, norm)
        first = kind == "middle patch"
        question = formulate(
            form, before, scale, condition, norm, 0.0 if first else PROPERTY_TOLERANCE
        )
        widest, whole = question, form
        if not first:
            whole = tail(self.network, layer.number)
            widest = formulate(whole, before, scale, self.condition, norm, 0.0)
        if scale == 0.0:
            found = Outcome(Bracket(), "nothing enters the layer on this image")
        elif condition.worst(form.evaluate(before[None]))[0] > 0.0:
            met = question.replay(np.zeros(before.size))
            found = Outcome(Bracket(witness=met), "met without a patch")
        elif self.options.phases != "free":
            found = self.search.affine(question, widest, form, whole, layer.node)
        elif self.options.backend != "highs":
            found = self.search.asked(question, widest)
        else:
            end = min(self.deadline, started + STAGE_SECONDS)
            found = self.search.searched(question, widest, end)
        bracket, note = found.bracket, found.note
        seconds, size = monotonic() - started, norm.value
        if bracket.witness is None:
            self.stages.append(
                Stage(layer.number, kind, bracket.lower, inf, size, seconds, 0, note)
            )
            return None
        moved = bracket.witness.input.astype(np.float64)
        weights = int(np.count_nonzero(moved)) * self._touched(layer, norm)
        self.stages.append(
            Stage(
                layer.number, kind, bracket.lower, bracket.upper, size, seconds, weights, found.note
            )
        )
        values = before + scale * moved
        if found.relaxed:
            return _Found(values, whole, self.condition)
        return _Found(values, form, condition)

    def _entering(self, layer: PatchableLayer) -> Array:
        (before,) = self.network.predecessors(layer.node)
        return np.asarray(self.values[before][0])

    def _scale(self, layer: PatchableLayer, norm: Norm) -> float:
        """By how much a pre-activation moves for a patch of size 1 of its weights."""
        return float(norm.dual(self._entering(layer)))

    def _touched(self, layer: PatchableLayer, norm: Norm) -> int:
        """How many weights of a neuron a patch changes."""
        return int(np.count_nonzero(norm.attaining(self._entering(layer))))

    def _delta(self, layer: PatchableLayer, values: Array, norm: Norm) -> Array:
        """The least change of the weights that gives ``values`` (ARCHITECTURE: 2)."""
        h = self._entering(layer)
        share = (values - self.values[layer.node][0]) / self._scale(layer, norm)
        return np.outer(share, norm.attaining(h))


@dataclass(frozen=True, eq=False)
class _Found:
    """Values of a layer under which ``form``, what follows it, meets ``condition``."""

    values: Array
    form: StandardForm
    condition: OutputCondition
