"""Suspicious networks: what is warned of is shown by tests/check/suspicions/; here is what must stay silent, and
control over it all: comments, `--allow`, `--deny`."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cnndsl import load
from cnndsl.cli.check import check as check_command
from cnndsl.diagnostics import Diagnostic
from cnndsl.files import Library
from cnndsl.pipeline import Options, check
from cnndsl.shape import Shape
from cnndsl.source import Source

HEAD = "network Net\ninput 16x16x4\n"
TRAIN = "\ntrain:\n    data digits\n"


def found_of(text: str, **options: object) -> list[Diagnostic]:
    """What is said of a spec, errors excluded: there must be none."""
    checked = check(Source("net.cnn", text), Options(**options))  # type: ignore[arg-type]
    assert checked.ok, checked.diagnostics
    return list(checked.diagnostics)


def codes(text: str, **options: object) -> list[str]:
    return [d.code for d in found_of(text, **options)]


@pytest.mark.parametrize(
    "lines",
    [
        # a bias before a norm
        "conv 3x3x8 nobias, bn, relu",
        "conv 3x3x8, relu, bn",
        "conv 3x3x8, gn 2, relu",
        "conv 3x3x8, ln",
        "conv 3x3x8, pool 2, bn",
        "conv 3x3x8 as a, bn as b, add a",
        "conv 3x3x4 pad=1 as a, bn, relu, reuse a",
        # activations
        "conv 3x3x8, tanh, conv 3x3x8, relu",
        "conv 3x3x8, relu, conv 3x3x8, sigmoid",
        "conv 3x3x8, relu, pool 2, tanh",
        "dense 2, softmax",
        "conv 1x1x2, logsoftmax",
        # dense layers
        "dense 20, relu, dense 10",
        "dense 8, dense 20",
        "dense 20 as a, dense 20, add a",
        "conv 3x3x8, dense 10",
        # dropout
        "conv 3x3x8 nobias, bn, relu, dropout 0.5, conv 3x3x8",
        "dropout 0.8, dense 10",
        # what does something
        "pool 2 /1, dense 3",
        "scale 1 0.5",
        "upsample 2x1",
        # strides and windows
        "conv 3x3x8 /2 pad=1",
        "conv 4x4x8 /2 pad=1",
        "conv 3x3x8 /2 same",
        "pool 3 /2 ceil",
        "pool 3 /2 pad=1",
        "conv 4x4x8 /4",
        "conv 4x4x8 same",
        "conv 4x4x8",
        "conv 3x3x8 pad=2",
        "deconv 4x4x8 /2 pad=1",
        "conv 3x3x8 pad=1 as a, pool 3 /2, relu as b\noutput b\nfrom a, conv 3x3x8 /2 pad=1, relu",
        "add:\n    | conv 3x3x8 /2 pad=1\n    | conv 1x1x8 /2",
        "globalpool, conv 1x1x8, relu, conv 1x1x4",
        "pool 8, conv 3x3x8 pad=1",
        # channels
        "conv 3x3x8 /2 pad=1, conv 1x1x1",
        "mul:\n    | identity\n    | conv 1x1x1, sigmoid",
        "conv 1x1x1 as a, relu, conv 3x3x8\noutput a",
        "conv 3x3x8 groups=2, relu, conv 3x3x8 groups=2, relu",
        "conv 3x3x8 groups=2, relu, conv 3x3x8 groups=2, shuffle 2, conv 3x3x8 groups=2",
        "conv 3x3x4 groups=4, relu, dwconv 3x3, dwconv 3x3, dwconv 3x3",
        "conv 3x3x8 same, relu, conv 3x3x8 same, relu, dense 10",
    ],
)
def test_silent(lines: str) -> None:
    assert codes(HEAD + lines + "\n") == []


def test_an_activation_that_other_calls_of_a_block_need() -> None:
    block = "block pre(c):\n    relu, conv 3x3x{c} pad=1\n"
    assert codes(block + HEAD + "conv 3x3x4, relu, pre 4 * 2\n") == []
    assert codes(block + HEAD + "conv 3x3x4, relu, pre 4\n") == ["W812"]


def test_a_bias_that_other_calls_of_a_block_need() -> None:
    block = "block unit(c, norm=false):\n    conv 3x3x{c}\n    if norm:\n        bn\n    relu\n"
    assert codes(block + HEAD + "unit 4 norm, unit 4\n") == []
    assert codes(block + HEAD + "unit 4 norm, unit 4 norm\n") == ["N811"]


def test_numbers_that_may_be_others() -> None:
    assert codes("network Net(p=0, f=1)\ninput 8x8x4\nconv 3x3x4\ndropout {p}\nupsample {f}\ndense 2\n") == []


@pytest.mark.parametrize(
    "ending", ["dense 10", "dense 10, logsoftmax", "relu, dense 10, flatten", "conv 3x3x10, relu, globalpool"]
)
def test_endings_for_cross_entropy(ending: str) -> None:
    assert codes(f"network Net\ninput 8x8x1\n{ending}\n{TRAIN}") == []


def test_an_activation_before_another_loss() -> None:
    assert codes(f"network Net\ninput 8x8x1\ndense 10, relu\n{TRAIN}    loss mse\n") == []


def test_nothing_is_said_where_there_are_errors() -> None:
    checked = check(Source("net.cnn", HEAD + "conv 3x3x4, relu, relu\nconv 99x99x4\n"))
    assert [d.code for d in checked.diagnostics] == ["E306"]


def test_a_used_file_is_warned_of_once(tmp_path: Path) -> None:
    (tmp_path / "mine.cnn").write_text("block unit:\n    conv 3x3x4, relu, relu\n", encoding="utf-8")
    text = 'use "mine.cnn": unit\n' + HEAD + "unit, unit\n"
    source = Source(str(tmp_path / "net.cnn"), text)
    (one,) = check(source).diagnostics
    assert (one.code, one.span.source.name) == ("W812", str(tmp_path / "mine.cnn"))


# --- comments -------------------------------------------------------------------------------------------------------

TWICE = "conv 3x3x4, relu, relu"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}{TWICE}  # allow W812\n",
        f"{HEAD}{TWICE}  # allow W812: a reason, with commas # and marks: of all kinds\n",
        f"{HEAD}{TWICE}# allow W812, N811\nbn\n",
        f"{HEAD}{TWICE}  # allow W81\n",
        f"{HEAD}{TWICE}  # as in the paper # allow W812\n",
        f"{HEAD}# allow W812\n{TWICE}\n",
        f"{HEAD}# allow W812\n\n# as in the paper\n{TWICE}\n",
        f"# A network.\n# allow W812: everywhere\n\n{HEAD}{TWICE}\n{TWICE}\n",
        f"{HEAD}conv 3x3x4 pad=[  # allow W812\n    1, 1, 1, 1], relu, relu\n",
        f"{HEAD}conv 3x3x4 pad=[\n    # allow W812\n    1, 1, 1, 1], relu, relu\n",
        f"{HEAD}conv 3x3x4 pad=[\n    1, 1, 1, 1], relu, relu  # allow W812\n",
        "block unit:\n    conv 3x3x4, relu, relu  # allow W812\n\n" + HEAD + "unit, unit\n",
        HEAD
        + "conv 3x3x4 pad=1\nconcat:  # two arms\n    | identity\n    | conv 3x3x4 pad=1, relu, relu  # allow W812\n",
    ],
)
def test_allowed(text: str) -> None:
    assert [code for code in codes(text) if code not in ("N811", "W802")] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD}{TWICE}\n# allow W812\n", ["W812", "W802"]),
        (f"{HEAD}# allow W812\nconv 3x3x4\n{TWICE}\n", ["W802", "W812"]),
        (f"{HEAD}{TWICE}  # allowing W812\n", ["W812"]),
        (f"{HEAD}{TWICE}  # allow the second one\n", ["W812"]),
        (f"{HEAD}{TWICE}  # allow N811\n", ["W812", "W802"]),
        (f"{HEAD}{TWICE}  # allow W9\n", ["W812", "W801"]),
        (f'# A text: "#\n{HEAD}{TWICE}  # allow W812\n', []),
        (f"# allow W802: kept for later\n{HEAD}{TWICE}  # allow W812, N811\n", []),
        (f"# allow W802: nothing is unused\n{HEAD}conv 3x3x4\n", []),
    ],
)
def test_comments_that_allow_something_else(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_unused_is_only_said_of_what_was_looked_at() -> None:
    text = "network A\ninput 8\ndense 4\n\nnetwork B(n=4)\ninput 8\ndense {n}\nrelu, relu  # allow W812\n"
    assert codes(text) == []
    assert codes(text, network="A") == []
    unused = text.replace("relu, relu", "relu")
    assert codes(unused) == ["W802"]
    assert "W802" not in codes(unused, sets=(("n", "5"),))


def test_comments_in_used_files(tmp_path: Path) -> None:
    (tmp_path / "mine.cnn").write_text("block unit:\n    conv 3x3x4, relu, relu  # allow W812\n", encoding="utf-8")
    text = 'use "mine.cnn": unit\n' + HEAD + "unit\n"
    source = Source(str(tmp_path / "net.cnn"), text)
    assert check(source).diagnostics == ()
    (tmp_path / "mine.cnn").write_text("block unit:\n    conv 3x3x4, relu, relu\n", encoding="utf-8")
    assert [d.code for d in check(source, library=Library(source)).diagnostics] == ["W812"]
    # The main file's head holds for what it uses, too.
    headed = Source(source.name, "# allow W812\n" + text)
    assert check(headed).diagnostics == ()


def test_every_fix_of_an_unused_allow_takes_it_out() -> None:
    texts = [
        f"{HEAD}conv 3x3x4  # allow W812\n",
        f"{HEAD}conv 3x3x4  # allow W812: why\n",
        f"{HEAD}# allow W812\nconv 3x3x4\n",
        f"{HEAD}conv 3x3x4  # allow W812, W813\n",
        f"{HEAD}conv 3x3x4, relu, relu  # allow W812, W813, W814: why\n",
    ]
    for text in texts:
        while True:
            one = next((d for d in found_of(text) if d.code == "W802"), None)
            if one is None:
                break
            (edit,) = one.fixes[0].edits
            text = text[: edit.span.start] + edit.text + text[edit.span.end :]
        assert codes(text) == []
        assert "W813" not in text
        assert ("allow W812: why" in text) == ("relu, relu" in text)


# --- options --------------------------------------------------------------------------------------------------------

SPEC = HEAD + "conv 3x3x4, bn, relu, relu\n"


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        ((), (), {"N811": "note", "W812": "warning"}),
        (("W812",), (), {"N811": "note"}),
        (("W8",), (), {"N811": "note"}),
        (("notes", "warnings"), (), {}),
        ((), ("warnings",), {"N811": "note", "W812": "error"}),
        ((), ("W812", "N811"), {"N811": "error", "W812": "error"}),
        (("W812",), ("warnings",), {"N811": "note"}),
        (("W8",), ("W812",), {"N811": "note", "W812": "error"}),
        (("W812",), ("W8",), {"N811": "note"}),
        (("W812",), ("W812",), {"N811": "note"}),
    ],
)
def test_options(allow: tuple[str, ...], deny: tuple[str, ...], expected: dict[str, str]) -> None:
    checked = check(Source("net.cnn", SPEC), Options(allow=allow, deny=deny))
    assert {d.code: d.severity for d in checked.diagnostics} == expected
    assert checked.ok == ("error" not in expected.values())


SUSPICIONS = Path(__file__).parent / "check" / "suspicions"
LOOKED_AT = [path for path in sorted(SUSPICIONS.glob("*.cnn")) if check(Source(path.name, path.read_text())).ok]


@pytest.mark.parametrize("path", LOOKED_AT, ids=lambda path: path.stem)
def test_every_suspicion_can_be_allowed_on_its_line_in_the_file_and_from_outside_and_be_denied(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = [d for d in check(Source(path.name, text)).diagnostics if d.code[1] == "8"]
    lines = text.splitlines()
    for code in {d.code for d in found} - {"W801", "W802"}:  # those two are about `allow` itself
        head = check(Source(path.name, f"# allow {code}\n\n{text}"))
        outside = check(Source(path.name, text), Options(allow=(code,)))
        assert code not in {d.code for d in (*head.diagnostics, *outside.diagnostics)}
        denied = check(Source(path.name, text), Options(deny=(code,)))
        wrong = [d for d in denied.diagnostics if d.code == code]
        assert wrong
        assert all(d.severity == "error" for d in wrong)
        assert not denied.ok
        for one in (d for d in found if d.code == code):
            line = text.count("\n", 0, one.span.start)
            changed = [*lines[:line], f"{lines[line]}  # allow {code}", *lines[line + 1 :]]
            left = check(Source(path.name, "\n".join(changed) + "\n")).diagnostics
            there = [d for d in left if d.code == code and d.span.source.text.count("\n", 0, d.span.start) == line]
            assert there == []


def test_a_comment_wins_over_deny() -> None:
    checked = check(Source("net.cnn", HEAD + TWICE + "  # allow W812\n"), Options(deny=("W812", "warnings")))
    assert checked.diagnostics == ()


def run(*arguments: str, text: str = SPEC) -> tuple[int, str]:
    done = CliRunner().invoke(check_command, [*arguments, "-"], input=text, standalone_mode=False)
    return done.return_value if done.exception is None else 2, done.output + str(done.exception or "")


def test_the_command_line() -> None:
    code, output = run("--format", "json", "--deny", "W812", "--allow", "notes")
    (one,) = json.loads(output)["diagnostics"]
    assert (code, one["code"], one["severity"]) == (1, "W812", "error")
    assert one["notes"][0] == "note: `--deny W812` makes this warning an error"
    assert run()[0] == 0
    assert run("--fail-on-warning")[0] == 1
    assert run("--deny", "warnings")[0] == 1
    assert run("--deny", "warnings", "--allow", "N811, W812")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--allow", "W813x"), "There is no code 'W813x'. Did you mean 'W813'?"),
        (("--deny", "warning"), "There is no code 'warning'. Did you mean 'warnings'?"),
        (
            ("--deny", "style"),
            "There is no code 'style'. A code is wanted, as W812, its beginning, or 'warnings'.",
        ),
        (("--allow", "E306"), "E306 can't be allowed: only warnings and notes can."),
        (("--deny", "E3"), "E3 can't be denied: it is an error already."),
    ],
)
def test_options_that_say_nothing(arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert message in output


# --- strides, against PyTorch ---------------------------------------------------------------------------------------


def said(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    return [d for d in diagnostics if d.code in ("W821", "N821")]


def counts(text: str) -> tuple[int, int]:
    """The rows and columns that a message says are left out."""
    match = re.search(r"leaves out the last (.*) of its", text)
    assert match is not None
    found = {"row": 0, "column": 0}
    for part in match.group(1).split(" and "):
        number, _, word = part.rpartition(" ")
        found[word.removesuffix("s")] = int(number or 1)
    return found["row"], found["column"]


def unread(module: torch.nn.Module, height: int, width: int) -> tuple[int, int]:
    """How many of the last rows and columns of an image change nothing of the result, whatever they hold."""
    still = module(torch.zeros(1, 2, height, width))
    found = []
    for axis, size in ((2, height), (3, width)):
        alive = []
        for at in range(size):
            image = torch.zeros(1, 2, height, width)
            image.index_fill_(axis, torch.tensor([at]), 1000.0)
            alive.append(bool((module(image) != still).any()))
        found.append(size - 1 - max((i for i, one in enumerate(alive) if one), default=-1))
    return found[0], found[1]


def sliding_layer(draw: random.Random) -> str:
    kernel, stride = [draw.randint(1, 4) for _ in range(2)], [draw.randint(1, 4) for _ in range(2)]
    sides, steps = "x".join(map(str, kernel)), "x".join(map(str, stride))
    pads = f"pad={'x'.join(str(draw.randint(0, k // 2)) for k in kernel)}"
    if draw.random() < 0.5:
        tail = draw.choice(["", pads, "same", pads + " dilation=2"])
        return f"conv {sides}x3 /{steps} {tail}"
    return (
        f"pool {sides} {draw.choice(['max', 'avg'])} /{steps} {draw.choice(['', pads, 'same', 'ceil', pads + ' ceil'])}"
    )


def test_dropped_borders_are_those_that_change_nothing(tmp_path: Path) -> None:
    draw = random.Random(5)
    torch.manual_seed(0)
    path, warned = tmp_path / "net.cnn", 0
    for _ in range(150):
        height, width = draw.randint(5, 12), draw.randint(5, 12)
        layer = sliding_layer(draw)
        text = f"network Net\ninput {height}x{width}x2\n{layer}\n"
        checked = check(Source("net.cnn", text))
        node = checked.networks[0].graph.nodes[-1]
        if not checked.ok or node.layer is None:
            continue
        path.write_text(text, encoding="utf-8")
        windows = node.layer.window(Shape((height, width, 2)))
        # Where windows leave out certain cells everywhere, another warning says so.
        gaps = [len({t * w.dilation % w.stride for t in range(w.size)}) < w.stride for w in windows]
        truth = tuple(0 if gap else n for gap, n in zip(gaps, unread(load(str(path)), height, width), strict=True))
        found = said(list(checked.diagnostics))
        assert (counts(found[0].message_text()) if found else (0, 0)) == truth, text
        assert (
            "W822" in [d.code for d in checked.diagnostics] or "N822" in [d.code for d in checked.diagnostics]
        ) == any(gaps), text
        warned += bool(found)
    assert warned > 20


def test_sizes_without_loss_are_the_nearest() -> None:
    draw = random.Random(8)
    noted = 0
    for _ in range(25):
        layers = [f"conv {k}x{k}x4 /{draw.choice([1, 2, 3])}" for k in (draw.choice([3, 5]) for _ in range(3))]
        layers.insert(draw.randint(1, 3), draw.choice(["pool 2", "pool 3 /2"]))
        size = draw.randint(60, 90)

        def loses(n: int, lines: str = "\n".join(layers)) -> bool:
            checked = check(Source("net.cnn", f"network Net\ninput {n}x{n}x3\n{lines}\n"))
            return not checked.ok or bool(said(list(checked.diagnostics)))

        text = f"network Net\ninput {size}x{size}x3\n" + "\n".join(layers) + "\n"
        found = said(list(check(Source("net.cnn", text)).diagnostics))
        if not found or not found[0].notes:
            continue
        below = next((n for n in range(size - 1, size - 65, -1) if n > 0 and not loses(n)), None)
        above = next((n for n in range(size + 1, size + 65) if not loses(n)), None)
        sizes = " or ".join(f"{n}x{n}x3" for n in (below, above) if n is not None)
        assert found[0].notes == (f"no border is lost with an input of {sizes} (here {size}x{size}x3)",)
        noted += 1
    assert noted > 5


def test_weights_that_meet_only_padding_have_no_gradient(tmp_path: Path) -> None:
    draw = random.Random(3)
    path, warned = tmp_path / "net.cnn", 0
    for _ in range(80):
        n, kernel, dilation, stride = draw.randint(1, 4), draw.randint(2, 5), draw.randint(1, 3), draw.randint(1, 2)
        pad = draw.randint(0, dilation * (kernel - 1))
        text = f"network Net\ninput {n}x{n}x2\nconv {kernel}x{kernel}x3 /{stride} pad={pad} dilation={dilation}\n"
        checked = check(Source("net.cnn", text))
        if not checked.ok:
            continue
        path.write_text(text, encoding="utf-8")
        module = load(str(path))
        module(torch.rand(1, 2, n, n) + 1).abs().sum().backward()
        (gradient,) = (p.grad for p in module.parameters() if p.grad is not None and p.dim() == 4)
        dead = int((gradient[0, 0] == 0).sum())
        found = [d for d in checked.diagnostics if d.code == "W825"]
        assert bool(found) == (2 * (kernel**2 - dead) < kernel**2), text
        if found:
            assert found[0].message_text().startswith(f"{dead} of the {kernel**2} weights")
            warned += 1
    assert warned > 10


def test_a_bias_before_a_norm_changes_nothing(tmp_path: Path) -> None:
    """What N811 says: in training the output is the same whatever the bias."""
    path = tmp_path / "net.cnn"
    path.write_text("network Net\ninput 8x8x4\nconv 3x3x8 as a, bn\n", encoding="utf-8")
    assert [d.code for d in check(Source("net.cnn", path.read_text(encoding="utf-8"))).diagnostics] == ["N811"]
    module, images = load(str(path)).double(), torch.rand(4, 4, 8, 8, dtype=torch.double)
    before = module(images)
    with torch.no_grad():
        module.a.bias += 5
    assert torch.allclose(module(images), before)
