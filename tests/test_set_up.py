"""The set-up: the locks fit pyproject.toml, and what a bare run of the tests says at its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"]
TEST = PROJECT["project"]["optional-dependencies"]["test"]
BUILD = PROJECT["build-system"]["requires"]

PLATFORMS = {
    "Linux": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "macOS": {"sys_platform": "darwin", "platform_machine": "x86_64"},
}


def locked(name: str, platform: str) -> dict[str, tuple[str, int]]:
    """Of each package of a lock on a platform: the version and the number of hashes."""
    found = {}
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        statement, *hashes = line.split("--hash=")
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", h) for h in hashes), line
        requirement = Requirement(statement)
        environment = {"python_full_version": "3.11.0", "platform_python_implementation": "CPython"}
        if requirement.marker is None or requirement.marker.evaluate(
            {**environment, **PLATFORMS[platform]}
        ):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[canonicalize_name(requirement.name)] = pin.version, len(hashes)
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("name", "wanted"), [("run", RUN + BUILD), ("test", RUN + TEST + BUILD)])
def test_the_lock_has_what_is_asked_for(name: str, wanted: list[str], platform: str) -> None:
    """After a change of pyproject.toml: make lock."""
    pins = locked(name, platform)
    for requirement in map(Requirement, wanted):
        version, _ = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), (requirement, version)
    assert min(count for _, count in pins.values()) >= 1
    assert "torch" not in pins


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_runs_is_what_was_tested(platform: str) -> None:
    assert locked("run", platform).items() <= locked("test", platform).items()


def test_setuptools_is_locked_as_the_build_asks() -> None:
    lines = (ROOT / "requirements/build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == BUILD


@pytest.mark.parametrize("name", ["run.txt", "test.txt", "build.in"])
def test_no_lock_names_where_it_came_from(name: str) -> None:
    assert not re.search(r"://|--index|--find-links|@ ", (ROOT / "requirements" / name).read_text())


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    command = [sys.executable, "requirements/lowest.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    pins = {pin.name: str(pin.specifier) for pin in map(Requirement, done.stdout.splitlines())}
    assert set(pins) == {Requirement(line).name for line in RUN + TEST}
    assert pins["maraboupy"] == "==2.0.0"
    assert all(specifier.startswith("==") for specifier in pins.values())


@pytest.mark.parametrize(
    ("folder", "why"),
    [(None, "is not set"), ("no-such-folder", "is not a folder"), (".", "there is no neurify")],
)
def test_skipped_tests_say_how_to_get_the_data(folder: str | None, why: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MARAPATCH_DATA"}
    if folder is not None:
        environment["MARAPATCH_DATA"] = folder
    tests = "tests/network/test_load.py::test_headers_of_mnist_nnet_files"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", tests, "-k", "50"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert why in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "for want of benchmark data" in line]
    assert line.startswith("1 test was skipped")
    assert "`marapatch fetch acasxu " in line
    assert "MARAPATCH_DATA=$PWD/data make test" in line
