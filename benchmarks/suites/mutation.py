"""How many small faults in the code that proves things do its tests notice?

``python benchmarks/mutation.py --count 400 --jobs 2`` draws mutants of cosmic-ray's operators at
random, by module and with a fixed seed, and runs each module's own tests on each, in a copy of the
tree. One JSON line a mutant goes to benchmarks/results/mutation.jsonl; a run that was stopped goes
on there. ``--module 'marapatch/recheck*.py'`` runs those of some modules, ``--again`` runs what
survived once more (after tests were added). ``--report --write benchmarks/PERFORMANCE.md`` writes
the table.

A mutant is *killed* where a test fails, or where one file of its tests takes more than 60 seconds
of processor time (those of the code as it is take a third of that at most). cosmic-ray is the extra
``mutation``.
"""

from __future__ import annotations

import argparse
import difflib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from _ground_truth_report import write
from _harness import table
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results") / "mutation.jsonl"
SECONDS = 60
"""Processor seconds for one file of a mutant's tests."""

SEED = 13

BOUNDS = (
    "tests/unit/test_underflow.py",
    "tests/properties/test_nodes.py",
    "tests/properties/test_bounds.py",
)
RECHECK = ("tests/unit/test_recheck.py", "tests/unit/test_recheck_form.py")
ENCODINGS = ("tests/unit/test_terms.py", "tests/properties/test_encodings.py")

KINDS = (
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceComparisonOperator",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Invert",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "NumberReplacer",
    "AddNot",
)
"""Beginnings of the names of cosmic-ray's operators that change what is computed."""

TESTS: Mapping[str, tuple[str, ...]] = {
    "marapatch/bounds/*.py": BOUNDS,
    "marapatch/problem/replay.py": ("tests/unit/test_replay.py", "tests/unit/test_underflow.py"),
    "marapatch/problem/bracket.py": ("tests/unit/test_bracket.py",),
    "marapatch/recheck*.py": RECHECK,
    "marapatch/certificate*.py": (*RECHECK, "tests/faults/test_tree_files.py"),
    "encodings/marapatch_encodings/catalogue.py": ("tests/unit/test_catalogue.py",),
    "encodings/marapatch_encodings/semantics.py": ("tests/unit/test_semantics.py", *ENCODINGS),
    "encodings/marapatch_encodings/*.py": ENCODINGS,
}
"""The tests of each module, those that notice most first."""

LEFT_OUT = ("bounds/triangle.py", "bounds/first.py", "__init__.py")
"""Of what only proposes (a linear program, a first radius) a mutant proves nothing false."""


@dataclass(frozen=True)
class Mutant:
    """An operator of cosmic-ray at one place of a module."""

    module: str
    operator: str
    occurrence: int

    @property
    def key(self) -> str:
        """What names it in the results."""
        return f"{self.module} {self.operator} {self.occurrence}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--count", type=int, default=400, help="mutants drawn")
    add("--jobs", type=int, default=1, help="how many are tested at once")
    add("--module", default="*", help="those of modules that match, as 'marapatch/bounds/*.py'")
    add("--again", action="store_true", help="run what survived again, and what was never run")
    add("--report", action="store_true", help="print the table; runs nothing")
    add("--write", type=Path, help="with --report: put the table between its marks in a file")
    options = parser.parse_args()
    if options.report:
        report = _report(_rows())
        print(report)
        if options.write is not None:
            write(options.write, {"mutation": report})
        return
    done = {row["key"] for row in _rows() if not (options.again and row["outcome"] == "survived")}
    _run([m for m in drawn(options.count, options.module) if m.key not in done], options.jobs)


def _run(todo: Sequence[Mutant], jobs: int) -> None:
    folders: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(jobs) as pool:
        for number in range(jobs):
            folder = Path(place) / str(number)
            for part in ("marapatch", "encodings", "tests", "benchmarks", "pyproject.toml"):
                source = ROOT / part
                if source.is_dir():
                    shutil.copytree(source, folder / part, dirs_exist_ok=True)
                else:
                    shutil.copy(source, folder / part)
            folders.put(folder)

        def one(mutant: Mutant) -> None:
            folder = folders.get()
            try:
                row = judged(mutant, folder)
            finally:
                folders.put(folder)
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{row['outcome']:8} {mutant.key}", flush=True)

        list(pool.map(one, todo))


