"""Augmentations on whole batches, on the device where the examples lie. Nothing here waits for the device.

Mirroring and moving by whole cells are maps of indices: however many there are, each example is gathered once, as the
bytes it is stored in. Rotation, scaling, shearing and bending next to each other are one bilinear resampling. Then
examples are normalized; holes, noise and mixing come last. All random numbers are drawn from one generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import groupby
from math import ceil, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LUMA = (0.2989, 0.587, 0.114)
"""Shares of red, green and blue in grey, as torchvision rounds Rec. 601."""
_PADDING = {"zero": "zeros", "edge": "border", "reflect": "reflection"}
_SMALLEST = 1e-30

GEOMETRY = ("flip", "crop", "affine", "elastic", "color")
INPUT = ("cutout", "noise")
MIXING = ("mixup", "cutmix")


class Drawn(NamedTuple):
    """What random numbers are drawn for: how many examples, the generator, and which examples, in which epoch.

    rows: the examples' numbers in their part (int64, N), or None where nobody numbers them. within: of several
    processes, where in a batch these examples begin, and how many it has: numbers are drawn for all of it.
    """

    size: int
    random: torch.Generator
    rows: Tensor | None
    epoch: int
    within: tuple[int, int] | None = None

    @property
    def device(self) -> torch.device:
        return self.random.device

    def uniform(self, low: float, high: float, *sizes: int) -> Tensor:
        """float32, N x sizes."""
        return self._ours(torch.rand, sizes).mul_(high - low).add_(low)

    def integers(self, low: int, high: int, *sizes: int) -> Tensor:
        """int64 from `low` to `high`, both included; N x sizes."""
        return self._ours(partial(torch.randint, low, high + 1), sizes)

    def coin(self, chance: float) -> Tensor:
        """Which examples are to be changed: boolean, N."""
        return self._ours(torch.rand, ()) < chance

    def normal(self, *sizes: int) -> Tensor:
        """float32, N x sizes."""
        return self._ours(torch.randn, sizes)

    def _ours(self, draw: Callable[..., Tensor], sizes: tuple[int, ...]) -> Tensor:
        """Random numbers for these examples, of those for the whole batch."""
        start, whole = self.within or (0, self.size)
        drawn = draw((whole, *sizes), generator=self.random, device=self.device)
        return drawn if whole == self.size else drawn[start : start + self.size]


class Images(NamedTuple):
    """Stored examples, N x C x places, and the maps of classes that belong to them, N x places, if there are any."""

    values: Tensor
    maps: Tensor | None = None

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(self.values.shape[2:])


# --- geometry -------------------------------------------------------------------------------------------------------


def changed(images: Images, augmentations: Sequence[Any], drawn: Drawn) -> Images:
    """The images after all augmentations of `GEOMETRY`, in their order."""
    for kind, group in groupby(augmentations, key=lambda one: _STEPS.get(one.name)):
        if kind is not None:
            images = kind(images, list(group), drawn)
    return images


def _gathered(images: Images, group: list[Any], drawn: Drawn) -> Images:
    """Flips and crops, composed into one map of indices."""
    places = images.places
    # Which cell of the stored example comes to each place, along each axis; -1 for what comes from outside.
    axes = [torch.arange(size, device=drawn.device).expand(drawn.size, -1) for size in places]
    for one in group:
        if one.name == "flip":
            last = len(axes) - 2 if one.vertical else len(axes) - 1
            axes[last] = torch.where(_mirrored(one, drawn).unsqueeze(1), axes[last].flip(1), axes[last])
        else:
            axes = [_moved(axis, one, drawn) for axis in axes]
    cells: Any = axes[0]
    for axis, size in zip(axes[1:], places[1:], strict=True):
        cells = cells.unsqueeze(-1) * size + axis.view(drawn.size, *(1,) * (cells.dim() - 1), size)
    outside: Any = None
    if any(one.name == "crop" and one.fill == "zero" for one in group):
        outside = torch.zeros((), dtype=torch.bool, device=drawn.device)
        for number, axis in enumerate(axes):
            shape = [drawn.size, *(size if other == number else 1 for other, size in enumerate(places))]
            outside = outside | (axis < 0).view(shape)
        cells = cells.clamp(min=0)
    return Images(_taken(images.values, cells, outside), _taken(images.maps, cells, outside))


def _mirrored(one: Any, drawn: Drawn) -> Tensor:
    if not one.alternate or drawn.rows is None:
        return drawn.coin(one.chance)
    # A bit of each example's own, from its number alone, and the other one in every second epoch.
    mixed = (drawn.rows + 1) * 0x9E3779B97F4A7C1 % (2**61 - 1)
    return ((mixed >> 29) + drawn.epoch) % 2 == 1


def _moved(axis: Tensor, one: Any, drawn: Drawn) -> Tensor:
    size = axis.shape[1]
    cells = torch.arange(size, device=drawn.device) + drawn.integers(-one.pixels, one.pixels, 1)
    if one.fill == "zero":
        inside = (cells >= 0) & (cells < size)
        return torch.where(inside, axis.gather(1, cells.clamp(0, size - 1)), -1)
    if one.fill == "reflect":
        cells = _reflected(cells, size)
    return axis.gather(1, cells.clamp(0, size - 1))


def _reflected(cells: Tensor, size: int) -> Tensor:
    """Cells outside as in a mirror whose surface is the middle of the outermost cells, however far out."""
    if size == 1:
        return torch.zeros_like(cells)
    period = 2 * (size - 1)
    within = cells.remainder(period)
    return torch.minimum(within, period - within)


def _taken(values: Tensor | None, cells: Tensor, outside: Tensor | None) -> Any:
    """The cells of N x C x places or N x places, in their order."""
    if values is None:
        return None
    whole = values if values.dim() > cells.dim() else values.unsqueeze(1)
    count, channels = whole.shape[:2]
    found = whole.reshape(count, channels, -1).gather(2, cells.reshape(count, 1, -1).expand(-1, channels, -1))
    found = found.view(count, channels, *cells.shape[1:])
    if outside is not None:
        found = found.masked_fill_(outside.unsqueeze(1), 0)
    return found if values.dim() > cells.dim() else found.squeeze(1)


def _warped(images: Images, group: list[Any], drawn: Drawn) -> Images:
    """Affine maps and bends as one bilinear resampling; classes are those of the nearest cell."""
    height, width = images.places
    theta: Any = None
    field: Any = None
    for one in group:
        if one.name == "affine":
            theta = _composed(theta, affine_matrices(one, (height, width), drawn))
        else:
            bend = displacements(one, (height, width), drawn)
            field = bend if field is None else field + bend
    if theta is None:
        theta = torch.eye(2, 3, device=drawn.device).expand(drawn.size, -1, -1)
    grid = functional.affine_grid(theta, [drawn.size, 1, height, width], align_corners=False)
    if field is not None:
        grid = grid + field
    padding = _PADDING[group[-1].fill]
    values = images.values.to(torch.float32)
    values = functional.grid_sample(values, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    maps = images.maps
    if maps is not None:
        nearest = functional.grid_sample(
            maps.unsqueeze(1).to(torch.float32), grid, mode="nearest", padding_mode=padding, align_corners=False
        )
        maps = nearest.squeeze(1).to(maps.dtype)
    return Images(values, maps)


def affine_matrices(one: Any, size: tuple[int, int], drawn: Drawn) -> Tensor:
    """Maps from places in the new image to places in the old, N x 2 x 3, in units of half the image's sides.

    What is in the image is scaled, sheared and turned clockwise, all about the middle, and moved.
    """
    height, width = size
    angle = drawn.uniform(-one.rotate, one.rotate) * (pi / 180)
    scale = drawn.uniform(1 - one.scale, 1 + one.scale)
    slant = torch.tan(drawn.uniform(-one.shear, one.shear) * (pi / 180))
    across, down = (drawn.uniform(-one.shift, one.shift) * side for side in (width, height))
    kept = ~drawn.coin(one.chance)
    angle, slant, across, down = (torch.where(kept, 0.0, n) for n in (angle, slant, across, down))
    scale = torch.where(kept, 1.0, scale)
    # The inverse of rotation x shear x scale: what stands at p was at (R S k)^-1 (p - t).
    cosine, sine = torch.cos(angle), torch.sin(angle)
    a, b = (cosine - slant * sine) / scale, (sine + slant * cosine) / scale
    c, d = -sine / scale, cosine / scale
    x, y = -(a * across + b * down), -(c * across + d * down)
    rows = [a, b * (height / width), x * (2 / width), c * (width / height), d, y * (2 / height)]
    return torch.stack(rows, 1).view(-1, 2, 3)


def _composed(first: Tensor | None, second: Tensor) -> Tensor:
    """The map of both, one after the other."""
    if first is None:
        return second
    linear = first[:, :, :2]
    return torch.cat([linear @ second[:, :, :2], linear @ second[:, :, 2:] + first[:, :, 2:]], 2)


def displacements(one: Any, size: tuple[int, int], drawn: Drawn) -> Tensor:
    """How far beside each cell is taken from, N x height x width x 2 (across, down), in units of half the sides.

    Simard et al. 2003, section 2: uniform noise from -1 to 1, convolved with a normalized Gaussian, times the strength.
    The noise goes on at the opposite border, so that bends are as strong at the borders as in the middle.
    """
    height, width = size
    noise = drawn.uniform(-1, 1, 2, height, width)
    smooth: Tensor = _gaussian(height, one.sigma, drawn.device) @ noise @ _gaussian(width, one.sigma, drawn.device)
    smooth = smooth * (one.strength * drawn.coin(one.chance)).view(-1, 1, 1, 1)
    return smooth.movedim(1, 3) * _constant((2 / width, 2 / height), drawn.device)


@lru_cache(maxsize=64)
def _constant(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers on the device, brought there once: a GPU would be waited for each time."""
    return torch.tensor(numbers, device=device)


