"""From stored examples to the network's input: size, channels, normalization; and the split.

Everything is stored with the model as plain data, so that new images are prepared the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.recipe import Recipe
from cnndsl.recipe.base import portion
from cnndsl.recipe.sources import resolve_fit
from cnndsl.runtime.data import Examples, Raw, Split
from cnndsl.runtime.data.pairs import pairs
from cnndsl.runtime.data.parts import at_most, draw
from cnndsl.runtime.errors import DataError

FIT_ONCE = {"resize": 1024**3, "pad": 64 * 1024**2, "crop": 1024**3}
"""Images that fill at most so many bytes when they are fitted are fitted once, larger sets batch by batch. Padding
costs little then, and makes sets larger."""
_PIECE = 2**20
"""Values that are looked at together while a whole set is gone through."""
FITS = ("none", "pad", "crop", "resize")


class Prepare(NamedTuple):
    """What is done to stored examples.

    fit: one of `FITS`, to `size` (height, width); input: the network's input without the batch, channels first; scale,
    shift: per channel, value * scale + shift.
    image: height, width and channels of the stored images, None where they are no images; file_fit: how a picture of
    another size becomes one of those: `crop`, `pad` or `resize` (cnndsl.runtime.data.pictures). names: of the classes.
    """

    fit: str
    size: tuple[int, int]
    input: tuple[int, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    image: tuple[int, int, int] | None = None
    file_fit: str = "pad"
    names: tuple[str, ...] = ()

    def fitted(self, images: Tensor) -> Tensor:
        """uint8 images, N x C x H x W, at the network's size; values as they are. Padding is 0, the background."""
        if self.fit == "none" or images.dtype != torch.uint8 or images.shape[2:] == self.size:
            return images
        if self.fit == "resize":
            return _resized(images, self.size)
        # A border of a negative width is cut off.
        down, right = (s - n for s, n in zip(self.size, images.shape[2:], strict=True))
        return functional.pad(images, (right // 2, right - right // 2, down // 2, down - down // 2))

    def on(
        self, device: torch.device, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Callable[[Tensor], Tensor]:
        """The function that makes stored examples on `device` float32, N x the network's input; tokens stay int64."""
        normalized, laid_out = self.normalized(device), self.laid_out(memory_format)
        return lambda stored: laid_out(normalized(self.fitted(stored)))

    def normalized(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """The function that makes stored values on `device` normalized float32, in the same shape."""
        shape = (1, len(self.scale), *[1] * (len(self.input) - 1))
        scale: Any = torch.tensor(self.scale, device=device).view(shape)
        shift: Any = torch.tensor(self.shift, device=device).view(shape)
        if len(self.scale) == 1:
            scale, shift = self.scale[0], self.shift[0]
        unchanged = self.scale == (1.0,) and self.shift == (0.0,)

        def prepared(stored: Tensor) -> Tensor:
            if stored.dtype == torch.int64:
                return stored
            x = stored.to(torch.float32)
            if unchanged:
                return x
            return (x.mul(scale) if x is stored else x.mul_(scale)).add_(shift)

        return prepared

    def laid_out(self, memory_format: torch.memory_format = torch.contiguous_format) -> Callable[[Tensor], Tensor]:
        """The function that gives normalized examples the input's channels and shape."""

        def laid_out(x: Tensor) -> Tensor:
            if x.shape[1:] != self.input:
                x = x.expand(-1, self.input[0], -1, -1) if len(self.input) == 3 else x.flatten(1)
            return x.contiguous(memory_format=memory_format) if x.dim() == 4 else x

        return laid_out

    def to_json(self) -> dict[str, Any]:
        """As plain data, from which `prepare_from_json` makes an equal one."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in self._asdict().items()}


def prepare_from_json(data: Any) -> Prepare:
    """What `Prepare.to_json` wrote. Raises ValueError, with a sentence, if it is not that."""
    if not isinstance(data, dict) or set(data) != set(Prepare._fields):
        raise ValueError("how inputs are prepared is not said as this version says it")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    made = Prepare(**values)
    whole = (made.size, made.input, made.image or ())
    numbers = (made.scale, made.shift)
    good = (
        made.fit in FITS
        and made.file_fit in FITS
        and all(isinstance(group, tuple) and all(type(n) is int and 0 <= n < 2**31 for n in group) for group in whole)
        and all(isinstance(group, tuple) and all(_is_number(n) for n in group) for group in numbers)
        and (len(made.size), len(made.image or (0, 0, 0))) == (2, 3)
        and len(made.scale) == len(made.shift) > 0
        and isinstance(made.names, tuple)
        and all(isinstance(name, str) for name in made.names)
    )
    if not good:
        raise ValueError("how inputs are prepared is not said in numbers that can be")
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    smaller = size[0] < images.shape[2] or size[1] < images.shape[3]
    resized = functional.interpolate(
        images.to(torch.float32), size, mode="bilinear", align_corners=False, antialias=smaller
    )
    return resized.round_().clamp_(0, 255).to(torch.uint8)


class Prepared(NamedTuple):
    """Examples ready for training, and what was done, in sentences for the user."""

    split: Split
    prepare: Prepare
    said: tuple[str, ...]


def prepare(
    raw: Raw, recipe: Recipe, input: tuple[int, ...], limit: int | None = None, task: str = "class"
) -> Prepared:
    """Split, fit and normalize; `limit` takes at most so many examples of each part. Raises DataError.

    task: the kind of target (`cnndsl.recipe.task.Task`): of `pair`, examples become pairs.
    """
    split, names = _split(raw, recipe, limit), raw.names
    said = list(raw.said)
    del raw  # the stored images go as soon as they are not needed any more
    fit, size, image = "none", (0, 0), None
    if split.train.inputs.dtype == torch.uint8:
        stored = split.train.inputs.shape[1]
        if len(input) == 3 and input[0] == 1 and stored == 3:
            split = split.each(lambda part: _changed(part, grey))
            said.append("their colours are made grey")
        height, width = (int(n) for n in split.train.inputs.shape[2:])
        image = (height, width, int(split.train.inputs.shape[1]))
        size = (input[1], input[2]) if len(input) == 3 else (height, width)
        fit = resolve_fit(getattr(recipe.data, "fit", "auto"), (height, width), size)
        said += _said_fit(fit, image, size, input)
    file_fit = getattr(recipe.data, "fit", "pad")
    bare = Prepare(fit, size, input, (1.0,), (0.0,), image, file_fit if file_fit in FITS else "pad", names)
    if image is not None and fit in FIT_ONCE:
        most = max(len(part) for part in split if part is not None)
        if most * image[2] * size[0] * size[1] <= FIT_ONCE[fit]:
            split = split.each(lambda part: _changed(part, bare.fitted))
    scale, shift = _affine(recipe, split.train, bare)
    made = bare._replace(scale=scale, shift=shift)
    if recipe.normalize.name != "none":
        said.append(_said_normalize(recipe, made))
    if recipe.augment:
        said.append(f"augmented in training: {', '.join(one.brief() for one in recipe.augment)}")
    if task == "pair":
        split = split.each(lambda part: pairs(part, recipe.seed))
        said.append("each with a partner that is drawn anew in every epoch, half of them of its class")
    return Prepared(split, made, tuple(said))


def _split(raw: Raw, recipe: Recipe, limit: int | None) -> Split:
    """The training examples that are left, those for validation, which may be a part of their own, and the test's."""
    total = len(raw.train)
    train, validation = raw.train, raw.validation
    wanted = portion(recipe.validation, total)
    if wanted >= total:
        raise DataError(
            f"`data {recipe.data.name}` has {total:,} examples to train with; `validation {wanted:,}` leaves none",
            "write a share, such as `validation 0.1`",
        )
    if wanted and validation is None:
        train, validation = draw(train, wanted, recipe.seed)
    if not wanted and raw.validation is not None:
        validation = None
    return Split(train, validation, raw.test if recipe.test else None).each(lambda part: at_most(part, limit))


def grey(images: Tensor) -> Tensor:
    """Images of bytes in red, green and blue as one channel: Rec. 601 luma, rounded as Pillow does."""
    weighed = images.to(torch.int32) * torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(1, 3, 1, 1)
    return (weighed.sum(1, keepdim=True, dtype=torch.int32) + 0x8000 >> 16).to(torch.uint8)


def _changed(part: Examples, change: Callable[[Tensor], Tensor]) -> Examples:
    """The part with its inputs changed: put together as they come, so that only one piece is there twice."""
    made, start = torch.empty(0), 0
    for piece in part.pieces(_PIECE):
        new = change(piece)
        if not start:
            made = torch.empty(len(part), *new.shape[1:], dtype=new.dtype)
        made[start : start + len(new)] = new
        start += len(new)
    return Examples(made, part.classes, part.values, part.others, part.rows)


def _affine(recipe: Recipe, train: Examples, fit: Prepare) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The factor and addend of each channel that the recipe's normalization means."""
    kind = train.inputs.dtype
    if recipe.normalize.name == "none" or kind == torch.int64:
        return (1.0,), (0.0,)
    highest = 255.0 if kind == torch.uint8 else float(train.inputs.max())
    bounds = recipe.normalize.bounds()
    if bounds is not None:
        low, high = bounds
        return ((high - low) / (highest or 1.0),), (low,)
    mean, deviation = statistics(train, fit)
    # A channel that never changes stays at 0; dividing by its deviation would make it NaN.
    scales = [1 / d if d > 0 else 1.0 for d in deviation]
    return tuple(scales), tuple(-m * s for m, s in zip(mean, scales, strict=True))


def statistics(examples: Examples, fit: Prepare) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel over all examples and places, as the network will see them."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for piece in examples.pieces(_PIECE):
        x = fit.fitted(piece)
        channels = x.to(torch.float64).flatten(2) if x.dim() > 2 else x.to(torch.float64).unsqueeze(2)
        count += channels.shape[0] * channels.shape[2]
        total = total + channels.sum((0, 2))
        squares = squares + channels.square().sum((0, 2))
    mean = total / count
    variance = (squares / count - mean.square()).clamp_(min=0)
    return mean.tolist(), variance.sqrt().tolist()


def _said_fit(fit: str, image: tuple[int, int, int], size: tuple[int, int], input: tuple[int, ...]) -> list[str]:
    *sides, channels = image
    shown, wanted = "x".join(map(str, sides)), "x".join(map(str, size))
    done = {
        "pad": f"images of {shown} are padded with background to {wanted}",
        "crop": f"of images of {shown} the middle {wanted} is taken",
        "resize": f"images of {shown} are resized to {wanted} (bilinear)",
    }
    said = [done[fit]] if fit in done else []
    if len(input) == 1:
        said.append(f"images of {shown}x{channels} are flattened to {input[0]} values, row by row")
    elif input[0] != channels:
        said.append(f"their {channels} channel is repeated {input[0]} times")
    return said


def _said_normalize(recipe: Recipe, made: Prepare) -> str:
    if recipe.normalize.name == "standard":
        means = ", ".join(f"{-b / a:.4g}" for a, b in zip(made.scale[:3], made.shift[:3], strict=True))
        deviations = ", ".join(f"{1 / a:.4g}" for a in made.scale[:3])
        return f"normalized by the training set's mean {means} and deviation {deviations}"
    low = made.shift[0]
    return f"normalized: 0 becomes {low:.4g}, the largest value {recipe.normalize.bounds()[1]:.4g}"  # type: ignore[index]
