"""Which settings to try, and in which order.

Where there are few values, all that are larger than the answer are tried, so it is the largest for certain. Of many,
steps that double find where a budget ends, halving finds the last value before it, and what is left of the tries
is spent above: right behind the answer, and spread over the rest. If one of these fits after all, the search goes on
from there. So nothing has to grow evenly; the answer is then the largest that was found, and is called so.
"""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.fit import Axis, Found, Try

At = tuple[int, ...]
Judging = Callable[[At], Try]

_FAILURES, _MOST_FAILURES = 3, 8
"""Steps that lead to no network, one after the other, after which a search stops to double: behind a setting that fits,
and before there is one."""
_NEAR = 12
"""How far from the middle a setting is looked for that makes a network."""
_SPREAD = 40
"""Tries that are spread out where nothing fits, and how far beyond the answer a range without an end is tried."""


def search(axes: tuple[Axis, ...], judge: Judging, tries: int) -> Found:
    """The largest setting that fits: of several axes the first comes first, the next where the one before is equal.

    `tries` bounds how many settings are judged. With more settings than that, each axis in turn is made as large as
    can be while those behind it are at their smallest.
    """
    kept = _Kept(judge, tries)
    complete = _all(axes, kept) if len(axes) > 1 and _total(axes) <= tries else _in_turn(axes, kept)
    fitting = [at for at, one in kept.made.items() if one.fits]
    best = kept.made[max(fitting)] if fitting else None
    return Found(axes, best, complete, tuple(kept.made[at] for at in sorted(kept.made)))


def _total(axes: tuple[Axis, ...]) -> int:
    total = 1
    for axis in axes:
        total *= len(axis.values)
    return total


class _Kept:
    """The tries made so far; each setting is judged once."""

    def __init__(self, judge: Judging, most: int) -> None:
        self.judge = judge
        self.most = most
        self.made: dict[At, Try] = {}

    @property
    def left(self) -> int:
        return self.most - len(self.made)

    def at(self, at: At) -> Try:
        if at not in self.made:
            self.made[at] = self.judge(at)
        return self.made[at]


def _all(axes: tuple[Axis, ...], kept: _Kept) -> bool:
    """Try every setting."""
    places: list[At] = [()]
    for axis in axes:
        places = [(*place, i) for place in places for i in range(len(axis.values))]
    for place in places:
        kept.at(place)
    return True


def _in_turn(axes: tuple[Axis, ...], kept: _Kept) -> bool:
    """Make one axis after the other as large as can be, those behind it at their smallest."""
    fixed: At = ()
    complete = True
    for number, axis in enumerate(axes):
        behind = (0,) * (len(axes) - number - 1)
        line = _Line(axis, kept, fixed, behind, kept.left // (len(axes) - number))
        best = line.largest()
        complete = complete and line.complete and len(axes) == 1
        if best is None:
            return complete
        fixed = (*fixed, best)
    return complete


class _Line:
    """A search along one axis: `fixed` are the places on the axes before it, `behind` those on the axes behind it."""

    def __init__(self, axis: Axis, kept: _Kept, fixed: At, behind: At, most: int) -> None:
        self.length = len(axis.values)
        self.open = axis.open
        self.kept = kept
        self.fixed, self.behind = fixed, behind
        self.last = len(kept.made) + most
        self.complete = False

    def fits(self, i: int) -> bool:
        return self._try(i).fits

    def _try(self, i: int) -> Try:
        return self.kept.at((*self.fixed, i, *self.behind))

    def _tried(self, i: int) -> bool:
        return (*self.fixed, i, *self.behind) in self.kept.made

    @property
    def left(self) -> int:
        return self.last - len(self.kept.made)

    def largest(self) -> int | None:
        """The largest place that fits, or that was found to."""
        if self.length <= self.left:
            self.complete = True
            for i in reversed(range(self.length)):
                if self.fits(i):
                    return i
            return None
        best = self._found()
        above = 0 if best is None else best + 1
        self.complete = self.length - above <= len(self.kept.made) and all(map(self._tried, range(above, self.length)))
        return best

    def _found(self) -> int | None:
        """The largest place of many that is found to fit."""
        best = self._doubling(None)
        while self.left > 0:
            found = self._above(best)
            if found is None:
                break
            best = self._doubling(found)
        return best

    def _doubling(self, best: int | None) -> int | None:
        """From a place that fits, or the first, in steps that double to one that doesn't, and back by halves."""
        i, step, end, failures = best or 0, 1, self.length, 0
        while self.left > 0:
            known = self._known(i, min(i + _NEAR, self.length), i)
            failures = failures + 1 if known is None else 0
            if known is not None and self.fits(known):
                best = i = known
            elif known is not None and (best is not None or self._try(known).too_large):
                end = known
                break
            if i == self.length - 1 or failures == (_MOST_FAILURES if best is None else _FAILURES):
                break
            i, step = min(i + step, self.length - 1), 2 * step
        return None if best is None else self._halving(best, end)

    def _halving(self, best: int, end: int) -> int:
        """The last place that fits before one that does not. A place where there is no network tells nothing: then
        those beside it are tried."""
        while end - best > 1 and self.left > 0:
            middle = self._known(best + 1, end, (best + end) // 2)
            if middle is None:
                break
            if self.fits(middle):
                best = middle
            else:
                end = middle
        return best

    def _known(self, first: int, end: int, middle: int) -> int | None:
        """The place nearest to the middle at which there is a network, if it is near enough."""
        for distance in range(min(end - first, _NEAR)):
            for i in dict.fromkeys((middle - distance, middle + distance)):
                if first <= i < end and self.left > 0 and self._tells(i):
                    return i
        return None

    def _tells(self, i: int) -> bool:
        """Whether a place tells if larger ones may fit: there is a network, or none because it is too large."""
        one = self._try(i)
        return one.problem is None or one.too_large

    def _above(self, best: int | None) -> int | None:
        """A place above the best that fits after all: of those right behind it, and of some that are spread out."""
        first = 0 if best is None else best + 1
        last = min(self.length, 4 * first + _SPREAD) if self.open else self.length
        room = min(self.left, _SPREAD) if best is None else self.left
        near = range(first, min(first + room // 2, last))
        count = max(room - len(near), 1)
        spread: list[int] = [first + (last - first) * k // count for k in range(count)] if last > first else []
        places: list[int] = [*near, *spread]
        for i in dict.fromkeys(places):
            if self.left > 0 and not self._tried(i) and self.fits(i):
                return i
        return None
