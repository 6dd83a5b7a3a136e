"""Numbers in text, between commas, semicolons or blanks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marapatch.formats.inputs import read_image


def test_csv_of_floats_with_blanks_and_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("0.5, -1e-2;3\n\n4 5\t6,\n")
    np.testing.assert_array_equal(read_image(path).values, [[0.5, -0.01, 3.0], [4.0, 5.0, 6.0]])
