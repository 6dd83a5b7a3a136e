"""A ground truth with the trees that prove it, as a file that anyone can check again.

The file may come from anyone: what :mod:`marapatch.certificates.check` reports is true of the
question that the file states (:attr:`Certificate.question` says it in words, and
:attr:`Certificate.image` names the image) whatever else is in it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.arrays import read_npz
from marapatch.files.atomic_write import write_whole
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule
from marapatch.problem.norm import Norm
from marapatch.search.tree_record import TreeRecord

TREE_FORMATS = ("marapatch trees 1", "marapatch trees 2")
"""Versions of the file, oldest first. The second names the image."""

WANTED = "give a file that `marapatch groundtruth --tree` wrote"


@dataclass(frozen=True, eq=False)
class TargetClaim:
    """No input nearer than ``lower`` is decided as ``target``: by the best of ``trees``."""

    target: int
    lower: float
    trees: tuple[TreeRecord, ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was asked, what is claimed, and the trees.

    ``sha256``: of the network's file. ``ball``: centre, box and norm. ``witness``: the input at
    ``upper``, flat, in float64; None where there is none. Raises InputError where nothing is
    claimed, a target is claimed twice or a number is none that could be so.
    """

    sha256: str | None
    ball: Ball
    rule: Rule
    margin: float
    upper: float
    witness: NDArray[np.float64] | None
    claims: tuple[TargetClaim, ...]

    def __post_init__(self) -> None:
        if not self.claims:
            raise InputError("there is no tree: no target was searched")
        targets = [claim.target for claim in self.claims]
        # Of two claims of one target one could hide the other: results are read by target.
        if len(set(targets)) < len(targets):
            raise InputError(f"a target is claimed twice: {_short(targets)}")
        if not 0.0 <= self.margin < inf:
            raise InputError(f"the margin is {self.margin}; it must be finite and at least 0")
        for what, number in [("upper end", self.upper)] + [
            (f"lower end of target {claim.target}", claim.lower) for claim in self.claims
        ]:
            # Not `number < 0`, which is false of NaN; and NaN would answer every comparison of the
            # check with no.
            if not number >= 0.0:
                raise InputError(f"the {what} is {number}; it must be at least 0")
        if self.witness is not None:
            self._check_witness(self.witness)

    def _check_witness(self, witness: NDArray[Any]) -> None:
        # A witness of one entry would broadcast to a whole input: not the vector that is stored.
        if witness.shape != self.ball.centre.shape:
            raise InputError(
                f"the witness has shape {witness.shape}, the centre {self.ball.centre.shape}"
            )
        if witness.dtype != np.float64 or not np.isfinite(witness).all():
            raise InputError(
                "the witness holds entries that are no finite float64 numbers "
                f"(it is {_short(witness.dtype)})"
            )

    @property
    def image(self) -> str:
        """The sha256 (hexadecimal) of the centre's bytes: its numbers as float64, little-endian,
        one after the other (for a picture: rows of pixels, scaled as they enter the network)."""
        return sha256_of(self.ball.centre)

    @property
    def question(self) -> str:
        """What the claims are about, in words."""
        # Fixed entries have a side of length 0 anywhere: with them the range told would be wider
        # than any entry may move in.
        free = self.ball.lower < self.ball.upper
        low = self.ball.lower[free].min(initial=inf)
        high = self.ball.upper[free].max(initial=-inf)
        box = f" within [{low:.6g}, {high:.6g}]" if free.any() else ""
        margin = f" by a margin of {self.margin:.6g}" if self.margin else ""
        return (
            f"norm {self.ball.norm.value}, {int(free.sum())} of {free.size} inputs may change{box}"
            f", decided by {self.rule.value}{margin}"
        )

    def save(self, path: str | Path) -> None:
        """Write an .npz file, whole or not at all. Raises InputError."""
        about = {
            "format": TREE_FORMATS[-1],
            "sha256": self.sha256,
            # Worked out from the centre again when it is read: with another centre the name is
            # wrong.
            "image": self.image,
            "norm": self.ball.norm.value,
            "decision": self.rule.value,
            "margin": self.margin,
            "upper": self.upper,
            "targets": [
                {
                    "target": claim.target,
                    "lower": claim.lower,
                    "trees": [
                        {"radius": tree.radius, "rounds": len(tree.rounds)} for tree in claim.trees
                    ],
                }
                for claim in self.claims
            ],
        }
        arrays: dict[str, Any] = {"centre": self.ball.centre}
        arrays |= {"lower": self.ball.lower, "upper": self.ball.upper}
        if self.witness is not None:
            arrays["witness"] = self.witness
        for i, claim in enumerate(self.claims):
            for j, tree in enumerate(claim.trees):
                arrays |= {f"{i}/{j}/{name}": getattr(tree, of) for name, of in _ARRAYS.items()}
                for k, parts in enumerate(tree.rounds):
                    named = zip(_MULTIPLIERS, parts, strict=True)
                    arrays |= {f"{i}/{j}/round {k}/{name}": part for name, part in named}
        # By way of memory: savez gives a name without .npz another one, and an interrupt would
        # leave half a file.
        content = io.BytesIO()
        np.savez_compressed(content, about=np.array(json.dumps(about)), **arrays)
        write_whole(Path(path), content.getvalue())

    @staticmethod
    def load(path: str | Path) -> Certificate:
        """Read what :meth:`save` wrote, of any version so far. Raises InputError on any other
        file, naming it."""
        try:
            arrays = read_npz(Path(path))
        except InputError as error:
            raise InputError(f"{error}; {WANTED}") from error
        try:
            return _built(arrays)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except _UNREADABLE as error:
            raise InputError(
                f"{path}: cannot be read as recorded trees ({type(error).__name__}); {WANTED}"
            ) from error


