"""The ground-truth suites: which brackets are to be found, on which networks, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from benchmarks.harness.rows import Row, Rows
from benchmarks.harness.subjects import ACAS_INPUTS, SCALE
from benchmarks.harness.targets import Goal
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.search.branch_and_bound.branching import RULES

PUBLISHED = GroundTruthOptions(search="bisection", encoding="relu", bounds=False)
"""Algorithm 1 of the paper: binary search, absolute values as ReLUs, Marabou asked alone."""

DESCENT = GroundTruthOptions(search="descent")

METHODS: Mapping[str, GroundTruthOptions] = {
    "tree": GroundTruthOptions(),
    "descent": DESCENT,
    "published": PUBLISHED,
    "relu": replace(DESCENT, encoding="relu"),
    "abs": replace(DESCENT, encoding="abs"),
    "split": replace(DESCENT, encoding="split"),
    "relu-no-bounds": replace(DESCENT, encoding="relu", bounds=False),
    "abs-no-bounds": replace(DESCENT, encoding="abs", bounds=False),
    "split-no-bounds": replace(DESCENT, encoding="split", bounds=False),
    **{f"branching {rule}": GroundTruthOptions(branching=rule) for rule in RULES},
    "milp": GroundTruthOptions(),
    "marabou": DESCENT,
}
"""How a bracket is sought; ``tree`` is the default of the program. ``milp`` is none of its
searches: a peer, in the suite peers only, that is given the tolerance."""


@dataclass(frozen=True)
class Instance:
    """One bracket to find. ``image``: which of the input source's inputs, counted from 0."""

    suite: str
    network: str
    norm: str
    image: int
    target: int | Goal
    method: str
    timeout: float

    @property
    def key(self) -> str:
        """Its name in the store."""
        goal = self.target.value if isinstance(self.target, Goal) else self.target
        parts = (self.network, self.norm, self.image, goal, self.method, f"{self.timeout:g}s")
        return "/".join(map(str, parts))

    def about(self) -> Row:
        """Its fields, for the row."""
        row = asdict(self)
        if isinstance(self.target, Goal):
            row["goal"], row["target"] = self.target.value, None
        return row


def grid(suite: str, images: int, timeout: float) -> Iterator[Instance]:
    """N and N-bar, both norms, every target of the first ``images`` digits.

    The four groups, and the images, take turns, so that a partial run is balanced over them.
    """
    for turn in range(9):
        for image in range(images):
            others = [target for target in range(10) if target != image]
            target = others[(turn + image) % 9]
            for network in ("N", "N-bar"):
                for norm in ("linf", "l1"):
                    yield Instance(suite, network, norm, image, target, "tree", timeout)


def _published(suite: str) -> Iterator[Instance]:
    for image in range(3):
        for norm in ("linf", "l1"):
            yield Instance(suite, "N", norm, image, Goal.NEAREST, "published", 100.0)


def _encodings(suite: str) -> Iterator[Instance]:
    forms = ("split", "abs", "relu")
    for image in range(5):
        for method in (*forms, *(f"{form}-no-bounds" for form in forms)):
            yield Instance(suite, "N", "l1", image, Goal.NEAREST, method, 20.0)


def _acas_suite(suite: str) -> Iterator[Instance]:
    for image in range(ACAS_INPUTS):
        for network in ("acas 1,1", "acas 2,9", "acas 3,3", "mnist_fc 256x2"):
            yield Instance(suite, network, "linf", image, Goal.ANY, "tree", 60.0)


def _first(suite: str) -> Iterator[Instance]:
    for image in range(3):
        for norm in ("linf", "l1"):
            for method in ("descent", "tree"):
                yield Instance(suite, "N", norm, image, Goal.RUNNER_UP, method, 60.0)


SCALE_IMAGES = 5


def _scale(suite: str) -> Iterator[Instance]:
    """The digits 0 to 4; each of the networks decides all of them rightly."""
    for image in range(SCALE_IMAGES):
        for name in SCALE:
            yield Instance(suite, name, "linf", image, Goal.ANY, "tree", 60.0)


