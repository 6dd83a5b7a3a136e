"""The folder encodings/ must not become a package: Python itself needs one of that name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_there_is_no_package_called_encodings() -> None:
    assert (ROOT / "encodings" / "marapatch_encodings" / "__init__.py").is_file()
    assert not list((ROOT / "encodings").glob("__init__*"))


def test_python_finds_its_own_encodings_from_the_repository_root() -> None:
    code = "import encodings.utf_8; print(encodings.utf_8.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    found = Path(done.stdout.strip())
    assert found.name == "utf_8.py"
    assert ROOT / "encodings" not in found.parents
