"""The full grid of regularisers: which of them make a network generalise, and does any keep it from memorising?"""
