"""What a question starts from: the image, the box it may move in, and the entries it may change."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan, prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.images import Check, Layout, read_array, useful
from marapatch.files.reading import shown
from marapatch.formats.vnnlib.reader import read_property
from marapatch.network.graph import Network
from marapatch.network.layers import Array

Scale = Literal["auto", "1", "255"]
"""What the numbers of an image are divided by; ``auto``: 255 for whole numbers of 0..255."""


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """One image, finite float64 ``values`` in the file's shape, already scaled.

    ``path``: where it came from. ``scaled``: whether pixels of 0..255 became [0, 1].
    ``integer``: whether the file held whole numbers. ``channels_last``: whether the format says
    that the last axis is the colour. ``notes``: what was decided on the way, for people.
    """

    path: str
    values: Array
    integer: bool
    scaled: bool
    channels_last: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Start:
    """An image placed in its box: read-only float64 ``x``, ``lower``, ``upper`` of shape (inputs,).

    Every entry of ``x`` is a number of the network's input type and lies inside the box.
    """

    x: Array
    lower: Array
    upper: Array
    notes: tuple[str, ...] = ()


def read_image(
    path: str | Path, index: int | None = None, scale: Scale = "auto", check: Check = useful
) -> LoadedImage:
    """Read the image in ``path`` (see :func:`marapatch.files.images.read_array`; ``check`` too).

    Whole numbers of 0..255 are divided by 255 under ``auto``, floating-point numbers never; the
    notes say so. Raises InputError where the file cannot be read, an entry is NaN or infinite, or
    ``auto`` cannot tell (whole numbers none of which is above 1).
    """
    array = read_array(str(path), index, check)
    values, notes = array.values, list(array.notes)
    bad = ~np.isfinite(values)
    if bad.any():
        where = _entry(bad)
        raise InputError(f"{path}: entry {where} is {values[where]}; an image must be finite")
    in_range = bool(values.min() >= 0.0 and values.max() <= 255.0)
    scaled = scale == "255"
    if scale == "255" and not in_range:
        where = _entry((values < 0.0) | (values > 255.0))
        raise InputError(
            f"{path}: entry {where} is {values[where]:g}, not a pixel of 0..255; use --scale 1"
        )
    if scale == "auto" and array.integer and in_range:
        if 0.0 < values.max() <= 1.0 and not array.pixels:
            raise InputError(
                f"{path}: whole numbers, none above 1: say --scale 1 if they are used as they are, "
                "--scale 255 if they are pixels of 0..255"
            )
        scaled = True
        notes.append(f"{path}: whole numbers of 0..255, divided by 255 (--scale 1 to leave them)")
    if scaled:
        values = values / 255.0
    values.flags.writeable = False
    return LoadedImage(str(path), values, array.integer, scaled, array.channels_last, tuple(notes))


def fit(image: LoadedImage, network: Network) -> Array:
    """The image as float64 (inputs,) in the network's order.

    The shapes may differ in axes of size 1, and either side may be flat (row-major); a picture
    with its colours last fits a network with its channels first. InputError otherwise.
    """
    layout = Layout(image.values.shape, image.channels_last)
    check_fit(image.path, layout, network)
    if _colours_move(layout, network):
        return np.array(np.moveaxis(image.values.squeeze(), -1, 0).reshape(-1))
    return np.array(image.values.reshape(-1))


def check_fit(path: str | Path, layout: Layout, network: Network) -> None:
    """Raise InputError where :func:`fit` would, from the layout alone."""
    have, want = _long(layout.shape), _long(network.input_shape)
    same_size = prod(layout.shape) == network.inputs
    if have == want or (same_size and min(len(have), len(want)) <= 1):
        return
    if _colours_move(layout, network):
        return
    hint = ""
    if have[1:] in (want, (network.inputs,)):
        hint = f": it holds {have[0]} images, choose one with --index"
    elif sorted(have) == sorted(want):
        hint = ": the axes are in another order, transpose them"
    raise InputError(
        f"{path}: the image has shape {shown(layout.shape)}, the network takes "
        f"{shown(network.input_shape)} or flat ({network.inputs},){hint}"
    )


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _colours_move(layout: Layout, network: Network) -> bool:
    """Whether the image's colours, its last axis, are the network's first."""
    have, want = _long(layout.shape), _long(network.input_shape)
    return (
        layout.channels_last and have != want and len(have) > 1 and (have[-1], *have[:-1]) == want
    )


def start(
    image: LoadedImage, network: Network, box: str | tuple[Array, Array] | None = None
) -> Start:
    """Place ``image`` in its box, as numbers of the network's input type.

    ``box``: see :func:`read_box`, or what that gave. A 64-bit number that the network's type
    cannot hold is rounded, towards the inside at the box's edge; an entry that the box fixes is
    fixed at the rounded number. Raises InputError where the image lies outside the box, naming
    the first entry.
    """
    exact = fit(image, network)
    lower, upper = box if isinstance(box, tuple) else read_box(box, network, image)
    outside = (exact < lower) | (exact > upper)
    if outside.any():
        i = int(np.argmax(outside))
        raise InputError(
            f"{image.path}: entry {_place(i, network)} is {exact[i]:.9g}, outside the box "
            f"[{lower[i]:.9g}, {upper[i]:.9g}]"
        )
    with np.errstate(over="ignore"):  # an infinite entry is reported below
        typed = exact.astype(network.input_dtype)
    above, below = typed > upper, typed < lower
    typed[above] = np.nextafter(typed[above], network.input_dtype.type(-np.inf))
    typed[below] = np.nextafter(typed[below], network.input_dtype.type(np.inf))
    x = typed.astype(np.float64)
    lower, upper = np.array(lower), np.array(upper)
    fixed = lower == upper
    lower[fixed] = upper[fixed] = x[fixed]
    homeless = (x < lower) | (x > upper) | ~np.isfinite(x)
    if homeless.any():
        i = int(np.argmax(homeless))
        raise InputError(
            f"{image.path}: no {network.input_dtype} number near entry {_place(i, network)} "
            f"({exact[i]!r}) lies in the box [{lower[i]!r}, {upper[i]!r}]; widen the box"
        )
    notes = list(image.notes)
    change = float(np.abs(x - exact).max(initial=0.0))
    if change > 0.0 and not image.scaled:
        notes.append(
            f"{image.path}: rounded to {network.input_dtype}, the type the network takes "
            f"(largest change {change:.2g})"
        )
    for array in (x, lower, upper):
        array.flags.writeable = False
    return Start(x, lower, upper, tuple(notes))


def read_box(spec: str | None, network: Network, image: LoadedImage) -> tuple[Array, Array]:
    """The box (lower, upper), finite float64 arrays of shape (inputs,).

    ``spec``: ``LO,HI`` for every entry; a .npy file of shape (2, inputs) or (2, *input shape); a
    .vnnlib file with one box of inputs; or None: [0, 1] for pixels of 0..255 that were scaled,
    else the box that the network's file states. Raises InputError where the box is empty, not
    finite, of a wrong shape, or cannot be inferred.
    """
    if spec is None:
        return _inferred_box(network, image)
    suffix = Path(spec).suffix.lower()
    if suffix == ".vnnlib":
        return _vnnlib_box(spec, network)
    if suffix == ".npy":

        def fits(layout: Layout) -> None:
            if layout.shape not in ((2, network.inputs), (2, *network.input_shape)):
                raise InputError(
                    f"{spec}: a box has shape {(2, network.inputs)} or {(2, *network.input_shape)} "
                    f"(lower, upper), not {shown(layout.shape)}"
                )

        values = read_array(spec, check=fits).values
        lower, upper = values.reshape(2, -1)
        return _checked_box(spec, lower, upper, network)
    low, comma, high = spec.partition(",")
    try:
        ends = float(low), float(high)
    except ValueError:
        raise InputError(
            f"--box {spec}: neither LO,HI (two numbers) nor a .npy or .vnnlib file"
        ) from None
    if not comma or not all(map(isfinite, ends)):
        raise InputError(f"--box {spec}: both ends must be finite numbers")
    low_row, high_row = (np.full(network.inputs, end) for end in ends)
    return _checked_box(f"--box {spec}", low_row, high_row, network)


def read_mask(path: str | Path, network: Network) -> NDArray[np.bool_]:
    """Which entries may change: boolean (inputs,), from a .npy file of the network's input shape.

    Raises InputError where entries are not boolean (or 0 and 1), the shape does not fit or no
    entry may change.
    """
    array = read_array(str(path), check=lambda layout: check_fit(path, layout, network))
    if not (array.integer and np.isin(array.values, (0.0, 1.0)).all()):
        raise InputError(f"{path}: a mask holds booleans: True where an entry may change")
    image = LoadedImage(str(path), array.values, integer=True, scaled=False)
    mask = np.asarray(fit(image, network) == 1.0, dtype=np.bool_)
    if not mask.any():
        raise InputError(f"{path}: the mask lets no entry change")
    return mask


def _inferred_box(network: Network, image: LoadedImage) -> tuple[Array, Array]:
    if image.scaled:
        return np.zeros(network.inputs), np.ones(network.inputs)
    if network.input_box is not None:
        where = network.source.path if network.source is not None else "the network"
        return _checked_box(f"{where}: its input box", *network.input_box, network)
    hint = "--box 0,1 if its entries are fractions of white"
    if image.values.max() > 1.0 and not (image.values % 1.0).any() and image.values.min() >= 0.0:
        hint = "--scale 255 if these are pixels of 0..255 and the network takes [0, 1]"
    raise InputError(
        f"{image.path}: nothing says in which box its entries may move; give --box LO,HI, "
        f"for instance {hint}"
    )


def _vnnlib_box(path: str, network: Network) -> tuple[Array, Array]:
    properties = read_property(path)
    if properties.inputs != network.inputs:
        raise InputError(
            f"{path}: declares {properties.inputs} inputs, the network takes {network.inputs}"
        )
    if len(properties.cases) != 1:
        raise InputError(f"{path}: has {len(properties.cases)} input boxes, --box takes one")
    (case,) = properties.cases
    if (
        case.box.open_below
        or case.box.open_above
        or any(row.inputs for rows in case.alternatives for row in rows)
    ):
        raise InputError(
            f"{path}: its inputs are no closed box (a strict comparison, or one of several "
            "inputs); --box takes one"
        )
    lower, upper = case.lower, case.upper
    for kind, side in (("lower", lower), ("upper", upper)):
        if not np.isfinite(side).all():
            i = int(np.argmin(np.isfinite(side)))
            raise InputError(f"{path}: X_{i} has no {kind} bound")
    return _checked_box(path, lower, upper, network)


def _checked_box(what: str, lower: Array, upper: Array, network: Network) -> tuple[Array, Array]:
    bad = ~(np.isfinite(lower) & np.isfinite(upper) & (lower <= upper))
    if bad.any():
        i = int(np.argmax(bad))
        low, high = lower[i], upper[i]
        fault = "empty" if not (isnan(low) or isnan(high)) and low > high else "not finite"
        raise InputError(
            f"{what}: the box is {fault} at entry {_place(i, network)}: [{low:.9g}, {high:.9g}]"
        )
    return np.array(lower), np.array(upper)


def _entry(bad: NDArray[np.bool_]) -> tuple[int, ...]:
    """The index of the first True entry."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def _place(i: int, network: Network) -> tuple[int, ...] | int:
    """Entry ``i`` of the flat input as an index into the network's input shape."""
    place = tuple(int(n) for n in np.unravel_index(i, network.input_shape))
    return place if len(place) > 1 else place[0]
