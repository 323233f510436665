"""The interactive page in a real browser, from a file: everything that a reader can do with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnndsl.source import Source
from cnndsl.zoo import entries, locate, read
from tests.browser import BOXES, Page, chromium, needs_chromium, opened, page_of, page_of_text

__all__ = ["chromium", "opened"]  # fixtures

pytestmark = needs_chromium
Open = Callable[..., Page]

DRAWN = ["unet", "inception_v4", "siamese"]


def lines_of(name: str) -> list[str]:
    source = read(locate(name))
    assert isinstance(source, Source)
    return source.text.split("\n")


# --- where things stand ---------------------------------------------------------------------------------------------


def parents(page: Page) -> dict[str, str | None]:
    """The key of what each piece stands in."""
    data = json.loads(page.locator("#data").text_content())
    found: dict[str, str | None] = {}

    def walk(piece: dict[str, Any], parent: str | None) -> None:
        found[piece["id"]] = parent
        for inner in piece.get("inside", {}).get("pieces", ()):
            walk(inner, piece["id"])

    walk(data["network"], None)
    return found


def geometry(page: Page) -> None:
    """No box overlaps another or leaves the one around it; lines begin and end on borders and pass no box."""
    boxes = page.evaluate(BOXES)
    parent = parents(page)
    by_key = {box["key"]: box for box in boxes}
    whole, *inner = boxes
    for box in inner:
        outer = by_key[parent[box["key"]]]
        if outer is not whole:
            assert outer["x"] <= box["x"]
            assert outer["y"] <= box["y"]
            assert box["x"] + box["w"] <= outer["x"] + outer["w"]
            assert box["y"] + box["h"] <= outer["y"] + outer["h"]
    for n, one in enumerate(inner):
        for other in inner[n + 1 :]:
            if parent[one["key"]] == parent[other["key"]]:
                assert apart(one, other), (one["key"], other["key"])
    closed = [box for box in inner if not box["open"]]
    routes = [route for box in boxes for route in box["routes"]]
    assert all(any(on_border(box, route["points"][-1]) for box in inner) for route in routes if route["head"])
    x, y = np.array([point for route in routes for point in route["points"]]).T
    for box in closed:
        across = (box["x"] + 1 < x) & (x < box["x"] + box["w"] - 1)
        assert not (across & (box["y"] + 1 < y) & (y < box["y"] + box["h"] - 1)).any(), box["key"]


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    across = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    return across or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def on_border(box: dict[str, float], point: tuple[float, float]) -> bool:
    x, y = point
    level = abs(box["y"] - y) < 0.6 and box["x"] - 0.6 <= x <= box["x"] + box["w"] + 0.6
    return level or (abs(box["x"] - x) < 0.6 and box["y"] - 0.6 <= y <= box["y"] + box["h"] + 0.6)


@pytest.mark.parametrize("name", DRAWN)
def test_geometry(name: str, opened: Open) -> None:
    page = opened(page_of(name))
    for keys in ("", "d", "f", "u", "d"):
        page.press(*keys, "0")  # what is out of sight is not in the page
        page.still()
        geometry(page)


@pytest.mark.slow
@pytest.mark.parametrize("name", {entry.file: entry.name for entry in entries()}.values())  # one of each file
def test_geometry_of_the_zoo(name: str, opened: Open) -> None:
    page = opened(page_of(name))
    for keys in ("u", "d"):
        page.press(keys, "0")
        page.still()
        geometry(page)


# --- folding --------------------------------------------------------------------------------------------------------


def test_the_page_begins_as_far_unfolded_as_asked(opened: Open) -> None:
    page = opened(page_of("unet", depth=0))
    assert "d1" in page.shown()
    assert "d1.conv3x3" not in page.shown()
    page = opened(page_of("unet", depth=0, unfold=("d1",)))
    assert [key for key in page.shown() if key.startswith("d1.")] == ["d1.conv3x3", "d1.conv3x3_2"]


def test_fold_and_unfold_with_the_mouse(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    before = page.shown()
    page.box("stage64").locator(".toggle").first.click()
    page.still()
    assert "stage64.basic" not in page.shown()
    assert page.box("stage64").get_attribute("aria-expanded") == "false"
    page.box("stage64").dblclick()
    page.still()
    assert page.shown() == before
    assert page.box("stage64").get_attribute("aria-expanded") == "true"


def test_what_is_folded_stays_under_the_pointer(opened: Open) -> None:
    page = opened(page_of("googlenet"))
    key = next(key for key in page.shown() if key.startswith("inception"))
    page.press("f")
    page.still()
    before = page.box(key).locator(".face").first.bounding_box()
    page.box(key).locator(".toggle").click()
    page.still()
    after = page.box(key).locator(".face").first.bounding_box()
    assert abs(before["x"] - after["x"]) < 1
    assert abs(before["y"] - after["y"]) < 1
    assert after["height"] > 2 * before["height"]


def test_everything_folded_and_unfolded(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    page.get_by_role("button", name="Fold", exact=True).click()
    page.still()
    folded = page.shown()
    assert "stage64" in folded
    assert not any(key.startswith("stage64.") for key in folded)
    page.get_by_role("button", name="Unfold", exact=True).click()
    page.still()
    assert set(page.shown()) == set(parents(page)) - {"resnet18"}


def test_a_network_of_ten_thousand_layers(opened: Open) -> None:
    unit = "    add:\n        | conv 3x3x{n} pad=1, relu\n          conv 3x3x4 pad=1\n        | identity\n    relu\n"
    calls = "".join(f"unit {1 + n * n % 97}\n" for n in range(1700))  # no row of equals
    page = opened(page_of_text(f"block unit(n):\n{unit}\nnetwork Deep\ninput 8x8x4\n{calls}dense 10\n"))
    boxes = page.locator(".box")
    assert boxes.count() < 200
    page.press("u")
    page.wait("document.getElementById('said').textContent.startsWith('Unfolded up to 3000 boxes')")
    assert boxes.count() <= 3000
    page.locator("#find").fill("dense")
    page.locator("#find").press("Enter")
    page.wait("document.querySelectorAll('.box').length < 200")  # only what is in sight
    assert page.locator("#details h2").text_content() == "dense 10"


# --- finding --------------------------------------------------------------------------------------------------------


def test_search_finds_by_kind_name_and_shape(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    find = page.get_by_role("combobox", name="Find a layer")
    find.fill("conv 28x28")
    assert page.locator("#hits").text_content() == f"{page.locator('#results [role=option]').count()} matches"
    found = page.locator("#results [role=option] span").all_text_contents()
    assert set(found) == {"28x28x128"}
    find.fill("FEATURES")
    assert page.locator("#results [role=option]").count() > 0
    find.fill("no such thing")
    assert page.locator("#results").text_content() == "nothing like that"


def test_search_unfolds_and_goes_there(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    page.press("f", "/")
    page.keyboard.type("1x1x512")
    page.press("Enter")
    page.until("document.querySelector('.selected')")
    assert page.box("features.basic.shortcut.conv1x1").get_attribute("aria-selected") == "true"
    assert page.locator("#hits").text_content() == "1 of 2"  # and the addition of the same shape
    assert page.box("features.basic.shortcut.conv1x1").locator(".face").is_visible()
    box = page.box("features.basic.shortcut.conv1x1").bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert stage["x"] < box["x"] < stage["x"] + stage["width"]
    assert stage["y"] < box["y"] < stage["y"] + stage["height"]


def test_search_goes_through_the_matches(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.press("/")
    page.keyboard.type("dense")
    page.press("Enter", "Enter", "ArrowDown")
    page.until("document.querySelector('.selected')")
    assert page.locator("#details h2").text_content() == "dense 10"
    assert page.locator("#find").get_attribute("aria-activedescendant") == "result-2"
    page.press("Shift+Enter")
    assert page.locator("#details h2").text_content() == "dense 84"
    assert page.locator(".hit").count() == 3
    page.press("Escape", "Escape")
    assert page.locator(".hit").count() == 0
    assert page.evaluate("document.activeElement.classList.contains('box')")


# --- numbers and lines ----------------------------------------------------------------------------------------------


def test_hovering_tells_the_numbers(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.box("c3").hover()
    told = dict(zip(*(page.locator(f"#tip {tag}").all_text_contents() for tag in ("dt", "dd")), strict=True))
    assert told["output"] == "10x10x16"
    assert told["params"].startswith("2,416 ")  # 5*5*6*16 + 16
    assert told["MACs"].startswith("240,000 ")  # 10*10*16 * 5*5*6
    assert told["receptive field"] == "14x14"
    page.locator("header").hover()
    assert page.locator("#tip").is_hidden()


def test_hovering_shows_where_tensors_come_from_and_go(opened: Open) -> None:
    page = opened(page_of("unet"))
    page.box("d1.conv3x3_2").hover()
    assert page.locator(".lit").count() >= 3  # through the block's border to the pool and to the skip
    page.box("input").hover()
    assert page.locator(".lit").count() == 2  # into the block, and in it


def test_a_click_shows_the_line(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.box("c3").click()
    line = page.line()
    assert line is not None
    assert lines_of("lenet5")[line - 1].startswith("conv 5x5x16")
    assert page.box("c3").get_attribute("class").split().count("selected") == 1
    marked = page.evaluate("[...CSS.highlights.get('selected')].map(String)")
    assert marked == ["conv 5x5x16 valid as c3"]
    assert page.evaluate("location.hash") == "#c3"


def test_a_click_shows_the_calls_around_it(opened: Open) -> None:
    page = opened(page_of("unet"))
    page.box("d2.conv3x3").click()
    lines = lines_of("unet")
    line = page.line()
    assert line is not None
    assert lines[line - 1] == "    conv 3x3x{c}, relu"
    callers = [int(n) for n in page.locator("#spec .caller .number").all_text_contents()]
    assert [lines[n - 1].split(" as ")[1].split()[0] for n in callers] == ["d2"]


def test_a_click_on_a_line_selects_what_it_makes(opened: Open) -> None:
    page = opened(page_of("unet"))
    page.press("f")
    line = lines_of("unet").index('    deconv 2x2x{c} /2                  # the "up-convolution" halves the channels')
    row = page.locator(f"#spec [data-line='{line}']")
    row.click()
    first = page.locator("#details dd").first.text_content()
    page.until("document.querySelector('.selected')")
    assert page.locator("#details h2").text_content() == "deconv 2x2x512 /2"
    assert page.line() == line + 1
    row.click()
    assert page.locator("#details h2").text_content() == "deconv 2x2x256 /2"
    assert page.locator("#details dd").first.text_content() != first


def test_files_that_are_used_have_tabs(opened: Open) -> None:
    page = opened(page_of_text("use std.residual: basic\nnetwork N\ninput 8x8x4\nbasic 4 as one\ndense 10\n"))
    assert page.get_by_role("tab").all_text_contents()[0] == "n.cnn"
    page.press("u")
    page.still()
    inner = next(key for key in page.shown() if key.startswith("one."))
    page.box(inner).click()
    assert page.get_by_role("tab", selected=True).text_content() != "n.cnn"
    page.get_by_role("tab", name="n.cnn").click()
    assert "network N" in page.locator("#spec").text_content()


def test_an_address_leads_to_a_layer(opened: Open) -> None:
    page = opened(page_of("resnet18"), hash="#features.basic.shortcut.conv1x1")
    assert page.locator("#details h2").text_content() == "conv 1x1x512 /2"
    assert page.box("features.basic.shortcut.conv1x1").is_visible()
