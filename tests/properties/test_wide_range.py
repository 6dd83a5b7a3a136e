"""No claim is false where numbers use the whole range of their type; see also benchmarks.

Questions drawn from seeds (tests/support/builders/wide_networks.py), asked from the file on, and
judged by the exact optimum of the numbers in the file. What the rows of WAS_WRONG say was once
claimed about them.
"""

from __future__ import annotations

from math import inf

import pytest
from wide_judge import Judgement, judged
from wide_networks import KINDS, wide_case

NODES = 8
"""Sub-problems, or queries, a target: enough for most that close at all."""

WAS_WRONG = [
    ("absorbing", 4, "another class at the image"),
    ("absorbing", 11, "refused: the target is the label itself"),
    ("absorbing", 18, "another class at the image"),
    ("cancelling", 6, "already decided otherwise"),
    ("cancelling", 15, "already decided otherwise"),
    ("cancelling", 24, "refused: the target is the label itself"),
    ("chain", 10, "lower = inf, and there is one at 3.3e-4"),
    ("chain", 13, "lower 1.04e-14, and there is one at 9.5e-15"),
    ("chain", 14, "lower = inf"),
    ("chain", 16, "refused: the target is the label itself"),
    ("chain", 17, "lower = inf"),
    ("denormal", 5, "a witness that is none: its exact lead is negative"),
    ("denormal", 17, "a witness that is none"),
    ("fused", 28, "already decided otherwise"),
    ("operators", 17, "lower 2.2e196, and there is one at 9.9e195"),
    ("operators", 21, "another class at the image"),
    ("pieces", 10, "lower = inf, and there is one at 3.8e-5"),
]
"""Kind, seed and what was said: underflow of products of weights, of the evaluation's error, sums
of 2^60 that cancel, biases that swallow what they are added to."""

OTHERS = [(kind, 40 + number) for number, kind in enumerate(KINDS)]

CLOSED = [("moderate", 1), ("scaled", 1), ("fused", 1), ("chain", 104)]


def check(judgement: Judgement) -> None:
    assert judgement.wrong == ()
    assert judgement.outcome in ("closed", "open", "refused"), judgement.message


def asked(kind: str, seed: int, search: str) -> Judgement:
    return judged(wide_case(seed, (kind,)), search, None, nodes=NODES)


@pytest.mark.parametrize(("kind", "seed", "said"), WAS_WRONG)
def test_what_was_wrong(kind: str, seed: int, said: str) -> None:
    check(asked(kind, seed, "tree"))


@pytest.mark.parametrize(("kind", "seed"), OTHERS)
def test_by_the_tree(kind: str, seed: int) -> None:
    check(asked(kind, seed, "tree"))


@pytest.mark.parametrize("search", ["descent", "bisection"])
@pytest.mark.parametrize("kind", ["chain", "fused", "scaled", "denormal"])
def test_by_queries(kind: str, search: str) -> None:
    check(asked(kind, 37, search))


def test_some_are_closed() -> None:
    """Else nothing would be claimed, and nothing could be wrong."""
    found = [asked(kind, seed, "tree") for kind, seed in CLOSED]
    assert [judgement.outcome for judgement in found] == ["closed"] * len(CLOSED)
    assert all(0.0 < judgement.lower <= judgement.upper < inf for judgement in found)
