"""Linear regions of small networks."""

from __future__ import annotations

import exact_values
from small_networks import Case

from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Witness


def holds(case: Case, witness: Witness) -> bool:
    """Whether the witness meets the condition in real arithmetic and lies where it says."""
    x = exact_values.fractions(witness.input.reshape(-1))
    outputs = exact_values.evaluate(case.network.standard_form, x)[1]
    centre = exact_values.fractions(case.ball.centre)
    away = [abs(a - c) for a, c in zip(x, centre, strict=True)]
    distance = max(away) if case.ball.norm is Norm.LINF else sum(away)
    inside = ((witness.input >= case.ball.lower) & (witness.input <= case.ball.upper)).all()
    rivals = [y for i, y in enumerate(outputs) if i != case.target]
    return bool(inside) and outputs[case.target] > max(rivals) and distance <= witness.distance
