"""What is reported of a ground truth: tables for people, JSON for programs.

The JSON (schema version 1) is one object:

- ``schema_version``: 1. ``marapatch``: what kind of result it is, ``"groundtruth"``.
- ``status``: ``"closed"`` (the gap is at most the tolerance), ``"open"``, ``"none"`` (proved: no
  input in the box changes the decision so) or ``"already"`` (the input itself is decided
  otherwise than its label: distance 0).
- ``norm``, ``decision`` and ``label``.
- ``lower``, ``upper``, ``evidence``: of the nearest over the targets asked. JSON has no infinity:
  ``lower`` is null where the status is ``"none"``, ``upper`` is null where no witness is known.
- ``witness``: the path of the nearest witness, or null where there is none or none was written.
- ``targets``: a list of objects with ``target``, ``status``, ``lower``, ``upper``, ``evidence``,
  ``witness``, ``witness_margin`` (by how much the target leads every rival at the witness),
  ``witness_confirmed`` (whether onnxruntime decides the same; null where it was not asked),
  ``queries``, ``seconds`` and ``note``.
- ``queries``: a list of objects with ``radius``, ``verdict`` (``"sat"``, ``"unsat"`` or
  ``"unknown: reason"``), ``seconds``, ``variables``, ``rows``, ``relus`` and ``backend``.
- ``seconds``, ``interrupted``, ``network`` (``path``, ``sha256``), ``image``, ``options`` and
  ``versions``.

Distances are in the units of the network's input. Every number is written in full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum
from math import inf, isinf
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from marapatch.groundtruth import GroundTruth, TargetResult
    from marapatch.network.network import Network
    from marapatch.search.options import QueryRecord

SCHEMA_VERSION = 1
DIGITS = 6
"""Significant digits of a bound in a table."""


def to_json(
    result: GroundTruth,
    network: Network,
    *,
    image: Mapping[str, Any],
    versions: Mapping[str, str],
    witnesses: Mapping[int, str] | None = None,
    witness: str | None = None,
) -> dict[str, Any]:
    """The result as an object that :mod:`json` can write; the module describes the schema.

    ``image``: what to say about the input. ``witnesses``: by target, the path to which its
    witness was written; ``witness``: that of the nearest.
    """
    source = network.source
    written = witnesses or {}
    return {
        "marapatch": "groundtruth",
        "schema_version": SCHEMA_VERSION,
        "status": status(result),
        "norm": result.norm.value,
        "decision": result.decision.value,
        "label": result.label,
        "lower": _finite(result.lower),
        "upper": _finite(result.upper),
        "evidence": result.evidence.value,
        "witness": witness,
        "targets": [_target(t, result, written.get(t.target)) for t in result.targets],
        "seconds": result.seconds,
        "interrupted": result.interrupted,
        "network": {
            "path": None if source is None else source.path,
            "sha256": None if source is None else source.sha256,
            "format": None if source is None else source.format,
            "input_shape": list(network.input_shape),
            "outputs": network.outputs,
        },
        "image": dict(image),
        "options": options_json(result.options),
        "versions": dict(versions),
    }


def dump(report: Mapping[str, Any]) -> bytes:
    """The text of a report; ValueError where a number is not finite."""
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()
