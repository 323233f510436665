"""Two specs side by side, as `diff` compares and `draw` draws them: files, networks of the zoo, revisions of git."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cnndsl.diagnostics import Diagnostic
from cnndsl.files import STDIN, Library
from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.terminal import visible
from cnndsl.zoo import Place, locate, read

if TYPE_CHECKING:
    from cnndsl.compare import Side
    from cnndsl.pipeline import Checked

Sets = tuple[tuple[str, str], ...]


class Spec(Record):
    """One of the two specs as asked for: where it is, at which revision, and what is set in it.

    top: whether its path is git's own, from the top of the repository.
    """

    place: Place
    revision: str | None
    sets: Sets = ()
    input: str | None = None
    top: bool = False


def two_specs(a: str, b: str | None, revisions: tuple[str, ...]) -> tuple[Spec, Spec]:
    """The two specs. Raises click.UsageError."""
    if revisions and b is not None:
        raise click.UsageError("--rev is for one file; with two, write REV:FILE, as in HEAD~1:specs/net.cnn.")
    if len(revisions) > 2:
        raise click.UsageError("--rev can be given twice: for what was, and for what is.")
    if a == b == STDIN:
        raise click.UsageError("Standard input ('-') can be read only once.")
    if revisions:
        place = locate(a)
        one, two = (*revisions, None)[:2]
        return Spec(place, one), Spec(place, two)
    return _place(a), _place(a if b is None else b)


def _place(text: str) -> Spec:
    """A file, a name of the zoo, or `REV:FILE` where there is no such file."""
    from cnndsl.revisions import split

    place = locate(text)
    at = split(place.path)
    if at is None:
        return Spec(place, None)
    revision, path = at
    return Spec(Place(path, place.network, text), revision, top=True)


def check_both(specs: Iterable[Spec], root: str | None) -> tuple[list[Checked | None], list[Diagnostic]]:
    """Both specs, and all that is wrong. Nothing is said twice."""
    from cnndsl.pipeline import Options, check

    checked: list[Checked | None] = []
    diagnostics: list[Diagnostic] = []
    said: set[tuple[str, str, int, str]] = set()
    for one in specs:
        source, library = _read(one, root)
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            checked.append(None)
            continue
        options = Options(sets=one.sets, input=one.input, network=one.place.network, root=root)
        result = check(source, options, library=library)
        checked.append(result)
        for problem in result.diagnostics:
            key = (problem.code, problem.span.source.name, problem.span.start, problem.message_text())
            if key not in said and problem.severity != "note":
                diagnostics.append(problem)
            said.add(key)
    return checked, diagnostics


def _read(one: Spec, root: str | None) -> tuple[Source | Diagnostic, Library | None]:
    if one.revision is None:
        return read(one.place), None
    from cnndsl import revisions

    return revisions.read(one.revision, one.place.path, root, top=one.top)


def sides(checked: Checked) -> list[Side]:
    """The networks of a spec in which there is something to compare."""
    from cnndsl.compare import Side

    return [Side(visible(checked.source.name), n.graph, n.analysis) for n in checked.networks if n.graph.nodes]


def together(mine: list[Side], other: list[Side]) -> tuple[list[tuple[Side, Side]], list[Side], list[Side]]:
    """Networks of one name; if then each file has one more, these; and those that are left."""
    names = {side.graph.name: side for side in other}
    both = [(side, names[side.graph.name]) for side in mine if side.graph.name in names]
    known = {one.graph.name for one, _ in both}
    mine = [side for side in mine if side.graph.name not in known]
    other = [side for side in other if side.graph.name not in known]
    if len(mine) == len(other) == 1:
        return [*both, (mine[0], other[0])], [], []
    return both, mine, other
