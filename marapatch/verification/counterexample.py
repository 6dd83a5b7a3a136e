"""A counterexample as the verification competition writes it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from marapatch.arithmetic.rationals import exact_text
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.network.onnx.session import OnnxSession
from marapatch.problem.verdict import Witness


def counterexample(witness: Witness, outputs: Array) -> str:
    """The competition's text: ``((X_0 value) ... (Y_0 value) ...)``.

    Inputs are exact: numbers of the file's type in as few digits as tell them apart, others (where
    the witness is a point of its own) in all their digits. ``outputs``: those to print, usually
    onnxruntime's on the file; printed as given.
    """
    inputs = witness.input.reshape(-1)
    written = [number_text(x) for x in inputs]
    if witness.exact is not None:
        for i, value in enumerate(witness.exact):
            if value != Fraction(float(inputs[i])):
                written[i] = exact_text(value)
    pairs = [f"(X_{i} {text})" for i, text in enumerate(written)]
    pairs += [f"(Y_{j} {number_text(y)})" for j, y in enumerate(outputs.ravel())]
    return "(" + "\n".join(pairs) + ")\n"


def outputs_of(network: Network, witness: Witness) -> Array:
    """What onnxruntime gives at a witness on the file as given, in the file's type; where there is
    no ONNX file, or it does not run, the network's own float64 outputs."""
    source = network.source
    if source is None or source.format != "onnx":
        return witness.outputs
    outputs = OnnxSession.of(source.content).outputs(witness.input)
    if outputs is None or outputs.size != network.outputs:
        return witness.outputs
    return outputs


def number_text(value: np.floating) -> str:
    """A float in as few digits as tell it from others of its type, without an exponent."""
    return np.format_float_positional(value, unique=True, trim="0")
