"""Empirical Rademacher complexity of what training can reach, for growing n and growing networks."""
