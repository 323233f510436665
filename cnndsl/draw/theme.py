"""What the roles of a scene look like, on light and on dark paper.

Texts have a contrast of 4.5 on every fill that they stand on. Families were chosen to be told apart by readers with
protanopia, deuteranopia and tritanopia as well: no two come nearer than a CIEDE2000 difference of 8, as those see them
(Machado, Oliveira and Fernandes 2009). The light scale of costs is the lighter half of ColorBrewer's YlGnBu (Brewer
2002), in steps of equal difference. `tests/test_draw_theme.py` computes all of this.
"""

from __future__ import annotations

import re

from cnndsl.draw.colors import shaded
from cnndsl.record import Record

LIGHT = {
    "page": "#ffffff",
    "text": "#1a1a1a",
    "muted": "#404040",
    "outline": "#4d4d4d",
    "arrow": "#4d4d4d",
    "skip": "#6b6b6b",
    "group": "#f4f5f7",
    "group-outline": "#b4b8bf",
    "convolution": "#afdcfa",
    "pooling": "#e6ad85",
    "dense": "#63bda7",
    "merge": "#ecd95c",
    "normalisation": "#d2d9dd",
    "activation": "#f78aa4",
    "attention": "#c09ed9",
    "other": "#f6e6d6",
    "input": "#ffffff",
    "block": "#e4ebf3",
    "unknown": "#f3e3e3",
    "fault": "#f78f84",
    "fault-text": "#b3201f",
    "same": "#ffffff",
    "added": "#8ccbf0",
    "removed": "#f7a08c",
    "changed": "#ecd95c",
    "train": "#0072b2",
    "validation": "#c04a00",
    **{
        f"scale{i}": c
        for i, c in enumerate(
            ("#ffffe5", "#f4fbd0", "#e2f4bd", "#c8e9b4", "#afe0b6", "#96d6b9", "#7bccbc", "#65c3c2", "#4cbac8")
        )
    },
}
DARK = {
    "page": "#14171c",
    "text": "#ececec",
    "muted": "#d3d6db",
    "outline": "#c4c8cf",
    "arrow": "#c4c8cf",
    "skip": "#9aa0a8",
    "group": "#1e232b",
    "group-outline": "#59606b",
    "convolution": "#0a4063",
    "pooling": "#663114",
    "dense": "#096755",
    "merge": "#695b1d",
    "normalisation": "#2c2c2c",
    "activation": "#5c0047",
    "attention": "#715082",
    "other": "#4c3f34",
    "input": "#22272f",
    "block": "#2b3644",
    "unknown": "#4a2f2f",
    "fault": "#a92f2c",
    "fault-text": "#ff8c8a",
    "same": "#22272f",
    "added": "#0d547f",
    "removed": "#5a1a16",
    "changed": "#695b1d",
    "train": "#56b4e9",
    "validation": "#f0a060",
    **{
        f"scale{i}": c
        for i, c in enumerate(
            ("#161b21", "#18232a", "#192c34", "#1a353e", "#1a3e48", "#184851", "#15515b", "#115b67", "#0a6572")
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
