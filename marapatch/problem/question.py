"""One question of minimal distance: the form in which every search takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.verdict import Replayed


@dataclass(frozen=True, eq=False)
class Question:
    """How far from ``ball.centre`` is the nearest input in the box that meets ``condition``?

    ``form``: the network. ``ball``: centre, norm and box; its radius is the farthest that is
    asked about. ``condition``: closed, asked as it is. ``replay``: judges a claimed input on the
    original object (a network, or a patch seen as an input of its tail); the search believes
    nothing else. Adversarial inputs and single-input patches are both asked in this form.
    """

    form: StandardForm
    ball: Ball
    condition: OutputCondition
    replay: Callable[[Array], Replayed | None]
