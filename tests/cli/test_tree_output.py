"""Trees that are written: checked once, as far as time allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certified import solved

from marapatch.certificates.file import Certificate
from marapatch.cli.tree_output import write_trees
from marapatch.groundtruth.certificate import certificate_of


def test_an_interrupted_check_leaves_the_trees_as_the_search_left_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = solved()
    calls: list[int] = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    for kept in (certificate_of(result, progress=stop), certificate_of(result, until=-np.inf)):
        assert [claim.trees for claim in kept.claims] == [t.trees for t in result.targets]
    assert calls == [1]
    write_trees(replace(result, interrupted=True), tmp_path / "t.npz")
    assert "not every leaf was checked in the time given" in capsys.readouterr().err
    assert Certificate.load(tmp_path / "t.npz").upper == result.upper
    write_trees(result, tmp_path / "t.npz")
    assert capsys.readouterr().err == ""
