"""The parts of an ONNX file, counted before the file is parsed.

A message of two bytes becomes an object of a hundred, so a small file can fill the memory and a
chain of operators can be too long for any proof. Only tags and lengths are read here (the wire
format of protocol buffers: a varint ``field << 3 | type``, then a varint, 4 or 8 bytes, or a
length and as many bytes), and only of the messages that can stand for many.
"""

from __future__ import annotations

from collections.abc import Mapping

from marapatch.errors import InputError

MAX_NODES = 10_000
"""Operators in a file. The deepest networks in use have about two thousand."""

MAX_PARTS = 200_000
"""Messages in a file: operators, their inputs and attributes, tensors and what describes them."""

Fields = Mapping[int, str]

_MESSAGES: Mapping[str, Fields] = {
    "model": {7: "graph", 8: "leaf", 14: "leaf", 20: "training", 25: "function", 26: "leaf"},
    "training": {1: "graph", 2: "graph", 3: "leaf", 4: "leaf"},
    "graph": {
        **{1: "node", 5: "tensor", 11: "described", 12: "described", 13: "described"},
        **{14: "leaf", 15: "sparse", 16: "leaf"},
    },
    "function": {7: "node", 9: "leaf", 11: "attribute", 12: "described", 14: "leaf"},
    "node": {1: "leaf", 2: "leaf", 5: "attribute", 9: "leaf", 10: "leaf"},
    "attribute": {
        **{5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "described", 15: "described"},
        **{22: "sparse", 23: "sparse"},
    },
    "tensor": {13: "leaf", 16: "leaf"},
    "sparse": {1: "tensor", 2: "tensor"},
    "described": {2: "type", 4: "leaf"},
    "type": {1: "shaped"},
    "shaped": {2: "shape"},
    "shape": {1: "leaf"},
    "leaf": {},
}
"""Which fields of a message are messages themselves (ONNX, onnx.proto)."""


def check_parts(content: bytes) -> None:
    """Raise InputError where ``content`` has more parts than any network, or a length in it
    reaches beyond its end."""
    nodes = parts = 0
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, place, end = waiting.pop()
        inner = _MESSAGES[kind]
        while place < end:
            tag, place = _varint(content, place, end)
            field, wire = tag >> 3, tag & 7
            if wire == 0:
                _, place = _varint(content, place, end)
                continue
            if wire == 2:
                length, place = _varint(content, place, end)
            else:
                length = {1: 8, 5: 4}.get(wire, -1)
            if length < 0 or length > end - place:
                raise InputError("is no ONNX file, or cut off (a length in it is wrong)")
            if wire == 2 and field in inner:
                parts += 1
                nodes += inner[field] == "node"
                if nodes > MAX_NODES or parts > MAX_PARTS:
                    what, most = (
                        ("operators", MAX_NODES) if nodes > MAX_NODES else ("parts", MAX_PARTS)
                    )
                    raise InputError(
                        f"has more than {most} {what}: too many for a network to be proved about; "
                        "give a smaller one"
                    )
                if _MESSAGES[inner[field]]:
                    waiting.append((inner[field], place, place + length))
            place += length


def _varint(content: bytes, place: int, end: int) -> tuple[int, int]:
    """The number at ``place``, and the place after it."""
    value = shift = 0
    while place < end and shift < 70:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise InputError("is no ONNX file, or cut off (it ends within a number)")
