"""Arrays in .npz and idx files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import write_idx

from marapatch.formats.inputs import read_image


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x09, np.int8), (0x0B, np.int16), (0x0C, np.int32), (0x0D, np.float32), (0x0E, np.float64)],
)
def test_idx_types(tmp_path: Path, code: int, dtype: type[np.generic]) -> None:
    values = np.array([[1, -2], [3, 4]], dtype=dtype)
    np.testing.assert_array_equal(
        read_image(write_idx(tmp_path / "x.idx", values, code)).values, values
    )
