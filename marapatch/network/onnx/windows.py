"""The attributes of convolutions and pools, read as :class:`~marapatch.network.windows.Windows`."""

from __future__ import annotations

from marapatch.errors import InputError
from marapatch.network.onnx.node import Node
from marapatch.network.windows import Windows


def read_windows(node: Node, image: tuple[int, ...], kernel: tuple[int, ...] | None) -> Windows:
    """The windows of ``node`` over ``image``; ``kernel`` where its weights give it.

    Padding is explicit or automatic. ``ceil_mode`` is accepted where it makes no difference and
    refused elsewhere.
    """
    axes = len(image)
    size = tuple(node.take("kernel_shape", kernel or ()))
    if len(size) != axes or axes == 0 or (kernel is not None and size != kernel):
        raise InputError(f"{node.label}: kernel_shape {size} does not fit an image {image}")
    strides = tuple(node.take("strides", (1,) * axes))
    dilations = tuple(node.take("dilations", (1,) * axes))
    mode = node.take("auto_pad", "NOTSET")
    pads = tuple(node.take("pads", (0,) * (2 * axes)))
    if (len(strides), len(dilations), len(pads)) != (axes, axes, 2 * axes):
        raise InputError(f"{node.label}: strides, dilations or pads do not fit {axes} axes")
    if min((*size, *strides, *dilations)) < 1 or min(pads) < 0:
        raise InputError(f"{node.label}: a size, stride, dilation or pad is out of range")
    match mode:
        case "NOTSET":
            before, after = pads[:axes], pads[axes:]
        case "VALID":
            before = after = (0,) * axes
        case "SAME_UPPER" | "SAME_LOWER":
            total = tuple(
                max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
                for n, k, s, d in zip(image, size, strides, dilations, strict=True)
            )
            small = tuple(t // 2 for t in total)
            large = tuple(t - t // 2 for t in total)
            before, after = (small, large) if mode == "SAME_UPPER" else (large, small)
        case _:
            raise node.unsupported("auto_pad", mode)
    windows = Windows(image, size, strides, dilations, before, after)
    if min(windows.slack) < 0:
        raise InputError(f"{node.label}: a window {size} does not fit into the image {image}")
    rests = (room % stride for room, stride in zip(windows.slack, strides, strict=True))
    ceil_mode = node.take("ceil_mode", 0)
    if ceil_mode and any(rests):
        raise node.unsupported("ceil_mode", ceil_mode)
    return windows
