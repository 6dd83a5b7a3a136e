"""Arguments and options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from marapatch.formats.inputs import LoadedImage, Start
    from marapatch.network.graph import Network


class NormName(StrEnum):
    """The norms in which a distance can be proved."""

    LINF = "linf"
    L1 = "l1"


class DecisionName(StrEnum):
    """Which output wins."""

    ARGMAX = "argmax"
    ARGMIN = "argmin"


class EncodingName(StrEnum):
    """The forms of the L1 ball."""

    SPLIT = "split"
    RELU = "relu"
    ABS = "abs"


class ScaleName(StrEnum):
    """What the numbers of an image are divided by."""

    AUTO = "auto"
    ONE = "1"
    BYTE = "255"


NetworkArgument = Annotated[
    str,
    typer.Argument(metavar="NET", help="The network: .onnx, .nnet, or example:NAME (bundled)."),
]
ImageArgument = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE",
        help=".npy, .npz, .npz:KEY, idx (or idx.gz), .png, .csv, or example:NAME (bundled).",
    ),
]
TargetOption = Annotated[
    int | None,
    typer.Option(metavar="K", help="Look for an input decided K; without: any other class."),
]
LabelOption = Annotated[
    int | None,
    typer.Option(metavar="K", help="The image's class; without: what the network decides."),
]
BoxOption = Annotated[
    str | None,
    typer.Option(
        metavar="LO,HI|FILE",
        help="Where entries may move: two numbers, a .npy of shape (2, inputs) or a .vnnlib. "
        "Without: 0,1 for scaled pixels, or what the network's file says.",
    ),
]
MaskOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A .npy of booleans: only True entries may change."),
]
ScaleOption = Annotated[
    ScaleName,
    typer.Option(help="What pixels are divided by; auto: whole numbers of 0..255 by 255."),
]
IndexOption = Annotated[
    int | None, typer.Option(metavar="I", help="Which image of a file with many, from 0.")
]
DecisionOption = Annotated[
    DecisionName, typer.Option(help="Which output wins; ACAS Xu decides by argmin.")
]
MarginOption = Annotated[
    float, typer.Option(help="By how much the target must lead every other class.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="Seconds for one question: an image, a property, or a layer's patch. Reading the "
        "files counts.",
    ),
]
TotalTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--total-timeout",
        metavar="S",
        help="Seconds for the whole run, however many images or layers it is about.",
    ),
]
NodesOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Stop after about N sub-problems bounded (nodes of a tree, boxes, or queries); unlike "
        "a time limit it gives the same answer on any load.",
    ),
]


def _set_limit(gib: float) -> float:
    """Let the files that are read need up to ``gib`` GiB, until the command has ended."""
    from marapatch.errors import InputError
    from marapatch.files.memory import GIB, set_limit

    if not 0.0 < gib < 2.0**30:
        raise InputError(f"--max-memory {gib}: give a positive number of GiB")
    set_limit(gib * GIB)
    return gib


MaxMemoryOption = Annotated[
    float,
    typer.Option(
        "--max-memory",
        metavar="GIB",
        callback=_set_limit,
        help="The memory that the numbers of a file may need; a file that needs more is refused "
        "before it is read.",
    ),
]
"""Takes effect by being parsed, so that a command only has to name it."""

MAX_MEMORY = 4.0

SeedOption = Annotated[int, typer.Option(help="For what is random in the attacks.")]


@dataclass(frozen=True)
class TimeLimit:
    """``--timeout`` and ``--total-timeout`` of a command that was ``begun`` at that monotonic time.

    Raises InputError where one is not a positive number of seconds.
    """

    timeout: float | None
    total: float | None
    begun: float

    def __post_init__(self) -> None:
        from marapatch.errors import InputError

        for name, seconds in (("--timeout", self.timeout), ("--total-timeout", self.total)):
            if seconds is not None and not 0.0 < seconds < inf:
                raise InputError(f"{name} must be a positive number of seconds, not {seconds}")

    @property
    def over(self) -> bool:
        """Whether the time of the whole run is used up."""
        return self.total is not None and monotonic() >= self.begun + self.total

    @property
    def first(self) -> float | None:
        """Seconds for the first question, counted from the beginning of the command."""
        known = [s for s in (self.timeout, self.total) if s is not None]
        return min(known, default=None)

    def of(self, number: int) -> tuple[float | None, float | None]:
        """Seconds for question ``number`` (from 0), and when they began: the first question's with
        the command, since its files had to be read."""
        if number == 0:
            return self.first, self.begun
        left = None if self.total is None else max(self.begun + self.total - monotonic(), 1e-3)
        return min((s for s in (self.timeout, left) if s is not None), default=None), None


@dataclass(frozen=True, eq=False)
class Given:
    """What was read from NET, IMAGE and the options about them; ``paths``: the files read."""

    network: Network
    image: LoadedImage
    start: Start
    free: NDArray[np.bool_] | None
    paths: tuple[Path, ...]


def read_given(
    network: str,
    image: str,
    *,
    index: int | None,
    scale: ScaleName,
    box: str | None,
    mask: str | None,
) -> Given:
    """Read the network and place the image in its box; InputError where anything does not fit."""
    from marapatch.data.bundled import resolve
    from marapatch.formats.inputs import check_fit, read_image, read_mask, start
    from marapatch.network.load import load

    network, image = resolve(network, "network"), resolve(image, "image")
    net = load(network)
    loaded = read_image(
        image, index, scale.value, check=lambda layout: check_fit(image, layout, net)
    )
    paths = tuple(Path(file) for file in (network, image, box, mask) if file is not None)
    free = None if mask is None else read_mask(mask, net)
    return Given(net, loaded, start(loaded, net, box), free, paths)
