"""One layer being patched: the goals' alternatives, the questions they pose, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np

from marapatch.arithmetic.float_model import proving
from marapatch.errors import InputError
from marapatch.patching.formulation import (
    PatchProblem,
    PatchQuestion,
    by_neuron,
    by_weight,
    projectable,
)
from marapatch.patching.goals import Clause, combinations
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch, check_agreement
from marapatch.patching.solve import LARGE, Listener, Searcher
from marapatch.patching.verify_patch import PatchVerifier, VerifiedPatch
from marapatch.problem.bracket import Bracket
from marapatch.problem.verdict import Evidence, Unsat
from marapatch.search.budget import Limit
from marapatch.solvers import create
from marapatch.witnesses.first_witness import estimate

BY_INPUT_SHARE = 0.3
"""With several inputs, the share of the time for the bounds that one input alone gives; all of it
where the whole is too large for a search."""

SEARCHED_TOGETHER = 4
"""Each of several inputs gets the time left divided by this at most: those asked first, whose
bounds are likely the largest, get the most."""


@dataclass(eq=False)
class LayerPatch:
    """Finds the least change that ``verifier`` lets count; everything checked.

    The fields after ``started`` are what is known so far; :meth:`run` makes a :class:`Patch` of it.
    """

    verifier: PatchVerifier
    options: PatchOptions
    progress: Listener | None
    started: float = field(default_factory=monotonic)
    best: VerifiedPatch | None = None
    lower: float = 0.0
    evidence: Evidence = Evidence.BOUND
    engine: str = ""
    note: str = ""
    asked: PatchQuestion | None = None
    impossible: tuple[int, ...] = ()

    @property
    def upper(self) -> float:
        """The size of the best patch known."""
        return inf if self.best is None else self.best.size

    def run(self) -> Patch:
        """Search, and say what is known at the end, or when interrupted."""
        verifier = self.verifier
        if self.options.engine == "neurons" and not projectable(
            verifier.weights, len(verifier.inputs), verifier.norm
        ):
            raise InputError(
                "engine 'neurons' takes one input, a fully connected layer and, for L1, no "
                "largest change; choose 'weights'"
            )
        # No change at all is the least there is: where it will do, 0 is both ends and nothing has
        # to be searched.
        self.best = verifier.unchanged()
        if self.best is not None:
            self.note = "the network meets every goal as it is"
            return self._patch(None)
        problem = PatchProblem.of(verifier)
        self.impossible = _unaffected(problem)
        if self.impossible:
            # Proved without a search: by values with their errors, so that the evidence stays
            # ``bound``.
            self.lower = inf
            names = ", ".join(map(str, self.impossible))
            self.note = f"no number that may change acts on input {names}: its sources are all 0"
            return self._patch(None)
        backend = create(self.options.backend)
        number = verifier.weights.layer.number
        searcher = Searcher(self.options, backend, number, self.progress, self.started)
        interrupted = False
        try:
            # Bounds hold in the model of arithmetic, and that this process keeps to it is checked
            # first.
            with proving():
                self._search(problem, searcher)
        except KeyboardInterrupt:
            interrupted = True
            self._take_what_is_known(searcher)
        finally:
            backend.close()
        return self._patch(searcher, interrupted=interrupted)

    def _search(self, problem: PatchProblem, searcher: Searcher) -> None:
        """Every combination of the goals' alternatives; the least over them is the answer."""
        limit = self.options.timeout
        deadline = inf if limit is None else self.started + limit
        whole = Limit(deadline, searcher.most)
        cases = combinations(self.verifier.goals)
        brackets: list[Bracket] = []
        for i, clauses in enumerate(cases):
            # Equal shares of what is left: what one combination does not use is for those after it.
            share = whole.share(1.0 / (len(cases) - i), searcher.nodes)
            brackets.append(self._case(problem, clauses, searcher, share))
        # A patch meets the goals by one combination at least, and a lower end is proved for its
        # combination alone: the least of them is one for all, as good as the weakest evidence.
        self.lower = min(bracket.lower for bracket in brackets)
        self.evidence = Evidence.weakest(*(bracket.evidence for bracket in brackets))
        self._agree()
        if self.lower == inf and len(self.verifier.goals) > 1:
            self._find_impossible(problem, searcher, deadline)

    def _find_impossible(
        self,
        problem: PatchProblem,
        searcher: Searcher,
        deadline: float,
    ) -> None:
        """Which inputs alone have no patch, as far as linear programs can tell."""

        def infeasible(i: int, clause: Clause) -> bool:
            formulated = self._one(problem, clause, i)
            # A linear program decides where it is one; else the relaxation, which can only say yes.
            known = searcher.linear(formulated, deadline)
            if known is None:
                return searcher.infeasible(formulated, deadline)
            return known.lower == inf

        # Each alternative of a goal has to be refuted. Inputs that time does not reach are not
        # named: that says nothing about them.
        self.impossible = tuple(
            i
            for i, goal in enumerate(self.verifier.goals)
            if monotonic() < deadline and all(infeasible(i, clause) for clause in goal.clauses)
        )
        names = ", ".join(map(str, self.impossible))
        searcher.note = (
            f"no change will do for input {names}, whatever the others ask"
            if names
            else "each input alone may have a patch: together they contradict each other"
        )

    def _one(self, problem: PatchProblem, clause: Clause, i: int) -> PatchQuestion:
        """The question about input ``i`` alone."""
        one = problem.take(i)
        formulate = by_neuron if one.projectable else by_weight
        return formulate(one, (clause,), marks=self.options.marks)

    def _take_what_is_known(self, searcher: Searcher) -> None:
        """After an interruption: the best patch verified, and where the goals leave no choice
        between clauses the largest lower end that any search reported (all ask one question)."""
        if self.asked is not None:
            # What combinations before this one found is adopted by now; of the one that was
            # interrupted only what its replays kept is known.
            for point in self.asked.replays.kept:
                if point.distance < self.upper:
                    self.best = point.verified
        # Questions about single inputs report here as well, and may: what is refuted for one input
        # alone is refuted for all.
        if len(combinations(self.verifier.goals)) == 1 and searcher.seen.lower > self.lower:
            self.lower, self.evidence = searcher.seen.lower, searcher.seen.evidence
        self._agree()

    def _agree(self) -> None:
        check_agreement(self.verifier.weights.layer, self.lower, self.upper)

    def _case(
        self,
        problem: PatchProblem,
        clauses: tuple[Clause, ...],
        searcher: Searcher,
        limit: Limit,
    ) -> Bracket:
        formulated = self.asked = self._formulate(problem, clauses)
        bracket = searcher.linear(formulated, limit.until)
        # Where no number is limited no ball is the whole space: a search raises the lower end for
        # ever and cannot say that there is no patch. The relaxation may.
        if bracket is None and searcher.infeasible(formulated, limit.until):
            bracket = Bracket(inf, Evidence.SOLVER)
        if bracket is None:
            bracket = Bracket()
            # The published engine starts without a witness and asks its backend alone.
            if not self.options.published:
                known = None if self.best is None else self.best.change
                bracket = searcher.begin(formulated, known, limit.until)
                self._adopt(formulated, bracket)
                large = formulated.question.form.inputs > LARGE
                end = limit.share(1.0 if large else BY_INPUT_SHARE, searcher.nodes)
                bracket = self._alone(problem, clauses, bracket, searcher, end)
            # One input alone has no patch, so all together have none.
            if bracket.lower == inf:
                return bracket
            # A patch of another combination is an upper end of the answer: this combination need
            # not be searched beyond it.
            bracket = searcher.run(formulated, bracket, self.upper, limit)
        self._adopt(formulated, bracket)
        return bracket

    def _adopt(self, formulated: PatchQuestion, bracket: Bracket) -> None:
        if bracket.witness is not None and bracket.upper < self.upper:
            self.best = formulated.replays.of(bracket.witness)

    def _formulate(
        self,
        problem: PatchProblem,
        clauses: tuple[Clause, ...],
    ) -> PatchQuestion:
        """The question in the variables that the options, or else its size, ask for."""
        options = self.options
        linear = not problem.tail.hidden and all(clause.plain for clause in clauses)
        automatic = options.engine == "auto" and not options.published and not linear
        neurons = options.engine == "neurons" or (automatic and problem.projectable)
        self.engine = "neurons" if neurons else "weights"
        if linear and options.search in ("auto", "tree"):
            self.engine = "linear program"
        formulate = by_neuron if neurons else by_weight
        return formulate(problem, clauses, marks=options.marks)

    def _alone(
        self,
        problem: PatchProblem,
        clauses: tuple[Clause, ...],
        bracket: Bracket,
        searcher: Searcher,
        end: Limit,
    ) -> Bracket:
        """Of several inputs each alone must meet its goal: the largest of their lower ends."""
        if len(clauses) == 1:
            return bracket
        alone: list[tuple[float, PatchQuestion]] = []
        for i, clause in enumerate(clauses):
            formulated = self._one(problem, clause, i)
            question = formulated.question
            still = question.form.evaluate(np.zeros((1, question.form.inputs)))
            unmet = question.condition.worst(still)[0] < 0.0  # else there is no bound to be had
            if unmet and question.form.inputs <= LARGE:
                alone.append((estimate(question), formulated))
        alone.sort(key=lambda pair: -pair[0])  # the likely largest first: few need more
        for k, (_, formulated) in enumerate(alone):
            over = end.over(searcher.nodes)
            if over or searcher.closed(bracket) or bracket.lower == inf:
                break
            stop = end.share(1.0 / min(len(alone) - k, SEARCHED_TOGETHER), searcher.nodes)
            least = searcher.linear(formulated, stop.until)
            if least is None:
                least = searcher.begin(formulated, None, stop.until)
                # Its lower end cannot be above a patch of its own that is no larger than what is
                # refuted already: nothing would be raised.
                if least.upper <= bracket.lower:
                    continue
                least = searcher.run(formulated, least, bracket.upper, stop)
            # A change that meets every goal meets this one: what is refuted for one input alone is
            # refuted for all. Its witness is none for the others and stays out of the bracket.
            bracket = bracket.tighten(Unsat(least.lower, least.evidence))
        return bracket

    def _patch(
        self,
        searcher: Searcher | None,
        *,
        interrupted: bool = False,
    ) -> Patch:
        asked, verified = self.verifier, self.best
        weight, bias = (None, None) if verified is None else asked.weights.split(verified.change)
        made = Patch(
            network=asked.network,
            layer=asked.weights.layer,
            norm=asked.norm.value,
            inputs=asked.inputs,
            goals=asked.goals,
            lower=self.lower,
            upper=self.upper,
            evidence=self.evidence,
            tolerance=self.options.tolerance,
            delta=weight,
            delta_bias=bias,
            margins=None if verified is None else verified.margins,
            outputs=None if verified is None else verified.outputs,
            confirmed=None if verified is None else verified.confirmed,
            impossible=self.impossible,
            engine=self.engine,
            queries=() if searcher is None else tuple(searcher.records),
            nodes=0 if searcher is None else searcher.nodes,
            seconds=monotonic() - self.started,
            note=self.note if searcher is None else searcher.note,
            interrupted=interrupted,
        )
        if interrupted:
            return replace(made, note="interrupted")
        # The note of the last search explains why a bracket is open; where it is closed there is
        # nothing left to explain.
        solved = made.closed and not made.infeasible and searcher is not None
        return replace(made, note="") if solved else made


def _unaffected(problem: PatchProblem) -> tuple[int, ...]:
    """The inputs that no number that may change acts on, and whose goal is certainly missed."""
    verifier, entering, weights = problem.verifier, problem.sources, problem.weights
    form = verifier.network.standard_form
    found = []
    for i, goal in enumerate(verifier.goals):
        # Impossible only for certain: the sources with their errors act on nothing that is free,
        # and the goal is missed by more than the outputs' errors.
        most = np.abs(entering.values[i]) + entering.values_error[i]
        acting = abs(weights.matrix(most)) @ weights.free.astype(np.float64)
        if not np.asarray(acting).any():
            y, error = form.evaluation_error(verifier.inputs[i].astype(np.float64))
            if goal.missed(y, error):
                found.append(i)
    return tuple(found)
