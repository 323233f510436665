"""What each rule of the grammar builds: one function per rule, named after it with a `_` behind.

Each gets the start and end of its text and the rule's kept symbols: a token (kind, text, start, end), what
another builder made, or None for an optional part that is absent.
"""

from __future__ import annotations

import re
from typing import Any

from cnndsl.syntax import tree
from cnndsl.syntax.fault import SyntaxFault

Token = tuple[str, str, int, int]

SUFFIXES = {"K": 3, "M": 6, "G": 9, "T": 12}
"""Powers of ten."""
MOST_DIGITS = 40


def _name(token: Token) -> tree.Name:
    return tree.Name(token[2], token[3], token[1])


def start_(start: int, end: int, statement: Any) -> Any:
    return statement


# --- headers ----------------------------------------------------------------------------------------------------


def network_(start: int, end: int, name: Token, parameters: Any, colon: Any) -> tree.Network:
    return tree.Network(start, end, _name(name), parameters or (), colon is not None)


def instance_(start: int, end: int, name: Token, base: Token, settings: Any, colon: Any) -> tree.Instance:
    return tree.Instance(start, end, _name(name), _name(base), settings or (), colon is not None)


def block_(start: int, end: int, name: Token, parameters: Any) -> tree.Block:
    return tree.Block(start, end, _name(name), parameters or ())


def train_(start: int, end: int, name: Token | None, of: Any) -> tree.Train:
    return tree.Train(start, end, _name(name) if name else None, of or ())


def use_(start: int, end: int, file: Any, names: Any) -> tree.Use:
    where = tree.Text(file[2], file[3], file[1][1:-1]) if file[0] == "STRING" else file
    return tree.Use(start, end, where, names or ())


def parameters_(start: int, end: int, items: Any) -> tuple[tree.Parameter, ...]:
    return items or ()


def parameter_(start: int, end: int, name: Token, default: Any = None) -> tree.Parameter:
    return tree.Parameter(start, end, name[1], default)


def rest_parameter_(start: int, end: int, dots: Token) -> tree.Parameter:
    return tree.Parameter(start, end, "...", None, rest=True)


def arguments_in_parentheses_(start: int, end: int, items: Any) -> tuple[tree.Named, ...]:
    return items or ()


def setting_(start: int, end: int, name: Token, value: Any) -> tree.Named:
    return tree.Named(start, end, name[1], value)


def imported_(start: int, end: int, name: Token, alias: Token | None) -> tuple[tree.Name, tree.Name | None]:
    return _name(name), _name(alias) if alias else None


def _listed(start: int, end: int, *parts: Any) -> tuple[Any, ...]:
    """A list rule: its first item, or the items so far and one more."""
    return (*parts[0], parts[1]) if len(parts) == 2 else (parts[0],)


parameter_list_ = setting_list_ = imports_ = items_ = expressions_ = entries_ = call_arguments_ = _listed
input_words_ = sides_ = _listed


def names_(start: int, end: int, *parts: Any) -> tuple[tree.Name, ...]:
    return (*parts[0], _name(parts[1])) if len(parts) == 2 else (_name(parts[0]),)


def colon_(start: int, end: int, token: Token) -> bool:
    return True


comma_ = colon_


# --- statements -------------------------------------------------------------------------------------------------


def let_(start: int, end: int, targets: Any, value: Any) -> tree.Let:
    return tree.Let(start, end, targets, value)


def function_(start: int, end: int, name: Token, parameters: Any, value: Any) -> tree.Function:
    return tree.Function(start, end, _name(name), parameters or (), value)


def expect_(start: int, end: int, condition: Any) -> tree.Expect:
    return tree.Expect(start, end, condition)


