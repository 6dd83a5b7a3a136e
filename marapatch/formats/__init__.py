"""Queries and properties in the file formats of the field."""

from marapatch.formats.ipq import load_and_solve, save_ipq, variable_map
from marapatch.formats.mps import write_milp
from marapatch.formats.smtlib import smtlib
from marapatch.formats.vnnlib.writer import property_query, vnnlib_text
from marapatch.formats.writing import SUFFIXES, files_of, write_query

__all__ = [
    "SUFFIXES",
    "files_of",
    "load_and_solve",
    "property_query",
    "save_ipq",
    "smtlib",
    "variable_map",
    "vnnlib_text",
    "write_milp",
    "write_query",
]
