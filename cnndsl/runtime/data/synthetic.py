"""Made-up examples that can be learned, for whatever a network takes and gives; and drawn images with their masks."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.digits import rows_of_digits
from cnndsl.runtime.data.parts import keep_test
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

MAX_SYNTHETIC = 2 * 1024**3
"""Most bytes of made-up examples."""
MAX_MAP = 64 * 1024**2
"""Most numbers of the linear map that makes values; where it would need more, the input is blurred instead."""
_PAIR_CLASSES = 10
_LONGEST = 6
_PIECE = 32


def read_synthetic(source: Any, wanted: Wanted) -> Raw:
    """Examples of the input's shape, with targets of the task's kind. Raises DataError."""
    _bound(source, prod(wanted.input) * 4)
    random = torch.Generator().manual_seed(wanted.seed)
    if wanted.task == "sequence":
        return _sequences(source, wanted)
    if wanted.task == "map" and len(wanted.input) == 3 and len(wanted.output) == 3:
        drawn = read_shapes(source, wanted, noise=0.1 * source.noise)
        return drawn._replace(
            train=_as_floats(drawn.train), test=None if drawn.test is None else _as_floats(drawn.test)
        )
    if wanted.tokens:
        examples = _token_rows(source, wanted, random)
    elif wanted.task in ("values", "map"):
        examples = _valued(source, wanted, random)
    else:
        examples = _patterns(source, wanted, random)
    return keep_test(examples, source.test, source.name)


def _bound(source: Any, bytes_each: int) -> None:
    if source.examples * bytes_each > MAX_SYNTHETIC:
        most = MAX_SYNTHETIC // bytes_each
        raise DataError(
            f"{source.examples:,} made-up examples of {bytes_each // 4:,} values need more than 2 GiB",
            f"at most {most:,} fit: `data {source.name} {most}`" if most else "make the input smaller",
        )


def _patterns(source: Any, wanted: Wanted, random: torch.Generator) -> Examples:
    """Noise around one pattern for each class."""
    inputs = torch.randn(source.examples, *wanted.input, generator=random)
    number = _PAIR_CLASSES if wanted.task == "pair" else max(2, wanted.output[0])
    classes = torch.arange(source.examples) % number
    patterns = torch.randn(number, *wanted.input, generator=random)
    inputs.mul_(source.noise).add_(patterns[classes])
    return Examples(inputs, classes)


def _valued(source: Any, wanted: Wanted, random: torch.Generator) -> Examples:
    """A fixed random linear map of the input; for maps of values, and where that would be too large, the input blurred.

    For a class at each place that is the highest of several such maps.
    """
    inputs = torch.randn(source.examples, *wanted.input, generator=random)
    elements, outputs = prod(wanted.input), prod(wanted.output)
    if len(wanted.output) > 1 or elements * outputs > MAX_MAP:
        values = _blurred(inputs, wanted.output, random)
    else:
        weights = torch.randn(elements, outputs, generator=random) / elements**0.5
        values = (inputs.flatten(1) @ weights).reshape(source.examples, *wanted.output)
    if wanted.task == "map":
        return Examples(inputs, values.argmax(1).to(torch.uint8 if wanted.output[0] <= 256 else torch.int64))
    values += source.noise * 0.1 * torch.randn(values.shape, generator=random)
    return Examples(inputs, None, values)


def _blurred(inputs: Tensor, output: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Means of neighbouring places, resized to the output's places; its channels are mixtures of the input's."""
    axes = inputs.dim() - 2
    x = inputs if axes else inputs.unsqueeze(-1)
    pool = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[max(axes, 1) - 1]
    x = pool(x, 3, 1, 1) if axes else x
    size = output[1:] or (1,) * max(axes, 1)
    if len(size) == x.dim() - 2:
        x = functional.interpolate(x, size)
    mixture = torch.randn(output[0], x.shape[1], generator=random) * (3.0 / x.shape[1]) ** 0.5
    mixed = torch.einsum("oc,nc...->no...", mixture, x)
    return mixed.reshape(len(inputs), *output) if mixed[0].numel() == prod(output) else mixed.flatten(2).mean(2)


