"""What an interactive page is made of: its model's layers, its JSON, its policy."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from cnndsl.draw import page as assets
from cnndsl.draw.formats import Paper, html
from cnndsl.draw.outline import outline
from cnndsl.draw.page.build import explored, unexplored
from cnndsl.draw.page.model import Inside, Model, Piece, Spec
from cnndsl.draw.picture import Subject, picture
from cnndsl.pipeline import check
from cnndsl.source import Source
from cnndsl.zoo import entries
from tests.drawn import checked, drawn

NETWORKS = [entry.name for entry in entries()][::4]
HOSTILE = '# </script><script>alert("a")</script><!-- <img src=x onerror=alert(1)> ]]> \u2028 \u2029 \u202e &amp; 🙂\n'
SMALL = "network N\ninput 8x8x1\nconv 3x3x4, relu\ndense 10\n"


def model_of(text: str, name: str = "n.cnn") -> Model:
    source = Source(name, text)
    one = check(source)
    network = one.networks[0]
    return explored(outline(network.graph, network.analysis), Spec(source, one.diagnostics))


def blocks(piece: Piece) -> Iterator[Inside]:
    if piece.inside is not None:
        yield piece.inside
        for inner in piece.inside.pieces:
            yield from blocks(inner)


def insides(name: str) -> list[Inside]:
    found = explored(drawn(name), Spec(Source("x.cnn", "")))
    assert found.network is not None
    return list(blocks(found.network))


# --- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_every_vertex_has_one_place(name: str) -> None:
    for inside in insides(name):
        placed = [v for rank in inside.ranks for v in rank]
        lanes = [v for lane in inside.lanes for v in lane]
        ends = len(inside.pieces) + inside.entries + inside.exits
        assert sorted(placed) == list(range(ends + len(lanes)))
        assert sorted(lanes) == list(range(ends, ends + len(lanes)))


@pytest.mark.parametrize("name", NETWORKS)
def test_links_go_from_rank_to_rank(name: str) -> None:
    for inside in insides(name):
        rank = {v: number for number, vertices in enumerate(inside.ranks) for v in vertices}
        for link in inside.links:
            steps = [inside.steps[n] for n in link.steps]
            assert (steps[0].source, steps[-1].target) == (link.source, link.target)
            assert all(one.target == other.source for one, other in pairwise(steps))
            assert all(rank[step.target] == rank[step.source] + 1 for step in steps)


@pytest.mark.parametrize("name", NETWORKS)
def test_links_are_those_of_the_outline(name: str) -> None:
    found = explored(drawn(name), Spec(Source("x.cnn", "")))
    assert found.network is not None
    assert found.network.inside is not None
    pairs = {(link.source, link.target) for link in found.network.inside.links}
    assert pairs == {(link.source, link.target) for link in drawn(name).links}


def test_a_chain_stands_in_one_column_and_needs_no_lanes() -> None:
    (inside,) = insides("lenet5")
    assert inside.ranks == tuple((n,) for n in range(8))
    assert all(step.down and step.up for step in inside.steps)


def test_a_shortcut_has_a_lane_and_decides_nothing() -> None:
    # A block of ResNet-18: input, two convolutions, add; the shortcut passes the two.
    inside = next(i for i in insides("resnet18") if [p.kind for p in i.pieces] == ["conv", "conv", "add"])
    (lane,) = inside.lanes
    assert len(lane) == 2
    assert not any(step.down for step in inside.steps if step.source in lane and step.target == 2)
    assert all(step.down for step in inside.steps if step.source == 1)


def test_skips_of_a_unet_are_nested_without_crossings() -> None:
    outer = insides("unet")[0]
    order = {v: at for rank in outer.ranks for at, v in enumerate(rank)}
    lanes = sorted(outer.lanes, key=len)
    assert len(lanes) == 4
    for inner, wider in pairwise(lanes):
        shared = [rank for rank in outer.ranks if set(rank) & set(inner) and set(rank) & set(wider)]
        sides = {order[(set(r) & set(inner)).pop()] < order[(set(r) & set(wider)).pop()] for r in shared}
        assert sides == {True}


# --- numbers and places ---------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_check() -> None:
    one = checked("googlenet")
    found = explored(drawn("googlenet"), Spec(Source("x.cnn", "")))
    assert found.network is not None
    assert one.analysis.totals is not None
    facts = dict(found.network.facts)
    assert facts["MACs"] == f"{one.analysis.totals.macs:,}"  # without the auxiliary heads
    assert facts["params"] == f"{one.analysis.totals.params:,}"
    assert facts["output"] == "1000"


def test_columns_count_as_javascript_does() -> None:
    found = model_of('network N\ninput 8x8x1\nconv {3 if "🙂" == "🙂" else 5}x3x4, pool 2, dense 10 # 🙂\n')
    assert found.network is not None
    assert found.network.inside is not None
    texts = found.files[0].text.split("\n")
    for piece in found.network.inside.pieces:
        assert piece.place is not None
        line = texts[piece.place.line].encode("utf-16-le")
        cut = line[2 * piece.place.column : 2 * piece.place.end_column].decode("utf-16-le")
        assert re.fullmatch(rf"{piece.kind} [^,#]+", cut)


def test_what_could_not_be_read_is_told() -> None:
    source = Source("n.cnn", "network (\n")
    found = unexplored(Spec(source, check(source).diagnostics))
    assert found.network is None
    assert [note.severity for note in found.notes][:1] == ["error"]
    assert found.notes[0].place is not None
    assert "n.cnn:1:" in found.notes[0].text


# --- the page -------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """The elements of a page as a parser sees them: their attributes, and the text in scripts and style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", {}))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(given, text) for (name, given), text in zip(self.tags, self.texts, strict=True) if name == tag]


