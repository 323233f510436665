"""Data sets: files as bytes made by hand, images fitted and normalized, parts that don't overlap."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from cnndsl.datasets import data_roots
from cnndsl.layers.bind import Given
from cnndsl.recipe import Recipe, from_json
from cnndsl.recipe.base import option
from cnndsl.recipe.sources import SOURCES
from cnndsl.runtime.data import Examples, Raw
from cnndsl.runtime.data.digits import digits
from cnndsl.runtime.data.folders import find_files, inside
from cnndsl.runtime.data.idx import read_idx
from cnndsl.runtime.data.parts import evenly
from cnndsl.runtime.data.prepare import FIT_ONCE, Prepare, prepare, statistics
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


def idx_bytes(values: np.ndarray, kind: int = 8) -> bytes:
    """An IDX file, by the format's description."""
    header = struct.pack(">BBBB", 0, 0, kind, values.ndim) + b"".join(struct.pack(">I", n) for n in values.shape)
    return header + values.astype(np.uint8).tobytes()


def source(name: str, **values: object) -> object:
    chosen = next(s for s in SOURCES if s.name == name)
    return option(chosen, [Given("named", value, key) for key, value in values.items()])


def recipe(**changes: object) -> Recipe:
    """The default recipe on the digits, changed."""
    base = {
        "data": {"name": "digits", "fit": "auto", "test": 0.2},
        "normalize": {"name": "standard"},
        "loss": {"name": "cross_entropy", "smoothing": 0.0},
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
        "schedule": {"name": "constant", "warmup": 0.0},
        "metrics": [{"name": "accuracy"}],
        "epochs": 1,
        "batch": 64,
        "validation": 0.1,
        "test": True,
        "shuffle": True,
        "clip": 0.0,
        "seed": 0,
    }
    return from_json({**base, **changes})


def wanted(shape: tuple[int, ...], outputs: tuple[int, ...] = (10,), root: Path | None = None, seed: int = 0) -> Wanted:
    return Wanted(None if root is None else str(root), seed, shape, outputs)


# --- IDX files ------------------------------------------------------------------------------------------------------

IMAGES = np.arange(2 * 3 * 4).reshape(2, 3, 4)


def test_an_idx_file_plain_and_gzipped(tmp_path: Path) -> None:
    # Two images of 3x4, every byte of the header written out.
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])
    assert content == idx_bytes(IMAGES)
    plain, zipped = tmp_path / "a", tmp_path / "b"
    plain.write_bytes(content)
    zipped.write_bytes(gzip.compress(content))
    for path in (plain, zipped):
        values = read_idx(path, 3)
        assert values.dtype == np.uint8
        assert (values == IMAGES).all()


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9]))
    assert read_idx(path, 1).tolist() == [7, 0, 9]


def test_an_empty_idx_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "none"
    path.write_bytes(idx_bytes(np.zeros((0, 28, 28))))
    assert read_idx(path, 3).shape == (0, 28, 28)


GOOD = idx_bytes(IMAGES)
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no IDX file: it begins with nothing"),
        (b"\x00\x00", "is no IDX file"),
        (b"\x89PNG\r\n", "is no IDX file: it begins with 89 50 4e 47"),
        (idx_bytes(IMAGES, kind=0x0D), "holds values of IDX type 0x0d"),
        (idx_bytes(np.zeros(3)), "has 1 dimensions, where images have 3"),
        (GOOD[:9], "is cut off in its header"),
        (GOOD[:-1], "says that it holds 24 values, but ends after 23"),
        (GOOD[:16], "says that it holds 24 values, but ends after 0"),
        (GOOD + b"x", "goes on after the 24 values"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + b"abc", "at most 2,147,483,648 are read"),
        (b"\0\0\x08\x03" + struct.pack(">III", 1000, 1000, 1000) + b"abc", "but ends after 3"),
        (ZIPPED[:-9], "is cut off: its gzip data ends early"),
        (ZIPPED[:5], "is cut off: its gzip data ends early"),
        (b"\x1f\x8bnothing of the sort", "is damaged: its gzip data can't be unpacked"),
        (ZIPPED[:-8] + b"!" + ZIPPED[-7:], "can't be unpacked (CRC check failed"),
        (gzip.compress(ZIPPED, mtime=0), "is no IDX file: it begins with 1f 8b"),
    ],
)
def test_a_bad_idx_file_is_refused_with_its_reason(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    assert said in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 2


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(300_000_000), compresslevel=1))
    read = []
    original = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        piece = original(self, size)
        read.append(len(piece))
        return piece

    gzip.GzipFile.read = counted  # type: ignore[method-assign]
    try:
        with pytest.raises(DataError, match="goes on after"):
            read_idx(path, 3)
    finally:
        gzip.GzipFile.read = original  # type: ignore[method-assign]
    assert sum(read) == len(GOOD) + 1


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no file|directory"):
        read_idx(tmp_path, 3)
    with pytest.raises(DataError, match="No such file"):
        read_idx(tmp_path / "none", 3)


