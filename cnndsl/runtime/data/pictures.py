"""Image files: decoded, made as large as the network wants them, with bounds on what a file may claim."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Formats that are decoded by Pillow itself; others may start programs."""
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")
MAX_PIXELS = 100_000_000
"""Most pixels of a picture: 10,000 x 10,000."""
MAX_FILE = 512 * 1024**2
_CHUNK = 256

Picture = NDArray[np.uint8]
"""Channels x height x width."""


class PictureError(ValueError):
    """A file that can't be decoded; the text completes "the file …"."""


def need_pillow() -> None:
    """Raises DataError where Pillow is not installed."""
    from importlib.util import find_spec

    if find_spec("PIL") is None:
        raise DataError("reading image files needs Pillow, which is not installed", "pip install 'cnndsl[train]'")


def read_pictures(paths: Sequence[Path], prepare: Prepare) -> Tensor:
    """Image files as the examples that a network was trained on: uint8, N x channels x height x width.

    `prepare.on(device)` makes the network's input of them. Raises DataError at the first that can't be read.
    """
    if prepare.image is None:
        raise DataError("the network was not trained on images, so an image file can't be its input")
    need_pillow()
    height, width, channels = prepare.image
    decoded = list(decoded_all(paths, (height, width), channels, prepare.file_fit))
    for path, picture in zip(paths, decoded, strict=True):
        if isinstance(picture, PictureError):
            raise DataError(f"{path} {picture}")
    return torch.from_numpy(np.stack(decoded))  # type: ignore[arg-type]


def decoded_all(
    paths: Sequence[Path], size: tuple[int, int], channels: int, fit: str
) -> Iterator[Picture | PictureError]:
    """Each file decoded as `decode` does it, or why it can't be, in their order."""
    return several(lambda path: decode(path, size, channels, fit), paths)


def several(decode: Callable[[Any], Picture], wanted: Sequence[Any]) -> Iterator[Picture | PictureError]:
    """What `decode` makes of each, or the PictureError that it raises, in their order. Several are decoded at a
    time."""

    def one(item: Any) -> Picture | PictureError:
        try:
            return decode(item)
        except PictureError as error:
            return error

    with _quiet(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        # A bounded number is under way, so that a large set never waits in memory.
        for start in range(0, len(wanted), _CHUNK):
            yield from pool.map(one, wanted[start : start + _CHUNK])


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of odd but readable files; what can't be read is said by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(path: Path, size: tuple[int, int], channels: int, fit: str) -> Picture:
    """A file as uint8, channels x height x width: turned as its camera says, transparency over black.

    size: height and width; channels: 1 (grey) or 3; fit: `crop` scales it to cover the size and takes the middle, `pad`
    scales it to fit inside and puts black around it, anything else stretches it. Raises PictureError.
    """
    with opened(path) as image:
        # A JPEG can be decoded at an eighth, a quarter or half its size: here never below twice what is wanted.
        image.draft("L" if channels == 1 else "RGB", (2 * max(size), 2 * max(size)))
        values = shaped(_plain(image, channels), size, fit)
        return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The picture in a file, not decoded yet, within bounds. What Pillow raises meanwhile becomes a PictureError."""
    from PIL import Image, UnidentifiedImageError

    try:
        if path.stat().st_size > MAX_FILE:
            raise PictureError(f"has more than {MAX_FILE:,} bytes")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(
                    f"claims {image.width:,}x{image.height:,} pixels; at most {MAX_PIXELS:,} are decoded"
                )
            yield image
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("is no image that can be read: no " + ", ".join(FORMATS)) from None
    except Image.DecompressionBombError:
        raise PictureError(f"claims more than the {MAX_PIXELS:,} pixels that are decoded") from None
    except FileNotFoundError:
        raise PictureError("is not there") from None
    except OSError as error:
        if "truncated" in str(error).lower():
            raise PictureError("is cut off") from None
        raise PictureError(f"can't be read: {error.strerror or error}") from None
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise PictureError(
            f"is damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from None


def _plain(image: Any, channels: int) -> Any:
    """The first picture of a file, turned upright, in 8 bits grey or red, green and blue."""
    from PIL import Image, ImageOps

    upright: Any = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        values = np.asarray(upright)
        if values.size and (int(values.min()) < 0 or int(values.max()) > 0xFFFF):
            raise PictureError("has values of more than 16 bits")
        upright = Image.fromarray((values >> 8).astype(np.uint8))
    elif upright.mode == "F":
        raise PictureError("has real numbers for values, which no image of bytes has")
    if upright.has_transparency_data:
        over = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", over.size, (0, 0, 0, 255)), over)
    return upright.convert("L" if channels == 1 else "RGB")


def shaped(image: Any, size: tuple[int, int], fit: str, *, nearest: bool = False) -> NDArray[np.uint8]:
    """A picture at another size, as `decode` does it, height x width (x channels); nearest: only values that it has."""
    from PIL import Image, ImageOps

    height, width = size
    method = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    if image.size != (width, height):
        if fit == "crop":
            image = ImageOps.fit(image, (width, height), method)
        elif fit == "pad":
            image = ImageOps.pad(image, (width, height), method)
        else:
            image = image.resize((width, height), method)
    return np.asarray(image, np.uint8)
