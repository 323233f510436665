"""The syntax tree.

A `Document` is a tree of `Line`s, nested as the text is indented; each line holds one parsed statement.
Places inside a line are offsets from the line's own start, so that equal lines share one statement;
`Line.span` turns them into spans of the file. Nothing is lost: numbers keep their spelling, and
comments and blank lines are the text between the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from cnndsl.record import Record
from cnndsl.source import Source, Span

# --- expressions ------------------------------------------------------------------------------------------------


class Number(Record):
    """`61_706`, `1e-3`, `4.1G`, `-1`: the text as written and its value, an int where it is whole."""

    start: int
    end: int
    text: str
    value: int | float


class Text(Record):
    """A string, without its quotes."""

    start: int
    end: int
    value: str


class Truth(Record):
    start: int
    end: int
    value: bool


class Name(Record):
    start: int
    end: int
    name: str


class Sides(Record):
    """A size such as `3x3x{c}`: each side a Number, a Brace or, if it is free, a Name (`H`, `_`)."""

    start: int
    end: int
    sides: tuple[Any, ...]


class Brace(Record):
    """An expression in braces, where a value or a name is expected."""

    start: int
    end: int
    expression: Any


class Unary(Record):
    start: int
    end: int
    operator: str
    operand: Any


class Binary(Record):
    """`left operator right` for `+ - * / // % **` and for `and`, `or`."""

    start: int
    end: int
    operator: str
    left: Any
    right: Any


class Compare(Record):
    """`a < b == c`: one more operand than operators, as in Python."""

    start: int
    end: int
    operators: tuple[str, ...]
    operands: tuple[Any, ...]


class Conditional(Record):
    start: int
    end: int
    then: Any
    condition: Any
    otherwise: Any


class Attribute(Record):
    start: int
    end: int
    value: Any
    name: str


class Index(Record):
    start: int
    end: int
    value: Any
    index: Any


class Slice(Record):
    start: int
    end: int
    first: Any
    last: Any
    step: Any


class Call(Record):
    start: int
    end: int
    function: Any
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]


class Sequence(Record):
    """A list or a tuple; they evaluate alike."""

    start: int
    end: int
    items: tuple[Any, ...]


class Dictionary(Record):
    start: int
    end: int
    entries: tuple[tuple[Any, Any], ...]


class Comprehension(Record):
    """`[element for … if …]`; for a dictionary the element is a pair and `keyed` is true.

    clauses: `(targets, iterable)` for each `for`, `(None, condition)` for each `if`.
    """

    start: int
    end: int
    element: Any
    clauses: tuple[tuple[Any, Any], ...]
    keyed: bool


Expression: TypeAlias = (
    Number
    | Text
    | Truth
    | Name
    | Sides
    | Brace
    | Unary
    | Binary
    | Compare
    | Conditional
    | Attribute
    | Index
    | Call
    | Sequence
    | Dictionary
    | Comprehension
)

# --- items ------------------------------------------------------------------------------------------------------


class Reference(Record):
    """A name with its steps: `stage[0].conv2` has the steps `0` (an expression) and `"conv2"`.

    As an argument without steps it is a word such as `same`; what it means, the kind decides.
    """

    start: int
    end: int
    name: str
    steps: tuple[Any, ...] = ()


class Named(Record):
    """`name=value`."""

    start: int
    end: int
    name: str
    value: Any


class Slash(Record):
    """`/2`: the stride."""

    start: int
    end: int
    value: Any


class Rest(Record):
    """`...`: every further argument of the block."""

    start: int
    end: int


class From(Record):
    start: int
    end: int
    reference: Reference | Brace


class Reuse(Record):
    start: int
    end: int
    reference: Reference | Brace


class Item(Record):
    """`kind arguments * count as alias`; the kind is a Name, a Brace, a From or a Reuse."""

    start: int
    end: int
    kind: Any
    arguments: tuple[Any, ...]
    count: Any
    alias: Reference | None


class Claim(Record):
    """`-> 14x14x6`: what the line's last item must give. `shape` is a Number, Sides, Brace or Name."""

    start: int
    end: int
    shape: Any


# --- statements -------------------------------------------------------------------------------------------------


class Parameter(Record):
    """A parameter of a block or network; `default` is None if it has none, `rest` marks `...`."""

    start: int
    end: int
    name: str
    default: Any
    rest: bool = False


