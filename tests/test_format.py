"""`cnndsl fmt` changes white space and nothing else, gives its own result again, and leaves what is well written."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_properties import changed_specs
from test_random_networks import networks

from cnndsl.format import formatted
from cnndsl.format.same import same
from cnndsl.pipeline import check
from cnndsl.report import as_text
from cnndsl.source import Source
from cnndsl.syntax import parse
from cnndsl.syntax.tree import Arm, Document, Line

ROOT = Path(__file__).resolve().parent.parent
WELL_WRITTEN = sorted([*ROOT.glob("specs/**/*.cnn"), *ROOT.glob("cnndsl/templates/*.cnn")])
TEXTS = {f"{path.parent.name}/{path.stem}": path.read_text(encoding="utf-8") for path in WELL_WRITTEN}

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def document_of(text: str) -> Document | None:
    """The tree of a text; None if it has errors of syntax."""
    document, found = parse(Source("a.cnn", text))
    return document if not found else None


def fmt(text: str) -> str:
    document = document_of(text)
    assert document is not None, text
    return formatted(document)


def comments(text: str) -> list[str]:
    """What stands behind `#` in each line, strings left aside."""
    lines = [re.sub(r'"[^"\n]*"', "", line) for line in text.split("\n")]
    return ["#" + line.partition("#")[2].rstrip(" \t\r\f") for line in lines if "#" in line]


def holds(text: str) -> str | None:
    """What must be so for every text; returns it formatted, None if it has errors of syntax."""
    document = document_of(text)
    if document is None:
        return None
    result = formatted(document)
    again = document_of(result)
    assert again is not None, result
    assert same(document.lines, again.lines), result
    assert comments(result) == comments(text)
    assert formatted(again) == result
    ends = {line[-1:] == "\r" for line in result.split("\n")[:-1]}
    assert len(ends) <= 1
    assert not re.search(r"[ \t\f][\r\n]|\n(?:\r?\n){3}|^\r?\n|\n\r?\n\Z|\t", re.sub(r"[#\"].*", "x", result))
    return result


# --- specs in disorder ------------------------------------------------------------------------------------------------


class Disorder:
    """Writes a document anew with white space at random: indentation, spaces, blank lines, columns of comments."""

    def __init__(self, document: Document, seed: int) -> None:
        self.random = random.Random(seed)
        self.text = document.source.text
        self.trivia = sorted(document.trivia, key=lambda t: t.start)
        self.out: list[str] = []
        self.body(document.lines, 0)
        self.between(len(self.text) + 1, 0)

    def body(self, lines: list[Line], column: int, lead: str = "") -> None:
        for line in lines:
            if lead:
                while self.trivia and self.trivia[0].kind == "blank" and self.trivia[0].start < line.start:
                    del self.trivia[0]
            else:
                self.between(line.start, column)
            start = lead or " " * column
            lead = ""
            if isinstance(line.statement, Arm):
                lead = start + "|" + " " * self.random.randint(1, 5)
                self.body(line.body, len(lead), lead)
                lead = ""
                continue
            self.out.append(start + self.disordered(line) + self.tail(line.end) + "\n")
            if line.body:
                self.body(line.body, column + self.random.randint(1, 7))

    def disordered(self, line: Line) -> str:
        """A line with other spaces, if it says the same then."""
        text = line.text
        pieces = re.split(r'("[^"\n]*"|#[^\n]*)', text)
        changed = "".join(piece if i % 2 else self.spaces(piece) for i, piece in enumerate(pieces))
        body = "\n" + " " * 40 + "identity" if line.statement.opens else ""
        document = document_of(changed + body)
        alike = document is not None and len(document.lines) == 1
        assert document is not None or not alike
        return changed if document and alike and same(document.lines[0].statement, line.statement) else text

    def spaces(self, text: str) -> str:
        def other(found: re.Match[str]) -> str:
            mark = found[0].strip(" ")
            if "\n" in mark:
                return "\n" * self.random.randint(1, 3) + " " * self.random.randint(0, 9)
            before, behind = (self.random.choice(["", " ", "  "]) for _ in range(2))
            return before + mark + behind if mark else " " * self.random.choice([1, 1, 2, 3])

        return re.sub(r" *(?:\n *)+| *(?:,|//|\*\*|==|[-+%=:*(\[{]|[)\]](?!x)|\}(?!x)) *| +", other, text)

    def tail(self, end: int) -> str:
        found = self.trivia[0] if self.trivia else None
        if found is None or found.kind != "comment" or "\n" in self.text[end : found.start]:
            return " " * self.random.choice([0, 0, 3])
        del self.trivia[0]
        return " " * self.random.randint(0, 30) + self.text[found.start : found.end]

    def between(self, end: int, column: int) -> None:
        while self.trivia and self.trivia[0].start < end:
            found = self.trivia.pop(0)
            self.blank()
            if found.kind == "comment":
                lead = " " * self.random.choice([column, column, self.random.randint(0, 40)])
                self.out.append(lead + self.text[found.start : found.end] + "\n")
        self.blank()

    def blank(self) -> None:
        if self.random.random() < 0.1:
            self.out.append("\n" * self.random.randint(1, 4))


def disordered(text: str, seed: int) -> str:
    document = document_of(text)
    assert document is not None
    return "".join(Disorder(document, seed).out)


@some
@given(st.sampled_from(sorted(TEXTS)), st.integers(0, 10**9), st.sampled_from(["\n", "\r\n"]))
def test_specs_in_disorder(name: str, seed: int, end: str) -> None:
    before = disordered(TEXTS[name], seed).replace("\n", end)
    assert before != TEXTS[name]
    document, original = document_of(before), document_of(TEXTS[name])
    assert document is not None
    assert original is not None
    assert same(document.lines, original.lines)
    assert holds(before) is not None


def graphs(text: str) -> list[str]:
    """The graphs of a spec, without the places in the text."""
    networks = check(Source("a.cnn", text)).networks
    return [re.sub(r" at \S+\n", "\n", "".join(as_text.graph(network.graph))) for network in networks]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.integers(0, 10**9))
def test_graphs_stay(made: tuple[str, int], seed: int) -> None:
    before = disordered(made[0], seed)
    after = holds(before)
    assert after is not None
    assert graphs(after) == graphs(made[0])


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "raw_audio", "unet", "siamese", "lenet4"])
def test_graphs_of_the_zoo_stay(name: str) -> None:
    text = TEXTS[f"specs/{name}"]
    assert graphs(fmt(disordered(text, 1))) == graphs(text)


@some
@given(changed_specs())
def test_changed_specs(text: str) -> None:
    holds(text)


# --- what is well written stays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_zoo_is_formatted(name: str) -> None:
    assert holds(TEXTS[name]) == TEXTS[name]


# --- by hand ----------------------------------------------------------------------------------------------------------


CASES = {
    "spaces": (
        """\
