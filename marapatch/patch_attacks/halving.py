"""Layer halving: from a patch of the middle layer to one of the first (ARCHITECTURE: 6.7).

The least patch of the middle layer that changes the decision sets the values that the layer must
give; they are the property of the first half, whose middle layer is patched next, and so on.
Every stage is a least-change question about what follows the layer, asked by neuron
(ARCHITECTURE: 2).

Source: Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching",
algorithm 1. Erratum: with l edge layers the loop patches layer p = ceil(l / 2), then goes on with
l = p. As printed it goes on with l = p + 1, and never ends once l is 3 (p = 2, l = 3, ...).

Shapes: I numbers enter a layer and J leave it; its values (J,), a change of its weights (J, I), a
property of the part before the next layer (rows, J).
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
    # The least patch by neuron has its closed form for dense layers only (ARCHITECTURE: 2), and
    # halving ends at the first of its layers: so it must not cross a convolution.
    first = len(layers)
    while first > 0 and _dense(network, layers[first - 1]):
        first -= 1
    if first == len(layers):
        raise InputError("the network has no fully connected layer to patch after its convolutions")
    return layers[first:]


def _dense(network: Network, layer: PatchableLayer) -> bool:
    # One number for each pair of neurons; a convolution has fewer, since it uses them again.
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
        # The nearest to the middle first. The last layer is left out: nothing follows it, so its
        # property would be the decision again, and the next layer the middle one.
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
        # ``published(1)`` is (1,): a split at the first layer has nothing after it, and must not
        # patch the layer twice.
        for p in (split, *(() if split == 1 else published(split))):
            layer = self.layers[p - 1]
            try:
                # ``part`` ends at the layer that was patched before, whose values the property is
                # about: its tail lies between the two layers.
                form = tail_network(part, layer.node).standard_form
            except InputError as error:  # something bypasses the layer
                size = norm.value
                self.stages.append(Stage(layer.number, kind, 0.0, inf, size, 0.0, 0, str(error)))
                break
            found = self._stage(form, layer, condition, norm, kind)
            if found is None:
                break
            values = found.values
            # Rows over this layer's values under which what follows it meets its own property.
            # Where that was out of reach ``found`` holds the whole tail and the decision, so that
            # meeting the rows leads to the decision all the same.
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
        # The decision has to be met. A property half way may be missed by a little: it is a means,
        # and the input that comes of it is replayed on the network.
        question = formulate(
            form, before, scale, condition, norm, 0.0 if first else PROPERTY_TOLERANCE
        )
        # At the first stage the property is the decision: both are then one object, by which the
        # search sees that there is nothing wider to ask.
        widest, whole = question, form
        if not first:
            whole = tail(self.network, layer.number)
            widest = formulate(whole, before, scale, self.condition, norm, 0.0)
        # Zeros enter, so no change of the weights moves anything. What is found below may divide by
        # the scale.
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
        # A patch of least size changes, of each neuron that moves, the weights of all non-zero
        # sources (L-infinity) or one of them (L1).
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
        # A neuron's share of a step of norm 1 along which its sources gain most: no change of its
        # weights that moves it as far is smaller.
        h = self._entering(layer)
        share = (values - self.values[layer.node][0]) / self._scale(layer, norm)
        return np.outer(share, norm.attaining(h))


@dataclass(frozen=True, eq=False)
class _Found:
    """Values of a layer under which ``form``, what follows it, meets ``condition``."""

    values: Array
    form: StandardForm
    condition: OutputCondition
