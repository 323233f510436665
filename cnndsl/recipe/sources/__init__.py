"""Data sources: where examples come from, and what can be said of them before they are read."""

from __future__ import annotations

from cnndsl.recipe.sources.base import ImageSource, Source, resolve_fit
from cnndsl.recipe.sources.files import Csv, Folder, Npz
from cnndsl.recipe.sources.given import Arrays, DigitRows, Shapes, Synthetic, Table
from cnndsl.recipe.sources.sets import Cifar10, Cifar100, Digits, FashionMnist, Mnist

SOURCES: tuple[type[Source], ...] = (
    Digits,
    Mnist,
    FashionMnist,
    Cifar10,
    Cifar100,
    Folder,
    Npz,
    Csv,
    Table,
    Arrays,
    Shapes,
    DigitRows,
    Synthetic,
)

__all__ = ["SOURCES", "Digits", "ImageSource", "Source", "resolve_fit"]
