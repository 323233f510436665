"""Networks of the zoo as drawings see them, made once in a process."""

from __future__ import annotations

from functools import cache

from cnndsl.draw.outline import Item, outline
from cnndsl.pipeline import CheckedNetwork, Options, check
from cnndsl.source import Source
from cnndsl.zoo import locate, read


@cache
def checked(name: str) -> CheckedNetwork:
    """A network that comes with cnndsl."""
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    return check(source, Options(network=place.network)).networks[0]


@cache
def drawn(name: str) -> Item:
    """Its outline, nothing folded but rows of equals."""
    one = checked(name)
    return outline(one.graph, one.analysis)
