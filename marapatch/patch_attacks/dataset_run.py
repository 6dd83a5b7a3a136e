"""Patch attacks on the images of a data set: attack what is left, keep it, measure it.

A run may have a folder (:mod:`marapatch.patch_attacks.folder`). Then a finished image is on the
disk before the next one is begun, and the same run again does only what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from math import inf
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from marapatch.errors import InputError, check_class, check_seconds
from marapatch.network.graph import Network
from marapatch.patch_attacks.api import PatchAttackOptions, patch_attack
from marapatch.patch_attacks.features import penultimate
from marapatch.patch_attacks.folder import Folder
from marapatch.patch_attacks.image_set import ImageSet
from marapatch.patch_attacks.records import Record, already, record
from marapatch.patch_attacks.report import Features, Measures, measure, plain
from marapatch.patch_attacks.verify_records import RecordVerifier
from marapatch.problem.conditions import Rule
from marapatch.problem.replay import decided_class
from marapatch.reporting.versions import versions

SHOWN_FAULTS = 5
"""Of an earlier run's records that do not hold, so many are named."""

SCHEMA_VERSION = 1

Allowance = Callable[[int], "tuple[float | None, float | None] | None"]
"""Given how many images were attacked before: the seconds for the next one and when these began
(None: no limit, and now); None where there is no time for another."""

Progress = Callable[[Record], None]


@dataclass(frozen=True, eq=False)
class PatchAttackSet:
    """What became of the images of a data set.

    ``records``: one a finished image, in order (those of an earlier run in the same folder
    included); :meth:`Record.adversarial` gives the input found. ``measures``: over them.
    ``left``: how many images were not attacked, for want of time or after an interruption.
    ``notes``: what a reader should know of the folder's earlier run.
    """

    records: tuple[Record, ...]
    measures: Measures
    left: int
    interrupted: bool
    notes: tuple[str, ...]


def patch_attack_images(
    network: Network,
    images: ArrayLike,
    *,
    target: int | None = None,
    decision: str | Rule = Rule.ARGMAX,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    labels: ArrayLike | None = None,
    options: PatchAttackOptions | None = None,
    folder: str | PathLike[str] | None = None,
    total_timeout: float | None = None,
    pictures: int = 0,
    features: Features | None = None,
    other: Network | None = None,
    progress: Progress | None = None,
) -> PatchAttackSet:
    """:func:`marapatch.patch_attack` of every one of ``images``, and the paper's measures of it.

    ``images``: (n, ...) in the network's shape or flat, in the units that the network takes.
    ``target``, ``decision``, ``box``, ``options``: as for one image, ``options.timeout`` for each.
    ``labels``: (n,); an image that the network decides otherwise already, or as ``target``, is left
    alone. ``folder``: where a row is kept for each finished image; a run goes on from the rows it
    finds there, each verified again. ``total_timeout``: seconds after which no image is begun.
    ``pictures``: how many of those found are drawn in the folder. ``features``: of inputs (n,
    inputs), for the Frechet distance (None: what enters the network's last layer). ``other``: a
    network on which the inputs found are tried too. ``progress``: called with each record.

    A KeyboardInterrupt ends the run; what is finished is returned with ``interrupted`` set.
    Raises :class:`InputError` where something does not fit, or the folder holds another run.
    Source: Khan, Madhukar, Sharma, "Efficient Adversarial Input Generation via Neural Net
    Patching", its evaluation.
    """
    check_seconds("total_timeout", total_timeout)
    began = monotonic()
    run = DatasetRun(
        network,
        ImageSet.of(network, images, box, labels),
        options or PatchAttackOptions(),
        target,
        Rule.of(decision),
        None if folder is None else Path(folder),
    )
    run.open()

    def allowed(begun: int) -> tuple[float | None, float | None] | None:
        if total_timeout is None:
            return run.options.timeout, None
        left = began + total_timeout - monotonic()
        if begun and left <= 0.0:
            return None
        return min(max(left, 1e-3), run.options.timeout or inf), None

    interrupted = run.attack(allowed, progress or _silent)
    seen = features or (lambda inputs: penultimate(network, inputs))
    measures = run.measures(seen, other)
    run.keep(run.content(measures, interrupted=interrupted), pictures)
    return PatchAttackSet(tuple(run.known), measures, run.left, interrupted, tuple(run.notes))


