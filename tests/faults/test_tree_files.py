"""Files of recorded trees: read back as written, refused where they are something else."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import exact_optimum as exact
import numpy as np
import pytest
from recorded_trees import built
from small_networks import branching_network

from marapatch.certificate import Certificate, TargetClaim, recheck
from marapatch.cli import main
from marapatch.errors import InputError
from marapatch.groundtruth import GroundTruth, GroundTruthOptions, ground_truth
from marapatch.network.load import load
from marapatch.network.network import Network, dense_network
from marapatch.network.onnx_writer import write_onnx
from marapatch.properties import Rule, beats
from marapatch.verdict import Evidence

RNG = np.random.default_rng(50)
SMALL = dense_network(
    [RNG.normal(size=(6, 3)), RNG.normal(size=(5, 6)), RNG.normal(size=(3, 5))],
    [RNG.normal(size=6), RNG.normal(size=5), RNG.normal(size=3)],
)
IMAGE = np.array([0.25, 0.5, 0.75])


def solved(network: Network = SMALL, x: np.ndarray = IMAGE, **given: object) -> GroundTruth:
    margin = given.pop("margin", 0.0)
    options = GroundTruthOptions(
        record=True,
        evidence=Evidence.BOUND,
        timeout=20.0,
        tolerance=1e-3,
        margin=margin,  # type: ignore[arg-type]
    )
    return ground_truth(network, x, options=options, **given)  # type: ignore[arg-type]


@cache
def certificate() -> Certificate:
    return Certificate.of(solved(each_target=True))


@pytest.mark.parametrize("decision", ["argmax", "argmin"])
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_what_is_proved_again_is_never_beyond_the_optimum(norm: str, decision: str) -> None:
    mask = np.array([True, False, True])
    result = solved(
        norm=norm, decision=decision, mask=mask, margin=0.05, each_target=True, box=(0.0, 0.9)
    )
    again = Certificate.of(result)
    checked = recheck(again, SMALL)
    assert checked.upper >= checked.lower
    assert checked.witness_held
    for target in checked.targets:
        condition = beats(target.target, 3, Rule(decision), 0.05)
        best = exact.nearest(SMALL.standard_form, result.ball, condition)
        distance = np.inf if best is None else float(best.distance)
        assert target.radius <= distance * (1.0 + 1e-12)
        claimed = max(t.radius for c in again.claims if c.target == target.target for t in c.trees)
        assert target.radius >= claimed * (1.0 - 1e-7)


def test_a_network_with_skip_connections() -> None:
    network = branching_network(np.random.default_rng(3))
    result = solved(network, np.full(3, 0.5))
    checked = recheck(Certificate.of(result), network)
    assert 0.0 <= checked.lower <= checked.upper


def test_a_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    first = certificate()
    first.save(tmp_path / "t.npz")
    second = Certificate.load(tmp_path / "t.npz")
    assert (second.sha256, second.rule, second.margin, second.upper) == (
        first.sha256,
        first.rule,
        first.margin,
        first.upper,
    )
    assert second.ball.norm is first.ball.norm
    for name in ("centre", "lower", "upper"):
        assert np.array_equal(getattr(second.ball, name), getattr(first.ball, name))
    assert [c.target for c in second.claims] == [c.target for c in first.claims]
    for ours, theirs in zip(first.claims, second.claims, strict=True):
        assert ours.lower == theirs.lower
        for a, b in zip(ours.trees, theirs.trees, strict=True):
            assert a.radius == b.radius
            assert len(a.rounds) == len(b.rounds)
            for name in ("parent", "neuron", "phase", "alpha", "beta", "mix", "vouched"):
                assert np.array_equal(getattr(a, name), getattr(b, name))
    assert recheck(first, SMALL) == recheck(second, SMALL)


def test_claims_and_witnesses_that_are_not_so_do_not_hold() -> None:
    good = certificate()
    checked = recheck(good, SMALL)
    nearest = min(good.claims, key=lambda claim: claim.lower)
    raised = [
        TargetClaim(
            c.target, 2.0 * c.lower, tuple(replace(t, radius=1.9 * t.radius) for t in c.trees)
        )
        for c in good.claims
    ]
    result = recheck(replace(good, claims=tuple(raised)), SMALL)
    assert not result.held
    assert result.lower <= good.upper
    assert result.lower >= 0.5 * checked.lower
    empty = replace(good, claims=(TargetClaim(nearest.target, nearest.lower, ()),))
    assert recheck(empty, SMALL).lower == 0.0
    assert not recheck(empty, SMALL).held
    assert not recheck(replace(good, upper=0.5 * good.upper), SMALL).witness_held
    centre = replace(good, witness=np.array(good.ball.centre))
    assert recheck(centre, SMALL).upper == np.inf
    assert not recheck(centre, SMALL).held
    for nan in (replace(good, upper=np.nan), replace(good, witness=np.full(3, np.nan))):
        assert not recheck(nan, SMALL).held


def test_a_box_of_one_point_is_no_proof_of_anything() -> None:
    """Nothing lies beyond its radius 0; that does not say that the centre is not the target."""
    decided = int(SMALL.evaluate(IMAGE)[0].argmax())
    point = replace(certificate().ball, lower=IMAGE, upper=IMAGE)
    tree = built([(-1, 0, 0)], 11, 2, 1.0)
    for trees in ((), (tree,)):
        claims = (TargetClaim(decided, np.inf, trees),)
        result = recheck(replace(certificate(), ball=point, claims=claims), SMALL)
        assert result.lower == 0.0
        assert not result.held


def test_a_solvers_word_is_said_apart() -> None:
    claims = []
    for claim in certificate().claims:
        tree = replace(built([(-1, 0, 0)], 11, 2, 0.6), vouched=np.array([True]))
        claims.append(TargetClaim(claim.target, 0.6, (tree,)))
    result = recheck(replace(certificate(), claims=tuple(claims)), SMALL)
    assert result.lower < certificate().upper
    assert result.given == 0.6
    assert not result.held
    assert result.held_given
    assert all(target.vouched == 1 for target in result.targets)
    said = result.to_json()
    assert (said["held"], said["held_given"], said["given"]) == (False, True, 0.6)


def test_what_does_not_fit_is_refused() -> None:
    good = certificate()
    other = dense_network([np.eye(2), np.eye(2)], [np.zeros(2)] * 2)
    with pytest.raises(InputError, match="another number of inputs"):
        recheck(good, other)
    with pytest.raises(InputError, match="another network file"):
        recheck(replace(good, sha256="0" * 64), SMALL)
    with pytest.raises(InputError, match="target 7 is not one of"):
        recheck(replace(good, claims=(TargetClaim(7, 0.1, ()),)), SMALL)
    with pytest.raises(InputError, match="margin"):
        recheck(replace(good, margin=np.nan), SMALL)
    with pytest.raises(InputError, match="the witness has shape"):
        replace(good, witness=np.zeros(2))
    with pytest.raises(InputError, match="no target was searched"):
        replace(good, claims=())
    claim = good.claims[0]
    half = replace(claim, trees=(built([(-1, 0, 0), (0, 1, 1)], 11, 2),))
    with pytest.raises(InputError, match="they do not cover it"):
        recheck(replace(good, claims=(half,)), SMALL)


def test_nothing_recorded_is_no_certificate() -> None:
    options = GroundTruthOptions(timeout=5.0)
    with pytest.raises(InputError, match="set record=True"):
        Certificate.of(ground_truth(SMALL, IMAGE, options=options))
    wrong = int(SMALL.evaluate(IMAGE)[0].argmin())
    with pytest.raises(InputError, match="no target was searched"):
        Certificate.of(solved(label=wrong))


def stored(**change: object) -> bytes:
    """The file of the certificate with entries changed (None: left out)."""
    content = io.BytesIO()
    arrays = {name: value for name, value in (_arrays() | change).items() if value is not None}
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


@cache
def _bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        certificate().save(Path(folder) / "t.npz")
        return (Path(folder) / "t.npz").read_bytes()


def _arrays() -> dict[str, object]:
    with np.load(io.BytesIO(_bytes())) as read:
        return {name: read[name] for name in read.files}


def _about(**change: object) -> bytes:
    about = json.loads(str(_arrays()["about"])) | change
    return stored(about=np.array(json.dumps(about)))


def _npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue()


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("about.npy", b"no array")
    return content.getvalue()


OTHER: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"hello\n",
    "an array": _npy,
    "another archive": _zip,
    "cut short": lambda: _bytes()[: len(_bytes()) // 2],
    "without about": lambda: stored(about=None),
    "about is no text": lambda: stored(about=np.zeros(3)),
    "about is no object": lambda: stored(about=np.array("[1, 2]")),
    "about is deep": lambda: stored(about=np.array("[" * 100_000)),
    "another format": lambda: _about(format="marapatch trees 0"),
    "no such norm": lambda: _about(norm="l2"),
    "no such rule": lambda: _about(decision="best"),
    "no margin": lambda: _about(margin=None),
    "targets are no list": lambda: _about(targets=5),
    "no targets": lambda: _about(targets=[]),
    "a target is text": lambda: _about(targets=["x"]),
    "infinitely many rounds": lambda: _about(
        targets=[{"target": 0, "lower": 0.0, "trees": [{"radius": 1.0, "rounds": 10**9}]}]
    ),
    "the target is infinite": lambda: _about(targets=[{"target": np.inf, "lower": 0, "trees": []}]),
    "a radius is text": lambda: _about(
        targets=[{"target": 0, "lower": 0.0, "trees": [{"radius": "far", "rounds": 0}]}]
    ),
    "no centre": lambda: stored(centre=None),
    "the centre has NaN": lambda: stored(centre=np.full(3, np.nan)),
    "the box does not fit": lambda: stored(lower=np.zeros(5)),
    "the centre is outside": lambda: stored(lower=np.ones(3)),
    "the witness does not fit": lambda: stored(witness=np.zeros(7)),
    "an array is missing": lambda: stored(**{"0/0/alpha": None}),
    "an array holds objects": lambda: stored(**{"0/0/alpha": np.array([{}], object)}),
}


@pytest.mark.parametrize("what", OTHER)
def test_other_files_are_refused_with_their_name(what: str, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(OTHER[what]())
    with pytest.raises(InputError, match=r"t\.npz"):
        Certificate.load(path)
    with pytest.raises(InputError, match="missing"):
        Certificate.load(tmp_path / "missing.npz")


def test_flipped_bytes_never_give_more_than_the_optimum(tmp_path: Path) -> None:
    """A file with any byte changed is refused, or what it proves is true of what it states."""
    rng = np.random.default_rng(0)
    content = np.frombuffer(stored(), np.uint8)
    path, read = tmp_path / "t.npz", 0
    for _ in range(60):
        spoiled = content.copy()
        spoiled[rng.integers(content.size, size=3)] ^= np.uint8(1 << rng.integers(8))
        path.write_bytes(spoiled.tobytes())
        try:
            found = recheck(Certificate.load(path), SMALL)
        except InputError:
            continue
        read += 1
        assert found.lower <= certificate().upper
    assert read < 60


# --- the commands ---


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_onnx(SMALL, tmp_path / "net.onnx")
    np.save(tmp_path / "image.npy", IMAGE)
    return tmp_path


RUN = [
    "groundtruth",
    "net.onnx",
    "image.npy",
    "--timeout",
    "30",
    "--evidence",
    "bound",
    "--box",
    "0,1",
]


def test_groundtruth_writes_what_recheck_proves_again(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--tree", "t.npz"]) == 0
    capsys.readouterr()
    code = main(["recheck", "t.npz", "net.onnx", "--json", "r.json"])
    printed = capsys.readouterr().out
    said = json.loads((files / "r.json").read_text())
    assert code == 0
    assert said["held"]
    assert said["witness_held"]
    assert 0.0 < said["lower"] <= said["upper"]
    assert "norm linf, 3 of 3 inputs may change within [0, 1], decided by argmax" in printed
    assert "the nearest input decided otherwise than" in printed

    good = Certificate.load(files / "t.npz")
    high = tuple(replace(c, lower=2.0 * good.upper) for c in good.claims)
    replace(good, claims=high).save(files / "high.npz")
    assert main(["recheck", "high.npz", "net.onnx"]) == 1
    assert "does NOT hold" in capsys.readouterr().out

    network = load("net.onnx")
    neurons = sum(layer.outputs for layer in network.standard_form.hidden)
    tree = replace(built([(-1, 0, 0)], neurons, 2, 0.9), vouched=np.array([True]))
    said_so = tuple(replace(c, lower=0.9, trees=(tree,)) for c in good.claims)
    replace(good, claims=said_so).save(files / "vouched.npz")
    assert main(["recheck", "vouched.npz", "net.onnx"]) == 1
    printed = capsys.readouterr().out
    assert "ONLY IF a solver was right" in printed
    assert "given 1 that a solver closed" in printed


def test_bad_input_is_exit_code_2_and_one_line(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recheck", "image.npy", "net.onnx"]) == 2
    assert "image.npy: cannot be read as recorded trees" in capsys.readouterr().err
    assert main([*RUN, "--tree", "t.npz", "--target", "0" if _label() else "1"]) in (0, 1)
    capsys.readouterr()
    assert main(["recheck", "t.npz", "net.onnx", "--json", "t.npz"]) == 2
    capsys.readouterr()
    write_onnx(dense_network([np.eye(3), np.eye(3)], [np.ones(3)] * 2), files / "other.onnx")
    assert main(["recheck", "t.npz", "other.onnx"]) == 2
    error = capsys.readouterr().err
    assert "t.npz: the trees are of another network file" in error
    assert len(error.strip().splitlines()) == 1
    good = Certificate.load(files / "t.npz")
    neurons = good.claims[0].trees[0].alpha.shape[1]
    half = built([(-1, 0, 0), (0, 1, 1)], neurons, 2)
    replace(good, claims=(replace(good.claims[0], trees=(half,)),)).save(files / "half.npz")
    assert main(["recheck", "half.npz", "net.onnx"]) == 2
    assert "half.npz: node 0 of the tree has 1 parts" in capsys.readouterr().err


def test_an_image_decided_otherwise_has_no_tree(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = 0 if _label() else 1
    assert main([*RUN, "--tree", "t.npz", "--label", str(label)]) == 0
    assert "no tree was grown, so t.npz was not written" in capsys.readouterr().err
    assert not (files / "t.npz").exists()


def _label() -> int:
    return int(SMALL.evaluate(IMAGE)[0].argmax())