def input_(start: int, end: int, words: tuple[Any, ...], example: Any, where: Any) -> tree.Input:
    """Sorts the words into names and the one size: `input L tokens` has the size `L`."""
    _refuse_spaced_size(words)
    sizes = [w for w in words if not isinstance(w, tree.Name)]
    names = [w for w in words if isinstance(w, tree.Name)]
    if len(sizes) > 1:
        raise SyntaxFault("TwoSizes", sizes[1].start, sizes[1].end)
    if not sizes:
        free = [n for n in names if len(n.name) == 1 and n.name.isupper()]
        if not free:
            from cnndsl.syntax.faults import small_sides  # Only where something is wrong.

            small = next(filter(None, (small_sides(n.name, n.start, example is not None) for n in names)), None)
            if small is not None:
                raise small
            raise SyntaxFault("InputWithoutSize", start, end)
        sizes = free[:1]
        names.remove(free[0])
    return tree.Input(start, end, tuple(names), sizes[0], example, where or ())


def output_(start: int, end: int, reference: Any, word: Token | None, colon: Any) -> tree.Output:
    return tree.Output(start, end, reference, _name(word) if word else None, colon is not None)


def repeat_(start: int, end: int, count: Any, name: Token | None) -> tree.Repeat:
    return tree.Repeat(start, end, count, _name(name) if name else None)


def for_(start: int, end: int, targets: Any, iterable: Any) -> tree.For:
    return tree.For(start, end, targets, iterable)


def if_(start: int, end: int, condition: Any) -> tree.If:
    return tree.If(start, end, condition, again=False)


def elif_(start: int, end: int, condition: Any) -> tree.If:
    return tree.If(start, end, condition, again=True)


def else_(start: int, end: int) -> tree.Else:
    return tree.Else(start, end)


def claim_line_(start: int, end: int, claim: tree.Claim) -> tree.Chain:
    return tree.Chain(start, end, (), claim, opens=False)


def targets_(start: int, end: int, *parts: Any) -> tuple[Any, ...]:
    target = parts[-1]
    if isinstance(target, tuple) and target and isinstance(target[0], str):
        target = _name(target)
    return (*parts[0], target) if len(parts) == 2 else (target,)


def nested_targets_(start: int, end: int, targets: Any) -> tuple[Any, ...]:
    return tuple(targets)


# --- layers -----------------------------------------------------------------------------------------------------


def chain_(start: int, end: int, items: Any, claim: Any, colon: Any) -> tree.Chain:
    return tree.Chain(start, end, items, claim, colon is not None)


def item_(start: int, end: int, kind: Any, arguments: Any, count: Any, alias: Any) -> tree.Item:
    _refuse_spaced_size(arguments)
    return tree.Item(start, end, kind, arguments, count, alias)


_sides_word = re.compile(r"x(?:[0-9]+(?:x[0-9]+)*)?")


def _refuse_spaced_size(arguments: tuple[Any, ...]) -> None:
    """Refuses `3 x 3 x 64` and `3 x3`, which are numbers and words as tokens go. Raises SyntaxFault."""
    for index, word in enumerate(arguments[1:], 1):
        if not isinstance(word, (tree.Reference, tree.Name)) or not _sides_word.fullmatch(word.name):
            continue
        if not isinstance(arguments[index - 1], (tree.Number, tree.Brace, tree.Sides)):
            continue
        run = [arguments[index - 1]]
        for argument in arguments[index:]:
            is_word = isinstance(argument, (tree.Reference, tree.Name))
            if not (_sides_word.fullmatch(argument.name) if is_word else isinstance(argument, tree.Number)):
                break
            run.append(argument)
        pieces = [part.text if isinstance(part, tree.Number) else getattr(part, "name", "") for part in run]
        plain = "".join(pieces)
        if re.fullmatch(r"[0-9]+(x[0-9]+)+", plain):
            raise SyntaxFault("SpacedSize", run[0].start, run[-1].end, fix=(f"write `{plain}`", plain), plain=plain)
        raise SyntaxFault("SpacedSize", run[0].start, run[-1].end, plain="3x3x64")


def from_item_(start: int, end: int, reference: Any) -> tree.From:
    return tree.From(start, end, reference)


def reuse_item_(start: int, end: int, reference: Any) -> tree.Reuse:
    return tree.Reuse(start, end, reference)


def arguments_(start: int, end: int, *parts: Any) -> tuple[Any, ...]:
    return (*parts[0], parts[1]) if parts else ()


