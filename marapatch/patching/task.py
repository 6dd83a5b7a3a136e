"""One layer being patched: the goals' alternatives, the questions they pose, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from marapatch.arithmetic.float_model import proving
from marapatch.errors import ContradictionError, InputError
from marapatch.network.affine_relu.standard_form import StandardForm
from marapatch.network.cut import tail
from marapatch.network.graph import Network
from marapatch.patching.changes import Changes, Sources, sources
from marapatch.patching.first_witness import estimate
from marapatch.patching.formulation import PatchQuestion, by_neuron, by_weight, projectable
from marapatch.patching.goals import Clause, Goal, combinations
from marapatch.patching.options import PatchOptions
from marapatch.patching.patch import Patch
from marapatch.patching.solve import LARGE, Listener, Searcher
from marapatch.patching.verify_patch import PatchVerifier, VerifiedPatch
from marapatch.problem.bracket import Bracket
from marapatch.problem.norm import Norm
from marapatch.problem.verdict import Evidence, Unsat
from marapatch.search.budget import Limit
from marapatch.solvers import create

BY_INPUT_SHARE = 0.3
"""With several inputs, the share of the time for the bounds that one input alone gives; all of it
where the whole is too large for a search."""

SEARCHED_TOGETHER = 4
"""Each of several inputs gets the time left divided by this at most: those asked first, whose
bounds are likely the largest, get the most."""


@dataclass(eq=False)
class Task:
    """Finds the least change of the numbers that ``changes`` sets free; everything checked."""

    network: Network
    changes: Changes
    inputs: NDArray[np.floating]
    goals: tuple[Goal, ...]
    norm: Norm
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
        if self.options.engine == "neurons" and not projectable(
            self.changes, len(self.inputs), self.norm
        ):
            raise InputError(
                "engine 'neurons' takes one input, a fully connected layer and, for L1, no "
                "largest change; choose 'weights'"
            )
        verifier = PatchVerifier(self.network, self.changes, self.inputs, self.goals, self.norm)
        already = verifier.evaluate(self.network)
        if already is not None:
            outputs, margins = already
            zero = np.zeros(self.changes.numbers)
            self.best = VerifiedPatch(zero, 0.0, margins, outputs, None)
            self.note = "the network meets every goal as it is"
            return self._patch(None)
        entering = sources(self.network, self.changes.layer, self.inputs.astype(np.float64))
        self.impossible = self._out_of_reach(entering)
        if self.impossible:
            self.lower = inf
            names = ", ".join(map(str, self.impossible))
            self.note = f"no number that may change acts on input {names}: its sources are all 0"
            return self._patch(None)
        rest = tail(self.network, self.changes.layer.number)
        backend = create(self.options.backend)
        number = self.changes.layer.number
        searcher = Searcher(self.options, backend, number, self.progress, self.started)
        interrupted = False
        try:
            with proving():
                self._search(verifier, entering, rest, searcher)
        except KeyboardInterrupt:
            interrupted = True
            self._salvage(searcher)
        finally:
            backend.close()
        return self._patch(searcher, interrupted=interrupted)

    def _out_of_reach(self, entering: Sources) -> tuple[int, ...]:
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
        self, verifier: PatchVerifier, entering: Sources, rest: StandardForm, searcher: Searcher
    ) -> None:
        """Every combination of the goals' alternatives; the least over them is the answer."""
        limit = self.options.timeout
        deadline = inf if limit is None else self.started + limit
        whole = Limit(deadline, searcher.most)
        cases = combinations(self.goals)
        brackets: list[Bracket] = []
        for i, clauses in enumerate(cases):
            share = whole.share(1.0 / (len(cases) - i), searcher.nodes)
            brackets.append(self._case(verifier, entering, rest, clauses, searcher, share))
        self.lower = min(bracket.lower for bracket in brackets)
        self.evidence = Evidence.weakest(*(bracket.evidence for bracket in brackets))
        self._agree()
        if self.lower == inf and len(self.goals) > 1:
            self._blame(verifier, entering, rest, searcher, deadline)

    def _blame(
        self,
        verifier: PatchVerifier,
        entering: Sources,
        rest: StandardForm,
        searcher: Searcher,
        deadline: float,
    ) -> None:
        """Which inputs alone have no patch, as far as linear programs can tell."""

        def hopeless(i: int, clause: Clause) -> bool:
            formulated = self._one(verifier, entering, rest, clause, i)
            known = searcher.linear(formulated, deadline)
            if known is None:
                return searcher.hopeless(formulated, deadline)
            return known.lower == inf

        self.impossible = tuple(
            i
            for i, goal in enumerate(self.goals)
            if monotonic() < deadline and all(hopeless(i, clause) for clause in goal.clauses)
        )
        names = ", ".join(map(str, self.impossible))
        searcher.note = (
            f"no change will do for input {names}, whatever the others ask"
            if names
            else "each input alone may have a patch: together they contradict each other"
        )

    def _one(
        self, verifier: PatchVerifier, entering: Sources, rest: StandardForm, clause: Clause, i: int
    ) -> PatchQuestion:
        """The question about input ``i`` alone."""
        formulate = by_neuron if projectable(self.changes, 1, self.norm) else by_weight
        one = replace(verifier, inputs=verifier.inputs[i : i + 1], goals=verifier.goals[i : i + 1])
        return formulate(one, entering.take(i), rest, (clause,), marks=self.options.marks)

    def _salvage(self, searcher: Searcher) -> None:
        """After an interruption: the best patch judged, and where the goals leave no choice between
        clauses the largest lower end that any search reported (all are about one question)."""
        if self.asked is not None:
            for _, verified in self.asked.replays.kept:
                if verified.size < self.upper:
                    self.best = verified
        if len(combinations(self.goals)) == 1 and searcher.seen.lower > self.lower:
            self.lower, self.evidence = searcher.seen.lower, searcher.seen.evidence
        self._agree()

    def _agree(self) -> None:
        if self.lower > self.upper:
            raise ContradictionError(
                f"layer {self.changes.layer.number}: a proof says that no patch is smaller than "
                f"{self.lower!r}, and one of {self.upper!r} was judged good: please report this"
            )

    def _case(
        self,
        verifier: PatchVerifier,
        entering: Sources,
        rest: StandardForm,
        clauses: tuple[Clause, ...],
        searcher: Searcher,
        limit: Limit,
    ) -> Bracket:
        formulated = self.asked = self._formulate(verifier, entering, rest, clauses)
        bracket = searcher.linear(formulated, limit.until)
        if bracket is None and searcher.hopeless(formulated, limit.until):
            bracket = Bracket(inf, Evidence.SOLVER)
        if bracket is None:
            bracket = Bracket()
            if not self.options.published:
                known = None if self.best is None else self.best.change
                bracket = searcher.begin(formulated, known, limit.until)
                self._adopt(formulated, bracket)
                large = formulated.question.form.inputs > LARGE
                end = limit.share(1.0 if large else BY_INPUT_SHARE, searcher.nodes)
                bracket = self._alone(verifier, entering, rest, clauses, bracket, searcher, end)
            if bracket.lower == inf:
                return bracket
            bracket = searcher.run(formulated, bracket, self.upper, limit)
        self._adopt(formulated, bracket)
        return bracket

    def _adopt(self, formulated: PatchQuestion, bracket: Bracket) -> None:
        if bracket.witness is not None and bracket.upper < self.upper:
            self.best = formulated.replays.of(bracket.witness)

    def _formulate(
        self,
        verifier: PatchVerifier,
        entering: Sources,
        rest: StandardForm,
        clauses: tuple[Clause, ...],
    ) -> PatchQuestion:
        """The question in the variables that the options, or else its size, ask for."""
        options = self.options
        linear = not rest.hidden and all(clause.plain for clause in clauses)
        possible = projectable(self.changes, len(clauses), self.norm)
        automatic = options.engine == "auto" and not options.published and not linear
        neurons = options.engine == "neurons" or (automatic and possible)
        self.engine = "neurons" if neurons else "weights"
        if linear and options.search in ("auto", "tree"):
            self.engine = "linear program"
        formulate = by_neuron if neurons else by_weight
        return formulate(verifier, entering, rest, clauses, marks=options.marks)

    def _alone(
        self,
        verifier: PatchVerifier,
        entering: Sources,
        rest: StandardForm,
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
            formulated = self._one(verifier, entering, rest, clause, i)
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
                if least.upper <= bracket.lower:
                    continue
                least = searcher.run(formulated, least, bracket.upper, stop)
            bracket = bracket.tighten(Unsat(least.lower, least.evidence))
        return bracket

    def _patch(
        self,
        searcher: Searcher | None,
        *,
        interrupted: bool = False,
    ) -> Patch:
        verified = self.best
        weight, bias = (None, None) if verified is None else self.changes.split(verified.change)
        made = Patch(
            network=self.network,
            layer=self.changes.layer,
            norm=self.norm.value,
            inputs=self.inputs,
            goals=self.goals,
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
        solved = made.closed and not made.infeasible and searcher is not None
        return replace(made, note="") if solved else made
