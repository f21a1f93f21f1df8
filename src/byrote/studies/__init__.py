"""Experiments: which runs to make, how to read them, what they show."""
