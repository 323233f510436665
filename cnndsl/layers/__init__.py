"""Layer kinds. Each is one class; `find` imports the module of a kind when a spec first names it.

An installed package adds kinds through the entry-point group `cnndsl.layers`: each entry's name is a kind's name or
alias, its value the class, a subclass of `cnndsl.layers.base.Layer`. A spec file cannot add any.
"""

from __future__ import annotations

from importlib import import_module

from cnndsl.layers.base import Layer


def find(name: str) -> type[Layer] | None:
    """The class of a kind by its name or an alias, or None. Imports only that kind's family.

    Installed packages are searched only for a name that no built-in kind has.
    """
    from cnndsl.layers.index import KINDS

    where = KINDS.get(name)
    if where is None:
        from cnndsl.layers.installed import find_installed

        return find_installed(name)
    module, class_name = where
    result: type[Layer] = getattr(import_module(f"cnndsl.layers.{module}"), class_name)
    return result


def names() -> tuple[str, ...]:
    """Every built-in kind's name and alias, in the order of the index."""
    from cnndsl.layers.index import KINDS

    return tuple(KINDS)


def all_kinds() -> tuple[type[Layer], ...]:
    """Every built-in kind, each once. Imports them all: for the reference and the tests."""
    found = (find(name) for name in names())
    return tuple(dict.fromkeys(kind for kind in found if kind is not None))
