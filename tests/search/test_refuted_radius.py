"""The lower end that dual values prove for a layer behind which no ReLU follows."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import PROVED, Norm
from marapatch.problem.question import Question
from marapatch.search.last_layer import refuted_radius


def inexact(norm: Norm) -> Question:
    """``w x >= 1`` where w is 1 up to an error of 1/2: the nearest x may be at 2/3."""
    layer = AffineMap((0,), (np.ones((1, 1)),), np.zeros(1), (np.full((1, 1), 0.5),), np.zeros(1))
    ball = Ball(np.zeros(1), np.full(1, -inf), np.full(1, inf), norm, inf)
    return Question(
        StandardForm(1, (), layer), ball, OutputCondition(np.eye(1), np.ones(1)), lambda _: None
    )


@pytest.mark.parametrize("norm", list(PROVED))
@pytest.mark.parametrize("about", [1e-6, 1e-3, 0.1, 0.5, 2.0 / 3.0, 1.0, 10.0])
def test_errors_count_as_far_out_as_the_proof_reaches(norm: Norm, about: float) -> None:
    """Errors grow with the change: those of a small ball prove nothing beyond it."""
    assert refuted_radius(inexact(norm), np.ones(1), about) <= 2.0 / 3.0


def test_where_the_optimum_is_expected_rightly_it_is_nearly_proved() -> None:
    proved = refuted_radius(inexact(Norm.LINF), np.ones(1), 0.5)
    assert proved == pytest.approx(0.5, rel=1e-5)
