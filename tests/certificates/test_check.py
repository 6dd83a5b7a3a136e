"""Files of recorded trees: read back as written, refused where they are something else."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import exact_optimum as exact
import numpy as np
import pytest
from certified import IMAGE, SMALL, solved
from recorded_trees import built
from small_networks import branching_network

from marapatch.certificates.check import difference, recheck
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.errors import InputError
from marapatch.groundtruth.certificate import certificate_of
from marapatch.network.graph import dense_network
from marapatch.problem.conditions import Rule, beats


@cache
def certificate() -> Certificate:
    return certificate_of(solved(each_target=True))


@pytest.mark.parametrize("decision", ["argmax", "argmin"])
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_what_is_proved_again_is_never_beyond_the_optimum(norm: str, decision: str) -> None:
    mask = np.array([True, False, True])
    result = solved(
        norm=norm, decision=decision, mask=mask, margin=0.05, each_target=True, box=(0.0, 0.9)
    )
    again = certificate_of(result)
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
    checked = recheck(certificate_of(result), network)
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
            for name in (
                "parent",
                "neuron",
                "phase",
                "alpha",
                "beta",
                "row_multipliers",
                "solver_certified",
            ):
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
    assert not result.verified
    assert result.lower <= good.upper
    assert result.lower >= 0.5 * checked.lower
    empty = replace(good, claims=(TargetClaim(nearest.target, nearest.lower, ()),))
    assert recheck(empty, SMALL).lower == 0.0
    assert not recheck(empty, SMALL).verified
    assert not recheck(replace(good, upper=0.5 * good.upper), SMALL).witness_held
    centre = replace(good, witness=np.array(good.ball.centre))
    assert recheck(centre, SMALL).upper == np.inf
    assert not recheck(centre, SMALL).verified


def test_a_box_of_one_point_is_no_proof_of_anything() -> None:
    """Nothing lies beyond its radius 0; that does not say that the centre is not the target."""
    decided = int(SMALL.evaluate(IMAGE)[0].argmax())
    point = replace(certificate().ball, lower=IMAGE, upper=IMAGE)
    tree = built([(-1, 0, 0)], 11, 2, 1.0)
    for trees in ((), (tree,)):
        claims = (TargetClaim(decided, np.inf, trees),)
        result = recheck(replace(certificate(), ball=point, claims=claims), SMALL)
        assert result.lower == 0.0
        assert not result.verified


def test_a_solvers_word_is_said_apart() -> None:
    claims = []
    for claim in certificate().claims:
        tree = replace(built([(-1, 0, 0)], 11, 2, 0.6), solver_certified=np.array([True]))
        claims.append(TargetClaim(claim.target, 0.6, (tree,)))
    result = recheck(replace(certificate(), claims=tuple(claims)), SMALL)
    assert result.lower < certificate().upper
    assert result.given == 0.6
    assert not result.verified
    assert result.verified_given
    assert all(target.solver_certified == 1 for target in result.targets)
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
    for margin in (np.nan, np.inf, -0.1):
        with pytest.raises(InputError, match="the margin is"):
            replace(good, margin=margin)
    with pytest.raises(InputError, match="the upper end is nan"):
        replace(good, upper=np.nan)
    with pytest.raises(InputError, match="no finite float64 numbers"):
        replace(good, witness=np.full(3, np.nan))
    with pytest.raises(InputError, match="no finite float64 numbers"):
        replace(good, witness=np.array(["0.1", "0.2", "0.3"]))
    with pytest.raises(InputError, match="lower end of target 0 is nan"):
        replace(good, claims=(TargetClaim(0, np.nan, ()),))
    with pytest.raises(InputError, match="a target is claimed twice"):
        replace(good, claims=(good.claims[0], good.claims[0]))
    with pytest.raises(InputError, match="the witness has shape"):
        replace(good, witness=np.zeros(2))
    with pytest.raises(InputError, match="no target was searched"):
        replace(good, claims=())
    claim = good.claims[0]
    half = replace(claim, trees=(built([(-1, 0, 0), (0, 1, 1)], 11, 2),))
    with pytest.raises(InputError, match="they do not cover it"):
        recheck(replace(good, claims=(half,)), SMALL)


def test_a_first_version_that_names_no_image_is_still_read(tmp_path: Path) -> None:
    about = json.loads(str(_arrays()["about"]))
    named = about.pop("image")
    about["format"] = "marapatch trees 1"
    (tmp_path / "t.npz").write_bytes(stored(about=np.array(json.dumps(about))))
    read = Certificate.load(tmp_path / "t.npz")
    assert read.image == named == hashlib.sha256(IMAGE.astype("<f8").tobytes()).hexdigest()
    assert recheck(read, SMALL).image == named


def test_a_witness_counts_exactly_as_it_is_stored() -> None:
    """Nothing of it is rounded or moved into the box: it holds as it stands, or not."""
    good = certificate()
    assert good.witness is not None
    assert recheck(good, SMALL).witness_note == ""
    beyond = np.array(good.witness)
    entry = int(np.abs(beyond - IMAGE).argmax())
    narrow = replace(good.ball, lower=np.minimum(IMAGE, beyond), upper=np.maximum(IMAGE, beyond))
    assert recheck(replace(good, ball=narrow), SMALL).witness_held
    beyond[entry] = np.nextafter(beyond[entry], 10.0 * (beyond[entry] - IMAGE[entry]))
    checked = recheck(replace(good, ball=narrow, witness=beyond), SMALL)
    assert (checked.witness_held, checked.upper) == (False, np.inf)
    assert f"the witness's entry {entry} is" in checked.witness_note
    assert "outside the box" in checked.witness_note
    single = replace(SMALL, input_dtype=np.dtype(np.float32))
    checked = recheck(good, single)
    assert not checked.witness_held
    assert "no number of the network's input type float32" in checked.witness_note
    checked = recheck(replace(good, witness=None), SMALL)
    assert checked.witness_note == "there is no witness at the upper end"
    assert not checked.verified
    assert "not at" in recheck(replace(good, upper=0.5 * good.upper), SMALL).witness_note


def test_a_lower_end_above_what_its_trees_refute_does_not_hold() -> None:
    good = certificate()
    claims = tuple(replace(claim, lower=1.001 * claim.lower) for claim in good.claims)
    checked = recheck(replace(good, claims=claims), SMALL)
    assert not any(target.verified for target in checked.targets)


def test_an_image_is_the_one_if_its_entries_become_the_centres() -> None:
    single = replace(SMALL, input_dtype=np.dtype(np.float32))
    exact = np.array([0.1, 0.5, 0.3])
    centre = exact.astype(np.float32).astype(np.float64)
    ball = replace(certificate().ball, centre=centre, lower=np.zeros(3), upper=np.ones(3))
    assert difference(ball, exact, single) is None
    assert difference(ball, exact, SMALL) == 0
    assert difference(ball, exact + np.array([0, 0, 1e-3]), single) == 2
    # 0.3 as float32 lies above 0.3: within a box that ends there the number below it is the centre.
    edge = np.nextafter(np.float32(0.3), np.float32(0)).astype(np.float64)
    cut = replace(ball, centre=np.array([*centre[:2], edge]), upper=np.array([1.0, 1.0, 0.3]))
    assert difference(cut, exact, single) is None
    assert difference(replace(cut, upper=np.ones(3)), exact, single) == 2


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
    "the witness is text": lambda: stored(witness=np.array(["0.1", "0.2", "0.3"])),
    "the witness is of bytes": lambda: stored(witness=np.array([b"0.1", b"0.2", b"0.3"])),
    "the witness is complex": lambda: stored(witness=np.zeros(3, complex)),
    "the witness is of records": lambda: stored(witness=np.zeros(3, [("a", "f8")])),
    "the witness is a time": lambda: stored(witness=np.zeros(3, "M8[s]")),
    "the witness is a column": lambda: stored(witness=np.zeros((3, 1))),
    "the witness has NaN": lambda: stored(witness=np.full(3, np.nan)),
    "the witness is infinite": lambda: stored(witness=np.full(3, np.inf)),
    "the centre is text": lambda: stored(centre=np.array(["0.25", "0.5", "0.75"])),
    "the box is of single precision": lambda: stored(lower=np.zeros(3, np.float32)),
    "the box is one number": lambda: stored(upper=np.array(1.0)),
    "about is bytes": lambda: stored(about=np.array(b"{}")),
    "about is a list of texts": lambda: stored(about=np.array(["{}"])),
    "the margin is NaN": lambda: _about(margin=np.nan),
    "the margin is negative": lambda: _about(margin=-1.0),
    "the margin is true": lambda: _about(margin=True),
    "the upper end is NaN": lambda: _about(upper=np.nan),
    "the upper end is negative": lambda: _about(upper=-1.0),
    "the upper end is text": lambda: _about(upper="1.0"),
    "a lower end is NaN": lambda: _claims(lower=np.nan),
    "a lower end is a huge whole number": lambda: _claims(lower=10**400),
    "a target is a fraction": lambda: _claims(target=0.5),
    "a target is named twice": lambda: _about(targets=2 * [_claim()]),
    "rounds are a fraction": lambda: _claims(trees=[{"radius": 1.0, "rounds": 0.5}]),
    "the network's sha256 is a number": lambda: _about(sha256=5),
    "another image is named": lambda: _about(image="0" * 64),
    "no image is named": lambda: _about(image=None),
    "two arrays have one name": lambda: _appended("centre.npy", _npy()),
    "an array is longer than it says": lambda: _appended("more.npy", _npy() + b"x"),
    "an array is shorter than it says": lambda: _appended("more.npy", _npy()[:-1]),
    "an array announces 2^60 bytes": lambda: _appended("more.npy", _announced((2**57,))),
    "an array announces 5 GiB": lambda: _appended("more.npy", _announced((5 * 2**27,))),
    "an array announces less than nothing": lambda: _appended("more.npy", _announced((-1,))),
    "an array wraps around": lambda: _appended("more.npy", _announced((2**32, 2**32))),
    "an array of nothing is huge": lambda: _appended("more.npy", _announced((2**60, 0))),
    "entries have no size": lambda: _appended("more.npy", _announced((3,), "'<U0'")),
    "a header is a call": lambda: _appended("more.npy", _announced((3,), "exit(1)")),
    "a header is far too long": lambda: _appended(
        "more.npy", _npy()[:8] + b"\xff\xff" + b" " * 65535
    ),
    "compressed otherwise": lambda: _appended("more.npy", _npy(), zipfile.ZIP_LZMA),
}


def _claim(**change: object) -> dict[str, object]:
    return {"target": 0, "lower": 0.0, "trees": [], **change}


def _claims(**change: object) -> bytes:
    return _about(targets=[_claim(**change)])


def _announced(shape: tuple[int, ...], kind: str = "'<f8'") -> bytes:
    """An array's file of a few bytes with a header of any ``shape``."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _appended(name: str, member: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO(stored())
    with warnings.catch_warnings(), zipfile.ZipFile(content, "a") as archive:
        warnings.simplefilter("ignore")  # two members of one name, on purpose
        archive.writestr(name, member, method)
    return content.getvalue()


@pytest.mark.parametrize("what", OTHER)
def test_other_files_are_refused_with_their_name(what: str, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(OTHER[what]())
    with pytest.raises(InputError, match=r"t\.npz") as caught:
        Certificate.load(path)
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 400
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
