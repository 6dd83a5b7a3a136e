"""What a search for a patch keeps, and how it shares its time."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from patch_questions import network

from marapatch.network.graph import dense_network
from marapatch.patching import solve as searching
from marapatch.patching.api import minimal_patch
from marapatch.patching.options import PatchOptions
from marapatch.patching.solve import PatchProgress


@pytest.mark.parametrize("search", ["auto", "bisection"])
def test_an_interrupted_search_keeps_both_ends(search: str) -> None:
    net, inputs = network()
    target = 3 - int(net.evaluate(inputs[:1]).argmax())
    seen: list[PatchProgress] = []

    def stop(progress: PatchProgress) -> None:
        seen.append(progress)
        if progress.lower > 0.0 and progress.upper < inf:
            raise KeyboardInterrupt

    options = PatchOptions(search=search, tolerance=1e-6, nodes=2000)
    patch = minimal_patch(net, inputs[0], target, layer=0, options=options, progress=stop)
    assert patch.interrupted
    assert patch.lower == max(progress.lower for progress in seen) > 0.0
    assert patch.delta is not None
    assert patch.upper <= seen[-1].upper
    assert patch.lower <= patch.upper
    assert patch.note == "interrupted"


def test_to_show_that_nothing_will_do_takes_a_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A linear program over a large network took all of it, and nothing else was tried."""
    given: list[float] = []

    def watched(question: object, seconds: float) -> bool:
        given.append(seconds)
        return False

    monkeypatch.setattr(searching, "infeasible_by_relaxation", watched)
    rng = np.random.default_rng(0)
    small = dense_network(
        [rng.normal(size=(6, 3)), rng.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)]
    )
    image = np.full(3, 0.5)
    wanted = 1 - int(small.evaluate(image)[0].argmax())
    minimal_patch(small, image, wanted, layer=0, options=PatchOptions(timeout=10.0))
    minimal_patch(small, image, wanted, layer=0, options=PatchOptions(nodes=5))
    assert 0.0 < given[0] <= 2.0
    assert given[1] == inf
