"""One self-contained page: pan, zoom, search, fold and unfold, numbers, the spec's lines. It needs no network.

What a spec says reaches the page as JSON in an element that is data, and as escaped text in the title; its scripts and
style sheet are those of `draw/page`, and a policy in the page itself allows nothing else.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from cnndsl.draw.colors import contrast
from cnndsl.draw.formats import Paper
from cnndsl.draw.formats.svg import render as as_svg
from cnndsl.draw.page import asset, script
from cnndsl.draw.page.model import Model
from cnndsl.draw.scene import Scene
from cnndsl.draw.theme import Theme
from cnndsl.record import Record

_IN_SCRIPTS = "<>&\u2028\u2029"
"""Letters that could end a script or a comment in it, or that are line ends to JavaScript."""


_INKS = ("#1a1a1a", "#ffffff")
"""Of text on a colour: that which can be read better."""


def render(scene: Scene, paper: Paper) -> str:
    """The page of a scene that has a model; readers without scripts see the scene."""
    assert scene.model is not None
    still = b64encode(as_svg(scene, paper).encode("utf-8")).decode("ascii")
    return page(scene.model, paper, still=f'<img src="data:image/svg+xml;base64,{still}" alt="{escape(scene.title)}">')


def page(model: Model, paper: Paper, *, version: str | None = None, still: str = "") -> str:
    """The page of a model. version: what a server that tells it of changes calls this one; None if there is none."""
    style = f"{_colors(paper.theme)}\n{asset('page.css')}"
    code = f'"use strict";\n(() => {{\n{script()}\n}})();\n'
    connect = "'none'" if version is None else "'self'"
    policy = (
        f"default-src 'none'; script-src 'sha256-{_hash(code)}'; style-src 'sha256-{_hash(style)}'; "
        f"img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "mode": paper.mode,
        "live": "" if version is None else f' data-live="{escape(version)}"',
        "policy": policy,
        "title": escape(model.title),
        "style": style,
        "still": still,
        "data": data(model),
        "script": code,
    }
    before, *pieces = asset("page.html").split("{{")
    return before + "".join(parts[name] + text for name, text in (piece.split("}}", 1) for piece in pieces))


def data(model: Model) -> str:
    """The model as JSON that can stand in a script element; what is as always is left out."""
    text = json.dumps(_plain(model), ensure_ascii=False, separators=(",", ":"))
    for letter in _IN_SCRIPTS:
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _plain(value: Any) -> Any:
    """Records as objects, tuples as lists."""
    if not isinstance(value, tuple):
        return value
    if not isinstance(value, Record):
        return list(map(_plain, value))
    defaults = value._by_name
    named = zip(value._fields, value, strict=True)
    return {name: _plain(one) for name, one in named if name not in defaults or one != defaults[name]}


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")


def _colors(theme: Theme) -> str:
    """Variables for the roles: `--convolution`, and `--on-convolution` for text on it. Paper is always light."""
    light, dark = _variables(theme.light), _variables(theme.dark)
    fonts = ", ".join(f'"{name}"' if " " in name else name for name in theme.fonts)
    return "\n".join(
        [
            f":root {{ color-scheme: light; --fonts: {fonts}; {light} }}",
            f':root[data-theme="dark"] {{ color-scheme: dark; {dark} }}',
            f'@media (prefers-color-scheme: dark) {{ :root[data-theme="auto"] {{ color-scheme: dark; {dark} }} }}',
            f"@media print {{ :root[data-theme] {{ color-scheme: light; {light} }} }}",
        ]
    )


def _variables(colors: dict[str, str]) -> str:
    named = [f"--{role}: {color};" for role, color in colors.items()]
    inks = {role: max(_INKS, key=lambda ink: contrast(ink, color)) for role, color in colors.items()}
    return " ".join([*named, *(f"--on-{role}: {ink};" for role, ink in inks.items())])
