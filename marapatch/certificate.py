"""A ground truth with the trees that prove it, as a file that anyone can check again.

The file may come from anyone: what :func:`recheck` reports is true of the question that the file
states (:attr:`Certificate.question` says it in words) whatever else is in it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from marapatch.ball import Ball, Norm
from marapatch.completion import completed
from marapatch.errors import InputError
from marapatch.files import write_whole
from marapatch.groundtruth import GroundTruth
from marapatch.network.network import Network
from marapatch.properties import Rule, beats
from marapatch.recheck import NEAR, Progress, Rechecked, recheck_tree
from marapatch.replay import Replay
from marapatch.search.recording import TreeRecord

FORMAT = "marapatch trees 1"


@dataclass(frozen=True, eq=False)
class TargetClaim:
    """No input nearer than ``lower`` is decided as ``target``: by the best of ``trees``."""

    target: int
    lower: float
    trees: tuple[TreeRecord, ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was asked, what is claimed, and the trees. Raises InputError where nothing is claimed.

    ``sha256``: of the network's file. ``ball``: centre, box and norm. ``witness``: the input at
    ``upper``, flat, in float64; None where there is none.
    """

    sha256: str | None
    ball: Ball
    rule: Rule
    margin: float
    upper: float
    witness: np.ndarray[Any, np.dtype[np.float64]] | None
    claims: tuple[TargetClaim, ...]

    def __post_init__(self) -> None:
        if not self.claims:
            raise InputError("there is no tree: no target was searched")
        given = None if self.witness is None else self.witness.shape
        if given not in (None, self.ball.centre.shape):
            raise InputError(f"the witness has shape {given}, the centre {self.ball.centre.shape}")

    @property
    def question(self) -> str:
        """What the claims are about, in words."""
        free = self.ball.lower < self.ball.upper
        low = self.ball.lower[free].min(initial=inf)
        high = self.ball.upper[free].max(initial=-inf)
        box = f" within [{low:.6g}, {high:.6g}]" if free.any() else ""
        margin = f" by a margin of {self.margin:.6g}" if self.margin else ""
        return (
            f"norm {self.ball.norm.value}, {int(free.sum())} of {free.size} inputs may change{box}"
            f", decided by {self.rule.value}{margin}"
        )

    @staticmethod
    def of(
        result: GroundTruth, until: float = inf, progress: Progress | None = None
    ) -> Certificate:
        """Of a ground truth whose options had ``record``. Raises InputError where they had not,
        and where nothing was searched, the image being decided otherwise as it is.

        Each target's best tree is checked and, where the check falls short, completed
        (:mod:`marapatch.completion`) until the monotonic clock says ``until`` or a
        KeyboardInterrupt comes; ``progress``: called with the nodes checked and their number.
        """
        if not result.options.record:
            raise InputError("the trees were not recorded: set record=True in the options")
        claims = _completed(result, until, progress)
        witness = result.witness
        return Certificate(
            sha256=None if result.network.source is None else result.network.source.sha256,
            ball=result.ball,
            rule=result.rule,
            margin=result.options.margin,
            upper=result.upper,
            witness=None if witness is None else witness.astype(np.float64).ravel(),
            claims=claims,
        )

    def save(self, path: str | Path) -> None:
        """Write an .npz file, whole or not at all. Raises InputError."""
        about = {
            "format": FORMAT,
            "sha256": self.sha256,
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
                arrays |= {f"{i}/{j}/{name}": getattr(tree, name) for name in _ARRAYS}
                for k, parts in enumerate(tree.rounds):
                    named = zip(_MULTIPLIERS, parts, strict=True)
                    arrays |= {f"{i}/{j}/round {k}/{name}": part for name, part in named}
        content = io.BytesIO()
        np.savez_compressed(content, about=np.array(json.dumps(about)), **arrays)
        write_whole(Path(path), content.getvalue())

    @staticmethod
    def load(path: str | Path) -> Certificate:
        """Read what :meth:`save` wrote. Raises InputError on any other file."""
        try:
            # Read here: where the file is no archive, numpy would leave it open.
            content = io.BytesIO(Path(path).read_bytes())
            with np.load(content, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise InputError(f"is of the format {about['format']!r}, not {FORMAT!r}")
            return _built(about, arrays)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except _UNREADABLE as error:
            raise InputError(
                f"{path}: cannot be read as recorded trees ({type(error).__name__}): give a file "
                "that `marapatch groundtruth --tree` wrote"
            ) from error


def _completed(
    result: GroundTruth, until: float, progress: Progress | None
) -> tuple[TargetClaim, ...]:
    form, margin = result.network.standard_form, result.options.margin
    trees = {found.target: list(found.trees) for found in result.targets}
    best: dict[int, int] = {}
    for target, each in trees.items():
        if each:
            radii = [tree.radius for tree in each]
            best[target] = radii.index(max(radii))
    total = sum(len(trees[target][i]) for target, i in best.items())
    done = 0
    try:
        for target, i in best.items():
            condition = beats(target, result.network.outputs, result.rule, margin)
            record = trees[target][i]

            def watch(nodes: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + nodes, total)

            trees[target][i] = completed(record, form, result.ball, condition, until, watch)
            done += len(record)
    except KeyboardInterrupt:
        pass  # what was not checked is written as the search left it: all of it can be checked
    return tuple(TargetClaim(t.target, t.lower, tuple(trees[t.target])) for t in result.targets)


@dataclass(frozen=True)
class TargetCheck:
    """What one target's claim came to: ``radius`` up to which it was refuted again, by the best
    tree; ``given``: the same if the leaves that a solver closed are as it said."""

    target: int
    claimed: float
    radius: float
    given: float
    trees: tuple[Rechecked, ...]

    @property
    def held(self) -> bool:
        """Whether all that was claimed was refuted again, without a solver's word."""
        return self.radius >= self.claimed * (1.0 - NEAR)

    @property
    def held_given(self) -> bool:
        """Whether all that was claimed follows if a solver's word is taken for some leaves."""
        return self.given >= self.claimed * (1.0 - NEAR)

    @property
    def vouched(self) -> int:
        """How many leaves rest on a solver's word where ``given`` is more than ``radius``."""
        return sum(tree.vouched for tree in self.trees) if self.given > self.radius else 0


@dataclass(frozen=True)
class Recheck:
    """The bracket as checked again: ``lower`` over all targets, ``upper`` of the witness (infinite
    without one that changes the decision to a target). ``given``: what ``lower`` would be if the
    leaves that a solver closed, and nothing else can check, are as the solver said."""

    lower: float
    given: float
    upper: float
    targets: tuple[TargetCheck, ...]
    witness_held: bool

    @property
    def held(self) -> bool:
        """Whether everything claimed was found true again; nothing was taken on trust."""
        return self.witness_held and all(target.held for target in self.targets)

    @property
    def held_given(self) -> bool:
        """Whether everything claimed is true if a solver was right about some leaves."""
        return self.witness_held and all(target.held_given for target in self.targets)

    def to_json(self) -> dict[str, Any]:
        """Plain data; None where a number is infinite."""

        def plain(value: Any) -> Any:
            match value:
                case dict():
                    return {name: plain(part) for name, part in value.items()}
                case list() | tuple():
                    return [plain(part) for part in value]
                case float():
                    return value if isfinite(value) else None
                case _:
                    return value

        return {**plain(asdict(self)), "held": self.held, "held_given": self.held_given}


def recheck(
    certificate: Certificate, network: Network, progress: Progress | None = None
) -> Recheck:
    """Check every leaf of every tree again, independently of the search, and the witness.

    Raises InputError where ``network`` is another file than the one that the trees are of, and
    where a record is no tree over its neurons.
    """
    sha256 = None if network.source is None else network.source.sha256
    if certificate.sha256 != sha256:
        raise InputError(
            f"the trees are of another network file (sha256 {certificate.sha256}), not of this "
            f"one ({sha256})"
        )
    if certificate.ball.centre.size != network.standard_form.inputs:
        raise InputError("the trees are of a network with another number of inputs")
    ball, checks, upper = certificate.ball, [], inf
    total = sum(len(tree) for claim in certificate.claims for tree in claim.trees)
    done = 0
    for claim in certificate.claims:
        condition = beats(claim.target, network.outputs, certificate.rule, certificate.margin)
        found = []
        for tree in claim.trees:

            def watch(nodes: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + nodes, total)

            found.append(recheck_tree(tree, network.standard_form, ball, condition, watch))
            done += len(tree)
        radius, given = (
            inf if best >= ball.whole_box > 0.0 else best  # there is nothing beyond the box
            for best in (
                max((each.radius for each in found), default=0.0),
                max((each.given for each in found), default=0.0),
            )
        )
        checks.append(TargetCheck(claim.target, claim.lower, radius, given, tuple(found)))
        if certificate.witness is not None:
            replayed = Replay(network, ball, condition)(certificate.witness)
            upper = upper if replayed is None else min(upper, replayed.distance)
    return Recheck(
        lower=min(check.radius for check in checks),
        given=min(check.given for check in checks),
        upper=upper,
        targets=tuple(checks),
        witness_held=upper <= certificate.upper * (1.0 + NEAR),
    )


_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy, zipfile and json raise on files that are not what they expect."""

_MULTIPLIERS = ("alpha", "beta", "mix")
_ARRAYS = ("parent", "neuron", "phase", *_MULTIPLIERS, "vouched")


def _built(about: Any, arrays: dict[str, Any]) -> Certificate:
    norm = Norm(about["norm"])
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
                for k in range(tree["rounds"])
            )
            parts = {name: arrays[f"{i}/{j}/{name}"] for name in _ARRAYS}
            trees.append(TreeRecord(radius=float(tree["radius"]), rounds=rounds, **parts))
        claims.append(TargetClaim(int(claim["target"]), float(claim["lower"]), tuple(trees)))
    return Certificate(
        sha256=about["sha256"],
        ball=Ball(arrays["centre"], arrays["lower"], arrays["upper"], norm, inf),
        rule=Rule(about["decision"]),
        margin=float(about["margin"]),
        upper=float(about["upper"]),
        witness=arrays.get("witness"),
        claims=tuple(claims),
    )