@lru_cache(maxsize=16)
def _gaussian(size: int, sigma: float, device: torch.device) -> Tensor:
    """The convolution of `size` numbers, which begin again behind the last, with a Gaussian: a symmetric matrix."""
    reach = ceil(3 * sigma)
    at = torch.arange(-reach, reach + 1, device=device)
    weights = torch.exp(-0.5 * (at / sigma).square())
    places = torch.arange(size, device=device)
    circle = torch.zeros(size, device=device).index_add_(0, at.remainder(size), weights / weights.sum())
    return circle[(places - places.unsqueeze(1)).remainder(size)]


def _coloured(images: Images, group: list[Any], drawn: Drawn) -> Images:
    values = images.values
    highest = 255.0 if values.dtype == torch.uint8 else float("inf")
    x = values.to(torch.float32)
    for one in group:
        kept = ~drawn.coin(one.chance)
        for amount, centre in (
            (one.brightness, _black),
            (one.contrast, _mean_grey),
            (one.saturation, _grey),
        ):
            if amount:
                factor = torch.where(kept, 1.0, drawn.uniform(1 - amount, 1 + amount)).view(-1, 1, 1, 1)
                middle = centre(x)
                x = middle + (x - middle) * factor
                x = x.clamp(0, highest) if highest < float("inf") else x
    return images._replace(values=x)


