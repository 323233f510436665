"""Pictures that networks make: as bytes, and as PNG files."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.files import write_error, write_file

CLASS_COLORS = ("000000", "e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "cc79a7")
"""Of classes, the first of which is often the ground: those that Okabe and Ito chose to be told apart by everybody."""


def pictured(values: Tensor, prepare: Prepare) -> Tensor:
    """Images as the network takes them, N x channels x rows x columns, as bytes again: the way back from
    `prepare.normalized`; of data that are no images, black the lowest value and white the highest."""
    found = values.detach().to("cpu", torch.float32)
    if prepare.image is not None:
        shift, scale = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (prepare.shift, prepare.scale))
        found = (found - shift) / scale
    else:
        low, high = found.min(), found.max()
        found = (found - low) / (high - low).clamp_min(1e-12) * 255
    return found.round().clamp(0, 255).to(torch.uint8)


def save(folder: Path, name: str, picture: Tensor, *, classes: bool) -> Path:
    """Write a picture, uint8, height x width x 1 or 3, into a folder, by the name of what it was made of: with a number
    where that is taken. Where it holds `classes`, the pixels' values are their numbers, and a palette colours them.

    Raises WriteError.
    """
    from PIL import Image

    values = np.ascontiguousarray(picture.numpy())
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    if classes:
        image.putpalette(b"".join(bytes.fromhex(CLASS_COLORS[n % len(CLASS_COLORS)]) for n in range(256)))
    made = io.BytesIO()
    image.save(made, "PNG")
    plain = re.sub(r"[^\w.-]+", "-", Path(re.sub(r"\[(\d+)\]$", r"-\1", name)).name).strip("-.") or "picture"
    stem = re.sub(r"\.[A-Za-z]{3,4}(?=$|-\d+$)", "", plain)
    path, more = folder / f"{stem}.png", 2
    while path.exists():
        path, more = folder / f"{stem}-{more}.png", more + 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    write_file(path, made.getvalue())
    return path
