"""Questions for the tests of this folder."""

from __future__ import annotations

import pytest
from scripted_solver import bent_question

from marapatch.problem.question import Question


@pytest.fixture
def question() -> Question:
    return bent_question()
