"""The answer: a patch with its bracket, and what became of the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import ContradictionError, InputError
from marapatch.network.graph import Network, PatchableLayer
from marapatch.network.layers import Array
from marapatch.network.onnx.writer import write_onnx
from marapatch.patching.goals import Goal
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Evidence
from marapatch.search.options import QueryRecord


@dataclass(frozen=True, eq=False)
class Patch:
    """The least change of one layer: no smaller one than ``lower`` meets every goal (proved), and
    ``delta`` does, with the size ``upper`` as it is written into the file.

    ``norm``: ``linf``, ``l1`` or ``l0``. ``delta``, ``delta_bias``: new numbers minus old ones, in
    the shapes of :meth:`Network.weights`; None where no patch is known. ``margins``: by input, by
    how much its goal is exceeded, evaluation error subtracted. ``outputs``: (n, outputs) of the
    patched network. ``confirmed``: whether onnxruntime on the patched file meets the goals too.
    ``impossible``: the inputs whose goals no change of this layer can meet, where that is why
    ``lower`` is infinite. ``engine``: how it was found. ``note``: why an open bracket is open.
    """

    network: Network
    layer: PatchableLayer
    norm: str
    inputs: NDArray[np.floating]
    goals: tuple[Goal, ...]
    lower: float
    upper: float
    evidence: Evidence
    tolerance: float
    delta: Array | None = None
    delta_bias: Array | None = None
    margins: Array | None = None
    outputs: Array | None = None
    confirmed: bool | None = None
    impossible: tuple[int, ...] = ()
    engine: str = ""
    queries: tuple[QueryRecord, ...] = ()
    nodes: int = 0
    seconds: float = 0.0
    note: str = ""
    interrupted: bool = False

    @property
    def margin(self) -> float:
        """The margin that every goal asks: the least of them."""
        return min(goal.margin for goal in self.goals)

    @property
    def closed(self) -> bool:
        """Whether the bracket is closed to the (relative) tolerance, or no patch exists."""
        return (
            self.upper == self.lower or self.upper - self.lower <= self.tolerance * self.upper < inf
        )

    @property
    def infeasible(self) -> bool:
        """Whether it is proved that no patch of this layer meets the goals."""
        return self.lower == inf

    @property
    def already(self) -> bool:
        """Whether the network meets every goal as it is."""
        return self.upper == 0.0

    @property
    def changed_weights(self) -> int:
        """How many numbers (weights and biases) the patch changes."""
        return int(np.count_nonzero(self._numbers))

    @property
    def size_linf(self) -> float:
        """The largest change, whatever norm was minimised."""
        return Norm.LINF.distance(self._numbers)

    @property
    def size_l1(self) -> float:
        """The sum of the absolute changes, whatever norm was minimised; rounded up."""
        return Norm.L1.distance(self._numbers)

    @property
    def _numbers(self) -> Array:
        parts = [part.reshape(-1) for part in (self.delta, self.delta_bias) if part is not None]
        return np.concatenate(parts) if parts else np.zeros(0)

    def apply(self, network: Network | None = None) -> Network:
        """``network`` (the one that was patched, where None) with the patch in it.

        Raises :class:`InputError` where no patch is known or the layer does not fit.
        """
        if self.delta is None:
            raise InputError("no patch is known, so there is nothing to apply")
        target = self.network if network is None else network
        weight, bias = target.weights(self.layer.node)
        changed = self.delta_bias is not None and bool(self.delta_bias.any())
        if weight.shape != self.delta.shape:
            raise InputError(
                f"layer {self.layer.node!r} has weights of shape {weight.shape}, the patch "
                f"{self.delta.shape}"
            )
        new_bias = bias + self.delta_bias if changed and self.delta_bias is not None else None
        return target.with_weights(self.layer.node, weight + self.delta, new_bias)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the patched network as an ONNX file; InputError where it cannot be."""
        write_onnx(self.apply(), path)


def check_agreement(layer: PatchableLayer, lower: float, upper: float) -> None:
    """Raise ContradictionError where a proof and a verified patch of ``layer`` contradict."""
    if lower > upper:
        raise ContradictionError(
            f"layer {layer.number}: a proof says that no patch is smaller than {lower!r}, and one "
            f"of {upper!r} was judged good: please report this"
        )
