"""More parameters than examples: what happens to test error as networks grow past the point where they"""
