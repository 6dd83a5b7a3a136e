"""The search for the least patch of one stage: its question, and the ways to answer it.

Shapes: J neurons of the patched layer, K outputs of what follows it, R rows of a property; a change
(J,), pre-activations ``before`` it (J,), the property's matrix (R, K).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from time import monotonic

import numpy as np
import scipy.sparse as sp

from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.layers import Array
from marapatch.patch_attacks.options import PatchAttackOptions
from marapatch.patch_attacks.phases import Samples, fixed_patch, linear_patch
from marapatch.patching.marking import marked
from marapatch.patching.tail import Start, compose
from marapatch.problem.ball import Ball
from marapatch.problem.bracket import Bracket
from marapatch.problem.conditions import OutputCondition
from marapatch.problem.norm import Norm
from marapatch.problem.question import Question
from marapatch.search import SEARCHES
from marapatch.search.last_layer import last_layer
from marapatch.search.options import SearchOptions
from marapatch.solvers import create
from marapatch.witnesses.first_witness import estimate, first_witness
from marapatch.witnesses.polish import polish
from marapatch.witnesses.trust_region_lp import nearer, trust_region_lp

STAGE_SECONDS = 2.0
"""For the first witness of a stage and its polish, at most."""

UNHURRIED = 60.0
"""Seconds a stage where queries alone decide and no time limit was given."""

FURTHER = (1.0, 1.02, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0)
"""How much farther in the direction of the nearest values a witness is looked for."""

PROPERTY_TOLERANCE = 1e-7
"""By how much, relatively, rows of a property half way may be missed: it is a means, and what
comes out at the end is replayed."""

GUIDING = 5
"""Linear programs towards a property that may be out of reach."""

RELAXED = "property out of reach: relaxed to the decision, from the nearest values"

RADII_ASKED = 8
"""How often the radius that a backend is asked about grows."""

TOLERANCE = 1e-3
"""At which a bracket counts as closed, relative to its upper end."""


@dataclass(frozen=True, eq=False)
class StagePoint:
    """Where a stage ends: a change of a layer's pre-activations that meets its property.

    ``input``: the change, (neurons,), in units of the patch's norm. ``distance``: the size of the
    patch that makes it. ``margin``: by how much the property is met, in plain float64.
    ``outputs``: of what follows the layer. No witness: the network as it is was not asked.
    """

    input: Array
    distance: float
    margin: float
    outputs: Array
    confirmed: None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a stage found; ``relaxed``: it is of the decision, the property being out of reach."""

    bracket: Bracket
    note: str = ""
    relaxed: bool = False


