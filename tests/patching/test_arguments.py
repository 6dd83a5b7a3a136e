"""What callers of the library may say of a patch, and what they hear where it does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marapatch as mp
from marapatch.errors import InputError
from marapatch.network.graph import dense_network

NETWORK = dense_network([np.eye(3)], [np.zeros(3)])
INPUT = np.array([1.0, 0.5, 0.25])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"norm": "l0"}, "norm 'l0' is not one of linf, l1: sparse_patch minimises how many"),
        ({"norm": "l2"}, "norm 'l2' is not one of linf, l1"),
        ({"norm": None}, "norm None is not one of linf, l1"),
        ({"decision": "max"}, "decision 'max' is not one of argmax, argmin"),
        ({"decision": None}, "decision None is not one of argmax, argmin"),
        ({"layer": "first"}, "layer 'first': give a number or 'last'"),
        ({"margin": -1.0}, "margin must be finite and at least 0"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        mp.minimal_patch(NETWORK, INPUT, 1, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"norm l0 needs a largest change.*give max_change"),
        ({"max_change": 1.0, "decision": "max"}, "decision 'max' is not one of argmax, argmin"),
    ],
)
def test_the_fewest_changes_need_a_largest_one(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        mp.sparse_patch(NETWORK, INPUT, 1, **given)


def test_the_fewest_changes_from_the_package_itself() -> None:
    options = mp.PatchOptions(nodes=50)
    patch = mp.sparse_patch(NETWORK, INPUT, 1, max_change=1.0, options=options)
    assert (patch.norm, patch.lower, patch.upper) == ("l0", 1.0, 1.0)
    assert patch.changed_weights == 1
