"""A ground truth with its trees, as a certificate."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from marapatch.certificates.completion import Completion
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.certificates.recheck import NEAR_CLAIM, Progress
from marapatch.certificates.recheck_form import form_of
from marapatch.errors import InputError
from marapatch.groundtruth.result import GroundTruth
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import beats
from marapatch.problem.verdict import Evidence
from marapatch.reporting.rounded import rounded_down


def certificate_of(
    result: GroundTruth, until: float = inf, progress: Progress | None = None
) -> Certificate:
    """The certificate of a ground truth whose options had ``record``.

    Each target's best tree is checked and, where the check falls short, completed
    (:mod:`marapatch.certificates.completion`) until the monotonic clock says ``until`` or a
    KeyboardInterrupt comes. Where the whole tree was checked and yet refutes less than ``lower`` of
    the result, what it refutes is what is claimed: the checker's bounds on rounding may be wider
    than the search's. ``progress``: called with the nodes checked and their number. Raises
    InputError where the trees were not recorded, and where nothing was searched, the image being
    decided otherwise as it is.
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


def as_certified(result: GroundTruth, certificate: Certificate) -> GroundTruth:
    """``result`` with the lower ends that ``certificate`` claims, where these are less; one that
    was read from a file rests on that and stays."""
    claimed = {claim.target: claim.lower for claim in certificate.claims}
    targets = tuple(
        replace(
            found,
            bracket=replace(found.bracket, lower=claimed[found.target]),
            note=f"its tree, checked again, proves less than {rounded_down(found.lower)}",
        )
        if claimed[found.target] < found.lower and found.evidence is not Evidence.FILE
        else found
        for found in result.targets
    )
    return replace(result, targets=targets)


def _completed(
    result: GroundTruth, until: float, progress: Progress | None
) -> tuple[TargetClaim, ...]:
    trees = {found.target: list(found.trees) for found in result.targets}
    form, options = form_of(result.network), result.options
    begun: list[tuple[int, int, Completion]] = []
    for target, each in trees.items():
        if each:
            best = max(range(len(each)), key=lambda i: each[i].radius)
            condition = beats(target, result.network.outputs, result.rule, options.margin)
            begun.append((target, best, Completion(each[best], form, result.ball, condition)))
    total = sum(len(completion.record) for *_, completion in begun)
    done = 0
    try:
        for *_, completion in begun:  # how far all of them reach, before time goes to any

            def watch(nodes: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + nodes, total)

            done += len(completion.record)
            completion.check(until, watch)
        for *_, completion in begun:
            completion.complete(until)
    except KeyboardInterrupt:
        pass  # what was not checked is written as the search left it: all of it can be checked
    lower = {found.target: found.lower for found in result.targets}
    for target, best, completion in begun:
        trees[target][best] = completion.record
        if completion.radius is not None:
            lower[target] = _supported(lower[target], completion.radius, result.ball)
    return tuple(TargetClaim(t, lower[t], tuple(trees[t])) for t in trees)


def _supported(lower: float, radius: float, ball: Ball) -> float:
    """``lower`` or, where what was refuted up to ``radius`` does not support it, that."""
    refuted = inf if radius >= ball.covering_radius > 0.0 else radius
    return lower if refuted >= lower * (1.0 - NEAR_CLAIM) else refuted
