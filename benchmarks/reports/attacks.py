"""The tables of the comparison of attacks, from their rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from benchmarks.harness.markdown import table
from benchmarks.harness.rows import Row

COLUMNS = (
    *("attack", "n", "found", "claimed", "median", "90 %"),
    *("gradients", "evaluations", "ms/image"),
)


def report(rows: Sequence[Row], _: int = 0) -> str:
    """A table a group, a line an attack, nearest first.

    Failures count as infinite distances. ``claimed``: successes by the attack's own account.
    """
    groups: dict[tuple[str, str, str, int], dict[str, list[Row]]] = {}
    for row in rows:
        group = groups.setdefault((row["network"], row["norm"], row["goal"], row["budget"]), {})
        group.setdefault(row["attack"], []).append(row)
    parts = []
    for (name, norm, goal, budget), attacks in sorted(groups.items()):
        lines = []
        for attack in sorted(attacks, key=lambda a: (_quantile(attacks[a], 0.5), a)):
            several = attacks[attack]
            found = sum(row["distance"] is not None for row in several)
            claimed = sum(row["claimed"] for row in several)
            gradients, evaluations, seconds = (
                np.mean([row[what] for row in several])
                for what in ("gradients", "evaluations", "seconds")
            )
            lines.append(
                (
                    *(attack, len(several), found, claimed),
                    *(f"{_quantile(several, share):.4f}" for share in (0.5, 0.9)),
                    *(f"{gradients:.0f}", f"{evaluations:.0f}", f"{1e3 * seconds:.1f}"),
                )
            )
        parts.append(f"{name}, {norm}, {goal}, {budget} gradients\n\n{table(COLUMNS, lines)}")
    return "\n".join(parts)


def _quantile(rows: Sequence[Row], share: float) -> float:
    ordered = sorted(inf if row["distance"] is None else row["distance"] for row in rows)
    middle = (len(ordered) - 1) * share
    low, high = ordered[int(np.floor(middle))], ordered[int(np.ceil(middle))]
    return inf if high == inf else low + (high - low) * (middle % 1.0)