def drawn(count: int, pattern: str = "*") -> list[Mutant]:
    """``count`` mutants, the same at every run: modules in turn, a random place in each. Of them
    those whose module matches ``pattern``."""
    by_module: list[list[Mutant]] = []
    for module in modules():
        tree = _parsed(module)
        found = [
            Mutant(module, name, occurrence)
            for name in operators()
            for occurrence in range(_places(tree, get_operator(name)))
        ]
        random.Random(f"{SEED} {module}").shuffle(found)
        by_module.append(found)
    chosen: list[Mutant] = []
    while len(chosen) < count and any(by_module):
        for found in by_module:
            if found and len(chosen) < count:
                chosen.append(found.pop())
    return [mutant for mutant in chosen if Path(mutant.module).match(pattern)]


def operators() -> list[str]:
    """The names of the operators used: a sign, a comparison, a number, a truth value."""
    known = (name for name in operator_names() if name.removeprefix("core/").startswith(KINDS))
    return sorted(known)


def modules() -> list[str]:
    """The modules that are mutated, as paths below the root."""
    found = {
        str(path.relative_to(ROOT))
        for pattern in TESTS
        for path in ROOT.glob(pattern)
        if not str(path).endswith(LEFT_OUT)
    }
    return sorted(found)


def _parsed(module: str) -> object:
    return get_ast((ROOT / module).read_text())


def _places(tree: object, operator: type) -> int:
    """At how many places of ``tree`` the operator applies; annotations and docstrings do not run
    and are left to it."""
    made = operator()
    count, stack = 0, [tree]
    while stack:
        node = stack.pop()
        count += sum(1 for _ in made.mutation_positions(node))
        stack.extend(getattr(node, "children", ()))
    return count


def judged(mutant: Mutant, folder: Path) -> dict[str, object]:
    """The outcome of one mutant's tests in a copy of the tree, which is put right again."""
    path = folder / mutant.module
    before = path.read_text()
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)
    change = "" if after is None else _change(before, after)
    row: dict[str, object] = {"key": mutant.key, **asdict(mutant), "change": change}
    if not change:
        return {**row, "outcome": "alike"}
    try:
        path.write_text(after)
        return {**row, "outcome": _outcome(mutant.module, folder)}
    finally:
        path.write_text(before)


def _outcome(module: str, folder: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    tests = next(tests for pattern, tests in TESTS.items() if Path(module).match(pattern))
    for test in tests:
        done = subprocess.run(
            [*command, test],
            cwd=folder,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{folder}:{folder}/encodings",
                "OMP_NUM_THREADS": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            preexec_fn=_limited,  # nothing else runs in the child before
            check=False,
        )
        if done.returncode < 0:
            return "timeout"
        if done.returncode:
            return "killed"
    return "survived"


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def _change(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def _rows() -> list[dict[str, str]]:
    """What is known, the newest of each mutant."""
    if not RESULTS.exists():
        return []
    rows = (json.loads(line) for line in RESULTS.read_text().splitlines())
    return list({row["key"]: row for row in rows}.values())


def _report(rows: Sequence[Mapping[str, str]]) -> str:
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["module"], Counter())[row["outcome"]] += 1
    lines = [_line(module, counts[module]) for module in sorted(counts)]
    total = sum(counts.values(), Counter())
    columns = ["module", "mutants", "killed", "of these by time", "survived", "score"]
    survivors = [f"- `{r['module']}`: {_inline(r['change'])}" for r in _survivors(rows)]
    return "\n".join([table(columns, [*lines, _line("all", total)]), "", *survivors])


def _line(name: str, count: Counter[str]) -> list[str]:
    killed = count["killed"] + count["timeout"]
    tried = killed + count["survived"]
    score = f"{100.0 * killed / tried:.0f} %" if tried else "-"
    return [f"`{name}`", str(tried), str(killed), str(count["timeout"]), str(count["survived"]),
            score]  # fmt: skip


def _survivors(rows: Sequence[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    return (row for row in rows if row["outcome"] == "survived")


def _inline(change: str) -> str:
    parts = [f"`{line[0]} {line[1:].strip()}`" for line in change.splitlines()]
    return " ".join(parts[:4])


if __name__ == "__main__":
    main()
