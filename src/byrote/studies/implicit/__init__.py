"""Implicit regularisers: what early stopping and batch norm do to the accuracy on unseen data."""
