"""What onnxruntime makes of a whole file: the outputs that a witness or a patch is checked on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession


def run_onnx(content: bytes, inputs: NDArray[np.floating], network: Network) -> Array | None:
    """The outputs (n, outputs) of onnxruntime, float64, those of a Softmax as scores; None where
    the file ends otherwise, or onnxruntime does not run it."""
    session = OnnxSession.of(content)
    outputs = []
    for x in inputs.astype(network.input_dtype):
        y = session.outputs(x.reshape(network.input_shape))
        if y is None or y.size != network.outputs:
            return None  # the file ends in an ArgMax, which was dropped
        outputs.append(y.reshape(-1).astype(np.float64))
    return network.output_transform.scores(np.array(outputs))
