"""The question put to an attack, the answer, and what verifies it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.network.affine_relu.standard_form import AffineMap, StandardForm
from marapatch.network.layers import Array, freeze
from marapatch.problem.ball import Ball
from marapatch.problem.norm import DisplacementBounds, Norm
from marapatch.witnesses.attacks.objective import Objective

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Problem:
    """Find, for each of n inputs, the nearest vector in a box that meets an objective.

    ``centres``: (n, inputs) float64, the given inputs. ``lower``, ``upper``: (n, inputs) or
    broadcast to it; an entry with ``lower == upper`` must not change. ``objective``: n classes.
    ``dtype``: the type in which the network takes its input; only vectors of it are answers.
    ``margin >= 0``: the lead that an answer must exceed. ``radius``: answers farther away than
    this do not count, (n,) or a scalar.

    Raises :class:`InputError` where shapes do not fit, a centre lies outside its box, a class
    does not exist, or the box of an entry holds no number of ``dtype``.
    """

    form: StandardForm
    centres: Array
    lower: Array
    upper: Array
    objective: Objective
    distance: Norm = Norm.LINF
    dtype: np.dtype[np.floating] = field(default_factory=lambda: np.dtype(np.float32))
    margin: float = 0.0
    radius: Array = field(default_factory=lambda: np.array(inf))

    def __post_init__(self) -> None:
        centres = freeze(np.atleast_2d(self.centres), "centres")
        object.__setattr__(self, "centres", centres)
        for name, shape in (("lower", centres.shape), ("upper", centres.shape), ("radius", None)):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, np.broadcast_to(array, shape or centres.shape[:1]))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        self._check()

    def _check(self) -> None:
        n, outputs = len(self.objective), self.form.outputs
        if self.centres.shape != (n, self.form.inputs):
            raise InputError(
                f"attack: {self.centres.shape} inputs do not fit {n} classes and a network of "
                f"{self.form.inputs} inputs"
            )
        if outputs < 2:
            raise InputError(
                f"attack: a decision needs 2 outputs or more, the network has {outputs}"
            )
        wrong = (self.objective.classes < 0) | (self.objective.classes >= outputs)
        if wrong.any():
            raise InputError(
                f"attack: class {self.objective.classes[wrong][0]} does not exist; the network has "
                f"{outputs} outputs"
            )
        # NaN in a box compares false, so that it is refused as well.
        if not ((self.lower <= self.centres) & (self.centres <= self.upper)).all():
            raise InputError("attack: an input lies outside its box; clip it or widen the box")
        if not (self.radius >= 0.0).all() or not 0.0 <= self.margin < inf:
            raise InputError("attack: radius and margin must be at least 0")
        low, high = self.admissible
        if not (low <= high).all():
            i = int(np.argmax(np.any(low > high, axis=0)))
            raise InputError(
                f"attack: the box of input entry {i} holds no {self.dtype} number; round the input "
                f"to {self.dtype} first"
            )

    @staticmethod
    def of_ball(
        form: StandardForm,
        ball: Ball,
        objective: Objective,
        dtype: np.dtype[np.floating],
        margin: float = 0.0,
    ) -> Problem:
        """One input and its ball, attacked once for every class of ``objective``."""
        centres = np.broadcast_to(ball.centre, (len(objective), ball.centre.size))
        distance, radius = ball.norm, np.array(ball.radius)
        return Problem(
            form, centres, ball.lower, ball.upper, objective, distance, dtype, margin, radius
        )

    def __len__(self) -> int:
        return int(self.centres.shape[0])

    @cached_property
    def admissible(self) -> tuple[Array, Array]:
        """The box of the numbers of ``dtype``: smallest and largest allowed one, by entry.

        For L-inf the radius is part of this box, so that rounding never leaves the ball.
        """
        lower, upper = self.lower, self.upper
        if self.distance is Norm.LINF:
            far = self.radius[:, None]
            # Inward by one step: the distance measured must not exceed the radius.
            lower = np.maximum(
                lower, np.minimum(np.nextafter(self.centres - far, inf), self.centres)
            )
            upper = np.minimum(
                upper, np.maximum(np.nextafter(self.centres + far, -inf), self.centres)
            )
        return _rounded(lower, self.dtype, up=True), _rounded(upper, self.dtype, up=False)

    @cached_property
    def displacement_bounds(self) -> DisplacementBounds:
        """How far each entry can go down and up inside :attr:`admissible`, (n, inputs) each."""
        low, high = self.admissible
        # A centre that is no number of the type may lie outside the rounded box, by less than a
        # step: a negative room would turn clipping around.
        return np.maximum(self.centres - low, 0.0), np.maximum(high - self.centres, 0.0)

    @cached_property
    def farthest(self) -> Array:
        """By input, the largest radius worth trying: the box's farthest corner or ``radius``.

        For L1 and L2 a little less than ``radius``, by what rounding to ``dtype`` can add.
        """
        corner = self.distance.farthest(self.displacement_bounds)
        limited = np.isfinite(self.radius)
        if self.distance is Norm.LINF or not limited.any():
            return np.minimum(corner, self.radius)
        radius = np.where(limited, self.radius, 0.0)
        # The spacing of a type grows with the number, so rounding moves an entry of the ball by no
        # more than that at its largest.
        farthest = (np.abs(self.centres) + radius[:, None]).astype(self.dtype)
        movable = np.maximum(*self.displacement_bounds) > 0.0
        rounding = self.distance.measure(np.where(movable, np.spacing(farthest), 0.0))
        # 1e-9 because `measure` rounds up; half at least, where the type is coarse for the radius:
        # what is then rounded out of the ball does not count, as every success is measured again.
        inner = np.maximum((1.0 - 1e-9) * radius - rounding, 0.5 * radius)
        return np.minimum(corner, np.where(limited, inner, inf))

    @cached_property
    def scores(self) -> StandardForm:
        """The network without a ReLU after its outputs: the same decisions, but never flat.

        Where the output is ReLU(z), attacks follow the gradient of z: classes that tie at 0 have
        no gradient otherwise. Only slopes come from here; successes are judged on ``form``.
        """
        output = self.form.output
        if not self.form.hidden or output.sources != (len(self.form.hidden),):
            return self.form
        is_relu = not output.bias.any() and _is_identity(output)
        if not is_relu:
            return self.form
        return StandardForm(self.form.inputs, self.form.hidden[:-1], self.form.hidden[-1])

    def take(self, rows: Rows, objective: Objective | None = None) -> Problem:
        """The problem whose inputs are ``rows`` of this one, in that order; repeats are allowed.

        ``objective``: another one for those rows.
        """
        return replace(
            self,
            centres=self.centres[rows],
            lower=self.lower[rows],
            upper=self.upper[rows],
            objective=self.objective.take(rows) if objective is None else objective,
            radius=self.radius[rows],
        )

    def snap(self, vectors: Array) -> Array:
        """The nearest admissible vectors: clipped to the box and rounded to ``dtype``."""
        low, high = self.admissible
        # Both limits are numbers of dtype, so that rounding what lies between stays between.
        clipped = np.clip(vectors, low, high)
        if self.dtype == np.float64:
            return clipped
        return clipped.astype(self.dtype).astype(np.float64)

    def distances(self, vectors: Array) -> Array:
        """The distance of each row of ``vectors`` from its input."""
        return self.distance.measure(vectors - self.centres)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """The nearest success found for each input; made by :func:`verify_claims` and nowhere else.

    ``inputs``: (n, inputs) of the network's type, NaN where nothing was found. ``distances``:
    (n,) float64, measured on those very vectors, infinite where nothing was found. ``margins``:
    (n,), > 0 where found, else NaN. ``gradients``, ``evaluations``: forward-and-backward and
    forward-only passes spent, by input.
    """

    inputs: NDArray[np.floating]
    distances: Array
    margins: Array
    gradients: float = 0.0
    evaluations: float = 0.0

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether something was found, by input."""
        return np.isfinite(self.distances)

    def __len__(self) -> int:
        return int(self.distances.size)

    def take(self, rows: Rows) -> AttackResult:
        """The results of ``rows``, in that order, without their costs."""
        return AttackResult(self.inputs[rows], self.distances[rows], self.margins[rows])

    def merge(self, other: AttackResult) -> AttackResult:
        """The nearer of two results for each input (this one on ties); the costs add up."""
        # Without a success a distance is infinite, and infinity is not below infinity.
        nearer = other.distances < self.distances
        return AttackResult(
            np.where(nearer[:, None], other.inputs, self.inputs),
            np.where(nearer, other.distances, self.distances),
            np.where(nearer, other.margins, self.margins),
            self.gradients + other.gradients,
            self.evaluations + other.evaluations,
        )


