"""How much one example matters to a network, on true and on random labels: uniform stability, measured"""
