"""What happens to each example while somebody else's loop trains: recorded by example and epoch, and read again."""
