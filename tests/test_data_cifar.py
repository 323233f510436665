"""CIFAR's formats, made by hand, and pickles that are read without being run."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnndsl.datasets import CIFAR
from cnndsl.recipe.base import option
from cnndsl.recipe.sources.sets import Cifar10, Cifar100
from cnndsl.runtime.data.pickled import PickleError, read_pickle
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

NAMES = [f"kind {number}".encode() for number in range(100)]


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def labels(count: int, highest: int) -> list[int]:
    return [(7 * number) % (highest + 1) for number in range(count)]


# --- the two formats ------------------------------------------------------------------------------------------------


def text(value: bytes) -> bytes:
    """A text as Python 2 pickles it: SHORT_BINSTRING or BINSTRING, and BINPUT."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def numbers(values: list[int]) -> bytes:
    return b"](" + b"".join(b"K" + bytes([value]) for value in values) + b"e"


def python2_pickle(pixels: np.ndarray, lists: dict[bytes, list[int]]) -> bytes:
    """A batch as it was published: Python 2, protocol 2, a dictionary with the array and the lists."""
    rows, columns = pixels.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04"
        + text(b"b")
        + b"q\x05\x87q\x06Rq\x07(K\x01"
        + b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86q\x08"
        + b"cnumpy\ndtype\nq\x09" + text(b"u1") + b"K\x00K\x01\x87q\x0aRq\x0b"
        + b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb"
        + b"\x89" + text(pixels.tobytes()) + b"tq\x0db"
    )  # fmt: skip
    entries = text(b"data") + array + b"".join(text(key) + numbers(values) for key, values in lists.items())
    return b"\x80\x02}q\x01(" + text(b"batch_label") + text(b"a batch") + entries + b"u."


def cifar10(python: bool, each: int = 6) -> dict[str, bytes]:
    files = {}
    for number, name in enumerate([f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]):
        pixels, classes = images(each, number), labels(each, 9)
        if python:
            files[name] = python2_pickle(pixels, {b"labels": classes})
        else:
            column = np.array(classes, np.uint8)[:, None]
            files[f"{name}.bin"] = np.concatenate([column, pixels], 1).tobytes()
    return files


def cifar100(python: bool, each: int = 25) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for number, name in enumerate(("train", "test")):
        pixels, coarse, fine = images(each, number), labels(each, 19), labels(each, 99)
        if python:
            files[name] = python2_pickle(pixels, {b"fine_labels": fine, b"coarse_labels": coarse})
        else:
            columns = np.array([coarse, fine], np.uint8).T
            files[f"{name}.bin"] = np.concatenate([columns, pixels], 1).tobytes()
    if python:
        files["meta"] = pickle.dumps({b"fine_label_names": NAMES, b"coarse_label_names": NAMES[:20]}, 2)
    else:
        files["fine_label_names.txt"] = b"\n".join(name.replace(b" ", b"_") for name in NAMES) + b"\n"
        files["coarse_label_names.txt"] = b"\n".join(name.replace(b" ", b"_") for name in NAMES[:20]) + b"\n"
    return files


def packed(folder: str, files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def put(root: Path, name: str, python: bool, files: dict[str, bytes], how: str) -> None:
    version = CIFAR[name][python]
    folder = root / name if "below" in how else root
    if "archive" in how:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / version.archive).write_bytes(packed(version.folder, files))
        return
    place = folder / version.folder
    place.mkdir(parents=True)
    for file, content in files.items():
        zipped = "zipped" in how
        (place / (file + ".gz" if zipped else file)).write_bytes(gzip.compress(content) if zipped else content)


