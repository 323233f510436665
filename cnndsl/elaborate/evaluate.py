"""Evaluating expressions: numbers, lists, dictionaries, comprehensions, functions; bounded in every way.

Evaluation has no effects and always ends: every step is counted, integers and lists have a largest size, and
recursion has a depth. A mistake raises `EvaluationError`, which names the node to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cnndsl.diagnostics import Label
from cnndsl.elaborate.arithmetic import (
    MOST_ITEMS,
    Budget,
    EvaluationError,
    Varying,
    View,
    arithmetic,
    compare,
    described,
    kept,
)
from cnndsl.elaborate.functions import BUILTINS, USAGE
from cnndsl.layers.bind import written
from cnndsl.syntax import tree
from cnndsl.syntax.tree import Line

MOST_DEPTH = 60
"""Nested expressions and calls; a fraction of what the interpreter's stack would bear."""
MOST_CLAUSES = 8


class Scope:
    """Names and their values; what is not here is looked up in the scope around it.

    places: where `let` lines defined names of this scope.
    """

    __slots__ = ("_places", "around", "values")

    def __init__(self, around: Scope | None = None, values: dict[str, Any] | None = None) -> None:
        self.around = around
        self.values = {} if values is None else values
        self._places: dict[str, Any] | None = None

    @property
    def places(self) -> dict[str, Any]:
        if self._places is None:
            self._places = {}
        return self._places

    def find(self, name: str) -> Any:
        """The value of a name. Raises KeyError."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.around
        return BUILTINS[name]

    def has(self, name: str) -> bool:
        """Whether the spec gives the name a value here."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.around
        return scope is not None

    def names(self) -> list[str]:
        """Every name that has a value here."""
        found: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            found.update(dict.fromkeys(scope.values))
            scope = scope.around
        return [*found, *BUILTINS]


