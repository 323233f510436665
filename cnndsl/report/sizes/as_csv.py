"""What `sizes` writes as comma-separated values: a row for every size that was examined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.report.as_csv import cell
from cnndsl.report.sizes import losses_text, shapes_text, stage_cells
from cnndsl.sizes import Answer, At, Line
from cnndsl.terminal import visible

COLUMNS = ("file", "network", "along", "size", "fits", "loses_nothing", "input", "output", "left_out", "reason")


def render(answers: Sequence[Answer]) -> Iterator[str]:
    """The lines, each with its end (CR LF)."""
    yield ",".join(COLUMNS) + "\r\n"
    for answer in answers:
        head = [cell(visible(answer.graph.span.source.name)), cell(visible(answer.name))]
        for line in answer.lines:
            for row in _rows(line):
                yield ",".join([*head, cell(visible(line.title)), *(cell(visible(text)) for text in row)]) + "\r\n"


def _rows(line: Line) -> Iterator[tuple[str, ...]]:
    fits, lossless, unknown = line.fits(), line.lossless(), line.unknown()
    for index, size in enumerate(line.sizes):
        inputs = shapes_text(line.inputs(index))
        if unknown[index]:
            yield str(size), "", "", inputs, "", "", ""
        elif fits[index]:
            outputs, left = shapes_text(line.outputs(index)), losses_text(line, index)
            yield str(size), "yes", "yes" if lossless[index] else "no", inputs, outputs, left, ""
        else:
            yield str(size), "no", "no", inputs, "", "", line.why(index) or ""


STAGES = ("file", "network", "layer", "line", "input", "output", "left_out")


def render_at(answers: Sequence[At]) -> Iterator[str]:
    """One size: a row for every layer that changes sizes or leaves something out."""
    yield ",".join(STAGES) + "\r\n"
    for one in answers:
        head = [visible(one.graph.span.source.name), visible(one.name)]
        for stage in one.stages:
            yield ",".join(cell(visible(text)) for text in (*head, *stage_cells(stage))) + "\r\n"
