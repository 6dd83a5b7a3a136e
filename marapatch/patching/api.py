"""The least patch of a layer: the use case, from what people give to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.graph import Network, PatchableLayer
from marapatch.network.output_transform import OutputTransform
from marapatch.patching.free_weights import free_weights
from marapatch.patching.goals import Goal, parse
from marapatch.patching.layer_patch import LayerPatch
from marapatch.patching.options import DEFAULT_MARGIN, PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.solve import Listener, PatchProgress
from marapatch.patching.tangent_rounds import least_change_by_tangents
from marapatch.patching.verify_patch import PatchVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import PROVED, Norm

__all__ = [
    "GoalLike",
    "PatchProgress",
    "least_change",
    "minimal_patch",
]

MAX_INPUTS = 1000
"""Each input has a copy of the rest of the network; memory grows with their number squared."""

GoalLike = Goal | str | int
"""A goal, or what names one: ``3``, ``"0|1"``, ``"0&1"``."""


def minimal_patch(
    network: Network,
    inputs: ArrayLike,
    goal: GoalLike | Sequence[GoalLike],
    *,
    layer: int | str = "last",
    norm: str | Norm = Norm.LINF,
    bias: bool = False,
    margin: float = DEFAULT_MARGIN,
    decision: str | Rule = Rule.ARGMAX,
    max_change: float | None = None,
    mask: ArrayLike | None = None,
    options: PatchOptions | None = None,
    progress: Listener | None = None,
    started: float | None = None,
) -> Patch:
    """The least change of one layer after which every input meets its goal: a bracket.

    ``inputs``: one input or a batch, rounded to the file's input type. ``goal``: one for all or
    one an input; see :mod:`marapatch.patching.goals` (a :class:`Goal` brings its own margin and
    decision). ``layer``: its number among ``network.affine_layers``, or ``"last"``. ``bias``:
    the layer's biases may change too. ``max_change``: by how much one number may change.
    ``mask``: True where a weight may change, in the weights' shape. ``started``: when the time of
    ``options`` began, by ``time.monotonic`` (None: now).

    A KeyboardInterrupt ends the search; what is known is returned with ``interrupted`` set.
    Raises :class:`InputError` on anything that does not fit. Source: Goldberger, Katz, Adi,
    Keshet, "Minimal Modifications of Deep Neural Networks using Verification", LPAR-23.
    """
    options, size = options or PatchOptions(), check_norm(norm)
    given = check_inputs(network, inputs)
    goals = check_goals(goal, given.shape[0], network, check_rule(decision), margin)
    found = find_layer(network, layer)
    weights = free_weights(network, found, bias=bias, max_change=max_change, mask=mask)
    verifier = PatchVerifier(network, weights, given, goals, size)
    return least_change(verifier, options, progress, started)


def least_change(
    verifier: PatchVerifier,
    options: PatchOptions,
    progress: Listener | None = None,
    started: float | None = None,
) -> Patch:
    """:func:`minimal_patch` of what ``verifier`` verifies; everything checked already."""
    began = monotonic() if started is None else started
    if any(goal.probabilities for goal in verifier.goals):
        return least_change_by_tangents(verifier, options, progress, began)
    return LayerPatch(verifier, options, progress, began).run()


def check_norm(norm: str | Norm) -> Norm:
    """The norm of that name; InputError, saying what to do, otherwise."""
    named = {each.value: each for each in PROVED}
    found = named.get(norm.value if isinstance(norm, Norm) else norm)
    if found is None:
        hint = ": sparse_patch minimises how many numbers change" if norm == "l0" else ""
        raise InputError(f"norm {norm!r} is not one of {', '.join(named)}{hint}")
    return found


def check_rule(decision: str | Rule) -> Rule:
    """The rule of that name; InputError otherwise."""
    try:
        return Rule(decision)
    except ValueError:
        known = ", ".join(each.value for each in Rule)
        raise InputError(f"decision {decision!r} is not one of {known}") from None


def check_inputs(network: Network, inputs: ArrayLike) -> NDArray[np.floating]:
    """The inputs as (n, network inputs) in the file's input type; InputError where unfit."""
    flat = network.flatten(inputs)
    if flat.shape[0] == 0:
        raise InputError("no input was given; a patch needs at least one")
    if flat.shape[0] > MAX_INPUTS:
        raise InputError(
            f"{flat.shape[0]} inputs are too many for one patch, which takes at most {MAX_INPUTS}; "
            "choose some of them"
        )
    with np.errstate(over="ignore"):
        typed = flat.astype(network.input_dtype)
    bad = ~np.isfinite(typed).all(axis=1)
    if bad.any():
        raise InputError(f"input {int(np.argmax(bad))} contains NaN or infinity")
    return np.asarray(typed)


def check_goals(
    goal: GoalLike | Sequence[GoalLike], inputs: int, network: Network, rule: Rule, margin: float
) -> tuple[Goal, ...]:
    """One goal an input; InputError where their number does not fit."""
    listed = [goal] if isinstance(goal, Goal | str | int) else list(goal)
    if len(listed) == 1:
        listed = listed * inputs
    if len(listed) != inputs:
        raise InputError(
            f"{len(listed)} goals were given for {inputs} inputs; give one or {inputs}"
        )
    outputs = network.outputs
    made = [g if isinstance(g, Goal) else parse(g, outputs, rule, margin) for g in listed]
    for g in made:
        if any(clause.rows.shape[1] != outputs for clause in g.clauses):
            raise InputError(f"goal {g.text!r} does not fit a network of {outputs} outputs")
        read_as_scores = not (g.of_classes or g.probabilities)
        if read_as_scores and network.output_transform is not OutputTransform.NONE:
            raise InputError(
                f"goal {g.text!r} is on scores, but the network ends in "
                f"{network.output_transform.value}; make it with "
                "linear(..., transform=network.output_transform)"
            )
    return tuple(made)


def find_layer(network: Network, layer: int | str) -> PatchableLayer:
    """The layer of that number, or the last; InputError, listing those there are, otherwise."""
    layers = network.affine_layers
    listed = ", ".join(f"{known.number} ({known.node})" for known in layers)
    if not layers:
        raise InputError(
            "the network has no layer with weights of its own (a tensor shared by several layers "
            "cannot be patched)"
        )
    if layer == "last":
        return layers[-1]
    try:
        number = int(layer)
    except ValueError:
        raise InputError(f"layer {layer!r}: give a number or 'last'; there are {listed}") from None
    if not 0 <= number < len(layers):
        raise InputError(f"layer {number} does not exist or has no weights; there are {listed}")
    return layers[number]
