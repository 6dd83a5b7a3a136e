"""The exact oracle of the wide-range networks, and the judge that uses it, can be trusted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import inf, nextafter
from pathlib import Path

import exact_optimum
import numpy as np
import onnxruntime
import pytest
from rational_cells import Cell, value
from rational_onnx import OPERATORS, RationalNetwork, exact
from rational_optimum import ExactQuestion
from wide_drawing import Drawing
from wide_judge import faults, judged
from wide_networks import KINDS, WideCase, wide_case

from marapatch.groundtruth.api import ground_truth
from marapatch.groundtruth.options import GroundTruthOptions
from marapatch.groundtruth.result import GroundTruth
from marapatch.network.load import load
from marapatch.problem.ball import Ball
from marapatch.problem.conditions import Rule, beats
from marapatch.problem.norm import Norm

HALF = Fraction(1, 2)


def square(n: int) -> Cell:
    return Cell.box([Fraction(0)] * n, [Fraction(1)] * n)


def ones(n: int, constant: Fraction) -> tuple[Fraction, ...]:
    return (*[Fraction(1)] * n, constant)


@pytest.mark.parametrize(
    ("n", "corners"), [(1, 2), (2, 5), (3, 10)], ids=["segment", "square", "cube"]
)
def test_a_box_without_its_last_corner(n: int, corners: int) -> None:
    """Of a box cut near its corner of ones that corner goes, and n come in its place."""
    cut = square(n).above(tuple(-c for c in ones(n, HALF - n)))
    assert cut is not None
    assert len(cut.vertices) == corners
    assert max(sum(point) for point, _ in cut.vertices) == n - HALF


def test_cutting_twice_through_the_same_edge() -> None:
    """A cube cut to a slab and then by a diagonal: the vertices, counted by hand."""
    slab = square(3).above((Fraction(1), Fraction(0), Fraction(0), -HALF))
    assert slab is not None
    assert len(slab.vertices) == 8
    wedge = slab.above((Fraction(1), Fraction(-1), Fraction(0), Fraction(0)))
    assert wedge is not None
    top = {point[:2] for point, _ in wedge.vertices}
    assert top == {(HALF, 0), (HALF, HALF), (1, 0), (1, 1)}
    assert len(wedge.vertices) == 8


def test_a_face_is_kept_and_nothing_beyond_it() -> None:
    face = square(2).above((Fraction(1), Fraction(0), Fraction(-1)))
    assert face is not None
    assert {point for point, _ in face.vertices} == {(1, 0), (1, 1)}
    assert square(2).above((Fraction(1), Fraction(0), Fraction(-2))) is None
    assert len(square(2).halves((Fraction(1), Fraction(0), Fraction(0)))) == 1


def chain_that_underflows() -> bytes:
    """x 1e30 five times, then x 1e-30 eleven times: the products of weights leave float64."""
    d = Drawing(1, single=False)
    x = "x"
    for factor in [1e30] * 5 + [1e-30] * 10:
        x = d.entrywise("Relu", d.affine(x, [[factor]], [0.0]))
    return d.model(d.affine(x, [[0.0], [1e-30]], [1e-181, 0.0]))


def test_products_that_no_float_holds() -> None:
    network = RationalNetwork.read(chain_that_underflows())
    question = ExactQuestion(network, (Fraction(0),), (Fraction(0),), (Fraction(1),), "linf")
    right = exact(1e-181) / exact(1e30) ** 5 / exact(1e-30) ** 11
    assert question.optima([1]) == {1: right}
    assert question.decided((right,)) == 0  # a tie: the first class has it
    assert question.decided((right + Fraction(1, 10**400),)) == 1


@pytest.mark.parametrize(("norm", "right"), [("linf", Fraction(1, 4)), ("l1", Fraction(1, 2))])
def test_two_equal_classes(norm: str, right: Fraction) -> None:
    d = Drawing(2, single=True)
    content = d.model(d.affine("x", [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]))
    image = (Fraction(1, 4), Fraction(3, 4))
    network = RationalNetwork.read(content)
    question = ExactQuestion(network, image, (Fraction(0),) * 2, (Fraction(1),) * 2, norm)
    assert question.decided(image) == 0
    assert question.optima([1, 2]) == {1: right, 2: right}


def test_nowhere() -> None:
    d = Drawing(1, single=False)
    network = RationalNetwork.read(d.model(d.affine("x", [[0.0], [1.0]], [2.0, 0.0])))
    question = ExactQuestion(network, (Fraction(0),), (Fraction(0),), (Fraction(1),), "l1")
    assert question.optima([1]) == {1: None}
    assert replace(question, margin=Fraction(-3)).optima([1]) == {1: Fraction(0)}


def every_operator() -> tuple[bytes, int]:
    """Each operator that is drawn, with moderate numbers, and how many outputs that gives."""
    rng = np.random.default_rng(5)
    d = Drawing(3, single=True)

    def affine(x: str, outputs: int) -> str:
        return d.affine(x, rng.normal(size=(outputs, d.widths[x])), rng.normal(size=outputs))

    first = d.affine_in_steps("x", rng.normal(size=(4, 3)), rng.normal(size=4))
    second = d.entrywise("Relu", affine("x", 4))
    pairs = [d.joined(name, first, second) for name in ("Add", "Sub", "Sum", "Max", "Min")]
    single = [d.entrywise(name, first) for name in ("Abs", "Neg")]
    leaky = [d.entrywise("LeakyRelu", first, alpha=slope) for slope in (-0.5, 0.0, 1.5)]
    fixed = [
        d.with_constant(name, first, rng.normal(size=4))
        for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")
    ]
    given = [first, *map(d.constant, (rng.normal(size=4), rng.normal(size=4), rng.normal(size=4)))]
    batch = d.node("BatchNormalization", [*given, d.constant([0.25] * 4)], 4, epsilon=0.0)
    weights = [first, d.constant(rng.normal(size=(4, 2))), d.constant(rng.normal(size=2))]
    gemm = d.node("Gemm", weights, 2, alpha=0.3, beta=-2.0)
    other = [d.clip(first, -0.3, 0.6), d.max_pool(first, 2, 1), d.max_pool(first, 2, 2), gemm]
    last = d.concat(*pairs, *single, *leaky, *fixed, batch, *other)
    return d.model(last), d.widths[last]


def test_it_is_onnxruntimes_function() -> None:
    content, outputs = every_operator()
    network = RationalNetwork.read(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert {node.op_type for node in network.nodes} == set(OPERATORS)
    for x in np.random.default_rng(6).normal(size=(50, 1, 3)).astype(np.float32):
        found = session.run(None, {"x": x})[0].reshape(-1)
        right = network.evaluate([exact(v) for v in x.reshape(-1)])
        assert len(right) == outputs
        assert found == pytest.approx(np.array([float(y) for y in right]), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_pieces_cover_the_box_and_agree_with_points(seed: int) -> None:
    """The affine outputs of a piece, at its vertices and between them, are those of the points."""
    network = RationalNetwork.read(every_operator()[0])
    corner = [exact(v) for v in np.random.default_rng(seed).normal(size=3)]
    cell = Cell.box(corner, [c + 1 if k < 2 else c for k, c in enumerate(corner)])
    volume = Fraction(0)
    for part, outputs in network.pieces(cell):
        points = [point for point, _ in part.vertices]
        middle = tuple(
            sum(column, Fraction(0)) / len(points) for column in zip(*points, strict=True)
        )
        for point in (*points[:2], middle):
            assert [value(form, point) for form in outputs] == network.evaluate(point)
        volume += area([point[:2] for point in points])
    assert volume == 1


def area(points: list[tuple[Fraction, ...]]) -> Fraction:
    """Of the convex hull of points in convex position in the plane."""
    x, y = (sum(column, Fraction(0)) / len(points) for column in zip(*points, strict=True))
    around = sorted(points, key=lambda p: np.arctan2(float(p[1] - y), float(p[0] - x)))
    turned = zip(around, [*around[1:], around[0]], strict=True)
    return sum((a[0] * b[1] - a[1] * b[0] for a, b in turned), Fraction(0)) / 2


@pytest.mark.parametrize("seed", [1, 2, 5, 7, 8, 12])
def test_both_oracles_agree(seed: int, tmp_path: Path) -> None:
    """Enumeration over the program's own standard form finds the same optimum."""
    case = wide_case(seed, ("moderate",))
    network = load(written(case, tmp_path))
    place = case.place
    norm = Norm(case.exact.norm)
    ball = Ball(place.centre, place.lower, place.upper, norm, inf)
    rule = Rule.ARGMIN if case.exact.least else Rule.ARGMAX
    for target, right in case.optima.items():
        condition = beats(target, network.outputs, rule, float(case.exact.margin))
        found = exact_optimum.nearest(
            network.standard_form, ball.with_radius(ball.covering_radius), condition
        )
        assert (found is None) is (right is None)
        if found is not None and right is not None:
            assert float(found.distance) == pytest.approx(float(right), rel=1e-6)


