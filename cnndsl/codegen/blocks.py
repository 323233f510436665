"""What a block's text says: under which conditions each of its items stands, and what its expressions mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnndsl.record import Record
from cnndsl.source import Source
from cnndsl.symbols import FUNCTIONS, UNKNOWN, Expression, negated, number, simple
from cnndsl.syntax import parse, tree
from cnndsl.syntax.tree import Line

Scope = dict[str, Expression]
"""What the names in a block stand for."""


class Guard(Record):
    """A condition that must hold, or must not, and the names that have a meaning where it stands."""

    condition: Any
    holds: bool
    place: Surroundings


class Surroundings(Record):
    """What holds at a line: the `let` lines before it, the names that loops set, the conditions it stands under."""

    lets: tuple[tree.Let, ...] = ()
    loops: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()


class Place(Record):
    """An item of a block: the line it is on, and what holds there. arms: the guards of each arm that it merges, where
    there are arms; None among them stands for what can't be said."""

    item: tree.Item
    line: Line
    around: Surroundings
    arms: tuple[tuple[Guard, ...] | None, ...] = ()


class Text:
    """The lines of one block."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.parameters: tuple[tree.Parameter, ...] = line.statement.parameters
        self.places: dict[int, Place] = {}
        """Its items, by where they begin in the source."""
        self._read(line.body, Surroundings())

    def _read(self, lines: list[Line], around: Surroundings) -> None:
        outside = around
        before: list[Guard] = []
        for line in lines:
            statement = line.statement
            if isinstance(statement, tree.If):
                before = before if statement.again else []
                guard = Guard(statement.condition, True, around)
                self._read(line.body, around._replace(guards=(*outside.guards, *before, guard)))
                before = [*before, guard._replace(holds=False)]
            elif isinstance(statement, tree.Else):
                self._read(line.body, around._replace(guards=(*outside.guards, *before)))
            elif isinstance(statement, (tree.For, tree.Repeat)):
                self._read(line.body, around._replace(loops=(*around.loops, *_targets(statement))))
            elif isinstance(statement, (tree.Let, tree.Function)):
                if isinstance(statement, tree.Let):
                    around = around._replace(lets=(*around.lets, statement))
            else:
                self._read_chain(line, around)

    def _read_chain(self, line: Line, around: Surroundings) -> None:
        statement = line.statement
        if isinstance(statement, tree.Chain):
            last = len(statement.items) - 1
            for number_, item in enumerate(statement.items):
                arms = tuple(_arms(line.body, around)) if statement.opens and number_ == last else ()
                self.places[line.start + item.start] = Place(item, line, around, arms)
        self._read(line.body, around)


def _targets(statement: tree.For | tree.Repeat) -> list[str]:
    if isinstance(statement, tree.Repeat):
        return ["", *([statement.name.name] if statement.name else [])]
    return ["", *_names(statement.targets)]


def _names(targets: Any) -> Iterator[str]:
    for target in targets:
        if isinstance(target, tree.Name):
            yield target.name
        else:
            yield from _names(target)


def _arms(lines: list[Line], around: Surroundings) -> Iterator[tuple[Guard, ...] | None]:
    """For each arm of a merge, the conditions it stands under, beyond those of the merge."""
    before: list[Guard] = []
    for line in lines:
        statement = line.statement
        if isinstance(statement, tree.Arm):
            yield ()
        elif isinstance(statement, (tree.If, tree.Else)):
            own = [] if isinstance(statement, tree.Else) else [Guard(statement.condition, True, around)]
            before = before if isinstance(statement, tree.Else) or statement.again else []
            for inner in _arms(line.body, around):
                yield None if inner is None else (*before, *own, *inner)
            before = [*before, *(guard._replace(holds=False) for guard in own)]
        elif isinstance(statement, (tree.For, tree.Repeat)):
            yield None


def read_blocks(source: Source) -> dict[str, Text]:
    """The blocks of a file, by their names."""
    document, _ = parse(source)
    return {line.statement.name.name: Text(line) for line in document.lines if isinstance(line.statement, tree.Block)}


# --- expressions ----------------------------------------------------------------------------------------------------


def scope_at(around: Surroundings, parameters: Scope) -> Scope:
    """What names mean at a line: the block's parameters, and what `let` lines before it defined."""
    scope = dict(parameters)
    for let in around.lets:
        names = list(_names(let.targets))
        meaning = expression(let.value, scope) if len(names) == 1 else UNKNOWN
        scope.update(dict.fromkeys(names, meaning))
    scope.update(dict.fromkeys((name for name in around.loops if name), UNKNOWN))
    return scope


