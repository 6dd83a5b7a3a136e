"""Images in files, and how they are read."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PIXELS = np.array([[0, 51, 255], [102, 153, 204]], dtype=np.uint8)


def write_idx(path: Path, array: NDArray[np.generic], code: int) -> Path:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    content = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def save(folder: Path, name: str, values: NDArray[np.generic]) -> Path:
    path = folder / name
    match path.suffix:
        case ".npy":
            np.save(path, values)
        case ".npz":
            np.savez(path, only=values)
        case ".png":
            Image.fromarray(values).save(path)
        case ".csv":
            np.savetxt(path, values, delimiter=",", fmt="%d")
        case _:
            write_idx(path, values, 0x08)
    return path
