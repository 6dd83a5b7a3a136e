"""What became of one image of a patch attack, as it is kept, and as a row of a CSV.

A record is one JSON object (:meth:`Record.to_row`): ``key`` and ``image`` (its number in the file),
``status`` (``"found"``, ``"not found"``, or ``"already"``: decided otherwise than its label, or
as the target, before any change), ``label``, ``decision`` (of the network, on the image),
``wanted``, ``target`` (what the adversarial input is decided as), ``by``, ``l0``, ``l1``, ``l2``,
``linf`` (null where nothing was found), ``seconds``, ``reason``, ``stages``, and the change: entry
``entries[i]`` of the flat image becomes ``values[i]``, which reads back to the last bit.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError
from marapatch.files.json_lines import Row
from marapatch.files.reading import shown
from marapatch.network.layers import Array
from marapatch.patch_attacks.api import PatchAttack
from marapatch.patch_attacks.measures import distances
from marapatch.patch_attacks.options import Stage

FOUND, NOT_FOUND, ALREADY = "found", "not found", "already"
CSV_COLUMNS = (
    *("image", "found", "decision", "target", "l0", "l1", "l2", "linf", "seconds", "stages", "by"),
    *("status", "label", "wanted", "reason"),
)
"""Of the CSV."""


@dataclass(frozen=True)
class Record:
    """What became of one image; the module says what each field holds."""

    image: int
    status: str
    label: int | None
    decision: int
    wanted: int | None
    target: int | None = None
    by: str = ""
    l0: int | None = None
    l1: float | None = None
    l2: float | None = None
    linf: float | None = None
    seconds: float = 0.0
    reason: str = ""
    stages: tuple[Mapping[str, Any], ...] = ()
    entries: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is an adversarial input."""
        return self.status == FOUND

    def adversarial(self, image: ArrayLike) -> Array:
        """The adversarial input, flat, given the flat ``image`` that was attacked."""
        changed = np.array(image, dtype=np.float64)
        changed[list(self.entries)] = self.values
        return changed

    def to_row(self) -> Row:
        """The record as an object for JSON."""
        return {"key": str(self.image), **asdict(self)}

    @staticmethod
    def from_row(row: Row) -> Record:
        """The record that :meth:`to_row` wrote; InputError where it is none: every field has its
        type, numbers are finite, and an adversarial input is there exactly where it was found.
        Whether the network decides so is not looked at."""
        content = {name: value for name, value in row.items() if name != "key"}
        wrong = [name for name, fits in _FITS.items() if not fits(content.get(name))]
        wrong += sorted(set(content) - set(_FITS))
        if not wrong and row.get("key") != str(content["image"]):
            wrong = ["key"]
        sizes = [content.get(name) for name in ("target", "l0", "l1", "l2", "linf")]
        if not wrong and any((size is None) == (content["status"] == FOUND) for size in sizes):
            wrong = ["status"]
        if not wrong and len(content["entries"]) != len(content["values"]):
            wrong = ["values"]
        if wrong:
            raise InputError(
                f"row {shown(row.get('key'))!r} is not of a patch attack: its {shown(wrong[0])!r} "
                "is not what it should be; delete the row"
            )
        for name in ("stages", "entries", "values"):
            content[name] = tuple(content[name])
        return Record(**content)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _real(value: Any) -> bool:
    return _whole(value) or (type(value) is float and isfinite(value))


def _size(value: Any) -> bool:
    return value is None or (_real(value) and value >= 0.0)


def _class(value: Any) -> bool:
    return value is None or _whole(value)


def _stage(value: Any) -> bool:
    names = {field.name for field in fields(Stage)}
    return (
        isinstance(value, dict)
        and set(value) == names
        and _whole(value["layer"])
        and _whole(value["changed"])
        and all(isinstance(value[name], str) for name in ("kind", "norm", "note"))
        and all(_size(value[name]) for name in ("lower", "upper"))
        and _real(value["seconds"])
    )


def _each(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: isinstance(values, list) and all(map(fits, values))


_FITS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("image", "decision"), _whole),
    **dict.fromkeys(("label", "wanted", "target", "l0"), _class),
    **dict.fromkeys(("l1", "l2", "linf"), _size),
    **dict.fromkeys(("by", "reason"), lambda value: isinstance(value, str)),
    "status": lambda value: value in (FOUND, NOT_FOUND, ALREADY),
    "seconds": lambda value: value is not None and _size(value),
    "stages": _each(_stage),
    "entries": _each(_whole),
    "values": _each(_real),
}
"""What the fields of a row may be."""


def already(image: int, decision: int, label: int | None, wanted: int | None) -> Record:
    """The record of an image that needs no attack."""
    labelled = label is not None and decision != label
    reason = f"decided {decision}, not {label}" if labelled else f"already decided {decision}"
    return Record(image, ALREADY, label, decision, wanted, reason=reason)


def record(image: int, attack: PatchAttack, original: Array, label: int | None = None) -> Record:
    """The record of one attack; its distances are measured again, on the vector it returned."""
    known: dict[str, Any] = {
        "label": label,
        "decision": attack.decision,
        "wanted": attack.wanted,
        "by": attack.by,
        "seconds": attack.seconds,
        "reason": attack.reason,
        "stages": tuple(finite(asdict(stage)) for stage in attack.stages),
    }
    if not attack.found or attack.adversarial is None:
        return Record(image, NOT_FOUND, **known)
    x = np.asarray(original, dtype=np.float64).reshape(1, -1)
    vector = np.asarray(attack.adversarial, dtype=np.float64).reshape(1, -1)
    far = distances(x, vector)
    entries = np.flatnonzero(vector[0] != x[0])
    return Record(
        image,
        FOUND,
        **known,
        target=attack.target,
        l0=int(far.l0[0]),
        l1=float(far.l1[0]),
        l2=float(far.l2[0]),
        linf=float(far.linf[0]),
        entries=tuple(entries.tolist()),
        values=tuple(vector[0, entries].tolist()),
    )


def finite(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` for JSON, which has no infinity and no NaN: null stands for them."""
    return {
        name: finite(value)
        if isinstance(value, Mapping)
        else None
        if isinstance(value, float) and not isfinite(value)
        else value
        for name, value in content.items()
    }


def to_csv(records: Sequence[Record]) -> bytes:
    """A row an image; floats in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for r in records:
        given = {**asdict(r), "found": int(r.found), "stages": "; ".join(map(formatted, r.stages))}
        writer.writerow(["" if given[name] is None else given[name] for name in CSV_COLUMNS])
    return text.getvalue().encode()


def formatted(stage: Mapping[str, Any]) -> str:
    """One stage in a few words: what, which layer, its size and time."""
    size = "failed" if stage["upper"] is None else f"{stage['norm']} {stage['upper']:.6g}"
    note = f" ({stage['note']})" if stage["note"] else ""
    return f"{stage['kind']} at layer {stage['layer']}: {size}, {stage['seconds']:.2f} s{note}"