def rest_(start: int, end: int, dots: Token) -> tree.Rest:
    return tree.Rest(start, end)


def slash_(start: int, end: int, value: Any) -> tree.Slash:
    return tree.Slash(start, end, value)


def named_(start: int, end: int, name: Token, value: Any) -> tree.Named:
    return tree.Named(start, end, name[1], value)


def count_(start: int, end: int, value: Any) -> Any:
    return value


def alias_(start: int, end: int, reference: Any) -> Any:
    return reference


def claim_(start: int, end: int, shape: Any) -> tree.Claim:
    return tree.Claim(start, end, shape)


def number_(start: int, end: int, token: Token) -> tree.Number:
    return tree.Number(start, end, token[1], number_value(token[1], start, end))


def number_value(text: str, start: int, end: int) -> int | float:
    """The value of a number as written: an int where it is whole. Raises SyntaxFault."""
    if len(text) > MOST_DIGITS:
        raise SyntaxFault("NumberTooLong", start, end, digits=len(text), limit=MOST_DIGITS)
    plain = text.replace("_", "")
    if plain.isdigit():
        return int(plain)
    suffix = SUFFIXES.get(plain[-1])
    mantissa, _, exponent = (plain if suffix is None else plain[:-1]).lower().partition("e")
    power = int(exponent or 0) + (suffix or 0)
    value = float(f"{mantissa}e{power}")
    if value == float("inf"):
        raise SyntaxFault("NumberTooLarge", start, end)
    return value if suffix is None else _whole(mantissa, power, value)


def _whole(mantissa: str, power: int, value: float) -> int | float:
    """`mantissa` times ten to `power`, exactly if it is whole (4.1G is 4,100,000,000), else `value`, which is near."""
    whole, _, decimals = mantissa.partition(".")
    digits = int(whole + decimals)
    power -= len(decimals)
    if digits == 0:
        return 0
    if power >= 0:
        return digits * int(10**power)
    if -power > len(whole + decimals) or digits % 10**-power:
        return value
    return digits // int(10**-power)


def negative_(start: int, end: int, token: Token) -> tree.Number:
    return tree.Number(start, end, "-" + token[1], -number_value(token[1], token[2], token[3]))


def string_(start: int, end: int, token: Token) -> tree.Text:
    return tree.Text(start, end, token[1][1:-1])


def name_word_(start: int, end: int, token: Token) -> tree.Name:
    return tree.Name(start, end, token[1])


input_word_atom_ = name_word_


def brace_(start: int, end: int, expression: Any) -> tree.Brace:
    return tree.Brace(start, end, expression)


def size_(start: int, end: int, sides: Any, last: Any) -> tree.Sides:
    return tree.Sides(start, end, (*sides, last))


def side_(start: int, end: int, token: Token) -> tree.Number | tree.Name:
    text = token[1][:-1]
    if text.isdigit():
        return tree.Number(start, end - 1, text, number_value(text, start, end))
    return tree.Name(start, end - 1, text)


def brace_side_(start: int, end: int, expression: Any) -> tree.Brace:
    return tree.Brace(start, end - 1, expression)


def path_(start: int, end: int, *parts: Any) -> tree.Path:
    names = (*parts[0].names, parts[1][1]) if len(parts) == 2 else (parts[0][1],)
    return tree.Path(start, end, names)


def reference_(start: int, end: int, name: Token) -> tree.Reference:
    return tree.Reference(start, end, name[1])


def member_(start: int, end: int, owner: tree.Reference, name: Token) -> tree.Reference:
    return tree.Reference(start, end, owner.name, (*owner.steps, name[1]))


def element_(start: int, end: int, owner: tree.Reference, index: Any) -> tree.Reference:
    return tree.Reference(start, end, owner.name, (*owner.steps, index))


# --- expressions ------------------------------------------------------------------------------------------------


def conditional_(start: int, end: int, then: Any, condition: Any, otherwise: Any) -> tree.Conditional:
    return tree.Conditional(start, end, then, condition, otherwise)


