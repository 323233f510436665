"""The largest setting of a network's parameters that keeps a budget.

`values.py` reads what may vary, `budgets.py` decides whether a setting keeps the budgets, `search.py` chooses what to
try. Nothing is taken for granted of how a number grows: what is said of a setting was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.record import Record


class Axis(Record):
    """One thing that varies: a parameter, or `input` (or an input's name), which is the size of all its sides.

    values: from small to large; a range or a list. open: whether the range ends only because something must.
    """

    name: str
    values: Sequence[Any]
    input: bool = False
    open: bool = False


class Judged(Record):
    """One condition of a budget at one setting. figures: the text of each of its sides that is no plain number, and
    that side's value. excess: by how much the left side is too large, negative if it is too small; None where
    that is no number, or where it holds."""

    text: str
    holds: bool
    figures: tuple[tuple[str, Any], ...]
    excess: float | None


class Try(Record):
    """One setting that was tried. at: the number of its value on each axis. problem: why there is no such network,
    or no such number; then `judged` is empty. too_large: whether that is because a limit of the language was
    reached."""

    at: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...]
    judged: tuple[Judged, ...]
    problem: str | None = None
    too_large: bool = False

    @property
    def fits(self) -> bool:
        """Whether the network is right and keeps every budget."""
        return self.problem is None and all(one.holds for one in self.judged)

    @property
    def figures(self) -> dict[str, Any]:
        """The numbers that the budgets are about, by their text."""
        return dict(figure for one in self.judged for figure in one.figures)


class Found(Record):
    """The answer of a search. best: None where no try fits. complete: whether nothing larger was left untried.

    tries: everything that was tried, in the order of the values, the first axis first.
    """

    axes: tuple[Axis, ...]
    best: Try | None
    complete: bool
    tries: tuple[Try, ...]

    @property
    def total(self) -> int:
        """How many settings there are."""
        total = 1
        for axis in self.axes:
            total *= len(axis.values)
        return total

    def undominated(self) -> list[Try]:
        """What fits and is not smaller on one axis than another that fits and is no smaller on the others: of several
        axes, the settings to choose from."""
        fitting = [one for one in self.tries if one.fits]
        return [
            one
            for one in fitting
            if not any(
                other is not one and all(x <= y for x, y in zip(one.at, other.at, strict=True)) for other in fitting
            )
        ]
