"""onnxruntime as the outside evaluator of ONNX files: the only place that makes its sessions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError

if TYPE_CHECKING:
    import onnxruntime


@cache
def _faults() -> tuple[type[Exception], ...]:
    """What onnxruntime raises on files and inputs; it has no common class of them."""
    from onnxruntime.capi import onnxruntime_pybind11_state as faults  # noqa: PLC0415  # as below

    return (
        faults.EPFail,
        faults.Fail,
        faults.InvalidArgument,
        faults.InvalidGraph,
        faults.InvalidProtobuf,
        faults.NotImplemented,
        faults.RuntimeException,
        RuntimeError,
        MemoryError,
        ValueError,  # an input of another type or rank than the file declares
    )


@dataclass(frozen=True, eq=False)
class OnnxSession:
    """A file as onnxruntime runs it, on one thread of the processor.

    ``session``: None where onnxruntime does not run the file (it has no LeakyRelu for double, for
    instance); ``reason``: why not, in its own words. What it cannot run it cannot confirm: that
    is no fault of the file.
    """

    session: onnxruntime.InferenceSession | None
    reason: str = ""

    @staticmethod
    def of(content: bytes) -> OnnxSession:
        """The session of a file's ``content``."""
        import onnxruntime  # noqa: PLC0415  # a quarter of a second: only where a file is run

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is in ``reason``, not on stderr
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _faults() as error:
            return OnnxSession(None, " ".join(str(error).split()))
        return OnnxSession(session)

    def outputs(self, x: NDArray[Any]) -> NDArray[Any] | None:
        """The first output, flat, in the file's type; None where the file does not run.

        ``x``: one input in the type that the file takes; its shape may lack the batch axis, which
        is 1 here where the file leaves it open.
        """
        if self.session is None:
            return None
        try:
            taken = self.session.get_inputs()[0]
            shape = [n if isinstance(n, int) else 1 for n in taken.shape]
            sized = x.reshape(shape if prod(shape) == x.size else (1, *x.shape))
            return np.asarray(self.session.run(None, {taken.name: sized})[0]).reshape(-1)
        except _faults():
            return None

    def tensor(self, name: str, batch: NDArray[Any]) -> NDArray[Any]:
        """Tensor ``name``, one of the outputs, at a ``batch`` of inputs as the file takes them.

        Raises InputError, with onnxruntime's reason, where the file does not run.
        """
        if self.session is None:
            raise InputError(f"onnxruntime: {self.reason[:200]}")
        try:
            (found,) = self.session.run([name], {self.session.get_inputs()[0].name: batch})
        except _faults() as error:
            raise InputError(f"onnxruntime: {' '.join(str(error).split())[:200]}") from error
        return np.asarray(found)
