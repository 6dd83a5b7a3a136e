"""The measures of the paper over the records of patch attacks, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from statistics import fmean, median
from typing import Any

import numpy as np
from rich.table import Table

from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.outputs import run_onnx
from marapatch.patch_attacks.measures import (
    Transfer,
    class_entropy,
    decisions,
    defect_detection,
    frechet_distance,
    pielou,
    transferability,
)
from marapatch.patch_attacks.records import ALREADY, NOT_FOUND, Record, finite, formatted
from marapatch.problem.conditions import Rule

HALVING = "halving"
"""The way by which a record counts as found by the method of the paper alone."""

Features = Callable[[Array], Array]


@dataclass(frozen=True)
class Spread:
    """Mean, median and largest of some numbers; NaN of none."""

    mean: float
    median: float
    largest: float

    @staticmethod
    def of(numbers: Sequence[float]) -> Spread:
        """The three of ``numbers``."""
        if not numbers:
            return Spread(nan, nan, nan)
        return Spread(fmean(numbers), float(median(numbers)), float(max(numbers)))


@dataclass(frozen=True)
class Measures:
    """The measures of the paper over records; the functions are in
    :mod:`marapatch.patch_attacks.measures`.

    ``images``: tried, so without those that needed no attack (``already``). ``detection``: the
    share found; ``halving``: the share found by halving alone, in one pass without any fallback.
    Distances and evenness are over what was found, ``seconds`` over all that were tried.
    ``frechet``: NaN where fewer than two were found. ``confirmed``: on how many onnxruntime, given
    the network's file, decides as reported; None where there is no ONNX file.
    """

    images: int
    already: int
    found: int
    by: Mapping[str, int]
    detection: float
    halving: float
    l0: Spread
    l1: Spread
    l2: Spread
    linf: Spread
    seconds: Spread
    pielou: float
    entropy: float
    frechet: float = nan
    transfer: Transfer | None = None
    confirmed: int | None = None


def measure(
    records: Sequence[Record],
    network: Network,
    originals: Mapping[int, Array] | None = None,
    *,
    features: Features | None = None,
    other: Network | None = None,
    rule: Rule = Rule.ARGMAX,
) -> Measures:
    """The measures over ``records``.

    ``originals``: the flat images attacked, by number; without them nothing is evaluated again,
    and there is no Frechet distance and no transferability. ``features``: of inputs (n, inputs),
    for the Frechet distance between the originals of what was found and the adversarial inputs.
    ``other``: the second network of the transferability.
    """
    tried = [r for r in records if r.status != ALREADY]
    found = [r for r in tried if r.found]
    targets = [r.target for r in found if r.target is not None]
    frechet, transfer, confirmed = nan, None, None
    if originals is not None and found:
        before = np.stack([originals[r.image] for r in found])
        after = np.stack([r.adversarial(originals[r.image]) for r in found])
        confirmed = _confirmed(network, after, targets, rule)
        if features is not None and len(found) > 1:
            frechet = frechet_distance(features(before), features(after))
        if other is not None:
            transfer = transferability(other, before, after, decisions(network, before, rule), rule)
    return Measures(
        images=len(tried),
        already=len(records) - len(tried),
        found=len(found),
        by=dict(Counter(r.by for r in found)),
        detection=defect_detection(np.array([r.found for r in tried], dtype=bool)),
        halving=defect_detection(np.array([r.found and r.by == HALVING for r in tried], bool)),
        l0=Spread.of([r.l0 for r in found if r.l0 is not None]),
        l1=Spread.of([r.l1 for r in found if r.l1 is not None]),
        l2=Spread.of([r.l2 for r in found if r.l2 is not None]),
        linf=Spread.of([r.linf for r in found if r.linf is not None]),
        seconds=Spread.of([r.seconds for r in tried]),
        pielou=pielou(targets, network.outputs),
        entropy=class_entropy(targets, network.outputs),
        frechet=frechet,
        transfer=transfer,
        confirmed=confirmed,
    )


def _confirmed(network: Network, inputs: Array, targets: Sequence[int], rule: Rule) -> int | None:
    source = network.source
    if source is None or source.format != "onnx":
        return None
    outputs = run_onnx(source.content, inputs, network)
    if outputs is None:
        return None
    return sum(rule.decide(y) == target for y, target in zip(outputs, targets, strict=True))


def plain(measures: Measures) -> dict[str, Any]:
    """The measures as an object for JSON: null stands for NaN."""
    content = asdict(measures)
    if measures.transfer is not None:
        content["transfer"]["rate"] = measures.transfer.rate
        content["transfer"]["rate_agreed"] = measures.transfer.rate_agreed
    return finite(content)


def summary(records: Sequence[Record], measures: Measures) -> list[str]:
    """The answer in a sentence or two."""
    lines = []
    if measures.already:
        needless = [r for r in records if r.status == ALREADY]
        reason = f": {needless[0].reason}" if len(needless) == 1 else ""
        lines.append(f"{measures.already} of {len(records)} images left alone{reason}")
    tried = [r for r in records if r.status != ALREADY]
    if len(tried) == 1:
        (one,) = tried
        if one.found:
            lines.append(
                f"decided {one.target} instead of {one.decision}, found by {one.by}; "
                f"{one.l0} values changed"
            )
        else:
            lines.append(f"none found for the image decided {one.decision}: {one.reason}")
        lines += [f"  {formatted(stage)}" for stage in one.stages]
    elif tried:
        ways = ", ".join(f"{count} by {by}" for by, count in sorted(measures.by.items()))
        lines.append(
            f"found {measures.found} of {measures.images} ({100 * measures.detection:.1f} %)"
            + (f": {ways}" if ways else "")
        )
    return lines


def table(measures: Measures) -> Table:
    """Sizes and times, and the measures of the whole set where there is more than one image."""
    drawn = Table("measure", "mean", "median", "largest", box=None, pad_edge=False)
    for column in drawn.columns[1:]:
        column.justify = "right"
    rows = (
        ("values changed (L0)", measures.l0),
        ("L1", measures.l1),
        ("L2", measures.l2),
        ("L-inf", measures.linf),
        ("seconds", measures.seconds),
    )
    for name, spread in rows:
        drawn.add_row(name, *(f"{n:.4g}" for n in (spread.mean, spread.median, spread.largest)))
    if measures.images > 1:
        drawn.add_row("defect detection", f"{measures.detection:.4f}")
        drawn.add_row("  by halving alone", f"{measures.halving:.4f}")
        drawn.add_row("Pielou evenness (0 to 1)", f"{measures.pielou:.4f}")
        drawn.add_row("  not normalised (nats)", f"{measures.entropy:.4f}")
        drawn.add_row("Frechet distance", f"{measures.frechet:.4g}")
    if measures.transfer is not None:
        drawn.add_row("transferability", f"{measures.transfer.rate:.4f}")
        drawn.add_row("  where both decide alike", f"{measures.transfer.rate_agreed:.4f}")
    return drawn


def remarks(records: Sequence[Record], measures: Measures) -> list[str]:
    """What else a reader must know; a line each."""
    lines = []
    reasons = Counter(r.reason or "no reason given" for r in records if r.status == NOT_FOUND)
    if measures.images > 1:
        lines += [f"not found, {count} times: {why}" for why, count in reasons.most_common(5)]
    if measures.confirmed is not None and measures.found:
        agrees = measures.confirmed == measures.found
        hint = "" if agrees else " (rounding: --margin asks for more)"
        lines.append(
            f"onnxruntime, given the file, decides {measures.confirmed} of {measures.found} "
            f"as said{hint}"
        )
    return lines
