"""What became of one image: kept as a row, read back only where it is one."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.patch_attacks.records import (
    CSV_COLUMNS,
    FOUND,
    NOT_FOUND,
    Record,
    already,
    finite,
    formatted,
    to_csv,
)

STAGE = {
    "layer": 1,
    "kind": "middle patch",
    "lower": 0.0,
    "upper": 0.25,
    "norm": "linf",
    "seconds": 0.5,
    "changed": 3,
    "note": "",
}
RECORD = Record(
    7,
    FOUND,
    None,
    2,
    None,
    1,
    "halving",
    2,
    0.75,
    0.625,
    0.5,
    1.5,
    "",
    (STAGE,),
    (0, 3),
    (0.5, 0.25),
)
MISSED = Record(8, NOT_FOUND, 2, 2, 1, reason="out of time")


@pytest.mark.parametrize("record", [RECORD, MISSED, already(9, 1, 2, None), already(9, 1, None, 1)])
def test_a_record_is_read_back_as_it_was(record: Record) -> None:
    row = json.loads(json.dumps(record.to_row(), allow_nan=False))
    assert Record.from_row(row) == record


@pytest.mark.parametrize(
    "change",
    [
        {"key": "8"},
        {"status": "perhaps"},
        {"status": NOT_FOUND},  # with sizes
        {"l0": None},
        {"l1": -1.0},
        {"l2": "0.6"},
        {"image": True},
        {"entries": [0]},
        {"values": [0.5, None]},
        {"stages": [{}]},
        {"stages": [{**STAGE, "seconds": None}]},
        {"seconds": None},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    row = json.loads(json.dumps({**RECORD.to_row(), **change}))
    with pytest.raises(InputError, match="not of a patch attack"):
        Record.from_row(row)
    with pytest.raises(InputError):
        Record.from_row({name: row[name] for name in row if name != "decision"})


def test_the_input_is_the_image_with_the_entries_changed() -> None:
    image = np.array([1.0, 2.0, 3.0, 4.0])
    assert RECORD.adversarial(image).tolist() == [0.5, 2.0, 3.0, 0.25]
    assert image.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_row_of_the_table_has_every_column_whatever_the_texts_hold() -> None:
    odd = replace(MISSED, reason='commas, "quotes"\nand lines')
    rows = list(csv.DictReader(io.StringIO(to_csv([RECORD, odd]).decode())))
    assert [set(row) == set(CSV_COLUMNS) for row in rows] == [True, True]
    assert (rows[0]["found"], rows[1]["found"]) == ("1", "0")
    assert float(rows[0]["l1"]) == 0.75
    assert rows[1]["reason"] == odd.reason
    assert rows[1]["l0"] == ""


def test_stages_in_a_few_words() -> None:
    assert formatted(STAGE) == "middle patch at layer 1: linf 0.25, 0.50 s"
    assert formatted({**STAGE, "upper": None, "note": "why"}).endswith("failed, 0.50 s (why)")


def test_json_has_null_for_what_is_no_number() -> None:
    assert finite({"a": inf, "b": {"c": nan, "d": 1.0}}) == {"a": None, "b": {"c": None, "d": 1.0}}
