"""Ground-truth adversarial examples and minimal patches, with proof.

>>> import marapatch as mp
>>> network = mp.load("net.onnx")                                   # doctest: +SKIP
>>> truth = mp.ground_truth(network, image, norm="l1", target=3)    # doctest: +SKIP
>>> truth.lower, truth.upper, truth.witness                         # doctest: +SKIP

Names are imported when they are first used, so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marapatch.ball import Norm
    from marapatch.errors import (
        BackendError,
        ContradictionError,
        InputError,
        MarapatchError,
        ScopeError,
        UnsupportedOperatorError,
    )
    from marapatch.groundtruth import (
        GroundTruth,
        GroundTruthOptions,
        Progress,
        TargetResult,
        ground_truth,
    )
    from marapatch.network.load import load
    from marapatch.network.network import Network
    from marapatch.properties import Rule
    from marapatch.verdict import Evidence, Sat, Unknown, Unsat, Witness

_HOMES = {
    "ball": ("Norm",),
    "errors": (
        "BackendError",
        "ContradictionError",
        "InputError",
        "MarapatchError",
        "ScopeError",
        "UnsupportedOperatorError",
    ),
    "groundtruth": (
        "GroundTruth",
        "GroundTruthOptions",
        "Progress",
        "TargetResult",
        "ground_truth",
    ),
    "network.load": ("load",),
    "network.network": ("Network",),
    "properties": ("Rule",),
    "verdict": ("Evidence", "Sat", "Unknown", "Unsat", "Witness"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("attacks",)

__all__ = [  # noqa: RUF022  # in the order in which one meets them
    "load",
    "ground_truth",
    "GroundTruth",
    "GroundTruthOptions",
    "TargetResult",
    "Progress",
    "Network",
    "Norm",
    "Rule",
    "Evidence",
    "Sat",
    "Unsat",
    "Unknown",
    "Witness",
    "MarapatchError",
    "InputError",
    "UnsupportedOperatorError",
    "BackendError",
    "ScopeError",
    "ContradictionError",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"marapatch.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"marapatch.{name}")
    raise AttributeError(f"module 'marapatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
