"""Importing this makes what the tests share importable: their oracles and their builders."""

from __future__ import annotations

import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"

for _part in ("oracles", "builders"):
    sys.path.append(str(SUPPORT / _part))
