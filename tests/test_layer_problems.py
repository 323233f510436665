"""What layers refuse, in which words; numbers beyond reason; and kinds that other packages add."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from test_layers import KINDS, build_module, graph_of, problems_of

from cnndsl.diagnostics import Diagnostic, problem_class
from cnndsl.diagnostics.index import PROBLEMS
from cnndsl.layers import all_kinds, argument_problems, find, shape_problems
from cnndsl.layers.arguments import LARGEST
from cnndsl.layers.base import LayerError
from cnndsl.layers.bind import Given, bind
from cnndsl.shape import Shape

REFUSALS = [
    # the item, its input, the problem, a part of what is said, the marked text
    ("conv 3x3x8 strides=2", "8x8x3", "UnknownArgument", "the stride is written `/2`", "strides=2"),
    ("attention num_heads=2", "5x8", "UnknownArgument", "it is called `heads=`", "num_heads=2"),
    ("lstm 4 return_sequences=true", "5x8", "UnknownArgument", "word `last`", "return_sequences=true"),
    ("relu slope=2", "8", "UnknownArgument", "`relu` takes no arguments", "slope=2"),
    ("pool 2 average", "8x8x3", "UnknownWord", "did you mean `avg`?", "average"),
    ("conv 3x3x8 sam", "8x8x3", "UnknownWord", "did you mean `same`?", "sam"),
    ("conv 3x3x8 groups", "8x8x3", "UnknownWord", "`groups` needs a value: `groups=…`", "groups"),
    ("flatten same", "8x8x3", "UnknownWord", "`flatten` takes no words", "same"),
    ("dense 120 84", "8x8x3", "TooManyArguments", "no place for the value `84`", "84"),
    ("conv 3x3x8 valid pad=1", "8x8x3", "ArgumentTwice", "`pad` of `conv` is given twice", "pad=1"),
    ("conv 3x3x8 /2 stride=2", "8x8x3", "ArgumentTwice", "`stride` of `conv` is given twice", "stride=2"),
    ("conv 0x0x0", "8x8x3", "BadArgument", "must be a size such as 2 or 3x3", "0x0x0"),
    ("conv 3x3x0", "8x8x3", "BadArgument", "`channels` of `conv` can't be `0`", "3x3x0"),
    ("conv 3x3x8 pad=-1", "8x8x3", "BadArgument", "none negative", "pad=-1"),
    ("conv 3x3x8 groups=0", "8x8x3", "BadArgument", "from 1 to", "groups=0"),
    ("dense -1", "8x8x3", "BadArgument", "`units` of `dense` can't be `-1`", "-1"),
    ("dense 2.5", "8x8x3", "BadArgument", "can't be `2.5`", "2.5"),
    ("dropout 1.5", "8x8x3", "BadArgument", "a number from 0 to below 1", "1.5"),
    ("conv 3x3x8 init=xavier", "8x8x3", "BadArgument", "glorot", "init=xavier"),
    ("dense", "8x8x3", "MissingArgument", "for example `dense 120`", "dense"),
    ("conv 64", "8x8x3", "MissingArgument", "`conv` needs `channels`", "conv 64"),
    ("dense 10 /2", "8x8x3", "NoStride", "{20 // 2}", "/2"),
    ("upsample bilinear", "8x8x3", "OneArgumentNeeded", "`factor`, `size` and `to`", "upsample bilinear"),
    ("upsample 2 size=16", "8x8x3", "Exclusive", "both size and factor", "size=16"),
    ("pool 3 same ceil", "8x8x3", "Exclusive", "both ceil and same", "ceil"),
    ("pool 3 pad=[0, 1, 0, 1] ceil", "8x8x3", "Exclusive", "both ceil and padding that differs", "ceil"),
    ("conv 3x3x2 groups=2 connect=[[0], [1]]", "8x8x2", "Exclusive", "both connect and groups", "connect=[[0], [1]]"),
    ("conv 3x3x1 connect=[[0]] init=glorot", "8x8x2", "Exclusive", "init=glorot and connect", "init=glorot"),
    (
        "conv 3x3x4 groups=2 init=partial_dirac",
        "8x8x2",
        "Exclusive",
        "init=partial_dirac and groups",
        "init=partial_dirac",
    ),
    ("deconv 3x3x8 same outpad=1", "8x8x3", "Exclusive", "both outpad and same", "outpad=1"),
    ("bn nobias noaffine", "8x8x3", "Exclusive", "both nobias and noaffine", "nobias"),
    ("pool 2 nopadcount", "8x8x3", "WithoutEffect", "no effect without `avg`", "nopadcount"),
    ("upsample 2 align_corners", "8x8x3", "WithoutEffect", "an interpolation", "align_corners"),
    ("pad 1 reflect value=3", "8x8x3", "WithoutEffect", "without `constant`", "value=3"),
    ("dense 3 std=0.1", "8x8x3", "WithoutEffect", "without `init=normal`", "std=0.1"),
    ("bn noaffine frozen", "8x8x3", "NothingLearned", "`frozen` means nothing", "frozen"),
    ("rbf 10 centres=digits l2=0.1", "84", "NothingLearned", "`l2` means nothing", "l2=0.1"),
    ("conv 3x3x8 nobias frozen=bias", "8x8x3", "NothingToFreeze", "it learns `weight`", "frozen=bias"),
    ("slice 3 3", "8x8x8", "EmptyRange", "must be more than 3", "3"),
    ("conv 3x3x2 connect=[[0], [1, 1]]", "8x8x2", "ConnectTwice", "row 1", "connect=[[0], [1, 1]]"),
    ("conv 9x16", "32x32x3", "WrongRank", "did you mean `9x16xCHANNELS`, or `conv 9x9x16`?", "9x16"),
    ("conv 9x16", "32x32x3", "WrongRank", "the input is 32x32x3: height x width x channels", "9x16"),
    ("conv 3x3x3x64", "32x32x3", "WrongRank", "did you mean `conv 3x3x64`?", "3x3x3x64"),
    ("conv 3x3x64", "32x3", "WrongRank", "did you mean `conv 3x64`?", "3x3x64"),
    ("conv 3x3x64", "120", "WrongRank", "`dense 64`", "3x3x64"),
    ("dwconv 3", "8x8x3", "WrongRank", "did you mean `dwconv 3x3`?", "3"),
    ("pool 2x2x2", "8x8x3", "WrongRank", "did you mean `pool 2x2`?", "2x2x2"),
    ("pool 2", "120", "NeedsPositions", "`120` is a vector", "pool 2"),
    ("globalpool", "120", "NeedsPositions", "`120` is a vector", "globalpool"),
    ("pixelshuffle 2", "16x8", "NeedsImage", "height x width x channels", "pixelshuffle 2"),
    ("conv 3x3x8 /2x2x2", "8x8x3", "WrongNumberOfAxes", "`stride` has 3 numbers, but the input has 2", "/2x2x2"),
    ("conv 3x8 /2x2", "8x3", "WrongNumberOfAxes", "1 spatial axis", "/2x2"),
    ("conv 3x3x8 pad=[1, 1]", "8x8x3", "WrongNumberOfSides", "[top, bottom, left, right]", "pad=[1, 1]"),
    ("conv 5x5x8", "4x4x3", "WindowTooLarge", "the height of the input has 4: (4 + 0 + 0 - 5) / 1 + 1 = 0", "5x5x8"),
    (
        "conv 7x7x8 /2",
        "9x4x3",
        "WindowTooLarge",
        "width of the input has 4: floor((4 + 0 + 0 - 7) / 2) + 1 = -1",
        "7x7x8",
    ),
    ("conv 3x3x8 pad=1 dilation=4", "6x6x3", "WindowTooLarge", "(6 + 1 + 1 - 9) / 1 + 1 = 0", "3x3x8"),
    ("pool 5 /2 ceil", "3x3x3", "WindowTooLarge", "(3 + 0 + 0 - 5) / 2 + 1 = 0", "5"),
    ("subsample 3", "2x2x3", "WindowTooLarge", "floor((2 + 0 + 0 - 3) / 3) + 1 = 0", "3"),
    ("pool 3 pad=2", "8x8x3", "PadTooLarge", "padded by 2, which is more than half of the window's 3", "pad=2"),
    ("pool 3 avg ceil", "2x8x8x3", "MapBelowWindow", "a depth of at least 3, and it is 2", "3"),
    ("conv 3x3x8 groups=3", "8x8x4", "GroupsDoNotDivide", "the 4 input channels and the 8 output", "groups=3"),
    ("conv 3x3x8 groups=3", "8x8x4", "GroupsDoNotDivide", "these work: 1, 2, 4", "groups=3"),
    ("gn 7", "8x8x32", "GroupsDoNotDivide", "these work: 1, 2, 4, 8, 16, 32", "7"),
    ("shuffle 2", "8x8x7", "GroupsDoNotDivide", "these work: 1, 7", "2"),
    ("conv 3x3x3 connect=[[0], [1]]", "8x8x2", "ConnectRows", "2 rows for 3 output channels", "connect=[[0], [1]]"),
    ("conv 3x3x1 connect=[[2]]", "8x8x2", "ConnectChannel", "input channel 2, but there are 2", "connect=[[2]]"),
    ("deconv 2x2x8 pad=2", "2x2x3", "NothingLeft", "(2 - 1) * 1 - 2 - 2 + 2 + 0 = -1", "pad=2"),
    ("deconv 3x3x8 /2 outpad=2", "8x8x3", "OutpadTooLarge", "the stride is 2 and the dilation 1", "outpad=2"),
    ("pixelshuffle 2", "8x8x6", "FactorDoesNotDivide", "channels in multiples of 4, and there are 6", "2"),
    ("pixelunshuffle 2", "8x9x6", "FactorDoesNotDivide", "a width divisible by 2, and it is 9", "2"),
    ("upsample 2 bilinear", "8x3", "ModeOfOtherRank", "these fit: `linear`, `nearest`", "bilinear"),
    ("flatten as v, reshape 2x2x3, upsample to=v", "2x2x3", "RanksDiffer", "`12`", "to=v"),
    ("pool 2 as p, conv 3x3x8 same, unpool 2 p", "8x8x3", "UnpoolShape", "the named pool gave `4x4x3`", "p"),
    ("pool 2 as p, flatten, unpool 2 p", "8x8x3", "NeedsPositions", "is a vector", "unpool 2 p"),
    ("pool 2 as p, unpool 5 p", "8x8x3", "UnpoolSize", "took its height from 8", "5"),
    ("crop 4", "8x8x3", "NothingToCrop", "the height is 8, and 0 cells would be left", "4"),
    ("crop size=9x8", "8x8x3", "CropTooLarge", "the height is 8, so 9 can't be kept", "size=9x8"),
    ("pad 8 reflect", "8x8x3", "PadBeyondMap", "can't make 8 cells beside a height of 8", "8"),
    ("reshape 28x28x1", "1000", "ElementsDiffer", "has 784 cells, but the input `1000` has 1000", "28x28x1"),
    ("permute 1x2x3", "8x8x3", "NotAnOrder", "0 (height), 1 (width), 2 (channels)", "1x2x3"),
    ("slice 0 64", "8x8x32", "RangeBeyondChannels", "ends at channel 64, but the input has 32", "64"),
    ("conv 3x100", "59 tokens", "TokensNotNumbers", "a sequence of 59 tokens", "conv 3x100"),
    ("dense 3", "59 tokens", "TokensNotNumbers", "embedding", "dense 3"),
    ("embedding 10x4", "28x28x1", "NumbersNotTokens", "`28x28x1` holds other numbers", "embedding 10x4"),
    ("embedding 10x4 padding=10", "5 tokens", "PaddingToken", "not in a vocabulary of 10", "padding=10"),
    ("rbf 10 centres=digits", "100", "CentresDiffer", "10 units and 100 inputs", "centres=digits"),
    ("globalpool, instancenorm", "8x8x3", "OnePosition", "`1x1x3` has only one", "instancenorm"),
    ("attention 2", "4x6x8", "NeedsSequence", "the map `4x6x8`", "attention 2"),
    ("attention 2", "4x6x8", "NeedsSequence", "of its positions, row by row: 24x8", "attention 2"),
    ("lstm 2", "8", "NeedsSequence", "`reshape 1x8`", "lstm 2"),
    ("posembed sincos", "4x6x8", "NeedsSequence", "length x channels", "posembed sincos"),
    ("posembed", "8", "NeedsPositions", "is a vector", "posembed"),
    ("tokens as t, flatten as v, from t, attention 2 v", "2x2x4", "NeedsSequence", "the vector `16`", "v"),
    ("attention 8", "4x12", "HeadsDoNotDivide", "these work: 1, 2, 3, 4, 6, 12", "8"),
    ("attention heads=3", "4x1", "HeadsDoNotDivide", "only 1 works", "heads=3"),
    ("identity as m, attention 2 m causal", "5x4", "Exclusive", "both causal and a named sequence", "causal"),
    ("lstm 8 dropout=0.1", "5x4", "WithoutEffect", "without `layers=2` or more", "dropout=0.1"),
    ("posembed sincos frozen", "5x4", "NothingLearned", "`frozen` means nothing", "frozen"),
    ("gru 8 nobias frozen=bias", "5x4", "NothingToFreeze", "it learns `weight`", "frozen=bias"),
    ("token 5", "5x4", "PositionBeyondSequence", "from 0 to 4, or from -5 to -1", "5"),
    ("token -6", "5x4", "PositionBeyondSequence", "no position -6 in a sequence of 5", "-6"),
]


@pytest.mark.parametrize(
    ("item", "input", "name", "said", "marked"), REFUSALS, ids=[f"{r[0]} on {r[1]}" for r in REFUSALS]
)
def test_refusals_say_what_is_wrong(item: str, input: str, name: str, said: str, marked: str) -> None:
    found = problems_of(item, input)
    assert [type(d).__name__ for d in found] == [name]
    (diagnostic,) = found
    told = "\n".join((diagnostic.message_text(), diagnostic.label_text(), *diagnostic.note_texts()))
    assert said in told
    assert "{" not in told.replace("{20 // 2}", "").replace("{7 // 2}", "").replace("{round(7 * 1.5)}", "")
    assert diagnostic.span.text == marked


def test_every_problem_is_shown_by_a_refusal() -> None:
    declared = {
        name
        for module in (argument_problems, shape_problems)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Diagnostic) and value is not Diagnostic
    }
    tested = {name for _, _, name, _, _ in REFUSALS}
    assert declared - tested == {
        "BrokenKind",  # below
        "NoIndices",  # in the elaboration's tests
        "ArmsDiffer",  # in the merges' tests
        "ArmsOfOtherRank",
    }
    assert declared <= set(PROBLEMS)


def test_problems_are_documented_and_short() -> None:
    for name in {r[2] for r in REFUSALS}:
        one = problem_class(name)
        assert one.__doc__
        assert one.title
        assert len(one.title) < 60


ABSURD = [0, -1, 1, 2**31 - 1, 2**31, 10**30, 1e308, 0.5, -0.0, float("nan"), float("inf"), True, "x", "", (), [], [[]]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_absurd_values_are_refused_or_computed(kind: type) -> None:
    """No value of any argument, in any form, does anything but bind or raise LayerError."""
    shapes = [Shape((3,)), Shape((5, 3)), Shape((1, 1, 1)), Shape((10**30, 10**30, 6)), Shape((2, 3, 4, 5))]
    shapes += [Shape((5,), tokens=True)]
    values = [*ABSURD, *((v, v) for v in ABSURD[:8]), *((v, v, v) for v in ABSURD[:8]), [1, 2, 3, 4], (7,) * 9]
    trials = [[Given("value", v)] for v in values]
    trials += [[Given("value", v), Given("value", 3)] for v in values[:8]]
    trials += [[Given("value", (2, 2, 6)), Given("named", v, a.name)] for a in kind.arguments for v in values]
    trials += [[Given("value", 2), Given("slash", v)] for v in values]
    for trial in trials:
        try:
            layer = bind(kind, trial)
        except LayerError as error:
            _render(error)
            continue
        for shape in shapes:
            try:
                inputs = (shape, *(shape._replace(plane=shape.spatial) for _ in layer.tensors()))
                inferred = layer.infer(*inputs)
            except LayerError as error:
                _render(error)
                continue
            failed = [c for c in inferred.conditions if not c.holds()]
            for condition in failed:
                _render(condition.error())
            if not failed:
                layer.weights(*inputs)
                layer.operations(inputs, inferred.outputs)
                layer.window(*inputs)
                assert all(size >= 1 for output in inferred.outputs for size in output.sizes)


def _render(error: LayerError) -> None:
    """Its diagnostic has all its texts, of a reasonable length."""
    from cnndsl.diagnostics import problem
    from cnndsl.source import Source, Span

    diagnostic = problem(error.problem, Span(Source("t", "x"), 0, 1), **error.values)
    texts = (diagnostic.message_text(), diagnostic.label_text(), *diagnostic.note_texts())
    assert all(len(text) < 700 for text in texts)


def test_numbers_beyond_reason_in_a_spec() -> None:
    for item in ["conv 0x0x0", f"dense {10**30}", f"conv {10**9}x{10**9}x8", "conv 3x3x8 dilation=2000000000"]:
        found = problems_of(item, "32x32x3")
        assert len(found) == 1
        assert found[0].severity == "error"
    assert problems_of(f"dense {LARGEST}", "1") == []


# --- kinds of other packages ------------------------------------------------------------------------------------

DOUBLE = '''
from cnndsl.layers.arguments import Argument, Number
from cnndsl.layers.base import Elementwise, Example
from cnndsl.layers.code import Binary, X


class Amplify(Elementwise):
    """Amplify: multiplies by a factor. PyTorch: `x * factor`."""

    kind = "amplify"
    family = "other"
    primitive = "scale"
    arguments = (Argument("factor", Number(), positional=True, help="how much larger"),)
    examples = (Example("amplify 3", "4x4x2"),)

    def expression(self):
        return Binary("*", X, self.factor)


not_a_kind = 3
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that declares kinds, two of which can't be had."""
    (tmp_path / "amplifiers.py").write_text(DOUBLE)
    info = tmp_path / "amplifiers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: amplifiers\nVersion: 1.0\n")
    entries = ["amplify = amplifiers:Amplify", "lost = amplifiers:Lost", "wrong = amplifiers:not_a_kind"]
    (info / "entry_points.txt").write_text("[cnndsl.layers]\n" + "\n".join(entries) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "amplifiers", raising=False)


