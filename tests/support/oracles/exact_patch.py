"""The least patch of a small network by trying every phase pattern: the second opinion of tests.

For each pattern of the ReLUs behind the layer, for all inputs at once, and each way to choose the
alternatives of the goals, one linear program over the changes (scipy). Shares nothing with the
library but the networks' numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import linprog

Rows = tuple[np.ndarray, np.ndarray]
"""``matrix @ outputs >= rhs``."""


@dataclass(frozen=True)
class PatchCase:
    """A chain of fully connected layers, one of which is patched.

    ``goals``: by input, the alternatives, each of them rows. ``limit``: the largest change of one
    number. ``free``: which weights may change, None for all.
    """

    weights: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    layer: int
    inputs: np.ndarray
    goals: Sequence[Sequence[Rows]]
    norm: str
    bias: bool = False
    limit: float = np.inf
    free: np.ndarray | None = None

    def optimum(self) -> float:
        """The least norm of a change, infinite where none does."""
        behind = self._behind()
        patterns = list(product((0.0, 1.0), repeat=sum(behind)))
        best = np.inf
        for phases in product(patterns, repeat=len(self.inputs)):
            for alternatives in product(*self.goals):
                best = min(best, self._least(np.array(phases), behind, alternatives))
        return best

    def _behind(self) -> list[int]:
        """The sizes of the ReLU layers behind the patched map."""
        return [w.shape[0] for w in self.weights[self.layer : -1]]

    def _least(
        self, phases: np.ndarray, behind: Sequence[int], alternatives: Sequence[Rows]
    ) -> float:
        rows, rhs = [], []
        for x, phase, (matrix, need) in zip(self.inputs, phases, alternatives, strict=True):
            A, b = self._moved(x)
            start = 0
            for weight, offset, size in zip(
                [*self.weights[self.layer + 1 :]],
                [*self.biases[self.layer + 1 :]],
                behind,
                strict=True,
            ):
                on = phase[start : start + size]
                sign = 2.0 * on - 1.0
                rows.append(sign[:, None] * A)
                rhs.append(-sign * b)
                A, b = weight @ (on[:, None] * A), weight @ (on * b) + offset
                start += size
            rows.append(matrix @ A)
            rhs.append(need - matrix @ b)
        return self._program(np.concatenate(rows), np.concatenate(rhs))

    def _numbers(self) -> int:
        """How many weights (without biases) may change at most: the first columns."""
        return int(self.weights[self.layer].size)

    def _moved(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The layer's pre-activation as an affine map of the changes (weights, then biases)."""
        h = x
        for weight, offset in zip(
            self.weights[: self.layer], self.biases[: self.layer], strict=True
        ):
            h = np.maximum(weight @ h + offset, 0.0)
        weight, offset = self.weights[self.layer], self.biases[self.layer]
        A = np.kron(np.eye(weight.shape[0]), h)
        return np.hstack([A, np.eye(weight.shape[0])]), weight @ h + offset

    def _program(self, rows: np.ndarray, rhs: np.ndarray) -> float:
        size = rows.shape[1]
        weights = self._numbers()
        room = np.full(size, self.limit)
        if self.free is not None:
            room[:weights] = np.where(self.free.reshape(-1), self.limit, 0.0)
        room[weights:] = self.limit if self.bias else 0.0
        room = np.minimum(room, 1e6)
        if self.norm == "l1":
            result = linprog(
                np.ones(2 * size),
                A_ub=np.hstack([-rows, rows]),
                b_ub=-rhs,
                bounds=[(0.0, r) for r in [*room, *room]],
            )
        else:
            top = np.ones((size, 1))
            A = np.vstack(
                [
                    np.hstack([-rows, np.zeros((rows.shape[0], 1))]),
                    np.hstack([np.eye(size), -top]),
                    np.hstack([-np.eye(size), -top]),
                ]
            )
            result = linprog(
                np.append(np.zeros(size), 1.0),
                A_ub=A,
                b_ub=np.concatenate([-rhs, np.zeros(2 * size)]),
                bounds=[(-r, r) for r in room] + [(0.0, None)],
            )
        return float(result.fun) if result.status == 0 else np.inf


@dataclass(frozen=True)
class TiedCase(PatchCase):
    """The same, where each of a few ``numbers`` acts at several places of the patched map.

    ``weights`` and ``biases`` are those of the unrolled network. ``places``: (outputs, inputs) of
    the patched map, which number stands there, -1 for none. ``offsets``: (outputs,), which of the
    biases is added to an output.
    """

    numbers: int = 0
    places: np.ndarray | None = None
    offsets: np.ndarray | None = None

    def _numbers(self) -> int:
        return self.numbers

    def _moved(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self.places is not None
        assert self.offsets is not None
        h = x
        for weight, offset in zip(
            self.weights[: self.layer], self.biases[: self.layer], strict=True
        ):
            h = np.maximum(weight @ h + offset, 0.0)
        outputs, inputs = self.places.shape
        A = np.zeros((outputs, self.numbers + int(self.offsets.max()) + 1))
        for o in range(outputs):
            for i in range(inputs):
                if self.places[o, i] >= 0:
                    A[o, self.places[o, i]] += h[i]
            A[o, self.numbers + self.offsets[o]] += 1.0
        return A, self.weights[self.layer] @ h + self.biases[self.layer]
