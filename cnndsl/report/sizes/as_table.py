"""What `sizes` prints in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.report import heading
from cnndsl.report.grid import Column, draw, fit
from cnndsl.report.sizes import (
    MOST_LOSSES,
    fits_text,
    losses_text,
    lossless_text,
    near_texts,
    notes,
    reasons,
    shapes_text,
    stage_cells,
    verdict,
)
from cnndsl.sizes import Answer, At, Line
from cnndsl.terminal import BOLD, PLAIN, Look, visible, wrap

LOSES = "Left out: rows and columns behind the last window of a stride or a pool, which nothing sees."


def render(answers: Sequence[Answer], look: Look = PLAIN) -> str:
    """For every network what fits, what loses nothing, what comes out, and why the rest does not fit."""
    parts = ["".join(line + "\n" for line in _answer(answer, look)) for answer in answers]
    if any((line.fits() != line.lossless()).any() for answer in answers for line in answer.lines):
        parts.append("".join(line + "\n" for line in wrap(LOSES, look.width)))
    return "\n".join(parts)


def _answer(answer: Answer, look: Look) -> list[str]:
    first = answer.lines[0]
    name = visible(heading(answer.graph))
    given = f"input {shapes_text(answer.inputs)}; sizes from {first.sizes[0]} to {first.sizes[-1]} were examined"
    lines = [look.paint(name, BOLD) + "  " + visible(answer.graph.span.source.name), *wrap(given, look.width)]
    ellipsis = look.drawn("…", "...")
    for line in answer.lines:
        lines += ["", look.paint(line.title, BOLD), *_line(line, ellipsis, look)]
    for note in notes(answer, ellipsis):
        lines += ["", *_hanging("note: ", note, look)]
    return lines


def _line(line: Line, ellipsis: str, look: Look) -> list[str]:
    lines = [
        *_hanging("  fits:          ", fits_text(line, ellipsis), look),
        *_hanging("  loses nothing: ", lossless_text(line, ellipsis), look),
    ]
    for size, layer, why in reasons(line):
        lines += _hanging(f"  {f'not {size}:':<15}", f"{visible(why)} ({visible(layer)})", look)
    shown = line.examples()
    if shown:
        columns = [
            Column("input", [shapes_text(line.inputs(index)) for index in shown], right=False),
            Column("output", [visible(shapes_text(line.outputs(index))) for index in shown], right=False),
            Column(
                "left out",
                [visible(losses_text(line, index, MOST_LOSSES)) for index in shown],
                right=False,
                elastic=True,
            ),
        ]
        columns = columns if any(columns[2].cells) else columns[:2]
        lines += ["", *(f"  {row}".rstrip() for row in draw(fit(columns, _narrower(look)).columns, look))]
    return lines


def _narrower(look: Look) -> Look:
    return look if look.width is None else look._replace(width=max(look.width - 2, 1))


def _hanging(head: str, text: str, look: Look) -> list[str]:
    """A head and its text, whose further lines stand below its beginning."""
    width = None if look.width is None else max(look.width - len(head), 20)
    first, *rest = wrap(text, width)
    return [head + first, *(" " * len(head) + line for line in rest)]


def render_at(answers: Sequence[At], look: Look = PLAIN) -> str:
    """For every network whether the size fits, and what each layer makes of it."""
    return "\n".join("".join(line + "\n" for line in _at(one, look)) for one in answers)


def _at(one: At, look: Look) -> list[str]:
    name = visible(heading(one.graph))
    lines = [
        look.paint(name, BOLD) + "  " + visible(one.graph.span.source.name),
        *wrap(visible(verdict(one)), look.width),
    ]
    if one.stages:
        cells = list(zip(*map(stage_cells, one.stages), strict=True))
        titles = ("layer", "line", "input", "output", "left out")
        columns = [
            Column(title, [visible(text) for text in texts], right=title == "line", elastic=title == "layer")
            for title, texts in zip(titles, cells, strict=True)
        ]
        columns = columns if any(cells[-1]) else columns[:-1]
        lines += ["", *draw(fit(columns, look).columns, look)]
    if one.outputs:
        lines += ["", f"output {visible(shapes_text(one.outputs))}"]
    texts = [text for near in one.near for text in near_texts(near)]
    return [*lines, *([""] if texts else []), *(row for text in texts for row in wrap(text, look.width))]
