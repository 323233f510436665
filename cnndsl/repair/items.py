"""Errors about what an item says, whatever its input: names and arguments of other libraries, numbers in another order,
arguments that are too many, values that are plainly meant otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cnndsl.diagnostics import Diagnostic, Edit
from cnndsl.layers import find
from cnndsl.record import Record
from cnndsl.repair import changes
from cnndsl.repair.borrowed import is_argument, rewritten, said, shipped_block
from cnndsl.repair.candidate import Candidate
from cnndsl.repair.spec import Spec
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST_STRIDE = 4
"""A number behind a kernel that is larger than this is no stride."""
MERGES = ("add", "concat", "mul", "max", "absdiff")
OF_LINES = ("AssignmentHere", "InputWithoutSize", "ArmExpected", "UndefinedName", "SettingTwice")
"""Problems of lines that can't be read, so that there is no item."""


class Place(Record):
    """The item that an error is about, and the argument that is marked, if one is. Of a line that can't be read there
    is no item."""

    line: Line
    item: Any
    argument: Any

    def whole(self, text: str) -> tuple[Edit, ...]:
        """Another text for the item."""
        return (Edit(self.line.span(self.item), text),)

    def without(self) -> tuple[Edit, ...]:
        """The item without the marked argument, and without the space before it."""
        return (changes.cut(self.line, self.argument),)

    def edit(self, node: Any, text: str) -> tuple[Edit, ...]:
        return (Edit(self.line.span(node), text),)


def place_of(diagnostic: Diagnostic, spec: Spec) -> Place | None:
    """The item of the main file that an error of this sort is about."""
    if type(diagnostic).__name__ not in RULES or diagnostic.span.source is not spec.source:
        return None
    start, end = diagnostic.span.start, diagnostic.span.end
    if type(diagnostic).__name__ in OF_LINES:
        lines = [line for line in spec.lines if line.start <= start and end <= line.end]
        return Place(lines[-1], None, None) if lines else None
    for (first, last), (line, item) in spec.chains.items():
        if first <= start and end <= last:
            found = (a for a in item.arguments if line.start + a.start <= start and end <= line.start + a.end)
            return Place(line, item, next(found, None))
    return None


def candidates(problem: Diagnostic, place: Place, spec: Spec) -> Iterator[Candidate]:
    """What may mend an error about an item, the likeliest first."""
    for title, edits in RULES[type(problem).__name__](problem, place, spec):
        if edits:
            yield Candidate(title, edits, "likely")


Made = Iterator[tuple[str, tuple[Edit, ...]]]


