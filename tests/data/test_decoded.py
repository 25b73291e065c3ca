"""What an audit keeps of each picture: the bits of imagehash, numbers that numpy counts, a place for every row."""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data import manifest
from remedis.data.decoded import brightness, decode_all, grey_of, perceptual_hash
from remedis.data.manifest import Manifest


def smooth(seed: int, height: int = 80, width: int = 100) -> np.ndarray:
    """A picture with large and small structures, grey levels from 20 to 235."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.random((9, 11), np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    field = np.asarray(coarse) + 0.1 * random.random((height, width))
    field = (field - field.min()) / np.ptp(field)
    return np.asarray(20 + 215 * field, np.uint8)


def written(folder: Path, pictures: dict[str, np.ndarray], **columns: list[object]) -> Manifest:
    folder.mkdir(exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    manifest.write(pa.table({"image": list(pictures), **columns}), folder / "m.parquet", {"root": "."})
    return manifest.read(folder / "m.parquet")


@pytest.mark.parametrize("shape", [(80, 100), (32, 32), (300, 64), (5, 7)], ids=str)
def test_the_hash_has_the_bits_of_imagehash(shape: tuple[int, int]) -> None:
    for seed in range(5):
        pixels = smooth(seed, *shape)
        theirs = imagehash.phash(Image.fromarray(pixels))
        assert f"{perceptual_hash(pixels):016x}" == str(theirs)


def test_luma_of_colours_is_pillows() -> None:
    colours = np.stack([smooth(seed) for seed in range(3)], axis=2)
    assert np.array_equal(grey_of(colours), np.asarray(Image.fromarray(colours).convert("L")))


def test_brightness_is_what_numpy_says_of_the_pixels() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (50, 40), np.uint8)
    expected = (grey.mean() / 255, grey.std() / 255, (grey <= 12).mean(), (grey >= 243).mean())
    assert brightness(grey) == pytest.approx(expected)
    assert brightness(np.zeros((3, 3), np.uint8)) == (0.0, 0.0, 1.0, 0.0)
    assert brightness(np.full((3, 3), 255, np.uint8)) == pytest.approx((1.0, 0.0, 0.0, 1.0))


def test_every_row_has_a_place_or_a_reason(tmp_path: Path) -> None:
    pictures = {f"{number}.png": smooth(number) for number in range(4)}
    rows = written(tmp_path, pictures)
    data = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(data[: len(data) // 2])
    found = decode_all(rows)
    assert found.of_row.tolist() == [0, -1, 1, 2]
    assert [source.name for source in found.sources] == ["0.png", "2.png", "3.png"]
    assert [source.name for source, _ in found.unreadable] == ["1.png"]
    assert found.thumbnails.shape == (3, 24, 24, 3)
    assert found.sizes.tolist() == [[100, 80]] * 3
    assert found.brightness[1] == pytest.approx(brightness(smooth(2)))


def test_rows_of_one_picture_share_it(tmp_path: Path) -> None:
    written(tmp_path, {"0.png": smooth(0), "1.png": smooth(1)})
    manifest.write(pa.table({"image": ["1.png", "0.png", "1.png"]}), tmp_path / "m.parquet", {"root": "."})
    found = decode_all(manifest.read(tmp_path / "m.parquet"))
    assert found.of_row.tolist() == [0, 1, 0]
    assert len(found.sources) == len(found.hashes) == 2


def test_some_rows_keep_their_pictures(tmp_path: Path) -> None:
    rows = written(tmp_path, {f"{number}.png": smooth(number) for number in range(5)})
    (tmp_path / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    all_of_them = decode_all(rows)
    some = all_of_them.among(np.array([4, 3, 1]))
    assert [some.sources[place].name if place >= 0 else "" for place in some.of_row] == ["4.png", "", "1.png"]
    for place, name in enumerate(source.name for source in some.sources):
        number = [source.name for source in all_of_them.sources].index(name)
        assert some.hashes[place] == all_of_them.hashes[number]
        assert np.array_equal(some.thumbnails[place], all_of_them.thumbnails[number])


def test_sixteen_bits_look_as_eight(tmp_path: Path) -> None:
    pixels = smooth(0)
    rows = written(tmp_path, {"8.png": pixels, "16.png": pixels.astype(np.uint16) * 257})
    found = decode_all(rows)
    assert found.hashes[0] == found.hashes[1]
    assert found.brightness[0] == pytest.approx(found.brightness[1])


def test_nothing_is_decoded_of_nothing(tmp_path: Path) -> None:
    rows = written(tmp_path, {"0.png": smooth(0)})
    (tmp_path / "0.png").unlink()
    found = decode_all(rows)
    assert found.of_row.tolist() == [-1]
    assert found.thumbnails.shape == (0, 24, 24, 3)
