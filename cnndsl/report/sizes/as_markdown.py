"""What `sizes` writes for a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.report import heading
from cnndsl.report.as_markdown import code, escaped
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
from cnndsl.sizes import Answer, At


def render(answers: Sequence[Answer]) -> Iterator[str]:
    """A heading, a list and a table for every network."""
    for answer in answers:
        first = answer.lines[0]
        yield f"### {escaped(heading(answer.graph))}: input sizes\n\n"
        given = f"input {shapes_text(answer.inputs)}; sizes from {first.sizes[0]} to {first.sizes[-1]} were examined"
        yield f"{code(answer.graph.span.source.name)}: {escaped(given)}\n\n"
        for line in answer.lines:
            yield f"**{escaped(line.title)}**\n\n"
            yield f"- fits: {escaped(fits_text(line, '...'))}\n"
            yield f"- loses nothing: {escaped(lossless_text(line, '...'))}\n"
            for size, layer, why in reasons(line):
                yield f"- not {size}: {escaped(why)} ({escaped(layer)})\n"
            yield "\n| input | output | left out |\n| :--- | :--- | :--- |\n" if line.examples() else ""
            for index in line.examples():
                cells = (
                    shapes_text(line.inputs(index)),
                    shapes_text(line.outputs(index)),
                    losses_text(line, index, MOST_LOSSES),
                )
                yield f"| {' | '.join(map(escaped, cells))} |\n"
            yield "\n"
        for note in notes(answer, "..."):
            yield f"- {escaped(note)}\n"
        yield "\n"


def render_at(answers: Sequence[At]) -> Iterator[str]:
    """One size: whether it fits, and what each layer makes of it."""
    for one in answers:
        yield f"### {escaped(heading(one.graph))}\n\n{escaped(verdict(one))}\n\n"
        if one.stages:
            yield "| layer | line | input | output | left out |\n| :--- | ---: | :--- | :--- | :--- |\n"
        for stage in one.stages:
            yield f"| {' | '.join(map(escaped, stage_cells(stage)))} |\n"
        yield f"\noutput {escaped(shapes_text(one.outputs))}\n\n" if one.outputs else ""
        for near in one.near:
            for text in near_texts(near):
                yield f"- {escaped(text)}\n"
        yield "\n"
