import numpy as np

from marapatch import load
from marapatch import modelling as mp
from marapatch.data.bundled import resolve

network = load(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")) / 255
problem = mp.Problem()
window = problem.array("window", (8, 12), 0, 1)  # rows 12..19, columns 8..19 may change
x = mp.insert(seven, (slice(12, 20), slice(8, 20)), window)
change = (x - seven).ravel()
problem.require(mp.decides(network(x), 3), change.sum() == 0)  # the ink is only moved
problem.require(mp.norm1(change) <= 12)
print(problem.solve()["window"].round(1))
