import numpy as np
from maraboupy import Marabou

from marapatch.data.bundled import resolve

network = Marabou.read_onnx(resolve("example:mnist_3x24", "network"))
seven = np.load(resolve("example:seven", "image")) / 255
x, y = network.inputVars[0].reshape(28, 28), network.outputVars[0].flatten()
for variable, pixel in zip(x.flat, seven.flat, strict=True):
    network.setLowerBound(variable, pixel)
    network.setUpperBound(variable, pixel)
window, sizes = x[12:20, 8:20], []  # rows 12..19, columns 8..19 may change
for variable, pixel in zip(window.flat, seven[12:20, 8:20].flat, strict=True):
    network.setLowerBound(variable, 0)
    network.setUpperBound(variable, 1)
    more, less = network.getNewVariable(), network.getNewVariable()
    for part in (more, less):
        network.setLowerBound(part, 0)
        network.setUpperBound(part, 1)
    network.addEquality([variable, more, less], [1, -1, 1], pixel)
    sizes += [more, less]
network.addInequality(sizes, [1] * len(sizes), 12)
ink = seven[12:20, 8:20].sum()
network.addEquality(window.flatten(), [1] * window.size, ink)  # the ink is only moved
for rival in range(10):
    if rival != 3:
        network.addInequality([y[rival], y[3]], [1, -1], 0)
code, values, _ = network.solve(verbose=False, options=Marabou.createOptions(verbosity=0))
print(np.vectorize(values.get)(window).round(1) if code == "sat" else code)