def _token_rows(source: Any, wanted: Wanted, random: torch.Generator) -> Examples:
    """Sequences of tokens; a few places of each hold words that only its class, or its value, has. 0 is left out."""
    vocabulary = max(wanted.tokens, 2)
    length = wanted.input[0]
    inputs = torch.randint(min(1, vocabulary - 1), vocabulary, (source.examples, length), generator=random)
    number = max(2, wanted.output[0]) if wanted.task == "class" else _PAIR_CLASSES
    classes = torch.arange(source.examples) % number
    words = 1 + torch.arange(number) % (vocabulary - 1)
    places = torch.rand(source.examples, length, generator=random).argsort(1)[:, : max(1, length // 8)]
    inputs.scatter_(1, places, words[classes].unsqueeze(1).expand_as(places))
    if wanted.task != "values":
        return Examples(inputs, classes)
    values = (classes.to(torch.float32) / (number - 1)).reshape(-1, *(1,) * len(wanted.output))
    return Examples(inputs, None, values.expand(-1, *wanted.output).contiguous())


def _sequences(source: Any, wanted: Wanted) -> Raw:
    if len(wanted.input) != 3 or wanted.output[0] < 11:
        raise DataError(
            "made-up sequences are rows of digits: the network needs an image such as 32x100x1 for input, and outputs "
            "for the ten digits and for none"
        )
    made = rows_of_digits(source.examples, (1, _LONGEST), source.test, source.name, wanted)
    return made._replace(train=_as_floats(made.train), test=None if made.test is None else _as_floats(made.test))


def _as_floats(examples: Examples) -> Examples:
    """Images of bytes as numbers from -1 to 1: what is made up is not normalized."""
    return Examples(examples.inputs.to(torch.float32).div_(127.5).sub_(1), examples.classes, examples.values)


# --- drawn shapes ---------------------------------------------------------------------------------------------------


def read_shapes(source: Any, wanted: Wanted, noise: float | None = None) -> Raw:
    """Images of bytes, and for each place its class, at the size of the network's output. Raises DataError."""
    _bound(source, prod(wanted.input) + prod(wanted.input[1:]))
    random = torch.Generator().manual_seed(wanted.seed)
    classes = max(2, wanted.output[0] if wanted.task == "map" else _LONGEST)
    if classes > 256:
        raise DataError(f"`data {source.name}` draws shapes of at most 255 classes, not {classes - 1}")
    deviation = source.noise if noise is None else noise
    pieces = [
        _drawn(min(_PIECE, source.examples - start), wanted.input, classes, deviation, random)
        for start in range(0, source.examples, _PIECE)
    ]
    images = torch.cat([image for image, _ in pieces])
    masks = torch.cat([mask for _, mask in pieces])
    names = ("ground", *(f"shape {number}" for number in range(1, classes)))
    return keep_test(Examples(images, masks), source.test, source.name)._replace(names=names)


def _drawn(
    count: int, input: tuple[int, ...], classes: int, noise: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images, uint8 N x C x H x W, and masks, uint8 N x H x W: one to four shapes on each."""
    channels, height, width = input

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=random)

    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    masks = torch.zeros(count, height, width, dtype=torch.uint8)
    side = min(height, width)
    for number in range(4):
        down = rows - draw(0, height)
        across = columns - draw(0, width)
        kind = torch.randint(1, classes, (count, 1, 1), generator=random)
        angle = torch.atan2(down, across) + draw(0, 6.2832)
        # A class's outline has as many lobes as its number says: 1 is a disc, 2 an oval, 3 a clover.
        reach = draw(0.12, 0.28) * side * (1 + torch.where(kind > 1, 0.35, 0.0) * torch.cos(kind * angle))
        inside = (down.square() + across.square()).sqrt() < reach
        shown = inside & (torch.ones(count, 1, 1, dtype=torch.bool) if number == 0 else draw(0, 1) < 0.5)
        masks = torch.where(shown, kind.to(torch.uint8), masks)
    levels = _levels(classes, channels)[masks.to(torch.int64)].movedim(3, 1)
    images = levels + noise * torch.randn(levels.shape, generator=random)
    return images.mul_(255).round_().clamp_(0, 255).to(torch.uint8), masks


def _levels(classes: int, channels: int) -> Tensor:
    """What each class is painted with, from 0 to 1: classes x channels. The ground is dark."""
    share = torch.arange(classes) / max(1, classes - 1)
    turns = torch.arange(channels) / channels
    painted = 0.6 + 0.4 * torch.cos(6.2832 * (share.unsqueeze(1) + turns)) if channels > 1 else share.unsqueeze(1)
    levels = 0.3 + 0.7 * painted
    levels[0] = 0.1
    return levels
