"""Trees of digits, expanded for a while."""

from __future__ import annotations

from math import inf

from marapatch.problem.bracket import Bracket
from marapatch.problem.question import Question
from marapatch.problem.verdict import Evidence
from marapatch.search.branch_and_bound.relu_tree import ReluTree
from marapatch.search.options import SearchOptions
from marapatch.solvers import create

TOLERANCE = 1e-4


OPTIONS = SearchOptions(tolerance=TOLERANCE, evidence=Evidence.BOUND, nodes=2000)


def expanded(question: Question, start: Bracket, options: SearchOptions, memory: int) -> ReluTree:
    backend = create("highs")
    tree = ReluTree(question, start, backend, options, lambda *_: None)
    tree.open_nodes.memory = memory
    tree.advance(inf, options.most_nodes)
    backend.close()
    return tree
