"""Rows over the inputs of small networks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.optimize import linprog
from small_networks import plain

from marapatch.network.cut import head
from marapatch.network.graph import Network, dense_network
from marapatch.patch_attacks.realise import InputBox, rows_of
from marapatch.problem.conditions import OutputCondition
from marapatch.witnesses.row_lp import Rows

SIZE = 7


def network(seed: int, sizes: tuple[int, ...] = (SIZE, 4, 3)) -> Network:
    return dense_network(*plain(np.random.default_rng(seed), sizes))


def problem(seed: int) -> tuple[Rows, InputBox, OutputCondition, Network]:
    """Rows over the first layer of a random network that a point of the box meets."""
    net = network(seed)
    rng = np.random.default_rng(seed + 50)
    x, goal = rng.random(SIZE), rng.random(SIZE)
    z = net.values(goal)["affine0"][0]
    sense = rng.choice([-1.0, 1.0], size=(3, 1))
    matrix = sense * rng.normal(size=(3, 4))
    condition = OutputCondition(matrix, matrix @ z - 0.05)
    domain = InputBox(x, np.zeros(SIZE), np.ones(SIZE))
    return rows_of(head(net, 0), condition, domain), domain, condition, net


def exact_least(rows: Rows, *, largest: bool = False, entries: tuple[int, ...] | None = None):
    """The optimum by scipy: of the sum, or of the largest entry; None where infeasible."""
    free = np.zeros(SIZE, dtype=bool)
    free[list(range(SIZE) if entries is None else entries)] = True
    low, high = np.where(free, rows.lower, 0.0), np.where(free, rows.upper, 0.0)
    eye, one = np.eye(SIZE), np.ones((SIZE, 1))
    count = 1 if largest else SIZE
    bound = one if largest else eye
    a = np.vstack(
        [
            np.hstack([-rows.matrix, np.zeros((len(rows.rhs), count))]),
            np.hstack([eye, -bound]),
            np.hstack([-eye, -bound]),
        ]
    )
    b = np.concatenate([-rows.rhs, np.zeros(2 * SIZE)])
    cost = np.concatenate([np.zeros(SIZE), np.ones(count)])
    bounds = [*zip(low, high, strict=True), *[(0.0, None)] * count]
    solved = linprog(cost, A_ub=a, b_ub=b, bounds=bounds)
    return solved.fun if solved.status == 0 else None


def exact_fewest(rows: Rows) -> int:
    for k in range(SIZE + 1):
        if any(exact_least(rows, entries=c) is not None for c in combinations(range(SIZE), k)):
            return k
    raise AssertionError("the rows have no solution")
