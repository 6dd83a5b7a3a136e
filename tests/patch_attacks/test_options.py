"""Options of a patch attack."""

from __future__ import annotations

import numpy as np
import pytest

from marapatch.errors import InputError
from marapatch.patch_attacks.options import PatchAttackOptions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minimise": "l2"}, "minimise 'l2' is not one of l0, l1, linf"),
        ({"phases": "some"}, "phases 'some' is not one of free, fixed, linear"),
        ({"phases": "linear"}, "give images as samples"),
        ({"backend": "nobody"}, "backend 'nobody' is not one of"),
        ({"patch_norm": "l0"}, "patch_norm 'l0' is not one of linf, l1"),
        ({"max_pixel": 0.0}, "max_pixel must be positive"),
        ({"margin": -1.0}, "the margin must be"),
        ({"timeout": 0.0}, "timeout must be a positive"),
        ({"targets": 0}, "targets must be at least 1"),
        ({"samples": [[np.nan]]}, "the samples contain NaN"),
    ],
)
def test_options_out_of_range_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PatchAttackOptions(**arguments)  # type: ignore[arg-type]
