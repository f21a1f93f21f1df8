"""What is known by rote, example by example, and who can tell what a network was trained on."""
