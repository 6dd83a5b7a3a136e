"""Ground truth: how near is the nearest input that changes the decision?

The use case that joins the parts: specify, attack, polish, then search between proofs and
witnesses, one target after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from math import inf
from time import monotonic
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from marapatch.arithmetic.float_model import proving
from marapatch.errors import InputError
from marapatch.groundtruth.earlier import Earlier, question_of
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth, Progress, TargetResult
from marapatch.groundtruth.target_problem import TargetProblem
from marapatch.groundtruth.targets import TargetSearch
from marapatch.network.graph import Network
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import Rule
from marapatch.problem.input_ball import ball_of
from marapatch.problem.norm import Norm
from marapatch.problem.replay import decided_class
from marapatch.problem.verdict import witness_of

Choice = TypeVar("Choice", bound=Enum)


def ground_truth(
    network: Network,
    x: ArrayLike,
    *,
    norm: str | Norm = Norm.LINF,
    label: int | None = None,
    target: int | Sequence[int] | None = None,
    each_target: bool = False,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    mask: ArrayLike | None = None,
    decision: str | Rule = Rule.ARGMAX,
    init: ArrayLike | None = None,
    options: GroundTruthOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    started: float | None = None,
    earlier: Earlier | None = None,
) -> GroundTruth:
    """The nearest input decided otherwise than ``x``: a bracket, lower proved, upper witnessed.

    ``x``: one input in the network's shape or flat; rounded to the file's input type, and so are
    ``box`` = (lower, upper), numbers or arrays of the input's shape (where None: the network
    file's own box, or else [0, 1]). ``label``: what ``x`` counts as (None: what the network
    decides); where the network decides otherwise, and as one of the targets, the distance is 0.
    ``target``: one class, some, or None for all others; the nearest over them is found, with one
    incumbent for all, or with ``each_target`` every target's own bracket. ``mask``: True where an
    entry may change.
    ``init``: an input to start from. ``progress``: called as the bracket moves. ``started``: when
    the time of ``options`` began, by ``time.monotonic`` (None: now). ``earlier``: a result of the
    same question to begin with; its lower ends are evidence ``file``.

    A KeyboardInterrupt ends the search; what is known is returned with ``interrupted`` set.

    Raises :class:`InputError` on an input that does not fit (shape, box, target, label, options).
    Source: Carlini et al., "Ground-Truth Adversarial Examples", section 4.
    """
    options = options or GroundTruthOptions()
    started = monotonic() if started is None else started
    rule, norm = _choice(Rule, decision, "decision"), Norm.of(norm)
    ball, image = ball_of(network, x, norm, box, mask)
    decided = decided_class(network, ball.centre, rule)
    label = decided if label is None else _class(label, network, "label")
    targets = _targets(target, label, network)
    asked = TargetProblem(
        network=network,
        ball=ball,
        rule=rule,
        margin=options.margin,
        search=options.search,
        backend=options.backend,
        options=options.for_search(),
        nearest_only=not each_target,
    )

    def watch(target: int, done: int, bracket: Bracket, queries: int) -> None:
        if progress is not None:
            seconds, total = monotonic() - started, len(targets)
            bounds = bracket.lower, bracket.upper
            progress(Progress(target, done, total, *bounds, queries, seconds))

    if earlier is not None:
        if options.record:
            raise InputError("an earlier result has no tree: leave out one of --from and --tree")
        earlier.check(question_of(network, ball, rule, options.margin, label, targets))
    deadline = inf if options.timeout is None else started + options.timeout
    search = TargetSearch(asked, targets, deadline, watch, options.jobs)
    own = asked.question(decided).replay(ball.centre) if decided in targets else None
    interrupted = False
    if own is None:
        try:
            with proving():
                if earlier is not None:
                    search.take_up(earlier)
                search.bound()
                search.attack(None if init is None else network.flatten(init)[0])
            search.run()
            search.confirm()
            search.explain()
        except KeyboardInterrupt:
            interrupted = True
    found = () if own is not None else targets
    results = tuple(TargetResult.of(t, search.found[t]) for t in found)
    return GroundTruth(
        network=network,
        image=image,
        norm=norm,
        label=label,
        decided=decided,
        targets=results,
        options=options,
        seconds=monotonic() - started,
        nearest_only=not each_target,
        ball=ball,
        rule=rule,
        interrupted=interrupted,
        own=None if own is None else witness_of(own),
        earlier=None if earlier is None else earlier.path,
    )


def _choice(kind: type[Choice], value: object, what: str) -> Choice:
    """``value`` as a member of ``kind``, by its name or as it is."""
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(str(member.value) for member in kind)
        raise InputError(f"{what} {value!r} is not one of {names}") from None


def _class(number: int, network: Network, what: str) -> int:
    if not 0 <= number < network.outputs:
        raise InputError(
            f"{what} {number} is not one of the network's classes 0..{network.outputs - 1}"
        )
    return number


def _targets(target: int | Sequence[int] | None, label: int, network: Network) -> tuple[int, ...]:
    if target is None:
        chosen = tuple(t for t in range(network.outputs) if t != label)
    else:
        chosen = tuple(dict.fromkeys(int(t) for t in np.atleast_1d(target)))
    for t in chosen:
        _class(t, network, "target")
        if t == label:
            raise InputError(f"target {t} is the label itself; choose another class")
    if not chosen:
        raise InputError("the network has no other class to ask about")
    return chosen