# --- MNIST's folder -------------------------------------------------------------------------------------------------


def make_mnist(folder: Path, train: int = 20, test: int = 10, ending: str = ".gz") -> None:
    """A small data set in MNIST's format: image i is filled with its label's value times 20."""
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        labels = np.arange(count) % 10
        images = np.broadcast_to((labels * 20)[:, None, None], (count, 28, 28))
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(np.asarray(values))
            (folder / f"{part}-{name}-ubyte{ending}").write_bytes(gzip.compress(content) if ending else content)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_mnist_from_a_folder(tmp_path: Path, folder: str, ending: str) -> None:
    make_mnist(tmp_path / folder, ending=ending)
    raw = read(source("mnist"), wanted((1, 28, 28), root=tmp_path))  # type: ignore[arg-type]
    assert raw.train.inputs.shape == (20, 1, 28, 28)
    assert raw.train.inputs.dtype == torch.uint8
    assert raw.test is not None
    assert raw.test.classes is not None
    assert raw.test.classes.tolist() == list(range(10))
    assert raw.train.inputs[:, 0, 5, 5].tolist() == [(i % 10) * 20 for i in range(20)]


def test_where_data_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNDSL_DATA", str(tmp_path / "variable"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    assert data_roots("given") == [Path("given")]
    assert data_roots(None) == [tmp_path / "variable", tmp_path / "cache" / "cnndsl"]
    with pytest.raises(DataError) as caught:
        read(source("mnist"), wanted((1, 28, 28)))  # type: ignore[arg-type]
    assert str(tmp_path / "variable" / "mnist") in caught.value.message
    assert "train-images-idx3-ubyte" in (caught.value.help or "")
    make_mnist(tmp_path / "cache" / "cnndsl" / "mnist")
    assert len(read(source("mnist"), wanted((1, 28, 28))).train) == 20  # type: ignore[arg-type]


def test_a_spec_names_no_folder_outside_the_data_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    make_mnist(tmp_path / "secret")
    os.symlink(tmp_path / "secret", root / "link")
    for folder in ("../secret", str(tmp_path / "secret"), "link", "a\0b"):
        with pytest.raises(DataError):
            read(source("mnist", folder=folder), wanted((1, 28, 28), root=root))  # type: ignore[arg-type]
    assert inside(root, "below") == (root / "below").resolve()


def test_files_of_a_set_that_don_t_belong_together(tmp_path: Path) -> None:
    make_mnist(tmp_path / "mnist", ending="")
    labels = tmp_path / "mnist" / "train-labels-idx1-ubyte"
    whole = labels.read_bytes()
    for content, said in (
        (idx_bytes(np.arange(19) % 10), "20 images, but .* 19 labels"),
        (idx_bytes(np.arange(20)), "a label 19, where the highest class is 9"),
    ):
        labels.write_bytes(content)
        with pytest.raises(DataError, match=said):
            read(source("mnist"), wanted((1, 28, 28), root=tmp_path))  # type: ignore[arg-type]
    labels.write_bytes(whole)
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((20, 8, 8))))
    with pytest.raises(DataError, match="images of 8x8, where `data mnist` has 28x28"):
        read(source("mnist"), wanted((1, 28, 28), root=tmp_path))  # type: ignore[arg-type]
    labels.unlink()
    with pytest.raises(DataError, match="lacks train-labels-idx1-ubyte"):
        find_files(
            "mnist",
            wanted((1, 28, 28), root=tmp_path),
            ("mnist",),
            ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        )


# --- the digits -----------------------------------------------------------------------------------------------------


def test_the_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    images, labels = digits()
    theirs = load_digits()
    assert (images == theirs.data).all()
    assert (labels == theirs.target).all()


