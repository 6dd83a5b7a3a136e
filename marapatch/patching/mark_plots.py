"""Pictures of marked networks: the neurons as a graph, coloured by their marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import networkx as nx
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from marapatch.errors import InputError
from marapatch.patching.mark_graph import MARKS, Marking
from marapatch.reporting.pictures import check_format, save

MOST_NEURONS = 400
"""A network with more neurons than this, inputs included, is no picture that could be read."""

NAMED = 24
"""Neurons of layers of at most this many are drawn with their numbers."""

COLOURS: Mapping[str, str] = MappingProxyType(
    {"increment": "tab:green", "decrement": "tab:red", "free": "tab:gray", "none": "white"}
)


def plot_marking(marking: Marking, path: Path) -> None:
    """Draw the marked graph, a column a layer, the inputs left; edges by the sign of their weight.

    Raises InputError where the network is too large (:data:`MOST_NEURONS`) or the file cannot be
    written.
    """
    check_format(path)
    graph = marking.graph
    if len(graph) > MOST_NEURONS:
        raise InputError(
            f"{path}: {len(graph)} neurons are too many to draw (at most {MOST_NEURONS}); "
            "use --json"
        )
    tallest = max(marks.size for marks in marking.layers)
    size = (2.0 + 2.2 * len(marking.layers), 1.5 + 0.35 * min(tallest, 60))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    place = {  # number 0 on top
        (layer, i): (layer, ((marking.layers[layer].size - 1) / 2 - i) / tallest)
        for layer, i in graph
    }
    signs = [
        "tab:blue" if weight > 0.0 else "tab:orange"
        for *_, weight in graph.edges(data="weight", default=0.0)
    ]
    many = max(1, graph.number_of_edges())
    nx.draw_networkx_edges(
        graph, place, ax=axes, edge_color=signs, alpha=min(0.8, 60.0 / many + 0.05), arrows=False
    )
    radius = 320 if tallest <= NAMED else 40
    nx.draw_networkx_nodes(
        graph,
        place,
        ax=axes,
        node_size=radius,
        node_color=[COLOURS[mark] for _, mark in graph.nodes(data="mark")],
        edgecolors="black",
        linewidths=0.5,
    )
    named = {n: str(n[1]) for n in graph if marking.layers[n[0]].size <= NAMED}
    if tallest <= NAMED:
        nx.draw_networkx_labels(graph, place, labels=named, ax=axes, font_size=8)
    dots = [
        Line2D([], [], marker="o", linestyle="", markeredgecolor="black", color=COLOURS[m], label=m)
        for m in MARKS
    ]
    lines = [
        Line2D([], [], color="tab:blue", label="weight > 0"),
        Line2D([], [], color="tab:orange", label="weight < 0"),
    ]
    figure.legend(handles=[*dots, *lines], loc="outside lower center", ncols=6, fontsize=8)
    axes.set_axis_off()
    save(figure, path)