def test_a_hostile_spec_stays_data() -> None:
    page = html.page(model_of(HOSTILE + SMALL, '</title><b>"&.cnn'), Paper())
    found = Elements(page)
    assert len(found.of("script")) == 2
    assert not found.of("img")
    data = json.loads(found.of("script")[0][1])
    assert data["files"][0]["text"] == re.sub("[\u2028\u2029\u202e]", "\ufffd", HOSTILE) + SMALL
    assert data["files"][0]["name"] == '</title><b>"&.cnn'
    assert not set("\u2028\u2029\u202e") & set(page)


def test_titles_are_escaped() -> None:
    found = model_of(SMALL)._replace(title="</title><script>x</script>\"'&")
    page = html.page(found, Paper())
    assert len(Elements(page).of("script")) == 2
    assert Elements(page).of("title")[0][1] == found.title
    assert "&lt;/title&gt;&lt;script&gt;" in page


def test_the_policy_names_the_only_script_and_style() -> None:
    found = Elements(html.page(model_of(SMALL), Paper()))
    policy = next(a["content"] for a, _ in found.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
    for rule, text in (("script-src", found.of("script")[1][1]), ("style-src", found.of("style")[0][1])):
        assert rules[rule] == [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"]
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == ["'none'"]
    assert not [a for _, a in found.tags if any(name.startswith("on") or name == "style" for name in a)]


def test_pages_name_no_other_place() -> None:
    page = html.page(model_of(SMALL), Paper())
    assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_same_network_gives_the_same_page() -> None:
    one = checked("resnet18")
    spec = Spec(Source("x.cnn", ""))
    pages = [html.render(picture(Subject(one.graph, one.analysis), spec=spec), Paper()) for _ in range(2)]
    assert pages[0] == pages[1]
    assert '<noscript><img src="data:image/svg+xml;base64,' in pages[0]


def test_scripts_and_style_sheet_are_small() -> None:
    folder = Path(assets.__file__).parent
    files = [path for path in folder.iterdir() if path.suffix in (".js", ".css")]
    assert {path.name for path in files} == {*assets.SCRIPTS, "page.css"}
    assert sum(path.stat().st_size for path in files) < 60_000
    assert all(path.read_text(encoding="utf-8").count("\n") < 600 for path in files)