def verify_claims(
    problem: Problem,
    vectors: ArrayLike,
    rows: Rows,
    *,
    gradients: float = 0.0,
    evaluations: float = 0.0,
) -> AttackResult:
    """Pick for each input the nearest of the claimed ``vectors`` that is a success.

    ``vectors``: (claims, inputs), claim i being about input ``rows[i]``. Each is clipped to the
    box, rounded to the network's type, evaluated again on the network in float64, and measured
    as it then is; nothing is believed of what the attack says. A success has a margin above
    ``problem.margin``, strictly, and a distance of at most ``problem.radius``.
    Trusts float64 evaluation; :func:`marapatch.problem.replay.replay` bounds its error.
    """
    claims = np.asarray(vectors, dtype=np.float64).reshape(-1, problem.form.inputs)
    # Clipping and rounding leave NaN as it is.
    usable = np.isfinite(claims).all(axis=-1)
    claims, rows = claims[usable], rows[usable]
    inputs = np.full(problem.centres.shape, np.nan, dtype=problem.dtype)
    best, margins = np.full(len(problem), inf), np.full(len(problem), np.nan)
    if claims.shape[0]:
        asked = problem.take(rows)
        points = asked.snap(claims)
        found = asked.objective.margins(problem.form.evaluate(points))
        distances = asked.distances(points)
        # Of the snapped vector: what rounding took away from the lead, or added to the distance,
        # counts.
        good = (found > problem.margin) & (distances <= asked.radius)
        # Farthest first: the nearest is written last and stays.
        order = np.flatnonzero(good)
        order = order[np.argsort(-distances[order], kind="stable")]
        best[rows[order]] = distances[order]
        margins[rows[order]] = found[order]
        inputs[rows[order]] = points[order].astype(problem.dtype)
    for array in (inputs, best, margins):
        array.flags.writeable = False
    return AttackResult(inputs, best, margins, gradients, evaluations)


def _rounded(limit: Array, dtype: np.dtype[np.floating], *, up: bool) -> Array:
    """The nearest finite numbers of ``dtype`` not below (``up``) or not above ``limit``."""
    with np.errstate(over="ignore"):
        near = limit.astype(dtype)
    wrong = near.astype(np.float64) < limit if up else near.astype(np.float64) > limit
    toward = np.array(inf if up else -inf, dtype=dtype)
    largest = np.finfo(dtype).max
    # Rounding to nearest is wrong by one number at most: the next one is on the right side.
    rounded = np.where(wrong, np.nextafter(near, toward), near)
    return np.clip(rounded, -largest, largest).astype(np.float64)


def _is_identity(layer: AffineMap) -> bool:
    weight = layer.weights[0]
    if weight.shape[0] != weight.shape[1]:
        return False
    if sp.issparse(weight):
        return bool((weight != sp.eye_array(weight.shape[0], format="csr")).nnz == 0)
    return bool(np.array_equal(weight, np.eye(weight.shape[0])))
