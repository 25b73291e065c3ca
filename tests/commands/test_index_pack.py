"""`remedis index pack`: one file that embeds as the files do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis import cli
from remedis.data import embeddings, manifest, pack
from remedis.errors import StoppedError


def made(folder: Path, count: int = 6) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (40, 48, 3), np.uint8)).save(folder / f"{number}.png")
    table = pa.table({"image": [f"{number}.png" for number in range(count)], "label": [i % 2 for i in range(count)]})
    manifest.write(table, folder.with_suffix(".parquet"), {"root": folder.name})
    return folder.with_suffix(".parquet")


def test_a_pack_is_written_and_can_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = made(tmp_path / "set"), tmp_path / "p.arrow"
    assert cli.run(["index", "pack", str(path), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {out}: 6 images, ")
    assert cli.run(["index", "pack", str(path), "--where", "label=1", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"out": str(out), "images": 3, "bytes": out.stat().st_size, "replaced": True}
    assert cli.run(["index", "check", str(out)]) == 0


def test_what_is_no_pack_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    table = pa.table({"precious": [1]})
    with pa.OSFile(str(tmp_path / "other.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    (tmp_path / "text.arrow").write_text("precious")
    before = [(tmp_path / f"{name}.arrow").read_bytes() for name in ("other", "text")]
    for name in ("other.arrow", "text.arrow"):
        assert cli.run(["index", "pack", str(path), "--out", str(tmp_path / name)]) == 2
        assert "is no pack that remedis wrote" in capsys.readouterr().err
    assert [(tmp_path / f"{name}.arrow").read_bytes() for name in ("other", "text")] == before
    assert cli.run(["index", "pack", str(path), "--out", str(tmp_path / "p.parquet")]) == 2
    assert "ends in .arrow" in capsys.readouterr().err


def test_a_missing_file_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "set")
    (tmp_path / "set/3.png").unlink()
    assert cli.run(["index", "pack", str(path), "--out", str(tmp_path / "out/p.arrow")]) == 2
    assert "3.png: cannot be packed" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_full_disk_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoppedError("no space is left on the disk, what was finished is kept", where="p.arrow")

    monkeypatch.setattr(pack, "_batch", full)
    assert cli.run(["index", "pack", str(made(tmp_path / "set")), "--out", str(tmp_path / "out/p.arrow")]) == 1
    assert "no space is left" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_embeddings_of_a_pack_are_those_of_the_files(tmp_path: Path) -> None:
    path = made(tmp_path / "set")
    assert cli.run(["index", "pack", str(path), "--out", str(tmp_path / "p.arrow"), "--quiet"]) == 0
    assert cli.run(["models", "init", "resnet18-cifar", "--out", str(tmp_path / "enc"), "--quiet"]) == 0
    for given, out in ((path, "a"), (tmp_path / "p.arrow", "b")):
        words = ["--encoder", str(tmp_path / "enc"), "--workers", "0", "--out", str(tmp_path / out), "--quiet"]
        assert cli.run(["embed", str(given), *words]) == 0
    files, packed = (embeddings.read(tmp_path / out) for out in "ab")
    np.testing.assert_array_equal(packed.matrix, files.matrix)
    assert packed.table.to_pydict() == files.table.to_pydict()
    assert packed.matrix.std() > 0
