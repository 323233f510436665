"""Names for layers that the spec does not name.

A name comes from the layer's own line alone, so that it does not shift when a line is inserted elsewhere: the
kind with the sizes written (`conv5x5x6`, `dense120`), or, for a layer without a size behind another on its
line, that one's name and the kind (`conv5x5x6_tanh`). Equal names are told apart by their order: `relu`,
`relu_2`. Sizes in braces don't count, so a name stays when a parameter changes.
"""

from __future__ import annotations

from cnndsl.syntax import tree


def base_names(items: tuple[tree.Item, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The names for the items of one line, before equal ones are told apart."""
    names = []
    anchor = ""
    for item, kind in zip(items, kinds, strict=True):
        size = _written_size(item)
        if item.alias is not None:
            anchor = canonical(item.alias)
            names.append(kind + size)
        elif size or not anchor:
            anchor = kind + size
            names.append(anchor)
        else:
            names.append(f"{anchor}_{kind}")
    return tuple(names)


def _written_size(item: tree.Item) -> str:
    """The whole numbers and sizes among the arguments, as written, joined with `_`."""
    parts = []
    for argument in item.arguments:
        if isinstance(argument, tree.Sides):
            sides = [side.text for side in argument.sides if isinstance(side, tree.Number)]
            parts.append("x".join(sides))
        elif isinstance(argument, tree.Number) and argument.text.isdigit():
            parts.append(argument.text)
    return "_".join(part for part in parts if part)


def canonical(reference: tree.Reference) -> str:
    """A name with the steps that are written out, for use as an anchor."""
    return reference.name + "".join(f".{step}" for step in reference.steps if isinstance(step, str))
