"""A real browser for the tests of pages: Chromium, as Debian has it, driven by Playwright."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from cnndsl.draw.formats import Paper, html
from cnndsl.draw.outline import outline
from cnndsl.draw.page.build import explored
from cnndsl.draw.page.model import Spec
from cnndsl.draw.picture import Subject, View, picture
from cnndsl.pipeline import Options, check
from cnndsl.source import Source
from cnndsl.zoo import locate, read

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = which("chromium") or which("chromium-browser")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

BOXES = """() => {
  const at = (group) => { const m = new DOMMatrix(getComputedStyle(group).transform); return [m.e, m.f]; };
  return [...document.querySelectorAll(".box")].map((group) => {
    const face = group.querySelector(":scope > .face"), [x, y] = at(group);
    const size = (name) => face ? Number(face.getAttribute(name)) : 0;
    const routes = [...group.querySelectorAll(":scope > .route")].map((route) => {
      const line = route.querySelector(".line"), length = line.getTotalLength();
      const steps = Math.max(2, Math.ceil(length / 4));
      const points = Array.from({length: steps + 1}, (_, n) => line.getPointAtLength(length * n / steps));
      return {head: route.querySelector(".head") !== null, points: points.map((p) => [x + p.x, y + p.y])};
    });
    const open = group.classList.contains("open");
    return {key: group.dataset.key, open, x, y, w: size("width"), h: size("height"), routes};
  });
}"""
"""Everything in the picture, in its own units: boxes, and points along the lines between them."""


@cache
def page_of(name: str, **view: Any) -> str:
    """The page of a network that comes with cnndsl."""
    place = locate(name)
    source = read(place)
    assert isinstance(source, Source)
    one = check(source, Options(network=place.network))
    subject = Subject(one.networks[0].graph, one.networks[0].analysis)
    return html.render(picture(subject, view=View(**view), spec=Spec(source, one.diagnostics)), Paper())


def page_of_text(text: str) -> str:
    """The page of the first network of a text."""
    source = Source("n.cnn", text)
    one = check(source)
    network = one.networks[0]
    return html.page(explored(outline(network.graph, network.analysis), Spec(source, one.diagnostics)), Paper())


class Page:
    """A page in the browser, and what it said and asked for that it should not have."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.expected: tuple[str, ...] = ()
        page.on("console", lambda message: self._hear(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self._hear(f"error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, text: str) -> None:
        if not any(one in text for one in self.expected):
            self.complaints.append(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def box(self, key: str) -> Any:
        return self.page.locator(f".box[data-key={json.dumps(key)}]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, script: str) -> None:
        """Wait for something to be true."""
        self.page.wait_for_function(f"() => {script}")  # a text that is no function would have to be evaluated

    def until(self, script: str) -> None:
        """Wait for something to be true, and for what moves to stand."""
        self.wait(script)
        self.still()

    def still(self) -> None:
        """Wait until nothing moves."""
        self.page.wait_for_function(
            "() => new Promise((done) => { const world = document.getElementById('world'); const look = () => "
            "world.getAttribute('transform') + [...world.children].map((g) => getComputedStyle(g).transform).join(); "
            "let last = look(); const again = () => { const now = look(); if (now === last) done(true); "
            "else { last = now; setTimeout(again, 60); } }; setTimeout(again, 60); })"
        )

    def shown(self) -> list[str]:
        """The keys of the boxes in the picture, the network's own left out."""
        return [box["key"] for box in self.page.evaluate(BOXES)][1:]

    def line(self) -> int | None:
        """The line of the spec that is marked, counted from 1."""
        found = self.page.locator("#spec .here .number").all_text_contents()
        return int(found[0]) if found else None


@pytest.fixture(scope="module")  # Playwright leaves no room for a second one in a process
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that opens a page from a file, or an address; afterwards nothing may have gone wrong in it."""
    pages: list[Page] = []

    def open_page(content: str, *, hash: str = "", still: bool = True, **settings: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        page = Page(context.new_page())
        pages.append(page)
        if content.startswith("http://"):
            page.goto(content)
        else:
            file = tmp_path / f"page{len(pages)}.html"
            file.write_text(content, encoding="utf-8")
            page.goto(file.as_uri() + hash)
        if still:
            page.still()
        return page

    yield open_page
    for page in pages:
        page.context.close()
        assert not page.complaints
