"""Table 2: regularisers, random labels and early stopping at the scale of ImageNet."""
