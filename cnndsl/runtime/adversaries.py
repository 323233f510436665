"""Two networks that train each other: a generator and a discriminator (Goodfellow et al. 2014)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.graph import Graph
from cnndsl.recipe import Recipe
from cnndsl.recipe.checks import input_shapes
from cnndsl.recipe.ends import main_end
from cnndsl.recipe.pair import Pair
from cnndsl.runtime.data import Batch
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.data.wanted import channels_first
from cnndsl.runtime.evaluate import function
from cnndsl.runtime.files import write_error, write_file
from cnndsl.runtime.fused import Fused
from cnndsl.runtime.learners import LossIsNoNumber, Moment, Stepped
from cnndsl.runtime.module import build_module
from cnndsl.runtime.optimizing import average, groups, optimizer, penalties
from cnndsl.runtime.saved_pictures import pictured
from cnndsl.runtime.starting import start_from

SAMPLES = "samples"
"""The folder of pictures of what the generator makes after each epoch."""
SHOWN = 64
"""How many samples a picture has."""
_COLUMNS = 8
_NAMES = ("discriminator_loss", "generator_loss", "real", "made")


class Side:
    """One of the two: its module, its optimizer, and the weights whose squares are part of its loss."""

    def __init__(self, graph: Graph, recipe: Recipe) -> None:
        self.name = graph.name
        self.graph = graph
        self.module = build_module(graph)
        self.chosen = recipe.of("optimizer", graph.name) or recipe.optimizer

    def ready(self) -> None:
        """Once the module is where it is trained."""
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = optimizer(self.chosen, groups(self.module, self.chosen))
        self.fused = Fused(self.optimizer)
        self.penalties = penalties(self.graph, self.module)

    def update(self, loss: Tensor, moment: Moment, clip: float) -> None:
        """One step down the gradient of a loss in this side's weights alone. Raises LossIsNoNumber on a CPU."""
        for factor, weight in self.penalties:
            loss = loss + factor * weight.square().sum()
        if loss.device.type == "cpu" and not isfinite(value := loss.item()):
            raise LossIsNoNumber(value)
        for group in self.optimizer.param_groups:
            group["lr"] = self.chosen.lr * moment.factor
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward(inputs=self.parameters)  # type: ignore[no-untyped-call]
        if clip:
            nn.utils.clip_grad_norm_(self.parameters, clip)
        self.fused.step()


