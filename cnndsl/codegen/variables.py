"""Which variable of a forward pass holds each tensor."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable

from cnndsl.codegen.identifiers import Identifiers

Place = tuple[int, int]
"""(-1, n) is the n-th input, (s, n) the n-th output of step s."""

RUNNING = "x"


class Use:
    """What one step does to tensors, in one variant of a class: where those it takes come from; how many it gives."""

    __slots__ = ("gives", "takes")

    def __init__(self, takes: tuple[Place, ...], gives: int) -> None:
        self.takes = takes
        self.gives = gives


class Hints:
    """What a step's outputs may be called. name: as the spec does, or None; kept: the name of a result of the network
    that it is; extra: those after the first.

    arms: whether its inputs are the arms of a merge of three or more. chained: whether it makes one tensor of one.
    """

    __slots__ = ("arms", "chained", "extra", "kept", "name")

    def __init__(
        self, name: str | None = None, *, kept: str | None = None, extra: tuple[str, ...] = (), arms: bool = False,
        chained: bool = True,
    ) -> None:  # fmt: skip
        self.name = name
        self.kept = kept
        self.extra = extra
        self.arms = arms
        self.chained = chained


class Conflict(Exception):  # noqa: N818
    """Two tensors that would have to be in one variable are needed at once: those of `group`."""

    def __init__(self, group: list[Place]) -> None:
        super().__init__()
        self.group = group


def allocate(
    variants: list[dict[int, Use]], results: list[tuple[Place, ...]], inputs: list[str], hints: list[Hints],
    names: Identifiers,
) -> dict[Place, str]:  # fmt: skip
    """A variable for each tensor. Raises Conflict if no variables serve all variants.

    variants: the steps of each variant by their numbers. results: what each gives.
    """
    groups = _groups(variants, results)
    lives = _lives(variants, results, groups, len(inputs), len(hints))
    return _Allocation(groups, lives, variants, results, hints, names).run(inputs)


def _groups(variants: list[dict[int, Use]], results: list[tuple[Place, ...]]) -> dict[Place, Place]:
    """Tensors that must be in one variable, because one step takes them in different variants: each group's first."""
    heads: dict[Place, Place] = {}

    def head(place: Place) -> Place:
        while place in heads:
            place = heads[place]
        return place

    def join(places: Iterable[Place]) -> None:
        first, *others = sorted({head(place) for place in places})
        for other in others:
            heads[other] = first

    if len(variants) > 1:
        for at in sorted({at for variant in variants for at in variant}):
            having = [variant[at].takes for variant in variants if at in variant]
            for places in zip(*having, strict=True):
                join(places)
        for places in zip(*results, strict=True):
            join(places)
    return {place: head(place) for place in heads}


Lives = list[dict[Place, list[tuple[int, int]]]]
"""For each variant and group: from when to when its variable holds something, in order."""


def _lives(
    variants: list[dict[int, Use]], results: list[tuple[Place, ...]], groups: dict[Place, Place], inputs: int, end: int
) -> Lives:
    lives: Lives = []
    for variant, given in zip(variants, results, strict=True):
        last: dict[Place, int] = {(-1, number): -1 for number in range(inputs)}
        for at in sorted(variant):
            last.update(dict.fromkeys(variant[at].takes, at))
            last.update({(at, number): at for number in range(variant[at].gives)})
        last.update(dict.fromkeys(given, end))
        whole: dict[Place, list[tuple[int, int]]] = {}
        for place, read in sorted(last.items()) if groups else last.items():
            group = groups.get(place, place)
            if group in whole and whole[group][-1][1] > place[0]:
                raise Conflict(sorted({group, *(p for p, head in groups.items() if head == group)}))
            whole.setdefault(group, []).append((place[0], read))
        lives.append(whole)
    return lives


