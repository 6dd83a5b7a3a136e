"""The folder of a run: nothing before the first record, and another run's is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.network.graph import dense_network
from marapatch.patch_attacks.folder import Folder, arrays
from marapatch.patch_attacks.records import FOUND, NOT_FOUND, Record

NETWORK = dense_network([np.ones((2, 2))], [np.zeros(2)])
GOOD = Record(
    *(0, FOUND, None, 0, None, 1, "halving", 1, 0.5, 0.5, 0.5, 0.1, "", ()),
    entries=(1,),
    values=(0.75,),
)
MISSED = Record(1, NOT_FOUND, None, 0, None, reason="out of time")
ORIGINALS = {0: np.array([0.5, 0.25]), 1: np.array([0.5, 0.5])}


def test_nothing_is_written_before_the_first_record(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out", {"norm": "l0"})
    assert folder.open() == {}
    folder.finish([], ORIGINALS, NETWORK, (2,), {}, 1)
    assert not (tmp_path / "out").exists()


def test_records_are_found_again_by_the_same_question_only(tmp_path: Path) -> None:
    first = Folder(tmp_path / "out", {"norm": "l0", "seed": 1})
    first.open()
    for record in (GOOD, MISSED):
        first.append(record)
    assert Folder(tmp_path / "out", {"norm": "l0", "seed": 1}).open() == {0: GOOD, 1: MISSED}
    with pytest.raises(InputError, match="seed was 1, not 2"):
        Folder(tmp_path / "out", {"norm": "l0", "seed": 2}).open()
    with pytest.raises(InputError, match="more"):
        Folder(tmp_path / "out", {"norm": "l0", "seed": 1, "more": True}).open()


def test_what_is_made_of_the_rows(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out", {"norm": "l0"})
    folder.open()
    folder.append(GOOD)
    folder.finish([GOOD, MISSED], ORIGINALS, NETWORK, (2,), {"found": 1}, 0)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["adversarial.npz", "results.csv", "rows.jsonl", "run.json", "summary.json"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == {"found": 1}
    with np.load(tmp_path / "out" / "adversarial.npz") as read:
        assert read["images"].tolist() == [[0.5, 0.75]]
        assert read["originals"].tolist() == [[0.5, 0.25]]
        assert read["numbers"].tolist() == [0]


def test_without_a_folder_nothing_is_kept() -> None:
    folder = Folder(None, {})
    assert folder.open() == {}
    folder.append(GOOD)
    folder.finish([GOOD], ORIGINALS, NETWORK, (2,), {}, 1)


def test_numbers_that_the_type_cannot_hold_make_all_of_them_float64(tmp_path: Path) -> None:
    import io
    from dataclasses import replace

    single = replace(NETWORK, input_dtype=np.dtype(np.float32))
    for value, kind in ((0.75, np.float32), (0.1, np.float64)):
        record = replace(GOOD, values=(value,))
        with np.load(io.BytesIO(arrays([record], ORIGINALS, single))) as read:
            assert read["images"].dtype == kind
            assert read["images"][0, 1] == value
