"""Going on from an earlier result: of the very same question, its ends what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marapatch.cli import main
from marapatch.errors import ContradictionError, InputError
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.earlier import Earlier
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.report import remarks, to_json
from marapatch.groundtruth.result import GroundTruth
from marapatch.groundtruth.targets import TargetSearch
from marapatch.network.graph import Network, dense_network
from marapatch.network.load import load
from marapatch.network.onnx.writer import write_onnx
from marapatch.problem.verdict import Evidence
from marapatch.reporting.json_text import dump

IMAGE = np.full(6, 0.5)
SHORT = GroundTruthOptions(nodes=6, tolerance=1e-9, backend="highs")


@pytest.fixture
def network(tmp_path: Path) -> Network:
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=pair) for pair in ((20, 6), (20, 20), (3, 20))]
    made = dense_network(weights, [rng.normal(size=n) for n in (20, 20, 3)])
    write_onnx(made, tmp_path / "net.onnx")
    return load(tmp_path / "net.onnx")


@pytest.fixture
def first(network: Network) -> GroundTruth:
    return ground_truth(network, IMAGE, options=SHORT)


@pytest.fixture
def written(first: GroundTruth, tmp_path: Path) -> Path:
    path = tmp_path / "first.json"
    path.write_bytes(dump(to_json(first)))
    return path


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch, written: Path) -> None:
    """Nothing is searched: what is known is what was handed on."""
    for name in ("bound", "run", "confirm", "explain"):
        monkeypatch.setattr(TargetSearch, name, lambda self: None)
    monkeypatch.setattr(TargetSearch, "attack", lambda self, init: None)


@pytest.mark.usefixtures("idle")
def test_both_ends_are_handed_on(network: Network, written: Path) -> None:
    then = json.loads(written.read_text())
    again = ground_truth(network, IMAGE, earlier=Earlier.read(written))
    assert again.lower == then["lower"]
    assert again.upper <= then["upper"] * (1.0 + 1e-6)
    assert again.evidence is Evidence.FILE
    assert again.earlier == str(written)
    assert "handed on and not proved anew" in "\n".join(remarks(again))
    report = to_json(again)
    assert report["from"] == str(written)
    assert report["evidence"] == "file"
    assert report["question"] == then["question"]


def test_a_proof_of_this_run_replaces_the_file_s_word(network: Network, written: Path) -> None:
    options = replace(SHORT, nodes=20_000, tolerance=1e-3)
    again = ground_truth(network, IMAGE, options=options, earlier=Earlier.read(written))
    alone = ground_truth(network, IMAGE, options=options)
    assert again.closed
    assert again.evidence is not Evidence.FILE
    assert again.lower <= alone.upper
    assert alone.lower <= again.upper


@pytest.mark.usefixtures("idle")
def test_where_a_bound_is_asked_for_only_the_witnesses_count(
    network: Network, written: Path
) -> None:
    options = replace(SHORT, evidence=Evidence.BOUND)
    again = ground_truth(network, IMAGE, options=options, earlier=Earlier.read(written))
    assert again.lower == 0.0
    assert again.upper < inf


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("image", {"x": IMAGE + 1e-3}),
        ("box", {"box": (0.0, 0.9)}),
        ("box", {"mask": np.array([True] * 5 + [False])}),
        ("norm", {"norm": "l1"}),
        ("margin", {"options": replace(SHORT, margin=0.01)}),
        ("targets", {"target": "some"}),
        ("decision", {"decision": "argmin"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_result_of_another_question_is_refused(
    network: Network, written: Path, name: str, asked: dict[str, Any], first: GroundTruth
) -> None:
    if "target" in asked:
        asked = {"target": first.targets[0].target}
    if "decision" in asked:  # so that label and targets stay as they were
        asked = {**asked, "label": first.label}
    x = asked.get("x", IMAGE)
    rest = {key: value for key, value in asked.items() if key != "x"}
    with pytest.raises(InputError, match=f"is about another {name} "):
        ground_truth(network, x, earlier=Earlier.read(written), **{"options": SHORT, **rest})


def test_another_network_is_refused(network: Network, written: Path, tmp_path: Path) -> None:
    weight, bias = network.weights(network.affine_layers[0].node)
    changed = network.with_weights(network.affine_layers[0].node, weight * (1.0 + 1e-6), bias)
    write_onnx(changed, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="is about another network "):
        ground_truth(load(tmp_path / "other.onnx"), IMAGE, earlier=Earlier.read(written))


def test_a_network_without_a_file_is_nobody_s_network() -> None:
    made = dense_network([np.eye(2)], [np.zeros(2)])
    truth = ground_truth(made, np.array([0.2, 0.8]))
    earlier = Earlier("r.json", to_json(truth)["question"], {}, ())
    with pytest.raises(InputError, match="is about another network "):
        ground_truth(made, np.array([0.2, 0.8]), earlier=earlier)


def test_a_file_that_claims_too_much_is_contradicted(network: Network, written: Path) -> None:
    earlier = Earlier.read(written)
    wrong = replace(earlier, lower=dict.fromkeys(earlier.lower, 0.9))
    with pytest.raises(ContradictionError, match="the file is wrong"):
        ground_truth(network, IMAGE, options=SHORT, earlier=wrong)


def test_what_no_longer_replays_is_no_witness(network: Network, written: Path) -> None:
    earlier = replace(Earlier.read(written), inputs=(IMAGE,))
    again = ground_truth(network, IMAGE, options=SHORT, earlier=earlier)
    assert again.upper > 0.0
    short = replace(earlier, inputs=(np.zeros(3),))
    with pytest.raises(InputError, match="holds a witness of 3 numbers, the network takes 6"):
        ground_truth(network, IMAGE, options=SHORT, earlier=short)


def test_a_record_holds_nothing_that_was_handed_on(network: Network, written: Path) -> None:
    options = GroundTruthOptions(record=True)
    with pytest.raises(InputError, match="leave out one of --from and --tree"):
        ground_truth(network, IMAGE, options=options, earlier=Earlier.read(written))


Damage = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "damage",
    [
        lambda report: report.pop("question"),
        lambda report: report.update(question=3),
        lambda report: report.update(targets=None),
        lambda report: report["targets"][0].update(lower="much"),
        lambda report: report["targets"][0].update(lower=-1.0),
        lambda report: report["targets"][0].update(lower=None),
        lambda report: report["targets"][0].update(lower=float("nan")),
        lambda report: report["targets"][0].update(lower=10**400),
        lambda report: report["targets"][0].update(witness_input=[[1.0], 2.0]),
        lambda report: report["targets"].append(7),
    ],
)
def test_a_damaged_result_is_refused(damage: Damage, written: Path) -> None:
    report = json.loads(written.read_text())
    damage(report)
    written.write_text(json.dumps(report))
    with pytest.raises(InputError, match="is not a result that `marapatch groundtruth --json`"):
        Earlier.read(written)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    for text in ("", "[]", "[" * 100_000, "{}", '{"marapatch": 1'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"r\.json: is not a result"):
            Earlier.read(file)
    file.write_text('{"marapatch": "patch"}')
    with pytest.raises(InputError, match="is the result of patch, not groundtruth"):
        Earlier.read(file)


def test_the_command_goes_on_from_its_own_json(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", IMAGE)
    files = [str(tmp_path / "net.onnx"), str(tmp_path / "x.npy"), "--scale", "1", "--box", "0,1"]
    command = ["groundtruth", *files, "--backend", "highs", "--tolerance", "1e-3"]
    one, two = str(tmp_path / "1.json"), str(tmp_path / "2.json")
    assert main([*command, "--nodes", "6", "--json", one]) == 1
    before = json.loads(Path(one).read_text())
    main([*command, "--nodes", "200", "--json", two, "--from", one])
    after = json.loads(Path(two).read_text())
    assert after["lower"] >= before["lower"] > 0.0
    assert after["upper"] <= before["upper"] * (1.0 + 1e-6)
    assert after["from"] == one
    capsys.readouterr()
    assert main([*command, "--json", one, "--from", one]) == 2
    assert "would be overwritten" in capsys.readouterr().err
