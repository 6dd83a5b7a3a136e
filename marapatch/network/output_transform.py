"""What a file does with a network's scores last: something that is no piecewise-linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from marapatch.network.layers import Array


class OutputTransform(Enum):
    """What follows the scores in the file and is not part of the network as read.

    All of them keep the largest score. SOFTMAX and LOG_SOFTMAX keep the order of all scores and
    nothing else: a constant, a sum or a difference of probabilities is another condition on the
    scores (:mod:`marapatch.problem.softmax_conditions`).
    """

    NONE = "none"
    SOFTMAX = "Softmax"
    LOG_SOFTMAX = "LogSoftmax"
    ARGMAX = "ArgMax"
    SEVERAL = "several Softmax operators"

    @staticmethod
    def of(operators: Sequence[str]) -> OutputTransform:
        """What a chain of Softmax, LogSoftmax and ArgMax operators amounts to."""
        if not operators:
            return OutputTransform.NONE
        if "ArgMax" in operators:
            return OutputTransform.ARGMAX
        # LogSoftmax takes the same constant off every score, and neither it nor Softmax sees that.
        *before, last = operators
        if "Softmax" in before:
            return OutputTransform.SEVERAL
        return OutputTransform(last)

    def scores(self, outputs: Array) -> Array:
        """Scores that give these outputs of the file, for display and comparison: logarithms of
        probabilities, which differ from the network's scores by a constant an input."""
        if self is OutputTransform.SOFTMAX:
            return np.asarray(np.log(np.maximum(outputs, np.finfo(np.float64).tiny)))
        return outputs
