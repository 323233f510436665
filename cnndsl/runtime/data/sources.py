"""Reading data sources: each option of the recipe becomes `Raw` examples."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from cnndsl.recipe.sources import Source
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.wanted import Wanted

_READERS = {
    "digits": ("digits", "read_digits"),
    "digit_rows": ("digits", "read_rows"),
    "mnist": ("idx", "read_idx_set"),
    "fashion_mnist": ("idx", "read_idx_set"),
    "cifar10": ("cifar", "read_cifar"),
    "cifar100": ("cifar", "read_cifar"),
    "folder": ("image_folders", "read_folder"),
    "npz": ("arrays", "read_npz"),
    "arrays": ("arrays", "read_given"),
    "csv": ("tables", "read_csv"),
    "synthetic": ("synthetic", "read_synthetic"),
    "shapes": ("synthetic", "read_shapes"),
}
"""Where each source's reader stands: imported when it is asked for, since some need libraries of their own."""


def read(source: Source, wanted: Wanted) -> Raw:
    """The examples of a source. Raises DataError, or what `wanted.agree` raises."""
    if source.name == "table":
        return _table(source, wanted)
    module, name = _READERS[source.name]
    reader: Callable[[Any, Wanted], Raw] = getattr(import_module(f"cnndsl.runtime.data.{module}"), name)
    return reader(source, wanted)


def _table(source: Any, wanted: Wanted) -> Raw:
    """The rows in the spec."""
    rows = torch.tensor(source.rows, dtype=torch.float32)
    inputs, targets = rows[:, : -source.targets], rows[:, -source.targets :]
    inputs = inputs.reshape(len(rows), *wanted.input)
    if wanted.of_classes:
        return Raw(Examples(inputs, targets.squeeze(1).to(torch.int64)), None)
    return Raw(Examples(inputs, None, targets.reshape(len(rows), *wanted.output)), None)
