import numpy as np

from marapatch import load
from marapatch import modelling as mp
from marapatch.bundled import resolve

network = load(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")).ravel() / 255
problem = mp.Problem()
x = problem.array("x", 784, 0, 1)
change = x - seven
problem.require(mp.decides(network(x), 3), change.reshape(28, 28)[:14].sum() == 0)
problem.require(mp.norm1(change) <= 12)  # and the upper half keeps its ink
answer = problem.solve()
print(type(answer).__name__, np.abs(answer["x"] - seven).sum().round(3))
