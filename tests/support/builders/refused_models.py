"""ONNX files that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx_models import node

RNG = np.random.default_rng(7)


def gemm(*rest: Any) -> list[Any]:
    return [node("Gemm", ["x", "w"], ["g"]), *rest]
