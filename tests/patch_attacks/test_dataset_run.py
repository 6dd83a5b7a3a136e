"""Patch attacks on a data set, from Python: one record an image, kept in a folder if wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import plain

import marapatch as mp
from marapatch.errors import InputError
from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks import dataset_run

SIZE, COUNT, CLASSES = 6, 5, 3
FAST = mp.PatchAttackOptions(max_pixel=3.0)
WIDE = (-2.0, 2.0)


@pytest.fixture
def network() -> Network:
    return dense_network(*plain(np.random.default_rng(5), (SIZE, 9, 8, CLASSES)))


def images(count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(6).random((count, SIZE))


def run(network: Network, given: Any, **more: Any) -> mp.PatchAttackSet:
    return mp.patch_attack_images(network, given, box=WIDE, options=FAST, **more)


def test_every_image_is_attacked_as_it_would_be_alone(network: Network) -> None:
    heard: list[int] = []
    done = run(network, images(), progress=lambda record: heard.append(record.image))
    assert heard == [record.image for record in done.records] == list(range(COUNT))
    assert (done.left, done.interrupted, done.notes) == (0, False, ())
    assert done.measures.images == COUNT
    for record, image in zip(done.records, images(), strict=True):
        alone = mp.patch_attack(network, image, box=WIDE, options=FAST)
        assert record.found == alone.found
        if alone.adversarial is not None:
            assert (record.adversarial(image) == alone.adversarial).all()
            assert record.l1 == pytest.approx(alone.l1)
    assert done.measures.found == sum(record.found for record in done.records) > 0


def test_labels_leave_alone_what_is_decided_otherwise(network: Network) -> None:
    decided = network.evaluate(images()).argmax(axis=1)
    labels = np.where(np.arange(COUNT) == 2, (decided + 1) % CLASSES, decided)
    done = run(network, images(), labels=labels, other=network)
    assert [record.status == "already" for record in done.records] == [n == 2 for n in range(COUNT)]
    assert done.measures.transfer is not None
    assert done.measures.transfer.rate == 1.0  # the attacked network itself is fooled


def test_a_folder_is_gone_on_with(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = dataset_run.patch_attack, []

    def until_third(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given, **options)

    monkeypatch.setattr(dataset_run, "patch_attack", until_third)
    first = run(network, images(), folder=tmp_path / "out")
    assert first.interrupted
    assert first.left == COUNT - 2
    assert (tmp_path / "out/summary.json").is_file()
    second = run(network, images(), folder=tmp_path / "out", pictures=2)
    assert second.left == 0
    assert second.records[:2] == first.records
    assert len(calls) == 3 + COUNT - 2
    assert (tmp_path / "out/grid-1.png").is_file()
    with pytest.raises(InputError, match="images was"):
        run(network, images(COUNT - 1), folder=tmp_path / "out")


def test_out_of_time_what_is_left_is_counted(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 12.0])  # when it began, before the first image, before the second
    monkeypatch.setattr(dataset_run, "monotonic", lambda: next(clock))
    done = run(network, images(), total_timeout=10.0)
    assert [record.image for record in done.records] == [0]
    assert (done.left, done.interrupted) == (COUNT - 1, False)


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (images()[0], {}, r"images of shape \(6,\) are not"),
        (np.zeros((2, SIZE + 1)), {}, "with 6 numbers each"),
        (np.zeros((0, SIZE)), {}, "with 6 numbers each"),
        (np.vstack([images(1), np.full((1, SIZE), 9.0)]), {}, "image 1: the input is outside"),
        (images(), {"labels": np.zeros(COUNT)}, "labels are whole numbers of shape"),
        (images(), {"labels": np.full(COUNT, CLASSES)}, r"whole numbers of 0\.\.2"),
        (images(), {"target": CLASSES}, "target 3 is not one of"),
        (images(), {"total_timeout": 0.0}, "total_timeout must be"),
    ],
)
def test_what_does_not_fit_is_refused(
    network: Network, given: Any, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        run(network, given, **more)