class Network(Record):
    start: int
    end: int
    name: Name
    parameters: tuple[Parameter, ...]
    opens: bool


class Instance(Record):
    """`network A = B(depth=101)`."""

    start: int
    end: int
    name: Name
    base: Name
    settings: tuple[Named, ...]
    opens: bool


class Block(Record):
    start: int
    end: int
    name: Name
    parameters: tuple[Parameter, ...]
    opens: bool = True


class Train(Record):
    start: int
    end: int
    name: Name | None
    of: tuple[Name, ...]
    opens: bool = True


class Path(Record):
    """`std.residual`: names with dots between."""

    start: int
    end: int
    names: tuple[str, ...]


class Use(Record):
    """`use "file": a, b as c` or `use std.residual: a`; `file` is a Text or a Path."""

    start: int
    end: int
    file: Any
    names: tuple[tuple[Name, Name | None], ...]
    opens: bool = False


class Let(Record):
    start: int
    end: int
    targets: tuple[Any, ...]
    value: Any
    opens: bool = False


class Function(Record):
    """`let f(a, b) = expression`."""

    start: int
    end: int
    name: Name
    parameters: tuple[Name, ...]
    value: Any
    opens: bool = False


class Expect(Record):
    start: int
    end: int
    condition: Any
    opens: bool = False


class Input(Record):
    """`input [name] size [tokens] [= size] [where …]`; `words` are the Names among its words."""

    start: int
    end: int
    words: tuple[Name, ...]
    shape: Any
    example: Any
    where: tuple[Any, ...]
    opens: bool = False


class Output(Record):
    """`output name`, or `output name training:` with a body: a side branch."""

    start: int
    end: int
    reference: Reference | Brace
    word: Name | None
    opens: bool


class Repeat(Record):
    start: int
    end: int
    count: Any
    name: Name | None
    opens: bool = True


class For(Record):
    start: int
    end: int
    targets: tuple[Any, ...]
    iterable: Any
    opens: bool = True


class If(Record):
    """`if`, or `elif` if `again`."""

    start: int
    end: int
    condition: Any
    again: bool
    opens: bool = True


class Else(Record):
    start: int
    end: int
    opens: bool = True


class Chain(Record):
    """Items with commas between, an optional claim; with a `:` at the end the last one is a merge."""

    start: int
    end: int
    items: tuple[Item, ...]
    claim: Claim | None
    opens: bool


class Arm(Record):
    """`|`: one arm of a merge; the lines of its body are the arm."""

    start: int = 0
    end: int = 1
    opens: bool = True


Statement: TypeAlias = (
    Network
    | Instance
    | Block
    | Train
    | Use
    | Let
    | Function
    | Expect
    | Input
    | Output
    | Repeat
    | For
    | If
    | Else
    | Chain
    | Arm
)


class Line:
    """One logical line: where it stands, what it says, and the lines indented under it.

    start, end: offsets in the source. column: the column (0-based) where it begins, which nests it.
    statement: None where it could not be parsed. mended: whether it had faults, and the statement is what was
    probably meant.
    """

    __slots__ = ("body", "column", "end", "mended", "source", "start", "statement")

    def __init__(self, source: Source, start: int, end: int, column: int, statement: Any) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.column = column
        self.statement = statement
        self.mended = False
        self.body: list[Line] = []

    def span(self, node: Any = None) -> Span:
        """The place of a node of this line's statement, or of the whole line."""
        if node is None:
            return Span(self.source, self.start, self.end)
        end = self.start + node.end
        # A line that was mended may have become longer than it is.
        return Span(self.source, self.start + node.start, min(end, self.end) if self.mended else end)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __repr__(self) -> str:
        return f"Line({self.text!r}, {len(self.body)} below)"


class Trivia(Record):
    """What stands between lines: `kind` is `comment` or `blank`."""

    kind: str
    start: int
    end: int


class Document(Record):
    """A parsed file."""

    source: Source
    lines: list[Line]
    trivia: tuple[Trivia, ...]

    def walk(self) -> Iterator[Line]:
        """Every line, in the order of the text."""
        stack = self.lines[::-1]
        while stack:
            line = stack.pop()
            yield line
            stack.extend(reversed(line.body))