def test_the_digits_as_bytes_and_their_test_part() -> None:
    raw = read(source("digits"), wanted((1, 8, 8)))  # type: ignore[arg-type]
    assert raw.test is not None
    assert (len(raw.train), len(raw.test)) == (1438, 359)
    images, _ = digits()
    both = torch.cat([raw.train.inputs, raw.test.inputs]).flatten(1)
    expected = np.sort(np.rint(images * 255 / 16).astype(np.uint8), axis=0)
    assert (np.sort(both.numpy(), axis=0) == expected).all()
    # Every class is in both parts in proportion, and the parts are the same at any seed.
    share = torch.bincount(raw.test.classes) / torch.bincount(torch.cat([raw.train.classes, raw.test.classes]))
    assert (share - 0.2).abs().max() < 0.01
    again = read(source("digits"), wanted((1, 8, 8), seed=9))  # type: ignore[arg-type]
    assert again.test is not None
    assert torch.equal(again.test.inputs, raw.test.inputs)


def test_even_places() -> None:
    kept = evenly(torch.tensor([0, 1, 0, 1, 0, 1, 0, 1]), 8, 4)
    assert kept.tolist() == [True, True, False, False, True, True, False, False]
    assert int(evenly(None, 10, 3).sum()) == 3


def test_a_test_share_that_leaves_nothing() -> None:
    with pytest.raises(DataError, match="leave none"):
        read(source("digits", test=1797), wanted((1, 8, 8)))  # type: ignore[arg-type]
    assert read(source("digits", test=0), wanted((1, 8, 8))).test is None  # type: ignore[arg-type]


# --- made-up examples -----------------------------------------------------------------------------------------------


def test_synthetic_examples_come_from_the_seed() -> None:
    first = read(source("synthetic", examples=50), wanted((3, 4, 5), (7,), seed=1))  # type: ignore[arg-type]
    again = read(source("synthetic", examples=50), wanted((3, 4, 5), (7,), seed=1))  # type: ignore[arg-type]
    other = read(source("synthetic", examples=50), wanted((3, 4, 5), (7,), seed=2))  # type: ignore[arg-type]
    assert first.train.inputs.shape == (40, 3, 4, 5)
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert not torch.equal(first.train.inputs, other.train.inputs)
    assert first.train.classes is not None
    assert set(first.train.classes.tolist()) <= set(range(7))


def test_synthetic_examples_are_bounded() -> None:
    with pytest.raises(DataError, match="more than 2 GiB"):
        read(source("synthetic", examples=10**6), wanted((3, 224, 224)))  # type: ignore[arg-type]


# --- fitting and normalizing ----------------------------------------------------------------------------------------


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_padding_puts_background_around() -> None:
    stored = images(2, 1, 28, 28)
    fitted = Prepare("pad", (33, 32), (1, 33, 32), (1.0,), (0.0,)).fitted(stored)
    assert torch.equal(fitted[:, :, 2:30, 2:30], stored)
    assert fitted.shape == (2, 1, 33, 32)
    assert int(fitted.sum()) == int(stored.sum())


def test_resizing_is_bilinear_between_the_centres() -> None:
    stored = images(1, 1, 4, 4)
    fitted = Prepare("resize", (8, 8), (1, 8, 8), (1.0,), (0.0,)).fitted(stored)
    pixels = stored[0, 0].numpy().astype(float)
    for row in range(8):
        for column in range(8):
            y, x = (min(max((n + 0.5) / 2 - 0.5, 0), 3) for n in (row, column))
            top, left = int(y), int(x)
            bottom, right = min(top + 1, 3), min(left + 1, 3)
            down, across = y - top, x - left
            value = (pixels[top, left] * (1 - across) + pixels[top, right] * across) * (1 - down) + (
                pixels[bottom, left] * (1 - across) + pixels[bottom, right] * across
            ) * down
            assert abs(int(fitted[0, 0, row, column]) - value) <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("normalize", "zero", "full"),
    [
        ({"name": "unit"}, 0.0, 1.0),
        ({"name": "range", "low": -1.0, "high": 3.0}, -1.0, 3.0),
        ({"name": "lenet"}, -0.1, 1.175),
        ({"name": "none"}, 0.0, 255.0),
    ],
)
def test_fixed_normalizations(normalize: dict[str, object], zero: float, full: float) -> None:
    stored = images(20, 1, 8, 8)
    stored[0, 0, 0, :2] = torch.tensor([0, 255])
    raw = Raw(Examples(stored, torch.arange(20) % 10), None)
    made = prepare(raw, recipe(normalize=normalize, validation=0), (1, 8, 8)).prepare
    assert made.on(torch.device("cpu"))(stored)[0, 0, 0, :2].tolist() == pytest.approx([zero, full])


