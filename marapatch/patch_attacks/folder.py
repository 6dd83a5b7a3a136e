"""The folder of a run over a data set: what was asked, a row an image, and what follows.

- ``run.json``: network, images and options; a run is gone on with only where these are the same.
- ``rows.jsonl``: one line an image, written through to the disk when it is finished.
- ``results.csv``, ``adversarial.npz``, ``summary.json`` and ``grid-N.png``: made of the rows, each
  whole, when a run ends, is interrupted, or finds nothing left to do.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marapatch.errors import InputError
from marapatch.files.atomic_write import check_writable, write_whole
from marapatch.files.json_lines import Store
from marapatch.files.reading import read_text, shown
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.patch_attacks.records import Record, to_csv
from marapatch.reporting.json_text import dump
from marapatch.reporting.rounded import rounded_up

ROWS_A_PICTURE = 10


@dataclass(eq=False)
class Folder:
    """The output folder at ``path``, for a run with ``settings``; None: nothing is written."""

    path: Path | None
    settings: Mapping[str, Any]
    _begun: bool = field(default=False, init=False)

    def open(self) -> dict[int, Record]:
        """The records of an earlier run with the same settings; writes nothing.

        Raises InputError where the folder holds another run or other things, or cannot be written.
        """
        if self.path is None:
            return {}
        if not self.path.exists():
            check_writable(self.path)
            return {}
        if not self.path.is_dir():
            raise InputError(f"{self.path}: is no folder; name a new one for the results")
        check_writable(self._rows.path)
        if not self._asked.exists():
            if any(self.path.iterdir()):
                raise InputError(f"{self.path}: holds other things and no run; name a new folder")
            return {}
        self._compare()
        self._begun = True
        try:
            return {record.image: record for record in map(Record.from_row, self._rows.rows())}
        except InputError as error:
            raise InputError(f"{self._rows.path}: {error}") from error

    def append(self, record: Record) -> None:
        """Keep a finished record, on the disk before this returns."""
        if self.path is None:
            return
        if not self._begun:
            self.path.mkdir(exist_ok=True)
            write_whole(self._asked, dump(self.settings))
            self._begun = True
        self._rows.append(record.to_row())

    def finish(
        self,
        records: Sequence[Record],
        originals: Mapping[int, Array],
        network: Network,
        shape: Sequence[int],
        summary: Mapping[str, Any],
        pictures: int,
    ) -> None:
        """Write what is made of the rows; ``pictures``: how many images are drawn at most."""
        if self.path is None or not self._begun:
            return
        write_whole(self.path / "results.csv", to_csv(records))
        write_whole(self.path / "adversarial.npz", arrays(records, originals, network))
        write_whole(self.path / "summary.json", dump(summary))
        found = [r for r in records if r.found][:pictures]
        for number in range(0, len(found), ROWS_A_PICTURE):
            page = self.path / f"grid-{number // ROWS_A_PICTURE + 1}.png"
            draw(found[number : number + ROWS_A_PICTURE], originals, shape, page)

    @property
    def _asked(self) -> Path:
        assert self.path is not None
        return self.path / "run.json"

    @property
    def _rows(self) -> Store:
        assert self.path is not None
        return Store(self.path / "rows.jsonl")

    def _compare(self) -> None:
        """Raise InputError, naming what differs, where the folder's run asked something else."""
        try:
            before = json.loads(read_text(self._asked, "a record of what was asked"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self._asked}: cannot be read; name a new folder") from error
        now = json.loads(dump(self.settings))
        names = [*now, *(before if isinstance(before, dict) else ())]
        for name in names:
            if not isinstance(before, dict) or before.get(name) != now.get(name):
                raise InputError(
                    f"{self.path}: holds a run in which {name} was {_short(before, name)}, not "
                    f"{_short(now, name)}; name a new folder"
                )


def _short(content: Any, name: str) -> str:
    return shown(json.dumps(content.get(name) if isinstance(content, dict) else content), 40)


def arrays(records: Sequence[Record], originals: Mapping[int, Array], network: Network) -> bytes:
    """The adversarial inputs as an .npz, in the network's input type and shape.

    ``images`` (n, *shape), ``originals`` alike, ``numbers`` (the images' numbers in their file),
    ``labels`` (what the network decides on the originals) and ``decisions`` (on the adversarial
    inputs). The numbers are exact: where the network's type could not hold one, all are float64.
    """
    found = [r for r in records if r.found]
    after = _stacked([r.adversarial(originals[r.image]) for r in found], network)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        images=after,
        originals=_stacked([originals[r.image] for r in found], network),
        numbers=np.array([r.image for r in found], dtype=np.int64),
        labels=np.array([r.decision for r in found], dtype=np.int64),
        decisions=np.array([r.target for r in found], dtype=np.int64),
    )
    return content.getvalue()


def _stacked(vectors: Sequence[Array], network: Network) -> NDArray[np.floating]:
    exact = np.array(vectors, dtype=np.float64).reshape(-1, *network.input_shape)
    typed = exact.astype(network.input_dtype)
    return typed if (typed == exact).all() else exact


def draw(
    found: Sequence[Record], originals: Mapping[int, Array], shape: Sequence[int], path: Path
) -> None:
    """Write a grid of pictures: original, adversarial input and difference, a row an image."""
    from marapatch.reporting.pictures import (  # noqa: PLC0415  # matplotlib takes a second to import
        plot_grid,
    )

    plot_grid([_panels(r, originals[r.image]) for r in found], path, shape)


def _panels(r: Record, original: Array) -> tuple[Array, Array, tuple[str, str, str]]:
    size = f"{r.l0} values, L-inf {rounded_up(r.linf or 0.0)}"
    titles = (f"{r.image}: decided {r.decision}", f"decided {r.target}", size)
    return original, r.adversarial(original), titles
