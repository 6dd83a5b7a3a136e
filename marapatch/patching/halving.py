"""Layer halving: from a patch of the middle layer to one of the first (DESIGN: 6.7).

The least patch of the middle layer that changes the decision sets the values that the layer must
give; they are the property of the first half, whose middle layer is patched next, and so on.
Every stage is a least-change question about what follows the layer, asked by neuron (DESIGN: 2).

Source: Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net Patching",
algorithm 1. Erratum: with l edge layers the loop patches layer p = ceil(l / 2), then goes on with
l = p. As printed it goes on with l = p + 1, and never ends once l is 3 (p = 2, l = 3, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, inf
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.attacks.polish import polish
from marapatch.backends import create
from marapatch.ball import Ball, Norm
from marapatch.bracket import Bracket
from marapatch.errors import InputError
from marapatch.network.cut import head_network, tail, tail_network
from marapatch.network.layers import Array
from marapatch.network.network import Network, PatchableLayer
from marapatch.network.standard_form import StandardForm
from marapatch.patching.approaching import approach, nearer
from marapatch.patching.attack_options import PatchAttackOptions, Stage, StageKind
from marapatch.patching.forms import Start, after
from marapatch.patching.last_layer import last_layer
from marapatch.patching.marking import layer_signs, marked
from marapatch.patching.phases import Samples, fixed_patch, linear_patch
from marapatch.patching.starting import estimate, first_witness
from marapatch.properties import OutputCondition
from marapatch.question import Question
from marapatch.regions import region_of
from marapatch.search import SEARCHES
from marapatch.search.options import SearchOptions
from marapatch.verdict import Witness

STAGE_SECONDS = 2.0
"""For the first witness of a stage and its polish, at most."""

UNHURRIED = 60.0
"""Seconds a stage where queries alone decide and no time limit was given."""

FURTHER = (1.0, 1.02, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0)
"""How much farther in the direction of the nearest values a witness is looked for."""

MISSED = 1e-7
"""By how much, relatively, rows of a property half way may be missed: it is a means, and what
comes out at the end is replayed."""

GUIDING = 5
"""Linear programs towards a property that may be out of reach."""

RELAXED = "property out of reach: relaxed to the decision, from the nearest values"

GROWTHS = 8
"""How often the radius that a backend is asked about grows."""

TOLERANCE = 1e-3
"""At which a bracket counts as closed, relative to its upper end."""


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
        self.samples: Samples | None = None
        if options.phases == "linear" and options.samples is not None:
            self.samples = Samples.of(network, options.samples, condition)

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
        question = self._question(form, before, scale, condition, norm, 0.0 if first else MISSED)
        widest, whole = question, form
        if not first:
            whole = tail(self.network, layer.number)
            widest = self._question(whole, before, scale, self.condition, norm, 0.0)
        if scale == 0.0:
            found = _Outcome(Bracket(), "nothing enters the layer on this image")
        elif condition.worst(form.evaluate(before[None]))[0] > 0.0:
            met = question.replay(np.zeros(before.size))
            found = _Outcome(Bracket(witness=met), "met without a patch")
        elif self.options.phases != "free":
            found = self._affine(question, widest, form, whole, layer)
        elif self.options.backend != "highs":
            found = self._asked(question, widest)
        else:
            end = min(self.deadline, started + STAGE_SECONDS)
            found = self._searched(question, widest, end)
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

    def _question(
        self,
        form: StandardForm,
        before: Array,
        scale: float,
        condition: OutputCondition,
        norm: Norm,
        missed: float,
    ) -> Question:
        """Over the change of each neuron, in units of the patch's norm; marks cut the box."""
        size = before.size
        start = Start(
            before,
            np.zeros(size),
            sp.csr_array(scale * sp.eye_array(size)),
            sp.csr_array((size, size)),
        )
        moved = after(form, start)
        wide = np.full(size, inf)
        ball = Ball(np.zeros(size), -wide, wide, norm, inf)
        ball = marked(moved, condition, ball)
        return Question(moved, ball, condition, _Judge(moved, ball, condition, missed))

    def _affine(
        self,
        question: Question,
        widest: Question,
        form: StandardForm,
        whole: StandardForm,
        layer: PatchableLayer,
    ) -> _Outcome:
        """With phases fixed, or replaced by lines: of the property, else of the decision."""
        tries = [(question, form)] if widest is question else [(question, form), (widest, whole)]
        bracket, note = Bracket(), ""
        for asked, behind in tries:
            if self.samples is None:
                bracket, note = fixed_patch(asked)
            else:
                z = behind.pre_activations(self.samples.at(layer.node))[0]
                bracket, note = linear_patch(asked, z)
            if bracket.witness is not None:
                relaxed = asked is not question
                return _Outcome(bracket, _joined(RELAXED if relaxed else "", note), relaxed)
        return _Outcome(bracket, note)

    def _searched(self, question: Question, widest: Question, end: float) -> _Outcome:
        """A first witness, made nearer; the lower end raised for as long as the options say.

        ``widest``: the same patch, of which no more is asked than that the network decides as
        wanted. It is asked where the property itself cannot be reached, from the nearest values.
        """
        form, relaxed = question.form, False
        if not form.hidden:
            bracket = last_layer(question, Bracket(), SearchOptions(), _silent).bracket
            if bracket.witness is not None or widest is question:
                note = "" if bracket.witness else "the linear program has no solution"
                return _Outcome(bracket, note)
        reach = estimate(question)
        reach = reach if 0.0 < reach < inf else 1.0
        ball, zero = question.ball, np.zeros(form.inputs)
        steps = len(FURTHER) if widest is question else GUIDING
        nearest = approach(
            form, question.condition, zero, ball.lower, ball.upper, reach, end, steps
        )
        witness = question.replay(nearest)
        if witness is None and widest is not question:
            question, relaxed = widest, True
            tries = (question.replay(factor * nearest) for factor in FURTHER)
            witness = next((found for found in tries if found is not None), None)
        witness = witness or first_witness(question, end, self.options.seed)
        if witness is None:
            return _Outcome(Bracket(), "no patch found: no gradient or phase leads to one")
        note = RELAXED if relaxed else ""
        if self.options.prove == 0.0 or not question.form.hidden:
            return _Outcome(Bracket(witness=nearer(question, witness)), note, relaxed)
        bracket = Bracket(witness=polish(question, witness, end))
        bracket = self._search("tree", question, bracket, self.options.prove)
        return _Outcome(bracket, note, relaxed)

    def _asked(self, question: Question, widest: Question) -> _Outcome:
        """By queries to the backend alone: of the property, else of the decision."""
        found = self._growing(question)
        if found.witness is None and widest is not question:
            decision = self._growing(widest)
            if decision.witness is not None:
                return _Outcome(decision, RELAXED, relaxed=True)
        return _Outcome(found, "" if found.witness else f"{self.options.backend} found no patch")

    def _growing(self, question: Question) -> Bracket:
        """Ask within a radius that grows until there is a witness."""
        radius = 1.1 * estimate(question)
        radius = radius if 0.0 < radius < inf else 1.0
        left = self.deadline - monotonic()
        seconds = UNHURRIED if left == inf else max(left / 4.0, 1e-3)
        until = monotonic() + seconds
        bracket = Bracket()
        for _ in range(GROWTHS):
            asked = replace(question, ball=question.ball.at(radius))
            bracket = self._search("bisection", asked, bracket, max(until - monotonic(), 1e-3))
            if bracket.witness is not None or monotonic() >= until:
                break
            radius *= 4.0
        return bracket

    def _search(self, name: str, question: Question, start: Bracket, seconds: float) -> Bracket:
        ceiling = min(start.upper, question.ball.radius)
        tolerance = TOLERANCE * ceiling if name == "tree" else 0.05 * ceiling
        backend = create("marabou" if self.options.backend == "highs" else self.options.backend)
        try:
            ball = question.ball.at(ceiling)
            options = SearchOptions(tolerance=tolerance, timeout=seconds, bounds=name == "tree")
            outcome = SEARCHES[name](replace(question, ball=ball), start, backend, options, _silent)
        finally:
            backend.close()
        return outcome.bracket

    def _entering(self, layer: PatchableLayer) -> Array:
        (before,) = self.network.predecessors(layer.node)
        return np.asarray(self.values[before][0])

    def _scale(self, layer: PatchableLayer, norm: Norm) -> float:
        """By how much a pre-activation moves for a patch of size 1 of its weights."""
        h = np.abs(self._entering(layer))
        return float(h.sum() if norm is Norm.LINF else h.max(initial=0.0))

    def _touched(self, layer: PatchableLayer, norm: Norm) -> int:
        """How many weights of a neuron a patch changes."""
        return int(np.count_nonzero(self._entering(layer))) if norm is Norm.LINF else 1

    def _delta(self, layer: PatchableLayer, values: Array, norm: Norm) -> Array:
        """The least change of the weights that gives ``values`` (DESIGN: 2)."""
        h = self._entering(layer)
        share = (values - self.values[layer.node][0]) / self._scale(layer, norm)
        if norm is Norm.LINF:
            return np.outer(share, np.sign(h))
        delta = np.zeros((share.size, h.size))
        best = int(np.abs(h).argmax())
        delta[:, best] = share * np.sign(h[best])
        return delta


