"""From values of the first layer back to an input: the property of the last stage, realised.

With the original weights the input must give first-layer values that meet the property: rows over
its change, so the nearest one is a linear program, and the one that changes the fewest entries a
mixed-integer program, or a query with a limit on how many entries differ from 0.

Shapes: I inputs, J pre-activations of the layer, R rows over these; inputs and changes (I,), the
property's matrix (R, J), rows over the change (R, I).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from marapatch.errors import InputError
from marapatch.modelling.answers import Solution
from marapatch.modelling.conditions import at_most_k_nonzero
from marapatch.modelling.expressions import Expression
from marapatch.modelling.functions import norm1, norm_inf
from marapatch.modelling.problem import Problem
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import head
from marapatch.network.graph import Network
from marapatch.network.layers import Array
from marapatch.patch_attacks.options import Minimise
from marapatch.problem.conditions import OutputCondition
from marapatch.witnesses.row_lp import Rows, least_violation, min_l0, min_l1, min_linf
from marapatch.witnesses.trust_region_lp import trust_region_lp

REWEIGHTED = 3
"""How often the sum is weighted anew towards few entries (Candes, Wakin, Boyd, "Enhancing
Sparsity by Reweighted l1 Minimization", 2008)."""

DAMPING = 0.1
"""Added to an entry's share of its room before it becomes a weight."""

CHANGED = 1e-7
"""An entry that changes by less counts as unchanged."""

MARGIN = 1e-6
"""By how much, relatively, rows are exceeded, so that rounding does not undo them."""

QUERY_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class InputBox:
    """Where an input may go: ``x`` (inputs,) and the box around it, largest change included."""

    x: Array
    lower: Array
    upper: Array

    @staticmethod
    def within(x: Array, lower: Array, upper: Array, most: float) -> InputBox:
        """The part of the box in which no entry of ``x`` changes by more than ``most``, however
        the ends are rounded."""
        low, high = np.maximum(lower, x - most), np.minimum(upper, x + most)
        low = np.where(x - low > most, np.nextafter(low, inf), low)
        high = np.where(high - x > most, np.nextafter(high, -inf), high)
        return InputBox(x, low, high)

    @property
    def extent(self) -> Array:
        """By how much each entry can change at most."""
        return np.maximum(self.upper - self.x, self.x - self.lower)


def realise(
    network: Network,
    image: ArrayLike,
    wanted: OutputCondition | ArrayLike,
    *,
    layer: int = 0,
    minimise: Minimise = "l0",
    box: tuple[ArrayLike, ArrayLike] = (0.0, 1.0),
    max_pixel: float = inf,
    timeout: float | None = None,
    backend: str = "highs",
) -> NDArray[np.float64] | None:
    """An input near ``image`` whose pre-activations at affine layer ``layer`` meet ``wanted``.

    ``wanted``: rows over these pre-activations, or the values themselves (equality). ``minimise``:
    the sum of the change (``l1``), its largest entry (``linf``), or the number of entries changed
    (``l0``): by reweighted linear programs, then exactly for as long as ``timeout`` allows
    (HiGHS; None: no exact search), or with another ``backend`` by queries that limit the number
    of entries. In ``box``, and no entry changed by more than ``max_pixel``. With ReLUs before the
    layer its derivative is followed, and what is found is near, not nearest. float64 in the shape
    of ``image``; None where none was found. Raises :class:`InputError` where sizes do not fit.
    """
    flat = network.flatten(image)
    if flat.shape[0] != 1:
        raise InputError(f"one input is needed, {flat.shape[0]} were given")
    form = head(network, layer)
    condition = wanted if isinstance(wanted, OutputCondition) else equal(wanted)
    if condition.matrix.shape[1] != form.outputs:
        raise InputError(
            f"layer {layer} has {form.outputs} pre-activations, the property is on "
            f"{condition.matrix.shape[1]}"
        )
    x = flat[0]
    lower, upper = (np.broadcast_to(_flat(end), x.shape) for end in box)
    # To clip the image would measure the change from another one than was given.
    if ((x < lower) | (x > upper)).any():
        raise InputError("the image lies outside the box; clip it or widen the box")
    domain = InputBox.within(x, lower, upper, max_pixel)
    found, met = realised(form, condition, domain, minimise, timeout, backend)
    return found.reshape(np.shape(image)) if met else None


def _flat(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    return array if array.ndim == 0 else array.reshape(-1)


def equal(values: ArrayLike) -> OutputCondition:
    """``z = values`` as rows."""
    z = np.asarray(values, dtype=np.float64).reshape(-1)
    eye = np.eye(z.size)
    return OutputCondition(np.concatenate([eye, -eye]), np.concatenate([z, -z]))


def realised(
    form: StandardForm,
    condition: OutputCondition,
    domain: InputBox,
    minimise: Minimise | None,
    seconds: float | None,
    backend: str = "highs",
    deadline: float = inf,
) -> tuple[Array, bool]:
    """An input that gives values of ``condition`` with ``form``, and whether it does.

    Where none is found, the input that violates the rows least. ``minimise``: None where any
    input will do. ``seconds``: for the exact search of the fewest entries, or for the queries.
    """
    if form.hidden:
        # Behind ReLUs the rows hold near a point only. The rest of the room is reached by steps
        # that do what the derivative says, since these let the trust region grow.
        trust = 0.25 * float(domain.extent.max(initial=0.0))
        x = trust_region_lp(form, condition, domain.x, domain.lower, domain.upper, trust, deadline)
        return x, bool(condition.worst(form.evaluate(x[None]))[0] >= -CHANGED)
    rows = rows_of(form, condition, domain)
    if backend == "highs" and minimise is None:
        # With elastic rows the program has a solution whether or not the rows have one, so that one
        # program gives the input, or the nearest values where the property is out of reach.
        change = least_violation(rows, deadline)
        moved = domain.x if change is None else domain.x + change
        met = change is not None and bool(rows.missed(change).max(initial=0.0) <= CHANGED)
        # x + change may round past a side of the box that the change itself keeps to.
        return np.clip(moved, domain.lower, domain.upper), met
    minimise = minimise or "l1"
    if backend != "highs":
        change = _by_queries(rows, minimise, backend, seconds or QUERY_SECONDS)
    else:
        change = _nearest(rows, domain, minimise, seconds, deadline)
    if change is None:
        change = least_violation(rows, deadline)
        moved = domain.x if change is None else domain.x + change
        return np.clip(moved, domain.lower, domain.upper), False
    return np.clip(domain.x + change, domain.lower, domain.upper), True


def rows_of(form: StandardForm, condition: OutputCondition, domain: InputBox) -> Rows:
    """The rows over the change of the input, where ``form`` has no ReLU."""
    weight = form.output.weights[0]
    matrix = np.asarray(condition.matrix @ (weight.toarray() if sp.issparse(weight) else weight))
    now = form.evaluate(domain.x[None])[0]
    # A row is exceeded in proportion to the numbers that it is made of, since these round. An
    # equality exceeded on both sides would have no solution.
    size = np.abs(condition.matrix) @ np.abs(now) + np.abs(condition.rhs)
    equality = _equalities(condition)
    rhs = condition.rhs - condition.matrix @ now + np.where(equality, 0.0, MARGIN * size)
    return Rows.scaled(matrix, rhs, domain.lower - domain.x, domain.upper - domain.x)


def _equalities(condition: OutputCondition) -> NDArray[np.bool_]:
    """Rows whose opposite is a row too: these cannot be exceeded."""
    # 0.0 and -0.0 are equal and hash alike, so the sign of a zero hides no pair.
    known = {(*row, rhs) for row, rhs in zip(condition.matrix, condition.rhs, strict=True)}
    pairs = zip(condition.matrix, condition.rhs, strict=True)
    return np.array([(*-row, -rhs) in known for row, rhs in pairs], dtype=bool)


def _nearest(
    rows: Rows, domain: InputBox, minimise: Minimise, seconds: float | None, deadline: float
) -> Array | None:
    if minimise == "linf":
        return min_linf(rows)
    # Also the start of the search for few entries: where no change meets the rows, none of few
    # entries does.
    change = min_l1(rows, np.ones(domain.x.size), deadline)
    if minimise == "l1" or change is None:
        return change
    change = sparser(rows, change, domain.extent, deadline)
    if seconds is not None:
        exact, _ = min_l0(rows, min(seconds, deadline - monotonic()))
        if exact is not None and changed(exact) < changed(change):
            return exact
    return change


def sparser(rows: Rows, change: Array, extent: Array, deadline: float) -> Array:
    """A change that meets the rows in fewer entries, by weights that favour large entries."""
    best = change
    for _ in range(REWEIGHTED):
        # Shares of each entry's room, so that a box of unequal sides is treated like one of equal
        # ones; DAMPING keeps the weight of an unchanged entry finite, and 1e-3 that of one without
        # room.
        share = np.abs(change) / np.where(extent > 0.0, extent, 1.0)
        following = min_l1(rows, 1.0 / ((share + DAMPING) * np.maximum(extent, 1e-3)), deadline)
        if following is None:
            break
        change = following
        # Reweighting is no descent on the count: the fewest entries seen are kept, while the
        # weights follow the last change.
        best = change if changed(change) < changed(best) else best
    return best


def changed(change: Array) -> int:
    """How many entries differ from 0."""
    return int((np.abs(change) > CHANGED).sum())


def _by_queries(rows: Rows, minimise: Minimise, backend: str, seconds: float) -> Array | None:
    """By queries to ``backend`` alone; the best found in the time."""
    until = monotonic() + seconds
    found = _solved(rows, None, backend, seconds)
    if found is None:
        return None
    if minimise == "l0":
        while monotonic() < until and changed(found) > 0:
            fewer = _solved(rows, changed(found) - 1, backend, until - monotonic())
            # A solution may miss the limit by the solver's tolerance: then it is no fewer.
            if fewer is None or changed(fewer) >= changed(found):
                break
            found = fewer
        return found
    # ``confirm=None`` below: no lower end is made of the answer, so no second solver has to vouch
    # for it.
    problem, change = _problem(rows)
    size = norm1(change) if minimise == "l1" else norm_inf(change)
    left = max(until - monotonic(), 1e-3)
    answer = problem.minimise(size, tolerance=1e-2, backend=backend, confirm=None, timeout=left)
    best = answer.solution
    return found if best is None else np.asarray(best["change"])


def _problem(rows: Rows) -> tuple[Problem, Expression]:
    problem = Problem()
    change = problem.array("change", rows.lower.size, rows.lower, rows.upper)
    problem.require(rows.matrix @ change >= rows.rhs)
    return problem, change


def _solved(rows: Rows, limit: int | None, backend: str, seconds: float) -> Array | None:
    problem, change = _problem(rows)
    if limit is not None:
        problem.require(at_most_k_nonzero(change, limit))
    answer = problem.solve(backend, confirm=None, timeout=max(seconds, 1e-3))
    return np.asarray(answer["change"]) if isinstance(answer, Solution) else None