@dataclass(frozen=True, eq=False)
class DatasetRun:
    """What was asked, and in ``done`` what became of the images so far.

    ``folder``: where rows are kept; None: nowhere. ``notes``: what a user should know before the
    run begins. Call :meth:`open` first.
    """

    network: Network
    images: ImageSet
    options: PatchAttackOptions
    target: int | None
    rule: Rule
    folder: Path | None
    done: dict[int, Record] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Take what is done of an earlier run; what does not hold is done again, and said.

        Writes nothing. Raises InputError where the target does not exist, or the folder holds
        another run or other things, or cannot be written.
        """
        if self.target is not None:
            check_class("target", self.target, self.network.outputs)
        self._take_up(self._folder.open())

    def _take_up(self, before: Mapping[int, Record]) -> None:
        verifier = RecordVerifier(self.network, self.options, self.target, self.rule)
        faults = {}
        for number in self.images.numbers:
            if number not in before:
                continue
            start, label = self.images.start(number), self.images.label(number)
            fault = verifier.fault(before[number], start, label)
            if fault:
                faults[number] = fault
            else:
                self.done[number] = before[number]
        for number, fault in list(faults.items())[:SHOWN_FAULTS]:
            self.notes.append(f"{self.folder}: image {number} is done again: {fault}")
        if len(faults) > SHOWN_FAULTS:
            self.notes.append(f"and {len(faults) - SHOWN_FAULTS} more are done again")

    def attack(self, allowed: Allowance, progress: Progress) -> bool:
        """Attack every image that is not done, for as long as ``allowed`` gives time for another;
        returns whether it was interrupted.

        A finished image is on the disk before ``progress`` hears of it.
        """
        try:
            begun = 0
            for number in self.images.numbers:
                if number in self.done:
                    continue
                time = allowed(begun)
                if time is None:
                    break
                finished = self._one(number, *time)
                begun += 1
                self._folder.append(finished)
                self.done[number] = finished
                progress(finished)
        except KeyboardInterrupt:
            return True
        return False

    def measures(self, features: Features, other: Network | None) -> Measures:
        """The measures over what is known; arguments as for
        :func:`marapatch.patch_attacks.report.measure`."""
        return measure(
            self.known,
            self.network,
            self.images.originals,
            features=features,
            other=other,
            rule=self.rule,
        )

    def content(self, measures: Measures, *, interrupted: bool) -> dict[str, Any]:
        """What was asked and what came of it, as an object for JSON (``summary.json``)."""
        return {
            **self.settings,
            "schema_version": SCHEMA_VERSION,
            "interrupted": interrupted,
            "measures": plain(measures),
            "versions": versions(),
        }

    def keep(self, content: Mapping[str, Any], pictures: int) -> None:
        """Write what the folder holds beside its rows; ``pictures``: how many images are drawn."""
        images = self.images
        self._folder.finish(
            self.known, images.originals, self.network, images.shape, content, pictures
        )

    @property
    def known(self) -> list[Record]:
        """The records so far, in the order of the images."""
        return [self.done[number] for number in self.images.numbers if number in self.done]

    @property
    def left(self) -> int:
        """How many images are not done."""
        return len(self.images.numbers) - len(self.done)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to be gone on with."""
        source, samples = self.network.source, self.options.samples
        asked = {f.name: getattr(self.options, f.name) for f in fields(self.options)}
        if samples is not None:
            asked["samples"] = sha256(np.asarray(samples).tobytes()).hexdigest()
        return {
            "marapatch": "patch-attack",
            "network": None if source is None else source.sha256,
            **self.images.digests,
            "target": self.target,
            "decision": self.rule.value,
            **asked,
        }

    @cached_property
    def _folder(self) -> Folder:
        return Folder(self.folder, self.settings)

    def _one(self, number: int, seconds: float | None, started: float | None) -> Record:
        """Attack one image, unless there is nothing to do, in the ``seconds`` since ``started``."""
        start, label = self.images.start(number), self.images.label(number)
        decided = decided_class(self.network, start.x, self.rule)
        if decided == self.target and len(self.images.numbers) == 1:
            raise InputError(f"the image is already decided {decided}; choose another --target")
        if decided == self.target or label not in (None, decided):
            return already(number, decided, label, self.target)
        attack = patch_attack(
            self.network,
            start.x,
            target=self.target,
            decision=self.rule,
            box=(start.lower, start.upper),
            options=replace(self.options, timeout=seconds),
            started=started,
        )
        return record(number, attack, start.x, label)


def _silent(_finished: Record) -> None:
    """Nobody listens."""
