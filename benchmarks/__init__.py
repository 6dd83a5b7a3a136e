"""What is measured of marapatch: suites, their rows and the pages made of them (see README.md).

Some suites ask what the tests ask, of the same oracles and builders: those of tests/support, which
are importable from here on.
"""

from __future__ import annotations

import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"

sys.path += [str(SUPPORT / part) for part in ("oracles", "builders")]
