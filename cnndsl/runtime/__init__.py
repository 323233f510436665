"""What runs networks: the only part that imports torch."""
