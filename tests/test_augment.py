"""Augmentation on whole batches, against NumPy, SciPy and Pillow image by image, and against arithmetic by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from PIL import Image, ImageEnhance
from safetensors.torch import load_file
from torch import Tensor

from cnndsl.layers.bind import Given
from cnndsl.pipeline import check
from cnndsl.recipe.augmentations import AUGMENTATIONS
from cnndsl.recipe.base import option
from cnndsl.runtime.data import Batch, Examples
from cnndsl.runtime.data.augment import Drawn, Images, affine_matrices, changed, displacements, mixed, spoiled
from cnndsl.runtime.data.feed import Feed
from cnndsl.runtime.data.pairs import pairs
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.rebuild import read_run
from cnndsl.runtime.train import Options, resume, train
from cnndsl.source import Source

CPU = torch.device("cpu")


def chosen(name: str, **values: Any) -> Any:
    kind = next(one for one in AUGMENTATIONS if one.name == name)
    return option(kind, [Given("named", value, key) for key, value in values.items()])


def drawn(size: int, seed: int = 0, rows: Tensor | None = None, epoch: int = 0) -> Drawn:
    return Drawn(size, torch.Generator().manual_seed(seed), rows, epoch)


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def feed(
    *augment: Any, shape: tuple[int, ...] = (3, 8, 8), output: tuple[int, ...] = (10,), seed: int = 0, **more: Any
) -> Feed:
    """One that changes nothing but by augmentation."""
    prepare = Prepare("none", shape[1:], shape, (1.0,), (0.0,))  # type: ignore[arg-type]
    return Feed(prepare, CPU, augment=augment, output=output, seed=seed, **more)


# --- mirrors and moves ----------------------------------------------------------------------------------------------


def test_flips() -> None:
    stored = pictures(200, 3, 6, 9)
    for vertical, axis in ((False, 2), (True, 1)):
        found = changed(Images(stored), [chosen("flip", vertical=vertical)], drawn(200)).values
        assert found.dtype == torch.uint8
        turned = [np.array_equal(new, np.flip(old.numpy(), axis)) for old, new in zip(stored, found, strict=True)]
        assert all(t or torch.equal(new, old) for t, old, new in zip(turned, stored, found, strict=True))
        assert 70 < sum(turned) < 130
    assert torch.equal(changed(Images(stored), [chosen("flip", chance=0.0)], drawn(200)).values, stored)
    assert torch.equal(changed(Images(stored), [chosen("flip", chance=1.0)], drawn(200)).values, stored.flip(3))


@pytest.mark.parametrize(("fill", "theirs"), [("reflect", "reflect"), ("zero", "constant"), ("edge", "edge")])
def test_crops_are_numpys_padding_and_cropping(fill: str, theirs: Any) -> None:
    stored = pictures(300, 2, 7, 5)
    found = changed(Images(stored), [chosen("crop", pixels=2, fill=fill)], drawn(300)).values.numpy()
    seen = set()
    for old, new in zip(stored.numpy(), found, strict=True):
        padded = np.pad(old, ((0, 0), (2, 2), (2, 2)), theirs)
        places = [(y, x) for y in range(5) for x in range(5) if (padded[:, y : y + 7, x : x + 5] == new).all()]
        assert places
        seen.add(places[0])
    # Every place comes up: 300 draws of 25.
    assert len(seen) == 25


def test_flips_and_crops_follow_each_other_in_their_order() -> None:
    # A crop of zeros moves to the right as often as to the left; seen through a mirror behind it, too.
    stored = torch.arange(1, 9, dtype=torch.uint8).view(1, 1, 8).expand(500, -1, -1).contiguous()
    steps = [chosen("crop", pixels=3, fill="zero"), chosen("flip", chance=1.0), chosen("crop", pixels=1, fill="zero")]
    possible = set()
    for first in range(-3, 4):
        moved = [stored[0, 0, i + first].item() if 0 <= i + first < 8 else 0 for i in range(8)][::-1]
        possible |= {tuple(moved[i + s] if 0 <= i + s < 8 else 0 for i in range(8)) for s in (-1, 0, 1)}
    found = changed(Images(stored), steps, drawn(500)).values
    assert {tuple(row.flatten().tolist()) for row in found} == possible


def test_curves_and_volumes_are_moved_and_mirrored_too() -> None:
    curves = torch.randn(50, 2, 11)
    found = changed(Images(curves), [chosen("flip", chance=1.0)], drawn(50)).values
    assert torch.equal(found, curves.flip(-1))
    volumes = pictures(40, 1, 3, 4, 5)
    found = changed(Images(volumes), [chosen("crop", pixels=1, fill="zero")], drawn(40)).values
    padded = torch.nn.functional.pad(volumes, (1,) * 6)
    for index in range(40):
        windows = [
            padded[index, :, z : z + 3, y : y + 4, x : x + 5] for z in range(3) for y in range(3) for x in range(3)
        ]
        assert any(torch.equal(found[index], window) for window in windows)


def test_alternating_flips_show_everything_both_ways_in_two_epochs() -> None:
    stored = pictures(1000, 1, 2, 4)
    rows = torch.arange(1000)
    step = [chosen("flip", alternate=True)]
    first, second, third = (changed(Images(stored), step, drawn(1000, e, rows, e)).values for e in range(3))
    assert torch.equal(first, second.flip(-1))
    assert torch.equal(first, third)
    mirrored = (first == stored.flip(-1)).flatten(1).all(1)
    assert 430 < int(mirrored.sum()) < 570
    # What is done to an example depends on its number alone, not on the batch.
    some = torch.randperm(1000)[:50]
    assert torch.equal(changed(Images(stored[some]), step, drawn(50, 9, some, 0)).values, first[some])


# --- resampling -----------------------------------------------------------------------------------------------------


def moved_by(theta: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The linear map and the shift, in cells about the middle, by which what is in an image moves; (across, down)."""
    height, width = size
    half = torch.tensor([width / 2, height / 2])
    back = theta[:, :2] * half.unsqueeze(1) / half.unsqueeze(0)
    forward = torch.linalg.inv(back)
    return forward, -forward @ (theta[:, 2] * half)


