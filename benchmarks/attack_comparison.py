"""Compare the built-in attacks with Foolbox at equal numbers of gradients.

Every attack gets the same images, the same box [0, 1], the same kind of goal (any other class, or
the next class) and the same budget of gradients an image; the gradients and plain evaluations it
really used are counted and written down. Whatever an attack returns is judged by the same function
(:func:`marapatch.attacks.judge`): clipped, rounded to float32, evaluated and measured. A failure is
a row with an infinite distance.

Foolbox settings: ``foolbox-*`` are its defaults, its steps cut to the budget; ``foolbox-*-tuned``
change what its authors leave to the user (chosen by us on ten images of the bundled network, to
its advantage). The fixed-radius attacks of Foolbox search the radius by bisection, image by image.

Results go to a file of JSON lines, one a (network, image, attack, goal, budget); what is there
already is not run again. Needs the extra ``peers`` (foolbox, torch; numba for Brendel-Bethge)
for the Foolbox rows, and the MNIST images and mnist_fc networks in the folder MARAPATCH_DATA.

    python benchmarks/attack_comparison.py --images 50

Source of the peers: Rauber, Zimmermann, Bethge, Brendel, "Foolbox Native", JOSS 2020.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from marapatch.attacks import (
    Attack,
    BasicIterativeMethod,
    CarliniWagner,
    Cascade,
    Distance,
    FastGradientMethod,
    Objective,
    Problem,
    judge,
)
from marapatch.network.load import load
from marapatch.network.standard_form import StandardForm

EXAMPLES = Path(__file__).resolve().parents[1] / "marapatch" / "examples"
NETWORKS = {
    "mnist_3x24": EXAMPLES / "mnist_3x24.onnx",
    "mnist_3x24_adversarial": EXAMPLES / "mnist_3x24_adversarial.onnx",
    "mnist_fc_256x2": Path("mnist_fc/onnx/mnist-net_256x2.onnx"),
}
GOALS = ("untargeted", "targeted")
LARGEST_RADIUS = 0.5
"""Where bisections over the L-inf radius start: half the pixel range."""


@dataclass(frozen=True)
class Row:
    """One attack on one image; ``distance`` is infinite where nothing was found."""

    network: str
    image: int
    attack: str
    norm: str
    goal: str
    budget: int
    distance: float
    gradients: float
    evaluations: float
    seconds: float

    @property
    def key(self) -> tuple[str, int, str, str, str, int]:
        """What identifies a run."""
        return self.network, self.image, self.attack, self.norm, self.goal, self.budget


def ours(make: Callable[[int], Attack]) -> Runner:
    """A built-in attack made for a budget of gradients."""

    def run(problem: Problem, budget: int) -> Found:
        result = make(budget).run(problem)
        return Found(result.inputs.astype(np.float64), result.gradients, result.evaluations)

    return run


def built_in() -> Iterator[Contestant]:
    """The attacks of marapatch; the cascade's budget is for one target."""
    for norm in Distance:
        yield Contestant("marapatch-fgm", norm, ours(lambda _: FastGradientMethod()))
        yield Contestant("marapatch-bim", norm, ours(_iterative))
        yield Contestant("marapatch-cw", norm, ours(lambda b: CarliniWagner(b // 2, searches=2)))
        yield Contestant("marapatch-cascade", norm, ours(lambda b: Cascade(b // 6)))


def _iterative(budget: int) -> Attack:
    restarts = 2 if budget < 400 else 4
    return BasicIterativeMethod(budget // restarts, restarts)


def images(form: StandardForm, data: Path, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first ``count`` test images that the network decides rightly: numbers, pixels, labels."""
    with np.load(data / "mnist" / "mnist_test.npz") as archive:
        pixels = archive["images"][: 4 * count + 20].reshape(-1, 784).astype(np.float32)
        labels = archive["labels"][: 4 * count + 20].astype(np.int64)
    pixels = (pixels / np.float32(255)).astype(np.float64)
    right = np.flatnonzero(form.evaluate(pixels).argmax(axis=1) == labels)[:count]
    return right, pixels[right], labels[right]


def read(path: Path) -> dict[tuple[str, int, str, str, str, int], Row]:
    """The rows already there."""
    if not path.exists():
        return {}
    rows = [Row(**json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    return {row.key: row for row in rows}


def compare(
    contestants: Sequence[Contestant], data: Path, options: argparse.Namespace
) -> Iterator[Row]:
    """Run what is missing; yields a row an image."""
    done = read(options.out)
    for name in options.networks:
        path = NETWORKS[name] if NETWORKS[name].is_absolute() else data / NETWORKS[name]
        form = load(path).standard_form
        numbers, pixels, labels = images(form, data, options.images)
        for goal in options.goals:
            towards = Objective.towards((labels + 1) % form.outputs)
            objective = towards if goal == "targeted" else Objective.away_from(labels)
            for contestant in contestants:
                whole = Problem(form, pixels, 0.0, 1.0, objective, contestant.norm)
                for budget in options.budgets:
                    stem = (contestant.name, contestant.norm.value, goal, budget)
                    missing = [
                        i for i, k in enumerate(numbers.tolist()) if (name, k, *stem) not in done
                    ]
                    if missing:
                        problem = whole.take(np.array(missing))
                        yield from _run(contestant, problem, name, numbers[missing], goal, budget)


def _run(
    contestant: Contestant,
    problem: Problem,
    network: str,
    numbers: np.ndarray,
    goal: str,
    budget: int,
) -> Iterator[Row]:
    started = time.perf_counter()
    found = contestant.run(problem, budget)
    seconds = (time.perf_counter() - started) / len(problem)
    judged = judge(problem, found.vectors, np.arange(len(problem)))
    for i, number in enumerate(numbers.tolist()):
        yield Row(
            network,
            number,
            contestant.name,
            contestant.norm.value,
            goal,
            budget,
            float(judged.distances[i]),
            found.gradients,
            found.evaluations,
            seconds,
        )


def table(rows: Sequence[Row]) -> str:
    """A line an attack: median distance (failures count as infinite), success, work, time."""
    groups: dict[tuple[str, str, str, int], dict[str, list[Row]]] = {}
    for row in rows:
        group = groups.setdefault((row.network, row.norm, row.goal, row.budget), {})
        group.setdefault(row.attack, []).append(row)
    lines = []
    for (network, norm, goal, budget), attacks in sorted(groups.items()):
        lines.append(f"\n{network}, {norm}, {goal}, {budget} gradients")
        lines.append(
            f"{'attack':20} {'n':>3} {'found':>5} {'median':>8} {'90 %':>8} "
            f"{'gradients':>9} {'evaluations':>11} {'ms/image':>8}"
        )
        medians = {a: _median(r, 0.5) for a, r in attacks.items()}
        for attack in sorted(attacks, key=lambda a: (medians[a], a)):
            several = attacks[attack]
            found = sum(row.distance < inf for row in several)
            lines.append(
                f"{attack:20} {len(several):3} {found:5} {medians[attack]:8.4f} "
                f"{_median(several, 0.9):8.4f} {np.mean([r.gradients for r in several]):9.0f} "
                f"{np.mean([r.evaluations for r in several]):11.0f} "
                f"{1e3 * np.mean([r.seconds for r in several]):8.1f}"
            )
    return "\n".join(lines)


def _median(rows: Sequence[Row], share: float) -> float:
    ordered = sorted(row.distance for row in rows)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then print the table of everything in the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MARAPATCH_DATA"))
    default = Path(__file__).parent / "results" / "attacks.jsonl"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--budgets", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--goals", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--attacks", nargs="+", help="only those whose name contains one of these")
    parser.add_argument("--table", action="store_true", help="print the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        if options.data is None:
            parser.error("no data: give --data or set MARAPATCH_DATA")
        contestants = list(built_in())
        try:
            contestants += foolbox_contestants()
        except ImportError as error:
            print(f"without Foolbox ({error}): pip install 'marapatch[peers]'", file=sys.stderr)
        chosen = [
            c
            for c in contestants
            if not options.attacks or any(a in c.name for a in options.attacks)
        ]
        options.out.parent.mkdir(parents=True, exist_ok=True)
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        with options.out.open("a") as file:
            for row in compare(chosen, options.data, options):
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()
    print(table(list(read(options.out).values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
