"""An earlier result of the same question, handed on: where a long run goes on.

Its witnesses are replayed like any claim. Its lower ends cannot be checked here: they are the
file's word (evidence ``file``) until a proof of this run goes beyond them, and they are taken only
where the file says that it is about the very same question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.reading import read_bytes
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule

JSON_BYTES = 24.0
"""Of memory for each byte of a file: its text, and the objects that it becomes."""

Question = Mapping[str, object]


def question_of(
    network: Network, ball: Ball, rule: Rule, margin: float, label: int, targets: Iterable[int]
) -> dict[str, object]:
    """What must be the same for a lower end to hold: the network's file, the image and its box as
    float64 numbers (their sha256), and what is asked."""
    source = network.source
    return {
        "network": None if source is None else source.sha256,
        "image": _digest(ball.centre),
        "box": _digest(np.concatenate([ball.lower, ball.upper])),
        "norm": ball.norm.value,
        "decision": rule.value,
        "margin": margin,
        "label": label,
        "targets": sorted(targets),
    }


def _digest(values: NDArray[np.float64]) -> str:
    return sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Earlier:
    """A result read from ``path``. ``question``: as :func:`question_of`; ``lower``: by target, its
    lower end; ``inputs``: witnesses as claimed, each in one row."""

    path: str
    question: Question
    lower: Mapping[int, float]
    inputs: tuple[Array, ...]

    @staticmethod
    def read(path: Path) -> Earlier:
        """The JSON that ``marapatch groundtruth`` wrote; InputError where it is none, or older."""
        try:
            report = json.loads(read_bytes(path, JSON_BYTES))
            if report["marapatch"] != "groundtruth":
                raise InputError(f"{path}: is the result of {report['marapatch']}, not groundtruth")
            question = dict(report["question"])
            targets = report["targets"]
            lower = {int(t["target"]): _end(t) for t in targets}
            claims = [t["witness_input"] for t in targets if t["witness_input"] is not None]
            inputs = tuple(np.array(claim, dtype=np.float64).reshape(-1) for claim in claims)
        except InputError:
            raise
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise InputError(
                f"{path}: is not a result that `marapatch groundtruth --json` of this version "
                f"wrote ({type(error).__name__}); give one that is"
            ) from error
        return Earlier(str(path), question, lower, inputs)

    def check(self, question: Question) -> None:
        """Raise InputError, naming the difference, unless this is about ``question``."""
        for name, asked in question.items():
            known = self.question.get(name)
            if known != asked or (name == "network" and asked is None):
                raise InputError(
                    f"{self.path}: is about another {name} ({_short(known)} instead of "
                    f"{_short(asked)}), so nothing of it holds here; give a result of this question"
                )


def _end(target: Mapping[str, Any]) -> float:
    """The lower end of one target: infinite where it is proved to be out of reach."""
    if target["lower"] is None and target["status"] == "none":
        return inf
    lower = float(target["lower"])
    if not (isfinite(lower) and lower >= 0.0):
        raise ValueError("a lower end is a number of at least 0")
    return lower


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}..."
