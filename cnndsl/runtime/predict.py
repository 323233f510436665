"""What a trained network makes of new inputs: pictures, and rows of arrays and tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnndsl.runtime.data import Batch
from cnndsl.runtime.data.arrays import read_inputs
from cnndsl.runtime.data.feed import feed_for
from cnndsl.runtime.data.pictures import ENDINGS, Picture, PictureError, decoded_all, need_pillow
from cnndsl.runtime.data.prepare import grey
from cnndsl.runtime.data.tables import read_rows
from cnndsl.runtime.data.wanted import Wanted, wanted_for
from cnndsl.runtime.errors import DataError
from cnndsl.runtime.job import memory_format_of
from cnndsl.runtime.measure import Network, class_names, network_of
from cnndsl.runtime.objective import Outputs
from cnndsl.runtime.saved_pictures import pictured
from cnndsl.runtime.trained import Trained

ARRAYS = (".npy", ".npz", ".csv")
_MOST = 256
"""Inputs in a batch."""
_VALUES = 4_000_000
"""Input values in a batch, at most."""


class Found(NamedTuple):
    """A class and how much speaks for it: a probability, where `Predictor.probable`, else a score."""

    name: str
    number: int
    value: float


class Prediction(NamedTuple):
    """What was made of one input. Of these there is what the network gives.

    name: the file, with the number of the example in it if it holds several; problem: why it could not be read.
    top: its likeliest classes; of a map the classes that most places are of, and their shares. values: numbers, in the
    order of PyTorch. read: a sequence of classes. picture: classes of places, or an image, uint8, height x width x 1 or
    3. difference: the mean square of what a network that gives back its input misses.
    """

    name: str
    problem: str | None = None
    top: tuple[Found, ...] = ()
    values: tuple[float, ...] | None = None
    read: tuple[str, ...] | None = None
    picture: Tensor | None = None
    difference: float | None = None


class _Input(NamedTuple):
    """Examples as stored, for each input of the network, and their names; or one that could not be read."""

    names: list[str]
    stored: tuple[Tensor, ...] = ()
    problem: str | None = None


class Predictor:
    """Makes predictions with a run's network; `kind` is that of its task. top: how many classes are told."""

    def __init__(self, trained: Trained, top: int = 1) -> None:
        graph, recipe = trained.graph, trained.recipe
        self.trained = trained
        self.top = top
        self.wanted: Wanted = wanted_for(graph, recipe)
        memory_format = memory_format_of(trained.module, self.wanted.input)
        trained.module.to(memory_format=memory_format)  # type: ignore[call-overload]
        feed = feed_for(trained.prepare, recipe, self.wanted, trained.device, memory_format)
        self.network: Network = network_of(graph, recipe, trained.module, feed, trained.device)
        self.prepared = trained.prepare.on(trained.device, memory_format)
        self.kind = self.network.kind
        self.inputs = len(graph.inputs)
        self.probable = self.network.objective.shares is not None

    def __call__(self, places: Sequence[str]) -> Iterator[Prediction]:
        """A prediction for each picture and row, in order: of files, and of the pictures in folders, sorted. A network
        with two inputs takes two pictures at a time. Raises DataError where nothing of it can be predicted."""
        if self.inputs > 2:
            raise DataError(f"the network has {self.inputs} inputs; predictions are made of one, or of pairs")
        for one in self.examples(places):
            if one.problem is not None:
                yield Prediction(one.names[0], one.problem)
                continue
            batch = Batch(tuple(self.prepared(stored.to(self.trained.device)) for stored in one.stored))
            outputs = self.network.answers(self.network.module, batch)
            yield from self._told(one.names, batch, outputs)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def examples(self, places: Sequence[str]) -> Iterator[_Input]:
        """What pictures, folders and files of rows hold, as stored, in batches. Raises DataError."""
        pictures: list[Path] = []
        for place in places:
            path = Path(place)
            if path.suffix.lower() in ARRAYS and not path.is_dir():
                yield from self._pictures(pictures)
                pictures = []
                yield from self._rows(path)
            elif path.is_dir():
                found = pictures_in(path)
                pictures += found
                if not found:
                    yield from self._pictures(pictures)
                    pictures = []
                    yield _Input([place], problem="holds no pictures")
            else:
                pictures.append(path)
        yield from self._pictures(pictures)

    @property
    def _many(self) -> int:
        """How many inputs make a batch."""
        return max(1, min(_MOST, _VALUES // prod(self.wanted.input)))

    def _pictures(self, paths: list[Path]) -> Iterator[_Input]:
        if not paths:
            return
        prepare = self.trained.prepare
        if prepare.image is None:
            shown = "x".join(map(str, (*self.wanted.input[1:], self.wanted.input[0])))
            raise DataError(
                f"the network was not trained on images: {paths[0]} can't be its input",
                f"give it rows of {shown} in a .npy, .npz or .csv file",
            )
        need_pillow()
        if self.inputs == 2 and len(paths) % 2:
            raise DataError("the network takes two pictures at a time, but one is left over", "give it pairs: A B C D")
        height, width, channels = prepare.image
        many = self._many * self.inputs
        for start in range(0, len(paths), many):
            part = paths[start : start + many]
            decoded = list(decoded_all(part, (height, width), channels, prepare.file_fit))
            yield from self._groups(part, decoded)

    def _groups(self, paths: list[Path], decoded: list[Any]) -> Iterator[_Input]:
        """What could be decoded, in order, as few batches as can be; between them what could not."""
        names: list[str] = []
        stored: list[list[Picture]] = [[] for _ in range(self.inputs)]
        for start in range(0, len(paths), self.inputs):
            group = decoded[start : start + self.inputs]
            wrong = next((n for n, one in enumerate(group) if isinstance(one, PictureError)), None)
            if wrong is None:
                names.append(" ".join(map(str, paths[start : start + self.inputs])))
                for pictures, one in zip(stored, group, strict=True):
                    pictures.append(one)
                continue
            if names:
                yield _Input(names, tuple(torch.from_numpy(np.stack(one)) for one in stored))
                names, stored = [], [[] for _ in range(self.inputs)]
            yield _Input([str(paths[start + wrong])], problem=str(group[wrong]))
        if names:
            yield _Input(names, tuple(torch.from_numpy(np.stack(one)) for one in stored))

    def _rows(self, path: Path) -> Iterator[_Input]:
        """The examples in a file of numbers."""
        if self.inputs == 2:
            yield _Input([str(path)], problem="holds rows, but the network takes pairs of pictures")
            return
        try:
            stored = self._stored(path)
        except DataError as error:
            # The sentence names the file already.
            yield _Input([str(path)], problem=error.message)
            return
        for start in range(0, len(stored), self._many):
            part = stored[start : start + self._many]
            yield _Input([f"{path}[{start + n}]" for n in range(len(part))], (part,))

    def _stored(self, path: Path) -> Tensor:
        """Raises DataError."""
        source, prepare = self.trained.recipe.data, self.trained.prepare
        if path.suffix.lower() == ".csv":
            rows = torch.from_numpy(read_rows(path, source, prod(self.wanted.input)).copy())
            stored = rows.reshape(len(rows), *self.wanted.input)
        else:
            stored = read_inputs(path, source, self.wanted)
        if stored.dtype == torch.int64:
            return stored
        if prepare.image is None:
            return stored.to(torch.float32)
        if stored.dtype != torch.uint8:
            raise DataError(f"{path} holds no bytes (uint8), but the network was trained on images of bytes")
        channels = prepare.image[2]
        if channels == 1 and stored.shape[1] == 3:
            stored = grey(stored)
        fitted = prepare.fitted(stored)
        wanted = (channels, *prepare.size)
        if tuple(fitted.shape[1:]) != wanted:
            have, need = ("x".join(map(str, (*s[1:], s[0]))) for s in (stored.shape[1:], wanted))
            raise DataError(f"{path} holds images of {have}, where {need} is needed")
        return stored

    # --- answers ----------------------------------------------------------------------------------------------------

    def _told(self, names: list[str], batch: Batch, outputs: Outputs) -> Iterator[Prediction]:
        objective = self.network.objective
        result = outputs[objective.terms[0].first].cpu()
        if self.kind in ("values", "input"):
            yield from self._values(names, batch, result)
            return
        scores = objective.result_scores(outputs).cpu()
        if self.kind == "sequence":
            for name, one in zip(names, scores, strict=True):
                yield Prediction(name, read=self._read(one))
            return
        shares = objective.probabilities(outputs)
        told = scores if shares is None else shares.cpu()
        classes = class_names(self.network, self.trained.prepare.names, scores.shape[1])
        for name, score, value in zip(names, scores, told, strict=True):
            yield self._map(name, score, classes) if score.dim() > 1 else self._class(name, score, value, classes)

    def _class(self, name: str, score: Tensor, value: Tensor, classes: tuple[str, ...]) -> Prediction:
        best = score.topk(min(self.top, len(score))).indices.tolist()
        return Prediction(name, top=tuple(Found(classes[n], n, float(value[n])) for n in best))

    def _map(self, name: str, score: Tensor, classes: tuple[str, ...]) -> Prediction:
        """A class for each place."""
        found = score.argmax(0)
        counts = torch.bincount(found.flatten(), minlength=len(classes))
        order = counts.argsort(descending=True, stable=True).tolist()
        top = (Found(classes[n], n, int(counts[n]) / found.numel()) for n in order[: self.top] if counts[n])
        plain = found.dim() == 2 and len(classes) <= 256
        return Prediction(name, top=tuple(top), picture=found.to(torch.uint8)[..., None] if plain else None)

    def _values(self, names: list[str], batch: Batch, result: Tensor) -> Iterator[Prediction]:
        given = batch.inputs[0].cpu().reshape(result.shape) if self.kind == "input" else None
        for number, (name, one) in enumerate(zip(names, result, strict=True)):
            missed = None if given is None else float((one - given[number]).square().mean())
            picture = self._image(one)
            values = None if picture is not None else tuple(one.flatten().tolist())
            yield Prediction(name, values=values, picture=picture, difference=missed)

    def _image(self, output: Tensor) -> Tensor | None:
        """An output that is an image, as bytes: of a network that gives back its input with the normalization undone,
        else from 0 to 1, or where values go beyond that from the lowest to the highest."""
        prepare = self.trained.prepare
        size = self.wanted.input if self.kind == "input" else self.wanted.output
        image = output.reshape(size) if self.kind == "input" or output.dim() == 3 else output
        if image.dim() != 3 or image.shape[0] not in (1, 3):
            return None
        if self.kind == "input" and prepare.image is not None:
            return pictured(image[None], prepare)[0].movedim(0, -1)
        low, high = min(0.0, float(image.min())), max(1.0, float(image.max()))
        return ((image - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8).movedim(0, -1)

    def _read(self, scores: Tensor) -> tuple[str, ...]:
        """The best output of every place, repeats and blanks left out. scores: outputs x places, the first for none."""
        best = scores.argmax(0).tolist()
        kept = [one for one, before in zip(best, [0, *best], strict=False) if one and one != before]
        classes = class_names(self.network, self.trained.prepare.names, scores.shape[0] - 1)
        return tuple(classes[one - 1] for one in kept)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures below a folder, by their endings, sorted."""
    every = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in every if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
