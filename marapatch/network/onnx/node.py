"""A node of an ONNX graph, whose attributes are taken one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import onnx

from marapatch.errors import UnsupportedOperatorError
from marapatch.files.reading import shown


@dataclass(frozen=True, eq=False)
class Node:
    """A node of the ONNX graph. Attributes are taken one by one, so that none is overlooked."""

    proto: Any
    opset: int
    attributes: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        found = {}
        for attribute in self.proto.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            text = value.decode(errors="replace") if isinstance(value, bytes) else value
            found[attribute.name] = text
        object.__setattr__(self, "attributes", found)

    @property
    def operator(self) -> str:
        """The operator's name."""
        return str(self.proto.op_type)

    @property
    def output(self) -> str:
        """The name of the first output."""
        return str(self.proto.output[0])

    @property
    def label(self) -> str:
        """How messages call the node: its operator and its name."""
        return f"{shown(self.operator)} {shown(self.proto.name or self.output)!r}"

    def input(self, number: int) -> str:
        """The name of an input, empty where it is left out."""
        names = self.proto.input
        return str(names[number]) if number < len(names) else ""

    def take(self, attribute: str, default: Any = None) -> Any:
        """The value of an attribute, which is marked as read."""
        return self.attributes.pop(attribute, default)

    def allow(self, attribute: str, *values: Any) -> None:
        """Read an attribute that may only have one of ``values``."""
        found = self.take(attribute, values[0])
        if found not in values:
            raise self.unsupported(attribute, found)

    def unsupported(self, attribute: str, value: Any) -> UnsupportedOperatorError:
        """The error for an attribute's value that is not supported."""
        return UnsupportedOperatorError(
            f"{self.label}: attribute {shown(attribute)} = {shown(repr(value))} is not supported; "
            "re-export without it"
        )

    def finish(self) -> None:
        """Refuse attributes that nobody read."""
        for attribute, value in self.attributes.items():
            raise self.unsupported(attribute, value)