class Unknown:
    """The value of a name whose definition failed: what uses it stays silent."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class Silent(Exception):  # noqa: N818 (not an error: its cause has been reported)
    """An expression uses something whose own problem was reported already."""


class Closure:
    """A function of the spec: `let f(x) = …`, in this line."""

    def __init__(
        self, name: str, parameters: tuple[str, ...], body: Any, scope: Scope, line: Line | None = None
    ) -> None:
        self.name = name
        self.line = line
        self.what = f"the function {name}"
        self.parameters = parameters
        self.body = body
        self.scope = scope

    def __repr__(self) -> str:
        return f"the function {self.name}"


def evaluate(node: Any, scope: Scope, budget: Budget) -> Any:
    """The value of an expression. Raises EvaluationError, or Silent if a part of it is unknown."""
    if budget.watch is not None and not budget.depth:
        return budget.watch(node, scope, budget)
    budget.spend(1, node)
    if budget.depth >= MOST_DEPTH:
        raise EvaluationError("TooDeep", node, limit=MOST_DEPTH)
    budget.depth += 1
    try:
        return _EVALUATORS[type(node)](node, scope, budget)
    finally:
        budget.depth -= 1


def truth(value: Any, node: Any) -> bool:
    """Whether a condition holds. Raises EvaluationError for what is none: a name, a tensor, a function."""
    if isinstance(value, (str, View, Closure)):
        raise EvaluationError("NotACondition", node, value=described(value))
    return bool(value)


def _number(node: tree.Number, scope: Scope, budget: Budget) -> Any:
    return node.value


def _name(node: tree.Name, scope: Scope, budget: Budget) -> Any:
    try:
        value = scope.find(node.name)
    except KeyError:
        raise EvaluationError("UndefinedName", node, name=node.name, known=scope.names()) from None
    if value is UNKNOWN:
        raise Silent
    return value.read() if type(value) is Varying else value


def _sides(node: tree.Sides, scope: Scope, budget: Budget) -> Any:
    return tuple(evaluate(side, scope, budget) for side in node.sides)


def _brace(node: tree.Brace, scope: Scope, budget: Budget) -> Any:
    return evaluate(node.expression, scope, budget)


def _unary(node: tree.Unary, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.operand, scope, budget)
    if node.operator == "not":
        return not truth(value, node.operand)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise EvaluationError("WrongOperand", node, operator=node.operator, value=described(value))
    return -value if node.operator == "-" else value


def _binary(node: tree.Binary, scope: Scope, budget: Budget) -> Any:
    # `a + b + c` nests to the left: the left sides are gone down in a loop, so that long sums are not deep.
    spine = [node]
    while type(spine[-1].left) is tree.Binary:
        spine.append(spine[-1].left)
    value = evaluate(spine[-1].left, scope, budget)
    for one in reversed(spine):
        if one.operator == "and":
            value = evaluate(one.right, scope, budget) if truth(value, one.left) else value
        elif one.operator == "or":
            value = value if truth(value, one.left) else evaluate(one.right, scope, budget)
        else:
            value = arithmetic(one, one.operator, value, evaluate(one.right, scope, budget), budget)
    return value


def _compare(node: tree.Compare, scope: Scope, budget: Budget) -> Any:
    left = evaluate(node.operands[0], scope, budget)
    for operator, operand in zip(node.operators, node.operands[1:], strict=True):
        right = evaluate(operand, scope, budget)
        if isinstance(right, (list, tuple, dict)):
            budget.spend(len(right) // 8, node)
        if not compare(node, operator, left, right, operand):
            return False
        left = right
    return True


def _conditional(node: tree.Conditional, scope: Scope, budget: Budget) -> Any:
    condition = truth(evaluate(node.condition, scope, budget), node.condition)
    chosen = node.then if condition else node.otherwise
    return evaluate(chosen, scope, budget)


def _attribute(node: tree.Attribute, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.value, scope, budget)
    if not isinstance(value, View):
        raise EvaluationError("NoAttributes", node, value=described(value), name=node.name)
    if node.name not in value.values:
        advice = value.advice(node.name)
        known = list(value.values)
        raise EvaluationError("UnknownAttribute", node, what=value.what, name=node.name, known=known, advice=advice)
    found = value.values[node.name]
    return found() if callable(found) and not isinstance(found, Closure) else found


def _index(node: tree.Index, scope: Scope, budget: Budget) -> Any:
    value = evaluate(node.value, scope, budget)
    if isinstance(node.index, tree.Slice):
        return _sliced(node, value, scope, budget)
    key = evaluate(node.index, scope, budget)
    if isinstance(value, View) and value.entries:
        return value.entry(key, node.index)
    if isinstance(value, dict):
        try:
            return value[key]
        except KeyError:
            keys = ", ".join(written(k) for k in list(value)[:20])
            raise EvaluationError("MissingKey", node.index, key=written(key), keys=keys) from None
        except TypeError:
            raise EvaluationError("BadKey", node.index, value=described(key)) from None
    if not isinstance(value, (list, tuple, str)):
        raise EvaluationError("NotIndexable", node.value, value=described(value))
    if not isinstance(key, int):
        raise EvaluationError("BadIndex", node.index, value=described(key))
    try:
        return value[key]
    except IndexError:
        raise EvaluationError("IndexOutOfRange", node.index, index=key, length=len(value)) from None


def _sliced(node: tree.Index, value: Any, scope: Scope, budget: Budget) -> Any:
    if not isinstance(value, (list, tuple, str)):
        raise EvaluationError("NotIndexable", node.value, value=described(value))
    parts = [None if p is None else evaluate(p, scope, budget) for p in node.index[2:]]
    for part, part_node in zip(parts, node.index[2:], strict=True):
        if part is not None and not isinstance(part, int):
            raise EvaluationError("BadIndex", part_node, value=described(part))
    if parts[2] == 0:
        raise EvaluationError("ZeroStep", node.index.step)
    return kept(node, value[slice(*parts)], budget) if not isinstance(value, str) else value[slice(*parts)]


def _call(node: tree.Call, scope: Scope, budget: Budget) -> Any:
    function = evaluate(node.function, scope, budget)
    arguments = [evaluate(a, scope, budget) for a in node.arguments]
    keywords = {name: evaluate(value, scope, budget) for name, value in node.keywords}
    if isinstance(function, Closure):
        return _call_closure(node, function, arguments, keywords, budget)
    if not callable(function):
        raise EvaluationError("NotAFunction", node.function, value=described(function))
    name = getattr(node.function, "name", "function")
    budget.spend(sum(len(a) for a in arguments if isinstance(a, (list, tuple, dict))), node)
    try:
        result = function(*arguments, **keywords)
        return kept(node, result, budget) if isinstance(result, (list, tuple)) else result
    except EvaluationError as error:
        raise EvaluationError(error.problem, node, **error.values) from None
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, AttributeError):
        shown = ", ".join(described(a) for a in arguments) or "nothing"
        raise EvaluationError("WrongCall", node, name=name, given=shown, usage=USAGE.get(name)) from None


def _call_closure(
    node: tree.Call, function: Closure, arguments: list[Any], keywords: dict[str, Any], budget: Budget
) -> Any:
    values = dict(zip(function.parameters, arguments, strict=False))
    unknown = [name for name in keywords if name not in function.parameters or name in values]
    values.update(keywords)
    if unknown or len(arguments) > len(function.parameters) or len(values) < len(function.parameters):
        usage = f"{function.name}({', '.join(function.parameters)})"
        count = len(arguments) + len(keywords)
        shown = f"{count} argument{'s' * (count != 1)}"
        if unknown:
            shown = f"`{unknown[0]}=`"
        raise EvaluationError("WrongCall", node, name=function.name, given=shown, usage=usage)
    try:
        return evaluate(function.body, Scope(function.scope, values), budget)
    except EvaluationError as error:
        if error.node is not None and isinstance(error.node, tuple) and node is not error.node:
            # The body stands on another line, perhaps of another file: the call is to blame, the place is shown.
            values = dict(error.values)
            if "labels" not in values and function.line is not None:
                values["labels"] = (Label(function.line.span(error.node), f"in `{function.name}`"),)
            raise EvaluationError(error.problem, node, **values) from None
        raise


def _sequence(node: tree.Sequence, scope: Scope, budget: Budget) -> Any:
    return kept(node, [evaluate(item, scope, budget) for item in node.items], budget)


def _dictionary(node: tree.Dictionary, scope: Scope, budget: Budget) -> Any:
    found: dict[Any, Any] = {}
    for entry in node.entries:
        key, value = _entry(entry, scope, budget)
        if key in found:
            raise EvaluationError("DefinedTwice", entry[0], what="key", name=written(key))
        found[key] = value
    return kept(node, found, budget)


def _entry(entry: tuple[Any, Any], scope: Scope, budget: Budget) -> tuple[Any, Any]:
    key = evaluate(entry[0], scope, budget)
    if not isinstance(key, (int, float, str, bool)):
        raise EvaluationError("BadKey", entry[0], value=described(key))
    return key, evaluate(entry[1], scope, budget)


def _comprehension(node: tree.Comprehension, scope: Scope, budget: Budget) -> Any:
    if len(node.clauses) > MOST_CLAUSES:
        raise EvaluationError("TooDeep", node, limit=MOST_CLAUSES)
    results: list[Any] = []

    def run(clauses: tuple[Any, ...], inner: Scope) -> None:
        if not clauses:
            if len(results) >= MOST_ITEMS:
                raise EvaluationError("ListTooLong", node, limit=MOST_ITEMS)
            results.append(_entry(node.element, inner, budget) if node.keyed else evaluate(node.element, inner, budget))
            return
        targets, value = clauses[0]
        if targets is None:
            if evaluate(value, inner, budget):
                run(clauses[1:], inner)
            return
        for item in iterate(value, evaluate(value, inner, budget)):
            budget.spend(3, node)
            bound = Scope(inner)
            assign(targets, item, bound, value)
            run(clauses[1:], bound)

    run(node.clauses, Scope(scope))
    return kept(node, dict(results) if node.keyed else results, budget)


def iterate(node: Any, value: Any) -> Iterable[Any]:
    """What `for` goes over: a list, a tuple, or a dictionary's keys. Raises EvaluationError."""
    if not isinstance(value, (list, tuple, dict)):
        raise EvaluationError("NotIterable", node, value=described(value))
    return value