network A( x = 3,y=-1 )
input 8x8x3
conv { 2+1 }x{3}x { 4*2 } / { 1 } pad=[ 0,1 , 2,  1 ] groups = 1 * 2 as x , relu->_x_x8
expect x.params==448*2-224 and- 3<params<4e3 or not(1==2)
let y = w[ 1 : 3 ]+w[:-1] + w[i+1 :] + [{k:v for k,v in x}[ 1 ], f( 2,b= -1 )]
let z = -x ** 2+(2+1)**3 - -2**i // x.channels ** 2 if a else- 1 % w[0]**2
""",
        """\
network A(x=3, y=-1)
input 8x8x3
conv {2 + 1}x{3}x{4 * 2} /{1} pad=[0, 1, 2, 1] groups=1 * 2 as x, relu    -> _x_x8
expect x.params == 448 * 2 - 224 and -3 < params < 4e3 or not (1 == 2)
let y = w[1:3] + w[:-1] + w[i + 1:] + [{k: v for k, v in x}[1], f(2, b=-1)]
let z = -x**2 + (2 + 1) ** 3 - -2**i // x.channels**2 if a else -1 % w[0] ** 2
""",
    ),
    "arms": (
        """\
network A:

  input 8x8x3
  add:
     |   conv 1x1x3

         relu
     |
       # nothing
       if here.channels>2 :
          concat:
           |mul:
              |    identity
              |    sigmoid
           |identity
          conv 1x1x3
  # the end of the body

# not of it
""",
        """\
network A:
    input 8x8x3
    add:
        | conv 1x1x3

          relu
        |
          # nothing
          if here.channels > 2:
              concat:
                  | mul:
                        | identity
                        | sigmoid
                  | identity
              conv 1x1x3
    # the end of the body

# not of it
""",
    ),
    "brackets": (
        """\
let rows={   # what they are

   1:[ 2,3 ],# one


     # two
    10 : [ [ 4,
  5 ], f( 6 ,
7) ]  }[ 1 ]   # of them
network A( a=1,
       b=2 ) :
  input 4
  dense {
    rows[ 0 ]
  }
""",
        """\
let rows = {         # what they are
    1: [2, 3],       # one

    # two
    10: [[4,
        5], f(6,
            7)]}[1]  # of them
network A(a=1,
    b=2):
    input 4
    dense {
        rows[0]
    }
""",
    ),
    "tables": (
        """\
let rows = [
  [3,  16, "a",    1],
  [5, 128, "abcd", 2],
  [5, 128,  "abcd", 2],
]
let a   = 1
let abc = 2
network A
input 64x64x3
inception  64   96      128
inception 128  128       12
conv 3x3x64 pad=1,   pool 2
conv 3x3x128 pad=1,  pool 2
conv 1x1x1,   pool 2
""",
        """\
let rows = [
    [3,  16, "a",    1],
    [5, 128, "abcd", 2],
    [5, 128, "abcd", 2],
]
let a   = 1
let abc = 2
network A
input 64x64x3
inception  64   96      128
inception 128  128       12
conv 3x3x64 pad=1,   pool 2
conv 3x3x128 pad=1,  pool 2
conv 1x1x1, pool 2
""",
    ),
    "columns": (
        """\
network A
input 64x64x3                # in line
conv 3x3x64          -> 62x62x64 # not in line
pool 2               -> 31x31x64
relu                  -> 31x31x64
conv 3x3x64 nobias as x -> 29x29x64
flatten                      # in line
block b:                     # in line
    relu
train:
    epochs 3    # alone
                # and goes on
    batch 4
""",
        """\
network A
input 64x64x3                # in line
conv 3x3x64          -> 62x62x64  # not in line
pool 2               -> 31x31x64
relu                 -> 31x31x64
conv 3x3x64 nobias as x  -> 29x29x64
flatten                      # in line
block b:                     # in line
    relu
train:
    epochs 3    # alone
                # and goes on
    batch 4
""",
    ),
    "ends": (
        "\n\n# é ✓  \r\n\n\n\nnetwork A\r\ninput 4\t\t# x\ndense\t3",
        "# é ✓\n\n\nnetwork A\ninput 4  # x\ndense 3\n",
    ),
    "returns": ("network A\r\ninput 4\ndense 3", "network A\r\ninput 4\r\ndense 3\r\n"),
    "nothing": (" \n\n", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    before, after = CASES[name]
    assert holds(before) == after
