"""A ground truth with its trees, as a certificate."""

from __future__ import annotations

from math import inf

import numpy as np

from marapatch.certificates.completion import completed
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.certificates.recheck import Progress
from marapatch.certificates.recheck_form import form_of
from marapatch.errors import InputError
from marapatch.groundtruth.result import GroundTruth
from marapatch.problem.conditions import beats


def certificate_of(
    result: GroundTruth, until: float = inf, progress: Progress | None = None
) -> Certificate:
    """The certificate of a ground truth whose options had ``record``.

    Each target's best tree is checked and, where the check falls short, completed
    (:mod:`marapatch.certificates.completion`) until the monotonic clock says ``until`` or a
    KeyboardInterrupt comes; ``progress``: called with the nodes checked and their number. Raises
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


def _completed(
    result: GroundTruth, until: float, progress: Progress | None
) -> tuple[TargetClaim, ...]:
    trees = {found.target: list(found.trees) for found in result.targets}
    best: dict[int, int] = {}
    for target, each in trees.items():
        if each:
            radii = [tree.radius for tree in each]
            best[target] = radii.index(max(radii))
    total = sum(len(trees[target][i]) for target, i in best.items())
    done = 0
    try:
        form = form_of(result.network)
        for target, i in best.items():
            classes, margin = result.network.outputs, result.options.margin
            condition = beats(target, classes, result.rule, margin)
            record = trees[target][i]

            def watch(nodes: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + nodes, total)

            trees[target][i] = completed(record, form, result.ball, condition, until, watch)
            done += len(record)
    except KeyboardInterrupt:
        pass  # what was not checked is written as the search left it: all of it can be checked
    return tuple(TargetClaim(t.target, t.lower, tuple(trees[t.target])) for t in result.targets)
