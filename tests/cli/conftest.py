"""Files for the tests of this folder."""

from __future__ import annotations

from command_line import files
from patch_attack_files import folder

__all__ = ["files", "folder"]
