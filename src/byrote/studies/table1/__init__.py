"""Table 1: what explicit regularisers do to train and test accuracy, on true labels, beside random labels."""
