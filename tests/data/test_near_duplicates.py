"""Copies that were resized, recompressed or made lighter are found, look-alikes are not, in blocks of any size."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data import manifest, near_duplicates
from remedis.data.decoded import decode_all
from remedis.data.manifest import Manifest
from remedis.data.near_duplicates import of_near_duplicates, pairs_alike

N = 12
Change = Callable[[Image.Image], Image.Image]


def picture(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.random((9, 11, 3)).astype(np.float32)[..., 0])
    field = np.asarray(coarse.resize((100, 80), Image.Resampling.BICUBIC))
    return Image.fromarray(np.asarray(30 + 190 * (field - field.min()) / np.ptp(field), np.uint8))


def recompressed(original: Image.Image) -> Image.Image:
    data = io.BytesIO()
    original.save(data, "JPEG", quality=40)
    return Image.open(data).convert("L")


CHANGES: dict[str, Change] = {
    "recompressed": recompressed,
    "half": lambda original: original.resize((50, 40), Image.Resampling.LANCZOS),
    "larger": lambda original: original.resize((301, 240), Image.Resampling.BICUBIC),
    "lighter": lambda original: original.point(lambda level: min(255, level + 25)),
    "less contrast": lambda original: original.point(lambda level: 0.8 * level + 10),
    "gamma": lambda original: original.point(lambda level: 255 * (level / 255) ** 0.9),
}


def made(folder: Path, extra: dict[int, Image.Image], **columns: object) -> Manifest:
    """Twelve different pictures, two of a patient, four of a part; some replaced."""
    folder.mkdir(exist_ok=True)
    for number in range(N):
        extra.get(number, picture(number)).save(folder / f"{number}.png")
    table = {
        "image": [f"{number}.png" for number in range(N)],
        "patient_id": [f"p{number // 2}" for number in range(N)],
        "split": [("train", "validation", "test")[number // 4] for number in range(N)],
        **columns,
    }
    manifest.write(pa.table(table), folder / "m.parquet", {"root": "."})
    return manifest.read(folder / "m.parquet")


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(tmp_path: Path, change: str) -> None:
    rows = made(tmp_path / "set", {9: CHANGES[change](picture(0))})
    (found,) = of_near_duplicates(rows, decode_all(rows))
    assert (found.kind, found.severity, found.count) == ("near-duplicate", "error", 1)
    assert found.line.startswith("near-duplicate: 1 pair of pictures nearly the same in two parts of the split: 0.png")


def test_pictures_that_differ_are_not_alike(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", {9: picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)})
    assert not list(of_near_duplicates(rows, decode_all(rows)))


@pytest.mark.parametrize(
    ("copy", "severity", "where"),
    [(1, "warning", "of one patient"), (3, "warning", "of two patients"), (5, "error", "in two parts of the split")],
)
def test_severity_follows_the_split_and_the_patient(tmp_path: Path, copy: int, severity: str, where: str) -> None:
    rows = made(tmp_path / "set", {copy: recompressed(picture(0))})
    (found,) = of_near_duplicates(rows, decode_all(rows))
    assert found.severity == severity
    assert where in found.message


def test_without_split_and_patients_a_copy_is_a_warning(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", {9: recompressed(picture(0))})
    rows = Manifest(rows.table.drop_columns(["split", "patient_id"]), rows.root, rows.facts, rows.path)
    (found,) = of_near_duplicates(rows, decode_all(rows))
    assert (found.severity, found.message) == ("warning", "1 pair of pictures nearly the same")


def test_rows_of_no_part_are_across_nothing(tmp_path: Path) -> None:
    parts = ["train"] * 8 + ["spare"] * 4
    rows = made(tmp_path / "set", {9: recompressed(picture(0))}, split=parts)
    (found,) = of_near_duplicates(rows, decode_all(rows))
    assert found.severity == "warning"


def test_the_same_bytes_are_told_elsewhere(tmp_path: Path) -> None:
    rows = made(tmp_path / "set", {9: picture(0)})
    decoded = decode_all(rows)
    assert pairs_alike(decoded)[0].tolist() == [[0, 9]]
    assert not list(of_near_duplicates(rows, decoded))
    picture(0).save(rows.root / "9.png", compress_level=1)  # the same pixels in other bytes
    assert len(list(of_near_duplicates(rows, decode_all(rows)))) == 1


def test_blank_pictures_are_like_nothing(tmp_path: Path) -> None:
    nearly_blank = np.tile(np.repeat(np.arange(200, 205), 20), (80, 1)).astype(np.uint8)
    rows = made(tmp_path / "set", {3: Image.fromarray(nearly_blank), 9: Image.fromarray(nearly_blank + 3)})
    assert not list(of_near_duplicates(rows, decode_all(rows)))


def test_copies_whose_hashes_differ_in_some_bits_are_found(tmp_path: Path) -> None:
    count = 30
    for number in range(count):
        picture(number).save(tmp_path / f"{number}.png")
        copy = recompressed(CHANGES["gamma"](picture(number)).resize((61, 47)))
        copy.save(tmp_path / f"{number + count}.png")
    table = pa.table({"image": [f"{number}.png" for number in range(2 * count)]})
    manifest.write(table, tmp_path / "m.parquet", {"root": "."})
    decoded = decode_all(manifest.read(tmp_path / "m.parquet"))
    pairs, _ = pairs_alike(decoded)
    assert sorted(map(tuple, pairs.tolist())) == [(number, number + count) for number in range(count)]
    assert np.bitwise_count(decoded.hashes[:count] ^ decoded.hashes[count:]).max() >= 2


def test_frames_of_one_file_are_no_copies(tmp_path: Path) -> None:
    pages = [picture(0), recompressed(picture(0)).resize((100, 80))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    table = {"image": ["a.tif", "a.tif"], "frame": [0, 1], "split": ["train", "test"]}
    manifest.write(pa.table(table), tmp_path / "m.parquet", {"root": "."})
    rows = manifest.read(tmp_path / "m.parquet")
    decoded = decode_all(rows)
    assert len(pairs_alike(decoded)[0]) == 1
    assert not list(of_near_duplicates(rows, decoded))


@pytest.mark.parametrize("cells", [1, 7, 30, 1 << 22])
def test_blocks_of_any_size_find_what_comparing_all_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    copies = {5: recompressed(picture(0)), 9: CHANGES["half"](picture(0)), 11: CHANGES["lighter"](picture(2))}
    decoded = decode_all(made(tmp_path / "set", copies))
    monkeypatch.setattr(near_duplicates, "_CELLS", cells)
    monkeypatch.setattr(near_duplicates, "_PAIRS_AT_ONCE", 2)
    pairs, values = pairs_alike(decoded)
    flat = decoded.thumbnails[..., 0].reshape(N, -1)
    expected = np.corrcoef(flat)
    above = {(i, j) for i in range(N) for j in range(i + 1, N) if expected[i, j] >= near_duplicates.ALIKE}
    assert {(i, j) for i, j in pairs.tolist()} == above == {(0, 5), (0, 9), (5, 9), (2, 11)}
    assert values == pytest.approx([expected[i, j] for i, j in pairs.tolist()])
    some = decoded.among(np.array([5, 11, 1]))  # numbered 0, 1 and 2 by their places in all: 1, 5, 11
    others = decoded.among(np.array([0, 2, 3]))
    assert sorted(map(tuple, pairs_alike(some, others)[0].tolist())) == [(1, 0), (2, 1)]


def test_other_colours_are_another_picture(tmp_path: Path) -> None:
    red, green, blue = (np.asarray(picture(seed)) for seed in range(3))
    folder = tmp_path / "set"
    rows = made(folder, {0: Image.fromarray(np.stack([red, green, blue], axis=2))})
    swapped = np.stack([red, green, np.asarray(picture(7))], axis=2)
    Image.fromarray(swapped).save(folder / "9.png")
    assert not list(of_near_duplicates(rows, decode_all(rows)))
    Image.fromarray(np.stack([red, green, blue], axis=2)).resize((50, 40)).save(folder / "9.png")
    assert len(list(of_near_duplicates(rows, decode_all(rows)))) == 1


@pytest.mark.parametrize(("name", "pairs"), [("cxr-hannover", 0), ("cxr-nih", 1), ("fundus-dr", 0)])
def test_real_images_hold_the_one_copy_that_is_known(real_data: Callable[[str], Path], name: str, pairs: int) -> None:
    from remedis.data.indexers import folder

    root = real_data(name)
    indexed = folder.index(root)
    rows = Manifest(indexed.table, root, indexed.facts, None)
    decoded = decode_all(rows)
    found, values = pairs_alike(decoded)
    assert len(found) == pairs
    for one, other in found.tolist():
        assert {Path(decoded.sources[each].name).stem for each in (one, other)} == {"00002658_001", "00002658_002"}
        assert values[0] == pytest.approx(1.0)
    assert not list(of_near_duplicates(rows, decoded))  # it is the same to the byte
