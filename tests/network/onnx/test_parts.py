"""The parts of an ONNX file are counted before it is parsed."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import model, node

from marapatch.errors import InputError
from marapatch.network.onnx import parts
from marapatch.network.onnx.parts import check_parts


def content(nodes: int) -> bytes:
    chain = [node("Relu", ["x" if k == 0 else f"n{k - 1}"], [f"n{k}"]) for k in range(nodes - 1)]
    chain.append(node("Add", [f"n{nodes - 2}", "c"], ["y"]))
    return bytes(model(chain, [1, 2], {"c": np.ones(2)}).SerializeToString())


def test_a_network_of_any_usual_size_passes() -> None:
    check_parts(content(2))
    check_parts(content(500))


def test_too_many_operators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_NODES", 20)
    check_parts(content(20))
    with pytest.raises(InputError, match="more than 20 operators"):
        check_parts(content(21))


def test_too_many_parts_of_any_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 60)
    with pytest.raises(InputError, match="more than 60 parts"):
        check_parts(content(50))


@pytest.mark.parametrize("end", [1, 7, 20, 40])
def test_what_is_cut_off_is_refused(end: int) -> None:
    whole = content(3)
    with pytest.raises(InputError, match="cut off"):
        check_parts(whole[:-end])


@pytest.mark.parametrize("bad", [b"\xff" * 12, b"\x3a\xff\xff\xff\x0f", b"\x0b"])
def test_what_is_no_message_is_refused(bad: bytes) -> None:
    with pytest.raises(InputError, match="no ONNX file"):
        check_parts(bad)
