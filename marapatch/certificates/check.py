"""A certificate checked: every leaf of its trees again, its witness, and what it is about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any

import numpy as np

from marapatch.certificates.file import Certificate
from marapatch.certificates.recheck import NEAR_CLAIM, Progress, Rechecked, recheck_tree
from marapatch.certificates.recheck_form import form_of
from marapatch.errors import InputError
from marapatch.network.exact import can_be_exact, exact_outputs
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import OutputCondition, beats
from marapatch.problem.replay import Replay


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
    def verified(self) -> bool:
        """Whether all that was claimed was refuted again, without a solver's word."""
        return self.radius >= self.claimed * (1.0 - NEAR_CLAIM)

    @property
    def verified_given(self) -> bool:
        """Whether all that was claimed follows if a solver's word is taken for some leaves."""
        return self.given >= self.claimed * (1.0 - NEAR_CLAIM)

    @property
    def solver_certified(self) -> int:
        """How many leaves rest on a solver's word where ``given`` is more than ``radius``."""
        return sum(tree.solver_certified for tree in self.trees) if self.given > self.radius else 0


@dataclass(frozen=True)
class Recheck:
    """The bracket as checked again: ``lower`` over all targets, ``upper`` of the witness (infinite
    without one that changes the decision to a target). ``given``: what ``lower`` would be if the
    leaves that a solver closed, and nothing else can check, are as the solver said. ``image``:
    names the centre (:attr:`~marapatch.certificates.file.Certificate.image`). ``witness_note``: why
    the witness does not hold; empty where it does."""

    image: str
    lower: float
    given: float
    upper: float
    targets: tuple[TargetCheck, ...]
    witness_held: bool
    witness_note: str = ""

    @property
    def verified(self) -> bool:
        """Whether everything claimed was found true again; nothing was taken on trust."""
        return self.witness_held and all(target.verified for target in self.targets)

    @property
    def verified_given(self) -> bool:
        """Whether everything claimed is true if a solver was right about some leaves."""
        return self.witness_held and all(target.verified_given for target in self.targets)

    def to_json(self) -> dict[str, Any]:
        """Plain data; None where a number is infinite."""

        def plain(value: Any) -> Any:
            match value:
                case dict():
                    return {_KEYS.get(name, name): plain(part) for name, part in value.items()}
                case list() | tuple():
                    return [plain(part) for part in value]
                case float():
                    return value if isfinite(value) else None
                case _:
                    return value

        return {**plain(asdict(self)), "held": self.verified, "held_given": self.verified_given}


_KEYS = {"solver_certified": "vouched"}
"""Fields that have another name in the JSON, which keeps its own."""


def recheck(
    certificate: Certificate, network: Network, progress: Progress | None = None
) -> Recheck:
    """Check every leaf of every tree again, independently of the search, and the witness.

    Raises InputError where ``network`` is another file than the one that the trees are of, and
    where a record is no tree over its neurons.
    """
    sha256 = None if network.source is None else network.source.sha256
    # The check would be right about any network with as many neurons, but what was claimed is about
    # the function of one file.
    if certificate.sha256 != sha256:
        raise InputError(
            f"the trees are of another network file (sha256 {certificate.sha256}), not of this "
            f"one ({sha256})"
        )
    if certificate.ball.centre.size != network.inputs:
        raise InputError("the trees are of a network with another number of inputs")
    ball, checks, upper = certificate.ball, [], inf
    note = _misplaced(certificate, network)
    # Not `network.standard_form`: the search believed that one, and an error in it would pass.
    form = form_of(network)
    total = sum(len(tree) for claim in certificate.claims for tree in claim.trees)
    done = 0
    for claim in certificate.claims:
        condition = beats(claim.target, network.outputs, certificate.rule, certificate.margin)
        found = []
        for tree in claim.trees:

            def watch(nodes: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + nodes, total)

            # `ball` has an infinite radius here; each tree is checked over the ball of its own.
            found.append(recheck_tree(tree, form, ball, condition, watch))
            done += len(tree)
        # Each tree is a proof by itself, so the best one counts; the least would let a second,
        # weaker tree take away what the first proved.
        radius, given = (
            inf if best >= ball.covering_radius > 0.0 else best  # there is nothing beyond the box
            for best in (
                max((each.radius for each in found), default=0.0),
                max((each.given for each in found), default=0.0),
            )
        )
        checks.append(TargetCheck(claim.target, claim.lower, radius, given, tuple(found)))
        if certificate.witness is not None and not note:
            # A witness of any claimed target is one of the decision that the bracket is about.
            upper = min(upper, _distance(certificate.witness, network, ball, condition))
    # Without a witness claimed both are infinite: there is nothing to hold.
    verified = upper <= certificate.upper * (1.0 + NEAR_CLAIM)
    if not (verified or note):
        note = (
            "the witness is not decided as any target by the margin"
            if upper == inf
            else f"the witness is at {upper:.9g}, not at {certificate.upper:.9g}"
        )
    return Recheck(
        image=certificate.image,
        # The least, as an input decided as any of the targets counts; of classes that are not
        # claimed nothing is said.
        lower=min(check.radius for check in checks),
        given=min(check.given for check in checks),
        upper=upper,
        targets=tuple(checks),
        witness_held=verified,
        witness_note=note,
    )


def _misplaced(certificate: Certificate, network: Network) -> str:
    """What is wrong with the witness before anyone evaluates it: exactly as stored it must be a
    vector of the network's input type inside the box, since nothing of it is rounded here."""
    witness, ball = certificate.witness, certificate.ball
    if witness is None:
        return "" if certificate.upper == inf else "there is no witness at the upper end"
    with np.errstate(over="ignore"):
        # Replay would round the vector first and judge what comes of it: not what is stored.
        typed = witness.astype(network.input_dtype).astype(np.float64)
    for wrong, what in (
        (typed != witness, f"no number of the network's input type {network.input_dtype}"),
        ((witness < ball.lower) | (witness > ball.upper), "outside the box"),
    ):
        if wrong.any():
            i = int(wrong.argmax())
            return f"the witness's entry {i} is {witness[i]!r}, {what}"
    return ""


def _distance(witness: Array, network: Network, ball: Ball, condition: OutputCondition) -> float:
    """How far the witness is; infinite where it does not meet the condition. Where the network is
    small enough, its outputs in exact arithmetic are to say so too."""
    replayed = Replay(network, ball, condition)(witness)
    if replayed is None:
        return inf
    if can_be_exact(network) and not condition.met_exactly(exact_outputs(network, witness)):
        return inf
    return replayed.distance


def difference(ball: Ball, image: Array, network: Network) -> int | None:
    """The first entry in which ``image`` (inputs,) is not the centre of ``ball``; None where it is.

    An entry counts as the centre's where rounding it to the network's input type gives that, or
    the number next to it where the box begins in between.
    """
    kind = network.input_dtype
    with np.errstate(over="ignore"):
        typed = image.astype(kind)
    # Rounding an entry of the box to nearest leaves it by one step of the type at most, where it
    # begins between two numbers of the type; a step of nextafter to the number itself is none.
    inward = np.where(typed > ball.upper, -np.inf, np.where(typed < ball.lower, np.inf, typed))
    nearest = np.nextafter(typed, inward.astype(kind)).astype(np.float64)
    wrong = nearest != ball.centre
    return int(wrong.argmax()) if wrong.any() else None
