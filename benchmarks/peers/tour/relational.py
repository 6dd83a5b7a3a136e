import numpy as np
from maraboupy import Marabou
from maraboupy.parsers.InputQueryBuilder import InputQueryBuilder

rng = np.random.default_rng(1)
W1, W2, b1 = rng.normal(size=(8, 4)), rng.normal(size=(1, 8)), rng.normal(size=8)


def score(query, inputs):
    outputs = []
    for row, constant in zip(W1, b1, strict=True):
        before, after = query.getNewVariable(), query.getNewVariable()
        query.addEquality([before, *inputs], [1, *-row], constant)
        query.addRelu(before, after)
        outputs.append(after)
    result = query.getNewVariable()
    query.addEquality([result, *outputs], [1, *-W2[0]], 0)
    return result


lower, upper, found = 0.0, float(abs(W2[0]) @ abs(W1[:, 0])), None
while upper - lower > 1e-3:
    gap = (lower + upper) / 2
    query = InputQueryBuilder()
    one = [query.getNewVariable() for _ in range(4)]
    other = [query.getNewVariable() for _ in range(4)]
    for variable in one + other:
        query.setLowerBound(variable, 0)
        query.setUpperBound(variable, 1)
    for a, b in zip(one[1:], other[1:], strict=True):  # alike but for the protected entry 0
        query.addEquality([a, b], [1, -1], 0)
    query.addInequality([score(query, other), score(query, one)], [1, -1], -gap)
    options = Marabou.createOptions(verbosity=0)
    code, values, _ = Marabou.solve_query(query.getInputQuery(), verbose=False, options=options)
    if code == "sat":
        lower, found = gap, values
    elif code == "unsat":
        upper = gap
    else:
        raise RuntimeError(code)
print(f"people alike score at most {upper:.3f} apart; for instance {lower:.3f}:")
print(np.round([found[v] for v in one], 3), np.round([found[v] for v in other], 3))
