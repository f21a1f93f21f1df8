"""Table 4: whether explicit regularisers keep a network from fitting random labels."""