@dataclass(frozen=True, eq=False)
class StageSearch:
    """Answers the questions of one halving; ``samples``: for linear phases."""

    options: PatchAttackOptions
    deadline: float
    samples: Samples | None

    def affine(
        self,
        question: Question,
        widest: Question,
        form: StandardForm,
        whole: StandardForm,
        node: str,
    ) -> Outcome:
        """With phases fixed, or replaced by lines: of the property, else of the decision."""
        tries = [(question, form)] if widest is question else [(question, form), (widest, whole)]
        bracket, note = Bracket(), ""
        for asked, behind in tries:
            if self.samples is None:
                bracket, note = fixed_patch(asked)
            else:
                # The form takes pre-activations of the layer, so the samples are taken there: its
                # lines are fitted to what its own ReLUs receive.
                z = behind.pre_activations(self.samples.at(node))[0]
                bracket, note = linear_patch(asked, z)
            if bracket.witness is not None:
                relaxed = asked is not question
                return Outcome(bracket, _joined(RELAXED if relaxed else "", note), relaxed)
        return Outcome(bracket, note)

    def searched(self, question: Question, widest: Question, end: float) -> Outcome:
        """A first witness, made nearer; the lower end raised for as long as the options say.

        ``widest``: the same patch, of which no more is asked than that the network decides as
        wanted. It is asked where the property itself cannot be reached, from the nearest values.
        """
        form, relaxed = question.form, False
        if not form.hidden:
            # Without a ReLU behind the layer one linear program says everything about the property.
            # Only where that is out of reach does the search go on, for the decision.
            bracket = last_layer(question, Bracket(), SearchOptions(), _silent).bracket
            if bracket.witness is not None or widest is question:
                note = "" if bracket.witness else "the linear program has no solution"
                return Outcome(bracket, note)
        domain = estimate(question)
        # Steps begin at the size of the first-order estimate; where it says nothing, at 1 in units
        # of the patch.
        domain = domain if 0.0 < domain < inf else 1.0
        ball, zero = question.ball, np.zeros(form.inputs)
        steps = len(FURTHER) if widest is question else GUIDING
        nearest = trust_region_lp(
            form, question.condition, zero, ball.lower, ball.upper, domain, end, steps
        )
        witness = question.replay(nearest)
        if witness is None and widest is not question:
            # The nearest values violate the property least. The decision asks for less and may be
            # met there, or a little farther along: the first factor that replays is taken.
            question, relaxed = widest, True
            tries = (question.replay(factor * nearest) for factor in FURTHER)
            witness = next((found for found in tries if found is not None), None)
        witness = witness or first_witness(question, end, self.options.seed)
        if witness is None:
            return Outcome(Bracket(), "no patch found: no gradient or phase leads to one")
        note = RELAXED if relaxed else ""
        # The attack needs a patch, not a proof that none is smaller: unless time is given for a
        # lower end, the witness is made nearer within its own linear region, and that is all.
        if self.options.prove == 0.0 or not question.form.hidden:
            return Outcome(Bracket(witness=nearer(question, witness)), note, relaxed)
        bracket = Bracket(witness=polish(question, witness, end))
        bracket = self._search("tree", question, bracket, self.options.prove)
        return Outcome(bracket, note, relaxed)

    def asked(self, question: Question, widest: Question) -> Outcome:
        """By queries to the backend alone: of the property, else of the decision."""
        found = self._growing(question)
        if found.witness is None and widest is not question:
            decision = self._growing(widest)
            if decision.witness is not None:
                return Outcome(decision, RELAXED, relaxed=True)
        return Outcome(found, "" if found.witness else f"{self.options.backend} found no patch")

    def _growing(self, question: Question) -> Bracket:
        """Ask within a radius that grows until there is a witness."""
        # Within the estimate itself no point has slack in every row where the network is linear,
        # and a query asks for more than the edge.
        radius = 1.1 * estimate(question)
        radius = radius if 0.0 < radius < inf else 1.0
        left = self.deadline - monotonic()
        # A quarter of what is left: a stage may have to ask for the decision as well, and others
        # follow it.
        seconds = UNHURRIED if left == inf else max(left / 4.0, 1e-3)
        until = monotonic() + seconds
        bracket = Bracket()
        for _ in range(RADII_ASKED):
            asked = replace(question, ball=question.ball.with_radius(radius))
            bracket = self._search("bisection", asked, bracket, max(until - monotonic(), 1e-3))
            if bracket.witness is not None or monotonic() >= until:
                break
            radius *= 4.0
        return bracket

    def _search(self, name: str, question: Question, start: Bracket, seconds: float) -> Bracket:
        ceiling = min(start.upper, question.ball.radius)
        # Bisection pays one query for each halving of the gap, and a stage is a means: 5 % will do.
        # The tree closes the gap as it goes.
        tolerance = TOLERANCE * ceiling if name == "tree" else 0.05 * ceiling
        backend = create(self.options.backend)
        try:
            ball = question.ball.with_radius(ceiling)
            options = SearchOptions(tolerance=tolerance, timeout=seconds, bounds=name == "tree")
            outcome = SEARCHES[name](replace(question, ball=ball), start, backend, options, _silent)
        finally:
            backend.close()
        return outcome.bracket


def formulate(
    form: StandardForm,
    before: Array,
    scale: float,
    condition: OutputCondition,
    norm: Norm,
    missed: float,
) -> Question:
    """Over the change of each neuron, in units of the patch's norm; marks cut the box."""
    size = before.size
    # A patch of size 1 of a neuron's weights moves its pre-activation by ``scale``, the dual norm
    # of what enters the layer (ARCHITECTURE: 2): so distances here are sizes of patches.
    start = Start(
        before,
        np.zeros(size),
        sp.csr_array(scale * sp.eye_array(size)),
        sp.csr_array((size, size)),
    )
    moved = compose(form, start)
    # Weights have no limit here, so pre-activations have none. Marks leave each neuron the whole
    # line, one half of it, or 0 alone.
    wide = np.full(size, inf)
    ball = Ball(np.zeros(size), -wide, wide, norm, inf)
    ball = marked(moved, condition, ball)
    return Question(moved, ball, condition, StageReplay(moved, ball, condition, missed))


@dataclass(frozen=True, eq=False)
class StageReplay:
    """Accepts a change of pre-activations where the form meets the condition strictly there; or,
    of a property half way, misses its rows by no more than ``missed``, relatively.

    Plain float64: a stage proves nothing, and what comes out at the end is replayed on the network.
    """

    form: StandardForm
    ball: Ball
    condition: OutputCondition
    missed: float

    def __call__(self, claimed: Array) -> StagePoint | None:
        """The point, a little farther out where that is needed; None where it does not do."""
        if not np.isfinite(claimed).all():
            return None
        inside = np.clip(claimed, self.ball.lower, self.ball.upper)
        # The box leaves each entry a line, a half-line from 0, or 0 alone (see ``formulate``): what
        # is enlarged stays in it.
        for enlarged in (1.0, 1.0 + 1e-9, 1.0 + 1e-7, 1.0 + 1e-5):
            vector = enlarged * inside
            outputs = self.form.evaluate(vector[None])
            # Relative to the terms of a row and not to its right-hand side, which may be 0 where
            # the terms are large.
            size = np.abs(self.condition.matrix) @ np.abs(outputs[0]) + np.abs(self.condition.rhs)
            slack = self.condition.slack(outputs)[0] + self.missed * size
            if slack.min() > 0.0:
                distance = self.ball.norm.distance(vector)
                return StagePoint(vector, distance, float(slack.min()), outputs[0])
        return None


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _silent(_bracket: Bracket, _queries: int) -> None:
    """Nobody listens."""
