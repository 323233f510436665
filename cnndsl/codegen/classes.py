"""The classes of a file: which plans share one, what it is called, and what its instances are given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from cnndsl.codegen.calls import called, calls_themselves, origins, varying_names
from cnndsl.codegen.holes import Function, Hole, Piece, form_of, own_parts, pieces_of
from cnndsl.codegen.identifiers import Identifiers, attribute_names, camel_case, identifier
from cnndsl.codegen.merge import Merged, Variant, merged, variant_of
from cnndsl.codegen.parameters import ABSENT, Names, Parameter, Parameters
from cnndsl.codegen.plan import Plan, Planner, Step
from cnndsl.codegen.rows import find_rows, fits, row_of, split_name
from cnndsl.codegen.symbolic import Reader
from cnndsl.graph import Edge
from cnndsl.record import Record
from cnndsl.symbols import GIVEN, UNKNOWN, Expression, expression_of, names_of, negated, said, simple
from cnndsl.symbols import number as plain_number

MOST_VARIANTS = 16
"""Variants of one block that are tried to be one class."""


class Parts(Record):
    """A step taken apart. form: what is left of it without numbers; own: the numbers of its modules; forward: those of
    its expression; pieces: of a row, how its parts repeat."""

    form: Any
    own: list[Hole]
    forward: list[Hole]
    pieces: tuple[Piece, ...] = ()


class Class:
    """One class of the file.

    plans: what its instances do; merged: their steps side by side; steps[s][p]: step s of plan p, or None.
    parameters: of its constructor. own, forward: for each step, the expressions for its numbers; conditions: for each
    step, under which condition it is done, or None. A class of one plan has none of these: its numbers are written.
    """

    def __init__(self, name: str, plans: list[Plan], numbers: list[int], found: Merged) -> None:
        self.name = name
        self.plans = plans
        self.numbers = numbers
        self.merged = found
        self.steps = _side_by_side(plans, numbers, found)
        self.first = {
            at: next(one for one in steps if one is not None) for at, steps in enumerate(self.steps) if any(steps)
        }
        """Each step, as the first plan that has it has it; a copy is none."""
        self.paths: dict[int, str] = {}
        """Where each step's module is: `conv1`, `layer1[0]`."""
        self.lists: dict[str, tuple[str, Any]] = {}
        """The attributes that hold several modules by their names, and which steps: a tree of dictionaries."""
        self.attributes = attribute_names()
        self._name_modules()
        self.parameters: list[Parameter] = []
        self.own: list[list[Any]] = []
        self.forward: list[list[Any]] = []
        self.roles: dict[str, str] = {}
        """What the expressions in `forward` are for."""
        self.conditions: list[tuple[str, str] | None] = []
        """For each step, what it depends on: a name for that, and the expression; None if it is always done."""
        self.locals: dict[str, str] = {}
        """Expressions that have a name in the constructor, and those names."""
        self.demands: list[str] = []
        """What must hold of the parameters; else the class would be another one."""
        self.place = {id(plan): number for number, plan in enumerate(plans)}

    def _name_modules(self) -> None:
        """An attribute for each step with modules; those with indices are gathered in lists."""
        lists = self._find_lists()
        gapless: dict[int, bool] = {}
        for at, step in self.first.items():
            if not step.modules:
                continue
            base, indices = split_name(step.name)
            if base in lists and indices:
                if base not in self.lists:
                    self.lists[base] = (self.attributes.make(base), lists[base])
                attribute, tree = self.lists[base]
                self.paths[at] = attribute + _subscripts(tree, indices, gapless)
            else:
                suffixes = tuple(suffix for suffix, _ in step.code.modules) if step.code is not None else ("",)
                self.paths[at] = self.attributes.make(step.name, suffixes)

    def _find_lists(self) -> dict[str, Any]:
        """For each name with indices that can be a list of modules, the steps in it."""
        trees: dict[str, Any] = {}
        refused = {step.name for step in self.first.values()}
        for at, step in self.first.items():
            base, indices = split_name(step.name)
            if not indices or not step.modules:
                continue
            if step.code is not None and [suffix for suffix, _ in step.code.modules] != [""]:
                refused.add(base)
            tree = trees.setdefault(base, {})
            for index in indices[:-1]:
                inner = tree.setdefault(index, {})
                if not isinstance(inner, dict):
                    refused.add(base)
                    inner = {}
                tree = inner
            if indices[-1] in tree:
                refused.add(base)
            tree[indices[-1]] = at
        return {base: tree for base, tree in trees.items() if base not in refused}

    @property
    def origin(self) -> tuple[str, str]:
        """The block that it is made of, and the file that one stands in."""
        return self.plans[0].origin

    def arguments(self, plan: Plan) -> list[Hole]:
        """What the constructor is given for one of the plans."""
        return [(one.name, one.values[self.place[id(plan)]]) for one in self.parameters]

    def given(self, step: Step) -> list[Hole]:
        """What the constructor is given in a step that calls one of the plans, as the spec says it."""
        assert step.plan is not None
        meanings = step.arguments or {}
        return [
            (one.name, said(value, meanings.get(str(one.meaning[1]), UNKNOWN) if one.meaning != UNKNOWN else UNKNOWN))
            for one, (_, value) in zip(self.parameters, self.arguments(step.plan), strict=True)
        ]


