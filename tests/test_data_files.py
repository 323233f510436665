"""Arrays in `.npz` files and tables in text files: what is found in them, and what is wrong with them."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnndsl.layers.bind import Given
from cnndsl.recipe.base import option
from cnndsl.recipe.sources.files import Csv, Npz
from cnndsl.recipe.sources.given import Arrays
from cnndsl.runtime.data import Raw
from cnndsl.runtime.data.sources import read
from cnndsl.runtime.data.wanted import Wanted
from cnndsl.runtime.errors import DataError

IMAGES = np.arange(6 * 4 * 5 * 3, dtype=np.uint8).reshape(6, 4, 5, 3)
CLASSES = np.arange(6) % 3


def load(
    kind: type,
    root: Path,
    file: str,
    input: tuple[int, ...] = (3, 4, 5),
    output: tuple[int, ...] = (3,),
    task: str = "class",
    tokens: int = 0,
    facts: list[Any] | None = None,
    **values: Any,
) -> Raw:
    given = [Given("value", file), *(Given("named", value, name) for name, value in values.items())]
    seen = facts if facts is not None else []
    return read(option(kind, given), Wanted(str(root), 0, input, output, task, tokens, agree=seen.append))


# --- npz ------------------------------------------------------------------------------------------------------------


def npz(path: Path, **arrays: Any) -> None:
    np.savez(path / "data.npz", **arrays)


@pytest.mark.parametrize(
    "names",
    [("x", "y"), ("images", "labels"), ("data", "target"), ("x_train", "y_train"), ("train_images", "train_labels")],
)
def test_arrays_are_found_by_their_common_names(tmp_path: Path, names: tuple[str, str]) -> None:
    npz(tmp_path, **dict(zip(names, (IMAGES, CLASSES), strict=True)), other=np.zeros(3))
    raw = load(Npz, tmp_path, "data.npz", test=0)
    assert (raw.train.inputs.permute(0, 2, 3, 1).numpy() == IMAGES).all()
    assert raw.train.classes is not None
    assert raw.train.classes.tolist() == CLASSES.tolist()
    assert raw.test is None


def test_parts_and_names_of_one_s_own(tmp_path: Path) -> None:
    parts = {
        f"{part}_{name}": one for part in ("train", "val", "test") for name, one in (("a", IMAGES), ("b", CLASSES))
    }
    npz(tmp_path, **parts)
    raw = load(Npz, tmp_path, "data.npz", x="train_a", y="train_b")
    assert raw.validation is not None
    assert raw.test is not None
    assert [len(part) for part in (raw.train, raw.validation, raw.test)] == [6, 6, 6]
    raw = load(Npz, tmp_path, "data.npz", x="test_a", y="test_b", test=0)
    assert (len(raw.train), raw.test, raw.validation) == (6, None, None)


@pytest.mark.parametrize(
    ("array", "input", "stored"),
    [
        (IMAGES, (3, 4, 5), IMAGES.transpose(0, 3, 1, 2)),
        (IMAGES.transpose(0, 3, 1, 2), (3, 4, 5), IMAGES.transpose(0, 3, 1, 2)),
        (IMAGES, (3, 9, 9), IMAGES.transpose(0, 3, 1, 2)),
        (IMAGES[..., 0], (1, 4, 5), IMAGES[:, None, :, :, 0]),
        (IMAGES[..., 0].astype(float), (1, 4, 5), IMAGES[:, None, :, :, 0]),
        (IMAGES[..., 0].reshape(6, 20), (1, 4, 5), IMAGES[:, None, :, :, 0]),
        (IMAGES.astype(np.float64), (3, 4, 5), IMAGES.transpose(0, 3, 1, 2)),
        (np.ones((6, 900)), (1, 900), np.ones((6, 1, 900))),
        (np.arange(6 * 30).reshape(6, 15, 2), (2, 15), np.arange(6 * 30).reshape(6, 15, 2).transpose(0, 2, 1)),
        (np.ones((6, 7), np.float32), (7,), np.ones((6, 7))),
    ],
)
def test_inputs_in_the_usual_orders(tmp_path: Path, array: Any, input: tuple[int, ...], stored: Any) -> None:
    npz(tmp_path, x=array, y=CLASSES)
    raw = load(Npz, tmp_path, "data.npz", input, test=0)
    assert raw.train.inputs.shape == stored.shape
    assert (raw.train.inputs.numpy() == stored).all()
    images = array.dtype == np.uint8 and len(input) == 3
    assert raw.train.inputs.dtype == (torch.uint8 if images else torch.float32)


@pytest.mark.parametrize(
    ("targets", "output", "task", "expected"),
    [
        (CLASSES[:, None], (3,), "class", CLASSES),
        (CLASSES.astype(float), (3,), "class", CLASSES),
        (np.eye(3)[CLASSES], (3,), "class", CLASSES),
        (np.array(["b", "a", "c", "b", "a", "c"]), (3,), "class", [1, 0, 2, 1, 0, 2]),
        (CLASSES > 0, (2,), "class", [0, 1, 1, 0, 1, 1]),
        (np.arange(6.0), (1,), "values", [[0], [1], [2], [3], [4], [5]]),
        (np.ones((6, 2, 2, 1)), (1, 2, 2), "values", np.ones((6, 1, 2, 2))),
        (np.ones((6, 4, 5), int), (3, 4, 5), "map", np.ones((6, 4, 5))),
        (np.ones((6, 4, 5, 1), np.uint8), (3, 4, 5), "map", np.ones((6, 4, 5))),
        (np.array([[1, 2, -1]] * 6), (11, 9), "sequence", [[1, 2, -1]] * 6),
    ],
)
def test_targets_of_every_task(tmp_path: Path, targets: Any, output: tuple[int, ...], task: str, expected: Any) -> None:
    npz(tmp_path, x=IMAGES, y=targets)
    facts: list[Any] = []
    raw = load(Npz, tmp_path, "data.npz", output=output, task=task, facts=facts, test=0)
    found = raw.train.values if task == "values" else raw.train.classes
    assert found is not None
    assert found.tolist() == np.asarray(expected).tolist()
    assert facts[0].image == (4, 5, 3)
    if targets.dtype.kind == "U":
        assert raw.names == ("a", "b", "c")
        assert facts[1].classes == 3


def test_tokens(tmp_path: Path) -> None:
    npz(tmp_path, x=np.array([[1, 2, 3], [4, 0, 9]]), y=[0, 1])
    raw = load(Npz, tmp_path, "data.npz", (3,), (2,), tokens=10, test=0)
    assert raw.train.inputs.tolist() == [[1, 2, 3], [4, 0, 9]]
    assert raw.train.inputs.dtype == torch.int64
    with pytest.raises(DataError, match="holds the token 9; the network knows those from 0 to 8"):
        load(Npz, tmp_path, "data.npz", (3,), (2,), tokens=9)
    with pytest.raises(DataError, match="no rows of 4 tokens"):
        load(Npz, tmp_path, "data.npz", (4,), (2,), tokens=10)


def test_an_autoencoder_needs_no_targets(tmp_path: Path) -> None:
    npz(tmp_path, x=IMAGES)
    raw = load(Npz, tmp_path, "data.npz", output=(3, 4, 5), task="input", test=0)
    assert (raw.train.classes, raw.train.values) == (None, None)
    with pytest.raises(DataError, match="has no targets"):
        load(Npz, tmp_path, "data.npz")


@pytest.mark.parametrize(
    ("arrays", "values", "said"),
    [
        ({"a": IMAGES, "b": CLASSES}, {}, "has no array that is known as inputs; it has a, b"),
        ({"x": IMAGES, "y": CLASSES}, {"x": "images"}, "has no array 'images'; it has x, y"),
        ({"x": IMAGES, "y": CLASSES[:5]}, {}, "has 6 inputs, but 5 targets"),
        ({"x": IMAGES[:0], "y": CLASSES[:0]}, {}, "holds no examples"),
        ({"x": np.float32(3), "y": CLASSES}, {}, "holds no examples"),
        ({"x": IMAGES.astype(float)[..., :2], "y": CLASSES}, {}, "takes inputs of 4x5x3; those in"),
        ({"x": IMAGES, "y": CLASSES + 1}, {}, "has a class 3, but the network tells those from 0 to 2"),
        ({"x": IMAGES, "y": CLASSES - 1}, {}, "has a class -1, but"),
        ({"x": IMAGES, "y": CLASSES + 0.5}, {}, "that are no classes: whole numbers"),
        ({"x": IMAGES, "y": np.ones((6, 7))}, {}, "that are no classes: whole numbers"),
        ({"x": np.full((6, 4, 5, 3), np.nan), "y": CLASSES}, {}, "a value in example 0 that is no finite number"),
        ({"x": np.array(["a"] * 6), "y": CLASSES}, {}, "holds names for inputs"),
        ({"x": IMAGES.astype(complex), "y": CLASSES}, {}, "values of the type complex128"),
        ({"x": np.array([None] * 6), "y": CLASSES}, {}, "holds objects, which are never loaded"),
        ({"x": np.zeros(6, [("a", "u1"), ("b", "u1")]), "y": CLASSES}, {}, "values of the type"),
    ],
)
def test_arrays_that_are_no_data_set(tmp_path: Path, arrays: dict[str, Any], values: dict[str, str], said: str) -> None:
    npz(tmp_path, **arrays)
    with pytest.raises(DataError, match=said):
        load(Npz, tmp_path, "data.npz", **values)


def test_nothing_in_an_npz_file_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (tmp_path / "ran").write_text, ("x",)

    array = np.array([Evil()], dtype=object)
    npz(tmp_path, x=array, y=CLASSES)
    with pytest.raises(DataError, match="objects"):
        load(Npz, tmp_path, "data.npz")
    assert not (tmp_path / "ran").exists()


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


def shape_of(shape: str, kind: str = "|u1") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no array"),
        (b"garbage of some length", "is no array"),
        (npy(shape_of("(1000000, 1000000)"), b"abc"), "says that it holds 1,000,000,000,000 bytes, but has at most"),
        (npy(shape_of("(6, 4, 5, 3)"), b"abc"), "says that it holds 360 bytes"),
        (npy(shape_of("(3,)"), b"abcd"), "goes on after the 3 bytes"),
        (npy(shape_of("(-3,)"), b"abc"), "is no array .its shape is"),
        (npy("__import__('os').system('x')"), "is no array"),
        (npy(shape_of("(3,)") + " " * 20_000, b"abc"), "is no array"),
        (npy(shape_of("(3,)"), b"abc", b"\x09\x00"), "is no array|version"),
    ],
)
def test_bad_arrays_in_a_good_archive(tmp_path: Path, content: bytes, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(DataError, match=said):
        load(Npz, tmp_path, "data.npz")


def test_bad_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npz(tmp_path, x=IMAGES, y=CLASSES)
    path = tmp_path / "data.npz"
    whole = path.read_bytes()
    for content, said in (
        (b"", "is no .npz file"),
        (b"nothing of the sort", "is no .npz file"),
        (whole[:-100], "is no .npz file"),
        (whole.replace(bytes(range(100, 120)), bytes(20), 1), "is damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            load(Npz, tmp_path, "data.npz")
    zipped = io.BytesIO()
    np.savez_compressed(zipped, x=np.zeros((1000, 100, 100, 3), np.uint8), y=np.zeros(1000))
    path.write_bytes(zipped.getvalue())
    monkeypatch.setattr("cnndsl.runtime.data.arrays.MAX_BYTES", 10_000_000)
    with pytest.raises(DataError, match=r"says that it holds 30,0.* bytes; at most 10,000,000 are read"):
        load(Npz, tmp_path, "data.npz")


# --- arrays from Python ---------------------------------------------------------------------------------------------


def test_arrays_that_are_given() -> None:
    given = {"train": (torch.from_numpy(IMAGES), CLASSES.tolist()), "test": (IMAGES[:2], CLASSES[:2])}
    raw = read(option(Arrays), Wanted(None, 0, (3, 4, 5), (3,), given=given))
    assert raw.test is not None
    assert (len(raw.train), len(raw.test)) == (6, 2)
    with pytest.raises(DataError, match="are given from Python"):
        read(option(Arrays), Wanted(None, 0, (3, 4, 5), (3,)))
    with pytest.raises(DataError, match="holds objects"):
        read(option(Arrays), Wanted(None, 0, (3, 4, 5), (3,), given={"train": (np.array([None]), [0])}))


# --- csv ------------------------------------------------------------------------------------------------------------

NUMBERS = [[1.0, 2.0, 3.5, 0], [4.0, 5.0, -6e3, 1], [7.0, 8.0, 9.0, 2], [1.5, 2.5, 3.5, 1]]


def table(path: Path, text: str) -> None:
    (path / "data.csv").write_text(text)


def values_of(raw: Raw) -> Any:
    targets = raw.train.values if raw.train.values is not None else raw.train.classes
    assert targets is not None
    return raw.train.inputs.tolist(), targets.tolist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", ", ", "  "])
@pytest.mark.parametrize("header", [None, ["a", "b", "c", "d"]])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_as_programs_write_them(tmp_path: Path, delimiter: str, header: list[str] | None, end: str) -> None:
    rows = [*([header] if header else []), *NUMBERS, []]
    table(tmp_path, end.join(delimiter.join(map(str, row)) for row in rows) + end)
    raw = load(Csv, tmp_path, "data.csv", (3,), (1,), "values", test=0)
    assert values_of(raw) == ([row[:3] for row in NUMBERS], [[row[3]] for row in NUMBERS])
    assert raw.said[0] == "4 rows of 3 inputs and 1 target" + (" (d)" if header else "")
    raw = load(Csv, tmp_path, "data.csv", (3,), (3,), "class", test=0)
    assert values_of(raw) == ([row[:3] for row in NUMBERS], [row[3] for row in NUMBERS])


@pytest.mark.parametrize(
    ("values", "inputs", "targets"),
    [
        ({"targets": 2}, [0, 1], [2, 3]),
        ({"targets": 0}, [0, 1, 2, 3], []),
        ({"targets": "b"}, [0, 2, 3], [1]),
        ({"targets": ["d", "a"]}, [1, 2], [3, 0]),
        ({"targets": "first"}, [1, 2, 3], [0]),
        ({"targets": "c", "without": ["a"]}, [1, 3], [2]),
        ({"without": "b"}, [0, 2], [3]),
    ],
)
def test_columns_are_chosen(tmp_path: Path, values: dict[str, Any], inputs: list[int], targets: list[int]) -> None:
    table(tmp_path, "a,b,c,d\n" + "\n".join(",".join(map(str, row)) for row in NUMBERS))
    task = "values" if targets else "input"
    raw = load(Csv, tmp_path, "data.csv", (len(inputs),), (len(targets) or 4,), task, test=0, **values)
    assert raw.train.inputs.tolist() == [[row[i] for i in inputs] for row in NUMBERS]
    if targets:
        assert raw.train.values is not None
        assert raw.train.values.tolist() == [[row[i] for i in targets] for row in NUMBERS]


def test_names_become_classes(tmp_path: Path) -> None:
    for text in ('n,species\n1,oak\n2,fir\n3,"oak"\n4,elm\n', "1,oak\n2,fir\n3,oak\n4,elm\n"):
        table(tmp_path, text)
        facts: list[Any] = []
        raw = load(Csv, tmp_path, "data.csv", (1,), (3,), facts=facts, test=0)
        assert raw.names == ("elm", "fir", "oak")
        assert values_of(raw) == ([[1], [2], [3], [4]], [2, 1, 2, 0])
        assert (facts[0].classes, facts[0].columns) == (3, (1, 1))
    # Wavelengths are names of columns, too, though they are numbers.
    table(tmp_path, "400,410,kind\n1,2,oak\n3,4,fir\n5,6,oak\n7,8,fir\n")
    raw = load(Csv, tmp_path, "data.csv", (2,), (2,), test=0)
    assert raw.names == ("fir", "oak")
    assert len(raw.train) == 4


def test_curves_of_several_channels_have_them_one_after_the_other(tmp_path: Path) -> None:
    table(tmp_path, "1,2,3,10,20,30,7\n4,5,6,40,50,60,8\n")
    raw = load(Csv, tmp_path, "data.csv", (2, 3), (1,), "values", test=0)
    assert raw.train.inputs.tolist() == [[[1, 2, 3], [10, 20, 30]], [[4, 5, 6], [40, 50, 60]]]


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("", {}, "is empty"),
        ("\n \n", {}, "is empty"),
        ("a,b,c,d\n", {}, "has a header, but no rows"),
        ("1,2,3\n4,,6\n", {}, "line 2 of .* has no value: column 2 is empty"),
        ("a,b,c\n1,2,3\n\n4,x,6\n", {}, r"line 4 of .* has 'x' in column 2 \(b\), which is no number"),
        ("1,2,3\n4,5\n", {}, "line 2 of .* has 2 cells, but the first has 3"),
        ("1,2,3\n4,nan,6\n", {}, "line 2 of .* has nan in column 2, which is no finite number"),
        ("1,2,3\n4,5,inf\n", {}, "line 2 of .* has inf in column 3"),
        ("1,2,3\n4,1e99,6\n", {}, "line 2 of .* has inf in column 2"),
        ("1;2;3\n4;5,5;6\n", {}, "line 2 of .* has '5,5' in column 2"),
        ('1,2,3\n4,"5,6\n', {}, "can't be read: unexpected end of data"),
        ('1,2,3\n4,"5"5,6\n', {}, "line 2 of .* can't be read"),
        ("1,2,3\n4,5,6\n", {"targets": 3}, "has 3 columns, which leaves none for inputs"),
        ("1,2,3\n4,5,6\n", {"targets": 9}, "has 3 columns, so that 9 can't be targets"),
        ("1,2,3\n4,5,6\n", {"targets": "x"}, "has no header that names its columns"),
        ("aa,b,c\n4,5,6\n", {"targets": "a"}, "has no column 'a'; it has aa, b, c"),
        ("a,a,c\n4,5,6\n", {"targets": "a"}, "has several columns 'a'"),
        ("a,b,c\n4,5,6\n", {"header": "no"}, "line 1 of .* has 'a' in column 1, which is no number"),
        ("1,2,3\n4,5,6\n", {"delimiter": "tab"}, "leaves none for inputs"),
    ],
)
def test_tables_with_mistakes(tmp_path: Path, text: str, values: dict[str, Any], said: str) -> None:
    table(tmp_path, text)
    with pytest.raises(DataError, match=said):
        load(Csv, tmp_path, "data.csv", (2,), (1,), "values", **values)


def test_classes_that_are_none(tmp_path: Path) -> None:
    for cells, said in (
        (("0.5", "1"), "has the target 0.5 in its example 1"),
        (("0", "3"), "the target 3 in its example 2"),
    ):
        table(tmp_path, "".join(f"1,2,{cell}\n" for cell in cells))
        with pytest.raises(DataError, match=said):
            load(Csv, tmp_path, "data.csv", (2,), (3,), test=0)
    table(tmp_path, "1,2,a\n1,2,\n")
    with pytest.raises(DataError, match=r"line 2 of .* has no target: column 3 is empty"):
        load(Csv, tmp_path, "data.csv", (2,), (3,), test=0)


def test_texts_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes("größe,b\n1,2\n".encode("latin1"))
    with pytest.raises(DataError, match="is no text in UTF-8"):
        load(Csv, tmp_path, "data.csv", (1,), (1,), "values")
    (tmp_path / "data.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert load(Csv, tmp_path, "data.csv", (1,), (1,), "values", targets="b", test=0).said[0].endswith("(b)")


def test_files_stay_below_the_data_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    table(tmp_path, "1,2\n")
    npz(tmp_path, x=IMAGES, y=CLASSES)
    (tmp_path / "root" / "link.csv").symlink_to(tmp_path / "data.csv")
    for kind, name in (
        (Csv, "../data.csv"),
        (Csv, str(tmp_path / "data.csv")),
        (Csv, "link.csv"),
        (Npz, "../data.npz"),
    ):
        with pytest.raises(DataError, match="outside the data root"):
            load(kind, tmp_path / "root", name)
    with pytest.raises(DataError, match=r"found no file .*none\.csv"):
        load(Csv, tmp_path, "none.csv")
    with pytest.raises(DataError, match="is no file, as `data csv` needs"):
        load(Csv, tmp_path, "root")


def test_a_file_beside_the_spec_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CNNDSL_DATA", raising=False)
    table(tmp_path, "1,2\n3,4\n")
    wanted = Wanted(None, 0, (1,), (1,), "values", beside=tmp_path)
    source = option(Csv, [Given("value", "data.csv"), Given("named", 0, "test")])
    assert len(read(source, wanted).train) == 2
    with pytest.raises(DataError, match="found no file"):
        read(source, wanted._replace(beside=None))
