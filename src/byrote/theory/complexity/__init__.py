"""How much a class of functions, or a network and its recipe, can fit: Rademacher complexity, capacity, stability."""
