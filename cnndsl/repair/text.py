"""Edits on a text: applying them, and where a place of the edited text was before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnndsl.diagnostics import Edit
from cnndsl.source import Source, Span


def ordered(edits: Iterable[Edit]) -> list[Edit]:
    """Edits in the order of their places."""
    return sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))


def overlap(edits: Iterable[Edit]) -> bool:
    """Whether two edits change one place, so that it depends on their order what comes out."""
    last: dict[str, tuple[int, int]] = {}
    for edit in ordered(edits):
        name, start, end = edit.span.source.name, edit.span.start, edit.span.end
        if name in last and (start < last[name][1] or (start, end) == last[name]):
            return True
        last[name] = (start, end)
    return False


def applied(source: Source, edits: Iterable[Edit]) -> Source:
    """The source with the edits made, under the same name; all else stays as it is."""
    pieces, at = [], 0
    for edit in ordered(edits):
        pieces += [source.text[at : edit.span.start], edit.text]
        at = edit.span.end
    return Source(source.name, "".join(pieces) + source.text[at:])


class Moved:
    """Where places of an edited text were before; what lies within an edit counts as its border."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        # For each edit: its place in the edited text, and before.
        self.places: list[tuple[int, int, int, int]] = []
        shift = 0
        for edit in ordered(edits):
            start, end = edit.span.start, edit.span.end
            self.places.append((start + shift, start + shift + len(edit.text), start, end))
            shift += len(edit.text) - (end - start)

    def span(self, place: Span, source: Source) -> Span:
        """A place of the edited text as the place in `source`, the text before."""
        return Span(source, self.back(place.start), self.back(place.end, is_end=True))

    def back(self, offset: int, *, is_end: bool = False) -> int:
        """The offset before the edits, of a place's start or end."""
        shift = 0
        for first, last, start, end in self.places:
            if offset < first or (is_end and offset == first):
                break
            if offset < last or (is_end and offset == last):
                return end if is_end else start
            shift = end - last
        return offset + shift