def written(case: WideCase, folder: Path) -> Path:
    file = folder / "net.onnx"
    file.write_bytes(case.content)
    return file


def test_every_kind_is_drawn_and_mostly_has_an_answer() -> None:
    cases = [wide_case(seed, (kind,)) for kind in KINDS for seed in range(3)]
    assert sum(case.nearest is not None and case.nearest > 0 for case in cases) > 30
    assert len({case.place.name for case in cases}) > 6
    assert {case.exact.norm for case in cases} == {"linf", "l1"}
    assert {case.exact.network.single for case in cases} == {True, False}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[WideCase, GroundTruth]:
    """A question of the kind without surprises, and the program's answer."""
    case = plain_case(7)
    file = written(case, tmp_path_factory.mktemp("judge"))
    options = GroundTruthOptions(tolerance=case.tolerance)
    found = ground_truth(
        load(file),
        case.place.centre,
        norm=case.exact.norm,
        box=(case.place.lower, case.place.upper),
        options=options,
    )
    assert found.closed
    return case, found


def plain_case(seed: int) -> WideCase:
    """One target, no margin, the largest output decides, the label left to the program."""
    case = wide_case(seed, ("moderate",))
    question = replace(case.exact, margin=Fraction(0), least=False)
    decided = question.decided(question.centre)
    targets = [k for k in range(len(question.scores(question.centre))) if k != decided]
    return replace(
        case,
        exact=question,
        decided=decided,
        label=None,
        target=None,
        optima=question.optima(targets),
    )


