"""Kernels, interpolation of minimum norm in their spaces, and the solvers behind it."""
