"""Branch and bound over ReLU phases, or over halves of the input box."""
