"""What the maps of a network can lose to rounding, in exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from rounded_terms import UNIT, entries, numbers

from marapatch.certificates.recheck_least import SMALL
from marapatch.certificates.recheck_maps import Map, parts_of
from marapatch.network.affine_relu.standard_form import AffineMap


def test_what_a_map_can_lose() -> None:
    """``carried`` is |W| |a| + |b| and ``strayed`` what stored coefficients are off by, rounded up;
    nothing where there is nothing."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        weight, off = np.abs(numbers(rng, 3, 4)), 1e-9 * np.abs(numbers(rng, 3, 4))
        off[0] = 0.0
        bias, bias_error = numbers(rng, 3), np.array([0.0, 1e-12, 0.0])
        layer = AffineMap((0,), (weight,), bias, (off,), bias_error)
        sizes = [np.abs(numbers(rng, 4))]
        found = Map.of(layer, parts_of(layer), sizes)
        w, o, a = entries(weight), entries(off), [Fraction(x) for x in sizes[0].tolist()]
        for i in range(3):
            carried = sum((x * y for x, y in zip(w[i], a, strict=True)), Fraction(0)) + abs(
                Fraction(bias[i])
            )
            strayed = sum((x * y for x, y in zip(o[i], a, strict=True)), Fraction(0)) + Fraction(
                bias_error[i]
            )
            for exact, stored, empty in (
                (carried, Fraction(found.carried[i]), not any(w[i]) and bias[i] == 0.0),
                (strayed, Fraction(found.strayed[i]), not any(o[i]) and bias_error[i] == 0.0),
            ):
                # what these lost themselves is a share of what gamma holds in reserve
                assert stored >= exact * (1 - 16 * UNIT)
                assert stored <= exact * (1 + 16 * UNIT) + 8 * Fraction(SMALL)
                assert (stored == 0) == empty
        assert Fraction(found.spread) >= sum(a, Fraction(0)) * (1 - 16 * UNIT)
