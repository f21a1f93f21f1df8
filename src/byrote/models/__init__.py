"""Architectures of the paper, and the catalogue that finds any other by name."""
