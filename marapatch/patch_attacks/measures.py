"""How good a set of adversarial inputs is: how many, how near, how even, how natural.

These are the measures of Khan, Madhukar, Sharma: "Efficient Adversarial Input Generation via
Neural Net Patching" (its evaluation), each as one function of arrays. Inputs are arrays
``(n, *shape)`` or flat ``(n, inputs)``; two sets that are compared row by row have one shape.
Every function raises :class:`~marapatch.errors.InputError` where its arrays do not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, log, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.conditions import Rule

BATCH = 256
"""Inputs evaluated at once."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distances:
    """Row by row, how far each adversarial input is from its original: arrays of shape (n,).

    ``l0``: values that differ at all. ``l1``: sum of absolute differences. ``l2``: Euclidean
    length. ``linf``: largest absolute difference. In units of the network's input.
    """

    l0: Counts
    l1: Array
    l2: Array
    linf: Array


def distances(originals: ArrayLike, adversarial: ArrayLike) -> Distances:
    """The four distances of every pair, from the exact float64 differences of the arrays given.

    ``l0 = #{i: d_i != 0}``, ``l1 = sum |d_i|``, ``l2 = sqrt(sum d_i^2)``, ``linf = max |d_i|`` with
    ``d = adversarial - original``. The last three are rounded to nearest: they measure, they prove
    nothing.
    """
    d = _differences(originals, adversarial)
    d = np.abs(d.reshape(d.shape[0], -1))
    changed = np.count_nonzero(d, axis=1).astype(np.int64)
    return Distances(changed, d.sum(axis=1), np.sqrt((d * d).sum(axis=1)), d.max(axis=1, initial=0))


def pixels_changed(
    originals: ArrayLike, adversarial: ArrayLike, channel_axis: int | None = None
) -> Counts:
    """How many pixels of each pair differ in any of their colours: shape (n,).

    ``channel_axis``: the axis of one input (0 for channels first, -1 for channels last) along
    which the colours of a pixel lie; None: every value is a pixel, which is ``Distances.l0``.
    """
    differs = _differences(originals, adversarial) != 0.0
    if channel_axis is not None:
        axes = differs.ndim - 1
        if not -axes <= channel_axis < axes:
            raise InputError(f"channel axis {channel_axis}: one input has {axes} axes")
        differs = differs.any(axis=channel_axis + 1 if channel_axis >= 0 else channel_axis)
    return np.asarray(differs.reshape(differs.shape[0], -1).sum(axis=1), dtype=np.int64)


def defect_detection(found: ArrayLike) -> float:
    """The share of inputs for which an adversarial one was found: ``#found / n``; NaN of none.

    ``found``: booleans (n,), one for every input that was tried, failures and timeouts included.
    """
    flags = np.asarray(found)
    if flags.dtype != np.bool_ or flags.ndim != 1:
        raise InputError(f"found must be booleans of shape (n,), not {flags.dtype} {flags.shape}")
    return float(flags.mean()) if flags.size else nan


def class_entropy(decisions: ArrayLike, classes: int | Sequence[int], base: float = e) -> float:
    """The Shannon entropy of what adversarial inputs are decided as; NaN of none.

    ``H = - sum_c p_c log(p_c)`` with ``p_c`` the share of inputs decided ``c`` (``0 log 0 = 0``).
    ``decisions``: whole numbers (n,). ``classes``: how many there are, or which count; inputs
    decided as none of them are left out. From 0 (all alike) to ``log K`` (all ``K`` equally often).

    This is the evenness score before it is divided by ``log K``, as AIGENT prints it: its score is
    not normalised. What is not known of the printed numbers is the base of the logarithm (here
    nats by default; bits are 1.443 times as many) and whether inputs that failed are counted
    (here: no), so that they compare with these only up to that.
    """
    if not (base > 1.0):
        raise InputError(f"the base of a logarithm must be above 1, not {base}")
    counts = _counts(decisions, classes)
    total = counts.sum()
    if total == 0:
        return nan
    share = counts[counts > 0] / total
    return max(0.0, float(-(share * np.log(share)).sum())) / log(base)


def pielou(decisions: ArrayLike, classes: int | Sequence[int]) -> float:
    """Pielou's evenness of what adversarial inputs are decided as; NaN of none.

    ``J = H / log K`` with ``H`` of :func:`class_entropy` and ``K`` the number of ``classes``: 0
    where all are decided alike, 1 where every class is reached equally often; the base does not
    matter. ``K`` counts the classes that can be reached (all of the network's), not those that
    were: with ``K`` the number of classes that do occur, two classes of ten would score 1.

    Source: Pielou, "The measurement of diversity in different types of biological collections",
    Journal of Theoretical Biology, 1966; for tests of networks ("output impartiality"):
    Harel-Canada et al., "Is Neuron Coverage a Meaningful Measure for Testing Deep Neural
    Networks?", 2020, whose program takes as ``classes`` those that occur among the labels of the
    originals and leaves other decisions out: ``pielou(decisions, sorted(set(labels)))``.
    """
    size = classes if isinstance(classes, int) else len(set(classes))
    if size < 2:
        raise InputError(f"evenness over {size} classes is not defined: at least 2 are needed")
    return class_entropy(decisions, classes) / log(size)


