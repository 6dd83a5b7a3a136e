"""What ``import marapatch as mp`` gives is what it says, whatever else was imported before."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType

import marapatch as mp


def test_no_module_stands_in_for_a_name() -> None:
    """Importing a submodule sets it as an attribute of its package, over what was there."""
    for module in pkgutil.walk_packages(mp.__path__, "marapatch."):
        if not module.name.endswith(("__main__", "marabou.worker")):
            import_module(module.name)
    for name in mp.__all__:
        thing = getattr(mp, name)
        assert not isinstance(thing, ModuleType), name
        assert getattr(mp, name) is thing, name
    assert mp.attacks.Problem.__module__ == "marapatch.witnesses.attacks.problem"


def test_everything_public_is_listed() -> None:
    assert sorted([*mp.__all__, "attacks"]) == dir(mp)
    assert len(set(mp.__all__)) == len(mp.__all__)
