import numpy as np

from marapatch import load
from marapatch import modelling as mp
from marapatch.data.bundled import resolve

network = load(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")).ravel() / 255
problem = mp.Problem()
patched = network.with_free_weights(problem, layer=-1, within=1.0)
problem.require(mp.decides(patched(seven), 3, margin=0.1))
found = problem.minimise(mp.norm_inf(patched.weight_change), tolerance=1e-4)
print(f"largest change: between {found.lower:.5f} and {found.upper:.5f}")
weights = network.weights(patched.node)[0] + found.solution["change"]
print("now decided:", network.with_weights(patched.node, weights).evaluate(seven).argmax())
