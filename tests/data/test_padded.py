"""Images of several sizes in one array; one that cannot be read is named and the next one stands in for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest, write
from remedis.data.padded import Padded, PaddedLoader, Reading, read_image
from remedis.errors import StoppedError

HOW = Reading("dicom-display", shortest=64)


def _manifest(folder: Path, *, broken: tuple[int, ...] = (), count: int = 5) -> Manifest:
    rng = np.random.default_rng(1)
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (10 + number, 20 - number, 3), dtype=np.uint8)).save(path)
        if number in broken:
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    write(pa.table({"image": [f"{n}.png" for n in range(count)]}), folder / "m.parquet", {"root": "."})
    return open_any(folder / "m.parquet")


def _read(manifest: Manifest, rows: list[int]) -> tuple[Padded, PaddedLoader]:
    loader = PaddedLoader(manifest, [np.array(rows)], HOW, workers=0)
    return next(iter(loader)), loader


def test_every_image_lies_in_the_corner_at_its_own_size(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    found, _ = _read(manifest, [3, 0])
    assert found.images.shape == (2, 13, 20, 3)
    for place, row in enumerate([3, 0]):
        original = np.asarray(Image.open(tmp_path / f"{row}.png"))
        height, width = int(found.heights[place]), int(found.widths[place])
        assert (height, width) == original.shape[:2]
        assert np.array_equal(found.images[place, :height, :width].numpy(), original)
        assert not found.images[place, height:].any()
        assert not found.images[place, :, width:].any()


def test_the_next_row_stands_in_for_an_unreadable_one_and_that_is_known(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, broken=(3, 4))
    found, loader = _read(manifest, [2, 3, 4])
    assert found.rows.tolist() == [2, 0, 0]  # after the last row comes the first
    assert sorted(loader.rejected) == [3, 4]
    assert "3.png" in loader.rejected[3]


def test_nothing_readable_stops_the_run_and_names_the_first(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, broken=(0, 1, 2, 3, 4))
    with pytest.raises(StoppedError, match=r"5 images could not be read, the first: .*1\.png"):
        _read(manifest, [1])


def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 385, 386, 65535, 65406, 65407]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    pixels = read_image(open_any(tmp_path / "deep.png").sources(range(1))[0], HOW)
    assert not isinstance(pixels, str)
    assert pixels[0, :, 0].tolist() == np.rint(values[0] / 257).astype(int).tolist()


def test_large_images_are_shrunk_to_what_views_need(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(tmp_path / "large.png")
    pixels = read_image(open_any(tmp_path / "large.png").sources(range(1))[0], HOW)
    assert not isinstance(pixels, str)
    assert pixels.shape == (64, 96, 3)


def test_rows_in_any_order_lie_where_ranges_say(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    expected = manifest.sources(range(5))
    assert manifest.sources_of(np.array([4, 1, 1])) == [expected[4], expected[1], expected[1]]
