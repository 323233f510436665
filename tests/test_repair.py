"""Fixes that were tried: whatever is offered mends its error, makes no other, and is the same every time."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnndsl.diagnostics import Diagnostic, Fix
from cnndsl.pipeline import Checked, Options, check
from cnndsl.repair import repair
from cnndsl.source import Source

ROOT = Path(__file__).parent.parent
SPECS = ROOT / "specs"


ALIGNMENT = ("W361", "W362")


def repaired(text: str, options: Options = Options()) -> Checked:  # noqa: B008
    return repair(check(Source("net.cnn", text), options), options)


def with_fix(text: str, fix: Fix) -> str:
    """The text with a fix made, by Python's own slicing from the end."""
    for edit in sorted(fix.edits, key=lambda e: -e.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def count(diagnostics: tuple[Diagnostic, ...]) -> Counter[str]:
    return Counter(d.code for d in diagnostics)


def assert_fixes_hold(text: str, checked: Checked, options: Options = Options()) -> int:  # noqa: B008
    """Each fix of an error of shapes takes that error away and adds none, nor arms that don't line up; how many there
    are."""
    before = count(checked.diagnostics)
    offered = 0
    for diagnostic in checked.diagnostics:
        if not diagnostic.code.startswith("E3"):
            continue
        for fix in diagnostic.fixes:
            after = count(check(Source("net.cnn", with_fix(text, fix)), options).diagnostics)
            assert after[diagnostic.code] < before[diagnostic.code], (text, fix)
            # What is only suspicious may have been so before, and gone unseen behind the error.
            made = {code: n for code, n in after.items() if (n > before[code] and code[0] == "E") or code in ALIGNMENT}
            assert not made, (text, fix, made)
            offered += 1
    return offered


# --- broken networks of the zoo -------------------------------------------------------------------------------------

NETWORKS = (
    "lenet5", "lenet5-1998", "mnist_simple", "resnet9", "siamese", "conv_autoencoder", "unet", "segnet", "alexnet",
    "nin", "dcgan", "espcn", "textcnn", "vae", "zfnet", "edsr",
)  # fmt: skip
BREAKS = (
    (r"\b(\d+)x(\d+)x(\d+)\b", lambda m, r: f"{r.choice((1, 3, 7, 11))}x{m[2]}x{m[3]}"),
    (r"\b(\d+)x(\d+)x(\d+)\b", lambda m, r: f"{m[1]}x{m[2]}x{int(m[3]) + r.choice((-1, 1, 7))}"),
    (r"(?<=pool )(\d)", lambda m, r: str(int(m[1]) + r.choice((1, 2, 6)))),
    (r" same\b", lambda m, r: ""),
    (r" pad=\d", lambda m, r: r.choice(("", " pad=3"))),
    (r" /(\d)", lambda m, r: r.choice(("", " /3", " /4"))),
    (r"(conv |dwconv )", lambda m, r: "pool 2, " + m[1]),
    (r" crop\b", lambda m, r: ""),
)


def broken(text: str, chance: random.Random) -> str:
    """The text with one thing changed that may make a shape impossible; never in a comment or a claim."""
    pattern, change = chance.choice(BREAKS)
    places = []
    for found in re.finditer(pattern, text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if "#" not in line and "->" not in line and "expect" not in line:
            places.append(found)
    if not places:
        return text
    found = chance.choice(places)
    return text[: found.start()] + change(found, chance) + text[found.end() :]


def without_claims(text: str) -> str:
    """A spec without what it claims, so that errors of shapes come through."""
    text = re.sub(r"(?m)^ *expect .*\n", "", text)
    return re.sub(r" +-> [^#\n]*", "", re.sub(r"(?m)^ *-> .*\n", "", text)).replace("=False:\n\n", "\n")


def breaks(count: int, seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for number in range(count):
        text = (SPECS / f"{NETWORKS[number % len(NETWORKS)]}.cnn").read_text(encoding="utf-8")
        yield broken(text if chance.random() < 0.3 else without_claims(text), chance)


def survey(number: int, seed: int) -> tuple[int, int, int]:
    """How many broken specs there were with an error of shapes, how many had a fix, and how many fixes."""
    with_error = with_a_fix = fixes = 0
    for text in breaks(number, seed):
        checked = check(Source("net.cnn", text))
        if not any(d.code.startswith("E3") for d in checked.diagnostics):
            continue
        offered = assert_fixes_hold(text, repair(checked, Options()))
        with_error += 1
        with_a_fix += offered > 0
        fixes += offered
    return with_error, with_a_fix, fixes


def test_every_fix_of_a_broken_network_mends_it() -> None:
    with_error, with_a_fix, _ = survey(40, 1)
    assert with_error > 6
    assert with_a_fix >= 0.7 * with_error


@pytest.mark.slow
def test_every_fix_of_many_broken_networks_mends_them() -> None:
    with_error, with_a_fix, fixes = survey(2000, 2)
    assert fixes > with_error > 200
    assert with_a_fix >= 0.7 * with_error


# --- what is offered ------------------------------------------------------------------------------------------------


def titles(text: str, options: Options = Options()) -> list[str]:  # noqa: B008
    """What the fixes of the first error with any say, in the order in which they are offered."""
    found = [d.fixes for d in repaired(text, options).diagnostics if d.severity == "error" and d.fixes]
    return [fix.title for fix in found[0]] if found else []


def test_a_warning_that_a_fix_makes_refuses_it() -> None:
    """In `add` an unstrided projection of a strided arm would not line up, so the stride comes with it."""
    text = "network N\ninput 32x32x8\nadd:\n    | conv 3x3x16 /2 pad=1\n    | identity\ndense 2\n"
    assert titles(text)[0].startswith("a projection in the shortcut: `conv 1x1x16 /2`")


def test_a_warning_that_was_there_unseen_does_not() -> None:
    """The pool of line 3 loses a border whatever happens to the window of line 4."""
    text = "network N\ninput 7x7x8\npool 2\nconv 5x5x16\ndense 2\n"
    warned = check(Source("net.cnn", text.replace("5x5x16", "3x3x16"))).diagnostics
    assert [d.code for d in warned if d.severity == "warning"] in ([], ["W821"])
    assert any("3x3" in title for title in titles(text))


def test_options_hold_for_fixes_too() -> None:
    text = "network N(c=8)\ninput 8x8x{c}\nconv 3x3x12 groups=4\ndense 2\n"
    assert titles(text) == []
    asked = titles(text, Options(sets=(("c", "6"),)))
    assert asked
    assert all("gives 6x6x12" in title for title in asked)


def test_a_good_spec_is_returned_as_it_is() -> None:
    checked = check(Source("net.cnn", "network N\ninput 8x8x3\nconv 3x3x4\n"))
    assert repair(checked, Options()) is checked


def test_the_whole_resnet_152_comes_out() -> None:
    """The projection that a block lacks makes the published network, parameter for parameter."""
    text = (SPECS / "resnet.cnn").read_text(encoding="utf-8")
    broken_ = text.replace("        | shortcut {4 * width} /{stride}\n", "        | identity\n", 1)
    options = Options(network="resnet152")
    checked = repair(check(Source("net.cnn", broken_), options), options)
    first = next(d.fixes[0] for d in checked.diagnostics if d.code == "E331")
    after = check(Source("net.cnn", with_fix(broken_, first)), options)
    assert after.ok
    totals = after.networks[0].analysis.totals
    assert totals is not None
    assert totals.params == 60_192_808  # torchvision's resnet152
