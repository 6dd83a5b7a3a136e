"""What an attack wants: the margin it must raise above zero, and its slope by the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.layers import Array

Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Objective:
    """Decide for a class (targeted), or no longer for it (untargeted); one class an input.

    With s = 1 where the network decides by its largest output and s = -1 where by its smallest
    (``argmin``), the lead of class c is ``s y_c - max_{j != c} s y_j``; the margin is the lead of
    the target, or minus the lead of the label. It must be > 0: a tie is no success.
    ``classes``: (n,) int64. Build with :meth:`towards` or :meth:`away_from`.
    """

    classes: Classes
    targeted: bool
    argmin: bool = False

    @staticmethod
    def towards(targets: ArrayLike, *, argmin: bool = False) -> Objective:
        """Targeted: input i must be decided for ``targets[i]``."""
        return Objective(_classes(targets), True, argmin)

    @staticmethod
    def away_from(labels: ArrayLike, *, argmin: bool = False) -> Objective:
        """Untargeted: input i must no longer be decided for ``labels[i]``."""
        return Objective(_classes(labels), False, argmin)

    def __len__(self) -> int:
        return int(self.classes.size)

    def take(self, rows: NDArray[np.int64]) -> Objective:
        """The objective of a batch that holds the inputs ``rows``, in that order."""
        return Objective(self.classes[rows], self.targeted, self.argmin)

    def margins(self, outputs: Array) -> Array:
        """The margin of each row of ``outputs`` (n, outputs); a success is > 0."""
        rows = np.arange(len(self))
        scores, rival = self._rival(outputs)
        lead = scores[rows, self.classes] - scores[rows, rival]
        return np.asarray(lead if self.targeted else -lead)

    def directions(self, outputs: Array, softness: Array | None = None) -> Array:
        """The gradient of :meth:`margins` by the outputs, (n, outputs); a tie takes the first.

        With ``softness``, t >= 0 a row, all rivals share the place of the largest in proportion
        to ``exp(score / (t * spread))``, the spread being the largest score less the smallest.
        """
        rows = np.arange(len(self))
        scores, rival = self._rival(outputs)
        direction = np.zeros(outputs.shape)
        if softness is None:
            direction[rows, rival] = -1.0
        else:
            spread = scores.max(axis=-1) - scores.min(axis=-1)
            # `tiny`: with a softness of 0, or equal scores, the rival's own weight would be 0 / 0.
            width = softness * spread + np.finfo(np.float64).tiny
            behind = (scores - scores[rows, rival][:, None]) / width[:, None]
            # A label may lead its rivals, but is none; far behind them a weight is just 0.
            weights = np.exp(np.clip(behind, -700.0, 0.0))
            weights[rows, self.classes] = 0.0
            direction -= weights / weights.sum(axis=-1, keepdims=True)
        direction[rows, self.classes] = 1.0
        # Untargeted the lead has to fall, and scores of argmin are -y: two signs, which cancel.
        return direction if self.targeted != self.argmin else -direction

    def _rival(self, outputs: Array) -> tuple[Array, Classes]:
        scores = -outputs if self.argmin else outputs
        others = np.array(scores)
        others[np.arange(len(self)), self.classes] = -np.inf
        return scores, others.argmax(axis=-1)


def _classes(values: ArrayLike) -> Classes:
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"classes must be whole numbers, not {array.dtype}")
    classes = np.array(array, dtype=np.int64).reshape(-1)
    classes.flags.writeable = False
    return classes
