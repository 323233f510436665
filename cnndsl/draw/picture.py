"""A network's picture: its outline, what of it is looked into, and the style that suits it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cnndsl.draw.blame import blamed
from cnndsl.draw.faults import Faults
from cnndsl.draw.fold import EVERYTHING, every, folded
from cnndsl.draw.fold import only as part_named
from cnndsl.draw.outline import Changes, Item, outline
from cnndsl.draw.scene import Scene
from cnndsl.draw.styles import GRAPH, SCENES
from cnndsl.draw.wanted import Wanted
from cnndsl.graph import Graph
from cnndsl.measure import Analysis
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.draw.page.model import Spec

CHANGE = "change"
"""What colours tell where two networks are drawn as one."""
NO_FAULTS = Faults({}, ())


class Subject(Record):
    """What is to be drawn: a network, where its errors stand, and what became of its layers, if it is two in one."""

    graph: Graph
    analysis: Analysis
    faults: Faults = NO_FAULTS
    changes: Changes | None = None


class View(Record):
    """What of a network is looked at.

    depth: how many levels of blocks are open, None for what the style finds best. unfold, fold: names of those that are
    or are not, whatever the depth. only: the block to draw, instead of the network.
    """

    depth: int | None = None
    unfold: tuple[str, ...] = ()
    fold: tuple[str, ...] = ()
    only: str | None = None


WHOLE = View()


def picture(
    subject: Subject,
    wanted: Wanted = Wanted(),  # noqa: B008
    view: View = WHOLE,
    style: str | None = None,
    spec: Spec | None = None,
) -> Scene:
    """The picture of a network, in the style that suits it if none is named.

    spec: what a page that folds shows besides; None if the scene needs no model. Raises NoSuchItem and, where
    Graphviz is to lay it out, NotLaidOut.
    """
    network = outlined(subject, view.only)
    style = style or default_style(network, subject.changes)
    if subject.changes is not None:
        wanted, view = _of_two(network, wanted, view)
    model = None
    if spec is not None:
        from cnndsl.draw.page.build import explored

        model = explored(network, spec, wanted, view.depth, view.unfold, view.fold)
    depth = view.depth
    if style == GRAPH:
        wanted = wanted._replace(adapt=depth is None and not view.unfold)
    elif depth is None:
        depth = EVERYTHING
    shown = folded(network, depth, view.unfold, view.fold)
    scene: Scene = import_module(f"cnndsl.draw.styles.{style}").scene(shown, wanted)
    scene = blamed(scene, subject.faults.loose, wanted.size, fixed=wanted.width is not None)
    return scene._replace(faults=(*scene.faults, *subject.faults.loose), model=model)


def seen(subject: Subject, wanted: Wanted, view: View) -> tuple[Item, Wanted]:
    """What the terminal's picture shows: the folded network, and the settings that hold for it. Raises NoSuchItem."""
    network = outlined(subject, view.only)
    if subject.changes is not None:
        wanted, view = _of_two(network, wanted, view)
    return folded(network, view.depth, view.unfold, view.fold), wanted


def outlined(subject: Subject, only: str | None = None) -> Item:
    """What there is to draw of a network, or of one of its blocks. Raises NoSuchItem."""
    whole = outline(subject.graph, subject.analysis, subject.faults.by_node, subject.changes)
    return part_named(whole, only) if only is not None else whole


def default_style(network: Item, changes: Changes | None = None) -> str:
    """The name of the style for a network: `layers` for chains, `volumes` for what is deep or branches, `graph` where
    changes are to be seen."""
    from cnndsl.draw.styles.layers import fits

    if changes is not None:
        return GRAPH
    return SCENES[0] if fits(network) else SCENES[1]


def _of_two(network: Item, wanted: Wanted, view: View) -> tuple[Wanted, View]:
    """The settings for two networks in one: colours tell what changed, and blocks with changes in them are open."""
    if view.depth is None:
        mixed = tuple(item.id for item in every(network) if item.children and item.change.what == "changed")
        view = view._replace(depth=0, unfold=(*view.unfold, *mixed))
    return wanted._replace(color=CHANGE), view