@pytest.mark.parametrize("size", [(9, 9), (12, 7)])
@pytest.mark.parametrize("fill", ["zero", "edge"])
def test_affine_maps_are_scipys(size: tuple[int, int], fill: str) -> None:
    step = chosen("affine", rotate=40, shift=0.2, scale=0.3, shear=15, fill=fill)
    stored = pictures(20, 2, *size).float()
    found = changed(Images(stored), [step], drawn(20, 3)).values
    for old, new, theta in zip(stored, found, affine_matrices(step, size, drawn(20, 3)), strict=True):
        forward, shift = moved_by(theta, size)
        back = torch.linalg.inv(forward).flip(0, 1).double()  # rows and columns, as SciPy counts
        middle = torch.tensor([(size[0] - 1) / 2, (size[1] - 1) / 2], dtype=torch.float64)
        offset = middle - back @ (middle + shift.flip(0).double())
        for channel in range(2):
            mode = {"zero": "grid-constant", "edge": "nearest"}[fill]
            theirs = scipy.ndimage.affine_transform(
                old[channel].double().numpy(), back.numpy(), offset.numpy(), order=1, mode=mode
            )
            assert np.abs(theirs - new[channel].numpy()).max() < 0.05


@pytest.mark.parametrize("name", ["rotate", "shift", "scale", "shear"])
def test_each_part_of_an_affine_map_is_spread_evenly_within_its_bounds(name: str) -> None:
    bound = {"rotate": 30.0, "shift": 0.25, "scale": 0.4, "shear": 20.0}[name]
    amounts = []
    for theta in affine_matrices(chosen("affine", **{name: bound}), (16, 16), drawn(2000, 1)):
        forward, shift = moved_by(theta, (16, 16))
        (a, b), (c, _) = forward.tolist()
        found = {
            "rotate": math.degrees(math.atan2(c, a)),
            "shift": shift[0].item() / 16,
            "scale": math.sqrt(torch.linalg.det(forward).item()) - 1,
            "shear": math.degrees(math.atan(-b)),
        }
        amounts.append(found.pop(name))
        assert max(map(abs, found.values())) < 1e-4 or name == "shear" or (name == "rotate" and found["shear"])
    test = scipy.stats.kstest(amounts, scipy.stats.uniform(-bound, 2 * bound).cdf)
    assert test.pvalue > 0.001


