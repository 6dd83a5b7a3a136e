"""Mutants drawn at random, and the outcome of a module's tests on each (the extra ``mutation``)."""

from __future__ import annotations

import difflib
import random
import re
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from benchmarks.harness.rows import Row

ROOT = Path(__file__).resolve().parents[2]

SECONDS = 60
"""Processor seconds for one file of a mutant's tests."""

SEED = 13

TERMS = "bounds/test_rounding_terms.py"
FORMS = (
    TERMS,
    "bounds/test_inexact_coefficients.py",
    "bounds/test_search_steps.py",
    "bounds/test_tightness.py",
    "bounds/concretise/test_base.py",
    "bounds/test_subproblems.py",
    "bounds/test_crown.py",
)
NODES = (
    *FORMS[:4],
    "bounds/test_underflow.py",
    "bounds/test_dual_ascent.py",
    *FORMS[4:],
)
RECHECK = tuple(
    f"certificates/test_recheck{name}.py"
    for name in ("_least", "_bounds", "_records", "_terms", "_form", "_points", "")
)
FILES = tuple(
    f"certificates/test_{name}.py" for name in ("file", "recheck_records", "check", "damaged_files")
)
KERNEL = tuple(f"marapatch_encodings/test_{name}.py" for name in ("ranges", "terms", "encodings"))

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

OTHER_TESTS: Mapping[str, tuple[str, ...]] = {
    "marapatch/bounds/concretise/*.py": FORMS,
    "marapatch/bounds/*.py": NODES,
    "marapatch/problem/replay.py": (TERMS, "bounds/test_underflow.py"),
    "marapatch/problem/bracket.py": (),
    "marapatch/certificates/recheck*.py": RECHECK,
    "marapatch/certificates/file.py": FILES,
    "marapatch/certificates/check.py": FILES[1:],
    "encodings/marapatch_encodings/catalogue.py": (),
    "encodings/marapatch_encodings/*.py": KERNEL,
}
"""The modules that are mutated, and the tests that a mutant must survive after those that have the
module's name; those that notice most first."""

LEFT_OUT = (
    "bounds/triangle.py",
    "bounds/first_radius.py",
    "bounds/displacement.py",
    "bounds/dual_ascent.py",
    "concretise/cut.py",
    "concretise/knapsack.py",
    "__init__.py",
)
"""Of what only proposes (a linear program, a first radius, steps along a supergradient, dual values
in single precision) a mutant proves nothing false."""

DECLARED = re.compile(r"\b(?:strict|slots|frozen|eq)=(?:True|False)|[*/],")
"""What declares and computes nothing: options of a dataclass, a check that two lengths are one, how
parameters are passed. A mutant of nothing else is none."""


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
        for pattern in OTHER_TESTS
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


def judged(mutant: Mutant, folder: Path) -> Row:
    """The outcome of one mutant's tests in a copy of the tree, which is put right again."""
    path = folder / mutant.module
    before = path.read_text()
    after = mutate_code(before, get_operator(mutant.operator)(), mutant.occurrence)
    change = "" if after is None else _change(before, after)
    row: Row = {"key": mutant.key, **asdict(mutant), "change": change}
    sides = ["", ""]
    for line in change.splitlines():
        sides[line[0] == "+"] += DECLARED.sub("", line[1:])
    if sides[0] == sides[1]:
        return {**row, "outcome": "alike"}
    try:
        path.write_text(after)
        return {**row, "outcome": _outcome(mutant.module, folder)}
    finally:
        path.write_text(before)


def tests_of(module: str) -> list[str]:
    """The files of tests that a mutant of ``module`` is put to, in order."""
    path = Path(module)
    package = path.parent.relative_to("marapatch" if path.parts[0] == "marapatch" else "encodings")
    named = f"{package.as_posix()}/test_{path.stem}.py"
    own = [named] if (ROOT / "tests" / named).exists() else []
    others = next(tests for pattern, tests in OTHER_TESTS.items() if path.match(pattern))
    return [f"tests/{name}" for name in dict.fromkeys([*own, *others])]


def _outcome(module: str, folder: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    for test in tests_of(module):
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
