"""Pictures of what layers give and learn, and of where a network looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cnndsl.draw import text as letters
from cnndsl.draw.geometry import moved
from cnndsl.draw.scene import Area, Image, Line, Mark, Rect, Scene, Text
from cnndsl.draw.wanted import SMALLEST
from cnndsl.graph import Node
from cnndsl.runtime.features.attribution import Heat
from cnndsl.runtime.features.example import Example
from cnndsl.runtime.features.heat import bar, colored, over
from cnndsl.runtime.plots.grid import (
    GAP,
    MARGIN,
    PAGE,
    Pixels,
    Section,
    Tile,
    around_zero,
    grid,
    of_image,
    pixel_bytes,
    spread,
)

MAPS = 9
"""How many maps of a layer stand in a row, and how many are shown unless others are asked for."""
_TITLE, _HEADING = 11.0, 9.0
_ROOM = PAGE - 2 * MARGIN
_BARS, _HIGH = 64, 34.0
"""Most values that are drawn as bars, and how high bars and lines are."""
_CURVES, _POINTS = 3, 240
_SIDE = 150.0
_CELL = 6.0


class Layer(NamedTuple):
    """A layer's name, what it is, in words, and what it gives for the example, channels first."""

    node: Node
    values: Tensor

    @property
    def shape(self) -> str:
        assert self.node.shapes is not None
        return str(self.node.shapes[0])


def maps(title: str, layers: Sequence[Layer], example: Example, many: int) -> Scene:
    """A row for each layer: as many of its maps as `many`, each from black, its lowest value, to white."""
    signal = example.inputs[0].dim() == 3
    blocks = _inputs(example, many)
    names = _class_names(example)
    blocks += [_block(one, many, names.get(one.node.index, ()), signal=signal) for one in layers]
    return _stacked(title, blocks, f"What {len(layers)} layers of a network give for one input.")


def kernels(title: str, found: Sequence[tuple[Node, Tensor]], many: int, image: tuple[int, ...] | None) -> Scene:
    """The weights of layers. image: channels, height and width of the input, where a dense layer takes it flattened."""
    blocks = [_kernels(node, weight, many, image) for node, weight in found]
    return _stacked(title, blocks, "The weights of layers of a network.")


def heat(title: str, found: Heat, example: Example, said: str) -> Scene:
    """An image, the heat map of it, and one over the other; below them the scale."""
    picture = _picture(example)
    assert picture is not None
    most = float(found.values.max())
    shares = found.values / most if most > 0 else found.values
    tiles = [
        Tile(picture, ("the input",)),
        Tile(colored(shares), (said,)),
        Tile(over(shares, picture), ("one over the other",)),
    ]
    scale = Tile(bar(), (f"0 on the left, {most:.3g} on the right",))
    if most <= 0:
        scale = Tile(bar(), ("0 everywhere: nothing speaks for it",))
    drawn = grid("", [Section("", tiles)], side=_SIDE, width=PAGE + 20)
    below = grid("", [Section("", [scale])], side=_SIDE)
    return _stacked(title, [drawn, below], f"Where a network looks: {said}, over its input.")


# --- layers ---------------------------------------------------------------------------------------------------------


