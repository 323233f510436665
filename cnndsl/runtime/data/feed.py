"""From examples to batches: prepared as `Prepare` says, in training also augmented, whole batches at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cnndsl.recipe import Recipe
from cnndsl.recipe.augmentations import Augmentation
from cnndsl.runtime.data import Batch, Examples
from cnndsl.runtime.data.augment import GEOMETRY, MIXING, Drawn, Images, Mixture, changed, mixed, soft, spoiled
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.processes import Share

_STREAM = 0x5EED
"""What the seed of augmentation differs by from that of the weights, so that their numbers don't agree."""


class Feed:
    """Makes examples into batches on `device`. `state` and `restore` keep its random numbers.

    augment: what is done to training examples; output: the network's, channels first; gives_back: whether the network
    is to give back its input, which then is the batch's `values`.
    """

    def __init__(
        self,
        prepare: Prepare,
        device: torch.device,
        *,
        memory_format: torch.memory_format = torch.contiguous_format,
        seed: int = 0,
        augment: Sequence[Augmentation] = (),
        output: tuple[int, ...] = (),
        gives_back: bool = False,
    ) -> None:
        self.prepare = prepare
        self.normalized = prepare.normalized(device)
        self.laid_out = prepare.laid_out(memory_format)
        self.device = device
        self.random = torch.Generator(device).manual_seed(seed ^ _STREAM)
        self.augment = tuple(augment)
        self.moves = any(one.name in GEOMETRY for one in augment)
        self.mixes = any(one.name in MIXING for one in augment)
        self.output = output
        self.gives_back = gives_back

    def share(self, examples: Examples, rows: Tensor, epoch: int, share: Share) -> Batch:
        """A process' share of the augmented batch of these rows: the examples that it has in the whole batch.

        All processes draw the same numbers. Where examples are mixed with others of the batch, it is made whole.
        """
        start, end, whole, idle = share
        if self.mixes:
            made = self(examples.pick(rows), epoch).cut(start, end)
        else:
            made = self(examples.pick(rows[start:end]), epoch, (start, whole))
        return made._replace(idle=idle)

    def __call__(self, examples: Examples, epoch: int | None = None, within: tuple[int, int] | None = None) -> Batch:
        """The batch of these examples: in training, where an epoch is given, augmented; else as they are. `within`: of
        several processes, where in the whole batch they begin, and how many it has."""
        if examples.inputs.device.type != self.device.type:
            examples = examples.to(self.device)
        if not (self.augment and epoch is not None) and not self.gives_back:
            return self._as_they_are(examples)
        inputs = [self.prepare.fitted(stored) for stored in (examples.inputs, *examples.others)]
        classes, values = examples.classes, examples.values
        augment = self.augment if epoch is not None else ()
        drawn = Drawn(len(inputs[0]), self.random, examples.rows, epoch or 0, within)
        if augment and self.moves:
            inputs, classes = self._moved(inputs, classes, drawn)
        classes = self._classes(classes)
        inputs = [self.normalized(self._ordered(stored)) for stored in inputs]
        if self.gives_back:
            values = self.laid_out(inputs[0]).reshape(len(inputs[0]), *self.output)
        if augment:
            inputs = [spoiled(x, augment, drawn) for x in inputs]
            mixture = mixed(inputs[0], augment, drawn)
            if mixture is not None:
                inputs[0] = mixture.inputs
                classes, values = self._mixed(classes, values, mixture)
        return Batch(tuple(self.laid_out(x) for x in inputs), classes, values)

    def _as_they_are(self, examples: Examples) -> Batch:
        """Neither augmented nor to be given back: what most small networks see, so that no time is lost."""
        first = self._input(examples.inputs)
        others = tuple(self._input(other) for other in examples.others)
        return Batch((first, *others), self._classes(examples.classes), examples.values)

    def _input(self, stored: Tensor) -> Tensor:
        return self.laid_out(self.normalized(self._ordered(self.prepare.fitted(stored))))

    def _ordered(self, stored: Tensor) -> Tensor:
        """On a GPU bytes are brought into the order of the input, a fourth of what floats would be. On a CPU numbers
        are normalized faster in the order in which they are stored."""
        return self.laid_out(stored) if self.device.type == "cuda" and stored.dim() == 4 else stored

    def source(self, examples: Examples, epoch: int) -> Hashable:
        """What the batches of these examples in training depend on besides their rows and random numbers; None if they
        don't lie on the device as they are, so that more than its kernels is needed."""
        there = (examples.inputs, examples.classes, examples.values, *examples.others)
        tensors = [one for one in there if one is not None]
        if type(examples) is not Examples or any(one.device.type != self.device.type for one in tensors):
            return None
        alternates = any(getattr(one, "alternate", False) for one in self.augment)
        return tuple(one.data_ptr() for one in tensors), epoch % 2 if alternates else 0

    def _moved(self, inputs: list[Tensor], classes: Tensor | None, drawn: Drawn) -> tuple[list[Tensor], Tensor | None]:
        """Inputs after the augmentations that move what is in them, and maps of classes along with them."""
        maps = classes if classes is not None and classes.shape[1:] == inputs[0].shape[2:] else None
        first = changed(Images(inputs[0], maps), self.augment, drawn)
        others = [changed(Images(other), self.augment, drawn).values for other in inputs[1:]]
        return [first.values, *others], classes if maps is None else first.maps

    def _classes(self, classes: Tensor | None) -> Tensor | None:
        """Classes as losses take them: int64, maps at the size of the output."""
        if classes is None:
            return None
        if classes.dim() > 2 and tuple(classes.shape[1:]) != self.output[1:]:
            classes = fitted_maps(classes, self.output[1:])
        return classes.to(torch.int64)

    def _mixed(self, classes: Tensor | None, values: Tensor | None, mixture: Mixture) -> tuple[Any, Any]:
        """The targets of mixed examples."""
        if values is not None:
            values = torch.lerp(values.index_select(0, mixture.partners), values, mixture.share)
        if classes is not None and self.output[0] == 1:
            # One output tells two classes apart: its target is the share of the second.
            whole = classes.to(torch.float32).unsqueeze(1)
            return classes, torch.lerp(whole.index_select(0, mixture.partners), whole, mixture.share)
        return None if classes is None else soft(classes, mixture, self.output[0]), values

    def state(self) -> dict[str, Tensor]:
        """Everything that the batches to come depend on besides the examples."""
        return {"random": self.random.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`. Raises KeyError, TypeError or RuntimeError if it is none."""
        self.random.set_state(state["random"].cpu())


class Batches:
    """The batches of a step, each made when it is asked for.

    make: from the rows of a batch to the batch; rows: those of each; source: `Feed.source` of the examples, None where
    batches can't be made by kernels alone; random: the generators that they are made with.
    """

    def __init__(
        self,
        make: Callable[[Tensor], Batch],
        rows: Sequence[Tensor],
        source: Hashable = None,
        random: Sequence[torch.Generator] = (),
    ) -> None:
        self.make = make
        self.rows = rows
        self.source = source
        self.random = random

    def __iter__(self) -> Iterator[Batch]:
        return map(self.make, self.rows)

    def of(self, rows: Sequence[Tensor]) -> list[Batch]:
        """The batches of other rows."""
        return [self.make(one) for one in rows]


def feed_for(
    prepare: Prepare, recipe: Recipe, wanted: Wanted, device: torch.device, memory_format: torch.memory_format
) -> Feed:
    """The feed of a recipe."""
    return Feed(
        prepare,
        device,
        memory_format=memory_format,
        seed=recipe.seed,
        augment=recipe.augment,
        output=wanted.output,
        gives_back=wanted.task == "input",
    )


def fitted_maps(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps of classes, N x places, at the size of the output: the middle where the network cuts borders off, every
    second, third … cell where it gives a part of the places, and the nearest cell where it gives more."""
    stored = tuple(maps.shape[1:])
    if all(have % want == 0 for have, want in zip(stored, size, strict=True)):
        steps = [have // want for have, want in zip(stored, size, strict=True)]
        return maps[(slice(None), *(slice(step // 2, None, step) for step in steps))]
    if all(have >= want for have, want in zip(stored, size, strict=True)):
        starts = [(have - want) // 2 for have, want in zip(stored, size, strict=True)]
        return maps[(slice(None), *(slice(at, at + want) for at, want in zip(starts, size, strict=True)))]
    nearest = functional.interpolate(maps.unsqueeze(1).to(torch.float32), size)
    return nearest.squeeze(1).to(maps.dtype)
