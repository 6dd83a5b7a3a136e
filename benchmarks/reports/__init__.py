"""The tables and pictures of the suites, made of their rows; numbers only."""