def test_turning_is_pillows() -> None:
    stored = pictures(6, 1, 15, 15)
    step = chosen("affine", rotate=60)
    found = changed(Images(stored), [step], drawn(6)).values
    for old, new, theta in zip(stored, found, affine_matrices(step, (15, 15), drawn(6)), strict=True):
        forward, _ = moved_by(theta, (15, 15))
        angle = math.degrees(math.atan2(forward[1, 0].item(), forward[0, 0].item()))  # clockwise: rows count downwards
        theirs = Image.fromarray(old[0].numpy()).rotate(-angle, Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(theirs, float) - new[0].numpy())[4:11, 4:11].max() < 2


def test_two_affine_maps_are_one_after_the_other() -> None:
    # Each turns by a quarter of a circle, one way or the other, or not at all: so corners come to corners.
    stored = pictures(30, 1, 6, 6).float()
    first, second = chosen("affine", rotate=90), chosen("affine", shift=0.3)
    both = changed(Images(stored), [first, second], drawn(30, 7)).values
    random = drawn(30, 7)
    one, other = affine_matrices(first, (6, 6), random), affine_matrices(second, (6, 6), random)
    for index in range(30):
        whole = [torch.cat([theta[index], torch.tensor([[0.0, 0.0, 1.0]])]) for theta in (one, other)]
        grid = torch.nn.functional.affine_grid((whole[0] @ whole[1])[None, :2], [1, 1, 6, 6], align_corners=False)
        alone = torch.nn.functional.grid_sample(stored[index : index + 1], grid, align_corners=False)
        assert torch.allclose(both[index : index + 1], alone, atol=1e-2)


def test_chance_leaves_examples_as_they_are() -> None:
    stored = pictures(400, 1, 8, 8).float()
    for step in (chosen("affine", rotate=45, chance=0.25), chosen("elastic", chance=0.25)):
        found = changed(Images(stored), [step], drawn(400)).values
        same = (found - stored).abs().amax((1, 2, 3)) < 0.01
        assert 260 < int(same.sum()) < 340


def test_elastic_bends_are_scipys() -> None:
    height, width, sigma, strength = 20, 16, 3.0, 25.0
    step = chosen("elastic", strength=strength, sigma=sigma)
    stored = pictures(5, 2, height, width).float()
    found = changed(Images(stored), [step], drawn(5, 2)).values
    field = displacements(step, (height, width), drawn(5, 2))
    noise = drawn(5, 2).uniform(-1, 1, 2, height, width)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    for index in range(5):
        across, down = (
            strength * scipy.ndimage.gaussian_filter(one.double().numpy(), sigma, truncate=3, mode="wrap")
            for one in noise[index]
        )
        assert np.abs(field[index, :, :, 0].numpy() * width / 2 - across).max() < 1e-4
        assert np.abs(field[index, :, :, 1].numpy() * height / 2 - down).max() < 1e-4
        for channel in range(2):
            theirs = scipy.ndimage.map_coordinates(
                stored[index, channel].double().numpy(), [rows + down, columns + across], order=1, mode="grid-constant"
            )
            assert np.abs(theirs - found[index, channel].numpy()).max() < 0.01


def test_maps_of_classes_go_along_with_their_images() -> None:
    # An image whose values say where they come from; its map is the same, and must be so afterwards.
    maps = pictures(60, 12, 12) // 128
    stored = (maps * 255).unsqueeze(1)
    for steps in (
        [chosen("flip"), chosen("crop", pixels=3, fill="zero")],
        [chosen("crop", pixels=2, fill="reflect"), chosen("flip", vertical=True)],
    ):
        found = changed(Images(stored, maps), steps, drawn(60))
        assert found.maps is not None
        assert found.maps.dtype == torch.uint8
        assert torch.equal(found.values[:, 0], found.maps * 255)
    found = changed(Images(stored, maps), [chosen("affine", rotate=30, shift=0.1)], drawn(60))
    assert found.maps is not None
    # Between cells of one class, the image says what the map says.
    sure = (found.values[:, 0] < 1) | (found.values[:, 0] > 254)
    assert sure.float().mean() > 0.1
    assert torch.equal(found.maps[sure].bool(), found.values[:, 0][sure] > 128)


