"""Masks in files: pictures whose values are classes, decoded together with the images that they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.data.pictures import Picture, PictureError, decode, opened, several, shaped

BEHIND = "_mask"
"""What the name of a mask may have behind that of its image."""
HIGHEST = 255
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)
"""EXIF's tag for how a camera was held, and its values where height and width change places."""
_SCALED = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies the values of grey pictures of two and four bits with."""


def masked_all(
    folder: Path, pairs: Sequence[tuple[str, str]], size: tuple[int, int], channels: int, fit: str
) -> Iterator[Picture | PictureError]:
    """Each image below `folder` with its mask as a further channel, or why one of the two can't be had."""
    return several(lambda pair: _both(folder, pair, size, channels, fit), pairs)


def _both(folder: Path, pair: tuple[str, str], size: tuple[int, int], channels: int, fit: str) -> Picture:
    """uint8, channels + 1 x height x width. Raises PictureError."""
    image, mask = pair
    picture = decode(folder / image, size, channels, fit)
    with opened(folder / image) as whole:
        turned = whole.getexif().get(_ORIENTATION) in _TURNED
        sides = (whole.height, whole.width) if turned else (whole.width, whole.height)
    try:
        found = decode_mask(folder / mask, sides, size, fit)
    except PictureError as error:
        raise PictureError(f"has a mask, {mask}, that {error}") from None
    return np.concatenate([picture, found[None]])


def decode_mask(path: Path, sides: tuple[int, int], size: tuple[int, int], fit: str) -> NDArray[np.uint8]:
    """The classes of a mask at the size (height, width) of the network's input: the nearest pixel's, never a mean.

    sides: width and height of its image. fit: as of images; what `pad` puts around is class 0. Raises PictureError.
    """
    from PIL import Image

    with opened(path) as image:
        if image.format == "JPEG":
            raise PictureError("is a JPEG, which does not keep values: save masks as PNG")
        if image.size != sides:
            mine, its = ("x".join(map(str, one)) for one in (image.size, sides))
            raise PictureError(f"has {mine} pixels, while the image has {its}")
        return shaped(Image.fromarray(_classes(image)), size, fit, nearest=True)


def _classes(image: Any) -> NDArray[np.uint8]:
    """The values of a grey picture, or the indexes of one with a palette. Raises PictureError."""
    scaled = _SCALED.get(image.tile[0][3], 1) if image.tile and isinstance(image.tile[0][3], str) else 1
    values = np.asarray(image)
    if values.ndim == 3:
        grey = values[..., :1]
        if image.mode not in ("RGB", "RGBA", "LA") or (image.mode != "LA" and (values[..., :3] != grey).any()):
            raise PictureError("holds colours, not classes: save it in grey or with a palette")
        values = grey[..., 0]
    if values.dtype.kind not in "bui":
        raise PictureError("holds real numbers, not classes")
    if values.size and (values.min() < 0 or values.max() > HIGHEST):
        raise PictureError(f"holds the value {values.max()}; classes go from 0 to {HIGHEST}")
    return (values // scaled if scaled > 1 else values).astype(np.uint8)
