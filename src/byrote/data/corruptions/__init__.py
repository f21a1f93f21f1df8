"""Corruptions of a data set, one file each, and what draws, checks and names them."""
