"""AIGENT: a patch found by halving the network, turned into an adversarial input (Khan, Madhukar,
Sharma)."""
