"""Rigorous bounds on the values a network takes over a ball: outward-rounded, with their scope."""
