"""``marapatch mark``: which way each neuron has to move to make a class win."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marapatch.cli.options import (
    MAX_MEMORY,
    DecisionName,
    DecisionOption,
    MaxMemoryOption,
    NetworkArgument,
)

if TYPE_CHECKING:
    from rich.table import Table

    from marapatch.patching.mark_graph import Marking

SIGNS = {"increment": "+", "decrement": "-", "free": "*", "none": "."}
WRITTEN = 64
"""A layer of at most this many neurons is printed mark by mark."""

EPILOG = """A neuron is marked by the signs of the weights along all its paths to the outputs that
matter: + increment (raising it only helps the class), - decrement (lowering it only helps), * free
(paths of both signs), . none (no path).

Examples:

marapatch mark net.onnx --target 3

marapatch mark net.onnx --target 1 --plot marks.png --json marks.json
"""


def command(
    *,
    network: NetworkArgument,
    target: Annotated[
        int, typer.Option(metavar="K", help="The class that should win over all others.")
    ],
    decision: DecisionOption = DecisionName.ARGMAX,
    max_memory: MaxMemoryOption = MAX_MEMORY,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every mark as JSON.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw a small network's graph (.png, .svg, .pdf)."),
    ] = None,
) -> None:
    """Mark every neuron: does raising it help the class, lowering it, or neither surely?

    What has a mark can be left out of a search on its other side: a change against it never helps.
    """
    from marapatch.cli.answer import answer
    from marapatch.data.bundled import resolve
    from marapatch.files.atomic_write import check_outputs, write_whole
    from marapatch.network.load import load
    from marapatch.patching.mark_graph import mark
    from marapatch.reporting.json_text import dump

    path = resolve(network, "network")
    net = load(path)
    marking = mark(net, target, decision=decision.value)
    outputs = [file for file in (json_file, plot) if file is not None]
    check_outputs(outputs, [Path(path)])
    if plot is not None:
        from marapatch.patching.mark_plots import (
            plot_marking,  # matplotlib takes a second to import
        )

        plot_marking(marking, plot)
    if json_file is not None:
        write_whole(json_file, dump(_content(marking, path, target, decision.value)))
    with answer(width=160) as console:
        console.print(f"marks for class {target} to win ({decision.value}):")
        console.print(_table(marking))
        for k, marks in enumerate(marking.layers):
            if marks.size <= WRITTEN:
                console.print(f"{_name(marking, k)}: {''.join(SIGNS[m] for m in marks.tolist())}")
        console.print("+ increment, - decrement, * free (mixed paths), . none (no path)")


def _name(marking: Marking, layer: int) -> str:
    if layer == 0:
        return "inputs"
    return "outputs" if layer == len(marking.layers) - 1 else f"ReLU layer {layer}"


def _table(marking: Marking) -> Table:
    from rich.table import Table

    rows = marking.table()
    drawn = Table("layer", *list(rows[0])[1:], box=None, pad_edge=False)
    for column in drawn.columns[1:]:
        column.justify = "right"
    for row in rows:
        drawn.add_row(_name(marking, row["layer"]), *(str(n) for n in list(row.values())[1:]))
    return drawn


def _content(marking: Marking, path: str, target: int, decision: str) -> dict[str, Any]:
    return {
        "marapatch": "mark",
        "schema_version": 1,
        "network": path,
        "target": target,
        "decision": decision,
        "table": list(marking.table()),
        "layers": [marks.tolist() for marks in marking.layers],
    }
