"""Folders of images with masks: pairs by name, parts, classes in grey or by palette, sizes, and what is wrong."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from runs import result_of, trained_run
from test_image_folders import make, picture

from cnndsl.cli import main
from cnndsl.layers.bind import Given
from cnndsl.recipe.base import option
from cnndsl.recipe.sources.files import Folder
from cnndsl.runtime.data import Examples, Mapped, Raw, decoded
from cnndsl.runtime.data.masked_folders import list_masked
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")


def grey(values: Any) -> Image.Image:
    return Image.fromarray(np.asarray(values, np.uint8))


def indexed(values: Any) -> Image.Image:
    """A picture with a palette whose colours have nothing to do with its indexes."""
    made = grey(values).convert("P")
    made = Image.frombytes("P", made.size, np.asarray(values, np.uint8).tobytes())
    made.putpalette([200, 10, 0, 0, 0, 90, 255, 255, 255])
    return made


def load(root: Path, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 3, **values: Any) -> Raw:
    given = [Given("value", "set"), *(Given("named", v, name) for name, v in ({"masks": "masks"} | values).items())]
    return read(option(Folder, given), Wanted(str(root), 0, shape, (classes, *shape[1:]), task="map"))


def maps(examples: Examples | None) -> NDArray[np.uint8]:
    assert examples is not None
    found = examples.pick(torch.arange(len(examples))).classes
    assert found is not None
    assert found.dtype == torch.uint8
    return np.asarray(found)


def ring(number: int, side: int = 8) -> NDArray[np.uint8]:
    """A mask of classes 0, 1 and 2 that is unlike others."""
    made = np.zeros((side, side), np.uint8)
    made[number % side] = 1
    made[:, (3 * number) % side] = 2
    return made


# --- pairs ----------------------------------------------------------------------------------------------------------


def test_images_and_masks_beside_each_other(tmp_path: Path) -> None:
    files: dict[str, Any] = {f"images/deep/{n}.jpg": grey(np.full((8, 8), 20 * n)) for n in range(5)}
    files |= {f"masks/deep/{n}{'_mask' if n % 2 else ''}.png": grey(ring(n)) for n in range(5)}
    make(tmp_path / "set", files | {"masks/spare.png": grey(ring(0)), "images/notes.txt": b""})
    raw = load(tmp_path, test=0)
    assert raw.train.inputs.shape == (5, 1, 8, 8)
    assert [int(one) for one in raw.train.inputs[:, 0, 0, 0]] == [0, 20, 40, 60, 80]
    assert (maps(raw.train) == np.stack([ring(n) for n in range(5)])).all()
    assert "images are scaled and cropped to 8x8, in grey" in raw.said
    assert "1 mask has no image and was left out" in raw.said
    kept = load(tmp_path, test=2)
    assert (len(kept.train), len(kept.test or ())) == (3, 2)


@pytest.mark.parametrize("inner", [False, True])
def test_parts(tmp_path: Path, inner: bool) -> None:
    files: dict[str, Any] = {}
    for p, part in enumerate(("train", "val", "test")):
        for n in range(2):
            place = ("JPEGImages/{0}", "masks/{0}") if inner else ("{0}/pictures", "{0}/masks")
            files[f"{place[0].format(part)}/{n}.png"] = grey(np.full((8, 8), 50 * p + n))
            files[f"{place[1].format(part)}/{n}.png"] = grey(ring(2 * p + n))
    make(tmp_path / "set", files)
    raw = load(tmp_path)
    for p, part in enumerate((raw.train, raw.validation, raw.test)):
        assert part is not None
        assert part.inputs[:, 0, 0, 0].tolist() == [50 * p, 50 * p + 1]
        assert (maps(part) == np.stack([ring(2 * p), ring(2 * p + 1)])).all()


def test_which_folder_has_the_images(tmp_path: Path) -> None:
    files = {"a/1.png": grey(ring(1)), "b/1.png": grey(ring(2)), "masks/1.png": grey(ring(3))}
    make(tmp_path / "set", files)
    with pytest.raises(DataError, match=r"several folders that may be the images': a, b"):
        load(tmp_path)
    assert load(tmp_path, images="b", test=0).train.inputs[0, 0].equal(torch.from_numpy(ring(2)))
    # Without a folder of their own, images lie beside that of their masks.
    make(tmp_path / "loose", {"1.png": grey(ring(1)), "masks/1.png": grey(ring(3))})
    assert list_masked(tmp_path / "loose", "masks")["train"].images == ["1.png"]


@pytest.mark.parametrize(
    ("files", "values", "said"),
    [
        (["images/a.png"], {}, r"set has no folder masks with masks; it has images"),
        (["images/a.png", "labels/a.png"], {}, r"no folder masks with masks; it has images, labels"),
        (["masks/a.png", "images/x.txt"], {}, r"images has no images"),
        (["images/a.png", "masks/a.png"], {"images": "pictures"}, r"set has no folder pictures with images"),
        (["images/a.png", "images/b.png", "masks/a.png"], {}, r"1 of 2 images in .*set has no mask in masks: images"),
        (["images/a.png", "masks/b.png"], {"corrupt": "skip"}, r"1 of 1 images in .* has no mask"),
        (["images/a.png", "masks/a.png", "masks/a.gif"], {}, r"two masks in .* have one name: masks/a.gif and masks/a"),
        (["train/images/a.png"], {}, r"train has no folder masks with masks"),
        (["val/images/a.png", "val/masks/a.png"], {}, r"has a folder val but none called train"),
        (["images/train/a.png", "masks/a.png"], {}, r"train has images, but there are no masks in .*masks/train"),
        (["images/a.png", "masks/a.png"], {"masks": "../other"}, r"lies outside"),
        (["images/a.png", "masks/a.png"], {"images": "/etc"}, r"lies outside"),
    ],
)  # fmt: skip
def test_folders_that_are_wrong(tmp_path: Path, files: list[str], values: dict[str, str], said: str) -> None:
    (tmp_path / "other").mkdir()
    make(tmp_path / "set", {name: grey(ring(1)) if name[-1] != "t" else b"" for name in files})
    with pytest.raises(DataError, match=said):
        load(tmp_path, **values)


def test_a_mask_behind_a_link_that_leads_out_is_not_read(tmp_path: Path) -> None:
    make(tmp_path, {"secret.png": grey(ring(1)), "set/images/a.png": grey(ring(1)), "set/masks/b.png": grey(ring(1))})
    (tmp_path / "set" / "masks" / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="lies outside the data root"):
        load(tmp_path)


# --- values ---------------------------------------------------------------------------------------------------------


def png(values: NDArray[np.uint8], bits: int) -> bytes:
    """A grey PNG of so many bits, as the format's standard says: Pillow writes none of 2 and 4."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape
    split = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(split.reshape(height, -1), axis=1)
    content = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    made = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + made


