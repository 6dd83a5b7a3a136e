"""Attributes of a node are taken one by one: none is overlooked."""

from __future__ import annotations

import pytest
from onnx_models import node

from marapatch.errors import UnsupportedOperatorError
from marapatch.network.onnx.node import Node


def test_attributes_are_read_once() -> None:
    read = Node(node("LeakyRelu", ["x"], ["y"], alpha=0.5, name="named"), 13)
    assert (read.operator, read.output, read.label) == ("LeakyRelu", "y", "LeakyRelu 'named'")
    assert read.take("alpha") == 0.5
    assert read.take("alpha", 0.25) == 0.25
    read.finish()


def test_an_attribute_that_nobody_reads_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedOperatorError, match=r"attribute beta = 2\.0"):
        Node(node("Gemm", ["x", "w"], ["y"], beta=2.0), 13).finish()


def test_only_the_values_named_are_allowed() -> None:
    Node(node("Pad", ["x"], ["y"]), 13).allow("mode", "constant")
    Node(node("Pad", ["x"], ["y"], mode="edge"), 13).allow("mode", "constant", "edge")
    with pytest.raises(UnsupportedOperatorError, match="mode"):
        Node(node("Pad", ["x"], ["y"], mode="wrap"), 13).allow("mode", "constant", "edge")


def test_an_input_that_is_left_out_has_no_name() -> None:
    read = Node(node("Clip", ["x", "", "high"], ["y"]), 13)
    assert [read.input(number) for number in range(4)] == ["x", "", "high", ""]


def test_names_that_move_the_cursor_are_shown_plainly() -> None:
    assert "\n" not in Node(node("Re\nlu", ["x"], ["y\x1b"]), 13).label
