"""What a trained network makes of one input on its way: maps of layers, weights, and where it looks."""
