"""Pictures of what a run came to, as scenes: curves, tables of confusions, grids of small pictures."""
