"""Colours as `#rrggbb`: mixed, and compared as the Web Content Accessibility Guidelines do."""

from __future__ import annotations

Channels = tuple[int, int, int]


def channels(color: str) -> Channels:
    """Red, green and blue of `#rrggbb`, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def text_of(red: float, green: float, blue: float) -> str:
    """Channels as `#rrggbb`."""
    return f"#{round(red):02x}{round(green):02x}{round(blue):02x}"


def shaded(color: str, shade: float) -> str:
    """The colour made darker by a share from 0 to 1; lighter, if the share is below 0."""
    if not shade:
        return color
    target, share = (0, shade) if shade > 0 else (255, -shade)
    red, green, blue = (channel + (target - channel) * share for channel in channels(color))
    return text_of(red, green, blue)


def luminance(color: str) -> float:
    """Relative luminance, 0 for black and 1 for white (WCAG 2.2)."""
    red, green, blue = (_linear(channel / 255) for channel in channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21; text needs 4.5 (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