def expression(node: Any, scope: Scope) -> Expression:
    """What an expression of a spec is in Python; UNKNOWN if that can't be said."""
    if isinstance(node, (tree.Number, tree.Text, tree.Truth)):
        return number(node.value)
    if isinstance(node, (tree.Name, tree.Reference)):
        return scope.get(node.name, UNKNOWN) if not getattr(node, "steps", ()) else UNKNOWN
    if isinstance(node, tree.Brace):
        return expression(node.expression, scope)
    if isinstance(node, tree.Unary):
        operand = expression(node.operand, scope)
        return negated(operand) if node.operator == "not" else simple("negative", operand)
    if isinstance(node, tree.Binary):
        return simple(node.operator, expression(node.left, scope), expression(node.right, scope))
    if isinstance(node, tree.Compare):
        return _comparison(node, scope)
    if isinstance(node, tree.Conditional):
        return simple("if", *(expression(one, scope) for one in (node.condition, node.then, node.otherwise)))
    if isinstance(node, tree.Attribute) and isinstance(node.value, tree.Name) and node.name == "channels":
        return scope.get(f"{node.value.name}.channels", UNKNOWN)
    if isinstance(node, tree.Call) and isinstance(node.function, tree.Name) and not node.keywords:
        name, arguments = node.function.name, [expression(one, scope) for one in node.arguments]
        return simple(name, *arguments) if name in FUNCTIONS and name not in scope else UNKNOWN
    return UNKNOWN


def _comparison(node: tree.Compare, scope: Scope) -> Expression:
    operands = [expression(one, scope) for one in node.operands]
    if any(operator not in ("<", "<=", ">", ">=", "==", "!=") for operator in node.operators):
        return UNKNOWN
    pairs = zip(node.operators, operands, operands[1:], strict=False)
    found = [simple(operator, left, right) for operator, left, right in pairs]
    made = found[0]
    for one in found[1:]:
        made = simple("and", made, one)
    return made


def condition_of(place: Place, parameters: Scope) -> Expression:
    """Under which condition an item does something: that of the lines around it, and that of its arms."""
    made = _together(place.around.guards, parameters)
    if not place.arms:
        return made
    if any(arm is None for arm in place.arms):
        return UNKNOWN
    always = [arm for arm in place.arms if not arm]
    others = [_together(arm, parameters) for arm in place.arms if arm]
    if len(always) >= 2:
        return made
    if len(always) == 0 or not others:
        return UNKNOWN if others else made
    either = others[0]
    for one in others[1:]:
        either = simple("or", either, one)
    return _both(made, either)


def _together(guards: tuple[Guard, ...], parameters: Scope) -> Expression:
    """All of these conditions."""
    made = number(True)
    for guard in guards:
        one = expression(guard.condition, scope_at(guard.place, parameters))
        made = _both(made, one if guard.holds else negated(one) if one != UNKNOWN else UNKNOWN)
    return made


def _both(left: Expression, right: Expression) -> Expression:
    if left == number(True):
        return right
    return left if right == number(True) else simple("and", left, right)


def conditions(block: Text, parameters: Scope) -> list[Expression]:
    """What each condition of a block comes to, together with those it stands under."""
    found: dict[Expression, None] = {}
    for place in block.places.values():
        for last in range(len(place.around.guards)):
            found[_together(place.around.guards[: last + 1], parameters)] = None
        for arm in place.arms:
            if arm:
                found[_both(_together(place.around.guards, parameters), _together(arm, parameters))] = None
    return list(found)