class _Allocation:
    def __init__(
        self, groups: dict[Place, Place], lives: Lives, variants: list[dict[int, Use]],
        results: list[tuple[Place, ...]], hints: list[Hints], names: Identifiers,
    ) -> None:  # fmt: skip
        self.groups = groups
        self.lives = lives
        self.variants = variants
        self.hints = hints
        self.names = names
        self.found: dict[Place, str] = {}
        self.chains = {RUNNING}
        self.busy: dict[str, list[list[tuple[int, int]]]] = {}
        """When each variable is needed, in each variant, in order."""
        self.steps: dict[int, Use] = {}
        for variant in variants:
            for at, use in variant.items():
                self.steps.setdefault(at, use)
        self.users: dict[Place, set[int]] = defaultdict(set)
        for variant in variants:
            for at, use in variant.items():
                for place in use.takes:
                    self.users[self.group(place)].add(at)
        for given in results:
            for place in given:
                self.users[self.group(place)].add(len(hints))
        self.arms = self._arms()

    def group(self, place: Place) -> Place:
        return self.groups.get(place, place)

    def _arms(self) -> dict[Place, int]:
        """For each tensor that only leads to an arm of a merge, which one."""
        arms: dict[Place, int] = {}
        for at in sorted(self.steps, reverse=True):
            use, hint = self.steps[at], self.hints[at]
            places = list(map(self.group, use.takes))
            if hint.arms:
                arms.update((p, n) for n, p in enumerate(places, 1) if len(self.users[p]) == 1 and p[0] >= 0)
            elif hint.chained and self.group((at, 0)) in arms and len(self.users[places[0]]) == 1 and places[0][0] >= 0:
                arms[places[0]] = arms[self.group((at, 0))]
        return arms

    def run(self, inputs: list[str]) -> dict[Place, str]:
        for number, name in enumerate(inputs):
            self._set((-1, number), name)
        for at in sorted(self.steps):
            for number in range(self.steps[at].gives):
                if self.group((at, number)) not in self.found:
                    self._set((at, number), self._choose(at, number))
        return {
            (at, n): self.found[self.group((at, n))]
            for at, gives in [(-1, len(inputs)), *((at, use.gives) for at, use in self.steps.items())]
            for n in range(gives)
        }

    def _set(self, place: Place, name: str) -> None:
        group = self.group(place)
        self.found[group] = name
        busy = self.busy.setdefault(name, [[] for _ in self.variants])
        for times, lives in zip(busy, self.lives, strict=True):
            for time in lives.get(group, ()):
                insort(times, time)

    def _free(self, name: str, group: Place) -> bool:
        if name not in self.busy:
            return False
        return all(
            _fits(times, time)
            for times, lives in zip(self.busy[name], self.lives, strict=True)
            for time in lives.get(group, ())
        )

    def _choose(self, at: int, number: int) -> str:
        group, hint = self.group((at, number)), self.hints[at]
        users = self.users[group]
        taken = [self.found[self.group(place)] for place in self.steps[at].takes]
        if number:
            return self.names.make(hint.extra[number - 1] if number <= len(hint.extra) else RUNNING)
        if hint.kept is not None:
            return self.names.make(hint.kept)
        if hint.name is not None and users and users != {at + 1} and users != {len(self.hints)}:
            return self.names.make(hint.name)
        if group in self.arms:
            wanted = f"branch{self.arms[group]}"
            same = [name for name in taken if name.startswith(wanted) and self._free(name, group)]
            if same:
                return same[0]
            return wanted if self._free(wanted, group) else self.names.make(wanted)
        # A chain keeps its variable; a merge goes on with the running one.
        chain = [name for name in taken if hint.chained and name in self.chains]
        for name in dict.fromkeys((*chain, RUNNING, "y")):
            if self._free(name, group):
                return name
        return self._new("y")

    def _new(self, name: str) -> str:
        """A variable for a chain."""
        made = self.names.make(name)
        self.chains.add(made)
        return made


def _fits(times: list[tuple[int, int]], time: tuple[int, int]) -> bool:
    """Whether a variable that is needed at these times, which don't overlap, is free at another."""
    at = bisect_left(times, time)
    before = at == 0 or times[at - 1][1] <= time[0]
    return before and (at == len(times) or time[1] <= times[at][0])
