"""How to search for an adversarial input by way of patches, and the record of one stage of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.problem.norm import PROVED
from marapatch.solvers import BACKENDS

Minimise = Literal["l0", "l1", "linf"]
"""What of the change is made small: its number of entries, its sum, its largest entry."""

Phases = Literal["free", "fixed", "linear"]
"""``free``: the ReLUs behind the patch take whatever phase they need. ``fixed``: they keep the
phase that they have on the image, as published. ``linear``: they are replaced by lines learnt
from samples, class by class."""

StageKind = Literal["middle patch", "halved patch", "realise", "shrink", "direct"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the way from the image to the adversarial input.

    ``layer``: the affine layer it is about (0 for the input's). ``lower``, ``upper``: of a patch,
    the bracket of the least size in ``norm`` of a patch of that layer that meets the stage's
    property; of an input, its distance in ``norm`` (lower 0). ``upper`` is infinite where the
    stage found nothing. ``changed``: how many weights, or entries of the input, it changes.
    """

    layer: int
    kind: StageKind
    lower: float
    upper: float
    norm: str
    seconds: float
    changed: int = 0
    note: str = ""


@dataclass(frozen=True)
class PatchAttackOptions:
    """``minimise``: what of the input's change is made small. ``phases``: see :data:`Phases`.
    ``max_pixel``: by how much an entry may change. ``margin``: by how much the target must lead.
    ``backend``: ``highs``, or who answers every query (``marabou``). ``timeout``: seconds for an
    image (None: no limit). ``patch_norm``: of the patches. ``fallback``: whether a direct search
    follows where halving fails. ``shrink``: whether what was found is made smaller.
    ``samples``: images for ``linear``. ``prove``: seconds a stage for raising the lower end of its
    bracket, which the attack itself does not need. ``exact``: seconds for a mixed-integer program
    of the fewest entries (``l0``) in the linear region that was found. ``targets``: how many
    classes are tried where none is named. Raises :class:`InputError` on a value out of range.
    """

    minimise: Minimise = "l0"
    phases: Phases = "free"
    max_pixel: float = 1.0
    margin: float = 1e-4
    backend: str = "highs"
    timeout: float | None = None
    patch_norm: str = "linf"
    fallback: bool = True
    shrink: bool = True
    samples: ArrayLike | None = field(default=None, compare=False)
    prove: float = 0.0
    exact: float = 0.0
    targets: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (
            ("minimise", get_args(Minimise)),
            ("phases", get_args(Phases)),
            ("backend", tuple(BACKENDS)),
            ("patch_norm", tuple(norm.value for norm in PROVED)),
        ):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name} {getattr(self, name)!r} is not one of {', '.join(choices)}"
                )
        if not 0.0 < self.max_pixel < inf:
            raise InputError(f"max_pixel must be positive and finite, not {self.max_pixel}")
        if not 0.0 <= self.margin < inf:
            raise InputError(f"the margin must be finite and at least 0, not {self.margin}")
        if self.timeout is not None and not 0.0 < self.timeout < inf:
            raise InputError(f"timeout must be a positive number of seconds, not {self.timeout}")
        for name in ("prove", "exact"):
            if not 0.0 <= getattr(self, name) < inf:
                raise InputError(f"{name} must be a number of seconds, not {getattr(self, name)}")
        if self.targets < 1:
            raise InputError(f"targets must be at least 1, not {self.targets}")
        if self.phases == "linear" and self.samples is None:
            raise InputError("phases 'linear' learn from samples: give images as samples")
        if self.samples is not None and not np.isfinite(np.asarray(self.samples, float)).all():
            raise InputError("the samples contain NaN or infinity")
