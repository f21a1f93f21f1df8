"""From a name, a path or arrays to a Dataset; corruptions; preprocessing."""