# --- colours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "enhance"),
    [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)],
)
def test_colours_are_pillows(name: str, enhance: Any) -> None:
    stored = pictures(50, 3, 6, 6)
    found = changed(Images(stored), [chosen("color", **{name: 0.6})], drawn(50, 4)).values
    random = drawn(50, 4)
    random.coin(1.0)
    for old, new, factor in zip(stored, found, random.uniform(0.4, 1.6), strict=True):
        theirs = enhance(Image.fromarray(old.permute(1, 2, 0).numpy())).enhance(factor.item())
        assert np.abs(np.asarray(theirs, float).transpose(2, 0, 1) - new.numpy()).max() < 2


def test_grey_images_have_no_saturation_to_change() -> None:
    stored = pictures(5, 1, 4, 4)
    found = changed(Images(stored), [chosen("color", saturation=0.9)], drawn(5)).values
    assert torch.equal(found, stored.float())


# --- holes and noise ------------------------------------------------------------------------------------------------


def test_cutout_is_one_square_whose_middle_may_be_anywhere() -> None:
    x = torch.ones(4000, 2, 6, 9)
    found = spoiled(x, [chosen("cutout", size=4)], drawn(4000))
    holes = found[:, 0] == 0
    assert torch.equal(holes, found[:, 1] == 0)
    seen = set()
    for hole in holes:
        rows, columns = torch.nonzero(hole.any(1)).flatten().tolist(), torch.nonzero(hole.any(0)).flatten().tolist()
        assert bool(hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())
        seen.add((rows[0], rows[-1], columns[0], columns[-1]))
    # A square of 4 about cell m covers m - 2 to m + 1, as far as these are there.
    expected = {(max(0, y - 2), min(5, y + 1), max(0, x - 2), min(8, x + 1)) for y in range(6) for x in range(9)}
    assert seen == expected
    assert torch.equal(x, torch.ones(4000, 2, 6, 9))
    curves = spoiled(torch.ones(10, 1, 30), [chosen("cutout", size=5, chance=1.0)], drawn(10))
    assert set((curves == 0).sum((1, 2)).tolist()) <= {3, 4, 5}
    assert int((spoiled(x, [chosen("cutout", chance=0.25)], drawn(4000)) == 0).any(3).any(2)[:, 0].sum()) in range(
        880, 1120
    )


def test_noise_is_gaussian() -> None:
    x = torch.zeros(50, 3, 20, 20)
    found = spoiled(x, [chosen("noise", deviation=0.3)], drawn(50)).flatten()
    assert found.mean().item() == pytest.approx(0, abs=0.01)
    assert found.std().item() == pytest.approx(0.3, rel=0.02)
    assert scipy.stats.kstest(found[:3000].numpy(), scipy.stats.norm(0, 0.3).cdf).pvalue > 0.001
    assert float(spoiled(torch.zeros(50, 4), [chosen("noise", deviation=0.3)], drawn(50)).std()) > 0.2


# --- mixing ---------------------------------------------------------------------------------------------------------


def test_mixup_is_a_convex_combination_and_targets_are_its_shares() -> None:
    x = torch.randn(16, 3, 5, 5)
    classes = torch.arange(16) % 10
    made = mixed(x, [chosen("mixup", alpha=0.4)], drawn(16, 1))
    assert made is not None
    share = made.share.item()
    assert torch.allclose(made.inputs, share * x + (1 - share) * x[made.partners], atol=1e-6)
    assert made.partners.sort().values.tolist() == list(range(16))
    batch = feed(chosen("mixup", alpha=0.4), shape=(3, 5, 5))(Examples(x, classes), 0)
    assert batch.classes is not None
    assert batch.classes.shape == (16, 10)
    assert torch.allclose(batch.classes.sum(1), torch.ones(16))
    # Each target's shares say which of the other inputs it was mixed with.
    for row in range(16):
        own = batch.classes[row, classes[row]].item()
        mixtures = [own * x[row] + (1 - own) * other for other, c in zip(x, classes, strict=True) if c != classes[row]]
        alike = any(torch.allclose(batch.inputs[0][row], one, atol=1e-5) for one in [*mixtures, x[row]])
        assert alike or own == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.5])
