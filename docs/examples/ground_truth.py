import numpy as np

from marapatch import load
from marapatch import modelling as mp
from marapatch.data.bundled import resolve

network = load(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")) / 255
problem = mp.Problem()
window = problem.array("window", (6, 6), 0, 1)  # only these pixels may change
x = mp.insert(seven, (slice(11, 17), slice(11, 17)), window)
problem.require(mp.decides(network(x), 3))
found = problem.minimise(mp.norm_inf(x - seven), tolerance=1e-2)
print(f"nearest 3: between {found.lower:.4f} and {found.upper:.4f}")
