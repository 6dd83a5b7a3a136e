"""The command: what it prints, what it writes, and the code it exits with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marapatch.cli import main
from marapatch.cli.groundtruth import EncodingName, EvidenceName
from marapatch.cli.options import DecisionName, NormName, ScaleName
from marapatch.data.bundled import examples
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import Progress
from marapatch.network.graph import Network, dense_network
from marapatch.network.load import load

RNG = np.random.default_rng(50)  # both other classes are near the image below
SMALL = dense_network(
    [RNG.normal(size=(6, 3)), RNG.normal(size=(5, 6)), RNG.normal(size=(3, 5))],
    [RNG.normal(size=6), RNG.normal(size=5), RNG.normal(size=3)],
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small network (.nnet) and an image, made the current one."""
    write_nnet(SMALL, tmp_path / "net.nnet")
    np.save(tmp_path / "image.npy", np.array([0.25, 0.5, 0.75]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_nnet(network: Network, path: Path) -> None:
    """As .nnet: header, sizes, box [0, 1], no normalisation, then weights and biases by layer."""
    form = network.standard_form
    maps = [*form.hidden, form.output]
    sizes = [form.inputs, *(layer.outputs for layer in maps)]
    lines = [
        "// a small network",
        f"{len(maps)},{sizes[0]},{sizes[-1]},{max(sizes)},",
        ",".join(map(str, sizes)) + ",",
        "0,",
        "0.0," * sizes[0],
        "1.0," * sizes[0],
        "0.0," * (sizes[0] + 1),
        "1.0," * (sizes[0] + 1),
    ]
    for layer in maps:
        lines += [",".join(map(repr, row.tolist())) + "," for row in np.asarray(layer.weights[0])]
        lines += [f"{b!r}," for b in layer.bias.tolist()]
    path.write_text("\n".join(lines) + "\n")


RUN = ["groundtruth", "net.nnet", "image.npy", "--nodes", "2000"]


def test_the_answer_is_printed_and_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = ["--out", "w.npy", "--json", "w.json", "--plot", "w.png"]
    assert main([*RUN, *written]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("nearest input decided as another class instead of ")
    assert printed[1].split()[:4] == ["target", "lower", "upper", "gap"]

    report = json.loads((files / "w.json").read_text())
    network = load(files / "net.nnet")
    witness = np.load(files / "w.npy")
    assert report["status"] == "closed"
    assert 0.0 <= report["upper"] - report["lower"] <= 1e-4
    assert report["witness"] == "w.npy"
    assert report["network"]["sha256"] == network.source.sha256  # type: ignore[union-attr]
    assert report["image"] == {"path": "image.npy", "index": None, "scaled": False}
    assert set(report["versions"]) >= {"marapatch", "maraboupy", "numpy", "onnxruntime"}
    assert report["options"]["nodes"] == 2000
    assert witness.dtype == network.input_dtype
    assert witness.shape == network.input_shape
    assert int(np.argmax(network.evaluate(witness))) != report["label"]
    image = np.load(files / "image.npy").astype(network.input_dtype).astype(float)
    assert np.abs(witness.astype(float) - image).max() <= report["upper"]
    assert (files / "w.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in files.iterdir()) == [
        "image.npy",
        "net.nnet",
        "w.json",
        "w.npy",
        "w.png",
    ]


def test_every_target_has_its_bracket_and_its_witness(files: Path) -> None:
    assert main([*RUN, "--all-targets", "--out", "w.npy", "--json", "w.json"]) == 0
    report = json.loads((files / "w.json").read_text())
    assert len(report["targets"]) == 2
    for entry in report["targets"]:
        assert entry["status"] == "closed"
        assert entry["witness"] == f"w-{entry['target']}.npy"
        witness = np.load(files / entry["witness"])
        assert int(np.argmax(SMALL.evaluate(witness.astype(float)))) == entry["target"]


def test_an_open_bracket_exits_with_1(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--evidence", "bound", "--tolerance", "0", "--norm", "l1"]) == 1
    assert " open" in capsys.readouterr().out


def test_a_wrong_label_is_at_distance_0_and_it_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = int(np.argmax(SMALL.evaluate(np.load("image.npy"))))
    other = (decided + 1) % 3
    assert main([*RUN, "--label", str(other), "--out", "w.npy", "--json", "w.json"]) == 0
    assert f"already decided {decided}, not {other}" in capsys.readouterr().out
    report = json.loads((files / "w.json").read_text())
    assert (report["status"], report["lower"], report["upper"]) == ("already", 0.0, 0.0)
    image = np.load("image.npy").astype(np.load("w.npy").dtype)
    np.testing.assert_array_equal(np.load("w.npy"), image)


def test_without_a_witness_nothing_is_written_and_it_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("box.npy", np.array([[0.25, 0.5, 0.75], [0.2501, 0.5, 0.75]]))
    assert main([*RUN, "--box", "box.npy", "--out", "w.npy", "--json", "w.json"]) == 0
    captured = capsys.readouterr()
    assert "no input in the box is decided as another class" in captured.out
    assert "no witness was found, so w.npy was not written" in captured.err
    assert not (files / "w.npy").exists()
    report = json.loads((files / "w.json").read_text())
    assert (report["status"], report["lower"], report["upper"]) == ("none", None, None)


def test_the_mask_keeps_entries_and_the_witness_can_be_started_from(files: Path) -> None:
    np.save("free.npy", np.array([True, True, False]))
    masked = [*RUN, "--mask", "free.npy", "--json", "a.json", "--out", "a.npy"]
    assert main(masked) == 0
    first = json.loads((files / "a.json").read_text())
    witness = np.load("a.npy")
    assert witness.reshape(-1)[2] == witness.dtype.type(0.75)
    assert main([*masked[:-4], "--init", "a.npy", "--json", "b.json"]) == 0
    assert json.loads((files / "b.json").read_text())["upper"] <= first["upper"]


def test_pixels_are_scaled_and_it_says_so(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("pixels.npy", np.array([64, 128, 192], np.uint8))
    main(["groundtruth", "net.nnet", "pixels.npy", "--nodes", "2000", "--json", "w.json"])
    assert "whole numbers of 0..255, divided by 255" in capsys.readouterr().err
    assert json.loads((files / "w.json").read_text())["image"]["scaled"] is True


@pytest.mark.parametrize("backend", ["marabou", "highs", "enumeration"])
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_every_backend_finds_the_same(files: Path, backend: str, norm: str) -> None:
    """Bisection by the backend alone agrees with the default way, to the tolerances."""
    asked = [*RUN, "--norm", norm, "--tolerance", "1e-3"]
    alone = ["--backend", backend, "--search", "bisection", "--json", "alone.json"]
    assert main([*asked, *alone]) == 0
    assert main([*asked, "--json", "default.json"]) == 0
    a, b = (json.loads(Path(name).read_text()) for name in ("alone.json", "default.json"))
    assert a["lower"] <= b["upper"]
    assert b["lower"] <= a["upper"]


def test_attack_finds_a_witness_and_writes_it(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", "net.nnet", "image.npy", "--norm", "l2", "--out", "w.npy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fgm", "bim", "cw", "all"]
    decided = int(np.argmax(SMALL.evaluate(np.load("image.npy"))))
    assert int(np.argmax(SMALL.evaluate(np.load("w.npy").astype(float)))) != decided


def test_attack_that_finds_nothing_exits_with_1(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("box.npy", np.array([[0.25, 0.5, 0.75], [0.2501, 0.5, 0.75]]))
    code = main(["attack", "net.nnet", "image.npy", "--box", "box.npy", "--method", "fgm"])
    assert code == 1
    assert capsys.readouterr().out == "fgm  found nothing\n"


def test_doctor_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ":" in line]
    assert len(lines) == 5
    assert all(": " in line and " ok: " in line for line in lines)


def test_doctor_exits_with_3_where_an_answer_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from marapatch.solvers.base import Infeasible
    from marapatch.solvers.highs.backend import HighsBackend

    monkeypatch.setattr(HighsBackend, "solve", lambda *given: Infeasible())
    assert main(["doctor"]) == 3
    captured = capsys.readouterr()
    assert "highs: sat query         WRONG: unsat" in captured.out
    assert "1 check(s) failed" in captured.err


def test_fetch_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    assert "acasxu       60 files" in capsys.readouterr().out


def test_bundled_examples_are_there_by_name() -> None:
    assert {"mnist_3x24", "mnist_3x24_adversarial"} <= set(examples("network"))
    assert {"seven", "digits"} <= set(examples("image"))


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


def test_the_live_line_is_drawn_on_a_terminal_and_plain_lines_elsewhere(files: Path) -> None:
    command = [sys.executable, "-m", "marapatch", *RUN]
    verbose = subprocess.run([*command, "-v"], capture_output=True, check=True, text=True)
    assert "target 0 (1 of 2): 0." in verbose.stderr
    assert "\x1b" not in verbose.stderr

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as run:
        os.close(theirs)
        drawn = b""
        while chunk := read(ours):
            drawn += chunk
        assert run.stdout is not None
        assert run.stdout.read() != b""
    os.close(ours)
    assert run.returncode == 0
    assert b"\x1b[2K" in drawn  # the line is redrawn, and erased at the end
    assert b"distance" in drawn


def read(terminal: int) -> bytes:
    """What the other side wrote; empty when it has closed the terminal."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_progress_names_target_bracket_and_queries(capsys: pytest.CaptureFixture[str]) -> None:
    from marapatch.cli.live import LiveLine

    with LiveLine(verbose=True, notes=["a note"]) as live:
        for queries in range(3):
            live(Progress(3, 1, 9, 0.125, 0.5, queries, 2.0))
        live(Progress(4, 2, 9, 0.25, float("inf"), 7, 2.0))
    assert capsys.readouterr().err.splitlines() == [
        "marapatch: a note",
        "target 3 (2 of 9): 0.125000 <= distance <= 0.500000, 0 queries, 0 s",
        "target 4 (3 of 9): 0.250000 <= distance <= inf, 7 queries, 0 s",
    ]
