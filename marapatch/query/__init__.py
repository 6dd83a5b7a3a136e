"""Queries: linear rows, ReLUs and disjunctions over bounded variables, and how a question becomes
one."""