@pytest.mark.usefixtures("package")
class TestAddedKinds:
    def test_a_kind_is_one_class(self) -> None:
        """Parsing, checking, did-you-mean, code and running follow from the class alone."""
        module = build_module(graph_of("amplify 3, relu", "4x4x2"))
        x = torch.randn(1, 2, 4, 4)
        assert torch.equal(module(x), (3 * x).relu())
        (diagnostic,) = problems_of("amplify 3 facter=2", "4x4x2")
        assert diagnostic.help_text() == "did you mean `factor=`?"
        (diagnostic,) = problems_of("amplify", "4x4x2")
        assert diagnostic.help_text() == "for example `amplify 3`"

    def test_a_kind_that_fails_to_load_says_so(self) -> None:
        for name, reason in [("lost", "AttributeError"), ("wrong", "not a subclass of Layer")]:
            (diagnostic,) = problems_of(f"{name} 3", "4x4x2")
            assert type(diagnostic).__name__ == "BrokenKind"
            assert "the installed package amplifiers" in diagnostic.message_text()
            assert reason in diagnostic.message_text()

    def test_built_in_kinds_win(self) -> None:
        assert find("relu") in all_kinds()


def test_kinds_of_packages_go_with_them() -> None:
    assert find("amplify") is None
    assert "BrokenKind" in PROBLEMS
