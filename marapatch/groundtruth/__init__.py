"""Ground truths: the nearest input that changes the decision, bracketed."""