def _block(layer: Layer, many: int, names: tuple[str, ...], *, signal: bool) -> Scene:
    """One layer's row. names: of the values, if it gives the classes' scores. signal: whether the input is a curve."""
    values, node = layer.values.detach().float().cpu(), layer.node
    title, about = node.name, f"{node.kind}, {layer.shape}"
    flat = values.flatten() if all(side == 1 for side in values.shape[1:]) else None
    if flat is not None:
        return _vector(title, about, flat, names)
    if values.dim() == 2 and signal:
        return _curves(title, about, values, many)
    if values.dim() == 2:
        tile = Tile(spread(values.T))
        return grid("", [Section(title, [tile], f"{about}: a row for each place")], side=_side(tile))
    if values.dim() == 4:
        about += f", the middle of {values.shape[1]} slices"
        values = values[:, values.shape[1] // 2]
    shown = values[:many]
    tiles = [Tile(spread(one), (), f"map {number}") for number, one in enumerate(shown)]
    return grid("", [Section(title, tiles, _of(about, len(shown), len(values), "maps"))])


def _side(tile: Tile) -> float:
    """The longer side of a matrix, in points."""
    rows, columns = tile.pixels.shape[:2]
    return min(_CELL * int(max(rows, columns)), 2 * _SIDE)


def _of(about: str, shown: int, every: int, what: str) -> str:
    return f"{about}, the first {shown} of {every} {what}" if shown < every else about


def _class_names(example: Example) -> dict[int, tuple[str, ...]]:
    """The classes' names, by the number of the node that gives their scores."""
    graph, names = example.predictor.trained.graph, example.predictor.trained.prepare.names
    ends = [output.edge for output in graph.outputs if not output.training]
    return {e.node: names for e in ends if (shape := graph.shape_of(e)) is not None and shape.sizes == (len(names),)}


def _vector(title: str, about: str, values: Tensor, names: tuple[str, ...]) -> Scene:
    """Bars from 0 on, names below them; of many values a strip, from black, the lowest, to white."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    about += f": from {float(values.min()):.3g} to {float(values.max()):.3g}"
    marks, top = _heading(title, about)
    if len(values) > _BARS:
        wide = min(_ROOM, 2.0 * len(values))
        pixels = spread(values[None])
        area = Area(MARGIN, top, wide, _HIGH / 3)
        marks += [Image(area, len(values), 1, pixel_bytes(pixels)), Rect(area, None, "outline", 0.4)]
        return _scene(marks, MARGIN + wide, area.bottom)
    step = min(_ROOM / len(values), max(14.0, min(letters.widest(names, SMALLEST) + 4, 60.0)))
    scale = _HIGH / ((high - low) or 1.0)
    zero = top + high * scale
    for number, value in enumerate(values.tolist()):
        y = zero - max(value, 0.0) * scale
        marks.append(Rect(Area(MARGIN + number * step + 0.1 * step, y, 0.8 * step, abs(value) * scale), "dense", None))
    end = MARGIN + step * len(values)
    marks.append(Line(((MARGIN, zero), (end, zero)), "outline", 0.5))
    bottom = top + _HIGH
    if names:
        bottom += 2 + letters.ASCENT * SMALLEST
        for number, name in enumerate(names):
            shown = letters.cut(name, SMALLEST, step - 1)
            marks.append(Text(MARGIN + (number + 0.5) * step, bottom, shown, SMALLEST))
    return _scene(marks, end, bottom)


def _curves(title: str, about: str, values: Tensor, many: int) -> Scene:
    """A line for each channel, each from its lowest to its highest value, along the length."""
    shown = values[:many]
    marks, top = _heading(title, _of(about, len(shown), len(values), "lines"))
    wide = (_ROOM - (_CURVES - 1) * GAP) / _CURVES
    y = top
    for number, one in enumerate(shown):
        x = MARGIN + number % _CURVES * (wide + GAP)
        y = top + number // _CURVES * (_HIGH + GAP)
        marks.append(Rect(Area(x, y, wide, _HIGH), None, "group-outline", 0.4))
        marks.append(Line(_points(one, Area(x, y, wide, _HIGH)), "outline", 0.6))
    return _scene(marks, MARGIN + min(len(shown), _CURVES) * (wide + GAP) - GAP, y + _HIGH)


def _points(values: Tensor, area: Area) -> tuple[tuple[float, float], ...]:
    """Values as places in an area; of many, the lowest and the highest of neighbours."""
    if len(values) > _POINTS:
        parts = values.tensor_split(_POINTS // 2)
        values = torch.stack([end for part in parts for end in (part.min(), part.max())])
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    step = area.width / max(1, len(values) - 1)
    inner = area.height - 4
    return tuple(
        (area.x + number * step, area.bottom - 2 - (value - low) / span * inner)
        for number, value in enumerate(values.tolist())
    )


# --- weights --------------------------------------------------------------------------------------------------------


def _kernels(node: Node, weight: Tensor, many: int, image: tuple[int, ...] | None) -> Scene:
    """A layer's weights, 0 in the middle grey; those of three channels as colours, each from its lowest to highest."""
    about = f"{node.kind}, weights {'x'.join(map(str, weight.shape))}"
    values = weight.detach().float().cpu()
    if values.dim() == 2 and image is not None and values.shape[1] == image[0] * image[1] * image[2]:
        values = values.reshape(-1, *image)
        about += f", as the input of {image[1]}x{image[2]}"
    if values.dim() == 2:
        return grid(
            "", [Section(node.name, [Tile(around_zero(values))], f"{about}, 0 in the middle grey")], side=2 * _SIDE
        )
    if values.dim() == 3:
        return _curves(node.name, about, values.flatten(0, 1), many)
    if values.dim() == 5:
        about += f", the middle of {values.shape[2]} slices"
        values = values[:, :, values.shape[2] // 2]
    if values.shape[1] == 3:
        tiles = [Tile(spread(one)) for one in values[:many]]
        return grid("", [Section(node.name, tiles, _of(about, len(tiles), len(values), "kernels"))])
    about += ", 0 in the middle grey"
    far = float(values.abs().max())
    flat = values.flatten(0, 1)
    tiles = [Tile(around_zero(one, far)) for one in flat[:many]]
    return grid("", [Section(node.name, tiles, _of(about, len(tiles), len(flat), "kernels"))])


# --- pages ----------------------------------------------------------------------------------------------------------


def _picture(example: Example, number: int = 0) -> Pixels | None:
    """An input as the network sees it, before it is normalized where it was read from an image, else spread from its
    lowest to its highest value; None where it is no image."""
    stored, prepare = example.stored[number], example.predictor.trained.prepare
    if prepare.image is not None and stored.dim() == 4 and stored.shape[1] in (1, 3):
        return of_image(prepare.fitted(stored)[0])
    given = example.inputs[number][0]
    if given.dim() != 3:
        return None
    return spread(given if len(given) == 3 else given.mean(0))


def _inputs(example: Example, many: int) -> list[Scene]:
    """What the network is given, where that can be drawn."""
    pictures = [_picture(example, number) for number in range(len(example.inputs))]
    tiles = [Tile(one) for one in pictures if one is not None]
    if tiles:
        note = "before it is normalized" if example.predictor.trained.prepare.image is not None else "normalized"
        return [grid("", [Section("input", tiles, note)], side=66.0)]
    first = example.inputs[0][0].detach().cpu()
    return [_curves("input", "normalized", first, many)] if first.dim() == 2 else []


def _heading(title: str, note: str) -> tuple[list[Mark], float]:
    base = MARGIN + letters.ASCENT * _HEADING
    shown = letters.cut(title, _HEADING, _ROOM / 2, bold=True)
    marks: list[Mark] = [Text(MARGIN, base, shown, _HEADING, "start", bold=True)]
    x = MARGIN + letters.width(shown, _HEADING, bold=True) + GAP
    marks.append(Text(x, base, letters.cut(note, SMALLEST, PAGE - MARGIN - x), SMALLEST, "start", "muted"))
    return marks, MARGIN + _HEADING * letters.LEADING + GAP / 2


def _scene(marks: list[Mark], right: float, bottom: float) -> Scene:
    starts = [m for m in marks if isinstance(m, Text) and m.anchor == "start"]
    ends = [right, *(m.x + letters.width(m.text, m.size, bold=m.bold) for m in starts)]
    return Scene(max(ends) + MARGIN, bottom + MARGIN, "", "", (), (), tuple(marks))


def _stacked(title: str, blocks: Sequence[Scene], description: str) -> Scene:
    """Pictures below each other, below a title."""
    marks: list[Mark] = [Text(MARGIN, MARGIN + letters.ASCENT * _TITLE, title, _TITLE, "start", bold=True)]
    y = MARGIN + _TITLE * letters.LEADING - GAP / 2
    for block in blocks:
        marks += [moved(mark, 0.0, y) for mark in block.marks]
        y += block.height - MARGIN + GAP / 2
    wide = max([letters.width(title, _TITLE, bold=True) + 2 * MARGIN, *(block.width for block in blocks)])
    return Scene(wide, y + MARGIN - GAP / 2, title, description, (), (), tuple(marks))
