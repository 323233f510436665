"""A network's picture: its outline, what of it is looked into, and the style that suits it."""

from __future__ import annotations

from importlib import import_module

from cnndsl.draw.blame import blamed
from cnndsl.draw.faults import Faults
from cnndsl.draw.fold import EVERYTHING, folded
from cnndsl.draw.fold import only as part_named
from cnndsl.draw.outline import Item, outline
from cnndsl.draw.page.build import Spec, explored
from cnndsl.draw.scene import Scene
from cnndsl.draw.styles import STYLES
from cnndsl.draw.wanted import Wanted
from cnndsl.graph import Graph
from cnndsl.measure import Analysis

GRAPH = "graph"
"""The style that shows boxes as they are asked for; the others choose for themselves what they open."""
NO_FAULTS = Faults({}, ())


def picture(
    graph: Graph,
    analysis: Analysis,
    faults: Faults = NO_FAULTS,
    wanted: Wanted = Wanted(),  # noqa: B008
    style: str | None = None,
    depth: int | None = None,
    unfold: tuple[str, ...] = (),
    fold: tuple[str, ...] = (),
    only: str | None = None,
    spec: Spec | None = None,
) -> Scene:
    """The picture of a network, in the style that suits it if none is named.

    depth: how many levels of blocks are looked into, None for what the style finds best; unfold, fold: names of those
    that are or are not, whatever the depth. only: the block to draw, instead of the network. spec: what a page that
    folds shows besides; None if the scene needs no model. Raises NoSuchItem.
    """
    network = outlined(graph, analysis, faults, only)
    model = None if spec is None else explored(network, spec, wanted, depth, unfold, fold)
    chosen = style or default_style(network)
    if chosen == GRAPH:
        wanted = wanted._replace(adapt=depth is None and not unfold)
    elif depth is None:
        depth = EVERYTHING
    scene: Scene = import_module(f"cnndsl.draw.styles.{chosen}").scene(folded(network, depth, unfold, fold), wanted)
    scene = blamed(scene, faults.loose, wanted.size, fixed=wanted.width is not None)
    return scene._replace(faults=(*scene.faults, *faults.loose), model=model)


def outlined(graph: Graph, analysis: Analysis, faults: Faults = NO_FAULTS, only: str | None = None) -> Item:
    """What there is to draw of a network, or of one of its blocks. Raises NoSuchItem."""
    whole = outline(graph, analysis, faults.by_node)
    return part_named(whole, only) if only is not None else whole


def default_style(network: Item) -> str:
    """The name of the style for a network: `layers` for chains, `volumes` for what is deep or branches."""
    from cnndsl.draw.styles.layers import fits

    return STYLES[0] if fits(network) else STYLES[1]
