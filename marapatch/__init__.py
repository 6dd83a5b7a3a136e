"""Ground-truth adversarial examples and minimal patches, with proof."""