def test_shares_are_drawn_from_a_beta_distribution(alpha: float) -> None:
    random = drawn(2, 11)
    x = torch.zeros(2, 1)
    shares = [float(made.share) for _ in range(1500) if (made := mixed(x, [chosen("mixup", alpha=alpha)], random))]
    assert scipy.stats.kstest(shares, scipy.stats.beta(alpha, alpha).cdf).pvalue > 0.001


def test_cutmix_takes_a_rectangle_and_counts_its_area() -> None:
    x = torch.arange(1, 9, dtype=torch.float32).view(8, 1, 1, 1).expand(-1, 2, 10, 14).contiguous()
    areas = []
    for seed in range(300):
        made = mixed(x, [chosen("cutmix")], drawn(8, seed))
        assert made is not None
        other = made.inputs != x
        at = int((made.partners != torch.arange(8)).nonzero()[0])
        box = other[at, 0]
        rows, columns = torch.nonzero(box.any(1)).flatten(), torch.nonzero(box.any(0)).flatten()
        area = box.sum().item() / 140
        assert made.share.item() == pytest.approx(1 - area, abs=1e-6)
        if area:
            assert bool(box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())
        assert bool((made.inputs[at][:, box] == made.partners[at] + 1).all())
        areas.append(area)
    # With alpha 1, 1 - share is drawn evenly before the border cuts some of it off: half of it, or less.
    assert 0.2 < np.mean(areas) < 0.5
    assert max(areas) > 0.7


def test_of_several_mixtures_one_is_drawn_for_each_batch() -> None:
    x = torch.arange(1, 5, dtype=torch.float32).view(4, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    cut = 0
    for seed in range(200):
        made = mixed(x, [chosen("mixup", alpha=5), chosen("cutmix")], drawn(4, seed))
        assert made is not None
        whole = made.inputs.flatten(1)
        cut += bool((whole == whole.round()).all())
    assert 70 < cut < 130
    assert mixed(x, [chosen("flip")], drawn(4)) is None
    unmixed = mixed(x, [chosen("mixup", chance=0.0)], drawn(4))
    assert unmixed is not None
    assert torch.equal(unmixed.inputs, x)
    assert unmixed.share.item() == 1


def test_targets_that_are_values_or_one_output_are_mixed_too() -> None:
    x = torch.randn(6, 4)
    values = torch.arange(6.0).unsqueeze(1)
    batch = feed(chosen("mixup", alpha=2.0), shape=(4,), output=(1,))(Examples(x, None, values), 0)
    assert batch.values is not None
    assert batch.values.shape == (6, 1)
    assert batch.values.mean().item() == pytest.approx(2.5)
    batch = feed(chosen("mixup", alpha=2.0), shape=(4,), output=(1,))(Examples(x, torch.tensor([0, 1] * 3)), 0)
    assert batch.values is not None
    assert batch.values.mean().item() == pytest.approx(0.5)
    maps = pictures(4, 6, 6).long() % 3
    batch = feed(chosen("mixup"), shape=(1, 6, 6), output=(3, 6, 6))(Examples(torch.rand(4, 1, 6, 6), maps), 0)
    assert batch.classes is not None
    assert batch.classes.shape == (4, 3, 6, 6)
    assert torch.allclose(batch.classes.sum(1), torch.ones(4, 6, 6))


# --- the feed -------------------------------------------------------------------------------------------------------

EVERYTHING = (
    chosen("flip"), chosen("crop", pixels=2), chosen("affine", rotate=10, shift=0.1), chosen("elastic", sigma=2),
    chosen("color", brightness=0.2), chosen("cutout", size=3), chosen("noise"), chosen("mixup"), chosen("cutmix"),
)  # fmt: skip


def batches(one: Feed, examples: Examples, count: int = 3) -> list[Batch]:
    return [one(examples.pick(torch.arange(start, start + 4)), 0) for start in range(0, 4 * count, 4)]


def test_the_same_seed_gives_the_same_batches_and_a_restored_feed_goes_on() -> None:
    stored = pictures(40, 3, 8, 8)
    before = stored.clone()
    examples = Examples(stored, torch.arange(40) % 10)
    first, again, other = (batches(feed(*EVERYTHING, seed=seed), examples) for seed in (0, 0, 1))
    assert all(torch.equal(a.inputs[0], b.inputs[0]) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a.inputs[0], b.inputs[0]) for a, b in zip(first, other, strict=True))
    assert torch.equal(stored, before)
    one = feed(*EVERYTHING)
    batches(one, examples, 1)
    state = one.state()
    expected = batches(one, examples, 2)
    another = feed(*EVERYTHING, seed=5)
    another.restore(state)
    for ours, theirs in zip(batches(another, examples, 2), expected, strict=True):
        assert torch.equal(ours.inputs[0], theirs.inputs[0])
        assert torch.equal(ours.classes, theirs.classes)  # type: ignore[arg-type]


