"""Asking which input sizes fit the networks of a spec."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from cnndsl.diagnostics import Diagnostic
from cnndsl.elaborate import Options, prepare
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope, Silent, evaluate
from cnndsl.elaborate.file import NetworkLines
from cnndsl.elaborate.items import Changes
from cnndsl.files import Library
from cnndsl.record import Record
from cnndsl.sizes.answer import Allowed, Answer, Line, Pairs, weighing
from cnndsl.sizes.at import At, at_point
from cnndsl.sizes.domain import Axis, Domain, apart, pairs, together
from cnndsl.sizes.examine import Examined, examine
from cnndsl.sizes.forward import Forward
from cnndsl.sizes.inputs import Given, Where, axes_of, look_at
from cnndsl.sizes.vectors import Array, Coupled
from cnndsl.source import Source, Span
from cnndsl.syntax import parse

LARGEST = 1024
"""The largest size that is examined, unless the declared one is half of it or more."""


MOST_PAIRS_SHOWN = 12


class Question(Record):
    """What is asked. low, high: the sizes to examine, both among them; None for those that are usual. input: the name
    of the input that varies. axes: the names of the axes that vary; none: all."""

    low: int = 1
    high: int | None = None
    input: str | None = None
    axes: tuple[str, ...] = ()


class NotThere(Exception):  # noqa: N818 (a question that has no answer, no error of the spec)
    """An input or an axis that is asked about and that the network does not have: a sentence."""


def ask(
    source: Source,
    question: Question = Question(),  # noqa: B008
    options: Options = Options(),  # noqa: B008
    root: str | None = None,
) -> tuple[list[Answer], list[Diagnostic]]:
    """The answer for each network of a spec; or what is wrong with it, whatever the size. Raises NotThere."""
    networks, diagnostics = _asked(source, options, root)
    return [one.answer(question) for one in networks], diagnostics


def ask_at(
    source: Source,
    sizes: tuple[int, ...],
    question: Question = Question(),  # noqa: B008
    options: Options = Options(),  # noqa: B008
    root: str | None = None,
) -> tuple[list[At], list[Diagnostic]]:
    """The answer about one size, for each network: a number for all axes, or one for each. Raises NotThere."""
    networks, diagnostics = _asked(source, options, root)
    return [one.at(sizes, question) for one in networks], diagnostics


def _asked(source: Source, options: Options, root: str | None) -> tuple[list[_Asked], list[Diagnostic]]:
    """The networks that can be asked about; what is wrong, whatever the size."""
    document, diagnostics = parse(source)
    files, networks, changes, found = prepare(document, options, Library(source, root))
    diagnostics += found
    if any(d.severity == "error" for d in diagnostics):
        return [], diagnostics
    asked = []
    for network in networks:
        own = {p.name: changes.parameters[p.name] for p in network.parameters if p.name in changes.parameters}
        span = network.header.span() if network.header else Span(source, 0, 1)
        one = _Asked(network, changes._replace(parameters=own), span, look_at(network, changes, span, files))
        blocking = one.blocking()
        diagnostics += blocking
        asked += [] if blocking else [one]
    return asked, diagnostics


class _Asked:
    """A network that is asked about."""

    def __init__(self, network: NetworkLines, changes: Changes, span: Span, given: Given) -> None:
        self.network = network
        self.changes = changes
        self.span = span
        self.given = given
        self.forward = Forward()

    def blocking(self) -> list[Diagnostic]:
        """What is wrong at the declared sizes and would be at any other: all but what shape rules say."""
        found = [d for d in self.given.diagnostics if d.severity == "error" and d.code[:2] not in ("E3", "E4")]
        return found if self.given.shapes else [d for d in self.given.diagnostics if d.severity == "error"]

    def answer(self, question: Question) -> Answer:
        axes = self._axes(question)
        fixed = {name: shape.sizes for name, shape in self.given.shapes.items()}
        declared = max(axis.declared for axis in axes)
        high = question.high or max(LARGEST, 2 * declared)
        sizes = np.arange(min(question.low, high), high + 1)
        lines, coupled = self._lines(axes, sizes, fixed, frozenset())
        alone = coupled is None
        inference = self._inference(axes, sizes, fixed, lines)
        counted = None if alone else self._pairs(axes, sizes, fixed, lines)
        part = next((part for line in lines for part in line.examined.parts), None)
        graph = part.graph if part is not None else self.given.graph
        depending = weighing(part) if part is not None else ()
        return Answer(
            self.network.name, graph, self.given.shapes, axes, coupled, lines, counted, inference, depending,
            tuple(self._allowed(lines)),
        )  # fmt: skip

    def at(self, sizes: tuple[int, ...], question: Question) -> At:
        """The answer about one size. Raises NotThere."""
        axes = self._axes(question)
        chosen = self._chosen(axes, sizes)
        high = question.high or max(LARGEST, 2 * max(*sizes, *(axis.declared for axis in axes)))
        answer = self.answer(question._replace(high=high))
        fixed = {name: shape.sizes for name, shape in self.given.shapes.items()}
        domain = Domain((tuple((axis, np.array([size])) for axis, size in chosen.items()),), fixed)
        examined = self._examine(domain, frozenset())
        return at_point(answer, Line("", axes, np.array(sizes[:1]), examined, (None,)), chosen)

    def _chosen(self, axes: tuple[Axis, ...], sizes: tuple[int, ...]) -> dict[Axis, int]:
        """The size of each axis. Raises NotThere."""
        places = [axis for axis in axes for name, _ in axis.places if name == axes[0].places[0][0]]
        if len(sizes) not in (1, len(places)):
            names = " and ".join(word for axis in axes for word in axis.name.split(" = "))
            raise NotThere(f"{self.network.name}: {len(sizes)} sizes are given, but what varies is {names}.")
        chosen: dict[Axis, int] = {}
        for axis, size in zip(places, sizes * len(places) if len(sizes) == 1 else sizes, strict=True):
            if chosen.setdefault(axis, size) != size:
                raise NotThere(f"{self.network.name}: {axis.name} have one size.")
        return chosen

    def _axes(self, question: Question) -> tuple[Axis, ...]:
        """The axes that vary. Raises NotThere."""
        name, shapes = self.network.name, self.given.shapes
        if question.input is not None and question.input not in shapes:
            raise NotThere(f"{name} has no input named '{question.input}'; its inputs: {', '.join(shapes)}.")
        axes = axes_of(self.given, question.input)
        if not axes:
            what = f"the input '{question.input}'" if question.input else "what goes in"
            raise NotThere(f"{name}: {what} is a vector, without height, width or length: nothing varies.")
        known = {word: axis for axis in axes for word in axis.name.split(" = ")}
        for word in question.axes:
            if word not in known:
                raise NotThere(f"{name} has no axis '{word}' that varies; there is {' and '.join(known)}.")
        chosen = dict.fromkeys(known[word] for word in question.axes)
        return tuple(chosen) or axes

    # --- domains ---------------------------------------------------------------------------------------------------

    def _examine(self, domain: Domain, unasked: frozenset[int]) -> Examined:
        return examine(self.network, self.changes, self.span, domain, self.forward, unasked)

    def _lines(
        self, axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]], unasked: frozenset[int]
    ) -> tuple[tuple[Line, ...], str | None]:
        """The lines of an answer, and what couples the axes; None if they don't depend on each other."""
        try:
            examined = self._examine(apart(axes, sizes, fixed), unasked)
        except Coupled as coupled:
            by = f"`{coupled.args[0]}`" if coupled.args else "what the spec asks of them"
            return self._coupled(axes, sizes, fixed, unasked), by
        if _is_product(examined):
            return _along(examined, axes, sizes), None
        return _through(examined, axes, sizes), "what the spec asks of them"

    def _coupled(
        self, axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]], unasked: frozenset[int]
    ) -> tuple[Line, ...]:
        """All axes of one size, then each for itself with the others as declared."""
        found = [Line(_equal(axes), axes, sizes, self._examine(together(axes, sizes, fixed), unasked), (None,))]
        for axis in axes:
            examined = self._examine(apart((axis,), sizes, fixed), unasked)
            found.append(Line(_alone(axis, axes), (axis,), sizes, examined, (None,)))
        return tuple(found)

    def _pairs(
        self, axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]], lines: tuple[Line, ...]
    ) -> Pairs | None:
        """The pairs of sizes that fit; None where they are too many to look at."""
        domain = pairs(axes, sizes, fixed)
        if domain is None or lines[0].examined.asked:
            return None
        try:
            examined = self._examine(domain, frozenset())
        except Coupled:
            return None
        fits = np.logical_or.reduce([part.box[0] for part in examined.parts] or [np.zeros(len(sizes) ** 2, dtype=bool)])
        first = [divmod(int(index), len(sizes)) for index in np.flatnonzero(fits)[:MOST_PAIRS_SHOWN]]
        return Pairs(int(fits.sum()), len(fits), tuple((int(sizes[a]), int(sizes[b])) for a, b in first))

    def _inference(
        self, axes: tuple[Axis, ...], sizes: Array, fixed: dict[str, tuple[int, ...]], lines: tuple[Line, ...]
    ) -> tuple[Line, ...]:
        """The lines without what only serves training, where that makes a difference."""
        graph = self.given.graph
        auxiliary = graph.auxiliary()
        if not auxiliary or not graph.complete or any(line.examined.asked for line in lines):
            return ()
        inside = all(sizes[0] <= axis.declared <= sizes[-1] for axis in axes)
        found, _ = self._lines(axes, sizes, fixed, auxiliary) if inside else ((), False)
        same = all(bool((a.fits() == b.fits()).all()) for a, b in zip(lines, found, strict=False))
        return () if same else found

    # --- where -----------------------------------------------------------------------------------------------------

    def _allowed(self, lines: tuple[Line, ...]) -> list[Allowed]:
        """What `where` allows, along each line that it speaks of."""
        found = []
        for line in lines:
            about = [one for one in self.given.where if self._letters(one) & self._along(line)]
            about = [one for one in about if self._letters(one) <= self._along(line)]
            if not about:
                continue
            allowed = np.array([self._allows(about, line, index) for index in range(len(line.sizes))], dtype=bool)
            fits, lossless = line.fits(), line.lossless()
            misfit, lossy = (np.flatnonzero(allowed & mask) for mask in (~fits & ~line.unknown(), fits & ~lossless))
            text = ", ".join(one.line.span(one.condition).text for one in about)
            first, second = (int(one[0]) if len(one) else None for one in (misfit, lossy))
            found.append(Allowed(text, line, first, second, fits & ~allowed))
        return found

    def _letters(self, where: Where) -> set[str]:
        """The letters of sizes that a condition reads."""
        text = where.line.span(where.condition).text
        known = {letter for letters in self.given.letters.values() for letter in letters if letter}
        return {letter for letter in known if _reads(where.condition, letter)} if text else set()

    def _along(self, line: Line) -> set[str]:
        """The letters of the axes of a line."""
        return {letter for axis in line.axes for letter in self._letters_of(axis)}

    def _letters_of(self, axis: Axis) -> list[str]:
        letters = [self.given.letters.get(name, ()) for name, _ in axis.places]
        found = [one[place] for one, (_, place) in zip(letters, axis.places, strict=True) if place < len(one)]
        return [letter for letter in found if letter]

    def _allows(self, conditions: list[Where], line: Line, index: int) -> bool:
        values = {letter: int(line.sizes[index]) for axis in line.axes for letter in self._letters_of(axis)}
        try:
            return all(bool(evaluate(one.condition, Scope(one.scope, values), Budget())) for one in conditions)
        except (EvaluationError, Silent):
            return False


