from marapatch import load
from marapatch.data.fetch import locate
from marapatch.formats.vnnlib.reader import read_property
from marapatch.solvers import create
from marapatch.verification.api import verify

network = load(locate("acasxu/onnx/ACASXU_run2a_2_1_batch_2000.onnx"))
with create("marabou") as backend:
    for number in (1, 2, 3, 4):
        asked = read_property(locate(f"acasxu/vnnlib/prop_{number}.vnnlib"))
        print(number, verify(network, asked, backend, timeout=60).status)
