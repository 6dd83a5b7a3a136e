import numpy as np
import onnx
from maraboupy import Marabou
from maraboupy.parsers.InputQueryBuilder import InputQueryBuilder
from onnx import numpy_helper

from marapatch.data.bundled import resolve

model = onnx.load(resolve("example:mnist_3x24", "network"))
numbers = [numpy_helper.to_array(t).astype(float) for t in model.graph.initializer]
hidden = np.load(resolve("example:seven", "image")).ravel() / 255
for weight, bias in zip(numbers[0:6:2], numbers[1:6:2], strict=True):
    hidden = np.maximum(weight @ hidden + bias, 0)
weight, bias = numbers[6:]
query = InputQueryBuilder()
change = np.array([query.getNewVariable() for _ in range(weight.size)]).reshape(weight.shape)
y = [query.getNewVariable() for _ in bias]
for output, row, fixed in zip(y, change, weight @ hidden + bias, strict=True):
    query.addEquality([output, *row], [1, *-hidden], fixed)
for rival in range(10):
    if rival != 3:
        query.addInequality([y[rival], y[3]], [1, -1], -0.1)
options = Marabou.createOptions(verbosity=0)
lower, upper, found = 0.0, 1.0, None
while upper - lower > 1e-4:
    radius = (lower + upper) / 2
    for variable in change.flat:
        query.setLowerBound(variable, -radius)
        query.setUpperBound(variable, radius)
    code, values, _ = Marabou.solve_query(query.getInputQuery(), verbose=False, options=options)
    if code == "sat":
        found = np.vectorize(values.get)(change)
        upper = abs(found).max()
    elif code == "unsat":
        lower = radius
    else:
        raise RuntimeError(code)
print(f"largest change: between {lower:.5f} and {upper:.5f}")
print("now decided:", ((weight + found) @ hidden + bias).argmax())