def _subscripts(tree: Any, indices: tuple[int, ...], gapless: dict[int, bool]) -> str:
    """How a part of a list of modules is got: `[0]`, or `["3"]` where the numbers leave gaps.

    gapless: which trees are known to have none, by their ids.
    """
    text = ""
    for index in indices:
        if id(tree) not in gapless:
            gapless[id(tree)] = is_list(tree)
        text += f"[{index}]" if gapless[id(tree)] else f'["{index}"]'
        tree = tree[index]
    return text


def is_list(tree: dict[int, Any]) -> bool:
    """Whether the numbers of a list's parts leave no gap."""
    return sorted(tree) == list(range(len(tree)))


def _side_by_side(plans: list[Plan], numbers: list[int], found: Merged) -> list[list[Step | None]]:
    steps: list[list[Step | None]] = [[None] * len(plans) for _ in range(found.length)]
    for p, (plan, number) in enumerate(zip(plans, numbers, strict=True)):
        for step, at in zip(plan.steps, found.places[number], strict=True):
            steps[at][p] = step
    return steps


class Library:
    """The classes of a file. planners: of its networks, in order; names: for classes."""

    def __init__(self, planners: Sequence[Planner], names: Identifiers) -> None:
        self.names = names
        self.networks = networks = [planner.network() for planner in planners]
        self.planners = {id(planner.graph): planner for planner in planners}
        self.reader = Reader()
        self.of: dict[int, Class] = {}
        self.blocks: list[Class] = []
        self.parts: dict[int, Parts] = {}
        self.heights: dict[int, int] = {}
        self.firsts: dict[int, list[int]] = {}
        self.varying: dict[tuple[str, str], set[str]] = {}
        """For each block, the names that a call within a block gives different values, or may."""
        self.recursing: tuple[str, str] | None = None
        """The block that a class is made of, while it is one that calls itself."""
        for network in networks:
            self._look_at(network)
        self._make()

    # --- the order --------------------------------------------------------------------------------------------------

    def _look_at(self, plan: Plan) -> int:
        """Find a plan's rows and those of all plans in it; how deep calls lie in each other."""
        height = 1 + max((self._look_at(inner) for inner in called(plan.steps)), default=0)
        if plan.call is not None:
            self.reader.annotate(plan, self.planners[id(plan.graph)])
        find_rows(plan)
        self.heights[id(plan)] = height
        return height

    def _make(self) -> None:
        """Make the classes of blocks, each after those it uses."""
        plans: dict[tuple[str, str], list[Plan]] = {}
        stack = list(reversed(self.networks))
        while stack:
            plan = stack.pop()
            if plan.call is not None:
                plans.setdefault(plan.origin, []).append(plan)
            stack.extend(reversed(list(called(plan.steps))))
        units: dict[Any, list[Plan]] = {}
        recursive = calls_themselves(plans)
        for origin, found in plans.items():
            for plan in found:
                # Of blocks that call each other in turn, the inner calls come first.
                height = self.heights[id(plan)] if recursive.get(origin, origin) != origin else 0
                units.setdefault((*origin, height), []).append(plan)
        self.varying = varying_names(plans)
        for found in plans.values():
            _align_rows(found)
        unit_of = {id(plan): unit for unit, found in units.items() for plan in found}
        done: set[Any] = set()

        def visit(unit: Any) -> None:
            if unit in done:
                return
            done.add(unit)
            for plan in units[unit]:
                for inner in called(plan.steps):
                    visit(unit_of[id(inner)])
            found = units[unit]
            if unit[:2] not in recursive:
                self._make_classes(found)
            elif recursive[unit[:2]] is None or not self._make_recursive(found):
                for height in sorted({self.heights[id(plan)] for plan in found}):
                    self._make_classes([plan for plan in found if self.heights[id(plan)] == height])

        for unit in units:
            visit(unit)

    # --- one block ----------------------------------------------------------------------------------------------

    def _make_classes(self, plans: list[Plan]) -> None:
        """Classes for the calls of one block: as few as read well."""
        variants: dict[Variant, list[Plan]] = {}
        for plan in plans:
            variants.setdefault(self.variant(plan), []).append(plan)
        groups: list[list[Variant]] = []
        for variant in variants:
            group = (
                next((g for g in groups if self._joins(g, variant, variants)), None)
                if len(variants) <= MOST_VARIANTS
                else None
            )
            if group is None:
                groups.append([variant])
            else:
                group.append(variant)
        for group in groups:
            found = merged(group, [variants[variant][0] for variant in group])
            assert found is not None
            order = {id(plan): number for number, variant in enumerate(group) for plan in variants[variant]}
            mine = [plan for plan in plans if id(plan) in order]
            call = mine[0].call
            assert call is not None
            made = Class(self.class_name(call.block), mine, [order[id(p)] for p in mine], found)
            self.solve(made)
            self.blocks.append(made)
            self.of.update((id(plan), made) for plan in mine)

    def _make_recursive(self, plans: list[Plan]) -> bool:
        """One class for all calls of a block that calls itself; whether there can be one.

        The parameters of an inner call have to follow from those of the outer one, as in `U(2 * c, depth - 1)`.
        """
        self.recursing = plans[0].origin
        variants: dict[Variant, list[Plan]] = {}
        for plan in plans:
            variants.setdefault(self.variant(plan), []).append(plan)
        self.recursing = None
        chosen = [found[0] for found in variants.values()]
        few = len(variants) <= MOST_VARIANTS
        side_by_side = merged(list(variants), chosen, recursive=True) if few else None
        if side_by_side is not None and len(plans) > 1 and _plainly_named(chosen, side_by_side):
            order = {id(plan): number for number, found in enumerate(variants.values()) for plan in found}
            made = Class("", plans, [order[id(plan)] for plan in plans], side_by_side)
            if self._solve_recursive(made):
                made.name = self.class_name(plans[0].origin[0])
                self.blocks.append(made)
                self.of.update((id(plan), made) for plan in plans)
                return True
        for plan in plans:
            for step in plan.steps:
                self.parts.pop(id(step), None)
        return False

    def _solve_recursive(self, made: Class) -> bool:
        """Find the parameters of a class whose instances have instances of it."""
        parameters = self.solve(made)
        inner = [at for at, step in made.first.items() if step.plan is not None and step.plan.origin == made.origin]
        if parameters is None or any(step.row and made.origin in origins(step.row) for step in made.first.values()):
            return False
        for _ in range(4):
            for at in inner:
                made.own[at] = []
                for number_ in range(len(made.parameters)):
                    vector = tuple(ABSENT if step is None else made.given(step)[number_][1] for step in made.steps[at])
                    found = parameters.following(vector)
                    if found is None:
                        return False
                    made.own[at].append(found)
            before, made.parameters = made.parameters, parameters.listed(made.plans[0].defaults)
            if made.parameters == before:
                return True
        return False

    def class_name(self, block: str) -> str:
        name, number = camel_case(block), 1
        while (made := name if number == 1 else f"{name}{number}") in self.names.taken:
            number += 1
        self.names.taken.add(made)
        return made

    def _joins(self, group: list[Variant], variant: Variant, variants: dict[Variant, list[Plan]]) -> bool:
        together = [*group, variant]
        plans = [variants[one][0] for one in together]
        found = merged(together, plans)
        if found is None or not _plainly_named(plans, found):
            return False
        every = [plan for one in together for plan in variants[one]]
        numbers = [number for number, one in enumerate(together) for _ in variants[one]]
        steps = _side_by_side(every, numbers, found)
        names = Names([plan.values for plan in every], self.varying[every[0].origin])
        return all(_condition(names, row) is not None for row in steps if any(row))

    def variant(self, plan: Plan) -> Variant:
        return variant_of(plan, [self.parts_of(step, plan).form for step in plan.steps])

    def parts_of(self, step: Step, plan: Plan) -> Parts:
        """A step without its numbers, and the numbers."""
        known = self.parts.get(id(step))
        if known is None:
            known = self.parts[id(step)] = self._take_apart(step, plan)
        return known

    def _take_apart(self, step: Step, plan: Plan) -> Parts:
        own: list[Hole] = []
        forward: list[Hole] = []
        owner = self.owner_place(plan, step.owner) if step.owner is not None else None
        if step.row:
            parts = [self.parts_of(one, plan) for one in step.row]
            pieces = tuple(pieces_of([(one.form, one.own) for one in parts]))
            for piece, times in zip(pieces, _times(step.row, pieces), strict=True):
                own.append(("count", said(piece.times, times) if plan.call is not None else piece.times))
                for hole, grows in zip(piece.starts, piece.steps, strict=True):
                    own += [hole] if grows is None else [hole, ("step", grows)]
            form: Any = ("row", tuple((p.form, tuple(s is not None for s in p.steps)) for p in pieces))
            return Parts(form, own, [], pieces)
        if step.plan is not None:
            if owner is not None:
                return Parts(("again", owner), [], [])
            if step.plan.origin == self.recursing:
                return Parts(("itself",), [], [])
            made = self.of[id(step.plan)]
            own += made.given(step) if plan.call is not None else made.arguments(step.plan)
            return Parts(("call", made.name), own, [])
        assert step.code is not None
        parts_ = tuple(form_of(value, own) for value in own_parts(step))
        suffixes = tuple(suffix for suffix, _ in step.code.modules)
        form = form_of(step.value, forward)
        if plan.call is not None:
            own, forward = [[(role, _meant(step, value)) for role, value in holes] for holes in (own, forward)]
        return Parts(("layer", owner, suffixes, parts_, form), own, forward)

    def root(self, plan: Plan, edge: Edge) -> Edge:
        """Where what a tensor holds was made."""
        return self.planners[id(plan.graph)].root(edge)

    def network(self, plan: Plan, name: str) -> Class:
        """The class of a whole network."""
        count = len(plan.steps)
        made = self.of[id(plan)] = Class(name, [plan], [0], Merged((tuple(range(count)),), count))
        self.solve(made)
        return made

    def path(self, plan: Plan, owner: int) -> str:
        """Where the module of node number `owner` is, seen from the class of a plan."""
        made = self.of[id(plan)]
        number = made.numbers[made.place[id(plan)]]
        own, _ = self.owner_place(plan, owner)
        return made.paths[made.merged.places[number][own]] + self._path_within(plan.steps[own], owner)

    def call_path(self, plan: Plan, step: Step) -> str:
        """Where the module is that a call of a plan applies again."""
        assert step.owner is not None
        assert step.plan is not None
        owner, size = step.owner, step.last - step.first
        path = ""
        around: Plan | None = plan
        while around is not None:
            made = self.of[id(around)]
            number = made.numbers[made.place[id(around)]]
            own, _ = self.owner_place(around, owner)
            path += made.paths[made.merged.places[number][own]]
            part = around.steps[own]
            while part.row:
                index = next(n for n, one in enumerate(part.row) if one.first <= owner < one.last)
                path, part = f"{path}[{index}]", part.row[index]
            found = part.plan
            if (
                found is not None
                and (part.first, part.last) == (owner, owner + size)
                and _block(found) == _block(step.plan)
            ):
                return path
            path += "."
            around = found
        raise AssertionError("a call that is applied again is a step of its own")

    def _path_within(self, step: Step, owner: int) -> str:
        if step.row:
            number = next(n for n, part in enumerate(step.row) if part.first <= owner < part.last)
            return f"[{number}]" + self._path_within(step.row[number], owner)
        return "." + self.path(step.plan, owner) if step.plan is not None else ""

    def owner_place(self, plan: Plan, owner: int) -> tuple[int, int]:
        """Which step of a plan owns weights, those of node number `owner`, and which of the step's nodes that is."""
        firsts = self.firsts.get(id(plan))
        if firsts is None:
            firsts = self.firsts[id(plan)] = [one.first for one in plan.steps]
        at = bisect_right(firsts, owner) - 1
        return at, owner - firsts[at]

    # --- numbers ------------------------------------------------------------------------------------------------

    def solve(self, made: Class) -> Parameters | None:
        """Find the parameters of a class, and the expressions for all of its numbers."""
        varying = self.varying.get(made.origin, set())
        if len(made.plans) == 1 and not varying:
            made.conditions = [None] * len(made.steps)
            return None
        parameters = Parameters([plan.values for plan in made.plans], varying)
        holes = [self._holes(made, at) if at in made.first else ([], []) for at in range(len(made.steps))]
        # Those of steps that all instances have come first: what they are called serves the others.
        order = sorted(range(len(made.steps)), key=lambda at: not all(made.steps[at]))
        deciders = _deciders(made, parameters.meanings)
        found = {at: self._expressions(made, at, holes[at][0], parameters, deciders[at]) for at in order}
        made.own = [found[at] for at in range(len(made.steps))]
        made.conditions = [self._flag(made, at, parameters) for at in range(len(made.steps))]
        made.forward = [
            [parameters.expression(role, vector, "", decider) for role, vector in forward]
            for (_, forward), decider in zip(holes, deciders, strict=True)
        ]
        for (_, forward), values in zip(holes, made.forward, strict=True):
            made.roles.update((str(v), role) for (role, _), v in zip(forward, values, strict=True))
        self._demand(made, parameters)
        made.parameters = parameters.listed(made.plans[0].defaults)
        made.locals = parameters.locals
        return parameters

    def _flag(self, made: Class, at: int, parameters: Parameters) -> tuple[str, str] | None:
        """Under which condition a step is done: a name for it, and the expression."""
        steps = made.steps[at]
        if all(steps) or not any(steps):
            return None
        step = next(one for one in steps if one is not None)
        kind = "" if step.plan is not None or step.row else made.plans[0].graph.nodes[step.first].kind
        role = "residual" if kind in ("add", "mul") else f"with_{kind if kind and not step.modules else step.name}"
        tree = _condition(parameters.meanings, steps)
        assert tree is not None
        return role, parameters.text(tree).text

    def _demand(self, made: Class, parameters: Parameters) -> None:
        """What the parameters in use must be: conditions that nothing in the class asks."""
        listed = {one.meaning for one in parameters.listed(made.plans[0].defaults)}
        for tree in parameters.meanings.demands(made.plans[0].asked):
            if any(("name", name) in listed for name in names_of(tree)):
                made.demands.append(parameters.text(tree).text)

    def _expressions(
        self, made: Class, at: int, holes: list[tuple[str, Any]], parameters: Parameters, decider: Expression
    ) -> list[Any]:
        step = made.first.get(at)
        owner = identifier(step.name) if step is not None and step.code is None else ""
        return [parameters.expression(role, vector, owner, decider) for role, vector in holes]

    def _holes(self, made: Class, at: int) -> tuple[list[Any], list[Any]]:
        """The numbers of a step as vectors: those of its modules, and those of its expression."""
        parts = [
            self.parts_of(step, plan) if step is not None else None
            for step, plan in zip(made.steps[at], made.plans, strict=True)
        ]
        one = next(p for p in parts if p is not None)
        own = [
            (role, tuple(ABSENT if p is None else p.own[n][1] for p in parts)) for n, (role, _) in enumerate(one.own)
        ]
        forward = [
            (role, tuple(ABSENT if p is None else p.forward[n][1] for p in parts))
            for n, (role, _) in enumerate(one.forward)
        ]
        return own, forward


