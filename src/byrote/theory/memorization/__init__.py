"""What single examples do to a network, by networks trained on random halves: memorization, influence, membership."""
