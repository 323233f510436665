"""The largest setting that keeps a budget, against trying every one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.files import Library
from cnndsl.fit import Axis, Found, Judged, Try
from cnndsl.fit.budgets import Judge, read_budgets
from cnndsl.fit.search import search
from cnndsl.fit.values import BadAxis, axis
from cnndsl.pipeline import Options, check
from cnndsl.source import Source
from cnndsl.syntax import parse

SPEC = """\
network N(width=8, depth=2, groups=1, act=relu, wide=false, scale=1.0)
input 32x32x3
conv 3x3x{int(8 * scale)} pad=1
conv 3x3x{width * 2 if wide else width} pad=1 as stem
for i in range(depth):
    conv 3x3x{width} pad=1 groups={groups} as c[i], {act}
pool 2
dense 10 as d
""".replace("int(8 * scale)", "round(8 * scale)")


def graph_of(text: str = SPEC) -> Any:
    return check(Source("n.cnn", text)).networks[0].graph


def asked(budgets: list[str], vary: list[str], tries: int = 200, text: str = SPEC, **sets: str) -> Found:
    """What `cnndsl fit` finds."""
    source = Source("n.cnn", text)
    lines, wrong = read_budgets(budgets)
    assert not wrong
    document, _ = parse(source)
    options = Options(sets=tuple(sets.items()))
    graph = graph_of(text)
    axes = tuple(axis(one, graph) for one in vary)
    judge = Judge(document, Library(source), options, lines)
    shapes = {graph.nodes[i].name: graph.nodes[i].shapes[0] for i in graph.inputs}
    return search(axes, lambda at: judge.judge(axes, at, shapes), tries)


def params(**sets: Any) -> int | None:
    """The parameters under a setting, by the whole pipeline; None if there is no such network."""
    checked = check(Source("n.cnn", SPEC), Options(sets=tuple((k, str(v)) for k, v in sets.items())))
    return checked.networks[0].analysis.totals.params if checked.ok else None  # type: ignore[union-attr]


def best(found: Found) -> dict[str, Any] | None:
    return None if found.best is None else dict(found.best.settings)


# --- against trying all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [100, 100_000, 150_000, 10**9])
@pytest.mark.parametrize("groups", [1, 4, 6])
def test_one_axis_is_what_trying_all_gives(limit: int, groups: int) -> None:
    found = asked([f"params < {limit}"], ["width=1..40"], groups=str(groups))
    counts = {width: params(width=width, groups=groups) for width in range(1, 41)}
    fitting = [width for width, count in counts.items() if count is not None and count < limit]
    assert best(found) == ({"width": max(fitting)} if fitting else None)
    assert found.complete
    for one in found.tries:
        width = dict(one.settings)["width"]
        assert (one.problem is None) == (counts[width] is not None)
        assert one.problem is not None or one.figures == {"params": counts[width]}


def test_two_axes_are_what_trying_all_gives() -> None:
    found = asked(["params <= 120_000"], ["width=4..32:4", "depth=1..6"])
    fitting = [
        (width, depth)
        for width in range(4, 33, 4)
        for depth in range(1, 7)
        if (params(width=width, depth=depth) or 0) <= 120_000
    ]
    assert best(found) == dict(zip(("width", "depth"), max(fitting), strict=True))
    assert found.complete
    top = [(w, d) for w, d in fitting if not any((w, d) != (x, y) and w <= x and d <= y for x, y in fitting)]
    assert [tuple(v for _, v in one.settings) for one in found.undominated()] == sorted(top)


def test_a_range_without_an_end() -> None:
    found = asked(["params < 300_000"], ["width"])
    width = best(found)["width"]  # type: ignore[index]
    assert (params(width=width) or 0) < 300_000 <= (params(width=width + 1) or 0)
    assert not found.complete
    assert len(found.tries) <= 200


def test_a_long_range_with_gaps() -> None:
    """Only multiples of 6 make networks."""
    found = asked(["params < 1M"], ["width=1..5000"], groups="6")
    width = best(found)["width"]  # type: ignore[index]
    assert width % 6 == 0
    assert (params(width=width, groups=6) or 0) < 1_000_000 <= (params(width=width + 6, groups=6) or 0)


def test_nothing_fits() -> None:
    found = asked(["params < 10"], ["width=1..20"])
    assert found.best is None
    assert found.complete
    assert len(found.tries) == 20


def test_input_sizes() -> None:
    found = asked(["macs < 1M", "d.params > 100"], ["input=8..64:8"])
    assert [dict(one.settings)["input"] for one in found.tries if one.fits] == [best(found)["input"]]  # type: ignore[index]
    macs = {}
    for size in range(8, 65, 8):
        networks = check(Source("n.cnn", SPEC), Options(input=f"{size}x{size}x3")).networks
        macs[size] = networks[0].analysis.totals.macs  # type: ignore[union-attr]
    assert best(found) == {"input": max(size for size, count in macs.items() if count < 1_000_000)}


def test_several_inputs_vary_by_name() -> None:
    text = "network N\ninput a 8x8x1\ninput b 9x9x1\nfrom a, flatten as x\nfrom b, flatten, concat x, dense 2\n"
    found = asked(["params <= 300"], ["b=1..12"], text=text)
    assert best(found) == {"b": max(b for b in range(1, 13) if 2 * (64 + b * b) + 2 <= 300)}
    with pytest.raises(BadAxis, match="several inputs: a, b"):
        axis("input", graph_of(text))


def test_choices_keep_their_order_and_switches_go_up() -> None:
    assert best(asked(["params > 0"], ["act=gelu,relu"])) == {"act": "relu"}
    assert best(asked(["params > 0"], ["wide"])) == {"wide": True}
    assert best(asked(["params < 20_000"], ["wide", "width=2,4,8"])) == {"wide": True, "width": 4}


def test_budgets_name_what_expect_names() -> None:
    """Each of `depth` convolutions of 3x3 sees 2 cells more than the two before them, which see 5."""
    found = asked(["c[0].rf <= 12 and depth <= 9", "d.params > 0", "memory < 1G"], ["depth=1..12"])
    assert best(found) == {"depth": 6}
    assert {one.problem for one in found.tries} == {None}


# --- searching in general -------------------------------------------------------------------------------------------


def made(fits: list[bool | None]) -> Any:
    def judge(at: tuple[int, ...]) -> Try:
        one = fits[at[0]]
        return Try(
            at, (("x", at[0]),), (Judged("x", bool(one), (("x", at[0]),), None),), None if one is not None else "?"
        )

    return judge


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=60))
def test_few_values_need_not_be_in_order(fits: list[bool | None]) -> None:
    found = search((Axis("x", range(len(fits))),), made(fits), 60)
    assert found.complete
    places = [i for i, one in enumerate(fits) if one]
    assert (found.best.at[0] if found.best else None) == (max(places) if places else None)


@settings(max_examples=200)
@given(st.lists(st.sampled_from([True, False, None]), min_size=30, max_size=400), st.integers(10, 60))
def test_of_many_values_nothing_is_said_that_is_not_so(fits: list[bool | None], tries: int) -> None:
    found = search((Axis("x", range(len(fits))),), made(fits), tries)
    assert len(found.tries) <= tries
    tried = {one.at[0] for one in found.tries}
    places = [i for i in tried if fits[i]]
    assert (found.best.at[0] if found.best else None) == (max(places) if places else None)
    if found.complete:
        assert tried >= set(range(max(places, default=-1) + 1, len(fits)))


@given(st.integers(0, 100_000), st.integers(1, 100_000))
def test_an_even_border_is_found_exactly(border: int, length: int) -> None:
    class Fits:
        def __getitem__(self, i: int) -> bool:
            return i < border

    found = search((Axis("x", range(length)),), made(Fits()), 60)  # type: ignore[arg-type]
    expected = min(border, length) - 1
    assert (found.best.at[0] if found.best else -1) == expected


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("width=8..32:8", [8, 16, 24, 32]),
        ("width=10..40:16", [16, 32]),
        ("width=3..5", [3, 4, 5]),
        ("width=64, 16,32", [16, 32, 64]),
        ("scale=0.25..1:0.25", [0.25, 0.5, 0.75, 1.0]),
        ("scale=1.5,0.5", [0.5, 1.5]),
        ("wide=true", [True]),
        ("input=32..96:32", [32, 64, 96]),
    ],
)
def test_values(text: str, values: list[Any]) -> None:
    assert [*axis(text, graph_of()).values] == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("widht", "did you mean width"),
        ("width=", "names no values"),
        ("width=9..8", "no number from 9 to 8"),
        ("width=1..7:8", "no multiple of 8"),
        ("width=a..b", "no range"),
        ("width=1,,2", "an empty place"),
        ("width=4,4", "twice"),
        ("width=1..4:0", "can't be 0"),
        ("scale=0.5..1", "needs a step"),
        ("scale", "no whole number"),
        ("act", "no whole number"),
        ("width=1..9999999", "can be searched"),
    ],
)
def test_what_can_not_vary(text: str, said: str) -> None:
    with pytest.raises(BadAxis, match=said):
        axis(text, graph_of())


# --- the command ----------------------------------------------------------------------------------------------------


def fit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "n.cnn").write_text(SPEC, encoding="utf-8")
    command = [sys.executable, "-m", "cnndsl", "fit", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_table(tmp_path: Path) -> None:
    run = fit(tmp_path, "n.cnn", "params < 30_000", "--vary", "width=4..32:4")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].startswith("N: width=")
    assert "is the largest that keeps params < 30_000" in run.stdout
    width = next(int(word[6:]) for word in run.stdout.split() if word.startswith("width="))
    assert f"{params(width=width):,}  fits" in run.stdout
    assert f"{params(width=width + 4):,}  " in run.stdout


def test_the_json(tmp_path: Path) -> None:
    run = fit(tmp_path, "n.cnn", "params < 30_000", "--vary", "width=1..30", "--set", "groups=2", "--format", "json")
    told = json.loads(run.stdout)
    assert told["complete"] is True
    width = told["answer"]["settings"]["width"]
    assert told["answer"]["figures"] == {"params": params(width=width, groups=2)}
    assert all(one["problem"] for one in told["tries"] if one["settings"]["width"] % 2)
    assert told["vary"] == [{"name": "width", "first": 1, "last": 30, "values": 30, "open": False}]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["n.cnn", "params < 10", "--vary", "width=1..5"], 1, "no setting keeps params < 10"),
        (["n.cnn", "params < 10"], 2, "Missing option '--vary'"),
        (["n.cnn", "params <", "--vary", "width"], 2, "E102"),
        (["n.cnn", "params", "--vary", "width"], 2, "compares nothing"),
        (["n.cnn", "parms < 1M", "--vary", "width"], 2, "did you mean `params`?"),
        (["n.cnn", "e.params < 1M", "--vary", "width"], 2, "E401"),
        (["n.cnn", "params < 1M", "--vary", "width", "--vary", "width=1,2"], 2, "given twice"),
        (["n.cnn", "params < 1M", "--vary", "width", "--set", "width=2"], 2, "given twice"),
        (["n.cnn", "params < 1M", "--vary", "width=1,2", "--set", "groups=64"], 1, "64 groups do not divide"),
        (["m.cnn", "params < 1M", "--vary", "width"], 2, "there is no file m.cnn"),
        (["resnet", "params < 1M", "--vary", "depth"], 2, "several networks"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    run = fit(tmp_path, *arguments)
    assert run.returncode == code
    assert said in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


def test_a_network_of_the_zoo(tmp_path: Path) -> None:
    run = fit(tmp_path, "resnet:ResNet", "params < 50M", "--vary", "depth=18,34,50,101,152")
    assert "depth=101 is the largest that keeps params < 50M" in run.stdout
    assert "44,549,160  fits" in run.stdout
