"""Certificates in files, and claims about them."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from certified import solved

from marapatch.certificates.file import Certificate
from marapatch.groundtruth.certificate import certificate_of


@cache
def certificate() -> Certificate:
    return certificate_of(solved(each_target=True))


def stored(**change: object) -> bytes:
    """The file of the certificate with entries changed (None: left out)."""
    content = io.BytesIO()
    changed = stored_arrays() | change
    kept = {name: value for name, value in changed.items() if value is not None}
    np.savez(content, **kept)  # type: ignore[arg-type]
    return content.getvalue()


@cache
def stored_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        certificate().save(Path(folder) / "t.npz")
        return (Path(folder) / "t.npz").read_bytes()


def stored_arrays() -> dict[str, object]:
    with np.load(io.BytesIO(stored_bytes())) as read:
        return {name: read[name] for name in read.files}