def test_standard_normalization_looks_at_the_training_part_alone() -> None:
    stored = images(200, 3, 6, 5)
    stored[:, 2] //= 4
    raw = Raw(Examples(stored, torch.arange(200) % 10), Examples(images(50, 3, 6, 5, seed=1), torch.arange(50) % 10))
    done = prepare(raw, recipe(validation=40), (3, 6, 5))
    x = done.prepare.on(torch.device("cpu"))(done.split.train.inputs).numpy()
    assert x.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-5)
    assert x.std((0, 2, 3)) == pytest.approx([1, 1, 1], abs=1e-5)
    plain = done.split.train.inputs.numpy().astype(np.float64)
    mean, deviation = statistics(done.split.train, done.prepare._replace(scale=(1.0,), shift=(0.0,)))
    assert mean == pytest.approx(plain.mean((0, 2, 3)).tolist())
    assert deviation == pytest.approx(plain.std((0, 2, 3)).tolist())


def test_a_constant_channel_is_no_division_by_zero() -> None:
    stored = torch.full((10, 1, 4, 4), 7, dtype=torch.uint8)
    done = prepare(Raw(Examples(stored, torch.arange(10)), None), recipe(validation=0), (1, 4, 4))
    assert torch.equal(done.prepare.on(torch.device("cpu"))(stored), torch.zeros(10, 1, 4, 4))


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 8, 8), (3, 9, 9), (64,)])
def test_inputs_of_other_sizes(shape: tuple[int, ...]) -> None:
    raw = read(source("digits"), wanted(shape))  # type: ignore[arg-type]
    done = prepare(raw, recipe(), shape)
    x = done.prepare.on(torch.device("cpu"), torch.channels_last)(done.split.train.inputs[:5])
    assert x.shape == (5, *shape)
    assert x.dtype == torch.float32
    if len(shape) == 1:
        assert torch.equal(x, done.prepare.on(torch.device("cpu"))(done.split.train.inputs[:5]).flatten(1))
    if shape[0] == 3:
        assert torch.equal(x[:, 0], x[:, 2])


def test_fitting_batch_by_batch_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = read(source("digits"), wanted((1, 32, 32)))  # type: ignore[arg-type]
    once = prepare(raw, recipe(), (1, 32, 32))
    monkeypatch.setattr("cnndsl.runtime.data.prepare.FIT_ONCE", dict.fromkeys(FIT_ONCE, 0))
    each = prepare(raw, recipe(), (1, 32, 32))
    assert once.split.train.inputs.shape[2:] == (32, 32)
    assert each.split.train.inputs.shape[2:] == (8, 8)
    assert once.prepare == each.prepare
    rows = torch.arange(7)
    results = [p.prepare.on(torch.device("cpu"))(p.split.train.pick(rows).inputs) for p in (once, each)]
    assert torch.equal(*results)


def test_the_parts_don_t_overlap_and_the_seed_draws_the_validation_part() -> None:
    rows = torch.arange(100, dtype=torch.float32).unsqueeze(1)
    raw = Raw(Examples(rows, torch.arange(100) % 10), None)
    first, again, other = (
        prepare(raw, recipe(seed=seed, validation=0.25, normalize={"name": "none"}), (1,)).split for seed in (0, 0, 1)
    )
    assert first.validation is not None
    assert again.validation is not None
    assert other.validation is not None
    assert len(first.validation) == 25
    together = torch.cat([first.train.inputs, first.validation.inputs])
    assert together.flatten().sort().values.tolist() == list(range(100))
    assert torch.equal(first.validation.inputs, again.validation.inputs)
    assert not torch.equal(first.validation.inputs, other.validation.inputs)


def test_limits_and_shares_that_leave_nothing() -> None:
    rows = torch.arange(100, dtype=torch.float32).unsqueeze(1)
    raw = Raw(Examples(rows, torch.arange(100) % 10), Examples(rows, torch.arange(100) % 10))
    split = prepare(raw, recipe(normalize={"name": "none"}), (1,), limit=20).split
    assert [len(part) for part in split if part is not None] == [20, 10, 20]
    assert split.train.classes is not None
    assert len(set(split.train.classes.tolist())) == 10
    with pytest.raises(DataError, match="leaves none"):
        prepare(raw, recipe(validation=100), (1,))
    assert prepare(raw, recipe(validation=0, test=False, normalize={"name": "none"}), (1,)).split[1:] == (None, None)
