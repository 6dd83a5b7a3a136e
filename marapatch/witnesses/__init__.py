"""What only proposes: attacks, first witnesses, polishing, linear regions.

Nothing here is believed before it is replayed. What looks for a first witness takes a question and
a deadline and gives a replayed point or None (:data:`WitnessSearch`); what makes one nearer takes
the witness too, and never gives a farther one.
"""

from __future__ import annotations

from collections.abc import Callable

from marapatch.problem.question import Question
from marapatch.problem.verdict import Replayed

WitnessSearch = Callable[[Question, float], Replayed | None]
"""``search(question, deadline)``: a replayed witness of ``question``, or None where none is found
before ``deadline`` (of ``time.monotonic``); that none is found proves nothing."""
