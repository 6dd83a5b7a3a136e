import numpy as np
from maraboupy import Marabou

from marapatch.data.bundled import resolve

network = Marabou.read_onnx(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")) / 255
x, y = network.inputVars[0].reshape(28, 28), network.outputVars[0].flatten()
reach = np.zeros((28, 28))
reach[11:17, 11:17] = 1  # only these pixels may change
for rival in range(10):
    if rival != 3:
        network.addInequality([y[rival], y[3]], [1, -1], 0)
options = Marabou.createOptions(verbosity=0)
lower, upper = 0.0, 1.0
while upper - lower > 1e-2:
    radius = (lower + upper) / 2
    low = np.maximum(seven - radius * reach, 0)
    high = np.minimum(seven + radius * reach, 1)
    for variable, least, most in zip(x.flat, low.flat, high.flat, strict=True):
        network.setLowerBound(variable, least)
        network.setUpperBound(variable, most)
    code, values, _ = network.solve(verbose=False, options=options)
    if code == "sat":
        upper = max(abs(values[v] - pixel) for v, pixel in zip(x.flat, seven.flat, strict=True))
    elif code == "unsat":
        lower = radius
    else:
        raise RuntimeError(code)
print(f"nearest 3: between {lower:.4f} and {upper:.4f}")
