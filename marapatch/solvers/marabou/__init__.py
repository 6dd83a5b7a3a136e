"""Marabou behind the solver protocol: requests, and a worker process that alone imports it."""
