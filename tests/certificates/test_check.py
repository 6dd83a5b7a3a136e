"""Files of recorded trees: read back as written, refused where they are something else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import exact_optimum as exact
import numpy as np
import pytest
from certified import IMAGE, SMALL, solved
from recorded_trees import NODE_FIELDS, built
from small_networks import branching_network
from stored_certificates import certificate, stored, stored_arrays

from marapatch.certificates.check import difference, recheck
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.errors import InputError
from marapatch.groundtruth.certificate import certificate_of
from marapatch.network.graph import dense_network
from marapatch.problem.conditions import Rule, beats


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
            for name in NODE_FIELDS:
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
    about = json.loads(str(stored_arrays()["about"]))
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
