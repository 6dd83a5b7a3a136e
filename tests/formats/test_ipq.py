"""Queries in Marabou's own format."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from written_queries import QUERIES, TIMEOUT

from marapatch.errors import InputError
from marapatch.formats import load_and_solve, save_ipq
from marapatch.query.reduction import reduce
from marapatch.solvers import Infeasible, MarabouBackend


@pytest.mark.parametrize("number", range(0, len(QUERIES), 2))
def test_ipq_read_back_gives_the_same_verdict(
    number: int, tmp_path: Path, marabou: MarabouBackend
) -> None:
    query, path = QUERIES[number], tmp_path / "query.ipq"
    if isinstance(marabou.solve(query, TIMEOUT), Infeasible) and reduce(query) is None:
        with pytest.raises(InputError, match="decided without a solver"):
            save_ipq(query, path, marabou)
        return
    table = save_ipq(query, path, marabou)
    direct, again = marabou.solve(query, TIMEOUT), load_and_solve(query, path, marabou, TIMEOUT)
    assert type(direct) is type(again)
    rows = list(csv.DictReader(table.splitlines()))
    assert [r["name"] for r in rows] == list(query.names)
    assert [float(r["lower"]) for r in rows] == query.lower.tolist()
    numbers = [int(r["marabou"]) for r in rows]
    assert len(set(numbers)) == len(numbers)
    size = int(path.read_text().splitlines()[0])
    assert all(0 <= number < size for number in numbers)