def test_values_are_classes_however_they_are_stored(tmp_path: Path) -> None:
    mask = ring(3)
    stored: dict[str, Any] = {
        "grey": grey(mask),
        "palette": indexed(mask),
        "sixteen": Image.fromarray(mask.astype(np.uint16)),
        "colours": grey(mask).convert("RGB"),
        "two": png(mask, 2),
        "four": png(mask, 4),
        "eight": png(mask, 8),
    }
    files = {f"images/{name}.png": grey(ring(0)) for name in stored}
    make(tmp_path / "set", files | {f"masks/{name}.png": content for name, content in stored.items()})
    raw = load(tmp_path, test=0)
    for name, found in zip(sorted(stored), maps(raw.train), strict=True):
        assert (found == mask).all(), name


@pytest.mark.parametrize("high", [1, 255])
def test_two_classes_in_black_and_white(tmp_path: Path, high: int) -> None:
    mask = (ring(2) == 1).astype(np.uint8)
    content: Any = Image.fromarray(mask.astype(bool)) if high == 1 else grey(mask * 255)
    make(tmp_path / "set", {"images/a.png": grey(ring(0)), "masks/a.png": content})
    for classes in (1, 2):
        raw = load(tmp_path, classes=classes, test=0)
        assert (maps(raw.train)[0] == mask).all()
        assert ("in the masks 255 is class 1" in raw.said) == (high == 255)
    # With three classes it is no class.
    if high == 255:
        with pytest.raises(
            DataError, match=r"masks/a.png holds the value 255, but the network tells the classes 0 to 2"
        ):
            load(tmp_path)


def test_a_value_that_is_no_class_names_its_file(tmp_path: Path) -> None:
    files: dict[str, Any] = {f"images/{n}.png": grey(ring(n)) for n in range(3)}
    files |= {f"masks/{n}.png": grey(ring(n) * (2 if n == 1 else 1)) for n in range(3)}
    make(tmp_path / "set", files)
    with pytest.raises(
        DataError, match=r"set/masks/1.png holds the value 4, but the network tells .* 0 to 2"
    ) as caught:
        load(tmp_path)
    assert caught.value.help == "end with 5 outputs, or change the masks: their values are the classes"
    assert "nothing in the training masks is of class 3, 5" in load(tmp_path, classes=6, test=0).said
    # More classes than a mask can hold: of these none is there.
    said = load(tmp_path, classes=300, test=0).said
    assert "nothing in the training masks is of class 3, 5, 6, 7, 8, 9, 10, 11 and 288 more" in said


# --- files that can't be used ---------------------------------------------------------------------------------------


def saved(image: Image.Image, format: str) -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


