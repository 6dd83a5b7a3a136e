"""The standard form: affine maps with ReLUs between them, and what rewrites a network into it."""
