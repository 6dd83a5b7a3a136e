"""The least patch of a layer: the use case that joins goals, questions, searches and the judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from marapatch.attacks.polish import polish
from marapatch.backends import create
from marapatch.backends.base import Backend
from marapatch.ball import Norm
from marapatch.bracket import Bracket
from marapatch.errors import InputError
from marapatch.network.cut import tail
from marapatch.network.network import Network, PatchableLayer
from marapatch.network.standard_form import StandardForm
from marapatch.patching.changes import Changes, Sources, changes, sources
from marapatch.patching.goals import Clause, Goal, combinations, parse
from marapatch.patching.judging import Judge, Judged
from marapatch.patching.last_layer import last_layer
from marapatch.patching.options import DEFAULT_MARGIN, PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.posing import Posed, by_neuron, by_weight, projectable
from marapatch.patching.starting import estimate, first_witness, polish_few, shrink
from marapatch.properties import Rule
from marapatch.search import SEARCHES
from marapatch.search.options import Outcome, QueryRecord
from marapatch.verdict import Evidence, Unsat, Witness

START_SHARE = 0.2
"""The share of the time for a first witness and its polish."""

ROUNDS = 6
"""How often a search is run again with the tolerance that a smaller witness asks for."""

GROWTH = 4.0
BEYOND = 1.1
PATIENCE = 4
"""Without a witness, the radius asked about starts a little beyond the first-order estimate and
grows by a factor, until this many radii were undecided."""

BY_INPUT_SHARE = 0.3
"""With several inputs, the share of the time for the bounds that one input alone gives."""

LARGE = 6000
"""Variables beyond which several inputs are bounded one by one only."""


@dataclass(frozen=True)
class PatchProgress:
    """Where the search for a patch of ``layer`` stands."""

    layer: int
    lower: float
    upper: float
    queries: int
    seconds: float


Listener = Callable[[PatchProgress], None]

GoalLike = Goal | str | int
"""A goal, or what names one: ``3``, ``"0|1"``, ``"0&1"``."""


def minimal_patch(
    network: Network,
    inputs: ArrayLike,
    goal: GoalLike | Sequence[GoalLike],
    *,
    layer: int | str = "last",
    norm: str | Norm = Norm.LINF,
    bias: bool = False,
    margin: float = DEFAULT_MARGIN,
    decision: str | Rule = Rule.ARGMAX,
    max_change: float | None = None,
    mask: ArrayLike | None = None,
    options: PatchOptions | None = None,
    progress: Listener | None = None,
) -> Patch:
    """The least change of one layer after which every input meets its goal: a bracket.

    ``inputs``: one input or a batch, rounded to the file's input type. ``goal``: one for all or
    one an input; see :mod:`marapatch.patching.goals` (a :class:`Goal` brings its own margin and
    decision). ``layer``: its number among ``network.affine_layers``, or ``"last"``. ``bias``:
    the layer's biases may change too. ``max_change``: by how much one number may change.
    ``mask``: True where a weight may change, in the weights' shape.

    A KeyboardInterrupt ends the search; what is known is returned with ``interrupted`` set.
    Raises :class:`InputError` on anything that does not fit. Source: Goldberger, Katz, Adi,
    Keshet, "Minimal Modifications of Deep Neural Networks using Verification", LPAR-23.
    """
    options = options or PatchOptions()
    given = check_inputs(network, inputs)
    goals = check_goals(goal, given.shape[0], network, Rule(decision), margin)
    found = find_layer(network, layer)
    what = changes(network, found, bias=bias, max_change=max_change, mask=mask)
    return least_change(network, what, given, goals, Norm(norm), options, progress)


def least_change(
    network: Network,
    what: Changes,
    inputs: NDArray[np.floating],
    goals: tuple[Goal, ...],
    norm: Norm,
    options: PatchOptions,
    progress: Listener | None = None,
) -> Patch:
    """:func:`minimal_patch` of the numbers that ``what`` sets free; everything checked already."""
    return _Task(network, what, inputs, goals, norm, options, progress).run()


def patch_every_layer(
    network: Network,
    inputs: ArrayLike,
    goal: GoalLike | Sequence[GoalLike],
    **known: object,
) -> tuple[Patch, ...]:
    """:func:`minimal_patch` of every layer, each with the whole of the timeout; same arguments."""
    count = len(network.affine_layers)
    patches: list[Patch] = []
    for number in range(count):
        patches.append(minimal_patch(network, inputs, goal, layer=number, **known))  # type: ignore[arg-type]
        if patches[-1].interrupted:
            break
    return tuple(patches)


def check_inputs(network: Network, inputs: ArrayLike) -> NDArray[np.floating]:
    """The inputs as (n, network inputs) in the file's input type; InputError where unfit."""
    flat = network.flatten(inputs)
    if flat.shape[0] == 0:
        raise InputError("no input was given; a patch needs at least one")
    with np.errstate(over="ignore"):
        typed = flat.astype(network.input_dtype)
    bad = ~np.isfinite(typed).all(axis=1)
    if bad.any():
        raise InputError(f"input {int(np.argmax(bad))} contains NaN or infinity")
    return np.asarray(typed)


