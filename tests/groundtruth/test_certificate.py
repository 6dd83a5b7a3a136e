"""The certificate of a ground truth: its trees, completed where there is time."""

from __future__ import annotations

from pathlib import Path

import pytest
from certified import IMAGE, RUN, SMALL, label_of, solved

from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.certificate import certificate_of
from marapatch.groundtruth.options import GroundTruthOptions


def test_nothing_recorded_is_no_certificate() -> None:
    options = GroundTruthOptions(nodes=100)
    with pytest.raises(InputError, match="set record=True"):
        certificate_of(ground_truth(SMALL, IMAGE, options=options))
    wrong = int(SMALL.evaluate(IMAGE)[0].argmin())
    with pytest.raises(InputError, match="no target was searched"):
        certificate_of(solved(label=wrong))


def test_an_image_decided_otherwise_has_no_tree(
    certified_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = 0 if label_of() else 1
    assert main([*RUN, "--tree", "t.npz", "--label", str(label)]) == 0
    assert "no tree was grown, so t.npz was not written" in capsys.readouterr().err
    assert not (certified_files / "t.npz").exists()
