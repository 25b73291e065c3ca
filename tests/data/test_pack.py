"""A pack holds the files' bytes: every row reads as it does from its file."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from remedis.data import manifest, pack
from remedis.data.manifest import Manifest
from remedis.data.readers import read, read_source
from remedis.errors import ManifestError, ReadError, StoppedError


@pytest.fixture
def rows(tmp_path: Path) -> Manifest:
    """Pictures, a DICOM film of two frames, and two regions of one picture."""
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(folder / name)
    (folder / "film.dcm").write_bytes(Path(str(get_testdata_file("SC_rgb_rle_2frame.dcm"))).read_bytes())
    table = pa.table(
        {
            "image": ["a.png", "film.dcm", "film.dcm", "b.png", "b.png"],
            "frame": [None, 0, 1, None, None],
            "x": [None, None, None, 2, 5],
            "y": [None, None, None, 3, 0],
            "size": [None, None, None, 8, 16],
            "label": ["u", "v", None, "u", "v"],
        }
    )
    manifest.write(table, tmp_path / "m.parquet", {"root": "images", "data_set": "set", "licence": "CC0-1.0"})
    return manifest.read(tmp_path / "m.parquet")


def packed(rows: Manifest, path: Path) -> Manifest:
    assert sum(pack.write(rows, path)) == len(rows)
    return pack.open_pack(path)


def test_every_row_reads_as_from_its_file_though_the_files_are_gone(rows: Manifest, tmp_path: Path) -> None:
    expected = [read_source(source).pixels for source in rows.sources(range(len(rows)))]
    found = packed(rows, tmp_path / "p.arrow")
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    for source, pixels in zip(found.sources(range(len(found))), expected, strict=True):
        np.testing.assert_array_equal(read_source(source).pixels, pixels)


def test_rows_facts_and_hash_are_the_manifests(rows: Manifest, tmp_path: Path) -> None:
    found = packed(rows, tmp_path / "p.arrow")
    assert found.table.to_pydict() == rows.table.to_pydict()
    assert (found.data_set, found.facts["licence"], found.hash()) == ("set", "CC0-1.0", rows.hash())


def test_bytes_are_the_files_own_and_kept_once_a_file(rows: Manifest, tmp_path: Path) -> None:
    packed(rows, tmp_path / "p.arrow")
    table = pa.ipc.open_file(str(tmp_path / "p.arrow")).read_all()
    assert table["_record"].to_pylist() == [0, 1, 1, 3, 3]
    for number, name in ((0, "a.png"), (1, "film.dcm"), (3, "b.png")):
        found = hashlib.sha256(table["_bytes"][number].as_py()).hexdigest()
        assert found == hashlib.sha256((tmp_path / "images" / name).read_bytes()).hexdigest()
    assert table["_bytes"].null_count == 2


def test_a_record_is_read_by_its_number_as_a_frame_of_the_pack(rows: Manifest, tmp_path: Path) -> None:
    packed(rows, tmp_path / "p.arrow")
    film = pydicom.dcmread(tmp_path / "images/film.dcm").pixel_array
    np.testing.assert_array_equal(read(tmp_path / "p.arrow", frame=2).pixels, film[1])
    with pytest.raises(ReadError, match="record 9 was asked for, the pack holds 5"):
        read(tmp_path / "p.arrow", frame=9)


def test_chosen_rows_keep_their_records_and_can_be_packed_again(rows: Manifest, tmp_path: Path) -> None:
    expected = [read_source(source).pixels for source in rows.where(["label=v"]).sources(range(2))]
    chosen = packed(rows, tmp_path / "p.arrow").where(["label=v"])
    again = packed(chosen, tmp_path / "q.arrow")
    for found in (chosen, again):
        assert found.table["image"].to_pylist() == ["film.dcm", "b.png"]
        for source, pixels in zip(found.sources(range(2)), expected, strict=True):
            np.testing.assert_array_equal(read_source(source).pixels, pixels)


@pytest.mark.parametrize(("count", "limit"), [(1, 1 << 26), (2, 1 << 26), (64, 1), (64, 2000)])
def test_the_size_of_a_batch_has_no_say(
    rows: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, limit: int
) -> None:
    packed(rows, tmp_path / "p.arrow")
    monkeypatch.setattr(pack, "ROWS_A_BATCH", count)
    monkeypatch.setattr(pack, "BYTES_A_BATCH", limit)
    assert len(list(pack.write(rows, tmp_path / "q.arrow"))) >= (2 if count == 64 else 3)
    one, two = (pa.ipc.open_file(str(tmp_path / f"{name}.arrow")).read_all() for name in "pq")
    assert one.equals(two)


def test_a_missing_file_leaves_nothing_behind(rows: Manifest, tmp_path: Path) -> None:
    (tmp_path / "images/b.png").unlink()
    with pytest.raises(ManifestError, match=r"b\.png: cannot be packed \(No such file"):
        list(pack.write(rows, tmp_path / "out/p.arrow"))
    assert not list((tmp_path / "out").iterdir())


def test_a_path_that_leads_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    manifest.write(pa.table({"image": ["../secret.png"]}), tmp_path / "m.parquet", {"root": "root"})
    with pytest.raises(ManifestError, match="leads out of the manifest's root"):
        list(pack.write(manifest.read(tmp_path / "m.parquet"), tmp_path / "p.arrow"))


def test_a_full_disk_leaves_nothing_behind(rows: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pack, "_batch", full)
    with pytest.raises(StoppedError, match="no space is left"):
        list(pack.write(rows, tmp_path / "out/p.arrow"))
    assert not list((tmp_path / "out").iterdir())


def test_a_pack_that_is_given_up_half_way_leaves_nothing_behind(rows: Manifest, tmp_path: Path) -> None:
    writing = pack.write(rows, tmp_path / "out/p.arrow")
    next(writing)
    writing.close()
    assert not list((tmp_path / "out").iterdir())


def test_what_is_no_pack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.arrow").write_text("no Arrow file")
    with pa.OSFile(str(tmp_path / "plain.arrow"), "wb") as sink:
        table = pa.table({"image": ["a.png"]})
        with pa.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)
    cases = (("none", "no such file"), ("text", "a pack was expected"), ("plain", "without packed files"))
    for name, complaint in cases:
        with pytest.raises(ManifestError, match=complaint):
            pack.open_pack(tmp_path / f"{name}.arrow")
        if name != "none":
            with pytest.raises(ReadError):
                pack.record(tmp_path / f"{name}.arrow", 0)


def test_a_pack_of_a_newer_version_is_refused(rows: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FORMAT_VERSION", 2)
    list(pack.write(rows, tmp_path / "p.arrow"))
    monkeypatch.undo()
    with pytest.raises(ManifestError, match="format version 2"):
        pack.open_pack(tmp_path / "p.arrow")


def written_by_hand(path: Path, records: list[int | None], data: list[bytes | None]) -> Path:
    table = pa.table(
        {
            "image": [f"{number}.png" for number in range(len(records))],
            "_bytes": pa.array(data, pa.large_binary()),
            "_record": pa.array(records, pa.int64()),
        }
    )
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    return path


@pytest.mark.parametrize("records", [[7], [-1], [None], [0]])
def test_a_record_that_points_nowhere_is_refused(tmp_path: Path, records: list[int | None]) -> None:
    path = written_by_hand(tmp_path / "p.arrow", records, [None])
    with pytest.raises(ReadError, match="record 0 has no bytes"):
        pack.record(path, 0)


def test_a_pack_written_anew_is_read_anew(rows: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "p.arrow"
    written_by_hand(path, [0], [b"one"])
    assert pack.record(path, 0).data.to_pybytes() == b"one"
    list(pack.write(rows, path))
    assert pack.record(path, 0).data.to_pybytes() == (tmp_path / "images/a.png").read_bytes()


def test_real_images_are_packed_byte_for_byte(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("fundus-dr")
    names = sorted(path.name for path in (folder / "images").iterdir())[:50]
    manifest.write(pa.table({"image": names}), tmp_path / "m.parquet", {"root": str(folder / "images")})
    found = packed(manifest.read(tmp_path / "m.parquet"), tmp_path / "p.arrow")
    for number, name in enumerate(names):
        assert pack.record(tmp_path / "p.arrow", number).data.to_pybytes() == (folder / "images" / name).read_bytes()
    assert len(found) == 50