def _black(x: Tensor) -> Tensor:
    return torch.zeros((), device=x.device)


def _grey(x: Tensor) -> Tensor:
    """N x 1 x height x width."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * _constant(LUMA, x.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _mean_grey(x: Tensor) -> Tensor:
    return _grey(x).mean((2, 3), keepdim=True)


_STEPS: dict[str, Callable[[Images, list[Any], Drawn], Images]] = {
    "flip": _gathered,
    "crop": _gathered,
    "affine": _warped,
    "elastic": _warped,
    "color": _coloured,
}


# --- on the network's input -----------------------------------------------------------------------------------------


def spoiled(x: Tensor, augmentations: Sequence[Any], drawn: Drawn) -> Tensor:
    """Normalized examples with holes and noise."""
    for one in augmentations:
        if one.name == "cutout":
            x = torch.where(_boxes(x, one, drawn), 0.0, x)
        elif one.name == "noise":
            noise = drawn.normal(*x.shape[1:])
            strength = (one.deviation * drawn.coin(one.chance)).view(-1, *(1,) * (x.dim() - 1))
            x = torch.addcmul(x, noise, strength)
    return x


def _boxes(x: Tensor, one: Any, drawn: Drawn) -> Tensor:
    """Where the holes are: N x 1 x places. Each one's middle is any cell."""
    chosen = drawn.coin(one.chance)
    inside: Tensor = chosen.view(-1, *(1,) * (x.dim() - 1))
    for axis, size in enumerate(x.shape[2:]):
        first = drawn.integers(0, size - 1, 1) - one.size // 2
        cells = torch.arange(size, device=x.device)
        along = (cells >= first) & (cells < first + one.size)
        inside = inside & along.view(-1, 1, *(size if other == axis else 1 for other in range(x.dim() - 2)))
    return inside


