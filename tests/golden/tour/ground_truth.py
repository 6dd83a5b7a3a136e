import numpy as np

from marapatch import load
from marapatch import modelling as mp
from marapatch.bundled import resolve

network = load(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")).ravel() / 255
window = np.zeros((28, 28), bool)
window[11:17, 11:17] = True  # only these pixels may change
problem = mp.Problem()
x = problem.array("x", 784, np.where(window.ravel(), 0, seven), np.where(window.ravel(), 1, seven))
problem.require(mp.decides(network(x), 3))
found = problem.minimise(mp.norm_inf(x - seven), tolerance=1e-2)
print(f"nearest 3: between {found.lower:.4f} and {found.upper:.4f}")
