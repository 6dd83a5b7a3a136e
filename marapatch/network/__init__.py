"""Networks: read from files, evaluated, rewritten as affine maps and ReLUs."""

from marapatch.network.graph import Network, PatchableLayer, Source, dense_network
from marapatch.network.load import load
from marapatch.network.onnx.writer import write_onnx

__all__ = ["Network", "PatchableLayer", "Source", "dense_network", "load", "write_onnx"]
