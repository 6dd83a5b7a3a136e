"""The tests of a module are found by its name: tests/<package>/test_<module>.py."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"

LEAST = 0.95
"""Of the modules, at least so many have tests by their name."""

PACKAGES = {
    ROOT / "marapatch": TESTS,
    ROOT / "encodings" / "marapatch_encodings": TESTS / "marapatch_encodings",
}
"""Where the tests of each package are."""


def expected() -> dict[Path, Path]:
    """Every module with something in it, and the file in which its tests are looked for."""
    return {
        module: tests / module.relative_to(package).parent / f"test_{module.stem}.py"
        for package, tests in PACKAGES.items()
        for module in package.rglob("*.py")
        if module.stem not in ("__init__", "__main__")
    }


def has_tests(path: Path) -> bool:
    return path.exists() and "def test_" in path.read_text(encoding="utf-8")


def test_nearly_every_module_has_tests_by_its_name() -> None:
    places = expected()
    missing = sorted(str(m.relative_to(ROOT)) for m, path in places.items() if not has_tests(path))
    share = 1.0 - len(missing) / len(places)
    assert len(places) > 200
    assert share >= LEAST, f"{share:.1%} of modules; without: {', '.join(missing)}"


@pytest.mark.parametrize("package", [p.name for p in (ROOT / "marapatch").iterdir() if p.is_dir()])
def test_every_package_has_a_folder_of_tests(package: str) -> None:
    has_modules = any((ROOT / "marapatch" / package).rglob("*.py"))
    assert not has_modules or any((TESTS / package).rglob("test_*.py")), package


def test_no_file_of_tests_is_left_without_tests() -> None:
    empty = [str(path) for path in TESTS.rglob("test_*.py") if not has_tests(path)]
    assert not empty


def test_what_is_shared_is_used() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    texts |= {path: path.read_text() for path in (ROOT / "benchmarks").rglob("*.py")}
    for module in (TESTS / "support").glob("*/*.py"):
        users = [p for p, text in texts.items() if p != module and f"{module.stem} import" in text]
        users += [p for p, text in texts.items() if f"import {module.stem}\n" in text]
        assert users, f"{module.relative_to(ROOT)} is used by nobody"
