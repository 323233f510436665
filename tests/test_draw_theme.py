"""Colours of pictures: contrast by WCAG, differences as colour-blind readers see them, and themes from files.

Colour blindness is simulated with the matrices that Machado, Oliveira and Fernandes published (2009, severity 1), on
linear RGB; differences are CIEDE2000, which is checked with pairs that Sharma, Wu and Dalal published (2005).
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from cnndsl.draw.colors import contrast, luminance, shaded
from cnndsl.draw.facts import LEVELS
from cnndsl.draw.theme import DARK, LIGHT, STANDARD, ThemeError, read_theme
from cnndsl.draw.words import FAMILIES

MODES = {"light": LIGHT, "dark": DARK}
SIGHT = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
FILLS = [
    *dict.fromkeys(FAMILIES.values()),
    *("other", "input", "block", "group", "page", "unknown", "fault", "same", "added", "removed", "changed"),
    *(f"scale{level}" for level in range(LEVELS)),
]
LINES = {"arrow", "skip", "outline", "group-outline", *(CURVES := ("train", "validation"))}
TEXTS = {"text", "muted", "fault-text"}


# --- what colours look like -----------------------------------------------------------------------------------------


def lab(color: str, sight: str = "normal") -> np.ndarray:
    """CIELAB under D65, of the sRGB colour as a reader sees it."""
    coded = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.array(to_xyz) @ seen / [0.95047, 1.0, 1.08883]
    f = [np.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 of two CIELAB colours."""
    mean_c = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    grey = 1 + 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25**7)))
    (l1, a1, b1), (l2, a2, b2) = one * [1, grey, 1], other * [1, grey, 1]
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    mid, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = np.radians(h1 + turn / 2 if c1 * c2 else h1 + h2)
    t = 1 - 0.17 * np.cos(h - np.radians(30)) + 0.24 * np.cos(2 * h)
    t += 0.32 * np.cos(3 * h + np.radians(6)) - 0.2 * np.cos(4 * h - np.radians(63))
    d_l = (l2 - l1) / (1 + 0.015 * (mid - 50) ** 2 / np.sqrt(20 + (mid - 50) ** 2))
    d_c = (c2 - c1) / (1 + 0.045 * c)
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t)
    around = np.exp(-((((np.degrees(h) % 360) - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * around))
    return float(np.sqrt(d_l**2 + d_c**2 + d_h**2 + rotation * d_c * d_h))


@pytest.mark.parametrize(
    ("one", "other", "published"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_published(one: tuple[float, ...], other: tuple[float, ...], published: float) -> None:
    assert difference(np.array(one), np.array(other)) == pytest.approx(published, abs=1e-4)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.005)  # the greyest that passes on white
    assert luminance("#808080") == pytest.approx(0.2159, abs=1e-4)


def test_shades() -> None:
    assert shaded("#4080c0", 0.5) == "#204060"
    assert shaded("#4080c0", -0.5) == "#a0c0e0"
    assert shaded("#4080c0", 0) == "#4080c0"


# --- the palettes ---------------------------------------------------------------------------------------------------


def test_every_role_is_tested() -> None:
    assert set(LIGHT) == set(DARK) == {*FILLS, *LINES, *TEXTS}


@pytest.mark.parametrize("mode", MODES)
def test_text_can_be_read_on_every_fill(mode: str) -> None:
    palette = MODES[mode]
    for text in ("text", "muted"):
        assert min((contrast(palette[text], palette[fill]), fill) for fill in FILLS) >= (4.5,)
    assert min(contrast(palette["fault-text"], palette[fill]) for fill in ("page", "group", "block")) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_lines_can_be_seen(mode: str) -> None:
    palette = MODES[mode]
    for line in ("arrow", "skip", "outline", *CURVES):
        assert min(contrast(palette[line], palette[ground]) for ground in ("page", "group")) >= 4.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(
    "roles", [[*dict.fromkeys(FAMILIES.values()), "other"], ["added", "removed", "changed", "other"], CURVES], ids=len
)
def test_roles_can_be_told_apart(mode: str, sight: str, roles: list[str]) -> None:
    seen = {role: lab(MODES[mode][role], sight) for role in roles}
    nearest = min((difference(seen[a], seen[b]), a, b) for a, b in combinations(roles, 2))
    assert nearest >= (8.0,)


def test_convolution_and_pooling_differ_in_greyscale() -> None:
    """They alternate in most figures; a lightness (L*) of 1 is just seen."""
    assert lab(LIGHT["convolution"])[0] - lab(LIGHT["pooling"])[0] >= 9


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sight", SIGHT)
def test_scales_grow_evenly(mode: str, sight: str) -> None:
    """From each level to the next the lightness goes one way, whoever looks at it, and the difference can be seen."""
    scale = [lab(MODES[mode][f"scale{level}"], sight) for level in range(LEVELS)]
    way = 1 if mode == "dark" else -1
    assert all(way * (after[0] - before[0]) > 0 for before, after in pairwise(scale))
    assert min(difference(before, after) for before, after in pairwise(scale)) >= 1.5
    assert difference(scale[0], scale[-1]) >= 20


# --- themes ---------------------------------------------------------------------------------------------------------


def test_a_theme_changes_what_it_says() -> None:
    theme = read_theme('fonts = ["Lato"]\n[light]\ntext = "#0AF"\n[dark]\ngroup-outline = "#010203"\n')
    assert theme.light == {**LIGHT, "text": "#00aaff"}
    assert theme.dark == {**DARK, "group-outline": "#010203"}
    assert theme.fonts == ("Lato",)
    assert read_theme("") == STANDARD


@pytest.mark.parametrize("text", ["[light]\ntext = '#12345'", "[light]\ntext = ['#fff']", "fonts = []", "fonts = [1]"])
def test_what_is_no_theme(text: str) -> None:
    with pytest.raises(ThemeError):
        read_theme(text)