Relaxing = Callable[[StandardForm, Array, OutputCondition], OutputCondition]
"""From values of a layer, and what follows it, to the property of the part before it."""


def relaxed(form: StandardForm, values: Array, condition: OutputCondition) -> OutputCondition:
    """The linear region of ``form`` around ``values``, as rows over its input; sound.

    Every input that meets the rows meets ``condition``. A neuron all of whose paths to the
    condition rise needs no row for its phase: ``relu(z) >= z`` and ``relu(z) >= 0`` err on the
    right side, whatever the phase (marks, DESIGN: 6.6).
    """
    pattern = tuple(z[0] > 0.0 for z in form.pre_activations(values[None])[0])
    marks = layer_signs(form, condition)[1:-1]
    rows = tuple(down | ~up for up, down in marks)
    rows = tuple(r & (up | down) for r, (up, down) in zip(rows, marks, strict=True))
    here = region_of(form, np.zeros(values.size), condition, pattern, rows)
    return OutputCondition(here.matrix, here.rhs)


def equalities(form: StandardForm, values: Array, condition: OutputCondition) -> OutputCondition:
    """``z = values``, relaxed where that is sound: ``>=`` where all paths to the condition rise,
    ``<=`` where all fall, nothing where there is none, and ``<= 0`` where a ReLU blocks it."""
    up, down = layer_signs(form, condition)[0]
    blocked = (values <= 0.0) & _rectified(form)
    eye = np.eye(values.size)
    at_least, at_most = up & ~blocked, down
    if not (at_least | at_most).any():
        return OutputCondition(np.zeros((1, values.size)), np.array([-1.0]))  # always met
    limit = np.where(blocked, 0.0, values)
    matrix = np.concatenate([eye[at_least], -eye[at_most]])
    return OutputCondition(matrix, np.concatenate([values[at_least], -limit[at_most]]))