def _borrowed(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E240, E241: the item in the language's own words."""
    for text in dict.fromkeys(rewritten(place.line, place.item)):
        if text != place.line.span(place.item).text:
            yield f"write `{text}`", place.whole(text)


def _word(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E241: `momentum 0.9`, an argument and its value; `x 3`, a count; the item in the language's own words."""
    item, word = place.item, place.argument
    at = item.arguments.index(word) if word in item.arguments else -1
    value = item.arguments[at + 1] if 0 <= at < len(item.arguments) - 1 else None
    yield from _borrowed(problem, place, spec)
    if isinstance(word, tree.Reference) and isinstance(value, (tree.Number, tree.Sides)):
        text = place.line.span(value).text
        span = Span(place.line.source, place.line.start + word.start, place.line.start + value.end)
        if word.name == "x" and item.count is None and value is item.arguments[-1]:
            yield f"so many of it: `* {text}`", (Edit(span, f"* {text}"),)
        yield f"write `{word.name}={text}`", (Edit(span, f"{word.name}={text}"),)


def _kind(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E201: an argument behind a comma, a kind of another library, a block that comes with cnndsl."""
    name = str(problem.values["name"])
    items = place.line.statement.items
    before = items[items.index(place.item) - 1] if items.index(place.item) else None
    if before is not None and place.item.arguments and is_argument(name):
        value = place.line.span(place.item.arguments[0]).text
        start = place.line.start + before.end
        cut = Span(place.line.source, start, place.line.start + place.item.arguments[0].end)
        yield f"an argument of `{before.kind.name}`: `{said(name, value)}`", (Edit(cut, f" {said(name, value)}"),)
    if before is not None and problem.values["is_tensor"] and getattr(before.kind, "name", "") in MERGES:
        comma = Span(place.line.source, place.line.start + before.end, place.line.start + place.item.start)
        if not place.item.arguments:
            yield f"names stand with spaces between: `{before.kind.name} … {name}`", (Edit(comma, " "),)
    yield from _borrowed(problem, place, spec)
    found = shipped_block(name)
    if found is not None and spec.document.lines:
        file, block = found
        start = spec.document.lines[0].start
        use = Edit(Span(spec.source, start, start), f"use std.{file}: {block}{spec.newline}{spec.newline}")
        edits = (use, *(place.edit(place.item.kind, block) if block != name else ()))
        yield f"the block of `std.{file}`: `{block}`", edits


def _too_many(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E242: numbers that make one size, that have names of their own, that are another layer."""
    item = place.item
    kind = getattr(item.kind, "name", "")
    numbers = [a for a in item.arguments if isinstance(a, tree.Number)]
    sizes = [a for a in item.arguments if isinstance(a, tree.Sides)]
    texts = [n.text for n in numbers]
    if len(numbers) == 3 and not sizes and len(set(texts)) == 2:
        first, second, third = texts
        ordered = [third, second, first] if second == third else texts
        yield from _one(place, numbers, ["x".join(ordered)])
    if sizes and 1 <= len(numbers) <= 2 and numbers[0].value <= MOST_STRIDE:
        yield from _one(place, numbers, [f"/{texts[0]}", *(f"pad={text}" for text in texts[1:])])
    if len(numbers) in (2, 3) and not sizes and kind == "pool":
        stride = f" /{texts[1]}" if texts[1] != texts[0] else ""
        yield from _one(place, numbers, [texts[0] + stride, *(f"pad={text}" for text in texts[2:] if text != "0")])
    if kind == "dense" and len(numbers) == len(item.arguments) > 1:
        text = ", ".join(f"dense {text}" for text in texts)
        yield f"a layer for each: `{text}`", place.whole(text)
    yield from _borrowed(problem, place, spec)
    if place.argument is not None:
        yield f"without `{place.line.span(place.argument).text}`", place.without()


def _one(place: Place, numbers: list[tree.Number], words: list[str]) -> Made:
    """The item with these words instead of its numbers."""
    first, *others = numbers
    edits = [*place.edit(first, " ".join(words)), *(changes.cut(place.line, other) for other in others)]
    shown = place.line.span(place.item).text
    at = place.line.start + place.item.start
    for edit in sorted(edits, key=lambda e: -e.span.start):
        shown = shown[: edit.span.start - at] + edit.text + shown[edit.span.end - at :]
    yield f"write `{shown}`", tuple(edits)


def _twice(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E243: `3x3 channels=8`, where the size was meant as the kernel alone; else one of the two left out."""
    given = changes.named(place.item, "channels")
    size = changes.size(place.item)
    if problem.values["name"] == "channels" and given is not None and isinstance(size, (tree.Sides, tree.Number)):
        value = place.line.span(given.value).text
        for sides in (place.line.span(size).text, f"{place.line.span(size).text}x{place.line.span(size).text}"):
            edits = (*place.edit(size, f"{sides}x{value}"), changes.cut(place.line, given))
            yield f"one size: `{sides}x{value}`", edits
        return
    first = problem.values["first"]
    named = [a for a in place.item.arguments if isinstance(a, tree.Named) and a.name == problem.values["name"]]
    if len(named) > 1 or first < len(place.item.arguments):
        other = named[0] if len(named) > 1 else place.item.arguments[first]
        if isinstance(other, (tree.Named, tree.Slash, tree.Reference)):
            yield f"without `{place.line.span(other).text}`", (changes.cut(place.line, other),)
    yield from _left_out(problem, place, spec)


def _comma(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E124: `conv 3x3x8 pad 1`, which is padding rather than a layer of its own."""
    if problem.values["word"] == "pad":
        yield from _borrowed(problem, place, spec)


def _left_out(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E231, E243, E246, E248, E249, E250, E251: without the marked argument."""
    if place.argument is not None:
        yield f"without `{place.line.span(place.argument).text}`", place.without()


def _no_stride(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E246: a division in braces, or no stride."""
    numbers = [a for a in place.item.arguments if isinstance(a, tree.Number)]
    if numbers and isinstance(place.argument, tree.Slash) and numbers[-1].end < place.argument.start:
        text = f"{{{numbers[-1].text} // {place.line.span(place.argument.value).text}}}"
        span = Span(place.line.source, place.line.start + numbers[-1].start, place.line.start + place.argument.end)
        yield f"a division: `{text}`", (Edit(span, text),)
    yield from _left_out(problem, place, spec)


def _value(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E244: a whole number instead of a fraction, a share instead of a percentage, one side of a size."""
    values = problem.values
    value, wanted = str(values["value"]), str(values["wanted"])
    brace = _brace(place.argument)
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", value) and wanted.startswith(("a whole number", "a size")) and brace:
        inner = place.line.span(brace.expression).text
        if re.fullmatch(r"[^/]*[^/]/[^/][^/]*", inner):
            text = re.sub(r"(?<!/)/(?!/)", "//", inner)
            yield f"rounded down: `{{{text}}}`", place.edit(brace.expression, text)
            return
        yield f"rounded: `{{round({inner})}}`", place.edit(brace.expression, f"round({inner})")
    if wanted.startswith("a number from 0") and re.fullmatch(r"[0-9]{1,2}(\.0)?", value) and place.argument is not None:
        share = f"{float(value) / 100:g}"
        node = place.argument.value if isinstance(place.argument, tree.Named) else place.argument
        yield f"a share: `{share}`", place.edit(node, share)
    if wanted == "true or false" and isinstance(place.argument, tree.Named):
        meant = _TRUTHS.get(value.lower())
        if meant is not None:
            text = "nobias" if (place.argument.name, meant) == ("bias", "false") else f"{place.argument.name}={meant}"
            yield f"write `{text}`", place.edit(place.argument, text)
    if wanted.startswith("a whole number") and re.fullmatch(r"[0-9]+(x[0-9]+)+", value) and brace:
        yield from _one_side(problem, place, spec, value)


_TRUTHS = {"no": "false", "off": "false", "0": "false", "yes": "true", "on": "true", "1": "true", "none": "false"}


def _one_side(problem: Diagnostic, place: Place, spec: Spec, value: str) -> Made:
    """A block that is called with a size where it takes a number: the size's last side, the channels."""
    calls = tuple(label.span for label in problem.labels if label.text == "called from here")
    found = spec.item_at(calls[0]) if calls else None
    for line, item in [] if found is None else [found]:
        for argument in item.arguments:
            if line.span(argument).text == value:
                channels = value.rpartition("x")[2]
                yield f"the channels alone: `{channels}`", (Edit(line.span(argument), channels),)


def _brace(argument: Any) -> tree.Brace | None:
    """The only expression in braces of an argument."""
    value = getattr(argument, "value", argument)
    parts = value.sides if isinstance(value, tree.Sides) else (value,)
    found = [part for part in parts if isinstance(part, tree.Brace)]
    return found[0] if len(found) == 1 else None


def _block(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E231: without the argument that a block has no place for."""
    said = str(problem.values["message"])
    if not problem.fixes and ("no place" in said or "twice" in said):
        yield from _left_out(problem, place, spec)


def _no_input(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E204: the input that stands further down, moved up."""
    header = spec.header(place.line)
    for line in spec.inputs.values():
        if line.start > place.line.start and spec.header(line) is header and line.column == place.line.column:
            yield "move the input up", _moved_up(line, place.line, spec)
            return


def _moved_up(line: Line, to: Line, spec: Spec) -> tuple[Edit, ...]:
    """A line with all that stands on it put before another."""
    source, starts = line.source, line.source.starts
    cut = _whole_line(line)
    whole = cut.span
    first = starts[source.position(to.start)[0] - 1]
    text = source.text[whole.start : whole.end]
    text = text if text.endswith("\n") else text + spec.newline
    return Edit(Span(source, first, first), text), cut


def _undefined(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E401: the `let` that stands further down, moved up."""
    places = [label.span for label in problem.labels if label.text == "defined here, further down"]
    for line in spec.lines:
        if line.span() in places and line.column == place.line.column and not line.body:
            yield f"move `{line.text}` up", _moved_up(line, place.line, spec)


def _renamed(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E206: another name for the second layer: the next number."""
    found = re.fullmatch(r"(.*?)([0-9]*)", problem.values["name"])
    if problem.values["what"] != "layer" or found is None or problem.span.text != problem.values["name"]:
        return
    number = int(found[2] or 1)
    for name in (f"{found[1]}{number + step}" if found[2] else f"{found[1]}_{number + step}" for step in range(1, 10)):
        if re.search(rf"\b{name}\b", spec.source.text) is None:
            yield f"another name: `{name}`", (Edit(problem.span, name),)
            return


def _assigned(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E141: `dense = 10`, where the name is a kind's."""
    name, rest = problem.values["name"], problem.values["rest"]
    if find(name) is not None and rest:
        text = place.line.text
        yield f"write `{name} {rest}`", (Edit(place.line.span(), text.replace(text, f"{name} {rest}")),)


def _ends(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E714: a block that calls itself with a parameter as it is, one less."""
    block = spec.blocks.get(getattr(place.item.kind, "name", ""))
    names = {p.name for p in block.statement.parameters} if block is not None else set()
    for argument in place.item.arguments:
        brace = _brace(argument)
        if brace is not None and getattr(brace.expression, "name", "") in names:
            text = f"{brace.expression.name} - 1"
            yield f"one level less: `{{{text}}}`", place.edit(brace.expression, text)


def _none(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E216: the fixes that come with it are tried, and no others."""
    yield from ()


def _line_out(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E604: without the second line, or without the first."""
    first = next((label.span for label in problem.labels if label.text == "first set here"), None)
    before = next((line for line in spec.lines if line.span() == first), None)
    for word, line in (("this line", place.line), ("the first one", before)):
        if line is not None:
            yield f"without {word}", (_whole_line(line),)


def _whole_line(line: Line) -> Edit:
    """A line taken out, with all that stands on it."""
    source, starts = line.source, line.source.starts
    number = source.position(line.start)[0]
    end = starts[number] if number < len(starts) else len(source.text)
    return Edit(Span(source, starts[number - 1], end), "")


def _size_named(problem: Diagnostic, place: Place, spec: Spec) -> Made:
    """E121: `input size=32x32x3`, or a `shape`."""
    found = re.fullmatch(r"input\s+\w+\s*=\s*([0-9]+(?:x[0-9]+)*)", place.line.text)
    if found is not None:
        yield f"write `input {found[1]}`", (Edit(place.line.span(), f"input {found[1]}"),)


RULES: dict[str, Callable[[Diagnostic, Place, Spec], Made]] = {
    "ArmExpected": _none,
    "UndefinedName": _undefined,
    "TooManyCalls": _ends,
    "SettingTwice": _line_out,
    "UnknownKind": _kind,
    "NoInput": _no_input,
    "DefinedTwice": _renamed,
    "AssignmentHere": _assigned,
    "InputWithoutSize": _size_named,
    "UnknownArgument": _borrowed,
    "UnknownWord": _word,
    "MissingComma": _comma,
    "TooManyArguments": _too_many,
    "ArgumentTwice": _twice,
    "BadArgument": _value,
    "NoStride": _no_stride,
    "Exclusive": _left_out,
    "WithoutEffect": _left_out,
    "NothingLearned": _left_out,
    "NothingToFreeze": _left_out,
    "BlockArguments": _block,
}
"""By the name of the problem's class."""
