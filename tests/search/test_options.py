"""Options of a search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marapatch.errors import InputError
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.patching.options import PatchOptions


@pytest.mark.parametrize("options", [GroundTruthOptions, PatchOptions])
def test_no_nodes_are_refused(options: type[GroundTruthOptions] | type[PatchOptions]) -> None:
    with pytest.raises(InputError, match="nodes must be at least 1, not 0"):
        replace(options(), nodes=0)
