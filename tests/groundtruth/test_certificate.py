"""The certificate of a ground truth: its trees, completed where there is time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from certified import IMAGE, RUN, SMALL, label_of, solved

from marapatch.certificates.check import recheck
from marapatch.certificates.file import Certificate, TargetClaim
from marapatch.cli import main
from marapatch.cli.tree_output import write_trees
from marapatch.errors import InputError
from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.certificate import as_certified, certificate_of
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.network.graph import Network
from marapatch.network.layers import Affine
from marapatch.problem.verdict import Evidence


def test_nothing_recorded_is_no_certificate() -> None:
    options = GroundTruthOptions(nodes=100)
    with pytest.raises(InputError, match="set record=True"):
        certificate_of(ground_truth(SMALL, IMAGE, options=options))
    wrong = int(SMALL.evaluate(IMAGE)[0].argmin())
    with pytest.raises(InputError, match="no target was searched"):
        certificate_of(solved(label=wrong))


def test_an_image_decided_otherwise_has_no_tree(
    certified_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = 0 if label_of() else 1
    assert main([*RUN, "--tree", "t.npz", "--label", str(label)]) == 0
    assert "nothing was searched, so t.npz was not written" in capsys.readouterr().err
    assert not (certified_files / "t.npz").exists()


def cancelling() -> Network:
    """y1 - y0 = x - 0.5, by way of 3e11 that is taken away again; the two affine maps are fused."""
    first = Affine(np.array([[1.0], [0.0]]), np.array([0.0, 1e12]))
    second = Affine(np.array([[0.0, 0.0], [1.0, 0.3]]), np.array([0.0, -0.3 * 1e12 - 0.5]))
    graph = nx.DiGraph()
    graph.add_node("input")
    for name, layer, taken in (("first", first, "input"), ("second", second, "first")):
        graph.add_node(name, layer=layer, inputs=(taken,))
        graph.add_edge(taken, name)
    return Network(graph, "input", "second", (1,), (2,), np.dtype(np.float64))


def raised(written: Certificate, lower: float) -> TargetClaim:
    return replace(written.claims[0], lower=lower)


def test_no_more_is_claimed_than_a_tree_proves_where_rounding_is_all_that_is_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checker's error of the fused bias is three times the search's: neither multipliers nor
    splits reach what the search proved."""
    network = cancelling()
    result = solved(network, np.zeros(1))
    answered = write_trees(result, tmp_path / "t.npz")
    assert capsys.readouterr().err == ""
    written = Certificate.load(tmp_path / "t.npz")
    assert written.claims[0].lower == answered.lower == answered.targets[0].lower
    assert 0.998 * result.lower < answered.lower < result.lower * (1.0 - 1e-4)
    assert answered.upper == result.upper
    assert answered.targets[0].note.startswith("its tree, checked again, proves less than 0.4997")
    checked = recheck(written, network)
    assert checked.verified
    assert checked.lower >= answered.lower * (1.0 - 1e-7)
    assert not recheck(replace(written, claims=(raised(written, result.lower),)), network).verified


def test_a_lower_end_read_from_a_file_stays_where_the_trees_prove_less() -> None:
    result = solved()
    low = result.targets[0]
    given = replace(low, bracket=replace(low.bracket, evidence=Evidence.FILE))
    certificate = certificate_of(result)
    less = replace(certificate, claims=(replace(certificate.claims[0], lower=0.5 * low.lower),))
    for target, lower in ((low, 0.5 * low.lower), (given, low.lower)):
        known = replace(result, targets=(target,))
        only = replace(less, claims=tuple(c for c in less.claims if c.target == target.target))
        assert as_certified(known, only).lower == lower