def check_goals(
    goal: GoalLike | Sequence[GoalLike], inputs: int, network: Network, rule: Rule, margin: float
) -> tuple[Goal, ...]:
    """One goal an input; InputError where their number does not fit."""
    listed = [goal] if isinstance(goal, Goal | str | int) else list(goal)
    if len(listed) == 1:
        listed = listed * inputs
    if len(listed) != inputs:
        raise InputError(f"{len(listed)} goals were given for {inputs} inputs; give one or {inputs}")
    outputs = network.outputs
    made = [g if isinstance(g, Goal) else parse(g, outputs, rule, margin) for g in listed]
    for g in made:
        if any(clause.rows.shape[1] != outputs for clause in g.clauses):
            raise InputError(f"goal {g.text!r} does not fit a network of {outputs} outputs")
    return tuple(made)


def find_layer(network: Network, layer: int | str) -> PatchableLayer:
    """The layer of that number, or the last; InputError, listing those there are, otherwise."""
    layers = network.affine_layers
    listed = ", ".join(f"{known.number} ({known.node})" for known in layers)
    if not layers:
        raise InputError("the network has no layer with weights of its own")
    if layer == "last":
        return layers[-1]
    try:
        number = int(layer)
    except ValueError:
        raise InputError(f"layer {layer!r}: give a number or 'last'; there are {listed}") from None
    if not 0 <= number < len(layers):
        raise InputError(f"layer {number} does not exist or has no weights; there are {listed}")
    return layers[number]


