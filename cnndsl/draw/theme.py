"""What the roles of a scene look like, on light and on dark paper.

The hues of families are those that Okabe and Ito chose to be told apart by all readers ("Color Universal Design",
2008), lightened so that black text can stand on them; the scale of costs is ColorBrewer's YlGnBu (Brewer 2002).
"""

from __future__ import annotations

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