def _reads(node: Any, name: str) -> bool:
    """Whether an expression has a name in it."""
    if isinstance(node, tuple):
        return getattr(node, "name", None) == name or any(_reads(part, name) for part in node)
    return False


def _is_product(examined: Examined) -> bool:
    """Whether what fits, and what loses nothing, is all combinations of some sizes of each axis."""
    for boxes in ([p.box for p in examined.parts], [b for p in examined.parts if (b := p.lossless()) is not None]):
        volume = sum(prod(int(mask.sum()) for mask in box) for box in boxes)
        sides = [np.logical_or.reduce(masks) for masks in zip(*boxes, strict=True)]
        if volume != prod(int(mask.sum()) for mask in sides) and boxes:
            return False
    return True


def _along(examined: Examined, axes: tuple[Axis, ...], sizes: Array) -> tuple[Line, ...]:
    """A line for each axis that differs from the first, the others at sizes that fit, near the declared ones."""
    boxes = [part.box for part in examined.parts]
    near = examined.domain.nearest(boxes[0] if boxes else tuple(np.ones(len(sizes), dtype=bool) for _ in axes))
    lines = []
    for number, axis in enumerate(axes):
        at = tuple(None if other == number else one for other, one in enumerate(near))
        lines.append(Line(axis.name, (axis,), sizes, examined, at))
    alike = all(_alike(one, other) for one, other in pairwise(lines))
    if len(lines) > 1 and alike:
        title = f"{' and '.join(axis.name for axis in axes)}, each for itself"
        return (Line(title, axes, sizes, examined, (None,) * len(axes)),)
    return tuple(lines)


def _alike(one: Line, other: Line) -> bool:
    return bool((one.fits() == other.fits()).all() and (one.lossless() == other.lossless()).all())


def _through(examined: Examined, axes: tuple[Axis, ...], sizes: Array) -> tuple[Line, ...]:
    """The lines of coupled axes, through what was examined already."""
    declared = [int(np.argmin(np.abs(sizes - axis.declared))) for axis in axes]
    lines = [Line(_equal(axes), axes, sizes, examined, (None,) * len(axes))]
    for number, axis in enumerate(axes):
        at = tuple(None if other == number else one for other, one in enumerate(declared))
        lines.append(Line(_alone(axis, axes), (axis,), sizes, examined, at))
    return tuple(lines)


def _equal(axes: tuple[Axis, ...]) -> str:
    return " = ".join(axis.name for axis in axes)


def _alone(axis: Axis, axes: tuple[Axis, ...]) -> str:
    """`height, with width 224`."""
    others = ", ".join(f"{other.name} {other.declared}" for other in axes if other != axis)
    return f"{axis.name}, with {others}"
