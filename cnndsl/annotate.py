"""Claims written by the compiler: `-> 14x14x6` at the ends of lines, from what the layers give."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import Options, elaborate
from cnndsl.elaborate.frame import Frame
from cnndsl.elaborate.network import Expander
from cnndsl.files import Library
from cnndsl.format import formatted
from cnndsl.format.align import NEAREST, Tail, columns
from cnndsl.format.write import CLAIM_GAP
from cnndsl.graph import Edge
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.syntax import parse, tree
from cnndsl.syntax.tree import Claim, Document, Line

Sizes = tuple[int, ...]
MENDED = "E501"
"""The problem that refreshing claims mends: one that does not hold."""


class Run(Record):
    """What a line gave, one of the times that it was run: the sizes before it, its own, and those that it claims."""

    before: Sizes | None
    sizes: Sizes | None
    claimed: tuple[int | None, ...] | None


Runs: TypeAlias = dict[Line, dict[Run, None]]


class _Watching(Expander):
    """Expands a network, and keeps what each line of items gave where claims count."""

    def __init__(self, runs: Runs, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.runs = runs
        self.said: dict[int, tuple[int | None, ...]] = {}

    def run_chain(self, line: Line, frame: Frame) -> None:
        before = self._sizes(frame.here)
        super().run_chain(line, frame)
        if self.checking:
            run = Run(before, self._sizes(frame.here), self.said.pop(id(line.statement.claim), None))
            self.runs.setdefault(line, {})[run] = None

    def claimed(self, claim: Claim, frame: Frame) -> tuple[int | None, ...]:
        self.said[id(claim)] = wanted = super().claimed(claim, frame)
        return wanted

    def _sizes(self, edge: Edge | None) -> Sizes | None:
        shapes = self.nodes[edge.node].shapes if edge is not None else None
        return shapes[edge.output].sizes if edge is not None and shapes is not None else None


class Place(Record):
    """A line of items: the number of the part of the file that it is in, whether it is to have a claim if it has
    none, and whether a claim of its own can be left out."""

    line: Line
    section: int
    wanted: bool
    removable: bool

    @property
    def ends(self) -> bool:
        """Whether its claim stands, or would stand, at the end of its line, behind what makes it."""
        statement = self.line.statement
        return bool(statement.items) and not statement.opens

    @property
    def code_end(self) -> int:
        """Where its items end."""
        items = self.line.statement.items
        return self.line.start + (items[-1].end if items else 0)


def annotate(source: Source, *, every: bool = False, root: str | None = None) -> tuple[str | None, list[Diagnostic]]:
    """A spec with claims written and refreshed, and what is wrong with it; None if it has errors other than claims
    that don't hold.

    New claims are written where the height and width, or their like, are others than those last written; with `every`
    on every line that gives the same sizes each time it is run. Nothing else changes, but for the columns of what
    stands behind claims, and none of these in a file that is formatted and stays so.
    """
    document, diagnostics = parse(source)
    runs: Runs = {}
    if not diagnostics:
        diagnostics = elaborate(document, Options(), Library(source, root), partial(_Watching, runs))[1]
    if any(d.severity == "error" and d.code != MENDED for d in diagnostics):
        return None, diagnostics
    places = _Places(document, runs, every=every).found
    texts = [_claim_text(place, list(runs.get(place.line, ()))) for place in places]
    return _written(document, places, texts), []


def without_claims(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """A spec without its claims, and what is wrong with it; None if it has errors of syntax. Claims that a body needs,
    because it has nothing else, stay."""
    document, diagnostics = parse(source)
    if diagnostics:
        return None, diagnostics
    places = _Places(document, {}, every=False).found
    texts = ["" if place.removable and place.line.statement.claim is not None else None for place in places]
    return _written(document, places, texts), []


# --- which lines ------------------------------------------------------------------------------------------------------


class _Places:
    """The lines of items of a document, and which of them are to have a claim."""

    def __init__(self, document: Document, runs: Runs, *, every: bool) -> None:
        self.runs = runs
        self.every = every
        self.found: list[Place] = []
        self.section = 0
        # The height and width, or their like, that were written last; None where none were.
        self.said: Sizes | None = None
        self.in_network = False
        for line in document.lines:
            if isinstance(line.statement, (tree.Network, tree.Instance, tree.Block, tree.Train)):
                self.section += 1
                self.said = None
                self.in_network = isinstance(line.statement, tree.Network)
            self.line(line, document.lines, in_arm=False)

    def body(self, lines: list[Line], *, in_arm: bool) -> None:
        for line in lines:
            self.line(line, lines, in_arm=in_arm)

    def line(self, line: Line, body: list[Line], *, in_arm: bool) -> None:
        statement = line.statement
        said = self.said
        if isinstance(statement, tree.Chain):
            self.chain(line, body, in_arm=in_arm)
            said = self.said
            self.body(line.body, in_arm=True)
        elif isinstance(
            statement, (tree.Network, tree.Block, tree.Arm, tree.If, tree.Else, tree.For, tree.Repeat, tree.Output)
        ):
            self.body(line.body, in_arm=in_arm)
        if isinstance(statement, (tree.Chain, tree.Arm, tree.Output)):
            # What an arm or a side branch says is not where the chain goes on.
            self.said = said

    def chain(self, line: Line, body: list[Line], *, in_arm: bool) -> None:
        statement = line.statement
        runs = list(self.runs.get(line, ()))
        sizes = runs[0].sizes if runs else None
        steady = sizes is not None and all(run.sizes == sizes for run in runs)
        if self.said is None and runs and runs[0].before is not None:
            self.said = runs[0].before[:-1]
        changes = self.in_network and not in_arm and sizes is not None and sizes[:-1] != self.said
        wanted = steady and bool(statement.items) and not statement.opens and (self.every or changes)
        alone = not statement.items and all(isinstance(o.statement, tree.Chain) and not o.statement.items for o in body)
        removable = bool(statement.items) or not (alone or _before(line.source, line.start).strip())
        self.found.append(Place(line, self.section, wanted, removable))
        if steady and sizes is not None and not in_arm:
            self.said = sizes[:-1]


# --- what they claim --------------------------------------------------------------------------------------------------


def _claim_text(place: Place, runs: list[Run]) -> str | None:
    """The size that a line is to claim: empty for none, None if it stays as it is."""
    claim = place.line.statement.claim
    known = [run for run in runs if run.sizes is not None]
    if claim is None:
        return _written_size(known[0].sizes) if place.wanted else None
    if not known or all(_holds(run) for run in known):
        return None
    refreshed = _refreshed(place.line, claim, known)
    if refreshed.strip("_x") or not place.removable:
        return refreshed
    return ""


def _written_size(sizes: Any) -> str:
    return "x".join(map(str, sizes))


def _holds(run: Run) -> bool:
    claimed, sizes = run.claimed, run.sizes
    if claimed is None or sizes is None or len(claimed) != len(sizes):
        return False
    return all(c is None or c == s for c, s in zip(claimed, sizes, strict=True))


def _refreshed(line: Line, claim: Claim, runs: list[Run]) -> str:
    """A claim that holds: sides that were right each time stay as they are written, others become numbers, and `_`
    where no number is right each time."""
    rank = len(runs[0].sizes or ())
    if any(len(run.sizes or ()) != rank for run in runs):
        return "_"
    sides = claim.shape.sides if isinstance(claim.shape, tree.Sides) else (claim.shape,)
    kept = len(sides) == rank and all(run.claimed is not None and len(run.claimed) == rank for run in runs)
    texts = []
    for axis in range(rank):
        numbers = {(run.sizes or ())[axis] for run in runs}
        right = kept and all((run.claimed or ())[axis] in (None, (run.sizes or ())[axis]) for run in runs)
        if right:
            texts.append(line.span(sides[axis]).text)
        else:
            texts.append(str(numbers.pop()) if len(numbers) == 1 else "_")
    return "x".join(texts)


# --- the text ---------------------------------------------------------------------------------------------------------

Edits: TypeAlias = list[tuple[int, int, str]]
"""Places of the text, and what stands there instead."""


def _written(document: Document, places: list[Place], texts: list[str | None]) -> str:
    """The text of a document with other claims, one for each place; None leaves what is there."""
    source = document.source
    edits: Edits = []
    fresh = {p.section for p, text in zip(places, texts, strict=True) if text and p.line.statement.claim is None}
    ending = [p for p, t in zip(places, texts, strict=True) if p.ends and t != "" and (t or p.line.statement.claim)]
    at = dict(zip(map(id, ending), _columns(ending, fresh), strict=True))
    for place, text in zip(places, texts, strict=True):
        claim = place.line.statement.claim
        if id(place) in at:
            _end_with(place, text, at[id(place)], edits)
        elif text and claim is not None:
            edits.append((place.line.start + claim.shape.start, place.line.start + claim.shape.end, text))
        elif text == "":
            _leave_out(place, edits)
    result = source.text
    for start, end, text in reversed(edits):
        result = result[:start] + text + result[end:]
    if edits and formatted(document) == source.text:
        return formatted(parse(Source(source.name, result))[0])
    return result


def _columns(places: list[Place], fresh: set[int]) -> list[int]:
    """The columns of claims: new ones stand in line with those of their section, which move only if they must."""
    tails = []
    for place in places:
        claim = place.line.statement.claim
        width = len(_before(place.line.source, place.code_end))
        at = -1 if claim is None else len(_before(place.line.source, place.line.start + claim.start))
        tails.append(Tail(place.section, width, at))
    chosen = columns(tails, CLAIM_GAP)
    return [new if tail.section in fresh else tail.at for tail, new in zip(tails, chosen, strict=True)]


def _end_with(place: Place, size: str | None, column: int, edits: Edits) -> None:
    """Let a line end with a claim, the one it has if no size is given, at a column; a comment behind it moves if it
    must."""
    line, claim = place.line, place.line.statement.claim
    text = line.source.text
    start, width = place.code_end, len(_before(line.source, place.code_end))
    if size is None:
        said = text[line.start + claim.start : line.start + claim.end]
    elif claim is None:
        said = f"-> {size}"
    else:
        said = text[line.start + claim.start : line.start + claim.shape.start] + size
    new = " " * (column - width) + said
    end = line.end
    comment = _comment_behind(text, end)
    if comment is not None:
        behind = max(len(_before(line.source, comment)), width + len(new) + NEAREST)
        if text[start:end] != new:
            new, end = new + " " * (behind - width - len(new)), comment
    if text[start:end] != new:
        edits.append((start, end, new))


def _leave_out(place: Place, edits: Edits) -> None:
    """Remove a line's claim; of a line that is only a claim nothing stays but its comment."""
    line, claim = place.line, place.line.statement.claim
    text = line.source.text
    comment = _comment_behind(text, line.end)
    if place.ends and comment is not None:
        edits.append((place.code_end, comment, " " * (comment - place.code_end)))
    elif place.line.statement.items:
        edits.append((place.code_end, line.start + claim.end, ""))
    elif comment is not None:
        edits.append((line.start, comment, ""))
    else:
        newline = text.find("\n", line.end)
        edits.append((text.rfind("\n", 0, line.start) + 1, len(text) if newline < 0 else newline + 1, ""))


def _comment_behind(text: str, position: int) -> int | None:
    """Where the comment behind a position, on its physical line, begins."""
    newline = text.find("\n", position)
    sign = text.find("#", position, len(text) if newline < 0 else newline)
    return None if sign < 0 else sign


def _before(source: Source, position: int) -> str:
    """The physical line up to a position."""
    return source.text[source.text.rfind("\n", 0, position) + 1 : position]
