"""Expressions against Python's own evaluation, and their bounds: always a value or a problem, soon."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.elaborate import elaborate
from cnndsl.elaborate.arithmetic import Budget, EvaluationError
from cnndsl.elaborate.evaluate import Scope, evaluate
from cnndsl.source import Source
from cnndsl.syntax import parse, parse_line, tree

NAMES = {"a": 3, "b": -2, "c": 0.5, "flag": True, "items": [1, 2, 3, 5, 8], "table": {1: 10, 2: 20, 3: 5}}


def value_of(text: str, names: dict[str, Any] | None = None) -> Any:
    """The value of an expression. Raises EvaluationError."""
    statement = parse_line(f"let value = {text}")
    assert isinstance(statement, tree.Let)
    return evaluate(statement.value, Scope(None, dict(NAMES if names is None else names)), Budget())


def problem_of(text: str, names: dict[str, Any] | None = None) -> str:
    with pytest.raises(EvaluationError) as caught:
        value_of(text, names)
    return caught.value.problem


# --- the same as Python ---------------------------------------------------------------------------------------------

PYTHON: dict[str, Any] = {
    "range": lambda *a: list(range(*a)), "enumerate": lambda x, start=0: list(enumerate(x, start)),
    "zip": lambda *a: list(zip(*a, strict=False)), "len": len,
    "sum": lambda x: functools.reduce(operator.add, x, 0), "min": min, "max": max, "abs": abs,
    "round": round, "floor": math.floor, "ceil": math.ceil, "sqrt": math.sqrt, "log": math.log,
}  # fmt: skip


def python_value(text: str) -> Any:
    """What Python makes of the same text."""
    python = text.replace("true", "True").replace("false", "False")
    return eval(python, {"__builtins__": {}, **PYTHON, **NAMES})


numbers = st.one_of(
    st.integers(0, 20).map(str), st.sampled_from(["0.5", "1.25", "3.0", "1e3", "61_706", "a", "b", "c"])
)
numeric = st.deferred(
    lambda: st.one_of(
        numbers,
        numbers,
        st.tuples(numeric, st.sampled_from(["+", "-", "*", "/", "//", "%"]), numeric).map(" ".join),
        st.tuples(numbers, st.integers(0, 4).map(str)).map(lambda pair: f"{pair[0]} ** {pair[1]}"),
        numeric.map("({})".format),
        numeric.map("-{}".format),
        numeric.map("+{}".format),
        st.tuples(numeric, truths, numeric).map("{0[0]} if {0[1]} else {0[2]}".format).map("({})".format),
        st.tuples(lists, numeric).map("sum({0[0]}) + {0[1]}".format),
        lists.map("len({})".format),
        st.tuples(st.sampled_from(["min", "max"]), numeric, numeric).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(st.sampled_from(["abs", "floor", "ceil", "round"]), numeric).map("{0[0]}({0[1]})".format),
        st.integers(1, 3).map("table[{}]".format),
        st.integers(-5, 4).map("items[{}]".format),
    )
)
truths = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["true", "false", "flag"]),
        st.tuples(numeric, comparisons, numeric).map(" ".join),
        st.tuples(numeric, comparisons, numeric, comparisons, numeric).map(" ".join),
        st.tuples(truths, st.sampled_from(["and", "or"]), truths).map(" ".join),
        truths.map("not {}".format).map("({})".format),
        st.tuples(numeric, st.sampled_from(["in", "not in"]), lists).map(" ".join).map("({})".format),
    )
)
comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
steps = st.one_of(st.just(""), st.integers(-4, 4).map(str))
lists = st.deferred(
    lambda: st.one_of(
        st.just("items"),
        st.lists(numbers, max_size=4).map(lambda one: f"[{', '.join(one)}]"),
        st.integers(0, 6).map("range({})".format),
        st.tuples(lists, lists).map("({0[0]} + {0[1]})".format),
        st.tuples(lists, st.integers(0, 3)).map("({0[0]} * {0[1]})".format),
        st.tuples(lists, steps, steps, steps.filter(lambda s: s != "0")).map("{0[0]}[{0[1]}:{0[2]}:{0[3]}]".format),
        st.tuples(numeric, lists).map("[{0[0]} + i for i in {0[1]}]".format),
        st.tuples(lists, truths).map("[i * 2 for i in {0[0]} if i > 1 and {0[1]}]".format),
        st.tuples(lists, lists).map("[x * y for x in {0[0]} for y in {0[1]} if x != y]".format),
        lists.map("[i * n for i, n in enumerate({})]".format),
        st.tuples(lists, lists).map("[x - y for x, y in zip({0[0]}, {0[1]})]".format),
        lists.map("[{{1: 2, 3: k}}[3] for k in {}]".format),
    )
)


def as_plain(value: Any) -> Any:
    """Tuples as lists: the language has one kind of list."""
    return [as_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def agrees(text: str) -> None:
    try:
        expected = python_value(text)
    except (ZeroDivisionError, TypeError, IndexError, OverflowError, ValueError, KeyError):
        with pytest.raises(EvaluationError):
            value_of(text)
        return
    try:
        found = value_of(text)
    except EvaluationError as error:
        # What Python would compute, but no network needs.
        assert error.problem in ("ResultTooLarge", "NoRealNumber", "ListTooLong", "TooDeep"), text  # noqa: PT017
        return
    assert as_plain(found) == as_plain(expected)
    assert type(found) is type(expected) or isinstance(expected, (list, tuple))


@settings(max_examples=300, deadline=None)
@given(st.one_of(numeric, truths, lists).filter(lambda text: len(text) < 500))
def test_values_are_pythons(text: str) -> None:
    agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        "2 ** 3 ** 2", "-2 ** 2", "2 ** -1", "-7 // 2", "-7 % 3", "7.5 // 2", "1 < 2 < 3", "1 < 3 < 2", "3 > 2 == 2",
        "1 if false else 2 if true else 3", "not 1 == 2", "1 + 2 * 3 - 4 / 2", "(1 + 2) * 3", "items[-1]",
        "items[1:3]", "items[::-1]", "items[:2] + items[3:]", "[[1, 2], [3]][0][1]", "{1: 2}[1]",
        "{i: i * i for i in range(4)}[3]", "[x for x, (y, z) in [(1, (2, 3))]]", "round(2.5)", "round(3.5)",
        "round(2.675, 2)", "floor(-1.5)", "ceil(-1.5)", "sqrt(2)", "log(8, 2)", "min(items)", "max(3, 1, 2)",
        "sum([])", "len(table)", "abs(-3)", "range(10, 0, -3)", "enumerate([5], start=3)", "3 in table",
        "1 == 1.0", "[1] == [1.0]", "1 or 2", "0 or 2", "0 and 1", "[] or 3", "(1,)[0]", "()", "1_000 * 1e3",
    ],
)  # fmt: skip
def test_examples(text: str) -> None:
    agrees(text)


def test_what_python_does_not_have() -> None:
    assert value_of("28x28x3") == (28, 28, 3)
    assert value_of("28x28x3[2]") == 3
    assert value_of("28x28x3 == [28, 28, 3]") is True
    assert value_of("4.1G") == 4_100_000_000
    assert value_of('"rel" + "u"') == "relu"
    # Sandler et al. 2018, the reference code's `_make_divisible`: MobileNetV2 x0.75 and x1.4.
    found = [value_of(f"make_divisible({n} * {m})") for m in ("0.75", "1.4") for n in (16, 24, 32, 96, 160, 1280)]
    assert found == [16, 24, 24, 72, 120, 960, 24, 32, 48, 136, 224, 1792]


@pytest.mark.parametrize(
    ("left", "right", "holds"),
    [
        ("416_520", "416.5K", True),
        ("416_551", "416.5K", False),
        ("416_449", "416.5K", False),
        ("44_549_160", "44.5M", True),
        ("61_706", "61_706", True),
        ("61_707", "61_706", False),
        ("61_706.4", "61_706", True),
        ("4_089_184_256", "4.1G", True),
        ("0.9941", "0.994", True),
        ("0.9946", "0.994", False),
        ("123", "1e2", True),
        ("151", "1e2", False),
        ("10 ** 1000", "1.5", False),
        ("0", "0e400", False),
    ],
)
def test_roughly(left: str, right: str, holds: bool) -> None:
    assert value_of(f"{left} ~ {right}") is holds


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / 0", "DivisionByZero"), ("1 // 0", "DivisionByZero"), ("1 % 0", "DivisionByZero"),
        ("0 ** -1", "DivisionByZero"), ("0.0 ** -1", "DivisionByZero"), ("(-8) ** 0.5", "NoRealNumber"),
        ("x", "UndefinedName"), ("1 + [1]", "WrongOperand"), ("[1] - [1]", "WrongOperand"),
        ("true + 1", "WrongOperand"), ("-true", "WrongOperand"), ("-[1]", "WrongOperand"),
        ('"a" * 3', "WrongOperand"), ("[1] * 1.5", "WrongOperand"), ("[1] * true", "WrongOperand"),
        ("1 < [1]", "CannotCompare"), ("[1] < 1", "CannotCompare"), ("abs < abs", "CannotCompare"),
        ("1 in 2", "NotIterable"), ("1 ~ a", "RoughlyWhat"), ("[1] ~ 1", "RoughlyWhat"), ("a.b", "NoAttributes"),
        ("items[9]", "IndexOutOfRange"), ("items[a.b]", "NoAttributes"), ("table[9]", "MissingKey"),
        ("table[[1]]", "BadKey"), ("{[1]: 1}", "BadKey"), ("3[0]", "NotIndexable"), ("items[0.5]", "BadIndex"),
        ("items[0:1.5]", "BadIndex"), ("items[::0]", "ZeroStep"), ("items[1:2, ]", None), ("3(1)", "NotAFunction"),
        ("len(3)", "WrongCall"), ("len()", "WrongCall"), ("len(items, items)", "WrongCall"),
        ("range(1, 2, 0)", "WrongCall"), ("range(stop=3)", "WrongCall"), ("sqrt(-1)", "WrongCall"),
        ("sqrt([1])", "WrongCall"), ("log(0)", "WrongCall"), ("log(2, 1)", "WrongCall"), ("min([])", "WrongCall"),
        ("min(1, [1])", "WrongCall"), ("max()", "WrongCall"), ("sum(3)", "WrongCall"), ('sum(["a"])', "WrongOperand"),
        ("sum([[1], [2]])", "WrongCall"), ("round(true)", "WrongCall"), ("round(1, 10**9)", "WrongCall"),
        ("floor([1])", "WrongCall"), ("abs(items)", "WrongCall"), ("make_divisible(3, 0)", "WrongCall"),
        ('make_divisible("a")', "WrongCall"), ("zip(1)", "WrongCall"), ("enumerate(items, 0.5)", "WrongCall"),
        ("[x for x in 3]", "NotIterable"), ("[x for x, y in [1]]", "CannotUnpack"),
        ("[x for x, y in [[1, 2, 3]]]", "CannotUnpack"), ("[x for x in items if y]", "UndefinedName"),
        ("[x for x in x]", "UndefinedName"),
    ],
)  # fmt: skip
def test_mistakes_have_names(text: str, problem: str | None) -> None:
    if problem is not None:
        assert problem_of(text) == problem


# --- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10 ** 10 ** 10", "ResultTooLarge"),
        ("2 ** 2 ** 100", "ResultTooLarge"), ("9 ** 9 ** 9 ** 9", "ResultTooLarge"),
        ("(-10) ** 10 ** 10", "ResultTooLarge"), ("10 ** 5000", "ResultTooLarge"), ("1e308 * 10", "ResultTooLarge"),
        ("10 ** 1000 * 1.5", "ResultTooLarge"), ("10 ** 1000 / 3", "ResultTooLarge"),
        ("1e308 + 1e308", "ResultTooLarge"),
        ("2.0 ** 10 ** 10", "ResultTooLarge"), ("10 ** 600 * 10 ** 600 * 10 ** 600", "ResultTooLarge"),
        ("range(10 ** 9)", "ListTooLong"), ("range(10 ** 100)", "WrongCall"), ("[0] * 10 ** 9", "ListTooLong"),
        ("[0] * 10 ** 100", "ListTooLong"), ("10 ** 100 * [0]", "ListTooLong"),
        ("[[0] * 1000] * 1000", "ListTooLong"), ("[[[0] * 100] * 100] * 100", "ListTooLong"),
        ("[x for x in range(1000) for y in range(1000)]", "ListTooLong"),
        ("[x for x in range(200000) for y in range(200000) if false]", "TooManySteps"),
        ("sum([sum(range(200000)) for i in range(1000)])", "TooManySteps"),
        ("[range(100000)[i:] for i in range(100000)]", "TooManySteps"),
        ("len([i for i in range(1000) if i in range(100000)])", "TooManySteps"),
        ("[" * 17 + "1" + "]" * 17, "TooDeep"),
        ("-" * 100 + "1", "TooDeep"),
        ("1" + " ** 1" * 100, "TooDeep"),
        ("1" + " if true else 1" * 100, None),
        ("1" + " if false else 1" * 100, "TooDeep"),
        ("[x" + " for x in [1]" * 9 + "]", "TooDeep"),
        ("a" + ".b" * 100, "TooDeep"),
        ("f(1)", "TooDeep"), ("g(1)", "TooDeep"), ("double([0])", "TooDeep"), ('grow("0123456789")', "TextTooLong"),
        ("fork(1)", "TooDeep"),
    ],
)  # fmt: skip
def test_what_grows_is_stopped(text: str, problem: str | None) -> None:
    source = """