BAD = {
    "colours": (picture(mode="RGB"), "holds colours, not classes"),
    "jpeg": (saved(grey(ring(1)), "JPEG"), "is a JPEG, which does not keep values"),
    "size": (grey(ring(1, 9)), "has 9x9 pixels, while the image has 8x8"),
    "cut": (saved(grey(ring(1)), "PNG")[:50], "can't be read|is cut off|is damaged"),
    "text": (b"no picture", "is no image that can be read"),
    "large": (Image.fromarray(np.full((8, 8), 300, np.uint16)), "holds the value 300"),
    "real": (saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"), "holds real numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_mask_is_named_and_refused_or_skipped(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    files: dict[str, Any] = {f"images/{n}.png": grey(ring(n)) for n in range(1, 5)}
    files |= {f"masks/{n}.png": grey(ring(n)) for n in (1, 2, 4)}
    make(tmp_path / "set", files | {"masks/3.png": content})
    with pytest.raises(DataError, match=rf"1 of 4 images .*images/3.png has a mask, masks/3.png, that ({said})"):
        load(tmp_path)
    raw = load(tmp_path, corrupt="skip", test=0)
    assert (maps(raw.train) == np.stack([ring(n) for n in (1, 2, 4)])).all()
    assert any("masks/3.png" in line and "left out" in line for line in raw.said)


def test_a_bad_image_is_named_too(tmp_path: Path) -> None:
    make(tmp_path / "set", {"images/a.png": b"no", "masks/a.png": grey(ring(1))})
    with pytest.raises(DataError, match=r"images/a.png is no image"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"has no image with a mask, of those to train, that can be read"):
        load(tmp_path, corrupt="skip")


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["crop", "pad", "resize"])
def test_masks_are_fitted_as_their_images_are(tmp_path: Path, fit: str) -> None:
    """An image that shows its own mask does so at another size, too, but for the pixels where classes meet."""
    mask = np.zeros((30, 50), np.uint8)
    mask[4:16, 8:33], mask[20:28, 30:44] = 1, 2
    make(tmp_path / "set", {"images/a.png": grey(mask * 100), "masks/a.png": grey(mask)})
    raw = load(tmp_path, (1, 20, 20), fit=fit, test=0)
    shown, found = np.asarray(raw.train.inputs[0, 0]), maps(raw.train)[0]
    assert set(np.unique(found)) == {0, 1, 2}
    pure = np.isin(shown, (0, 100, 200))
    assert pure.mean() > 0.6
    assert (shown[pure] == found[pure] * 100).mean() > 0.97


def test_a_mask_keeps_to_the_image_as_its_camera_was_held(tmp_path: Path) -> None:
    upright = np.zeros((12, 8), np.uint8)
    upright[:6] = 1
    turned = Image.fromarray(np.rot90(upright * 200).copy())  # 8 high, 12 wide
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    make(tmp_path / "set", {"masks/a.png": grey(upright)})
    (tmp_path / "set" / "images").mkdir()
    turned.save(tmp_path / "set" / "images" / "a.png", exif=exif)
    raw = load(tmp_path, (1, 12, 8), test=0, classes=2)
    assert (np.asarray(raw.train.inputs[0, 0]) == maps(raw.train)[0] * 200).all()


def test_masks_are_read_again_when_they_change(tmp_path: Path) -> None:
    make(tmp_path / "set", {"images/a.png": grey(ring(1)), "masks/a.png": grey(ring(1))})
    assert (maps(load(tmp_path, test=0).train)[0] == ring(1)).all()
    grey(np.zeros((8, 8))).save(tmp_path / "set" / "masks" / "a.png")
    assert not maps(load(tmp_path, test=0).train)[0].any()


def test_a_large_set_stays_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, Any] = {f"images/{n}.png": grey(ring(n)) for n in range(6)}
    make(tmp_path / "set", files | {f"masks/{n}.png": grey(ring(n)) for n in range(6)})
    whole = load(tmp_path, test=2)
    monkeypatch.setattr(decoded, "IN_MEMORY", 10)
    mapped = load(tmp_path, test=2)
    assert isinstance(mapped.train, Mapped)
    rows = torch.tensor([2, 0])
    for one, other in ((whole.train, mapped.train), (whole.test, mapped.test)):
        assert one is not None
        assert other is not None
        rows = torch.tensor([1, 0])
        assert one.pick(rows).inputs.equal(other.pick(rows).inputs)
        assert (maps(one) == maps(other)).all()


# --- runs -----------------------------------------------------------------------------------------------------------

SPEC = """network Masked
input 16x16x1
conv 3x3x4 same, relu
conv 1x1x3
train:
    data folder "set" masks="masks"
    loss cross_entropy
    metrics accuracy iou
    optimizer adam 2e-2
    augment flip
    epochs 12
    batch 8
"""


def test_a_run_on_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network that sees levels of grey learns the classes they stand for; then it is measured and tells new ones."""
    files: dict[str, Any] = {f"images/{n:02}.png": grey(ring(n, 16) * 100) for n in range(40)}
    make(tmp_path / "set", files | {f"masks/{n:02}.png": indexed(ring(n, 16)) for n in range(40)})
    run = trained_run(tmp_path / "runs", "masked", SPEC, data_root=str(tmp_path))
    assert result_of(run)["test"]["accuracy"] > 0.95
    assert main(["eval", str(run), "--data-root", str(tmp_path)]) == 0
    assert 'the test of folder "set": 8 examples' in capsys.readouterr().out
    made = tmp_path / "made"
    image = str(tmp_path / "set" / "images" / "05.png")
    assert main(["predict", str(run), image, "--pictures", str(made)]) == 0
    (found,) = made.iterdir()
    assert (np.asarray(Image.open(found)) == ring(5, 16)).mean() > 0.95