def assign(targets: tuple[Any, ...], value: Any, scope: Scope, node: Any) -> None:
    """Bind one target, or several to the parts of a list. Raises EvaluationError at `node`."""
    if len(targets) == 1 and isinstance(targets[0], tree.Name):
        scope.values[targets[0].name] = value
        return
    parts = targets[0] if len(targets) == 1 else targets
    if not isinstance(value, (list, tuple)) or len(value) != len(parts):
        given = f"is only {described(value)}"
        if isinstance(value, (list, tuple)):
            given = f"are {len(value)} values" if len(value) != 1 else "is 1 value"
        raise EvaluationError("CannotUnpack", node, names=len(parts), given=given)
    for part, item in zip(parts, value, strict=True):
        assign((part,), item, scope, node)


_EVALUATORS: dict[type, Callable[[Any, Scope, Budget], Any]] = {
    tree.Number: _number,
    tree.Text: _number,
    tree.Truth: _number,
    tree.Name: _name,
    tree.Sides: _sides,
    tree.Brace: _brace,
    tree.Unary: _unary,
    tree.Binary: _binary,
    tree.Compare: _compare,
    tree.Conditional: _conditional,
    tree.Attribute: _attribute,
    tree.Index: _index,
    tree.Call: _call,
    tree.Sequence: _sequence,
    tree.Dictionary: _dictionary,
    tree.Comprehension: _comprehension,
}
