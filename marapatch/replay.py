"""The only place that makes a :class:`~marapatch.verdict.Witness`: a claim is re-evaluated.

Trusted here: float64 arithmetic of numpy (IEEE 754, round to nearest) and the network as read.
Not trusted: whoever proposes the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from marapatch.ball import Ball
from marapatch.network.layers import Array
from marapatch.network.network import Network
from marapatch.network.standard_form import gamma
from marapatch.properties import OutputCondition
from marapatch.verdict import Witness


@dataclass(frozen=True, eq=False)
class Replay:
    """Judges claimed witnesses on ``network``.

    ``ball``: its centre, norm and box (the radius does not matter). The centre must be
    representable in the network's input type.
    """

    network: Network
    ball: Ball
    condition: OutputCondition

    def __call__(self, claimed: Array) -> Witness | None:
        """The witness made of ``claimed`` (inputs,), or None where it does not hold.

        The claim is rounded to the file's input type inside the box; what is measured and
        evaluated is that rounded vector. Every row of the condition must be met by more than the
        bound on the evaluation error.
        """
        vector = round_into_box(claimed, self.ball, self.network.input_dtype)
        if vector is None:
            return None
        x = vector.astype(np.float64)
        outputs, error = self.network.standard_form.evaluation_error(x)
        slack = self.condition.slack(outputs[None])[0]
        size = np.abs(self.condition.matrix) @ np.abs(outputs) + np.abs(self.condition.rhs)
        doubt = np.abs(self.condition.matrix) @ error + gamma(outputs.size + 2) * size
        margin = float((slack - doubt * (1.0 + gamma(outputs.size))).min())
        if not margin > 0.0:
            return None
        distance = self.ball.norm.between(x, self.ball.centre)
        shaped = vector.reshape(self.network.input_shape)
        return Witness(shaped, distance, margin, outputs, self._confirm(shaped))

    def _confirm(self, vector: NDArray[np.floating]) -> bool | None:
        """Whether onnxruntime on the file as given meets the condition strictly too."""
        if self._session is None:
            return None
        name = self._session.get_inputs()[0].name
        shape = [1 if not isinstance(n, int) else n for n in self._session.get_inputs()[0].shape]
        outputs = self._session.run(None, {name: vector.reshape(shape)})[0]
        flat = np.asarray(outputs, dtype=np.float64).reshape(1, -1)
        if flat.shape[1] != self.condition.matrix.shape[1]:
            return None  # the file ends in an ArgMax, which was dropped
        return bool(self.condition.worst(flat)[0] > 0.0)

    def __getstate__(self) -> dict[str, object]:
        """Without the session, which no other process can be given: each makes its own."""
        return {name: value for name, value in vars(self).items() if name != "_session"}

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession | None:
        source = self.network.source
        if source is None or source.format != "onnx":
            return None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            source.content, options, providers=["CPUExecutionProvider"]
        )


def round_into_box(
    claimed: Array, ball: Ball, dtype: np.dtype[np.floating]
) -> NDArray[np.floating] | None:
    """``claimed`` as ``dtype``, every entry inside the box; None where an entry has no room.

    Entries that may not change become the centre's.
    """
    if not np.isfinite(claimed).all():
        return None
    free = ball.lower < ball.upper
    inside = np.where(free, np.clip(claimed, ball.lower, ball.upper), ball.centre)
    vector = inside.astype(dtype)
    above, below = vector > ball.upper, vector < ball.lower
    vector[above] = np.nextafter(vector[above], dtype.type(-np.inf))
    vector[below] = np.nextafter(vector[below], dtype.type(np.inf))
    exact = vector.astype(np.float64)
    fits = (exact >= ball.lower) & (exact <= ball.upper)
    return vector if fits.all() else None
