"""Queries and properties in the file formats of the field."""

from marapatch.formats.ipq import load_and_solve, save_ipq, variable_map
from marapatch.formats.mps import write_milp
from marapatch.formats.smtlib import smtlib
from marapatch.formats.vnnlib import property_query, vnnlib

__all__ = [
    "load_and_solve",
    "property_query",
    "save_ipq",
    "smtlib",
    "variable_map",
    "vnnlib",
    "write_milp",
]
