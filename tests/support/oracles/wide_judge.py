"""An answer of the program held against the exact one."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from time import monotonic

import numpy as np
from rational_onnx import exact
from wide_networks import WideCase

from marapatch.errors import (
    BackendError,
    ContradictionError,
    InputError,
    UnsupportedOperatorError,
)
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth, TargetResult
from marapatch.network.load import load

OVERSTATED = Fraction(1, 10**9)
"""By so much of itself the reported distance of a witness may exceed the exact one."""

MISTAKEN = "is the label itself"
"""How a target is refused that the program takes for the decision; none of those asked about is."""

SMALLEST = Fraction(1, 2**1070)


@dataclass(frozen=True)
class Judgement:
    """What became of one question. ``outcome``: closed, open, refused, contradiction or crash.

    ``wrong``: every false claim, in words; ``message``: of the error; ``warned``: the first
    warning; ``note``: why an open bracket is open, as the program says.
    """

    outcome: str
    wrong: tuple[str, ...] = ()
    message: str = ""
    warned: str = ""
    seconds: float = 0.0
    lower: float = 0.0
    upper: float = inf
    evidence: str = ""
    confirmed: bool | None = None
    note: str = ""


def judged(case: WideCase, search: str, timeout: float | None, **options: object) -> Judgement:
    """Ask the program about ``case`` as a user would, from the file on, and judge the answer."""
    started = monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _asked(case, search, timeout, options)
    seconds = monotonic() - started
    warned = " ".join(str(caught[0].message).split())[:200] if caught else ""
    if not isinstance(found, GroundTruth):
        outcome, message = found
        wrong = (message,) if MISTAKEN in message else ()
        return Judgement(outcome, wrong, message, warned, seconds)
    confirmed = None if found.already else _confirmed(found)
    return Judgement(
        "closed" if found.closed else "open",
        tuple(faults(case, found)),
        warned=warned,
        seconds=seconds,
        lower=found.lower,
        upper=found.upper,
        evidence=found.evidence.value,
        confirmed=confirmed,
        note="" if found.closed else max((t.note for t in found.targets), default=""),
    )


def _asked(
    case: WideCase, search: str, timeout: float | None, options: dict[str, object]
) -> GroundTruth | tuple[str, str]:
    chosen = GroundTruthOptions(
        search=search,
        timeout=timeout,
        tolerance=case.tolerance,
        margin=float(case.exact.margin),
        **options,  # type: ignore[arg-type]
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.onnx"
            file.write_bytes(case.content)
            network = load(file)
            return ground_truth(
                network,
                case.place.centre,
                norm=case.exact.norm,
                label=case.label,
                target=case.target,
                each_target=case.each_target,
                box=(case.place.lower, case.place.upper),
                decision="argmin" if case.exact.least else "argmax",
                options=chosen,
            )
    except ContradictionError as error:
        return "contradiction", _told(error)
    except BackendError as error:
        return "crash", _told(error)
    except (InputError, UnsupportedOperatorError) as error:
        return "refused", _told(error)
    except Exception as error:  # noqa: BLE001  # whatever else it is, it is a finding
        return "crash", _told(error)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


def _confirmed(found: GroundTruth) -> bool | None:
    known = [t.witness for t in found.targets if t.witness is not None]
    return min(known, key=lambda w: w.distance).confirmed if known else None


def faults(case: WideCase, found: GroundTruth) -> list[str]:
    """Every claim of the answer that is false, in words."""
    question = case.exact
    wrong = []
    if case.label is None and found.label != case.decided:
        wrong.append(f"label {found.label}, right {case.decided}")
    if found.decided != case.decided:
        wrong.append(f"decided {found.decided}, right {case.decided}")
    if found.already:
        witness = found.witness
        if witness is None or [exact(v) for v in witness.reshape(-1)] != [*question.centre]:
            wrong.append("already decided otherwise, and the witness is not the image")
        asked = found.decided in case.optima
        if not asked or not question.meets(found.decided, question.centre):
            wrong.append("already decided otherwise, which is not so")
        return wrong
    if wrong:
        return wrong  # the targets are others than those whose optima are known
    for target in found.targets:
        wrong += [f"target {target.target}: {fault}" for fault in _of_target(case, target)]
    nearest = case.nearest
    if _exceeds(found.lower, nearest):
        wrong.append(f"lower {found.lower!r} beyond the optimum {_shown(nearest)}")
    if found.upper < inf and (nearest is None or exact(found.upper) < nearest):
        wrong.append(f"upper {found.upper!r} under the optimum {_shown(nearest)}")
    return wrong


def _of_target(case: WideCase, target: TargetResult) -> list[str]:
    optimum = case.optima[target.target]
    wrong = []
    if _exceeds(target.lower, optimum):
        wrong.append(f"lower {target.lower!r} beyond the optimum {_shown(optimum)}")
    if target.witness is not None:
        vector = target.witness.input
        dtype = np.float32 if case.exact.network.single else np.float64
        if vector.dtype != dtype:
            wrong.append(f"a witness of {vector.dtype}")
        wrong += _of_witness(case, target, [exact(v) for v in vector.reshape(-1)])
    return wrong


def _of_witness(case: WideCase, target: TargetResult, point: Sequence[Fraction]) -> list[str]:
    question = case.exact
    wrong = []
    if not question.inside(point):
        wrong.append("a witness outside the box")
    if not question.meets(target.target, point):
        scores = question.scores(point)
        rival = max(score for k, score in enumerate(scores) if k != target.target)
        wrong.append(f"a witness decided otherwise, lead {_shown(scores[target.target] - rival)}")
    distance = question.distance(point)
    if not distance <= exact(target.upper) <= distance * (1 + OVERSTATED) + SMALLEST:
        wrong.append(f"upper {target.upper!r} for a witness at {_shown(distance)}")
    return wrong


def _exceeds(lower: float, optimum: Fraction | None) -> bool:
    return optimum is not None and (not lower < inf or exact(lower) > optimum)


def _shown(number: Fraction | None) -> str:
    """A fraction of any size for people."""
    if number is None:
        return "(none)"
    if number == 0 or 2.0**-1000 < abs(number) < 2.0**1000:
        return repr(float(number))
    digits = len(str(abs(number.numerator))) - len(str(number.denominator))
    return f"{'-' if number < 0 else ''}1e{digits} or so"