def test_evaluation_is_not_augmented_and_draws_nothing() -> None:
    examples = Examples(pictures(8, 3, 8, 8), torch.arange(8))
    one = feed(*EVERYTHING)
    before = one.state()["random"].clone()
    batch = one(examples)
    assert torch.equal(batch.inputs[0], examples.inputs.float())
    assert batch.classes is not None
    assert batch.classes.tolist() == list(range(8))
    assert torch.equal(one.state()["random"], before)


def test_what_is_to_be_given_back_is_the_input_before_noise_and_holes() -> None:
    examples = Examples(pictures(8, 1, 8, 8), None)
    steps = (chosen("flip", chance=1.0), chosen("noise"), chosen("cutout"))
    batch = feed(*steps, shape=(1, 8, 8), output=(64,), gives_back=True)(examples, 0)
    assert batch.values is not None
    assert torch.equal(batch.values, examples.inputs.float().flip(-1).reshape(8, 64))
    assert not torch.equal(batch.inputs[0].reshape(8, 64), batch.values)


def test_both_of_a_pair_are_changed_each_by_itself() -> None:
    stored = torch.arange(1, 9, dtype=torch.uint8).view(1, 1, 1, 8).expand(64, -1, -1, -1).contiguous()
    every = pairs(Examples(stored, torch.arange(64) % 4), 0)
    batch = feed(chosen("flip"), shape=(1, 1, 8), output=(1,))(every.pick(torch.arange(64)), 0)
    first, second = (x[:, 0, 0, 0] == 8 for x in batch.inputs)
    assert 0.2 < (first == second).float().mean() < 0.8


def test_maps_are_cut_to_the_output_after_they_moved() -> None:
    maps = torch.zeros(50, 12, 12, dtype=torch.uint8)
    maps[:, 0] = 1  # a line above what the network gives, which a crop may move into sight
    examples = Examples((maps * 255).unsqueeze(1), maps)
    batch = feed(chosen("crop", pixels=3, fill="edge"), shape=(1, 12, 12), output=(2, 8, 8))(examples, 0)
    assert batch.classes is not None
    assert (batch.classes.dtype, batch.classes.shape) == (torch.int64, (50, 8, 8))
    assert torch.equal(batch.classes, (batch.inputs[0][:, 0, 2:10, 2:10] > 0).long())
    assert bool(batch.classes.any())


def test_images_that_are_flattened_are_augmented_before() -> None:
    examples = Examples(pictures(10, 1, 4, 6), torch.arange(10))
    batch = feed(chosen("flip", chance=1.0), shape=(24,))(examples, 0)
    assert torch.equal(batch.inputs[0], examples.inputs.flip(-1).float().flatten(1))


SPEC = """network Small
input 16x16x1
conv 3x3x4, relu, pool 4
dense 10
train:
    data digits
    augment crop 2, flip, affine 10 0.1, elastic 10, cutout 4, noise 0.1, mixup 0.4, cutmix
    epochs 2
    batch 200
"""


def test_a_run_that_goes_on_is_augmented_as_one_that_never_stopped(tmp_path: Path) -> None:
    (checked,) = check(Source("test.cnn", SPEC)).networks
    assert checked.recipe is not None
    options = Options(out=str(tmp_path), quiet=True)
    whole = train(checked.graph, checked.recipe, options).run
    half = train(checked.graph, checked.recipe._replace(epochs=1), options).run
    assert whole is not None
    assert half is not None
    graph, recipe = read_run(half)
    resume(half, graph, recipe._replace(epochs=2), Options(quiet=True))
    one, other = (load_file(run / "model.safetensors") for run in (whole, half))
    assert all(torch.equal(one[name], other[name]) for name in one)
