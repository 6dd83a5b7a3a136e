"""The seam every attack shares."""

from __future__ import annotations

from math import inf
from typing import Protocol

from marapatch.witnesses.attacks.problem import AttackResult, Problem


class Attack(Protocol):
    """Looks for the nearest success of every input of a problem, all at once.

    Laws, tested for every attack: what is returned went through
    :func:`marapatch.witnesses.attacks.problem.verify_claims`; nothing is returned that is farther
    than the incumbent; two runs with equal fields and no deadline return equal results; a failure
    is a result without success, never an error and never a bad vector.
    """

    def run(
        self, problem: Problem, incumbent: AttackResult | None = None, deadline: float = inf
    ) -> AttackResult:
        """Attack ``problem``; ``incumbent`` is a known result of the same problem to improve on.

        ``deadline``: a reading of :func:`time.monotonic` after which no further step is begun;
        where it strikes, the result depends on the speed of the machine.
        """
        ...