def sha256_of(centre: NDArray[np.float64]) -> str:
    """What names an image in a certificate; see :attr:`Certificate.image`."""
    # One order of bytes on every machine: the name must not depend on who works it out.
    return hashlib.sha256(np.ascontiguousarray(centre, dtype="<f8").tobytes()).hexdigest()


_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What json and what is made of it raise where something else is expected."""

_MULTIPLIERS = ("alpha", "beta", "mix")
_ARRAYS = {
    **{name: name for name in ("parent", "neuron", "phase", "alpha", "beta")},
    "mix": "row_multipliers",
    "vouched": "solver_certified",
}
"""The fields of a record by the names of their arrays in the file."""


def _built(arrays: Mapping[str, NDArray[Any]]) -> Certificate:
    if "about" not in arrays or arrays["about"].dtype.kind != "U" or arrays["about"].ndim:
        raise InputError("holds no text 'about' that says what the trees are of")
    about = json.loads(str(arrays["about"]))
    # A later version may mean something else by the same names, so nothing of it is believed.
    if about["format"] not in TREE_FORMATS:
        known = " or ".join(map(repr, TREE_FORMATS))
        raise InputError(f"is of the format {_short(about['format'])}, not {known}")
    claims = []
    for i, claim in enumerate(about["targets"]):
        trees = []
        for j, tree in enumerate(claim["trees"]):
            rounds = tuple(
                (
                    arrays[f"{i}/{j}/round {k}/alpha"],
                    arrays[f"{i}/{j}/round {k}/beta"],
                    arrays[f"{i}/{j}/round {k}/mix"],
                )
                for k in range(_whole(tree["rounds"], "rounds"))
            )
            parts = {of: arrays[f"{i}/{j}/{name}"] for name, of in _ARRAYS.items()}
            # The arrays are looked through by `recheck.divided`, which knows how many neurons and
            # rows there have to be.
            trees.append(TreeRecord(_number(tree["radius"], "radius"), rounds=rounds, **parts))
        target, lower = _whole(claim["target"], "target"), _number(claim["lower"], "lower")
        claims.append(TargetClaim(target, lower, tuple(trees)))
    centre, low, high = (_vector(arrays, name) for name in ("centre", "lower", "upper"))
    sha256 = about["sha256"]
    if not (sha256 is None or isinstance(sha256, str)):
        raise InputError(f"the sha256 of the network is {_short(sha256)}, not text")
    certificate = Certificate(
        sha256=sha256,
        ball=Ball(centre, low, high, Norm(about["norm"]), inf),
        rule=Rule(about["decision"]),
        margin=_number(about["margin"], "margin"),
        upper=_number(about["upper"], "upper"),
        witness=_vector(arrays, "witness") if "witness" in arrays else None,
        claims=tuple(claims),
    )
    # The first version does not name the image.
    if about["format"] != TREE_FORMATS[0] and about["image"] != certificate.image:
        raise InputError(
            f"names the image {_short(about['image'])}, but its centre has the sha256 "
            f"{certificate.image}"
        )
    return certificate


def _vector(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float64]:
    """One of the arrays that must be float64 of the centre's shape, exactly as stored."""
    # No other type is converted: what rounding made of a wider one would be another box or witness
    # than the one stored.
    array, shape = arrays[name], arrays["centre"].shape
    if array.dtype.newbyteorder("=") != np.float64 or array.ndim != 1 or array.shape != shape:
        raise InputError(
            f"the array {name!r} is {_short(array.dtype)} {_short(array.shape)}; it must be "
            f"float64 in one row{'' if name == 'centre' else ' like the centre'}"
        )
    return array.astype(np.float64)  # in this machine's order of bytes


def _number(value: Any, what: str) -> float:
    # To Python True is an int, and in JSON it is no number.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what} is {_short(value)}, not a number")
    return float(value)


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{what} is {_short(value)}, not a whole number")
    return value


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, np.dtype) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
