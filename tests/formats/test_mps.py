"""Queries as mixed-integer programs in files."""

from __future__ import annotations

from pathlib import Path

import highspy
import pytest
from written_queries import QUERIES, feasible

from marapatch.errors import InputError
from marapatch.formats import write_milp


@pytest.mark.parametrize("suffix", [".mps", ".lp"])
@pytest.mark.parametrize("number", range(0, len(QUERIES), 2))
def test_programs_read_back_give_the_same_verdict(number: int, suffix: str, tmp_path: Path) -> None:
    query, path = QUERIES[number], tmp_path / f"query{suffix}"
    try:
        binaries = write_milp(query, path)
    except InputError as error:
        assert "infeasible" in str(error)  # noqa: PT017  # either way is right
        assert not feasible(query)
        return
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(path)) != highspy.HighsStatus.kError
    lp = solver.getLp()
    assert sum(kind == highspy.HighsVarType.kInteger for kind in lp.integrality_) == binaries
    assert lp.col_names_[0].startswith("v0_x")
    solver.run()
    status = solver.getModelStatus()
    wanted = (
        highspy.HighsModelStatus.kOptimal
        if feasible(query)
        else highspy.HighsModelStatus.kInfeasible
    )
    assert status == wanted


def test_programs_refuse_other_suffixes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mps or \.lp"):
        write_milp(QUERIES[0], tmp_path / "query.txt")
