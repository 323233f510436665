"""Edits of one item in the spec's own style: its stride, padding, kernel, channels; the item itself."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Edit
from cnndsl.repair.spec import Handle, Spec
from cnndsl.source import Span
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

Edits = tuple[Edit, ...]

_SIZES = (tree.Number, tree.Sides, tree.Brace)


def named(item: tree.Item, name: str) -> tree.Named | None:
    """The argument `name=` of an item."""
    return next((a for a in item.arguments if isinstance(a, tree.Named) and a.name == name), None)


def word(item: tree.Item, *words: str) -> tree.Reference | None:
    """The first of these words among an item's arguments."""
    return next((a for a in item.arguments if isinstance(a, tree.Reference) and a.name in words and not a.steps), None)


def slash(item: tree.Item) -> tree.Slash | None:
    """The argument `/2` of an item."""
    return next((a for a in item.arguments if isinstance(a, tree.Slash)), None)


def size(item: tree.Item) -> Any:
    """The first size or number among an item's arguments."""
    return next((a for a in item.arguments if isinstance(a, _SIZES)), None)


def _behind(handle: Handle, *, slashes: bool = True) -> int:
    """Where a further argument goes: behind the sizes, and behind the stride."""
    kinds = (*_SIZES, tree.Slash) if slashes else _SIZES
    ends = [a.end for a in handle.item.arguments if isinstance(a, kinds)]
    return int(max([handle.item.kind.end, *ends]))


def without(handle: Handle, argument: Any) -> Edit:
    """An item without one of its arguments, and without the space before it."""
    return cut(handle.line, argument)


def cut(line: Line, argument: Any) -> Edit:
    """The edit that takes an argument out of its line, with the space before it."""
    start = line.start + argument.start
    text = line.source.text
    while text[start - 1] == " ":
        start -= 1
    return Edit(Span(line.source, start, line.start + argument.end), "")


def with_word(handle: Handle, text: str) -> Edits:
    """An item with one more word or named argument."""
    return (handle.insert(_behind(handle), f" {text}"),)


def with_padding(handle: Handle, text: str) -> Edits:
    """An item padded as `text` (`same`, `pad=2`) says."""
    old = named(handle.item, "pad") or word(handle.item, "same", "valid")
    return (handle.edit(old, text),) if old is not None else with_word(handle, text)


def with_stride(spec: Spec, handle: Handle, stride: int, *, default: bool = True) -> Edits | None:
    """An item with another stride; `default` says that a stride of 1 need not be written."""
    old = slash(handle.item) or named(handle.item, "stride")
    if old is None:
        return (handle.insert(_behind(handle, slashes=False), f" /{stride}"),)
    if isinstance(old.value, (tree.Number, tree.Sides)):
        if stride == 1 and default:
            return (without(handle, old),)
        return (handle.edit(old.value, str(stride)),)
    place = spec.literal(old.value, handle.line, handle.calls)
    return (Edit(place, str(stride)),) if place is not None else None


def with_slash(handle: Handle, text: str) -> Edits:
    """An item with a stride as it is said elsewhere: `/{stride}`."""
    return (handle.insert(_behind(handle, slashes=False), f" {text}"),)


def with_kernel(handle: Handle, kernel: tuple[int, ...]) -> Edits | None:
    """An item with another kernel or window; of a size, its first sides."""
    old = size(handle.item)
    if isinstance(old, tree.Number):
        return (handle.edit(old, "x".join(map(str, kernel if len(set(kernel)) > 1 else kernel[:1]))),)
    if not isinstance(old, tree.Sides) or len(old.sides) < len(kernel):
        return None
    pairs = [(s, k) for s, k in zip(old.sides, kernel, strict=False) if not isinstance(s, tree.Number) or s.value != k]
    return tuple(handle.edit(side, str(k)) for side, k in pairs)


def channels_written(item: tree.Item) -> Any:
    """The part of an item that says its channels or units: a side, a number or an expression."""
    given = named(item, "channels") or named(item, "units")
    if given is not None:
        return given.value
    old = size(item)
    return old.sides[-1] if isinstance(old, tree.Sides) else old


def with_channels(spec: Spec, handle: Handle, channels: int) -> Edits | None:
    """An item with another number of channels or units."""
    place = spec.literal(channels_written(handle.item), handle.line, handle.calls)
    return (Edit(place, str(channels)),) if place is not None else None


def with_argument(spec: Spec, handle: Handle, name: str, value: str) -> Edits | None:
    """An item whose argument `name=` has another value, wherever that is written."""
    old = named(handle.item, name)
    if old is None:
        return with_word(handle, f"{name}={value}")
    if isinstance(old.value, tree.Brace):
        place = spec.literal(old.value, handle.line, handle.calls)
        return (Edit(place, value),) if place is not None else None
    return (handle.edit(old.value, value),)


def instead(handle: Handle, text: str) -> Edits:
    """Another item in place of this one."""
    return (Edit(handle.span, text),)


def before(handle: Handle, text: str) -> Edits:
    """Another item on the same line, before this one."""
    return (handle.insert(handle.item.start, f"{text}, "),)


def removed(spec: Spec, handle: Handle) -> Edits | None:
    """The line without the item; None where something would be lost with it: a name, a claim, a whole body."""
    line, item = handle.line, handle.item
    items = line.statement.items
    if item.alias is not None or (line.statement.opens and item is items[-1]):
        return None
    at = items.index(item)
    source = line.source
    if at:
        return (Edit(Span(source, line.start + items[at - 1].end, line.start + item.end), ""),)
    if len(items) > 1:
        return (Edit(Span(source, line.start + item.start, line.start + items[1].start), ""),)
    first = source.starts[source.position(line.start)[0] - 1]
    alone = not source.text[first : line.start].strip()
    if line.statement.claim is not None or len(spec.siblings(line)) < 2 or not alone:
        return None
    number = source.position(line.end)[0]
    end = source.starts[number] if number < len(source.starts) else len(source.text)
    return (Edit(Span(source, first, end), ""),)


def indentation(handle: Handle) -> int:
    """The column at which an item's line begins."""
    return handle.line.column
