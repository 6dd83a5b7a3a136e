"""Compare the built-in attacks with Foolbox at equal numbers of gradients.

Every attack gets the same images, the same box [0, 1], the same goal (any other class, or the next
class) and the same budget of gradients an image; the gradients and plain evaluations it really used
are counted and written down. Whatever an attack returns is verified by one function
(``marapatch.witnesses.attacks.verify_claims``): clipped, rounded to float32, evaluated in float64
and measured, and so are the same vectors up to 0.1 % farther from the image, as float32 may see a
success too early. ``marapatch-cascade`` has the budget for one target: untargeted, it uses more,
and its row says so.

Each (network, norm, goal, budget, attack, image) is one row, failures included; what is there
already is not run again. Needs the extra ``peers`` (foolbox, torch; numba for Brendel-Bethge) for
the Foolbox rows, and MNIST and mnist_fc in the folder MARAPATCH_DATA.

  python -m benchmarks.suites.attacks             everything that is missing
  python -m benchmarks.suites.attacks --networks mnist_3x24 --budgets 200 --attacks fmn bim
  python -m benchmarks.suites.attacks --report    the tables of what is there
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness.command import exit_with, parser_of, publish
from benchmarks.harness.rows import RESULTS, Row, Rows, finite
from benchmarks.peers.contest import GOALS, Contestant, Found, Runner
from benchmarks.reports.attacks import report
from marapatch.data.bundled import resolve
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.load import load
from marapatch.witnesses.attacks import (
    Attack,
    BasicIterativeMethod,
    CarliniWagner,
    Cascade,
    FastGradientMethod,
    Norm,
    Objective,
    Problem,
    verify_claims,
)

NAME = "attacks"

NETWORKS = ("mnist_3x24", "mnist_3x24_adversarial", "mnist_fc_256x2")

STRETCHES = (1.0, 1.0 + 1e-5, 1.0 + 1e-4, 1.0 + 1e-3)


def ours(make: Callable[[int], Attack]) -> Runner:
    """A built-in attack made for a budget of gradients."""

    def run(problem: Problem, budget: int) -> Found:
        result = make(budget).run(problem)
        return Found(result.inputs.astype(np.float64), result.gradients, result.evaluations)

    return run


def built_in() -> Iterator[Contestant]:
    """The attacks of marapatch."""
    for norm in Norm:
        yield Contestant("marapatch-fgm", norm, ours(lambda _: FastGradientMethod()))
        yield Contestant("marapatch-bim", norm, ours(_iterative))
        yield Contestant("marapatch-cw", norm, ours(lambda b: CarliniWagner(b // 2, searches=2)))
        yield Contestant("marapatch-cascade", norm, _cascade)


def contestants() -> list[Contestant]:
    """The attacks of marapatch and, where the extra is installed, of Foolbox."""
    found = list(built_in())
    try:
        from benchmarks.peers.foolbox_attacks import (  # noqa: PLC0415  # an extra
            foolbox_contestants,
        )
    except ImportError as error:
        print(f"without Foolbox ({error}): pip install 'marapatch[peers]'", file=sys.stderr)
        return found
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    return [*found, *foolbox_contestants()]


def _cascade(problem: Problem, budget: int) -> Found:
    """The cascade with as many gradients as the others: untargeted, a short attack on each of nine
    classes takes a third of them, and the nearest class has the rest."""
    if problem.objective.targeted:
        return ours(lambda b: Cascade(b // 6))(problem, budget)
    return ours(lambda b: Cascade((b - 9) * 5 // 29, restarts=2, finalists=1))(problem, budget)


def _iterative(budget: int) -> Attack:
    restarts = 2 if budget < 400 else 4
    return BasicIterativeMethod(budget // restarts, restarts)


def network(name: str, data: Path) -> StandardForm:
    """One of the NETWORKS."""
    if name == "mnist_fc_256x2":
        return load(data / "mnist_fc" / "onnx" / "mnist-net_256x2.onnx").standard_form
    return load(resolve(f"example:{name}", "network")).standard_form


def images(form: StandardForm, data: Path, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first ``count`` test images that the network decides rightly: numbers, pixels, labels."""
    with np.load(data / "mnist" / "mnist_test.npz") as archive:
        pixels = archive["images"][: 4 * count + 20].reshape(-1, 784).astype(np.float32)
        labels = archive["labels"][: 4 * count + 20].astype(np.int64)
    pixels = (pixels / np.float32(255)).astype(np.float64)
    right = np.flatnonzero(form.evaluate(pixels).argmax(axis=1) == labels)[:count]
    return right, pixels[right], labels[right]


