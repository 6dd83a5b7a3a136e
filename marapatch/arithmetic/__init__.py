"""The model of arithmetic that proofs are in: IEEE double with its rounding bounds, exponentials
with rigorous ends, and rationals rounded to a named side."""
