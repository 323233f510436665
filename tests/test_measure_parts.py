"""What `expect` lines can name: side outputs, several blocks of one name, and what is said of names that are wrong."""

from __future__ import annotations

import pytest

from cnndsl.diagnostics import Diagnostic
from cnndsl.pipeline import check
from cnndsl.source import Source

SIDE = """\
network N
input 8x8x3
conv 3x3x4 as c
output x:
    conv 1x1x2
    b 2 * 2 as s
    dense 5 as five
output y training:
    b 7
output z:
    from c
conv 3x3x4 as main
dense 2
{lines}

block b(n):
    conv 1x1x{{n}} as k
    relu
"""

BLOCKS = """\
network N
input 8x8x3
b 4 * 2 as s
b 5 as last
conv 1x1x2 as c1
for i in [1, 4]:
    conv 1x1x{{i + 1}} as t[i]
{lines}

block b(n):
    conv 1x1x{{n}} as k
"""


def found(text: str, *lines: str) -> list[Diagnostic]:
    expects = "\n".join(f"expect {line}" for line in lines)
    return [d for d in check(Source("t.cnn", text.format(lines=expects))).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    "line",
    [
        # 1x1 convolutions of 4 to 2, 2 to 2 twice, on 6x6 cells; then 72 numbers to 5
        "x.params == (4*2 + 2) + 2*(2*2 + 2) + (72*5 + 5)",
        "x.macs == 36*4*2 + 2*36*2*2 + 72*5 and x.flops == 2*x.macs",
        "s.params == 12 and s[1].params == 6 and s[-2].k.params == 6",
        "x.shape == [5] and x.channels == 5 and x.rf == 8",
        "s.shape == 6x6x2 and s.rf == 3",
        "y.params == 4*7 + 7 and y.shape == 6x6x7",
        "z.shape == 6x6x4",
        "params == c.params + x.params + y.params + main.params + dense2.params",
    ],
)
def test_side_outputs_have_the_numbers_of_what_stands_in_them(line: str) -> None:
    assert found(SIDE, line) == []


def test_a_negative_index_counts_from_the_end() -> None:
    assert found(BLOCKS, "s[0].params == 16 and s[1].params == 20 and s[-1].params == 20 and s[-2].params == 16") == []
    assert found(BLOCKS, "t[1].params == 6 and t[4].params == 15 and t[-1].params == 15 and t[-2].params == 6") == []


@pytest.mark.parametrize(
    ("line", "code", "place", "said"),
    [
        ("s[2].params == 1", "E422", "2", "`[0]` to `[1]`"),
        ("s[-3].params == 1", "E422", "-3", "`[0]` to `[1]`"),
        ("t[2].params == 1", "E422", "2", "`[1]`, `[4]`"),
        ("s[0.5].params == 1", "E413", "0.5", None),
        ("s.k.params == 1", "E409", "s.k", "`s[0].k`"),
        ("last.kk.params == 1", "E409", "last.kk", "`.k`"),
        ("lst.params == 1", "E401", "lst", "`last`"),
        ("c2.params == 1", "E401", "c2", "`c1`"),
        ("k.params == 1", "E401", "k", "`s[0].k`"),
        ("parms == 1", "E401", "parms", "`params`"),
    ],
)
def test_what_is_said_of_a_wrong_path(line: str, code: str, place: str, said: str | None) -> None:
    (diagnostic,) = found(BLOCKS, line)
    assert diagnostic.code == code
    assert diagnostic.span.text == place
    # A name that is meant for sure is a fix; others are told.
    told = (str(diagnostic.help_text()), *(fix.title for fix in diagnostic.fixes))
    assert said is None or any(said in text for text in told)


def test_the_nearest_of_very_many_layers_is_suggested() -> None:
    lines = "\n".join(f"conv 1x1x2 as layer_{i}" for i in range(400))
    text = "network N\ninput 8x8x3\nconv 3x3x2 as stem\n" + lines + "\n{lines}\n"
    (diagnostic,) = found(text, "stm.params == 3")
    assert "`stem`" in str(diagnostic.help_text())