def wanted(root: Path) -> Wanted:
    return Wanted(str(root), 0, (3, 32, 32), (10,))


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("how", ["unpacked", "unpacked below", "unpacked zipped", "archive", "archive below"])
def test_cifar10(tmp_path: Path, how: str, python: bool) -> None:
    put(tmp_path, "cifar10", python, cifar10(python), how)
    raw = read(option(Cifar10), wanted(tmp_path))
    assert raw.test is not None
    assert raw.train.inputs.shape == (30, 3, 32, 32)
    assert raw.train.inputs.dtype == torch.uint8
    whole = np.concatenate([images(6, number) for number in range(5)])
    # A plane of red, one of green, one of blue, row by row: pixel (row 3, column 4) of green is byte 1024 + 3 * 32 + 4.
    assert raw.train.inputs[17, 1, 3, 4] == whole[17, 1024 + 3 * 32 + 4]
    assert (raw.train.inputs.reshape(30, -1).numpy() == whole).all()
    assert (raw.test.inputs.reshape(6, -1).numpy() == images(6, 5)).all()
    assert raw.train.classes is not None
    assert raw.train.classes.tolist() == labels(6, 9) * 5
    assert raw.names[3] == "cat"


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("coarse", [False, True])
def test_cifar100(tmp_path: Path, python: bool, coarse: bool) -> None:
    put(tmp_path, "cifar100", python, cifar100(python), "archive")
    raw = read(Cifar100(folder="", fit="auto", coarse=coarse), wanted(tmp_path))
    assert raw.train.classes is not None
    assert raw.train.classes.tolist() == labels(25, 19 if coarse else 99)
    assert len(raw.names) == (20 if coarse else 100)
    assert raw.names[7].replace("_", " ") == "kind 7"


def test_the_fixture_is_what_python_reads() -> None:
    held = pickle.loads(cifar10(True)["data_batch_2"], encoding="bytes")
    assert (held[b"data"] == images(6, 1)).all()
    ours = read_pickle(cifar10(True)["data_batch_2"])
    assert (ours[b"data"] == held[b"data"]).all()
    assert ours[b"labels"] == held[b"labels"]
    assert ours[b"batch_label"] == b"a batch"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.pop("data_batch_3.bin"), "lacks data_batch_3.bin"),
        (lambda f: f.update({"test_batch.bin": b""}), "test_batch.bin of .* is cut off"),
        (
            lambda f: f.update({"test_batch.bin": f["test_batch.bin"][:-1]}),
            "18,437 bytes, which is no number of records",
        ),
        (lambda f: f.update({"data_batch_1.bin": b"\x0a" + f["data_batch_1.bin"][1:]}), "a label 10"),
    ],
)
def test_bad_binary_files(tmp_path: Path, change: Callable[[dict[str, bytes]], Any], said: str) -> None:
    for how in ("unpacked", "archive"):
        files = cifar10(False)
        change(files)
        put(tmp_path / how, "cifar10", False, files, how)
        with pytest.raises(DataError, match=said):
            read(option(Cifar10), wanted(tmp_path / how))


