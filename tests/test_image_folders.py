"""Folders of images: classes and parts, decoding and fitting, the cache, damaged files, links that lead out."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnndsl.datasets import decoded_folder
from cnndsl.layers.bind import Given
from cnndsl.recipe.base import option
from cnndsl.recipe.sources.files import Folder
from cnndsl.runtime.data import Mapped, Raw
from cnndsl.runtime.data.image_folders import list_folder
from cnndsl.runtime.data.parts import draw
from cnndsl.runtime.data.pictures import PictureError, decode, read_pictures
from cnndsl.runtime.data.prepare import Prepare
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError, WriteError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")


def picture(height: int = 8, width: int = 8, seed: int = 0, mode: str = "RGB") -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), mode)


def plain(level: int) -> Image.Image:
    return Image.new("L", (8, 8), level)


def make(root: Path, files: dict[str, Image.Image | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
    return root


def load(root: Path, shape: tuple[int, int, int] = (1, 8, 8), folder: str = "set", **values: Any) -> Raw:
    given = [Given("value", folder), *(Given("named", value, name) for name, value in values.items())]
    said: list[str] = []
    return read(option(Folder, given), Wanted(str(root), 0, shape, (2,), say=said.append))


def levels(part: Any) -> list[int]:
    """The value of each image, all of whose pixels are alike."""
    rows = torch.arange(len(part))
    return [int(image.flatten()[0]) for image in part.pick(rows).inputs]


# --- classes and parts ----------------------------------------------------------------------------------------------


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(10 * c + i) for c, name in enumerate("ab") for i in range(10)})
    raw = load(tmp_path, test=0.2)
    assert raw.test is not None
    assert raw.names == ("a", "b")
    assert (len(raw.train), len(raw.test)) == (16, 4)
    together = sorted([*levels(raw.train), *levels(raw.test)])
    assert together == list(range(20))
    for part in (raw.train, raw.test):
        assert part.classes is not None
        assert part.classes.tolist() == [level // 10 for level in levels(part)]
    assert load(tmp_path, test=0).test is None


def test_parts_in_folders(tmp_path: Path) -> None:
    files = {}
    for p, part in enumerate(("train", "valid", "test")):
        files |= {
            f"{part}/{name}/{i}.png": plain(100 * p + 10 * c + i) for c, name in enumerate("ab") for i in range(3)
        }
    make(tmp_path / "set", files)
    raw = load(tmp_path)
    assert raw.validation is not None
    assert raw.test is not None
    assert levels(raw.train) == [0, 1, 2, 10, 11, 12]
    assert levels(raw.validation) == [100, 101, 102, 110, 111, 112]
    assert levels(raw.test) == [200, 201, 202, 210, 211, 212]
    # Apart for validation alone: nothing is taken from the training part for a test.
    make(tmp_path / "other", {name: image for name, image in files.items() if not name.startswith("test")})
    raw = load(tmp_path, folder="other")
    assert (len(raw.train), raw.test) == (6, None)


def test_names_that_are_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    make(tmp_path, {f"{number}/a.png": plain(number) for number in range(12)})
    assert list_folder(tmp_path).names == tuple(str(number) for number in range(12))
    make(tmp_path, {"x/a.png": plain(1)})
    assert list_folder(tmp_path).names[:4] == ("0", "1", "10", "11")


def test_images_lie_at_any_depth_and_other_files_are_counted(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            "a/one.PNG": plain(1), "a/deep/er/two.jpeg": plain(2), "a/.hidden.png": plain(3), "a/notes.txt": b"x",
            "b/x.bmp": plain(4), ".git/c.png": plain(5), "__MACOSX/a/one.png": plain(6), "loose.png": plain(7),
        },
    )  # fmt: skip
    found = list_folder(tmp_path)
    assert found.names == ("a", "b")
    assert found.parts["train"].files == ["a/deep/er/two.jpeg", "a/one.PNG", "b/x.bmp"]
    assert found.parts["train"].classes == [0, 0, 1]
    assert found.others == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/x.txt": b""}, r"a has no images"),
        ({"x.png": plain(0)}, "has images but no folders: each class has a folder of its own"),
        ({"x.txt": b""}, "has no folders: each class has a folder of its own"),
        ({"a/x.png": plain(0), "b/x.txt": b""}, "b has no images"),
        ({"test/a/x.png": plain(0)}, "has a folder test but none called train"),
        ({"train/a/x.png": plain(0), "test/b/x.png": plain(0)}, "test has a class 'b' that .*train has not"),
        ({"train/x.png": plain(0)}, "train has images but no folders"),
    ],
)
def test_folders_that_are_no_data_set(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    make(tmp_path / "set", files)
    with pytest.raises(DataError, match=said):
        load(tmp_path)


def test_a_class_that_is_missing_in_the_test_part_is_said(tmp_path: Path) -> None:
    make(tmp_path / "set", {"train/a/x.png": plain(0), "train/b/x.png": plain(1), "test/a/x.png": plain(2)})
    assert "no images of b in test" in load(tmp_path).said


def test_no_folder_and_no_folder_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"found no folder .*set"):
        load(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        load(tmp_path, folder="file")
    make(tmp_path / "photos", {"a/x.png": plain(0), "b/x.png": plain(1)})
    with pytest.raises(DataError, match="found no folder") as caught:
        load(tmp_path, folder="photoz")
    assert caught.value.help == "did you mean photos?"


def test_what_a_spec_names_stays_below_the_data_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(tmp_path / "secret", {"a/x.png": plain(0), "b/x.png": plain(1)})
    root.mkdir()
    os.symlink(tmp_path / "secret", root / "link")
    for folder in ("../secret", str(tmp_path / "secret"), "link", "link/a", "a\0b"):
        with pytest.raises(DataError, match=r"outside the data root|can be no data"):
            load(root, folder=folder)


def test_links_within_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(tmp_path / "secret", {"x.png": plain(0)})
    make(root / "set", {"a/x.png": plain(1), "b/x.png": plain(2)})
    os.symlink(root / "set" / "a" / "x.png", root / "set" / "b" / "same.png")
    assert sorted(levels(load(root, test=0).train)) == [1, 1, 2]
    os.symlink(tmp_path / "secret" / "x.png", root / "set" / "b" / "out.png")
    with pytest.raises(DataError, match="outside the data root"):
        load(root)
    os.unlink(root / "set" / "b" / "out.png")
    os.symlink(root / "set", root / "set" / "b" / "circle")
    with pytest.raises(DataError, match="is a link to a folder"):
        load(root)


# --- decoding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "webp", "tif", "ppm"])
def test_formats_without_loss(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    image = picture(5, 7).quantize(16).convert("RGB")
    image.save(path, lossless=True) if ending == "webp" else image.save(path)
    assert (decode(path, (5, 7), 3, "crop") == np.asarray(image).transpose(2, 0, 1)).all()


def test_a_jpeg_is_nearly_what_was_saved(tmp_path: Path) -> None:
    smooth = picture(4, 4).resize((40, 40), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "x.jpg", quality=95)
    difference = decode(tmp_path / "x.jpg", (40, 40), 3, "crop").astype(int) - np.asarray(smooth).transpose(2, 0, 1)
    assert np.abs(difference).mean() < 4


def test_a_large_jpeg_is_decoded_in_parts_and_looks_the_same(tmp_path: Path) -> None:
    smooth = picture(5, 5).resize((1000, 800), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "x.jpg", quality=95)
    whole = Image.open(tmp_path / "x.jpg").convert("RGB").resize((50, 40), Image.Resampling.BILINEAR)
    found = decode(tmp_path / "x.jpg", (40, 50), 3, "resize").astype(int)
    assert np.abs(found - np.asarray(whole).transpose(2, 0, 1)).max() <= 6


def test_modes_of_images(tmp_path: Path) -> None:
    grey = picture(6, 6, mode="L")
    colour = picture(6, 6)
    grey.save(tmp_path / "grey.png")
    colour.save(tmp_path / "colour.png")
    assert (decode(tmp_path / "grey.png", (6, 6), 3, "crop") == np.asarray(grey)).all()
    luma = np.asarray(colour).astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(decode(tmp_path / "colour.png", (6, 6), 1, "crop")[0] - luma).max() <= 1
    Image.new("1", (4, 4), 1).save(tmp_path / "bits.png")
    assert (decode(tmp_path / "bits.png", (4, 4), 1, "crop") == 255).all()
    sixteen = Image.fromarray(np.array([[0, 256, 65535]], np.uint16))
    sixteen.save(tmp_path / "sixteen.png")
    assert decode(tmp_path / "sixteen.png", (1, 3), 1, "crop").tolist() == [[[0, 1, 255]]]
    half = Image.new("RGBA", (2, 1), (200, 100, 0, 0))
    half.putpixel((1, 0), (200, 100, 0, 128))
    half.save(tmp_path / "clear.png")
    assert decode(tmp_path / "clear.png", (1, 2), 3, "crop").tolist() == [[[0, 100]], [[0, 50]], [[0, 0]]]
    Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "real.tif")
    with pytest.raises(PictureError, match="real numbers"):
        decode(tmp_path / "real.tif", (2, 2), 1, "crop")
    frames = [plain(3), plain(200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert set(decode(tmp_path / "moving.gif", (8, 8), 1, "crop").ravel().tolist()) == {3}


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    image = picture(4, 6)
    about = Image.Exif()
    about[0x0112] = 6  # the top row of what was stored stands at the right
    image.save(tmp_path / "x.png", exif=about)
    turned = np.rot90(np.asarray(image), -1)
    assert (decode(tmp_path / "x.png", (6, 4), 3, "crop") == turned.transpose(2, 0, 1)).all()


def test_the_three_ways_to_fit(tmp_path: Path) -> None:
    # White, black, white in thirds from left to right: 12 wide, 4 high, to 4x4.
    values = np.zeros((4, 12), np.uint8)
    values[:, :4] = values[:, 8:] = 255
    path = tmp_path / "x.png"
    Image.fromarray(values).save(path)
    assert (decode(path, (4, 4), 1, "crop") == 0).all()
    # 4 cells wide it is 1 high, and lies in one row.
    (row,) = [row for row in decode(path, (4, 4), 1, "pad")[0] if row.any()]
    assert row[0] > 200
    assert row[1] < 100
    stretched = decode(path, (4, 4), 1, "resize")[0, 0]
    assert stretched[0] > 200
    assert stretched[1] < 100
    assert stretched[3] > 200


# --- what is wrong with a file --------------------------------------------------------------------------------------


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that claims side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


GOOD = png(picture(64, 64))
JPEG = io.BytesIO()
picture(64, 64).save(JPEG, "JPEG")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no image that can be read"),
        (b"nothing of the sort", "is no image that can be read"),
        (GOOD[: len(GOOD) // 2], "is cut off"),
        (JPEG.getvalue()[:1500], "is cut off"),
        (GOOD[:60] + b"!!!!" + GOOD[64:], "is damaged|can't be read|is cut off"),
        (GOOD[:20], "is no image|is damaged|is cut off"),
        (bomb(10_001), "claims 10,001x10,001 pixels; at most 100,000,000 are decoded"),
        (bomb(2**31 - 1), "claims|is damaged|is no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "is no image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no image that can be read"),
    ],
)
def test_a_bad_image_is_named_and_refused_or_skipped(tmp_path: Path, content: bytes, said: str) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(i) for name in "ab" for i in range(5)})
    make(tmp_path / "set", {"b/wrong.png": content})
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path)
    assert "1 of 11 images" in caught.value.message
    assert "b/wrong.png" in caught.value.message
    assert "corrupt=skip" in (caught.value.help or "")
    raw = load(tmp_path, corrupt="skip", test=0)
    assert levels(raw.train) == [0, 1, 2, 3, 4] * 2
    assert raw.train.classes is not None
    assert raw.train.classes.tolist() == [0] * 5 + [1] * 5
    assert any("1 of 11 images can't be read and are left out: b/wrong.png" in text for text in raw.said)


def test_many_bad_images_are_counted_and_some_named(tmp_path: Path) -> None:
    make(tmp_path / "set", {f"a/{i}.png": plain(i) for i in range(5)} | {f"b/{i}.png": b"x" for i in range(9)})
    make(tmp_path / "set", {"b/good.png": plain(1)})
    with pytest.raises(DataError, match=r"9 of 15 images .* and 4 more"):
        load(tmp_path)
    (tmp_path / "set" / "b" / "good.png").unlink()
    with pytest.raises(DataError, match="has no image of the class 'b' that can be read"):
        load(tmp_path, corrupt="skip")


def test_a_mismatch_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    make(tmp_path / "set", {"a/x.png": b"x", "b/x.png": b"x", "c/x.png": b"x"})

    def agree(source: Any) -> None:
        raise LookupError(source.classes, source.names)

    wanted = Wanted(str(tmp_path), 0, (1, 8, 8), (2,), agree=agree)
    with pytest.raises(LookupError) as caught:
        read(option(Folder, [Given("value", "set")]), wanted)
    assert caught.value.args == (3, ("a", "b", "c"))
    assert not decoded_folder().exists()


# --- the cache ------------------------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []

    def watched(path: Path, *rest: Any) -> Any:
        names.append(path.name)
        return decode(path, *rest)

    monkeypatch.setattr("cnndsl.runtime.data.pictures.decode", watched)
    return names


def test_images_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(i) for name in "ab" for i in range(5)})
    names = counted(monkeypatch)
    first = levels(load(tmp_path, test=0).train)
    assert len(names) == 10
    assert levels(load(tmp_path, test=0).train) == first
    assert len(names) == 10
    # Another size, another way to fit, another number of channels: each is a set of its own.
    load(tmp_path, (1, 4, 4))
    load(tmp_path, (1, 8, 8), fit="pad")
    load(tmp_path, (3, 8, 8))
    assert len(names) == 40
    assert len(list(decoded_folder().glob("*.u8"))) == 4
    # A file that is changed, added or removed: again, in the same place.
    plain(99).save(tmp_path / "set" / "a" / "0.png")
    os.utime(tmp_path / "set" / "a" / "0.png", ns=(1, 1))
    assert sorted(levels(load(tmp_path, test=0).train))[-1] == 99
    make(tmp_path / "set", {"a/new.png": plain(50)})
    assert 50 in levels(load(tmp_path, test=0).train)
    assert len(list(decoded_folder().glob("*.u8"))) == 4
    assert not list(decoded_folder().glob("*.part"))


@pytest.mark.parametrize("damage", ["cut", "gone", "json", "count", "other"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(i) for name in "ab" for i in range(5)})
    first = levels(load(tmp_path, test=0).train)
    (stored,) = decoded_folder().glob("*.u8")
    about = stored.with_suffix(".json")
    if damage == "cut":
        stored.write_bytes(stored.read_bytes()[:-1])
    elif damage == "gone":
        stored.unlink()
    elif damage == "json":
        about.write_text(about.read_text()[:-5])
    elif damage == "count":
        about.write_text(json.dumps({**json.loads(about.read_text()), "count": 9}))
    else:
        about.write_text("[1]")
    names = counted(monkeypatch)
    assert levels(load(tmp_path, test=0).train) == first
    assert len(names) == 10


def test_a_large_set_stays_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(20 * c + i) for c, name in enumerate("ab") for i in range(20)})
    small = load(tmp_path, test=0.2)
    monkeypatch.setattr("cnndsl.runtime.data.decoded.IN_MEMORY", 0)
    raw = load(tmp_path, test=0.2)
    assert raw.test is not None
    assert small.test is not None
    for mapped, held in ((raw.train, small.train), (raw.test, small.test)):
        assert isinstance(mapped, Mapped)
        rows = torch.randperm(len(held))
        assert len(mapped) == len(held)
        assert torch.equal(mapped.pick(rows).inputs, held.pick(rows).inputs)
        assert mapped.classes is not None
        assert held.classes is not None
        assert torch.equal(mapped.pick(rows).classes, held.pick(rows).classes)  # type: ignore[arg-type]
        assert torch.equal(torch.cat(list(mapped.pieces(128))), held.inputs)
    left, drawn = draw(raw.train, 8, 3)
    same = draw(small.train, 8, 3)
    assert isinstance(left, Mapped)
    assert levels(left) == levels(same[0])
    assert levels(drawn) == levels(same[1])


def test_a_cache_that_can_t_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "set", {f"{name}/{i}.png": plain(i) for name in "ab" for i in range(5)})
    (tmp_path / "cache").write_text("a file, where a folder is needed")
    with pytest.raises(WriteError, match="the decoded images, 640 bytes, can't be kept in") as caught:
        load(tmp_path)
    assert "XDG_CACHE_HOME" in (caught.value.help or "")


# --- single files ---------------------------------------------------------------------------------------------------


def test_image_files_become_the_network_s_input(tmp_path: Path) -> None:
    make(tmp_path, {"a.png": picture(28, 28, 1), "b.jpg": picture(50, 40, 2)})
    prepare = Prepare("pad", (32, 32), (1, 32, 32), (0.5,), (-1.0,), (28, 28, 1), "pad")
    stored = read_pictures([tmp_path / "a.png", tmp_path / "b.jpg"], prepare)
    assert stored.shape == (2, 1, 28, 28)
    x = prepare.on(torch.device("cpu"))(stored)
    assert x.shape == (2, 1, 32, 32)
    assert torch.equal(x[:, :, 2:30, 2:30], stored.float() * 0.5 - 1)
    assert (x[:, :, :2] == -1).all()


@pytest.mark.parametrize(
    ("make_it", "said"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.write_bytes(b"x"), "is no image"),
        (lambda path: path.mkdir(), "can't be read: Is a directory"),
    ],
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, make_it: Callable[[Path], Any], said: str) -> None:
    path = tmp_path / "x.png"
    make_it(path)
    prepare = Prepare("none", (8, 8), (1, 8, 8), (1.0,), (0.0,), (8, 8, 1))
    with pytest.raises(DataError, match=f"x.png {said}"):
        read_pictures([path], prepare)
    with pytest.raises(DataError, match="not trained on images"):
        read_pictures([path], prepare._replace(image=None))
