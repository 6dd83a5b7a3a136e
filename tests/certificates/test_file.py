"""What a file of trees must say to be believed: numbers, shapes, types, and the image's name."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

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
