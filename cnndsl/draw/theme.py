"""What the roles of a scene look like, on light and on dark paper.

The hues of families are those that Okabe and Ito chose to be told apart by all readers ("Color Universal Design",
2008), lightened so that black text can stand on them; the scale of costs is ColorBrewer's YlGnBu (Brewer 2002).
"""

from __future__ import annotations

import re

from cnndsl.draw.colors import shaded
from cnndsl.record import Record

LIGHT = {
    "page": "#ffffff",
    "text": "#1a1a1a",
    "muted": "#5c5c5c",
    "outline": "#4d4d4d",
    "arrow": "#4d4d4d",
    "skip": "#6b6b6b",
    "group": "#f4f5f7",
    "group-outline": "#b4b8bf",
    "convolution": "#8fc3e8",
    "pooling": "#f5b58a",
    "dense": "#85d3b5",
    "merge": "#f4e27a",
    "normalisation": "#dcdcdc",
    "activation": "#e9b3d0",
    "attention": "#b9a8e0",
    "other": "#d6d3cb",
    "input": "#ffffff",
    "block": "#e4ebf3",
    "unknown": "#f3e3e3",
    "fault": "#e35d5b",
    "fault-text": "#b3201f",
    "added": "#7fc98b",
    "removed": "#e38f8d",
    "changed": "#f2cf66",
    **{
        f"scale{i}": c
        for i, c in enumerate(
            ("#ffffe5", "#edf8c4", "#d3eeb3", "#a3dbb7", "#73c9bd", "#45b4c2", "#2697c1", "#2273b3", "#24539d")
        )
    },
}
DARK = {
    "page": "#14171c",
    "text": "#ececec",
    "muted": "#a9adb5",
    "outline": "#c4c8cf",
    "arrow": "#c4c8cf",
    "skip": "#9aa0a8",
    "group": "#1e232b",
    "group-outline": "#59606b",
    "convolution": "#1f5f8b",
    "pooling": "#96491b",
    "dense": "#1d6e52",
    "merge": "#7c6a12",
    "normalisation": "#4a4d52",
    "activation": "#8a3f68",
    "attention": "#55439a",
    "other": "#56534b",
    "input": "#22272f",
    "block": "#2b3644",
    "unknown": "#4a2f2f",
    "fault": "#b23330",
    "fault-text": "#ff8c8a",
    "added": "#2d7a3b",
    "removed": "#93393a",
    "changed": "#7d650f",
    **{
        f"scale{i}": c
        for i, c in enumerate(
            ("#20262b", "#23343a", "#24434a", "#24545c", "#24666f", "#267883", "#2c8b97", "#3a9eaa", "#50b3bd")
        )
    },
}


class Theme(Record):
    """Colours by role, for light and for dark paper, and the fonts in the order in which they are looked for."""

    light: dict[str, str]
    dark: dict[str, str]
    fonts: tuple[str, ...] = ("Liberation Sans", "Arial", "Helvetica", "sans-serif")

    def color(self, role: str, shade: float = 0.0, *, dark: bool = False) -> str:
        """A role's colour, made darker by a share (lighter below 0)."""
        return shaded((self.dark if dark else self.light)[role], shade)


STANDARD = Theme(LIGHT, DARK)


class ThemeError(Exception):
    """What is wrong with a theme's file, in a sentence."""


def read_theme(text: str) -> Theme:
    """The theme that a TOML file describes: `fonts`, and roles with their colours in `[light]` and `[dark]`. What it
    leaves out is as in STANDARD. Raises ThemeError."""
    import tomllib

    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ThemeError(f"it is no TOML: {error}") from None
    fonts = given.pop("fonts", list(STANDARD.fonts))
    tables = {mode: _colors(mode, given.pop(mode, {})) for mode in ("light", "dark")}
    for name in given:
        raise ThemeError(f"there is no '{name}' in a theme: it has fonts, [light] and [dark]")
    return Theme({**LIGHT, **tables["light"]}, {**DARK, **tables["dark"]}, _fonts(fonts))


def _colors(mode: str, table: object) -> dict[str, str]:
    """A table of roles, checked. Raises ThemeError."""
    if not isinstance(table, dict):
        raise ThemeError(f"'{mode}' is no table: write [{mode}], and roles below it")
    return {str(role): _color(mode, str(role), value) for role, value in table.items()}


def _color(mode: str, role: str, value: object) -> str:
    if role not in LIGHT:
        from cnndsl.diagnostics import closest

        near = closest(role, LIGHT)
        hint = f"did you mean '{near}'?" if near else f"there are {', '.join(LIGHT)}"
        raise ThemeError(f"there is no role '{role}' ([{mode}]): {hint}")
    color = color_of(value) if isinstance(value, str) else None
    if color is None:
        shown = f"'{value}'" if isinstance(value, str) else str(value)
        raise ThemeError(f"{shown} is no colour for '{role}' ([{mode}]): write it as '#8fc3e8' or '#8ce'")
    return color


def color_of(text: str) -> str | None:
    """`#8FC3E8` or `#8ce` as `#rrggbb`; None if it is no colour."""
    digits = text.strip().lower().removeprefix("#")
    if re.fullmatch("[0-9a-f]{3}", digits):
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits}" if re.fullmatch("[0-9a-f]{6}", digits) else None


def _fonts(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ThemeError('\'fonts\' is a list of names, such as ["Source Sans 3", "Arial", "sans-serif"]')
    for name in names:
        if not re.fullmatch(r"[\w][\w .-]*", name):
            raise ThemeError(f"'{name}' is no name of a font: letters, digits, spaces, '-' and '.' only")
    return tuple(names)
