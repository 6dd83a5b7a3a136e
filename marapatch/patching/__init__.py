"""Minimal patches: the least change of one layer's weights after which inputs are decided as
wanted, with a proved lower bound (Goldberger et al., LPAR-23; ARCHITECTURE: 2)."""
