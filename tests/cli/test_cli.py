"""The command: what it prints, what it writes, and the code it exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from command_line import RUN

from marapatch.cli import main
from marapatch.cli.groundtruth import EncodingName, EvidenceName
from marapatch.cli.options import DecisionName, NormName, ScaleName
from marapatch.groundtruth.options import GroundTruthOptions


def test_the_command_line_offers_what_the_library_takes() -> None:
    from marapatch.formats.inputs import Scale
    from marapatch.problem.conditions import Rule
    from marapatch.problem.norm import PROVED
    from marapatch.problem.verdict import Evidence
    from marapatch_encodings.l1_ball import L1_FORMS

    assert {n.value for n in NormName} == {n.value for n in PROVED}
    assert {d.value for d in DecisionName} == {r.value for r in Rule}
    asked = {Evidence.BOUND, Evidence.SOLVER}  # of a file nobody asks: it is handed on
    assert {e.value for e in EvidenceName} == {e.value for e in asked}
    assert {e.value for e in EncodingName} == set(L1_FORMS)
    assert {s.value for s in ScaleName} == set(Scale.__args__)


def test_the_defaults_of_the_command_are_those_of_the_library(files: Path) -> None:
    main(["groundtruth", "net.nnet", "image.npy", "--tolerance", "0.5", "--json", "w.json"])
    options = json.loads((files / "w.json").read_text())["options"]
    library = GroundTruthOptions(tolerance=0.5)
    assert options == {
        name: getattr(getattr(library, name), "value", getattr(library, name))
        for name in GroundTruthOptions.__dataclass_fields__
    }


def test_help_imports_nothing_heavy() -> None:
    heavy = ("scipy", "onnx", "onnxruntime", "networkx", "matplotlib", "highspy", "maraboupy")
    program = (
        "import sys; from marapatch.cli import main; code = main(['groundtruth', '--help']);"
        f"sys.exit(code or sorted(set({heavy}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--all-targets" in done.stdout


def test_a_reader_that_leaves_early_changes_nothing(files: Path) -> None:
    """As in ``marapatch groundtruth ... | head -1``."""
    running = subprocess.Popen(
        [sys.executable, "-m", "marapatch", *RUN], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate()
    assert (running.returncode, err) == (0, b"")
