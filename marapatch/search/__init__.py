"""Searches for the least distance: each takes a question and a bracket and returns a tighter one."""
