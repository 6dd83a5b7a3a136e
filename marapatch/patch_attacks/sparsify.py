"""Fewer changed entries: whole entries are dropped and exchanged while the condition holds.

Every move is evaluated on the network itself, many at a time; entries go as far as they may,
because few entries have to do what many did.

Shapes: B changes tried at once, I inputs, k entries that a change moves; dense changes (B, I),
``entries`` (k,) or (B, k) and their ``amounts``, slacks (B,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.patch_attacks.realise import InputBox
from marapatch.problem.conditions import OutputCondition

CANDIDATES = 48
"""Entries that a changed one is exchanged for, the steepest first."""

PAIRS = 60
"""Pairs of entries that are exchanged for one, the least useful first."""

MOVES = 60
"""Moves at most."""

Entries = NDArray[np.int64]
Group = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Evaluator:
    """The least slack of ``condition`` at ``x`` plus sparse changes, many at a time.

    Where only the first map takes the input, changes are added behind it.
    """

    form: StandardForm
    condition: OutputCondition
    x: Array
    base: Array
    weight: Array | None

    @staticmethod
    def of(form: StandardForm, condition: OutputCondition, x: Array) -> Evaluator:
        """Prepare for changes of ``x``."""
        maps = (*form.hidden, form.output)
        first = maps[0]
        # Where a later map reads the input as well, a change is not known by what it adds to the
        # first pre-activations, and is evaluated from the input on.
        simple = first.sources == (0,) and all(0 not in m.sources for m in maps[1:])
        dense = simple and not sp.issparse(first.weights[0])
        # A row an entry of the input, from which the moves of a batch are gathered.
        weight = np.ascontiguousarray(first.weights[0].T) if dense else None
        return Evaluator(form, condition, x, first([x[None]])[0], weight)

    def slack(self, changes: Array) -> Array:
        """The least slack of each of ``changes`` (batch, inputs)."""
        return self._worst(changes, None)

    def sparse_slack(self, entries: Entries, amounts: Array) -> Array:
        """The same of changes that move ``entries`` (batch, k) by ``amounts`` (batch, k); an
        amount of 0 where there are fewer."""
        if self.weight is None:
            changes = np.zeros((len(entries), self.x.size))
            np.put_along_axis(changes, entries, amounts, axis=1)
            return self._worst(changes, None)
        z = self.base + np.einsum("bk,bko->bo", amounts, self.weight[entries])
        return self._worst(None, z)

    def shared_slack(self, entries: Entries, amounts: Array) -> Array:
        """The same where every change moves the same ``entries`` (k,)."""
        if self.weight is None:
            changes = np.zeros((len(amounts), self.x.size))
            changes[:, entries] = amounts
            return self._worst(changes, None)
        return self._worst(None, self.base + amounts @ self.weight[entries])

    def _worst(self, changes: Array | None, z: Array | None) -> Array:
        if z is None:
            assert changes is not None
            return self.condition.worst(self.form.evaluate(self.x + changes))
        if not self.form.hidden:
            return self.condition.worst(z)
        # No map from here on reads the input (see ``of``): an array without columns stands in its
        # place and says how many there are in the batch.
        activations = [np.zeros((len(z), 0)), np.maximum(z, 0.0)]
        for layer in self.form.hidden[1:]:
            activations.append(np.maximum(layer(activations), 0.0))
        return self.condition.worst(self.form.output(activations))

    def gradient(self, change: Array) -> Array:
        """The gradient of the least slack at one change."""
        z, outputs = self.form.pre_activations((self.x + change)[None])
        row = int(self.condition.slack(outputs)[0].argmin())
        pattern = [layer > 0.0 for layer in z]
        return np.asarray(self.form.pullback(pattern, self.condition.matrix[row : row + 1])[0])


def fewer(
    form: StandardForm, condition: OutputCondition, domain: InputBox, change: Array, deadline: float
) -> Array:
    """A change of fewer entries that meets the condition strictly, at worst ``change`` itself."""
    evaluator = Evaluator.of(form, condition, domain.x)
    up, down = domain.upper - domain.x, domain.lower - domain.x
    entries = np.flatnonzero(change)
    amounts = np.where(change[entries] > 0.0, up[entries], down[entries])
    best = change
    # At the sides of the box entries carry most, but through ReLUs more is not always better: where
    # the condition fails there, they stay where it was met.
    if evaluator.shared_slack(entries, amounts[None])[0] <= 0.0:
        amounts = change[entries]
    kept = _dropped(evaluator, entries, amounts)
    for _ in range(MOVES):
        entries, amounts, slack = kept
        # Only the count is compared: how far the entries have to go is worked out afterwards.
        if entries.size < np.count_nonzero(best):
            best = np.zeros(change.size)
            best[entries] = amounts
        if monotonic() >= deadline or entries.size < 2:
            break
        following = _exchanged(evaluator, entries, amounts, slack, up, down)
        if following is None:
            break
        kept = _dropped(evaluator, *following)
    return best


def _dropped(
    evaluator: Evaluator, entries: Entries, amounts: Array
) -> tuple[Entries, Array, float]:
    """Drop what is missed least, for as long as the condition holds without it: first as many
    entries at once as possible, then one by one."""
    slack = float(evaluator.shared_slack(entries, amounts[None])[0])
    while entries.size > 1:
        left = evaluator.shared_slack(entries, amounts * (1.0 - np.eye(entries.size)))
        order = np.argsort(-left, kind="stable")
        if left[order[0]] <= 0.0:
            break
        rank = np.empty(entries.size, dtype=int)
        rank[order] = np.arange(entries.size)
        # Slack is not monotone in how many are dropped, so that bisection could miss the most: all
        # counts are evaluated, in one batch.
        kept = rank[None, :] > np.arange(entries.size - 1)[:, None]  # row k: k + 1 are dropped
        left = evaluator.shared_slack(entries, amounts * kept)
        held = np.flatnonzero(left > 0.0)
        # The first row was met a few lines above. In another batch it may round to fail, and is
        # dropped all the same: whoever asks replays.
        most = int(held[-1]) if held.size else 0
        slack = float(left[most])
        entries, amounts = entries[kept[most]], amounts[kept[most]]
    return entries, amounts, slack


def _exchanged(
    evaluator: Evaluator, entries: Entries, amounts: Array, slack: float, up: Array, down: Array
) -> tuple[Entries, Array] | None:
    """Two entries for another one that will do, else one for another that leaves more slack."""
    size = entries.size
    change = np.zeros(evaluator.x.size)
    change[entries] = amounts
    gradient = evaluator.gradient(change)
    # To first order, what an entry adds to the least slack when it goes as far as it may.
    gain = np.where(gradient > 0.0, gradient * up, gradient * down)
    gain[entries] = -np.inf
    others = np.argsort(-gain, kind="stable")[:CANDIDATES]
    others = others[gain[others] > 0.0]
    if not others.size:
        return None
    steps = np.where(gradient[others] > 0.0, up[others], down[others])
    losses = evaluator.shared_slack(entries, amounts * (1.0 - np.eye(size)))
    useless = np.argsort(-losses, kind="stable")
    singles: list[Group] = [(int(i),) for i in useless]
    pairs: list[Group] = [tuple(pair) for pair in combinations(useless[:12].tolist(), 2)][:PAIRS]
    # Two for one is progress as long as the condition holds. One for one is none unless more slack
    # is left, by more than rounding: else exchanges would go round in circles.
    tries: tuple[tuple[list[Group], float], ...] = ((pairs, 0.0), (singles, slack * (1.0 + 1e-6)))
    for groups, min_l1 in tries:
        tried = _tried(entries, amounts, groups, others, steps)
        if tried is None:
            continue
        left = evaluator.sparse_slack(*tried)
        i = int(left.argmax())
        if left[i] > min_l1:
            kept = tried[1][i] != 0.0
            return tried[0][i][kept], tried[1][i][kept]
    return None


def _tried(
    entries: Entries,
    amounts: Array,
    groups: Sequence[Group],
    others: Entries,
    steps: Array,
) -> tuple[Entries, Array] | None:
    """Every group taken out and every other entry put in: entries and amounts, a row a try."""
    if not groups or len(groups[0]) >= entries.size + 1:
        return None
    keep = np.ones((len(groups), entries.size))
    for row, group in enumerate(groups):
        keep[row, list(group)] = 0.0
    without = np.repeat(amounts * keep, others.size, axis=0)
    added = np.tile(steps, len(groups))
    rows = np.broadcast_to(entries, without.shape)
    return (
        np.hstack([rows, np.tile(others, len(groups))[:, None]]),
        np.hstack([without, added[:, None]]),
    )