def test_the_judge_believes_what_is_right(answered: tuple[WideCase, GroundTruth]) -> None:
    case, found = answered
    assert faults(case, found) == []


def test_the_judge_sees_every_lie(answered: tuple[WideCase, GroundTruth]) -> None:
    case, found = answered
    nearest = case.nearest
    assert nearest is not None
    (first, *rest) = sorted(found.targets, key=lambda t: t.upper)
    witness = first.witness
    assert witness is not None

    def with_(**changes: object) -> GroundTruth:
        return replace(
            found, targets=(replace(first, bracket=replace(first.bracket, **changes)), *rest)
        )

    beyond = nextafter(float(nearest), inf)
    lies = {
        "lower": with_(lower=beyond, witness=None),
        "for ever": with_(lower=inf, witness=None),
        "type": with_(lower=0.0, witness=replace(witness, input=witness.input.astype(np.float16))),
        "nearer": with_(lower=0.0, witness=replace(witness, distance=witness.distance * 0.999)),
        "farther": with_(lower=0.0, witness=replace(witness, distance=witness.distance * 1.001)),
        "the image": with_(lower=0.0, witness=replace(witness, input=found.image, distance=0.0)),
        "outside": with_(
            lower=0.0, witness=replace(witness, input=witness.input + 2.0, distance=2.0)
        ),
        "label": replace(found, label=first.target),
        "decided": replace(found, decided=first.target),
        "already": replace(found, own=replace(witness, input=found.image, distance=0.0)),
        "already, elsewhere": replace(found, own=witness, decided=case.decided),
    }
    assert [name for name, lie in lies.items() if not faults(case, lie)] == []


def test_a_question_is_asked_and_judged() -> None:
    judgement = judged(plain_case(1), "tree", None)
    assert (judgement.outcome, judgement.wrong) == ("closed", ())
    assert 0.0 < judgement.lower <= judgement.upper < inf
