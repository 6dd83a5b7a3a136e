"""The benchmark networks, and what is known of them."""

from __future__ import annotations

REFUSED = {"mnist_nets/marabou/mnist2x5_sigmoid.onnx"}
