"""Graphs laid out by Graphviz: the same boxes, frames and lines, with the places that `dot` finds for them.

Versions of Graphviz differ in what they make of a graph, so this is for those who ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cnndsl.draw import text as letters
from cnndsl.draw.geometry import moved_thing
from cnndsl.draw.scene import Area, Arrow, Point, Thing
from cnndsl.draw.styles import NotLaidOut
from cnndsl.draw.styles.nest import GAP, INSET, Heading
from cnndsl.draw.styles.painting import Painting
from cnndsl.draw.styles.plates import SHEETS

INCH = 72.0


def arranged(painting: Painting) -> Painting:
    """The painting with everything where Graphviz puts it. Raises NotLaidOut."""
    found = _laid_out(_source(painting))
    top = float(found["bb"].split(",")[3])
    places = {one["id"]: one for one in found.get("objects", ()) if "id" in one}
    painting.things = [
        _thing(painting, thing, places[f"t{number}"], top) for number, thing in enumerate(painting.things)
    ]
    ways = {one["id"]: one for one in found.get("edges", ())}
    painting.arrows = [_arrow(arrow, ways[f"a{number}"], top) for number, arrow in enumerate(painting.arrows)]
    return painting


def _laid_out(source: str) -> dict[str, Any]:
    """What `dot` makes of a graph. Raises NotLaidOut."""
    try:
        import graphviz

        made = graphviz.pipe("dot", "json", source.encode(), quiet=True)
    except ImportError:
        raise NotLaidOut("the package graphviz is missing: pip install 'cnndsl[draw]'") from None
    except graphviz.ExecutableNotFound:
        raise NotLaidOut("the program 'dot' of Graphviz is not there") from None
    except graphviz.CalledProcessError as error:
        last = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()[-1:] or ["it says nothing"]
        raise NotLaidOut(f"'dot' failed: {last[0]}") from None
    found: dict[str, Any] = json.loads(made)
    return found


# --- the graph in Graphviz's language: ids are numbers, so that no name has to be escaped ---------------------------


def _source(painting: Painting) -> str:
    numbers = {thing.id: number for number, thing in enumerate(painting.things)}
    inner: dict[str | None, list[int]] = {}
    for number, thing in enumerate(painting.things):
        inner.setdefault(thing.parent, []).append(number)
    lines = [
        "digraph {",
        f"rankdir={'LR' if painting.right else 'TB'}; nodesep=0.2; ranksep=0.25; splines=polyline;",
        'node [shape=box, fixedsize=true, label=""];',
        *_things(painting, inner, None),
    ]
    for number, arrow in enumerate(painting.arrows):
        weight = 1 if arrow.skip else 4
        lines.append(f"t{numbers[arrow.source]} -> t{numbers[arrow.target]} [id=a{number}, weight={weight}];")
    return "\n".join([*lines, "}"])


def _things(painting: Painting, inner: dict[str | None, list[int]], parent: str | None) -> Iterator[str]:
    for number in inner.get(parent, ()):
        thing = painting.things[number]
        if not thing.holds:
            width, height = thing.area.width / INCH, thing.area.height / INCH
            yield f"t{number} [id=t{number}, width={width:.4f}, height={height:.4f}];"
            continue
        stack = SHEETS if thing.count > 1 else 0.0
        yield f"subgraph cluster{number} {{ id=t{number}; margin={INSET + stack}; labeljust=l;"
        heading = painting.nests[thing.id].heading
        if heading is not None and heading.row:
            wide, high = heading.width + GAP, letters.LEADING * heading.row[0].size
            size = f'fixedsize="true" width="{wide:.0f}" height="{high:.0f}"'
            yield f'label=<<table border="0" cellborder="0" {size}><tr><td></td></tr></table>>;'
        yield from _things(painting, inner, thing.id)
        yield "}"


# --- places ---------------------------------------------------------------------------------------------------------


def _thing(painting: Painting, thing: Thing, place: dict[str, Any], top: float) -> Thing:
    if thing.holds:
        left, low, right, high = map(float, place["bb"].split(","))
        nest = painting.nests[thing.id]
        if nest.heading is not None:
            nest.heading = Heading(nest.heading.row, nest.heading.width, GAP)
        return painting.frame(nest, Area(left, top - high, right - left, high - low), thing.parent)
    x, y = map(float, place["pos"].split(","))
    return moved_thing(thing, x - thing.area.middle[0], top - y - thing.area.middle[1])


def _arrow(arrow: Arrow, way: dict[str, Any], top: float) -> Arrow:
    """An arrow along the way of an edge: a spline of straight pieces, every third point of which is a corner."""
    words = way["pos"].split(" ")
    end = next((_point(word[2:], top) for word in words if word.startswith("e,")), None)
    points = [_point(word, top) for word in words if not word.startswith(("e,", "s,"))][::3]
    line = arrow.line._replace(points=(*points, *([end] if end is not None else ())))
    return arrow._replace(line=line)


def _point(word: str, top: float) -> Point:
    x, y = map(float, word.split(","))
    return x, top - y
