"""What a chain of Softmax, LogSoftmax and ArgMax amounts to."""

from __future__ import annotations

import pytest
from probability_rows import LOG_SOFTMAX, SOFTMAX

from marapatch.network.output_transform import OutputTransform


@pytest.mark.parametrize(
    ("operators", "transform"),
    [
        ([], OutputTransform.NONE),
        (["Softmax"], SOFTMAX),
        (["LogSoftmax"], LOG_SOFTMAX),
        (["LogSoftmax", "LogSoftmax"], LOG_SOFTMAX),
        (["LogSoftmax", "Softmax"], SOFTMAX),
        (["Softmax", "LogSoftmax"], OutputTransform.SEVERAL),
        (["Softmax", "Softmax"], OutputTransform.SEVERAL),
        (["Softmax", "ArgMax"], OutputTransform.ARGMAX),
    ],
)
def test_chains_of_operators(operators: list[str], transform: OutputTransform) -> None:
    assert OutputTransform.of(operators) is transform
