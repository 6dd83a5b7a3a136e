"""Reports of patches: one sentence that stays true, a row a layer, plain JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf

import numpy as np
import pytest

from marapatch.network.graph import dense_network
from marapatch.patching.api import minimal_patch
from marapatch.patching.patch import Patch
from marapatch.patching.report import (
    all_to_json,
    best,
    drawdown,
    remarks,
    status,
    summary,
    table,
    to_json,
)
from marapatch.problem.conditions import Rule
from marapatch.reporting.json_text import dump

NETWORK = dense_network([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])


@pytest.fixture(scope="module")
def found() -> Patch:
    return minimal_patch(NETWORK, [1.0, 0.5], 1, layer="last", margin=0.0)


def test_a_word_for_every_end(found: Patch) -> None:
    assert status(found) == "closed"
    assert status(replace(found, lower=0.0)) == "open"
    assert status(replace(found, lower=inf, upper=inf)) == "none"
    assert status(minimal_patch(NETWORK, [1.0, 0.5], 0, layer="last")) == "already"


def test_the_sentence_says_no_more_than_is_known(found: Patch) -> None:
    text = summary(replace(found, lower=0.123456789, upper=0.987654321))
    low, high = text.partition("[")[2].partition("]")[0].split(", ")
    assert float(low) <= 0.123456789
    assert float(high) >= 0.987654321
    assert "none found" in summary(replace(found, upper=inf))
    assert "no change of it" in summary(replace(found, lower=inf, upper=inf))


def test_the_best_layer_is_marked(found: Patch) -> None:
    other = replace(found, upper=2.0 * found.upper)
    unknown = replace(found, upper=inf)
    assert best([other, found, unknown]) is found
    assert best([unknown]) is None
    drawn = table([other, found])
    assert list(drawn.columns[0].cells) == ["", "*"]


def test_what_stays_open_says_why(found: Patch) -> None:
    said = replace(found, lower=0.0, note="out of time", confirmed=False)
    assert [line.partition(": ")[2].split()[0] for line in remarks(said)] == ["out", "the"]
    assert remarks(replace(found, note="out of time", confirmed=None)) == []


def test_json_has_no_infinity(found: Patch) -> None:
    content = json.loads(dump(to_json(replace(found, upper=inf))))
    assert content["upper"] is None
    assert content["lower"] == found.lower
    both = json.loads(dump(all_to_json([found, found], inputs=1)))
    assert both["best"] == 1
    assert both["inputs"] == 1
    assert len(both["layers"]) == 2


def test_other_inputs_are_counted_before_and_after(found: Patch) -> None:
    inputs = np.array([[1.0, 0.5], [1.0, 0.0], [0.0, 1.0]])
    effect = drawdown(NETWORK, found.apply(), inputs, np.array([0, 0, 1]), Rule.ARGMAX)
    assert (effect.inputs, effect.before) == (3, 1.0)
    assert effect.changed >= 1
    assert effect.after == pytest.approx(1.0 - effect.changed / 3)