def test_damaged_archives(tmp_path: Path) -> None:
    whole = packed("cifar-10-batches-bin", cifar10(False))
    path = tmp_path / "cifar-10-binary.tar.gz"
    for content, said in (
        (whole[: len(whole) // 2], "is cut off|damaged"),
        (b"nothing of the sort", "is no tar archive"),
        (gzip.compress(b"nothing of the sort"), "is no tar archive"),
        (whole[:3000] + bytes(100) + whole[3100:], "is damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said) as caught:
            read(option(Cifar10), wanted(tmp_path))
        assert str(path) in caught.value.message


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnndsl.runtime.data.archives.MAX_ARCHIVE", 1_000_000)
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(packed("other", {"zeros": bytes(5_000_000)}))
    with pytest.raises(DataError, match="unpacks to more than 1,000,000 bytes"):
        read(option(Cifar10), wanted(tmp_path))


def test_a_data_set_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(option(Cifar10), wanted(tmp_path))
    assert str(tmp_path / "cifar10") in caught.value.message
    assert "cnndsl data fetch cifar10" in (caught.value.help or "")
    assert "cifar-10-binary.tar.gz or cifar-10-python.tar.gz" in (caught.value.help or "")


# --- pickles --------------------------------------------------------------------------------------------------------

RAN: list[str] = []


def run(what: str) -> None:
    RAN.append(what)


class Evil:
    """What a pickle may do: call anything."""

    def __reduce__(self) -> Any:
        return run, ("ran",)


class Builds:
    def __reduce__(self) -> Any:
        return np.ndarray, ((2,),), {"x": 1}


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_are_read(protocol: int) -> None:
    held = {
        b"a": [1, 2, 300, -70_000, 2**40],
        "b": "text",
        "c": b"\x00\xff",
        "d": None,
        "e": [True, 1.5],
        "f": (1, 2, 3, 4),
    }
    assert read_pickle(pickle.dumps(held, protocol)) == held


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_of_bytes_are_read(protocol: int) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (read_pickle(pickle.dumps({"x": array}, protocol))["x"] == array).all()


def test_nothing_of_a_pickle_is_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps({"data": Evil()}))
    assert RAN.pop() == "ran"
    for protocol in range(6):
        with pytest.raises(PickleError, match=r"asks for '.*run', which no data set needs"):
            read_pickle(pickle.dumps({"data": Evil()}, protocol))
    assert RAN == []
    files = cifar10(True)
    files["data_batch_1"] = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    put(tmp_path, "cifar10", True, files, "unpacked")
    with pytest.raises(DataError, match=r"data_batch_1 of .* asks for 'os.system'") as caught:
        read(option(Cifar10), wanted(tmp_path))
    assert caught.value.help == "nothing of it was run; fetch the binary version"
    assert not (tmp_path / "ran").exists()


DATA = pickle.dumps({"x": np.arange(6, dtype=np.uint8)}, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"", b".", b"0.", b"garbage", b"\x80\x02", b"\x80\x02}", b"\x80\x02(.", b"}q\x00(h\x05K\x01u.", b"K\x01.",
        b"](h\x00e.", b"}(K\x01u.", b"}K\x01a.", b"cnumpy\nndarray\n.", b"}K\x01cnumpy\nndarray\nu.", b"N)R.",
        b"cnumpy\ndtype\n(U\x02f8tR.", b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\ntR.", b"(K\x01K\x02d",
        b"}(U\x01ac__builtin__\neval\n(U\x011tRu.", b"cnumpy\nndarray\n)\x81.", b"P1\n.", b"K\x01Q.", b"\x82\x01.",
        pickle.dumps({"x": np.arange(6, dtype=np.float32)}, 2), pickle.dumps({"x": np.array([None])}, 2),
        pickle.dumps({"x": Builds()}, 2), DATA[:-20], DATA.replace(b"K\x06\x85", b"K\x07\x85"), pickle.dumps([1, 2], 2),
        pickle.dumps({"x": {1, 2}}, 4), pickle.dumps({"x": complex(1, 2)}, 4), pickle.dumps({"x": bytearray(b"a")}, 5),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(PickleError):
        read_pickle(content)


def test_lists_that_lead_in_circles_or_grow_without_end() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert "labels" in read_pickle(pickle.dumps({"labels": circle}, 2))
    layers: list[Any] = []
    for _ in range(200):
        layers = [layers, layers]
    assert "labels" in read_pickle(pickle.dumps({"labels": layers}, 2))


def test_python_files_without_what_they_should_hold(tmp_path: Path) -> None:
    good = python2_pickle(images(6), {b"labels": labels(6, 9)})
    for number, (content, said) in enumerate(
        (
            (python2_pickle(images(6), {}), "has not one label for each of its 6 images"),
            (python2_pickle(images(6), {b"labels": [1, 2]}), "has not one label for each"),
            (python2_pickle(images(6)[:, :3000], {b"labels": labels(6, 9)}), "holds no images of 3,072 bytes"),
            (pickle.dumps({"labels": [1]}, 2), "holds no images"),
            (good.replace(b"K\x07", b"N"), "labels that are no classes"),
            (good[:-9], "is cut off|is no pickle"),
        )
    ):
        files = {**cifar10(True), "test_batch": content}
        put(tmp_path / str(number), "cifar10", True, files, "unpacked")
        with pytest.raises(DataError, match=said):
            read(option(Cifar10), wanted(tmp_path / str(number)))
