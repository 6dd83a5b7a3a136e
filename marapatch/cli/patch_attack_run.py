"""One run of ``marapatch patch-attack``: attack what is left, keep it, report it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import typer

from marapatch.cli.answer import answer
from marapatch.cli.options import TimeLimit
from marapatch.cli.patch_attack_folder import ROWS_A_PICTURE, Folder, draw
from marapatch.cli.patch_attack_inputs import ImageSet
from marapatch.cli.patch_attack_live import Live
from marapatch.errors import InputError
from marapatch.files.atomic_write import check_distinct, check_writable, write_whole
from marapatch.network.graph import Network
from marapatch.patch_attacks.api import PatchAttackOptions, patch_attack
from marapatch.patch_attacks.judging import RecordVerifier
from marapatch.patch_attacks.records import Record, already, record
from marapatch.patch_attacks.report import (
    Features,
    Measures,
    measure,
    plain,
    remarks,
    summary,
    table,
)
from marapatch.problem.conditions import Rule
from marapatch.problem.replay import decided_class
from marapatch.reporting.json_text import dump
from marapatch.reporting.versions import versions

SHOWN_FAULTS = 5
"""Of an earlier run's records that do not hold, so many are named."""


@dataclass(frozen=True)
class Files:
    """What is written: the ``folder`` of results, a JSON ``report``, and a ``picture``.

    ``pictures``: how many images are drawn in the folder.
    """

    folder: Path | None = None
    report: Path | None = None
    picture: Path | None = None
    pictures: int = 0


@dataclass(frozen=True, eq=False)
class Run:
    """What was asked, and in ``done`` what became of the images so far; ``notes``: what a user
    should know before the run begins."""

    network: Network
    images: ImageSet
    options: PatchAttackOptions
    target: int | None
    rule: Rule
    features: Features
    other: Network | None
    files: Files
    time_limit: TimeLimit
    done: dict[int, Record] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def check(self, read: Sequence[Path]) -> None:
        """Raise InputError where something cannot be written or asked; read what is done."""
        classes = self.network.outputs
        if self.target is not None and not 0 <= self.target < classes:
            raise InputError(
                f"target {self.target} is not one of the network's classes 0..{classes - 1}"
            )
        outputs = [path for path in (self.files.report, self.files.picture) if path is not None]
        if self.files.picture is not None:
            from marapatch.reporting.pictures import (
                check_format,  # matplotlib takes a second to import
            )

            check_format(self.files.picture)
        check_distinct(outputs, read)
        for path in outputs:
            check_writable(path)
        self._take_up(self._folder.open())

    def _take_up(self, before: Mapping[int, Record]) -> None:
        """Take what is done of an earlier run; what does not hold is done again, and said."""
        judge = RecordVerifier(self.network, self.options, self.target, self.rule)
        faults = {}
        for number in self.images.numbers:
            if number not in before:
                continue
            start, label = self.images.start(number), self.images.label(number)
            fault = judge.fault(before[number], start, label)
            if fault:
                faults[number] = fault
            else:
                self.done[number] = before[number]
        for number, fault in list(faults.items())[:SHOWN_FAULTS]:
            self.notes.append(f"{self.files.folder}: image {number} is done again: {fault}")
        if len(faults) > SHOWN_FAULTS:
            self.notes.append(f"and {len(faults) - SHOWN_FAULTS} more are done again")

    def attack(self, *, verbose: bool) -> bool:
        """Attack every image that is not done, for as long as the limit of the whole run allows;
        returns whether it was interrupted.

        A finished image is on the disk before the next one is begun.
        """
        try:
            live = Live(len(self.images.numbers), self._known(), verbose=verbose)
            with live.bar:
                begun = 0
                for number in self.images.numbers:
                    if begun and self.time_limit.over:
                        break
                    if number not in self.done:
                        finished = self._one(number, begun)
                        begun += 1
                        self._folder.append(finished)
                        self.done[number] = finished
                        live(finished)
        except KeyboardInterrupt:
            return True
        return False

    def report(self, *, interrupted: bool) -> Measures:
        """Write the files asked for, then print the answer."""
        records = self._known()
        originals = self.images.originals
        measures = measure(
            records,
            self.network,
            originals,
            features=self.features,
            other=self.other,
            rule=self.rule,
        )
        content = {
            **self.settings,
            "schema_version": 1,
            "interrupted": interrupted,
            "measures": plain(measures),
            "versions": versions(),
        }
        shape = self.images.shape
        self._folder.finish(records, originals, self.network, shape, content, self.files.pictures)
        if self.files.report is not None:
            rows = {**content, "images_done": [r.to_row() for r in records]}
            write_whole(self.files.report, dump(rows))
        found = [r for r in records if r.found]
        if self.files.picture is not None and found:
            draw(found[:ROWS_A_PICTURE], originals, shape, self.files.picture)
        self._print(records, measures, interrupted=interrupted)
        return measures

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
        return Folder(self.files.folder, self.settings)

    def _known(self) -> list[Record]:
        return [self.done[number] for number in self.images.numbers if number in self.done]

    def _one(self, number: int, begun: int) -> Record:
        """Attack one image, unless there is nothing to do; ``begun``: images attacked before."""
        start, label = self.images.start(number), self.images.label(number)
        decided = decided_class(self.network, start.x, self.rule)
        if decided == self.target and len(self.images.numbers) == 1:
            raise InputError(f"the image is already decided {decided}; choose another --target")
        if decided == self.target or label not in (None, decided):
            return already(number, decided, label, self.target)
        seconds, started = self.time_limit.of(begun)
        attack = patch_attack(
            self.network,
            start.x,
            target=self.target,
            rule=self.rule,
            box=(start.lower, start.upper),
            options=replace(self.options, timeout=seconds),
            started=started,
        )
        return record(number, attack, start.x, label)

    def _print(self, records: list[Record], measures: Measures, *, interrupted: bool) -> None:
        with answer(width=160) as console:
            if interrupted:
                console.print("interrupted; what is known so far:")
            for line in summary(records, measures):
                console.print(line)
            if measures.found:
                console.print(table(measures))
            for line in remarks(records, measures):
                console.print(line)
            if self.files.folder is not None and records:
                names = "rows.jsonl, results.csv, adversarial.npz, summary.json"
                console.print(f"{self.files.folder}: {names}")
        if self.files.picture is not None and not measures.found:
            typer.echo(
                f"marapatch: nothing was found, so {self.files.picture} was not written", err=True
            )