@dataclass(eq=False)
class _Task:
    """One layer being patched."""

    network: Network
    changes: Changes
    inputs: NDArray[np.floating]
    goals: tuple[Goal, ...]
    norm: Norm
    options: PatchOptions
    progress: Listener | None
    started: float = field(default_factory=monotonic)
    records: list[QueryRecord] = field(default_factory=list)
    best: Judged | None = None
    lower: float = 0.0
    evidence: Evidence = Evidence.BOUND
    nodes: int = 0
    engine: str = ""
    note: str = ""

    @property
    def layer(self) -> PatchableLayer:
        return self.changes.layer

    @property
    def deadline(self) -> float:
        limit = self.options.timeout
        return inf if limit is None else self.started + limit

    @property
    def upper(self) -> float:
        return inf if self.best is None else self.best.size

    def run(self) -> Patch:
        judge = Judge(self.network, self.changes, self.inputs, self.goals, self.norm)
        already = judge.evaluate(self.network)
        if already is not None:
            outputs, margins = already
            zero = np.zeros(self.changes.numbers)
            self.best = Judged(zero, 0.0, margins, outputs, None)
            self.note = "the network meets every goal as it is"
            return self._patch()
        entering = sources(self.network, self.layer, self.inputs.astype(np.float64))
        impossible = self._impossible(entering)
        if impossible:
            self.lower = inf
            names = ", ".join(map(str, impossible))
            self.note = f"no change of this layer reaches input {names}: its sources are all 0"
            return self._patch(impossible=impossible)
        rest = tail(self.network, self.layer.number)
        backend = create(self.options.backend)
        interrupted = False
        try:
            with threadpool_limits(1):  # the arrays are small: threads would only wait
                self._search(judge, entering, rest, backend)
        except KeyboardInterrupt:
            interrupted = True
            self.note = "interrupted"
        finally:
            backend.close()
        return self._patch(interrupted=interrupted)

    def _impossible(self, entering: Sources) -> tuple[int, ...]:
        """The inputs that no number that may change acts on, and whose goal is certainly missed."""
        form = self.network.standard_form
        found = []
        for i, goal in enumerate(self.goals):
            reach = np.abs(entering.values[i]) + entering.values_error[i]
            acting = abs(self.changes.matrix(reach)) @ self.changes.free.astype(np.float64)
            if not np.asarray(acting).any():
                y, error = form.evaluation_error(self.inputs[i].astype(np.float64))
                if goal.missed(y, error):
                    found.append(i)
        return tuple(found)

    def _search(
        self, judge: Judge, entering: Sources, rest: StandardForm, backend: Backend
    ) -> None:
        """Every combination of the goals' alternatives; the least over them is the answer."""
        cases = combinations(self.goals)
        brackets: list[Bracket] = []
        for i, clauses in enumerate(cases):
            share = (self.deadline - monotonic()) / (len(cases) - i)
            brackets.append(self._case(judge, entering, rest, clauses, backend, share))
        lowest = min(bracket.lower for bracket in brackets)
        self.evidence = Evidence.weakest(*(bracket.evidence for bracket in brackets))
        self.lower = lowest
        if self._patch().closed:
            self.note = ""

    def _case(
        self,
        judge: Judge,
        entering: Sources,
        rest: StandardForm,
        clauses: tuple[Clause, ...],
        backend: Backend,
        seconds: float,
    ) -> Bracket:
        until = monotonic() + seconds
        posed = self._pose(judge, entering, rest, clauses)
        bracket = self._linear(posed, until)
        if bracket is None:
            bracket = Bracket()
            if not self.options.published:
                bracket = self._begin(posed, bracket, until)
                bracket = self._alone(judge, entering, rest, clauses, bracket, backend, until)
            bracket = self._solve(posed, bracket, backend, until)
        if bracket.witness is not None and bracket.upper < self.upper:
            self.best = posed.replays.of(bracket.witness)
        return bracket

    def _pose(
        self, judge: Judge, entering: Sources, rest: StandardForm, clauses: tuple[Clause, ...]
    ) -> Posed:
        """The question in the variables that the options, or else its size, ask for."""
        options = self.options
        linear = not rest.hidden and all(clause.plain for clause in clauses)
        possible = projectable(self.changes, len(clauses), self.norm)
        if options.engine == "neurons" and not possible:
            raise InputError(
                "engine 'neurons' takes one input, a fully connected layer and, for L1, no "
                "largest change; choose 'weights'"
            )
        automatic = options.engine == "auto" and not options.published and not linear
        neurons = options.engine == "neurons" or (automatic and possible)
        pose = by_neuron if neurons else by_weight
        self.engine = "neurons" if neurons else "weights"
        if linear and options.search == "auto":
            self.engine = "linear program"
        return pose(judge, entering, rest, clauses, marks=options.marks)

    def _linear(self, posed: Posed, until: float) -> Bracket | None:
        """The bracket of a linear program, where it is one; None where a search must decide."""
        if posed.question.form.hidden or self.options.search != "auto":
            return None
        search = self.options.for_search(until - monotonic(), 0.0)
        outcome = last_layer(posed.question, Bracket(), search, self._reporter())
        self._take(outcome)
        known = outcome.bracket.witness is not None or outcome.bracket.lower == inf
        return outcome.bracket if known else None

    def _alone(
        self,
        judge: Judge,
        entering: Sources,
        rest: StandardForm,
        clauses: tuple[Clause, ...],
        bracket: Bracket,
        backend: Backend,
        until: float,
    ) -> Bracket:
        """Of several inputs each alone must meet its goal: the largest of these lower ends."""
        if len(clauses) == 1:
            return bracket
        end = monotonic() + BY_INPUT_SHARE * (until - monotonic())
        name = "tree" if self.options.search == "auto" else self.options.search
        for i, clause in enumerate(clauses):
            share = (end - monotonic()) / (len(clauses) - i)
            if share <= 0.0 or self._closed(bracket):
                break
            one = replace(judge, inputs=judge.inputs[i : i + 1], goals=judge.goals[i : i + 1])
            pose = by_neuron if projectable(self.changes, 1, self.norm) else by_weight
            posed = pose(one, entering.take(i), rest, (clause,), marks=self.options.marks)
            if not (posed.question.condition.worst(posed.question.form.evaluate(
                np.zeros((1, posed.question.form.inputs))))[0] < 0.0):
                continue  # met already, or nearly: no bound to be had
            if posed.question.ball.lower.size > LARGE:
                continue
            stop = monotonic() + share
            start = self._begin(posed, Bracket(), stop)
            ceiling = min(start.upper, bracket.upper, posed.question.ball.whole_box)
            if ceiling == inf:
                continue
            search = self.options.for_search(
                stop - monotonic(), 0.5 * self.options.tolerance * ceiling
            )
            search = replace(search, cutoff=bracket.upper)
            asked = replace(posed.question, ball=posed.question.ball.at(ceiling))
            outcome = SEARCHES[name](asked, start, backend, search, self._reporter())
            self._take(outcome)
            if outcome.bracket.lower > bracket.lower:
                known = Unsat(outcome.bracket.lower, outcome.bracket.evidence)
                bracket = bracket.tighten(known)
        return bracket

    def _solve(
        self, posed: Posed, bracket: Bracket, backend: Backend, until: float
    ) -> Bracket:
        question, options = posed.question, self.options
        if question.form.inputs > LARGE:
            self.note = (
                f"{question.form.inputs} weights shared by several inputs are too many for one "
                "search: the lower end is that of single inputs"
            )
            return bracket
        name = "tree" if options.search == "auto" else options.search
        if bracket.witness is None and question.ball.whole_box == inf:
            bracket = self._grow(posed, bracket, backend, name, until)
        for _ in range(ROUNDS):
            if bracket.lower == inf or self._closed(bracket) or monotonic() >= until:
                break
            if bracket.witness is None and question.ball.whole_box == inf:
                self.note = (
                    "no patch was found; with a largest change (--max-change) the search can "
                    "prove that there is none"
                )
                break
            before = bracket.upper
            tolerance = 0.5 * options.tolerance * bracket.upper
            if bracket.upper == inf:
                tolerance = options.tolerance * question.ball.whole_box
            radius = min(bracket.upper, question.ball.whole_box)
            asked = replace(question, ball=question.ball.at(radius))
            search = options.for_search(until - monotonic(), tolerance)
            outcome = SEARCHES[name](asked, bracket, backend, search, self._reporter())
            self._take(outcome)
            bracket = outcome.bracket
            if bracket.upper >= before:
                break
        return bracket

    def _closed(self, bracket: Bracket) -> bool:
        gap = bracket.upper - bracket.lower
        return bracket.witness is not None and gap <= self.options.tolerance * bracket.upper

    def _begin(self, posed: Posed, bracket: Bracket, until: float) -> Bracket:
        """A polished first witness, from the patch of another case where that is one here."""
        end = min(until, monotonic() + START_SHARE * (until - monotonic()))
        claims: list[Witness] = []
        if self.best is not None:
            known = posed.replays.seen(self.best.change)
            worst = posed.question.condition.worst(posed.question.form.evaluate(known[None]))
            witness = posed.replays(known) if worst[0] > 0.0 else None
            claims += [] if witness is None else [witness]
        found = None if claims else first_witness(posed.question, end, self.options.seed)
        claims += [] if found is None else [found]
        if not claims:
            return bracket
        witness = shrink(posed.question, claims[0], end)
        if posed.question.form.inputs <= LARGE:
            witness = polish(posed.question, witness, end)
        elif self.norm is Norm.L1:
            witness = polish_few(posed.question, witness, end)
        return replace(bracket, witness=witness)

    def _grow(
        self, posed: Posed, bracket: Bracket, backend: Backend, name: str, until: float
    ) -> Bracket:
        """Without a witness: ask within a radius that grows, until there is one."""
        radius = estimate(posed.question)
        radius = BEYOND * max(bracket.lower, radius if 0.0 < radius < inf else 1e-3)
        undecided = 0
        while bracket.witness is None and undecided < PATIENCE and monotonic() < until:
            asked = replace(posed.question, ball=posed.question.ball.at(radius))
            search = self.options.for_search(until - monotonic(), 0.5 * radius)
            before = bracket.lower
            outcome = SEARCHES[name](asked, bracket, backend, search, self._reporter())
            self._take(outcome)
            bracket = outcome.bracket
            undecided += int(bracket.lower <= before)
            radius *= GROWTH
        return bracket

    def _take(self, outcome: Outcome) -> None:
        self.records += outcome.queries
        self.nodes += outcome.nodes
        self.note = outcome.note

    def _reporter(self) -> Callable[[Bracket, int], None]:
        def report(bracket: Bracket, queries: int) -> None:
            if self.progress is not None:
                spent, asked = monotonic() - self.started, queries + len(self.records)
                upper = min(bracket.upper, self.upper)
                self.progress(
                    PatchProgress(self.layer.number, bracket.lower, upper, asked, spent)
                )

        return report

    def _patch(
        self, *, impossible: tuple[int, ...] = (), interrupted: bool = False
    ) -> Patch:
        judged = self.best
        weight, bias = (None, None) if judged is None else self.changes.split(judged.change)
        return Patch(
            network=self.network,
            layer=self.layer,
            norm=self.norm.value,
            inputs=self.inputs,
            goals=self.goals,
            lower=self.lower,
            upper=self.upper,
            evidence=self.evidence,
            tolerance=self.options.tolerance,
            delta=weight,
            delta_bias=bias,
            margins=None if judged is None else judged.margins,
            outputs=None if judged is None else judged.outputs,
            confirmed=None if judged is None else judged.confirmed,
            impossible=impossible,
            engine=self.engine,
            queries=tuple(self.records),
            nodes=self.nodes,
            seconds=monotonic() - self.started,
            note=self.note,
            interrupted=interrupted,
        )
