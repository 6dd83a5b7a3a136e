"""``marapatch attack``: a nearby witness quickly, without a proof of how near one can be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    BoxOption,
    DecisionName,
    DecisionOption,
    Given,
    ImageArgument,
    IndexOption,
    LabelOption,
    MarginOption,
    MaskOption,
    MaxMemoryOption,
    NetworkArgument,
    ScaleName,
    ScaleOption,
    SeedOption,
    TargetOption,
    read_given,
)

if TYPE_CHECKING:
    from marapatch.problem.conditions import Rule
    from marapatch.problem.replay import Replay
    from marapatch.problem.verdict import Witness
    from marapatch.witnesses.attacks import AttackResult, Problem

EPILOG = """Examples:

marapatch attack example:mnist_3x24 example:seven --target 3

marapatch attack net.onnx digit.png --norm l2 --method cw --out witness.npy

Exit codes: 0 a witness was found, 1 none was found (which proves nothing), 2 bad input.
"""


class MethodName(StrEnum):
    """The attacks."""

    FGM = "fgm"
    BIM = "bim"
    CW = "cw"
    ALL = "all"


class DistanceName(StrEnum):
    """The norms in which attacks measure."""

    LINF = "linf"
    L1 = "l1"
    L2 = "l2"


def command(
    *,
    network: NetworkArgument,
    image: ImageArgument,
    method: Annotated[
        MethodName,
        typer.Option(
            help="Fast gradient, basic iterative (PGD), Carlini and Wagner; all: each of "
            "them, and the three one after the other."
        ),
    ] = MethodName.ALL,
    norm: Annotated[
        DistanceName, typer.Option(help="How distance is measured.")
    ] = DistanceName.LINF,
    target: TargetOption = None,
    label: LabelOption = None,
    margin: MarginOption = 0.0,
    timeout: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for each method.")
    ] = None,
    box: BoxOption = None,
    mask: MaskOption = None,
    scale: ScaleOption = ScaleName.AUTO,
    index: IndexOption = None,
    decision: DecisionOption = DecisionName.ARGMAX,
    seed: SeedOption = 0,
    max_memory: MaxMemoryOption = MAX_MEMORY,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the nearest witness (.npy, the network's input type and shape).",
        ),
    ] = None,
) -> None:
    """Look for a near input that changes the decision, with the attacks of the literature.

    A distance found here is only an upper bound: marapatch groundtruth says how near it can be.
    """
    from marapatch.cli.outputs import Outputs, write_array
    from marapatch.errors import InputError
    from marapatch.problem.conditions import Rule
    from marapatch.problem.replay import decided_class
    from marapatch.reporting.rounded import rounded_down, rounded_up

    given = read_given(network, image, index=index, scale=scale, box=box, mask=mask)
    Outputs(witness=out).check(inputs=given.paths)
    if timeout is not None and not timeout > 0.0:
        raise InputError(f"timeout must be a positive number of seconds, not {timeout}")
    rule = Rule(decision.value)
    decided = decided_class(given.network, given.start.x, rule)
    label = decided if label is None else label
    problem = _problem(given, norm, rule, label=label, target=target, margin=margin)
    for note in given.start.notes:
        typer.echo(f"marapatch: {note}", err=True)
    wanted = decided != label and target in (None, decided)
    if wanted and _replay(given, problem, rule, decided)(given.start.x) is not None:
        typer.echo(f"already decided {decided}, not {label}: the distance is 0")
        raise typer.Exit(0)
    nearest: tuple[float, Witness] | None = None
    for name in MethodName:
        if method not in (name, MethodName.ALL):
            continue
        result = _run(name, problem, seed, timeout)
        witness = _replayed(given, problem, result, rule) if result.success[0] else None
        if witness is None:
            typer.echo(f"{name.value:4} found nothing")
            continue
        distance = float(result.distances[0])
        if nearest is None or distance < nearest[0]:
            nearest = distance, witness
        typer.echo(
            f"{name.value:4} {norm.value} distance {rounded_up(distance)}, decided "
            f"{rule.decide(witness.outputs)} by a margin of {rounded_down(witness.margin)}"
        )
    if nearest is None:
        raise typer.Exit(1)
    if out is not None:
        write_array(out, nearest[1].input)


def _problem(
    given: Given,
    norm: DistanceName,
    rule: Rule,
    *,
    label: int,
    target: int | None,
    margin: float,
) -> Problem:
    """The question for the attacks; InputError where the classes do not fit."""
    import numpy as np

    from marapatch.errors import InputError
    from marapatch.problem.conditions import Rule
    from marapatch.witnesses.attacks import Norm, Objective, Problem

    classes = given.network.outputs
    for what, number in (("label", label), ("target", target)):
        if number is not None and not 0 <= number < classes:
            raise InputError(f"{what} {number} is not one of the classes 0..{classes - 1}")
    if target == label:
        raise InputError(f"target {target} is the label itself; choose another class")
    argmin = rule is Rule.ARGMIN
    objective = (
        Objective.away_from([label], argmin=argmin)
        if target is None
        else Objective.towards([target], argmin=argmin)
    )
    x, lower, upper = given.start.x, given.start.lower, given.start.upper
    if given.free is not None:
        lower, upper = np.where(given.free, lower, x), np.where(given.free, upper, x)
    return Problem(
        given.network.standard_form,
        x[None],
        lower[None],
        upper[None],
        objective,
        Norm(norm.value),
        given.network.input_dtype,
        margin,
    )


def _run(name: MethodName, problem: Problem, seed: int, timeout: float | None) -> AttackResult:
    from math import inf
    from time import monotonic

    from marapatch.witnesses.attacks import (
        BasicIterativeMethod,
        CarliniWagner,
        Cascade,
        FastGradientMethod,
    )

    deadline = inf if timeout is None else monotonic() + timeout
    match name:
        case MethodName.FGM:
            return FastGradientMethod().run(problem, deadline=deadline)
        case MethodName.BIM:
            return BasicIterativeMethod(seed=seed).run(problem, deadline=deadline)
        case MethodName.CW:
            return CarliniWagner().run(problem, deadline=deadline)
        case MethodName.ALL:
            return Cascade(seed=seed).run(problem, deadline=deadline)
        case _:
            assert_never(name)


def _replayed(given: Given, problem: Problem, result: AttackResult, rule: Rule) -> Witness | None:
    """What an attack claims, evaluated again with a bound on the error; None if it fails."""
    import numpy as np

    from marapatch.problem.replay import decided_class

    vector = result.inputs[0].astype(np.float64)
    decided = decided_class(given.network, vector, rule)
    return _replay(given, problem, rule, decided)(vector)


def _replay(given: Given, problem: Problem, rule: Rule, decided: int) -> Replay:
    """Judges whether an input is ``decided`` so, by the margin asked for."""

    from marapatch.problem.ball import Ball
    from marapatch.problem.conditions import beats
    from marapatch.problem.replay import Replay

    condition = beats(decided, given.network.outputs, rule, problem.margin)
    ball = Ball.of_box(problem.centres[0], problem.lower[0], problem.upper[0])
    return Replay(given.network, ball, condition)
