"""Embeddings made elsewhere: every kind of file gives the same vectors, and what cannot be used is refused in words."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remedis.data.foreign_embeddings import vectors_of
from remedis.data.manifest import Manifest
from remedis.errors import InputError, MissingExtraError

NAMES = ["a/one.png", "a/two.png", "b/three.png", "b/four.png"]
VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
Writer = Callable[[Path, list[str], npt.NDArray[Any]], Path]


def rows(*images: str) -> Manifest:
    return Manifest(pa.table({"image": list(images)}), Path(), {}, None)


def as_lists(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    pq.write_table(
        pa.table({"image": names, "label": [1] * len(names), "features": vectors.tolist()}), folder / "e.parquet"
    )
    return folder / "e.parquet"


def as_fixed_lists(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(pa.table({"path": names, "v": column}), folder / "e.parquet", row_group_size=3)
    return folder / "e.parquet"


def as_columns(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    columns = {f"f{place:02}": vectors[:, place] for place in range(vectors.shape[1])}
    pq.write_table(pa.table({"filename": names, **columns}), folder / "e.parquet")
    return folder / "e.parquet"


def as_npz(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    np.savez(folder / "e.npz", embeddings=vectors, images=np.array(names))
    return folder / "e.npz"


def as_npz_of_bytes(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    np.savez(folder / "e.npz", feats=vectors.astype(np.float64)[None], image=np.array(names, "S")[:, None])
    return folder / "e.npz"


def as_hdf5(folder: Path, names: list[str], vectors: npt.NDArray[Any]) -> Path:
    with h5py.File(folder / "e.h5", "w") as file:
        file["features"], file["image"] = vectors, names
        file.create_group("more")["image"] = [0]
    return folder / "e.h5"


WRITERS = [as_lists, as_fixed_lists, as_columns, as_npz, as_npz_of_bytes, as_hdf5]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_kind_of_file_gives_the_same_vectors_in_the_manifests_order(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, NAMES, VECTORS)
    found, matrix = vectors_of(path, rows("b/four.png", "a/none.png", "a/one.png"))
    assert found.tolist() == [0, 2]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, VECTORS[[3, 0]])


def test_an_image_is_found_by_its_name_where_that_tells_one(tmp_path: Path) -> None:
    path = as_npz(tmp_path, ["/data/x/one.npy", "C:\\scans\\x\\two.dcm", "three", "b/same.png"], VECTORS)
    found, matrix = vectors_of(path, rows("x/one.png", "x/two.png", "deep/er/three.1.png", "deep/three.png"))
    assert found.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(matrix, VECTORS[:3])


def test_an_image_of_the_same_name_in_another_folder_is_another_image(tmp_path: Path) -> None:
    """A file for two data sets that number alike must not lend one's vectors to the other's missing images."""
    path = as_npz(tmp_path, ["here/1.png", "there/1.png", "there/2.png", "there/3.png"], VECTORS)
    found, matrix = vectors_of(path, rows("here/1.png", "here/2.png", "here/3.png"))
    assert found.tolist() == [0]
    np.testing.assert_array_equal(matrix, VECTORS[:1])


def test_an_image_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it names 'a' twice, a vector for each image was expected"):
        vectors_of(as_npz(tmp_path, ["a", "b", "a", "c"], VECTORS), rows("a", "b"))
    with pytest.raises(InputError, match="the manifest names 'a' twice"):
        vectors_of(as_npz(tmp_path, ["a", "b", "c", "d"], VECTORS), rows("a", "b", "a"))


def test_two_images_of_one_name_do_not_share_a_vector(tmp_path: Path) -> None:
    path = as_npz(tmp_path, ["one", "two", "three", "four"], VECTORS)
    found, _ = vectors_of(path, rows("a/one.png", "b/one.png", "b/two.png"))
    assert found.tolist() == [2]


def test_none_of_the_images_is_said_with_an_example_of_both(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"none of the manifest's images is in it; it has 'a/one.png', the manifest 'x'"
    ):
        vectors_of(as_npz(tmp_path, NAMES, VECTORS), rows("x"))


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "infinite"])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_vector_that_is_not_finite_is_refused(tmp_path: Path, write: Writer, value: float) -> None:
    vectors = VECTORS.copy()
    vectors[2, 1] = value
    with pytest.raises(InputError, match="a vector is not finite; make the embeddings again"):
        vectors_of(write(tmp_path, NAMES, vectors), rows(*NAMES))


class Trap:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "unpickled")


def test_a_pickle_in_an_npz_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    assert b"write_text" in pickle.dumps(Trap(trap))
    for key, other in (("image", "embedding"), ("embedding", "image")):
        np.savez(tmp_path / "e.npz", **{key: np.array([Trap(trap)] * 4, dtype=object), other: VECTORS})
        with pytest.raises(InputError, match=r"an npz file of plain arrays was expected \(Object arrays"):
            vectors_of(tmp_path / "e.npz", rows(*NAMES))
    assert not trap.exists()


def no_names(folder: Path) -> Path:
    np.savez(folder / "e.npz", embedding=VECTORS, labels=np.arange(4))
    return folder / "e.npz"


def no_vectors(folder: Path) -> Path:
    pq.write_table(pa.table({"image": NAMES, "label": [1, 2, 3, 4]}), folder / "e.parquet")
    return folder / "e.parquet"


def too_few_vectors(folder: Path) -> Path:
    return as_npz(folder, NAMES, VECTORS[:3])


def of_unlike_lengths(folder: Path) -> Path:
    pq.write_table(pa.table({"image": NAMES, "embedding": [[1.0, 2.0], [1.0], [1.0], [1.0]]}), folder / "e.parquet")
    return folder / "e.parquet"


def of_unlike_lengths_that_add_up(folder: Path) -> Path:
    pq.write_table(
        pa.table({"image": NAMES, "embedding": [[1.0, 2.0, 3.0], [1.0], [1.0, 2.0], [1.0, 2.0]]}), folder / "e.parquet"
    )
    return folder / "e.parquet"


def with_a_missing_one(folder: Path) -> Path:
    pq.write_table(pa.table({"image": NAMES, "embedding": [[1.0], None, [1.0], [1.0]]}), folder / "e.parquet")
    return folder / "e.parquet"


def with_a_missing_number(folder: Path) -> Path:
    pq.write_table(
        pa.table({"image": NAMES, "f0": [1.0, None, 2.0, 3.0], "f1": [1.0, 1.0, 2.0, 3.0]}), folder / "e.parquet"
    )
    return folder / "e.parquet"


def of_another_kind(folder: Path) -> Path:
    (folder / "e.csv").write_text("image,f\n")
    return folder / "e.csv"


def damaged(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / f"e{suffix}").write_bytes(b"PK\x03\x04 nothing of the kind" * 9)
        return folder / f"e{suffix}"

    return write


def bare(folder: Path) -> Path:
    with (folder / "e.npz").open("wb") as file:
        np.save(file, VECTORS)
    return folder / "e.npz"


def cut(folder: Path) -> Path:
    data = as_npz(folder, NAMES, VECTORS).read_bytes()
    (folder / "e.npz").write_bytes(data[: len(data) // 2])
    return folder / "e.npz"


def broken(folder: Path) -> Path:
    data = bytearray(as_npz(folder, NAMES, VECTORS).read_bytes())
    data[data.index(VECTORS.tobytes()) + 5] ^= 255
    (folder / "e.npz").write_bytes(data)
    return folder / "e.npz"


def empty(folder: Path) -> Path:
    return as_npz(folder, [], np.zeros((0, 3), np.float32))


def of_words(folder: Path) -> Path:
    return as_npz(folder, NAMES, np.array([["x", "y"]] * 4))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (no_names, "no array of images among embedding, labels"),
        (no_vectors, "no column of vectors and no numbered columns (f0, f1 …) among image, label"),
        (too_few_vectors, r"vectors of shape (3, 3) for 4 images, (N, D) was expected"),
        (of_unlike_lengths, "the vectors have different lengths, or some are missing"),
        (of_unlike_lengths_that_add_up, "the vectors have different lengths, or some are missing"),
        (with_a_missing_one, "the vectors have different lengths, or some are missing"),
        (with_a_missing_number, "a vector is not finite"),
        (of_another_kind, "a .parquet, .npz or .h5 file of embeddings was expected"),
        (damaged(".npz"), "an npz file was expected"),
        (bare, "an npz file was expected"),
        (cut, "an npz file"),
        (broken, "an npz file of plain arrays was expected"),
        (damaged(".h5"), "an HDF5 file was expected"),
        (damaged(".parquet"), "a Parquet file was expected"),
        (empty, "has no image"),
        (of_words, "numbers were expected"),
        (lambda folder: folder / "none.npz", "there is no such file"),
    ],
    ids=[
         "no-names", "no-vectors", "too-few", "unlike", "unlike-sum", "missing-vector", "missing-number", "other-kind",
         "damaged-npz", "bare-array", "cut-npz", "broken-npz", "damaged-h5",
         "damaged-parquet", "empty", "words", "absent",
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        vectors_of(write(tmp_path), rows(*NAMES))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_hdf5(tmp_path, NAMES, VECTORS)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'remedis\[hdf5\]'"):
        vectors_of(path, rows(*NAMES))


def test_columns_of_numbers_that_are_no_vector_are_left_alone(tmp_path: Path) -> None:
    """A label beside the vector would tell itself."""
    columns = {f"f{place}": VECTORS[:, place] for place in (2, 0, 1)}
    others = {"label": VECTORS[:, 0], "age": VECTORS[:, 1], "score1": VECTORS[:, 2]}
    pq.write_table(pa.table({"image": NAMES, **others, **columns}), tmp_path / "e.parquet")
    _, found = vectors_of(tmp_path / "e.parquet", rows(*NAMES))
    np.testing.assert_array_equal(found, VECTORS)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((0, 1, 3), "f0 … f3, number 2 is missing"), ((5, 6), "f5 … f6, number 0 is missing"), ((0,), "no column of vec")],
)
def test_numbered_columns_are_whole(tmp_path: Path, numbers: tuple[int, ...], words: str) -> None:
    columns = {f"f{number}": VECTORS[:, 0] for number in numbers}
    pq.write_table(pa.table({"image": NAMES, **columns}), tmp_path / "e.parquet")
    with pytest.raises(InputError, match=re.escape(words)):
        vectors_of(tmp_path / "e.parquet", rows(*NAMES))