PEERS: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("N", "linf"): ((1, 8), (2, 1), (2, 5), (0, 5), (0, 3), (0, 1)),
    ("N", "l1"): ((0, 6), (0, 7), (1, 4), (1, 6), (1, 5), (0, 1)),
    ("N-bar", "linf"): ((2, 8), (2, 1), (1, 4), (0, 5), (0, 4), (1, 2)),
    ("N-bar", "l1"): ((2, 3), (2, 1), (0, 8), (0, 2), (2, 9), (1, 5)),
}
"""(image, target) by group, from easy to hard: each group's 27 instances of table1, the closed ones
by seconds and then the open ones by gap, as the first rows of that suite had them; the 1st, 6th,
11th, 17th, 22nd and 27th of each. The 1st of N-bar's groups is closed by the bounds of the root,
which leaves nothing to compare: its 2nd is taken."""

MARABOU_RANKS: Mapping[str, tuple[int, ...]] = {"N": (0, 2), "N-bar": (1,)}
"""Which of a network's :data:`PEERS` the methods with Marabou get too, in both norms."""

BRANCHING_RANKS: Mapping[str, tuple[int, ...]] = {"N": (1, 2, 3), "N-bar": (1, 2)}
"""Which of a network's :data:`PEERS` the branching rules are compared on, in both norms."""


def _ranked(suite: str, timeout: float) -> Iterator[tuple[int, Instance]]:
    """The instances of :data:`PEERS` with their ranks from 0, groups taking turns."""
    for rank in range(6):
        for (network, norm), chosen in PEERS.items():
            image, target = chosen[rank]
            yield rank, Instance(suite, network, norm, image, target, "tree", timeout)


def _peers(suite: str) -> Iterator[Instance]:
    for rank, instance in _ranked(suite, 120.0):
        yield instance
        yield replace(instance, method="milp")
        if rank in MARABOU_RANKS[instance.network]:
            for method in ("marabou", "published"):
                yield replace(instance, method=method, timeout=60.0)


def _branching(suite: str) -> Iterator[Instance]:
    for rank, instance in _ranked(suite, 30.0):
        if rank in BRANCHING_RANKS[instance.network]:
            for rule in RULES:
                yield replace(instance, method=f"branching {rule}")


LONGEST = 20
"""How many instances that seed360 leaves open are given more time."""


def instance_of(row: Row) -> Instance:
    """The instance that a row is about."""
    target = row["target"] if "goal" not in row else Goal(row["goal"])
    names = ("suite", "network", "norm", "image", "method", "timeout")
    return Instance(**{name: row[name] for name in names}, target=target)


def _seed600(suite: str) -> Iterator[Instance]:
    """What was begun; then the open rows of seed360, those with the least gap first."""
    begun = [instance_of(row) for row in Rows(suite).all()]
    rows = [row for row in Rows("seed360").all() if row.get("closed") is False]
    rows.sort(key=lambda row: 1.0 - row["lower"] / row["upper"] if row["upper"] else 1.0)
    wanted = [replace(instance_of(row), suite=suite, timeout=600.0) for row in rows]
    yield from list(dict.fromkeys([*begun, *wanted]))[:LONGEST]


SUITES: Mapping[str, tuple[str, Callable[[str], Iterator[Instance]]]] = {
    "table1": (
        "N and N-bar, digits 0, 1, 2, every target, both norms: 108 instances of 20 s",
        lambda suite: grid(suite, 3, 20.0),
    ),
    "published": (
        "the published method (binary search, Marabou alone) on 6 of them, 100 s each",
        _published,
    ),
    "encodings": (
        "N, L1, nearest target of digits 0 to 4: three forms of the ball, with and without "
        "linear bounds, search descent, 20 s each",
        _encodings,
    ),
    "acas": (
        "three ACAS Xu networks and mnist_fc 256x2, untargeted L-inf, 5 inputs each, 60 s",
        _acas_suite,
    ),
    "first": (
        "N, runner-up target, digits 0, 1, 2, both norms, 60 s: Marabou's descent and the tree",
        _first,
    ),
    "seed360": (
        "N and N-bar, all ten digits, every target, both norms: 360 instances of 60 s",
        lambda suite: grid(suite, 10, 60.0),
    ),
    "seed600": (
        f"up to {LONGEST} instances that seed360 left open, those with the least gap, 600 s each",
        _seed600,
    ),
    "peers": (
        "24 instances of table1: the tree and a HiGHS MILP with the same bounds and incumbent, "
        "120 s each, and on 6 of them two methods with Marabou, 60 s each",
        _peers,
    ),
    "scale": (
        "seven published MNIST networks, 5 images each, untargeted L-inf, 60 s",
        _scale,
    ),
    "branching": (
        "the tree's branching rules on 10 instances of table1, 30 s each",
        _branching,
    ),
}