def frechet_distance(one: ArrayLike, other: ArrayLike) -> float:
    """The Frechet distance (squared) between two sets of features, each taken as a Gaussian.

    ``|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))`` with means ``m`` and covariances ``C`` (divided
    by n - 1). ``one`` (n, d), ``other`` (m, d), two rows each at least. It is the "FID" where the
    features are those of the Inception network.

    With ``C = A^T A`` of the centred features ``A`` (over the square root of n - 1), the trace of
    the root is the sum of the singular values of ``A1 A2^T``, so that no product of covariances
    and no matrix root is formed: exact for singular covariances (fewer inputs than features),
    and never complex. Its rounding error is about 1e-16 of ``Tr(C1 + C2)``.

    It is biased upwards for few inputs: compare only sets of like sizes.

    Source: Dowson, Landau: "The Frechet distance between multivariate normal distributions",
    1982; Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017.
    """
    mean1, root1 = _gaussian(one, "one")
    mean2, root2 = _gaussian(other, "other")
    if mean1.shape != mean2.shape:
        raise InputError(f"features of {mean1.size} and of {mean2.size} numbers do not compare")
    gap = mean1 - mean2
    shared = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()
    traces = (root1 * root1).sum() + (root2 * root2).sum()
    return max(0.0, float(gap @ gap + traces - 2.0 * shared))


@dataclass(frozen=True)
class Transfer:
    """What another network makes of adversarial inputs.

    ``inputs``: how many there are. ``changed``: on how many it decides otherwise than on the
    original. ``agreed``: on how many originals it decides as the attacked network did;
    ``fooled``: on how many of these it decides otherwise than on the original.
    """

    inputs: int
    changed: int
    agreed: int
    fooled: int

    @property
    def rate(self) -> float:
        """Transferability: ``changed / inputs``; NaN of none."""
        return self.changed / self.inputs if self.inputs else nan

    @property
    def rate_agreed(self) -> float:
        """``fooled / agreed``: over the originals on which the networks agree; NaN of none."""
        return self.fooled / self.agreed if self.agreed else nan


def transferability(
    network: Network,
    originals: ArrayLike,
    adversarial: ArrayLike,
    decided: ArrayLike,
    rule: Rule = Rule.ARGMAX,
) -> Transfer:
    """How many adversarial inputs of one network change the decision of ``network``, another.

    ``decided``: (n,), what the attacked network decides on the originals. Inputs in the units
    that ``network`` takes.
    """
    before = decisions(network, originals, rule)
    after = decisions(network, adversarial, rule)
    attacked = np.asarray(decided)
    if not before.shape == after.shape == attacked.shape:
        raise InputError(
            f"{before.size} originals, {after.size} adversarial inputs and {attacked.size} "
            "decisions do not match"
        )
    changed, agreed = before != after, before == attacked
    return Transfer(
        before.size, int(changed.sum()), int(agreed.sum()), int((changed & agreed).sum())
    )


def decisions(network: Network, inputs: ArrayLike, rule: Rule = Rule.ARGMAX) -> Counts:
    """What ``network`` decides on each of ``inputs``, (n,); ties: the lowest class."""
    flat = _rows(inputs, network.inputs)
    parts = [
        (rule.sign * network.evaluate(flat[i : i + BATCH])).argmax(axis=1)
        for i in range(0, len(flat), BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _rows(inputs: ArrayLike, size: int) -> Array:
    array = np.asarray(inputs, dtype=np.float64)
    if array.ndim < 2 or array[:1].size not in (0, size) or array.size % size:
        raise InputError(f"inputs of shape {array.shape} are not (n, {size})")
    return array.reshape(-1, size)


def _differences(originals: ArrayLike, adversarial: ArrayLike) -> Array:
    before, after = (np.asarray(a, dtype=np.float64) for a in (originals, adversarial))
    if before.shape != after.shape or before.ndim < 2:
        raise InputError(
            f"originals {before.shape} and adversarial inputs {after.shape} must both be (n, ...)"
        )
    return np.asarray(after - before)


def _counts(decided: ArrayLike, classes: int | Sequence[int]) -> Counts:
    """How often each class occurs."""
    found = np.asarray(decided)
    if found.size and (found.dtype.kind not in "iu" or found.ndim != 1):
        raise InputError(f"decisions must be whole numbers (n,), not {found.dtype} {found.shape}")
    if isinstance(classes, int):
        if found.size and not 0 <= found.min() <= found.max() < classes:
            raise InputError(f"decisions must be among the classes 0..{classes - 1}")
        counted: Sequence[int] = range(classes)
    else:
        counted = sorted(set(classes))
    return np.array([np.count_nonzero(found == c) for c in counted], dtype=np.int64)


def _gaussian(features: ArrayLike, what: str) -> tuple[Array, Array]:
    """Mean (d,) and a root ``A`` of at most d rows with ``A^T A`` the covariance."""
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise InputError(
            f"{what}: features must be finite, (n, d) with n at least 2, not {rows.shape}"
        )
    mean = rows.mean(axis=0)
    root = (rows - mean) / np.sqrt(len(rows) - 1)
    if len(root) > root.shape[1]:
        root = np.asarray(np.linalg.qr(root, mode="r"))
    return mean, root
