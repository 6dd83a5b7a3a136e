"""The measures over records, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from marapatch.network.graph import dense_network
from marapatch.patch_attacks.records import FOUND, NOT_FOUND, Record, already
from marapatch.patch_attacks.report import Spread, measure, plain, remarks, summary, table

NETWORK = dense_network([np.eye(3)], [np.zeros(3)])


def found(image: int, target: int, entries: int, by: str = "halving") -> Record:
    sizes = float(entries)
    return Record(
        *(image, FOUND, None, 0, None, target, by, entries, sizes, sizes, 1.0, 2.0, "", ()),
        tuple(range(entries)),
        (1.0,) * entries,
    )


RECORDS = [
    found(0, 1, 1),
    found(1, 2, 3, "direct"),
    Record(2, NOT_FOUND, None, 0, None, reason="out of time", seconds=5.0),
    already(3, 1, None, 1),
]


def test_a_spread_of_nothing_is_no_number() -> None:
    assert Spread.of([1.0, 5.0, 3.0]) == Spread(3.0, 3.0, 5.0)
    assert isnan(Spread.of([]).mean)


def test_images_that_need_no_attack_do_not_count() -> None:
    measures = measure(RECORDS, NETWORK)
    assert (measures.images, measures.already, measures.found) == (3, 1, 2)
    assert measures.detection == pytest.approx(2 / 3)
    assert measures.halving == pytest.approx(1 / 3)
    assert measures.by == {"halving": 1, "direct": 1}
    assert measures.l0 == Spread(2.0, 2.0, 3.0)
    assert measures.seconds.largest == 5.0
    assert measures.confirmed is None  # the network has no file


def test_another_network_is_tried_on_the_same_inputs() -> None:
    originals = {k: np.array([3.0, 0.0, 0.0]) for k in range(4)}
    other = dense_network(
        [np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])], [np.zeros(3)]
    )
    measures = measure(RECORDS, NETWORK, originals, features=lambda x: x, other=other)
    assert measures.transfer is not None
    assert measures.transfer.rate == 0.0  # it says 1 of everything
    assert measures.frechet > 0.0


def test_json_has_null_where_there_is_no_number() -> None:
    content = json.loads(json.dumps(plain(measure(RECORDS[2:3], NETWORK)), allow_nan=False))
    assert content["l0"]["mean"] is None
    assert content["found"] == 0


def test_the_answer_in_a_sentence() -> None:
    whole = summary(RECORDS, measure(RECORDS, NETWORK))
    assert whole[0].startswith("1 of 4 images left alone: already decided 1")
    assert "found 2 of 3 (66.7 %): 1 by direct, 1 by halving" in whole[1]
    one = summary(RECORDS[:1], measure(RECORDS[:1], NETWORK))
    assert one == ["decided 1 instead of 0, found by halving; 1 values changed"]
    none = summary(RECORDS[2:3], measure(RECORDS[2:3], NETWORK))
    assert none == ["none found for the image decided 0: out of time"]


def test_why_nothing_was_found_is_counted() -> None:
    several = [*RECORDS, replace(RECORDS[2], image=4)]
    assert remarks(several, measure(several, NETWORK)) == ["not found, 2 times: out of time"]
    rows = [str(cell) for cell in table(measure(several, NETWORK)).columns[0].cells]
    assert "defect detection" in rows
