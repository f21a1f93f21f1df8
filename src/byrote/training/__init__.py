"""One run of training: what defines it, the loop, what it leaves behind."""
