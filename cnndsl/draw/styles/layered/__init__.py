"""Boxes in ranks and lines with corners between them (Sugiyama, Tagawa and Toda 1981), for one level of a drawing.

    Level --ranks, grid--> cells --order--> few crossings --place--> where across --tracks, columns, routes--> Laid

Nothing is random, and nothing takes more than a little longer than the number of cells: the same level is laid out
alike on every machine.
"""

from __future__ import annotations

from cnndsl.draw.styles.layered.grid import Grid
from cnndsl.draw.styles.layered.level import Laid, Level, Spacing, Spot, Wire, usual
from cnndsl.draw.styles.layered.order import ordered, torn
from cnndsl.draw.styles.layered.place import STEP, Placed
from cnndsl.draw.styles.layered.routes import Routes, straightened


def laid_out(level: Level) -> Laid:
    """Where the boxes of a level stand, and how its lines run."""
    grid = Grid(level)
    ordered(grid)
    while spots := torn(grid):
        grid = Grid(level, grid.single | spots)
        ordered(grid)
    routes = Routes(grid, Placed(grid))
    cuts = routes.wanted_cuts()
    if cuts and level.near:
        # The ways between columns are on the far side: there lanes need not cross what they skip.
        return laid_out(level._replace(near=False))
    return (Routes(grid, Placed(grid, cuts)) if cuts else routes).laid()


__all__ = ["STEP", "Laid", "Level", "Spacing", "Spot", "Wire", "laid_out", "straightened", "usual"]
