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
    from marapatch.errors import (
        BackendError,
        ContradictionError,
        InputError,
        MarapatchError,
        ScopeError,
        UnsupportedOperatorError,
    )
    from marapatch.files.memory import memory_limit
    from marapatch.groundtruth.api import ground_truth
    from marapatch.groundtruth.options import GroundTruthOptions
    from marapatch.groundtruth.result import GroundTruth, Progress, TargetResult
    from marapatch.modelling import (
        Expression,
        Problem,
        absolute,
        all_of,
        any_of,
        at_most_k_nonzero,
        clip,
        decides,
        decides_one_of,
        decides_other,
        leaky_relu,
        maximum,
        minimum,
        norm1,
        norm_inf,
        relu,
    )
    from marapatch.network.graph import Network
    from marapatch.network.load import load
    from marapatch.patch_attacks.api import PatchAttack, patch_attack
    from marapatch.patch_attacks.dataset_run import PatchAttackSet, patch_attack_images
    from marapatch.patch_attacks.halving import FirstLayerPatch, find_first_layer_patch
    from marapatch.patch_attacks.options import PatchAttackOptions, Stage
    from marapatch.patch_attacks.realise import realise
    from marapatch.patching.api import minimal_patch
    from marapatch.patching.mark_graph import Marking, mark
    from marapatch.patching.options import PatchOptions
    from marapatch.patching.patch import Patch
    from marapatch.patching.sparse import sparse_patch
    from marapatch.problem.conditions import Rule
    from marapatch.problem.norm import Norm
    from marapatch.problem.verdict import Evidence, Sat, Unknown, Unsat, Witness
    from marapatch.verification.api import verify

_HOMES = {
    "problem.norm": ("Norm",),
    "errors": (
        "BackendError",
        "ContradictionError",
        "InputError",
        "MarapatchError",
        "ScopeError",
        "UnsupportedOperatorError",
    ),
    "groundtruth.api": ("ground_truth",),
    "groundtruth.options": ("GroundTruthOptions",),
    "groundtruth.result": ("GroundTruth", "Progress", "TargetResult"),
    "files.memory": ("memory_limit",),
    "modelling": (
        "Expression",
        "Problem",
        "absolute",
        "all_of",
        "any_of",
        "at_most_k_nonzero",
        "clip",
        "decides",
        "decides_one_of",
        "decides_other",
        "leaky_relu",
        "maximum",
        "minimum",
        "norm1",
        "norm_inf",
        "relu",
    ),
    "network.load": ("load",),
    "network.graph": ("Network",),
    "patch_attacks.options": ("PatchAttackOptions", "Stage"),
    "patch_attacks.halving": ("FirstLayerPatch", "find_first_layer_patch"),
    "patching.mark_graph": ("Marking", "mark"),
    "patching.api": ("minimal_patch",),
    "patching.options": ("PatchOptions",),
    "patching.patch": ("Patch",),
    "patching.sparse": ("sparse_patch",),
    "patch_attacks.dataset_run": ("PatchAttackSet", "patch_attack_images"),
    "patch_attacks.api": ("PatchAttack", "patch_attack"),
    "patch_attacks.realise": ("realise",),
    "problem.conditions": ("Rule",),
    "problem.verdict": ("Evidence", "Sat", "Unknown", "Unsat", "Witness"),
    "verification.api": ("verify",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = {"attacks": "witnesses.attacks"}

__all__ = [  # noqa: RUF022  # in the order in which one meets them
    "load",
    "memory_limit",
    "ground_truth",
    "GroundTruth",
    "GroundTruthOptions",
    "TargetResult",
    "Progress",
    "minimal_patch",
    "sparse_patch",
    "Patch",
    "PatchOptions",
    "mark",
    "Marking",
    "find_first_layer_patch",
    "FirstLayerPatch",
    "realise",
    "patch_attack",
    "PatchAttack",
    "PatchAttackOptions",
    "patch_attack_images",
    "PatchAttackSet",
    "Stage",
    "verify",
    "Problem",
    "Expression",
    "absolute",
    "all_of",
    "any_of",
    "at_most_k_nonzero",
    "clip",
    "decides",
    "decides_one_of",
    "decides_other",
    "leaky_relu",
    "maximum",
    "minimum",
    "norm1",
    "norm_inf",
    "relu",
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
        return import_module(f"marapatch.{_MODULES[name]}")
    raise AttributeError(f"module 'marapatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
