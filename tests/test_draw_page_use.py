"""The interactive page for everybody: keys, zoom, colours, light and dark, print, and nothing but what it should do."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from cnndsl.draw.colors import contrast, text_of
from cnndsl.draw.theme import DARK, LIGHT
from tests.browser import Page, chromium, needs_chromium, opened, page_of, page_of_text

__all__ = ["chromium", "opened"]  # fixtures

pytestmark = needs_chromium
Open = Callable[..., Page]

HOSTILE = """# </script><script>document.title = "taken"</script> <img src=x onerror="document.title = 'taken'">
network N
input 8x8x1
conv 3x3x4, relu
dense 10 # <b>bold</b> &amp; \u202e\u2028
"""


def active(page: Page) -> str | None:
    """The key of the box that has the focus."""
    found: str | None = page.evaluate("document.activeElement.dataset.key ?? null")
    return found


def scale(page: Page) -> int:
    """The scale that the page tells, in percent."""
    return int(page.locator("#scale").text_content().rstrip("%"))


def color(page: Page, selector: str, name: str = "background-color") -> str:
    """A colour of an element as `#rrggbb`."""
    found = page.locator(selector).first.evaluate("(e, name) => getComputedStyle(e).getPropertyValue(name)", name)
    red, green, blue = map(int, re.findall(r"\d+", found)[:3])
    return text_of(red, green, blue)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_tab_leads_to_the_picture_and_arrows_through_it(opened: Open) -> None:
    page = opened(page_of("resnet18", depth=0))
    page.locator("[data-does='?']").focus()
    page.press("Tab", "Tab")  # past the notes about the spec
    assert active(page) == "input"
    page.press("ArrowDown", "ArrowDown", "ArrowDown")
    assert active(page) == "stage64"
    assert page.locator("#details h2").text_content() == "stage basic 64 2"
    page.press("ArrowRight")
    page.still()
    assert page.box("stage64").get_attribute("aria-expanded") == "true"
    page.press("ArrowRight")
    assert active(page) == "stage64.basic"
    page.press("ArrowLeft", "ArrowLeft")
    page.still()
    assert active(page) == "stage64"
    assert page.box("stage64").get_attribute("aria-expanded") == "false"
    page.press("End")
    assert active(page) == "dense"
    page.press("Home")
    assert active(page) == "input"


def test_enter_folds_and_unfolds(opened: Open) -> None:
    page = opened(page_of("resnet18", depth=0))
    page.box("stage64").click()
    page.press("Enter")
    assert page.box("stage64.basic").is_visible()
    page.press(" ")
    assert page.box("stage64.basic").count() == 0
    assert active(page) == "stage64"


def test_the_focus_is_seen(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.press("ArrowDown")
    face = page.box(active(page) or "").locator(".face")
    style = face.evaluate("(e) => [getComputedStyle(e).strokeDasharray, getComputedStyle(e).strokeWidth]")
    assert style == ["6px, 2px", "4px"]
    page.press("Shift+Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_control_has_a_name_and_can_be_reached(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.locator("#show summary").click()
    seen = []
    for _ in range(40):
        page.press("Tab")
        name = page.evaluate(
            "(() => { const e = document.activeElement; return e === document.body ? '' : e.getAttribute('aria-label') "
            "|| e.closest('label')?.textContent.trim() || e.textContent.trim() || e.title; })()"
        )
        seen.append(name)
        if name == "":
            break
    assert {"Keys", "Larger", "Fit all of it", "params", "receptive field", "lenet5.cnn"} <= set(seen)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, summary, [role=treeitem], [role=option]')].filter("
        "(e) => e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')))"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert unnamed == []


def test_a_screen_reader_hears_a_tree(opened: Open) -> None:
    page = opened(page_of("resnet18", depth=0))
    tree = page.get_by_role("tree", name="The network's layers")
    block = tree.get_by_role("treeitem", name="stage basic 64 2, gives 56x56x64", expanded=False)
    assert block.get_attribute("aria-level") == "1"
    assert (block.get_attribute("aria-posinset"), block.get_attribute("aria-setsize")) == ("4", "9")
    block.click()
    page.press("ArrowRight")
    assert page.locator("#said").text_content() == "stage basic 64 2 unfolded, 1 item"
    assert page.box("stage64.basic").get_attribute("aria-level") == "2"
    assert page.box("stage64.basic").get_attribute("aria-label") == "basic 64, 2 times, gives 56x56x64"
    assert page.get_by_role("status").count() == 1


def test_keys_are_explained(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_letters_typed_into_the_search_do_nothing_else(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    before = page.shown()
    page.locator("#find").focus()
    page.keyboard.type("fud0+")
    assert page.shown() == before


# --- looking around -------------------------------------------------------------------------------------------------


def test_the_wheel_zooms_about_the_pointer(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    before, size = page.box("c3").bounding_box(), scale(page)
    x, y = before["x"] + before["width"] / 2, before["y"] + before["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -240)
    page.until(f"document.getElementById('scale').textContent !== '{size}%'")
    after = page.box("c3").bounding_box()
    assert after["width"] > 1.2 * before["width"]
    assert abs(after["x"] + after["width"] / 2 - x) < 2
    assert abs(after["y"] + after["height"] / 2 - y) < 2


def test_keys_and_buttons_zoom(opened: Open) -> None:
    page = opened(page_of("unet"))
    page.press("1")
    assert scale(page) == 100
    page.press("+", "+")
    assert scale(page) == 156
    page.get_by_role("button", name="Smaller").click()
    assert scale(page) == 125
    page.get_by_role("button", name="Fit all of it").click()
    page.still()
    stage = page.locator("#stage").bounding_box()
    for box in page.locator(".box .face").all():
        found = box.bounding_box()
        assert stage["y"] <= found["y"]
        assert found["y"] + found["height"] <= stage["y"] + stage["height"]


def test_dragging_moves_and_selects_nothing(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    before = page.box("c3").bounding_box()
    page.mouse.move(before["x"] + 10, before["y"] + 10)
    page.mouse.down()
    page.mouse.move(before["x"] + 60, before["y"] + 40, steps=4)
    page.mouse.up()
    page.still()
    after = page.box("c3").bounding_box()
    assert abs(after["x"] - before["x"] - 50) < 5
    assert abs(after["y"] - before["y"] - 30) < 5
    assert page.locator(".selected").count() == 0
    page.press("Shift+ArrowRight")
    page.still()
    assert page.box("c3").bounding_box()["x"] < after["x"] - 50


def test_two_fingers_zoom(opened: Open) -> None:
    page = opened(page_of("lenet5"), has_touch=True)
    before = scale(page)
    box = page.box("c3").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page.page)

    def touch(kind: str, apart: float) -> None:
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if apart else []})

    touch("touchStart", 20)
    for apart in (25, 30, 40):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    page.still()
    assert abs(scale(page) - 2 * before) < 0.1 * before
    after = page.box("c3").bounding_box()
    assert abs(after["x"] + after["width"] / 2 - x) < 4


def test_a_tap_selects(opened: Open) -> None:
    page = opened(page_of("lenet5"), has_touch=True, viewport={"width": 390, "height": 780})
    page.box("c3").tap()
    assert page.locator(".selected").get_attribute("data-key") == "c3"
    assert page.locator("#tip").is_hidden()
    stage = page.locator("#stage").bounding_box()
    assert stage["width"] == 390  # a narrow page has the spec below, if at all


def test_who_wants_no_motion_sees_none(opened: Open) -> None:
    page = opened(page_of("unet"), reduced_motion="reduce")
    assert page.box("d1").evaluate("(e) => getComputedStyle(e).transitionDuration") in ("0s", "")
    page.press("0")
    page.evaluate("new Promise((done) => requestAnimationFrame(done))")
    first = page.locator("#world").get_attribute("transform")
    page.wait_for_timeout(150)
    assert page.locator("#world").get_attribute("transform") == first


# --- colours --------------------------------------------------------------------------------------------------------


def fill(page: Page, key: str) -> str:
    found: str = page.box(key).locator(".face").evaluate("(e) => e.style.fill")
    return found.split("--")[1].rstrip(")").split(",")[0]


def test_colours_tell_of_costs(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    assert fill(page, "c3") == "convolution"
    page.locator("#color").select_option("params")
    assert fill(page, "dense120") == "scale8"  # 48,120 of 61,706
    assert fill(page, "pool2") == "scale0"
    assert "48.1k params" in page.locator("#legend").text_content()
    page.locator("#legend button").click()
    assert page.locator(".selected").get_attribute("data-key") == "dense120"
    page.locator("#stage").focus()
    page.press("c")
    assert page.locator("#color").input_value() == "macs"
    assert fill(page, "c3") == "scale8"  # 240,000 of 416,520
    page.locator("#color").select_option("rf")
    assert fill(page, "dense10") == "scale8"


def test_the_scale_is_that_of_what_is_seen(opened: Open) -> None:
    page = opened(page_of("resnet18"))
    page.locator("#color").select_option("params")
    page.locator("#stage").focus()
    page.press("f")
    page.still()
    assert fill(page, "features") == "scale8"
    page.press("u")
    page.still()
    assert fill(page, "features.basic_2.conv3x3") == "scale8"


def test_labels_say_what_is_asked_for(opened: Open) -> None:
    page = opened(page_of("lenet5"))
    page.locator("#show summary").click()
    page.get_by_label("params", exact=True).check()
    page.get_by_label("shape", exact=True).uncheck()
    page.still()
    assert page.box("c3").locator("text").all_text_contents() == ["conv 5x5x16", "tanh", "2.42k params"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_light_and_dark(mode: Any, opened: Open) -> None:
    page = opened(page_of("lenet5"), color_scheme=mode)
    theme = LIGHT if mode == "light" else DARK
    other = DARK if mode == "light" else LIGHT
    assert color(page, "body") == theme["page"]
    assert color(page, "[data-key=c3] .face", "fill") == theme["convolution"]
    page.locator("#theme").click()
    page.locator("#theme").click()
    chosen = page.locator("#theme").text_content()
    assert chosen == "dark"
    assert color(page, "body") == DARK["page"]
    page.press("t", "t")
    assert page.locator("#theme").text_content() == "light"
    assert color(page, "body") == LIGHT["page"]
    assert {theme["page"], other["page"]} == {LIGHT["page"], DARK["page"]}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_text_can_be_read(mode: Any, opened: Open) -> None:
    # WCAG 2.2 asks for a contrast of 4.5.
    page = opened(page_of("googlenet"), color_scheme=mode)
    ground = color(page, "body")
    for selector in ("#totals", "h1", "#details dt", "#details dd", ".path .link", "#legend", "#spec .comment"):
        if page.locator(selector).count():
            assert contrast(color(page, selector, "color"), ground) >= 4.5, selector
    for choice in ("kind", "params"):
        page.locator("#color").select_option(choice)
        page.locator("#stage").focus()
        page.press("f")
        page.still()
        for box in page.locator(".box:not(.open)").all():
            key = box.get_attribute("data-key")
            face = color(page, f"[data-key='{key}'] .face", "fill")
            assert contrast(color(page, f"[data-key='{key}'] .title", "fill"), face) >= 4.5, (key, choice)


def test_on_paper_there_is_the_whole_picture_and_it_is_light(opened: Open) -> None:
    page = opened(page_of("unet"), color_scheme="dark")
    keys = set(page.shown())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert keys < set(page.shown())
    assert color(page, "[data-key=pool2] .face", "fill") == LIGHT["pooling"]
    assert page.locator("header").is_hidden()
    assert page.locator("aside").is_hidden()
    _, _, width, height = map(float, page.locator("#picture").get_attribute("viewBox").split())
    assert height > 5 * width
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    page.still()
    assert set(page.shown()) == keys


# --- safety ---------------------------------------------------------------------------------------------------------


def test_a_hostile_spec_does_nothing(opened: Open) -> None:
    page = opened(page_of_text(HOSTILE))
    assert page.title() == "N"
    assert page.locator("img, b.bold, #spec b, #spec img").count() == 0
    assert page.locator("#spec .line").first.locator("code").text_content().startswith("# </script><script>")
    page.locator("#find").fill("<img src=x onerror=alert(1)>")
    assert page.locator("#results").text_content() == "nothing like that"
    assert page.requests == [page.url]


def test_a_page_reaches_nothing(opened: Open) -> None:
    reached: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    page = opened(page_of("lenet5"))
    page.expected = ("Content Security Policy", "Refused to", "Failed to load", "net::ERR_BLOCKED_BY_CSP")
    assert page.evaluate(f"fetch('{address}/fetch').then(() => 'went', () => 'refused')") == "refused"
    for tag, name in (("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src")):
        page.evaluate(
            f"document.body.append(Object.assign(document.createElement('{tag}'), "
            f"{{rel: 'stylesheet', {name}: '{address}/{tag}'}}))"
        )
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    page.evaluate(f"new EventSource('{address}/events')")
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    server.shutdown()
    server.server_close()
    assert reached == []


def test_readers_without_scripts_see_the_picture(opened: Open, chromium: Any) -> None:
    content = page_of("lenet5")
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.set_content(content)
    assert page.locator("noscript img").is_visible()
    page.context.close()
