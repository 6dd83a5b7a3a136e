"""The maps of a network as :mod:`marapatch.certificates.recheck_bounds` takes them: dense, and with
what each of their operations can lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marapatch.certificates.recheck_least import SMALL
from marapatch.network.affine_relu.standard_form import AffineMap
from marapatch.network.layers import Array, Matrix


@dataclass(frozen=True, eq=False)
class Part:
    """What a map takes from one source: the matrix, |matrix|, and its inexactness or None."""

    source: int
    matrix: Array
    size: Array
    inexact: Array | None


def parts_of(layer: AffineMap) -> tuple[Part, ...]:
    zipped = zip(layer.sources, layer.weights, layer.weight_errors, strict=True)
    return tuple(
        Part(source, _dense(w), np.abs(_dense(w)), None if e is None else _dense(e))
        for source, w, e in zipped
    )


@dataclass(frozen=True, eq=False)
class Map:
    """An affine map and, by output, what one unit of its coefficient can lose.

    ``carried``: at least ``|W| |a| + |b|``, of which each operation loses a share. ``strayed``:
    at least what the stored coefficients and the true ones can differ by. ``spread``: at least
    the sum of all |a|, and of 1 a source: what one underflowing product a coefficient can lose,
    in units of it. ``SMALL`` is in both vectors too: the coefficient that multiplies them may be
    so large that what they lost to underflow counts.
    """

    layer: AffineMap
    parts: tuple[Part, ...]
    carried: Array
    strayed: Array
    spread: float

    @staticmethod
    def of(layer: AffineMap, parts: tuple[Part, ...], sizes: Sequence[Array]) -> Map:
        # Shapes: a part's matrix (outputs, size of its source), `carried` and `strayed` (outputs,).
        carried, strayed, spread = np.abs(layer.bias), np.array(layer.bias_error), 1.0
        for part in parts:
            reach = sizes[part.source]
            # Every product of a row may underflow; a row of zeros has none, and loses nothing.
            floor = SMALL * (part.size.shape[1] + 1)
            carried = carried + part.size @ reach + floor * (part.size > 0.0).any(axis=1)
            # A coefficient that lost e to underflow changes the form by at most e times its |a|.
            spread += 1.0 + float(reach.sum())
            if part.inexact is not None:
                strayed = strayed + part.inexact @ reach
                strayed = strayed + floor * (part.inexact > 0.0).any(axis=1)
        return Map(layer, parts, carried, strayed, spread)


def _dense(weight: Matrix) -> Array:
    return weight if isinstance(weight, np.ndarray) else np.asarray(weight.toarray())
