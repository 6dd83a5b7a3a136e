"""Instances of HiGHS beside those of others."""

from __future__ import annotations

import subprocess
import sys


def test_somebody_elses_threads_of_highs_do_not_end_ours() -> None:
    """HiGHS fails where another number of threads is asked for than its first run in a process."""
    program = """
import highspy, numpy as np
from marapatch.linear_programs.warm import LinearProgram
other = highspy.Highs()
other.setOptionValue("output_flag", False)
other.setOptionValue("threads", 2)
other.addVar(0.0, 1.0)
other.run()
box = np.zeros(2), np.ones(2)
print(LinearProgram(np.eye(2), box, box, np.ones(2)).solve() is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"
