"""Made-up data: examples for every kind of task, shapes with masks, rows of digits, pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cnndsl.recipe.base import option
from cnndsl.recipe.sources.given import DigitRows, Shapes, Synthetic
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.digits import as_bytes
from cnndsl.runtime.data.feed import fitted_maps
from cnndsl.runtime.data.pairs import pairs
from cnndsl.runtime.data.parts import draw, keep_test
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


def made(source: type, input: tuple[int, ...], output: tuple[int, ...], task: str, **values: object) -> Raw:
    """What a source makes for a network of these ends."""
    tokens = int(values.pop("tokens", 0))  # type: ignore[call-overload]
    seed = int(values.pop("seed", 0))  # type: ignore[call-overload]
    chosen = option(source)
    chosen.__dict__.update(values)
    return read(chosen, Wanted(None, seed, input, output, task, tokens))


# --- synthetic ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input", "output", "task", "classes", "values"),
    [
        ((3, 8, 8), (5,), "class", (), None),
        ((1, 40), (5,), "class", (), None),
        ((7,), (2,), "class", (), None),
        ((2, 4, 4, 4), (2,), "class", (), None),
        ((3, 8, 8), (4,), "values", None, (4,)),
        ((1, 900), (1,), "values", None, (1,)),
        ((3, 12, 12), (2, 12, 12), "values", None, (2, 12, 12)),
        ((3, 12, 12), (3, 24, 24), "values", None, (3, 24, 24)),
        ((3, 4, 4, 4), (1, 4, 4, 4), "values", None, (1, 4, 4, 4)),
        ((3, 12, 12), (5, 12, 12), "map", (12, 12), None),
        ((3, 12, 12), (5, 3, 3), "map", (12, 12), None),
        ((2, 50), (4, 50), "map", (50,), None),
        ((1, 32, 100), (37, 26), "sequence", (6,), None),
        ((1, 8, 8), (1,), "pair", (), None),
    ],
)
def test_targets_have_the_shape_that_the_task_asks_for(
    input: tuple[int, ...], output: tuple[int, ...], task: str, classes: tuple[int, ...] | None, values: tuple | None
) -> None:
    raw = made(Synthetic, input, output, task, examples=50)
    assert raw.test is not None
    assert raw.train.inputs.shape == (40, *input)
    assert raw.train.inputs.dtype == torch.float32
    assert (None if raw.train.classes is None else tuple(raw.train.classes.shape[1:])) == classes
    assert (None if raw.train.values is None else tuple(raw.train.values.shape[1:])) == values
    if classes is not None and raw.train.classes is not None:
        assert int(raw.train.classes.max()) < max(10, output[0])
    again = made(Synthetic, input, output, task, examples=50)
    other = made(Synthetic, input, output, task, examples=50, seed=1)
    assert torch.equal(raw.train.inputs, again.train.inputs)
    assert not torch.equal(raw.train.inputs, other.train.inputs)


def test_values_of_a_large_image_need_no_large_map() -> None:
    raw = made(Synthetic, (3, 128, 128), (1000,), "values", examples=4, test=0)
    assert raw.train.values is not None
    assert raw.train.values.shape == (4, 1000)


def test_tokens_are_words_of_the_vocabulary_and_tell_the_class() -> None:
    raw = made(Synthetic, (64,), (2,), "class", examples=200, test=0, tokens=50)
    tokens, classes = raw.train.inputs, raw.train.classes
    assert classes is not None
    assert (tokens.dtype, tokens.shape) == (torch.int64, (200, 64))
    assert (int(tokens.min()), int(tokens.max())) == (1, 49)
    # Word 1 stands eight times in those of class 0, word 2 in those of class 1; once or so by chance.
    counts = torch.stack([(tokens == word).sum(1) for word in (1, 2)], 1)
    assert (counts.argmax(1) == classes).float().mean() > 0.99


def test_synthetic_values_can_be_learned_linearly() -> None:
    raw = made(Synthetic, (20,), (3,), "values", examples=400, noise=0.0, test=0)
    assert raw.train.values is not None
    solved = torch.linalg.lstsq(raw.train.inputs, raw.train.values)
    assert (raw.train.inputs @ solved.solution - raw.train.values).abs().max() < 1e-4


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_shapes_are_brighter_than_the_ground_where_the_mask_says() -> None:
    raw = made(Shapes, (1, 48, 64), (3, 48, 64), "map", examples=60, noise=0.0, test=0)
    images, masks = raw.train.inputs, raw.train.classes
    assert masks is not None
    assert (images.dtype, masks.dtype) == (torch.uint8, torch.uint8)
    assert raw.names == ("ground", "shape 1", "shape 2")
    # Painted with 0.1, 0.3 + 0.7 / 2 and 1 of the brightest value.
    for level, mean in enumerate((0.1, 0.65, 1.0)):
        assert set(images[:, 0][masks == level].tolist()) == {round(255 * mean)}


def test_a_disc_is_as_large_as_its_radius_says() -> None:
    raw = made(Shapes, (1, 200, 200), (2, 200, 200), "map", examples=200, noise=0.0, test=0)
    assert raw.train.classes is not None
    areas = raw.train.classes.flatten(1).sum(1).float()
    # One to four discs of radius 24 to 56 cells, cut by the border.
    assert areas.max() < 4 * math.pi * 56**2
    assert areas.median() > math.pi * 24**2 / 2


@pytest.mark.parametrize(
    ("output", "rows"), [((28, 28), slice(2, 30)), ((8, 8), slice(2, 32, 4)), ((31, 31), slice(0, 31))]
)
def test_masks_of_networks_that_cut_or_thin_out(output: tuple[int, int], rows: slice) -> None:
    whole = made(Shapes, (3, 32, 32), (4, 32, 32), "map", examples=20, test=0).train.classes
    part = made(Shapes, (3, 32, 32), (4, *output), "map", examples=20, test=0).train.classes
    assert whole is not None
    assert part is not None
    assert torch.equal(part, whole)
    assert torch.equal(fitted_maps(part, output), whole[:, rows, rows])
    enlarged = fitted_maps(part, (64, 64))
    assert torch.equal(enlarged[:, ::2, ::2], whole)
    assert torch.equal(enlarged[:, 1::2, 1::2], whole)


def test_made_up_data_are_bounded() -> None:
    with pytest.raises(DataError, match="more than 2 GiB"):
        made(Shapes, (3, 2000, 2000), (4, 2000, 2000), "map", examples=1000)
    with pytest.raises(DataError, match="at most 255 classes"):
        made(Shapes, (3, 20, 20), (300, 20, 20), "map", examples=10)


# --- rows of digits -------------------------------------------------------------------------------------------------


def test_rows_hold_the_digits_they_say() -> None:
    raw = made(DigitRows, (1, 32, 100), (11, 26), "sequence", examples=100, shortest=2, longest=4, test=0.2)
    assert raw.test is not None
    classes = raw.train.classes
    assert classes is not None
    lengths = (classes >= 0).sum(1)
    assert set(lengths.tolist()) == {2, 3, 4}
    for row in classes.tolist():
        told = [c for c in row if c >= 0]
        assert row == told + [-1] * (4 - len(told))
    # Where a digit of scikit-learn's lies in the image exactly, from left to right: these are the classes.
    glyphs = as_bytes()
    grown = torch.nn.functional.interpolate(glyphs.inputs.float(), (24, 16), mode="bilinear").round()
    assert glyphs.classes is not None
    for image, row in zip(raw.train.inputs[:10].float(), classes[:10].tolist(), strict=True):
        windows = image[0].unfold(0, 24, 1).unfold(1, 16, 1)
        places = torch.nonzero(torch.cdist(windows.reshape(-1, 24 * 16), grown.flatten(1)) < 20)
        found = sorted({(int(place) % windows.shape[1], int(glyphs.classes[glyph])) for place, glyph in places})
        assert [digit for _, digit in found] == [digit for digit in row if digit >= 0]


def test_test_rows_are_written_with_other_digits() -> None:
    raw = made(DigitRows, (1, 32, 100), (11, 26), "sequence", examples=60, shortest=1, longest=1, test=0.5)
    assert raw.test is not None
    crops = []
    for part in (raw.train, raw.test):
        found = set()
        for image in part.inputs:
            rows, columns = torch.nonzero(image[0].sum(1)), torch.nonzero(image[0].sum(0))
            found.add(image[0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].numpy().tobytes())
        crops.append(found)
    assert not crops[0] & crops[1]


def test_rows_without_room() -> None:
    with pytest.raises(DataError, match="rows of 5 digits have no room in an input of 32x64: it takes 4"):
        made(DigitRows, (1, 32, 64), (11, 26), "sequence", shortest=5, longest=6)


# --- pairs and parts ------------------------------------------------------------------------------------------------


def numbered(count: int, classes: Tensor) -> Examples:
    return Examples(torch.arange(count, dtype=torch.float32).unsqueeze(1), classes)


def test_pairs_say_whether_they_are_of_one_class() -> None:
    classes = torch.tensor([0, 1, 2, 2, 1, 0, 1, 1, 3] * 30)
    every = pairs(numbered(270, classes), 5)
    rows = torch.randperm(270)
    picked = every.pick(rows)
    (other,) = picked.others
    first, second = picked.inputs[:, 0].long(), other[:, 0].long()
    assert torch.equal(first, rows)
    assert picked.classes is not None
    assert picked.values is not None
    assert torch.equal(picked.classes, (classes[first] == classes[second]).long())
    assert torch.equal(picked.values, picked.classes.float().unsqueeze(1))
    assert 0.4 < float(picked.values.mean()) < 0.6
    assert bool((first != second).all())


def test_partners_are_drawn_anew_in_each_epoch_and_are_a_function_of_it() -> None:
    every = pairs(numbered(200, torch.arange(200) % 10), 3)
    rows = torch.arange(200)
    seen = [every.in_epoch(3, epoch).pick(rows).others[0].flatten().tolist() for epoch in (0, 1, 0)]
    assert seen[0] == seen[2]
    assert seen[0] != seen[1]
    # Every other example of a class, and every example of another class, comes up in the long run.
    found = {every.in_epoch(0, epoch).pick(torch.tensor([7])).others[0].item() for epoch in range(3000)}
    assert found == set(range(200)) - {7}


def test_a_class_of_one_is_paired_with_itself() -> None:
    every = pairs(numbered(5, torch.tensor([0, 0, 1, 0, 0])), 0)
    for epoch in range(20):
        picked = every.in_epoch(0, epoch).pick(torch.tensor([2]))
        assert picked.classes is not None
        assert (picked.others[0].item() == 2) == bool(picked.classes.item())


def test_pairs_of_one_class_alone() -> None:
    with pytest.raises(DataError, match="two classes or more"):
        pairs(numbered(5, torch.zeros(5, dtype=torch.int64)), 0)


def test_parts_have_every_class_in_proportion() -> None:
    classes = torch.tensor([0] * 100 + [1] * 10 + [2] * 50)
    for seed in range(5):
        left, drawn = draw(numbered(160, classes), 32, seed)
        assert drawn.classes is not None
        assert torch.bincount(drawn.classes).tolist() == pytest.approx([20, 2, 10], abs=1)
        together = torch.cat([left.inputs, drawn.inputs]).flatten().sort().values
        assert together.tolist() == list(range(160))
    assert not torch.equal(draw(numbered(160, classes), 32, 0)[1].inputs, draw(numbered(160, classes), 32, 1)[1].inputs)
    kept = keep_test(numbered(160, classes), 0.1, "x").test
    assert kept is not None
    assert kept.classes is not None
    assert torch.bincount(kept.classes).tolist() == [10, 1, 5]