def _rectified(form: StandardForm) -> NDArray[np.bool_]:
    """Which inputs of ``form`` go into a ReLU as they are, and nowhere else."""
    alone = form.hidden and all(0 not in m.sources for m in (*form.hidden[1:], form.output))
    if not alone or form.hidden[0].bias.any() or form.hidden[0].outputs != form.inputs:
        return np.zeros(form.inputs, dtype=bool)
    weight = sp.csr_array(form.hidden[0].weights[0])
    same = abs(weight - sp.eye_array(form.inputs)).sum() == 0.0
    return np.full(form.inputs, same)


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What a stage found; ``relaxed``: it is of the decision, the property being out of reach."""

    bracket: Bracket
    note: str = ""
    relaxed: bool = False


@dataclass(frozen=True, eq=False)
class _Found:
    """Values of a layer under which ``form``, what follows it, meets ``condition``."""

    values: Array
    form: StandardForm
    condition: OutputCondition


@dataclass(frozen=True, eq=False)
class _Judge:
    """Believes a change of pre-activations where the form meets the condition strictly there;
    or, of a property half way, misses its rows by no more than ``missed``, relatively."""

    form: StandardForm
    ball: Ball
    condition: OutputCondition
    missed: float

    def __call__(self, claimed: Array) -> Witness | None:
        if not np.isfinite(claimed).all():
            return None
        inside = np.clip(claimed, self.ball.lower, self.ball.upper)
        for enlarged in (1.0, 1.0 + 1e-9, 1.0 + 1e-7, 1.0 + 1e-5):
            vector = enlarged * inside
            outputs = self.form.evaluate(vector[None])
            size = np.abs(self.condition.matrix) @ np.abs(outputs[0]) + np.abs(self.condition.rhs)
            slack = self.condition.slack(outputs)[0] + self.missed * size
            if slack.min() > 0.0:
                distance = self.ball.norm.distance(vector)
                return Witness(vector, distance, float(slack.min()), outputs[0], None)
        return None


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _silent(_bracket: Bracket, _queries: int) -> None:
    """Nobody listens."""