def _block(plan: Plan) -> str:
    return plan.call.block if plan.call is not None else ""


def _align_rows(plans: list[Plan]) -> None:
    """Where some calls repeat an inner call and others make it once, let those have a row of one."""
    rows = {step.key for plan in plans for step in plan.steps if step.row and not split_name(step.name)[1]}
    if not rows:
        return
    for plan in plans:
        plan.steps = [
            row_of([step], step.name) if step.key in rows and step.plan is not None and fits(step) else step
            for step in plan.steps
        ]


def _plainly_named(plans: list[Plan], found: Merged) -> bool:
    """Whether steps whose names have an index, of which an nn.ModuleList is made, are in all plans."""
    places = [set(one) for one in found.places]
    for plan, own in zip(plans, found.places, strict=True):
        for step, at in zip(plan.steps, own, strict=True):
            if split_name(step.name)[1] and not all(at in one for one in places):
                return False
    return True


def _condition(names: Names, steps: Sequence[Step | None]) -> Expression | None:
    """The condition of a step that some calls have: true if all have it; None if it can't be said."""
    if all(steps):
        return plain_number(True)
    tree = names.condition([step.condition for step in steps if step is not None], [s is not None for s in steps])
    return None if tree == UNKNOWN else tree


def _deciders(made: Class, names: Names) -> list[Expression]:
    """For each step, the condition on which what leads to it depends, if that is one; else unknown."""
    found: list[frozenset[Expression]] = []
    makers: list[dict[Edge, int]] = [{} for _ in made.plans]
    for at, steps in enumerate(made.steps):
        before: frozenset[Expression] = frozenset()
        for maker, step in zip(makers, steps, strict=True):
            for edge in step.inputs if step is not None else ():
                if edge in maker:
                    before |= found[maker[edge]]
            if step is not None:
                maker.update(dict.fromkeys(step.outputs, at))
        own = _condition(names, steps) if any(steps) else plain_number(True)
        if own is not None and names_of(own):
            before |= {own if negated(own) not in before else negated(own)}
        found.append(before)
    return [next(iter(one)) if len(one) == 1 else UNKNOWN for one in found]


def _meant(step: Step, value: Any) -> Any:
    """A number of a layer, unknown where the item does not say it; a function of a kind that a parameter names."""
    if step.kind_of:
        tree: Expression = ("words", *(("name", name) for name in sorted(step.kind_of)))
        return said(value, tree) if isinstance(value, Function) else value
    if step.said:
        return value
    if step.rest:
        own = expression_of(value)
        return said(value, GIVEN) if own[0] == "number" else value
    return said(value, UNKNOWN)


def _times(parts: list[Step], pieces: tuple[Piece, ...]) -> list[Expression]:
    """How often each piece of a row is made, in the words of the spec."""
    if all(part.times == plain_number(1) for part in parts):
        return [plain_number(piece.times) for piece in pieces]
    if any(part.key != parts[0].key for part in parts):
        return [UNKNOWN] * len(pieces)
    if len(pieces) == 1:
        return [parts[0].times]
    if len(pieces) == 2 and pieces[0].times == 1:
        return [plain_number(1), simple("-", parts[0].times, plain_number(1))]
    return [UNKNOWN] * len(pieces)
