"""Networks: read from files, evaluated, rewritten as affine maps and ReLUs."""
