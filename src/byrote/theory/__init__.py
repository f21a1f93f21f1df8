"""What can be computed exactly, or estimated: memorisers, kernels, complexities, stability, bounds."""