def compare(
    contestants: Sequence[Contestant], data: Path, options: argparse.Namespace, done: set[str]
) -> Iterator[Row]:
    """Run what is missing; a row an image."""
    for name in options.networks:
        form = network(name, data)
        numbers, pixels, labels = images(form, data, options.images)
        for goal in options.goals:
            objective = Objective.away_from(labels)
            if goal == "targeted":
                objective = Objective.towards((labels + 1) % form.outputs)
            for one in contestants:
                whole = Problem(form, pixels, 0.0, 1.0, objective, one.norm)
                for budget in options.budgets:
                    if goal not in one.goals or budget > one.most:
                        continue
                    about = {
                        "network": name,
                        "norm": one.norm.value,
                        "goal": goal,
                        "budget": budget,
                        "attack": one.name,
                    }
                    stem = "/".join(map(str, about.values()))
                    missing = np.array(
                        [i for i, k in enumerate(numbers.tolist()) if f"{stem}/{k}" not in done],
                        dtype=np.int64,
                    )
                    if missing.size:
                        for i, result in zip(
                            missing, _run(one, whole.take(missing), budget), strict=True
                        ):
                            key = {"key": f"{stem}/{numbers[i]}", "image": int(numbers[i])}
                            yield {**key, **about, **result}


def _run(one: Contestant, problem: Problem, budget: int) -> list[Row]:
    started = time.perf_counter()
    found = one.run(problem, budget)
    seconds = (time.perf_counter() - started) / len(problem)
    # A vector may miss in float64 what it met in float32: also judged a trifle farther out.
    stretched = [problem.centres + s * (found.vectors - problem.centres) for s in STRETCHES]
    rows = np.tile(np.arange(len(problem)), len(STRETCHES))
    judged = verify_claims(problem, np.concatenate(stretched), rows)
    return [
        {
            "distance": finite(judged.distances[i]),
            "claimed": bool(np.isfinite(found.vectors[i]).all()),
            "gradients": found.gradients,
            "evaluations": found.evaluations,
            "seconds": seconds,
        }
        for i in range(len(problem))
    ]


def texts(folder: Path = RESULTS) -> dict[str, str]:
    """The tables, those of each network under a name of their own."""
    rows = Rows(NAME, folder).all()
    return {
        f"{NAME}-{name}": report([row for row in rows if row["network"] == name])
        for name in NETWORKS
    }


def main() -> int:
    """Run what is missing, then print the tables of everything that is known."""
    parser = parser_of(__doc__, processes=False)
    add = parser.add_argument
    add("--data", type=Path, default=os.environ.get("MARAPATCH_DATA"))
    add("--images", type=int, default=50)
    add("--budgets", type=int, nargs="+", default=[200, 1000])
    add("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    add("--goals", nargs="+", choices=GOALS, default=list(GOALS))
    add("--attacks", nargs="+", help="only those whose name contains one of these")
    options = parser.parse_args()
    rows = Rows(NAME, options.results)
    if not options.report:
        if options.data is None:
            parser.error("no data: give --data or set MARAPATCH_DATA")
        chosen = contestants()
        if options.attacks:
            chosen = [c for c in chosen if any(part in c.name for part in options.attacks)]
        for row in compare(chosen, Path(options.data), options, rows.keys()):
            rows.append(row)
    publish(texts(options.results), onto_page=options.write)
    return 0


if __name__ == "__main__":
    exit_with(main)
