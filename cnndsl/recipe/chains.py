"""Settings that go on behind commas: `augment flip, crop 4` is one setting, `epochs 10, batch 64` are two."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.elaborate.settings import Setting
from cnndsl.recipe.settings import BY_NAME


def joined(settings: Iterable[Setting]) -> list[Setting]:
    """The settings; what stands behind commas after one that may go on is put into its `chain`, unless it is a setting
    of its own."""
    found: list[Setting] = []
    for setting in settings:
        head = found[-1] if found else None
        kind = BY_NAME.get(head.name) if head is not None else None
        if head is None or kind is None or not kind.chained or not setting.follows or setting.name in BY_NAME:
            found.append(setting)
            continue
        span = head.span._replace(end=setting.span.end)
        found[-1] = head._replace(span=span, chain=(*head.chain, setting))
    return found
