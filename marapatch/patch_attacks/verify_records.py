"""Records of an earlier run verified again: a file that a run goes on from may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from marapatch.formats.inputs import Start
from marapatch.network.graph import Network
from marapatch.patch_attacks.api import PatchAttackOptions, replay_of
from marapatch.patch_attacks.measures import distances
from marapatch.patch_attacks.records import ALREADY, Record
from marapatch.problem.conditions import Rule
from marapatch.problem.replay import decided_class

NEAR = 1e-9
"""Relative difference of two distances that counts as none: sums may be taken in another order."""


@dataclass(frozen=True, eq=False)
class RecordVerifier:
    """What was asked of every image: ``network``, ``options``, the class wanted (``target``, None:
    any other) and the ``rule`` of the decision."""

    network: Network
    options: PatchAttackOptions
    target: int | None
    rule: Rule

    def fault(self, record: Record, start: Start, label: int | None) -> str:
        """What of ``record`` is not so for the image at ``start`` with its ``label``; empty where
        all of it is. That nothing was found is taken as said: it claims nothing."""
        decided = decided_class(self._network, start.x, self.rule)
        if (record.decision, record.label, record.wanted) != (decided, label, self.target):
            return f"the image is decided {decided}, not {record.decision}, or was asked otherwise"
        done = decided == self.target or label not in (None, decided)
        if done != (record.status == ALREADY):
            return "it says wrongly whether there was anything to do"
        return self._fault_of_input(record, start) if record.found else ""

    def _fault_of_input(self, record: Record, start: Start) -> str:
        """What is wrong with the adversarial input and what is said of it."""
        entries = np.array(record.entries, dtype=np.int64)
        if entries.size and (entries.max() >= start.x.size or (np.diff(entries) <= 0).any()):
            return "its entries are not entries of the image, each once and in order"
        assert record.target is not None  # of a record that was found
        asked = self.target in (None, record.target) and record.target != record.decision
        if not asked or record.target >= self.network.outputs:
            return f"class {record.target} was not asked for"
        x = record.adversarial(start.x)
        replay = replay_of(
            self._network, start.x, record.target, decision=self.rule,
            box=(start.lower, start.upper), options=self.options,
        )  # fmt: skip
        witness = replay(x)
        if witness is None or not np.array_equal(witness.input.reshape(-1), x):
            return f"its input is not decided {record.target} within what was asked"
        far = distances(start.x[None], x[None])
        measured: Mapping[str, float] = {
            name: float(getattr(far, name)[0]) for name in ("l0", "l1", "l2", "linf")
        }
        for name, size in measured.items():
            if abs(getattr(record, name) - size) > NEAR * size:
                return f"its {name} is {size}, not {getattr(record, name)}"
        return ""

    @cached_property
    def _network(self) -> Network:
        """Without the file: what onnxruntime says of a witness is reported at the end of a run."""
        return replace(self.network, source=None)