let f(x) = f(x)
let g(x) = h(x) + 1
let h(x) = g(x) + 1
let double(x) = double(x + x) if len(x) < 100000 else double([x, x])
let grow(x) = grow(x + x + x + x + x + x + x + x + x + x)
let fork(x) = fork(x) + fork(x)
"""
    names: dict[str, Any] = {}
    scope = Scope(None, names)
    for line in parse(Source("a.cnn", source))[0].lines:
        from cnndsl.elaborate.evaluate import Closure

        statement = line.statement
        parameters = tuple(p.name for p in statement.parameters)
        names[statement.name.name] = Closure(statement.name.name, parameters, statement.value, scope)
    if problem is None:
        value_of(text, names)
    else:
        assert problem_of(text, names) in (problem, "ListTooLong" if text.startswith("double") else problem)


def test_a_long_sum_is_not_deep() -> None:
    assert value_of(" + ".join(["1"] * 5000)) == 5000
    assert value_of(" and ".join(["true"] * 5000)) is True
    assert value_of(" or ".join(["0"] * 5000)) == 0


def test_and_and_or_stop_early() -> None:
    assert value_of("false and 1 / 0") is False
    assert value_of("true or 1 / 0") is True
    assert value_of("1 if true else 1 / 0") == 1
    assert value_of("1 > 2 > 1 / 0") is False
    assert problem_of("true and 1 / 0 and false") == "DivisionByZero"


def diagnostics_of(text: str) -> list[str]:
    document, found = parse(Source("a.cnn", text))
    _, more = elaborate(document)
    return [type(d).__name__ for d in found + more]


def test_functions_see_what_stood_above_them() -> None:
    head = "let n = 3\nlet f(x, y) = n * x + y\nlet twice(x) = f(x, f(x, 0))\nnetwork A(n=50)\ninput 4\n"
    assert diagnostics_of(head + "dense {f(2, 1)} -> 7\ndense {twice(2)} -> 12\ndense {f(y=1, x=1)} -> 4\n") == []
    assert diagnostics_of(head + "dense {f(1)}\n") == ["WrongCall"]
    assert diagnostics_of(head + "dense {f(1, 2, 3)}\ndense {f(1, x=1)}\ndense {f(1, z=1)}\n") == ["WrongCall"] * 3


def test_a_mistake_inside_a_function_is_shown_at_the_call() -> None:
    text = "let f(x) = 1 / x\nnetwork A\ninput 4\ndense {f(0)}\n"
    document, _ = parse(Source("a.cnn", text))
    _, (found,) = elaborate(document)
    assert type(found).__name__ == "DivisionByZero"
    assert found.span.text == "f(0)"
    assert (found.span.line, found.span.column) == (4, 8)


def test_recursion_that_ends() -> None:
    text = "let fact(n) = 1 if n == 0 else n * fact(n - 1)\nnetwork A\ninput 4\ndense {fact(8)} -> 40320\n"
    assert diagnostics_of(text) == []


def test_names_of_a_comprehension_are_its_own() -> None:
    assert value_of("[a for a in [7]][0] + a") == 10
    assert problem_of("[i for i in [1]] + [i]") == "UndefinedName"


@pytest.mark.parametrize(
    "text",
    [
        "let a0 = [1, 1]\n" + "".join(f"let a{i + 1} = [a{i}, a{i}]\n" for i in range(60)),
        "let a0 = [1]\n" + "".join(f"let a{i + 1} = [a{i}]\n" for i in range(300)),
        'let a0 = "ab"\n' + "".join(f"let a{i + 1} = a{i} + a{i}\n" for i in range(60)),
        "let a0 = 10\n" + "".join(f"let a{i + 1} = a{i} * a{i}\n" for i in range(60)),
        "let a0 = {1: [1]}\n" + "".join(f"let a{i + 1} = {{1: a{i}, 2: a{i}}}\n" for i in range(60)),
    ],
)
def test_values_do_not_grow_from_line_to_line(text: str) -> None:
    """One problem: what is made of an unknown value is silent. And what is printed or compared stays small."""
    assert len(diagnostics_of(text + "network A\ninput 4\nrelu\n")) == 1


LOOPS = [
    ("repeat 10**30:\n    if false:\n        relu\n", "TooManySteps"),
    ("for i in range(200000):\n    for j in range(200000):\n        let k = i\n", "TooManySteps"),
    ("for i in range(1000):\n    let k = [0] * 250000\n", "TooManySteps"),
    ("calls 100\n", "TooManyCalls"),
    pytest.param("calls 25\n", "TooManySteps", marks=pytest.mark.slow),
    pytest.param("identity * {10**30}\n", "TooManyNodes", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("body", "problem"), LOOPS)
def test_loops_end(body: str, problem: str) -> None:
    block = "block calls(n):\n    if n > 0:\n        calls {n - 1}, calls {n - 1}\n"
    assert diagnostics_of(f"{block}network A\ninput 4\nrelu\n{body}") == [problem]