def or_(start: int, end: int, left: Any, right: Any) -> tree.Binary:
    return tree.Binary(start, end, "or", left, right)


def and_(start: int, end: int, left: Any, right: Any) -> tree.Binary:
    return tree.Binary(start, end, "and", left, right)


def binary_(start: int, end: int, left: Any, operator: Token, right: Any) -> tree.Binary:
    return tree.Binary(start, end, operator[1], left, right)


def inverse_(start: int, end: int, operand: Any) -> tree.Unary:
    return tree.Unary(start, end, "not", operand)


def unary_(start: int, end: int, operator: Token, operand: Any) -> tree.Unary:
    return tree.Unary(start, end, operator[1], operand)


def comparisons_(start: int, end: int, left: Any, operator: str, right: Any) -> tree.Compare:
    # A comparison in parentheses starts behind its parenthesis, so only `a < b < c` goes on.
    if isinstance(left, tree.Compare) and left.start == start:
        return tree.Compare(start, end, (*left.operators, operator), (*left.operands, right))
    return tree.Compare(start, end, (operator,), (left, right))


def comparator_(start: int, end: int, *tokens: Token) -> str:
    return " ".join(token[1] for token in tokens)


def attribute_(start: int, end: int, value: Any, name: Token) -> tree.Attribute:
    return tree.Attribute(start, end, value, name[1])


def index_(start: int, end: int, value: Any, index: Any) -> tree.Index:
    return tree.Index(start, end, value, index)


def slice_(start: int, end: int, first: Any, last: Any, step: Any) -> tree.Slice:
    return tree.Slice(start, end, first, last, step)


def slice_step_(start: int, end: int, step: Any) -> Any:
    return step


def call_(start: int, end: int, function: Any, arguments: Any) -> tree.Call:
    given = arguments or ()
    return tree.Call(
        start,
        end,
        function,
        tuple(a for a in given if not isinstance(a, tree.Named)),
        tuple((a.name, a.value) for a in given if isinstance(a, tree.Named)),
    )


def keyword_(start: int, end: int, name: Token, value: Any) -> tree.Named:
    return tree.Named(start, end, name[1], value)


def literal_size_(start: int, end: int, sides: Any, last: Token) -> tree.Sides:
    return tree.Sides(start, end, (*sides, number_(last[2], last[3], last)))


def sides_only_(start: int, end: int, *parts: Any) -> tuple[Any, ...]:
    token = parts[-1]
    side = side_(token[2], token[3], token)
    return (*parts[0], side) if len(parts) == 2 else (side,)


def truth_(start: int, end: int, token: Token) -> tree.Truth:
    return tree.Truth(start, end, token[1] == "true")


def list_(start: int, end: int, items: Any = (), comma: Any = None) -> tree.Sequence:
    return tree.Sequence(start, end, tuple(items))


def tuple_(start: int, end: int, items: Any = (), last: Any = None) -> tree.Sequence:
    return tree.Sequence(start, end, (*items, last) if last is not None else tuple(items))


def list_comprehension_(start: int, end: int, element: Any, clauses: Any) -> tree.Comprehension:
    return tree.Comprehension(start, end, element, clauses, keyed=False)


def dictionary_(start: int, end: int, entries: Any = (), comma: Any = None) -> tree.Dictionary:
    return tree.Dictionary(start, end, tuple(entries))


def dictionary_comprehension_(start: int, end: int, entry: Any, clauses: Any) -> tree.Comprehension:
    return tree.Comprehension(start, end, entry, clauses, keyed=True)


def entry_(start: int, end: int, key: Any, value: Any) -> tuple[Any, Any]:
    return key, value


def comprehension_(start: int, end: int, *parts: Any) -> tuple[Any, ...]:
    return (*parts[0], parts[1]) if len(parts) == 2 else (parts[0],)


def comprehension_for_(start: int, end: int, targets: Any, iterable: Any) -> tuple[Any, Any]:
    return targets, iterable


def comprehension_if_(start: int, end: int, condition: Any) -> tuple[None, Any]:
    return None, condition