class Adversaries:
    """The learner of a pair: in each step the discriminator moves on examples and on as many made ones, then the
    generator on those, judged by the discriminator as it is then. That is the order of DCGAN's published code.

    Its sums are both losses and the mean scores of examples and of what was made, each times the number of examples.
    """

    width = len(_NAMES)

    def __init__(self, pair: Pair, recipe: Recipe, device: torch.device, *, bf16: bool = False) -> None:
        self.recipe = recipe
        self.device = device
        self.bf16 = bf16
        self.generator, self.discriminator = (Side(graph, recipe) for graph in pair.graphs)
        sides = (self.generator, self.discriminator)
        self.module: nn.Module = nn.ModuleDict({side.name: side.module for side in sides}).to(device)
        for side in sides:
            side.ready()
        self.average = average(self.module, recipe)
        self.noise = channels_first(input_shapes(pair.generator)[0])
        self.random: torch.Generator | None = None
        loss: Any = recipe.loss
        end = main_end(pair.discriminator).node.kind
        self.losses = function(loss.discriminator(end)), function(loss.generator(end))
        self.judged = function(loss.judged(end))

    def start(self, place: str) -> list[str]:
        """Before the first step: `cnndsl.runtime.starting.start_from` for both networks, and for what averages them."""
        said = start_from(self.module, place)
        self.average = average(self.module, self.recipe)
        return said

    @property
    def measured(self) -> nn.Module:
        return self.average.module if self.average is not None else self.module

    def begin(self, *, training: bool) -> None:
        self.module.train(training)
        # Every measurement is made with the same random numbers, and takes none of training's.
        self.random = None if training else torch.Generator(self.device).manual_seed(self.recipe.seed)

    def begin_epoch(self, sample: Callable[[int], Batch], epochs: int) -> None:
        """Nothing has to be looked at."""

    def made(self, module: nn.Module, noise: Tensor) -> Tensor:
        """What the generator of these modules makes of random numbers."""
        with self._lower():
            return _only(module[self.generator.name](noise)).float()  # type: ignore[index]

    def scores(self, module: nn.Module, examples: Tensor) -> Tensor:
        """The discriminator's score of each example, shape N."""
        with self._lower():
            return _only(module[self.discriminator.name](examples)).float().flatten()  # type: ignore[index]

    def drawn(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """The random numbers of so many examples: standard normal ones."""
        return torch.randn(count, *self.noise, device=self.device, generator=random)

    def _lower(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def step(self, batches: Iterable[Batch], count: int, moment: Moment) -> Stepped:
        (batch,) = batches
        made = self.made(self.module, self.drawn(count))
        real, false = self.scores(self.module, batch.inputs[0]), self.scores(self.module, made.detach())
        first = self.losses[0](real, false)
        self.discriminator.update(first, moment, self.recipe.clip)
        second = self.losses[1](self.scores(self.module, made))
        self.generator.update(second, moment, self.recipe.clip)
        if self.average is not None:
            self.average.update(moment.number, moment.done)
        return Stepped((first + second).detach(), self._sums(first, second, real, false))

    @torch.no_grad()
    def _sums(self, first: Tensor, second: Tensor, real: Tensor, false: Tensor) -> Tensor:
        count = len(real)
        return torch.stack([first * count, second * count, self.judged(real).sum(), self.judged(false).sum()]).detach()

    def measure(self, batch: Batch) -> Tensor:
        with torch.inference_mode():
            real = self.scores(self.measured, batch.inputs[0])
            false = self.scores(self.measured, self.made(self.measured, self.drawn(batch.count, self.random)))
            return self._sums(self.losses[0](real, false), self.losses[1](false), real, false)

    def values(self, sums: Sequence[float], count: float, *, training: bool) -> dict[str, float]:
        return {name: value / count for name, value in zip(_NAMES, sums, strict=True)}

    def shown(self, found: dict[str, float]) -> dict[str, tuple[float, bool]]:
        return {name: (value, False) for name, value in found.items()}

    def samples(self) -> Tensor:
        """What the generator makes in evaluation, always of the same random numbers."""
        self.begin(training=False)
        with torch.inference_mode():
            return self.made(self.measured, self.drawn(SHOWN, self.random))

    def state(self) -> dict[str, Any]:
        mean = {} if self.average is None else {"average": self.average.module.state_dict()}
        optimizers = [side.fused.state_dict() for side in (self.generator, self.discriminator)]
        return {"model": self.module.state_dict(), "optimizers": optimizers, **mean}

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        for side, kept in zip((self.generator, self.discriminator), state["optimizers"], strict=True):
            side.fused.load_state_dict(kept)
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])


def _only(given: Any) -> Tensor:
    """The only output of a module."""
    found: Tensor = given[0] if isinstance(given, tuple) else given
    return found


def save_samples(run: Path, epoch: int, samples: Tensor, prepare: Prepare) -> None:
    """Write what was made after an epoch as one PNG picture, where it is images. Raises WriteError."""
    if samples.dim() != 4 or samples.shape[1] not in (1, 3):
        return
    folder = run / SAMPLES
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    write_file(folder / f"epoch-{epoch:04}.png", picture(samples, prepare))


def picture(samples: Tensor, prepare: Prepare) -> bytes:
    """Images that a network made, in rows of eight, as a PNG file: their values as the data's images have them."""
    from PIL import Image

    images = pictured(samples, prepare)
    images = images.repeat_interleave(max(1, 48 // images.shape[2]), 2)
    images = images.repeat_interleave(images.shape[2] // samples.shape[2], 3)
    count, channels, height, width = images.shape
    rows = -(-count // _COLUMNS)
    page = torch.full((channels, rows * (height + 2), _COLUMNS * (width + 2)), 255, dtype=torch.uint8)
    for number, image in enumerate(images):
        top, left = (number // _COLUMNS) * (height + 2), (number % _COLUMNS) * (width + 2)
        page[:, top : top + height, left : left + width] = image
    array = page.movedim(0, 2).contiguous().numpy()
    made = io.BytesIO()
    Image.fromarray(array[..., 0] if channels == 1 else array).save(made, "PNG")
    return made.getvalue()
