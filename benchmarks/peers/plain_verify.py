"""A VNN-LIB property by plain maraboupy: bounds, output rows, solve, once a disjunct.

What a user writes with maraboupy, but for reading the property.
"""

import sys
import time

from maraboupy import Marabou

from marapatch.formats.vnnlib.reader import read_property

network, specification, timeout = sys.argv[1], read_property(sys.argv[2]), float(sys.argv[3])
started, answer = time.monotonic(), "unsat"
for case in specification.cases:
    for condition in case.conditions:
        net = Marabou.read_onnx(network)
        inputs, outputs = net.inputVars[0].flatten(), net.outputVars[0].flatten()
        for v, low, high in zip(inputs, case.lower, case.upper, strict=True):
            net.setLowerBound(v, low)
            net.setUpperBound(v, high)
        for row, rhs in zip(condition.matrix, condition.rhs, strict=True):
            net.addInequality(outputs.tolist(), (-row).tolist(), -rhs)
        left = timeout - (time.monotonic() - started)
        options = Marabou.createOptions(verbosity=0, timeoutInSeconds=max(1, int(left)))
        code = "timeout" if left <= 0 else net.solve(verbose=False, options=options)[0]
        if code == "sat":
            print("verdict sat")
            sys.exit()
        answer = answer if code == "unsat" else code
print("verdict", answer)