class Mixture(NamedTuple):
    """Examples mixed with others of their batch: the inputs, the others' numbers, and the share of the first ones."""

    inputs: Tensor
    partners: Tensor
    share: Tensor


def mixed(x: Tensor, augmentations: Sequence[Any], drawn: Drawn) -> Mixture | None:
    """The batch mixed as one of the augmentations of `MIXING` says, drawn if there are several."""
    chosen = [one for one in augmentations if one.name in MIXING]
    if not chosen:
        return None
    partners = torch.randperm(drawn.size, generator=drawn.random, device=drawn.device)
    others = x.index_select(0, partners)
    found = [_mixture(x, others, one, drawn) for one in chosen]
    inputs, share = found[0]
    for number, (other_inputs, other_share) in enumerate(found[1:], 2):
        # Each of so many is equally likely in the end.
        take = torch.rand((), generator=drawn.random, device=drawn.device) < 1 / number
        inputs, share = torch.where(take, other_inputs, inputs), torch.where(take, other_share, share)
    return Mixture(inputs, partners, share)


def _mixture(x: Tensor, others: Tensor, one: Any, drawn: Drawn) -> tuple[Tensor, Tensor]:
    share = _beta(one.alpha, drawn)
    whole = torch.rand((), generator=drawn.random, device=drawn.device) >= one.chance
    share = torch.where(whole, 1.0, share)
    if one.name == "mixup":
        return torch.lerp(others, x, share), share
    box = _box(x, share, drawn)
    return torch.where(box, others, x), 1 - box.to(torch.float32).mean()


def _beta(alpha: float, drawn: Drawn) -> Tensor:
    """One number from Beta(alpha, alpha): of two from the gamma distribution, the first one's share."""
    shape = torch.full((2,), alpha, device=drawn.device, dtype=torch.float64)
    gamma: Tensor = torch._standard_gamma(shape, generator=drawn.random).clamp(min=_SMALLEST)
    return (gamma[0] / gamma.sum()).to(torch.float32)


def _box(x: Tensor, share: Tensor, drawn: Drawn) -> Tensor:
    """Yun et al. 2019, appendix A: a box with sides in the input's proportion, of 1 - share of its area, about a middle
    that is drawn evenly, as far as it lies inside; 1 x 1 x places."""
    axes = x.dim() - 2
    inside = torch.ones((1,) * x.dim(), dtype=torch.bool, device=x.device)
    side = (1 - share) ** (1 / axes)
    for axis, size in enumerate(x.shape[2:]):
        middle = torch.randint(size, (), generator=drawn.random, device=drawn.device)
        length = (side * size).to(torch.int64)
        cells = torch.arange(size, device=x.device)
        along = (cells >= middle - length // 2) & (cells < middle - length // 2 + length)
        inside = inside & along.view(1, 1, *(size if other == axis else 1 for other in range(axes)))
    return inside


def soft(classes: Tensor, mixture: Mixture, outputs: int) -> Tensor:
    """Shares of classes as targets of mixed examples: float32, N x outputs x places."""
    whole = functional.one_hot(classes, outputs).movedim(-1, 1).to(torch.float32)
    return torch.lerp(whole.index_select(0, mixture.partners), whole, mixture.share)
