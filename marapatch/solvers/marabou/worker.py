"""The process that runs Marabou: the only importer of maraboupy.

Started as a script by :mod:`marapatch.solvers.marabou.backend`, never imported by the library. It
imports nothing of marapatch, so that it starts at once and maps little memory before its limit is
set. Requests and replies are binary frames on the original stdin and stdout; file descriptor 1 is
then pointed at the null device, so that nothing Marabou prints can reach a frame.

Request: 8 bytes, the size (little-endian), then a pickled dict of arrays (see :func:`build`).
Reply: 16 bytes, the sizes of two parts (little-endian); a UTF-8 text ``code\\nmessage``; float64
values, one a variable, present where the code is ``sat`` (NaN where Marabou gave none).
"""

from __future__ import annotations

import ctypes
import math
import os
import pickle
import resource
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

REUSABLE = frozenset({"sat", "unsat", "timeout", "unknown", "saved"})
"""After any other code the process ends: Marabou's state is global and not to be trusted then."""


def main() -> None:
    """Serve requests until stdin ends, the parent dies or something goes wrong."""
    parent, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    messages = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
    os.dup2(messages.fileno(), 2)
    try:
        from maraboupy import MarabouCore  # noqa: PLC0415  # a failure is told to the parent
    except ImportError as error:
        reply(replies, "import-error", str(error))
        return
    limit_memory(memory_bytes)
    reply(replies, "ready")
    while True:
        try:
            request = receive(sys.stdin.buffer)
            if request is None:
                return
            code, message, values = answer(MarabouCore, request, messages)
        except MemoryError:
            code, message, values = "memory", "out of memory", None
        reply(replies, code, message, values)
        if code.lower() not in REUSABLE:
            return


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (elsewhere stdin's end does it)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def limit_memory(memory_bytes: int) -> None:
    """Limit the address space to what is mapped now plus ``memory_bytes``."""
    mapped = 0
    if sys.platform == "linux":
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        mapped = int(pages) * resource.getpagesize()
    limit = mapped + memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """The next request; None where the stream has ended."""
    header = stream.read(8)
    if len(header) < 8:
        return None
    (size,) = struct.unpack("<Q", header)
    body = stream.read(size)
    if len(body) < size:
        return None
    request: dict[str, Any] = pickle.loads(body)
    return request


def reply(stream: BinaryIO, code: str, message: str = "", values: np.ndarray | None = None) -> None:
    """Write one frame and flush it."""
    text = f"{code}\n{message}".encode()
    data = b"" if values is None else values.astype("<f8").tobytes()
    stream.write(struct.pack("<QQ", len(text), len(data)) + text + data)
    stream.flush()


def answer(
    core: Any, request: dict[str, Any], messages: BinaryIO
) -> tuple[str, str, np.ndarray | None]:
    """Build and solve one query: (code, message, values). Codes are Marabou's, or our own:
    ``invalid``, ``exception``, ``saved``.

    With ``save`` the query is only written to that file; with ``load`` it is read from that file
    instead of being built.
    """
    lower, upper = request["lower"], request["upper"]
    if not (lower <= upper).all():  # Marabou answers `sat` to contradictory bounds
        return "invalid", "contradictory bounds", None
    messages.seek(0)
    messages.truncate()
    try:
        options = core.Options()
        for name, value in request["options"].items():
            setattr(options, name, value)
        if "save" in request:
            core.saveQuery(build(core, request), request["save"])
            return "saved", "", None
        query = core.loadQuery(request["load"]) if "load" in request else build(core, request)
        code, found, _ = core.solve(query, options, "")
    except (RuntimeError, ValueError, TypeError, IndexError) as error:  # all that pybind11 raises
        return "exception", str(error), None
    messages.seek(0)
    said = messages.read().decode(errors="replace").strip()
    if code.lower() != "sat":
        return code, said, None
    values = np.array([found.get(i, math.nan) for i in range(lower.size)], dtype=np.float64)
    return code, said, values


def build(core: Any, request: dict[str, Any]) -> Any:
    """The Marabou query of a request.

    ``lower``, ``upper``: bounds, infinite where there is none. ``inputs``: variables to mark as
    the network's inputs. ``rows``: a list of rows (sense, variables, coefficients, right-hand
    side). ``relu``: pairs (input, output). ``or``: disjunctions, each a list of cases, each a
    list of rows.
    """
    query = core.InputQuery()
    query.setNumberOfVariables(request["lower"].size)
    for i, bound in enumerate(request["lower"].tolist()):
        if math.isfinite(bound):
            query.setLowerBound(i, bound)
    for i, bound in enumerate(request["upper"].tolist()):
        if math.isfinite(bound):
            query.setUpperBound(i, bound)
    for i, variable in enumerate(request["inputs"]):
        query.markInputVariable(variable, i)
    for row in request["rows"]:
        query.addEquation(equation(core, row))
    for source, output in request["relu"]:
        core.addReluConstraint(query, source, output)
    for cases in request["or"]:
        core.addDisjunctionConstraint(
            query, [[equation(core, row) for row in case] for case in cases]
        )
    return query


def equation(core: Any, row: tuple[str, np.ndarray, np.ndarray, float]) -> Any:
    """One linear row in Marabou's terms."""
    sense, variables, coefficients, rhs = row
    kind = core.Equation
    result = kind({"=": kind.EQ, "<=": kind.LE, ">=": kind.GE}[sense])
    for variable, coefficient in zip(variables.tolist(), coefficients.tolist(), strict=True):
        result.addAddend(coefficient, variable)
    result.setScalar(rhs)
    return result


if __name__ == "__main__":
    main()
