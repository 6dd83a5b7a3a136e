import numpy as np
from maraboupy import Marabou

from marapatch.data.fetch import locate

FAR = [(0.6, 0.679857769), (-0.5, 0.5), (-0.5, 0.5), (0.45, 0.5), (-0.5, -0.45)]
AHEAD = [(-0.303531156, -0.298552812), (-0.009549297, 0.009549297)]
TOWARDS = [*AHEAD, (0.493380324, 0.5), (0.3, 0.5), (0.3, 0.5)]
AWAY = [*AHEAD, (0.0, 0.0), (0.318181818, 0.5), (0.083333333, 0.166666667)]
MOST = [({0: -1, j: 1}, 0) for j in range(1, 5)]  # rows of coefficients * outputs <= number
LEAST = [({0: 1, j: -1}, 0) for j in range(1, 5)]
PROPERTIES = {
    1: (FAR, [({0: -1}, -3.991125645861615)]),
    2: (FAR, MOST),
    3: (TOWARDS, LEAST),
    4: (AWAY, LEAST),
}
options = Marabou.createOptions(verbosity=0, timeoutInSeconds=60)
for number, (box, rows) in PROPERTIES.items():
    network = Marabou.read_onnx(locate("acasxu/onnx/ACASXU_run2a_2_1_batch_2000.onnx"))
    x, y = network.inputVars[0].flatten(), network.outputVars[0].flatten()
    for variable, (low, high) in zip(x, box, strict=True):
        network.setLowerBound(variable, low)
        network.setUpperBound(variable, high)
    for row, bound in rows:
        network.addInequality(y[np.array(list(row))], list(row.values()), bound)
    print(number, network.solve(verbose=False, options=options)[0])
