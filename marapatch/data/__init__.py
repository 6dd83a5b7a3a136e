"""Benchmark files by name: the catalogue, fetching, and the examples that come with marapatch."""
