"""The networks and images that come with the package."""

from __future__ import annotations

from marapatch.data.bundled import examples


def test_bundled_examples_are_there_by_name() -> None:
    assert {"mnist_3x24", "mnist_3x24_adversarial"} <= set(examples("network"))
    assert {"seven", "digits"} <= set(examples("image"))
