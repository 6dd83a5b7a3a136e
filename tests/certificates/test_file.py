"""What a file of trees must say to be believed: numbers, shapes, types, and the image's name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from recorded_trees import built

from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.errors import InputError
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm


def certificate(**change: object) -> Certificate:
    ball = Ball(np.full(2, 0.5), np.zeros(2), np.ones(2), Norm.LINF, inf)
    given = {
        "sha256": None,
        "ball": ball,
        "rule": Rule.ARGMAX,
        "margin": 0.0,
        "upper": inf,
        "witness": None,
        "claims": (TargetClaim(1, 0.0, ()),),
    }
    return Certificate(**{**given, **change})  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trees.npz"
    certificate().save(path)
    return path


def rewritten(path: Path, about: dict[str, object], **arrays: np.ndarray) -> Path:
    with np.load(path) as content:
        parts = {name: content[name] for name in content.files}
    said = {**json.loads(str(parts.pop("about"))), **about}
    np.savez(path, about=np.array(json.dumps(said)), **{**parts, **arrays})
    return path


def test_ends_and_margins_may_be_zero(file: Path) -> None:
    again = Certificate.load(file)
    assert (again.upper, again.margin, again.claims[0].lower) == (inf, 0.0, 0.0)
    zero = certificate(upper=0.0, claims=(TargetClaim(0, 0.0, ()), TargetClaim(1, inf, ())))
    assert zero.upper == 0.0


@pytest.mark.parametrize(
    "change", [{"upper": -1.0}, {"upper": nan}, {"margin": -0.1}, {"margin": inf}]
)
def test_numbers_that_cannot_be_so_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be"):
        certificate(**change)


@pytest.mark.parametrize("other", ["0" * 64, "f" * 64, "", "z"])
def test_an_image_of_another_name_is_refused(file: Path, other: str) -> None:
    """Whichever of the two comes first in the alphabet."""
    with pytest.raises(InputError, match="but its centre has the sha256"):
        Certificate.load(rewritten(file, {"image": other}))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.full((1, 2), 0.5), r"the array 'centre' is float64 \(1, 2\)"),
        (np.full((), 0.5), r"the array 'centre' is float64 \(\)"),
        (np.full(2, 0.5, np.float32), r"the array 'centre' is float32 \(2,\)"),
    ],
)
def test_a_centre_is_one_row_of_float64(file: Path, array: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Certificate.load(rewritten(file, {}, centre=array))


def test_an_end_of_the_box_has_the_shape_of_the_centre(file: Path) -> None:
    with pytest.raises(InputError, match="like the centre"):
        Certificate.load(rewritten(file, {}, lower=np.zeros(3)))


@pytest.mark.parametrize("other", [5.0, True, b"{}", ["{}"]])
def test_a_file_without_a_text_about_is_refused(file: Path, other: object) -> None:
    with np.load(file) as content:
        parts = {name: content[name] for name in content.files}
    np.savez(file, **{**parts, "about": np.array(other)})
    with pytest.raises(InputError, match="holds no text 'about'"):
        Certificate.load(file)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"margin": "0.1"}, "margin is '0.1', not a number"),
        ({"margin": True}, "margin is True, not a number"),
        ({"upper": None}, "upper is None, not a number"),
        ({"targets": [{"target": 1.0, "lower": 0.0, "trees": []}]}, "target is 1.0, not a whole"),
        ({"targets": [{"target": True, "lower": 0.0, "trees": []}]}, "target is True, not a whole"),
        ({"targets": [{"target": 1, "lower": "0", "trees": []}]}, "lower is '0', not a number"),
        ({"targets": []}, "no target was searched"),
        ({"sha256": 7}, "the sha256 of the network is 7, not text"),
        ({"format": "marapatch trees 0"}, "'marapatch trees 0', not 'marapatch trees 1' or"),
    ],
)
def test_what_is_said_about_the_trees_is_looked_at(
    file: Path, about: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Certificate.load(rewritten(file, about))


def test_whole_numbers_will_do_and_a_network_may_have_no_name(file: Path) -> None:
    read = Certificate.load(rewritten(file, {"margin": 1, "upper": 3, "sha256": "abc"}))
    assert (read.margin, read.upper, read.sha256) == (1.0, 3.0, "abc")
    assert Certificate.load(rewritten(file, {"sha256": None})).sha256 is None


@pytest.mark.parametrize("length", [78, 79])
def test_a_long_value_is_shown_in_part(file: Path, length: int) -> None:
    """80 characters, quotes included, are shown; of more the beginning."""
    with pytest.raises(InputError) as caught:
        Certificate.load(rewritten(file, {"margin": "a" * length}))
    shown = f"'{'a' * 78}'" if length == 78 else f"'{'a' * 76}..."
    assert f"margin is {shown}, not a number" in str(caught.value)


def test_a_question_in_words() -> None:
    ball = Ball(
        np.full(3, 0.5), np.array([0.0, 0.5, 0.25]), np.array([1.0, 0.5, 0.75]), Norm.L1, inf
    )
    assert certificate(ball=ball, rule=Rule.ARGMIN, margin=0.125).question == (
        "norm l1, 2 of 3 inputs may change within [0, 1], decided by argmin by a margin of 0.125"
    )
    inner = Ball(np.full(2, 0.5), np.array([0.25, 0.5]), np.array([0.75, 0.5]), Norm.LINF, inf)
    assert certificate(ball=inner).question == (
        "norm linf, 1 of 2 inputs may change within [0.25, 0.75], decided by argmax"
    )
    point = Ball(np.full(2, 0.5), np.full(2, 0.5), np.full(2, 0.5), Norm.LINF, inf)
    assert certificate(ball=point).question == (
        "norm linf, 0 of 2 inputs may change, decided by argmax"
    )


def test_an_image_is_named_by_its_numbers_in_little_endian_float64(file: Path) -> None:
    name = hashlib.sha256(np.full(2, 0.5, "<f8").tobytes()).hexdigest()
    assert certificate().image == name
    big = {part: np.full(2, value, ">f8") for part, value in (("centre", 0.5), ("upper", 1.0))}
    assert Certificate.load(rewritten(file, {}, **big)).image == name


def test_trees_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Every array, the rounds in their order, the trees in theirs."""
    rng = np.random.default_rng(0)
    splits = [(-1, 0, 0), (0, 1, 1), (0, 1, -1)]
    trees = tuple(
        replace(
            built(splits, 4, 2, radius),
            alpha=rng.random((3, 4)),
            beta=rng.random((3, 4)),
            row_multipliers=rng.random((3, 2)),
            solver_certified=np.array([False, True, False]),
            rounds=tuple((rng.random(4), rng.random(4), rng.random(2)) for _ in range(rounds)),
        )
        for radius, rounds in ((0.5, 0), (0.25, 2))
    )
    witness = np.array([0.75, 0.5])
    claims = (TargetClaim(2, 0.5, trees), TargetClaim(0, 0.25, ()))
    certificate(claims=claims, witness=witness, upper=0.25).save(tmp_path / "t.npz")
    read = Certificate.load(tmp_path / "t.npz")
    assert read.witness is not None
    assert read.witness.tolist() == witness.tolist()
    assert [(claim.target, claim.lower) for claim in read.claims] == [(2, 0.5), (0, 0.25)]
    for wrote, found in zip(trees, read.claims[0].trees, strict=True):
        assert found.radius == wrote.radius
        for name in ("parent", "neuron", "phase", "alpha", "beta", "row_multipliers"):
            assert np.array_equal(getattr(found, name), getattr(wrote, name))
        assert np.array_equal(found.solver_certified, wrote.solver_certified)
        assert len(found.rounds) == len(wrote.rounds)
        for one, other in zip(found.rounds, wrote.rounds, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
