"""From stored examples to the network's input: size, channels, normalization; and the split.

Everything is stored with the model as plain data, so that new images are prepared the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.recipe import Recipe
from cnndsl.recipe.base import portion
from cnndsl.recipe.sources import resolve_fit
from cnndsl.runtime.data import Examples, Raw, Split
from cnndsl.runtime.data.sources import evenly
from cnndsl.runtime.errors import DataError

FIT_ONCE = 1024**3
"""Images that fill at most so many bytes after fitting are fitted once; larger sets batch by batch."""
_PIECE = 4096


class Prepare(NamedTuple):
    """What is done to stored examples.

    fit: `none`, `pad` or `resize`, to `size` (height, width); input: the network's input without the batch,
    channels first; scale, shift: per channel, value * scale + shift.
    """

    fit: str
    size: tuple[int, int]
    input: tuple[int, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]

    def fitted(self, images: Tensor) -> Tensor:
        """uint8 images, N x C x H x W, at the network's size; values as they are. Padding is 0, the background."""
        if self.fit == "none" or images.dtype != torch.uint8 or images.shape[2:] == self.size:
            return images
        if self.fit == "pad":
            down, right = (s - n for s, n in zip(self.size, images.shape[2:], strict=True))
            return functional.pad(images, (right // 2, right - right // 2, down // 2, down - down // 2))
        smaller = self.size[0] < images.shape[2] or self.size[1] < images.shape[3]
        resized = functional.interpolate(
            images.to(torch.float32), self.size, mode="bilinear", align_corners=False, antialias=smaller
        )
        return resized.round_().clamp_(0, 255).to(torch.uint8)

    def on(
        self, device: torch.device, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Callable[[Tensor], Tensor]:
        """The function that makes stored examples on `device` float32, N x the network's input."""
        shape = (1, len(self.scale), *[1] * (len(self.input) - 1))
        scale: Any = torch.tensor(self.scale, device=device).view(shape)
        shift: Any = torch.tensor(self.shift, device=device).view(shape)
        if len(self.scale) == 1:
            scale, shift = self.scale[0], self.shift[0]
        unchanged = self.scale == (1.0,) and self.shift == (0.0,)

        def prepared(stored: Tensor) -> Tensor:
            x = self.fitted(stored).to(torch.float32)
            if not unchanged:
                x = x.mul(scale).add_(shift)
            if x.shape[1:] != self.input:
                x = x.expand(-1, self.input[0], -1, -1) if len(self.input) == 3 else x.flatten(1)
            return x.contiguous(memory_format=memory_format) if x.dim() == 4 else x

        return prepared

    def to_json(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in self._asdict().items()}


class Prepared(NamedTuple):
    """Examples ready for training, and what was done, in sentences for the user."""

    split: Split
    prepare: Prepare
    said: tuple[str, ...]


def prepare(raw: Raw, recipe: Recipe, input: tuple[int, ...], limit: int | None = None) -> Prepared:
    """Split, fit and normalize; `limit` takes at most so many examples of each part. Raises DataError."""
    split = _split(raw, recipe, limit)
    said = []
    fit, size = "none", (0, 0)
    image = split.train.inputs.dtype == torch.uint8
    if image:
        height, width = (int(n) for n in split.train.inputs.shape[2:])
        size = (input[1], input[2]) if len(input) == 3 else (height, width)
        fit = resolve_fit(recipe.data.fit, (height, width), size)  # type: ignore[attr-defined]
        said += _said_fit(fit, (height, width), size, split.train.inputs.shape[1], input)
    bare = Prepare(fit, size, input, (1.0,), (0.0,))
    if image and fit != "none":
        total = sum(len(part) for part in split if part is not None)
        if total * split.train.inputs.shape[1] * size[0] * size[1] <= FIT_ONCE:
            split = split.each(lambda part: _fit_once(part, bare))
    scale, shift = _affine(recipe, split.train.inputs, bare)
    made = bare._replace(scale=scale, shift=shift)
    if recipe.normalize.name != "none":
        said.append(_said_normalize(recipe, made))
    return Prepared(split, made, tuple(said))


def _split(raw: Raw, recipe: Recipe, limit: int | None) -> Split:
    total = len(raw.train)
    wanted = portion(recipe.validation, total)
    if wanted >= total:
        raise DataError(
            f"`data {recipe.data.name}` has {total:,} examples to train with; `validation {wanted:,}` leaves none",
            "write a share, such as `validation 0.1`",
        )
    train, validation = raw.train, None
    if wanted:
        order = torch.randperm(total, generator=torch.Generator().manual_seed(recipe.seed))
        validation = raw.train.pick(order[:wanted].sort().values)
        train = raw.train.pick(order[wanted:].sort().values)
    return Split(train, validation, raw.test if recipe.test else None).each(lambda part: _limited(part, limit))


def _limited(part: Examples, limit: int | None) -> Examples:
    if limit is None or len(part) <= limit:
        return part
    return part.pick(torch.nonzero(evenly(part.classes, len(part), limit)).squeeze(1))


def _fit_once(part: Examples, fit: Prepare) -> Examples:
    return replace(part, inputs=torch.cat([fit.fitted(piece) for piece in _pieces(part.inputs)]))


def _pieces(inputs: Tensor) -> list[Tensor]:
    return [inputs[start : start + _PIECE] for start in range(0, len(inputs), _PIECE)]


def _affine(recipe: Recipe, inputs: Tensor, fit: Prepare) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The factor and addend of each channel that the recipe's normalization means."""
    if recipe.normalize.name == "none":
        return (1.0,), (0.0,)
    highest = 255.0 if inputs.dtype == torch.uint8 else float(inputs.max())
    bounds = recipe.normalize.bounds()
    if bounds is not None:
        low, high = bounds
        return ((high - low) / (highest or 1.0),), (low,)
    mean, deviation = statistics(inputs, fit)
    # A channel that never changes stays at 0; dividing by its deviation would make it NaN.
    scales = [1 / d if d > 0 else 1.0 for d in deviation]
    return tuple(scales), tuple(-m * s for m, s in zip(mean, scales, strict=True))


def statistics(inputs: Tensor, fit: Prepare) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel over all examples and places, as the network will see them."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for piece in _pieces(inputs):
        x = fit.fitted(piece)
        channels = x.to(torch.float64).flatten(2) if x.dim() > 2 else x.to(torch.float64).unsqueeze(2)
        count += channels.shape[0] * channels.shape[2]
        total = total + channels.sum((0, 2))
        squares = squares + channels.square().sum((0, 2))
    mean = total / count
    variance = (squares / count - mean.square()).clamp_(min=0)
    return mean.tolist(), variance.sqrt().tolist()


def _said_fit(
    fit: str, image: tuple[int, int], size: tuple[int, int], channels: int, input: tuple[int, ...]
) -> list[str]:
    shown, wanted = "x".join(map(str, image)), "x".join(map(str, size))
    said = []
    if fit == "pad":
        said.append(f"images of {shown} are padded with background to {wanted}")
    elif fit == "resize":
        said.append(f"images of {shown} are resized to {wanted} (bilinear)")
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
