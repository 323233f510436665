"""What a network answers beside what it should have: numbers against numbers, images and maps beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnndsl.draw import text as letters
from cnndsl.draw.colors import channels
from cnndsl.draw.scene import Area, Image, Line, Mark, Rect, Scene, Text
from cnndsl.draw.wanted import SMALLEST
from cnndsl.runtime.data import Examples
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.measure import Network, class_names, judged
from cnndsl.runtime.plots.axes import Axis, axis_of
from cnndsl.runtime.plots.curves import framed
from cnndsl.runtime.plots.grid import GAP, MARGIN, PAGE, Pixels, Section, Tile, grid, of_image
from cnndsl.runtime.saved_pictures import CLASS_COLORS, pictured

SHOWN = 6
"""Images that are shown: a row of them."""
_SIDE = 70.0
_OUTPUTS = 6
"""Most outputs of which each has a panel."""
_DOTS = 400
"""Most examples that have a dot; of more some, evenly spread."""
_COLORS = np.array([channels(f"#{color}") for color in CLASS_COLORS], np.uint8)
_TITLE, _HEADING = 11.0, 9.0
_FRAME = 190.0


def answers(title: str, part: str, network: Network, examples: Examples, prepare: Prepare) -> dict[str, Scene]:
    """The plots that there are of a network's answers on a part, by the names of their files. The module is in
    evaluation mode."""
    if network.kind == "values":
        return _predicted(f"{title}: predicted against true", part, network, examples)
    if network.kind == "input":
        return _reconstructed(f"{title}: reconstructions", part, network, examples, prepare)
    if network.kind == "map":
        return _segmented(f"{title}: segmentations", part, network, examples, prepare)
    return {}


def _first(examples: Examples) -> Examples:
    """A few examples, evenly spread over a part."""
    many = min(SHOWN, len(examples))
    rows = torch.arange(many) * len(examples) // max(1, many)
    return examples.pick(rows.to(examples.inputs.device))


def _of(shown: int, examples: Examples, part: str) -> str:
    """How many of a part are shown."""
    return (
        f"{len(examples):,} {part} examples"
        if shown == len(examples)
        else f"{shown} of {len(examples):,} {part} examples"
    )


# --- numbers --------------------------------------------------------------------------------------------------------


class Compared(NamedTuple):
    """True and predicted values of all examples, N x outputs each."""

    true: Tensor
    predicted: Tensor

    def r2(self, output: int) -> float:
        """The coefficient of determination of an output: 1 - the mean square missed / the variance."""
        true, predicted = self.true[:, output], self.predicted[:, output]
        spread = (true - true.mean()).square().sum()
        return float(1 - (true - predicted).square().sum() / spread) if spread > 0 else float("nan")


def compared(network: Network, examples: Examples) -> Compared | None:
    """What a network predicts for a part whose targets are values; None where there are none."""
    true, predicted = list[Tensor](), list[Tensor]()
    for one in judged(network, examples):
        if one.batch.values is None:
            return None
        given = one.outputs[network.objective.terms[0].first]
        predicted.append(given.detach().to("cpu", torch.float64).flatten(1))
        true.append(one.batch.values.to("cpu", torch.float64).flatten(1))
    made = Compared(torch.cat(true), torch.cat(predicted))
    return made if made.true.shape == made.predicted.shape else None


def _predicted(title: str, part: str, network: Network, examples: Examples) -> dict[str, Scene]:
    found = compared(network, examples)
    if found is None or not bool(torch.isfinite(found.predicted).any()):
        return {}
    outputs = min(_OUTPUTS, found.true.shape[1])
    shown = min(_DOTS, len(examples))
    rows = torch.arange(shown) * len(examples) // shown
    note = f"{len(examples):,} {part} examples" + (f", {shown:,} of them shown" if shown < len(examples) else "")
    if found.true.shape[1] > outputs:
        note += f"; the first {outputs} of {found.true.shape[1]:,} outputs"
    top = MARGIN + _TITLE * letters.LEADING + SMALLEST * letters.LEADING + 6.0
    marks: list[Mark] = [
        Text(MARGIN, MARGIN + letters.ASCENT * _TITLE, title, _TITLE, "start", bold=True),
        Text(MARGIN, MARGIN + _TITLE * letters.LEADING + SMALLEST, note, SMALLEST, "start", "muted"),
    ]
    columns = min(2, outputs)
    room = (PAGE - 2 * MARGIN - 3 * GAP) / 2
    high = _HEADING * letters.LEADING + 4.0 + _FRAME + 3 * SMALLEST * letters.LEADING + 2 * GAP
    for output in range(outputs):
        row, column = divmod(output, columns)
        place = Area(MARGIN + column * (room + 3 * GAP), top + row * high, room, high)
        name = f"output {output + 1}, " if found.true.shape[1] > 1 else ""
        heading = f"{name}R² {found.r2(output):.3f}"
        pairs = torch.stack([found.true[rows, output], found.predicted[rows, output]], 1).tolist()
        marks += _panel(heading, place, pairs)
    widest = max(letters.width(title, _TITLE, bold=True), letters.width(note, SMALLEST))
    width = max(columns * room + (columns - 1) * 3 * GAP, widest) + 2 * MARGIN
    said = f"{title}. {note}; on the dashed line a prediction is right"
    return {"predicted": Scene(width, top + -(-outputs // columns) * high, title, said, (), (), tuple(marks))}


def _panel(heading: str, place: Area, pairs: Sequence[Sequence[float]]) -> list[Mark]:
    """Dots at (true, predicted), on axes that are the same, and the line where both are equal."""
    there = [pair for pair in pairs if all(map(np.isfinite, pair))]
    axis = axis_of([value for pair in there for value in pair])
    base = place.y + letters.ASCENT * _HEADING
    marks: list[Mark] = [Text(place.x, base, heading, _HEADING, "start", bold=True)]
    turned = SMALLEST * letters.LEADING
    left = turned + max(letters.width(label, SMALLEST) for _, label in axis.ticks) + 4.0
    side = min(_FRAME, place.width - left - letters.width(axis.ticks[-1][1], SMALLEST) / 2)
    frame = Area(place.x + left, place.y + _HEADING * letters.LEADING + 4.0, side, side)
    marks += framed(frame, axis, axis, "true")
    marks += [
        Text(place.x + letters.ASCENT * SMALLEST, frame.middle[1], "predicted", SMALLEST, role="muted", turned=-90.0),
        Line(((frame.x, frame.bottom), (frame.right, frame.y)), "skip", 0.8, dash=(3.0, 2.0)),
    ]
    return [*marks, *(_dot(frame, axis, true, predicted) for true, predicted in there)]


def _dot(frame: Area, axis: Axis, true: float, predicted: float) -> Mark:
    x = frame.x + axis.share(true) * frame.width
    y = frame.bottom - axis.share(predicted) * frame.height
    return Rect(Area(x - 1.3, y - 1.3, 2.6, 2.6), "validation", None, radius=1.3, opacity=0.6)


# --- images ---------------------------------------------------------------------------------------------------------


def _reconstructed(title: str, part: str, network: Network, examples: Examples, prepare: Prepare) -> dict[str, Scene]:
    """Images and what a network gives back of them, below each other."""
    one = next(judged(network, _first(examples)))
    given = one.batch.inputs[0] if one.batch.values is None else one.batch.values
    back = one.outputs[network.objective.terms[0].first].reshape(given.shape)
    missed = (back - given).square().flatten(1).mean(1).tolist()
    pictures = _pictures(torch.cat([given, back]), prepare)  # together: of values that are no pixels black is the same
    if pictures is None:
        return {}
    note = _of(len(given), examples, part)
    captions = [(f"missed {value:.3g}",) for value in missed]
    sections = [
        Section("given", [Tile(one) for one in pictures[: len(given)]], note),
        Section(
            "given back",
            [Tile(one, caption) for one, caption in zip(pictures[len(given) :], captions, strict=True)],
            "missed: the mean square of the differences, of values as the network takes them",
        ),
    ]
    return {"reconstructions": grid(title, sections, f"{title}. {note}", side=_SIDE)}


def _pictures(values: Tensor, prepare: Prepare) -> list[Pixels] | None:
    """Images as a network takes or gives them as pixels; None where they are none."""
    if values.dim() == 2 and prepare.image is not None:
        sides = prepare.size if prepare.fit != "none" else prepare.image[:2]
        if values.shape[1] != prepare.image[2] * sides[0] * sides[1]:
            return None
        values = values.reshape(len(values), prepare.image[2], *sides)
    if values.dim() != 4 or values.shape[1] not in (1, 3):
        return None
    return [of_image(one) for one in pictured(values, prepare)]


# --- maps -----------------------------------------------------------------------------------------------------------


def _segmented(title: str, part: str, network: Network, examples: Examples, prepare: Prepare) -> dict[str, Scene]:
    """Images, the classes of their places, and those that a network tells, below each other."""
    one = next(judged(network, _first(examples)))
    scores, true = network.objective.judged(one.outputs, one.batch)
    taken = scores.argmax(1)
    images = _pictures(one.batch.inputs[0], prepare)
    if true is None or taken.dim() != 3 or true.shape != taken.shape or images is None:
        return {}
    names = class_names(network, prepare.names, scores.shape[1])
    right = (true == taken).flatten(1).float().mean(1).tolist()
    note = _of(len(images), examples, part)
    sections = [
        Section("image", [Tile(one) for one in images], note),
        Section("true classes", [Tile(_colored(one)) for one in true]),
        Section(
            "predicted classes",
            [Tile(_colored(one), (f"{share:.1%} right",)) for one, share in zip(taken, right, strict=True)],
        ),
    ]
    made = grid(title, sections, f"{title}. {note}", side=_SIDE)
    present = sorted({*true.flatten().tolist(), *taken.flatten().tolist()})
    return {"segmentations": _with_legend(made, [(names[n], n) for n in present])}


def _colored(classes: Tensor) -> Pixels:
    """Each class in its colour, as `cnndsl predict --pictures` has it."""
    numbers = classes.cpu().numpy() % len(_COLORS)
    return np.ascontiguousarray(_COLORS[numbers])


def _with_legend(scene: Scene, classes: Sequence[tuple[str, int]]) -> Scene:
    """A square and a name for each class, in rows below."""
    marks, x, y = list(scene.marks), MARGIN, scene.height
    side = SMALLEST
    for name, number in classes:
        short = letters.cut(name, SMALLEST, 90.0)
        wide = side + 3.0 + letters.width(short, SMALLEST)
        if x > MARGIN and x + wide > scene.width - MARGIN:
            x, y = MARGIN, y + SMALLEST * letters.LEADING + 2.0
        pixels = bytes(_COLORS[number % len(_COLORS)].tolist())
        marks += [Image(Area(x, y, side, side), 1, 1, pixels), Rect(Area(x, y, side, side), None, "outline", 0.4)]
        marks.append(Text(x + side + 3.0, y + 0.5 * side + 0.35 * SMALLEST, short, SMALLEST, "start"))
        x += wide + 2 * GAP
    return scene._replace(height=y + side + MARGIN, marks=tuple(marks))
