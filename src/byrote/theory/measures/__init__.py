"""Measures of a trained network that are meant to say how well it generalises: a file each."""
