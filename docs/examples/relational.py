import numpy as np

from marapatch import modelling as mp
from marapatch.network.graph import dense_network

rng = np.random.default_rng(1)
score = dense_network([rng.normal(size=(8, 4)), rng.normal(size=(1, 8))], [rng.normal(size=8), [0]])
problem = mp.Problem()
one, other = problem.array("one", 4, 0, 1), problem.array("other", 4, 0, 1)
problem.require(one[1:] == other[1:])  # alike but for the protected entry 0
gap = problem.minimise(score(other)[0] - score(one)[0], tolerance=1e-3)
print(f"people alike score at most {-gap.lower:.3f} apart; for instance {-gap.upper:.3f}:")
print(gap.solution["one"].round(3), gap.solution["other"].round(3))
