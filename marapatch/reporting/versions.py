"""What an answer came from: the versions of the packages that bear on it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("marapatch", "maraboupy", "highspy", "numpy", "scipy", "onnx", "onnxruntime")
"""The packages whose versions bear on an answer."""


def versions() -> dict[str, str]:
    """The version of every package in :data:`PACKAGES`, and of Python."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
