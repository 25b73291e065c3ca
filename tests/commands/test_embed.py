"""`remedis embed`: rows and values, rejected images, and every refusal in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch
from embed_runs import embed, make_pictures, rows_of
from PIL import Image

import remedis
from remedis.data import manifest, pack


def test_rows_are_the_manifests_and_values_the_encoders(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 10)
    assert embed(path, "--encoder", small_encoder, "--out", tmp_path / "emb", "--batch-size", 4, "--workers", 0) == 0
    table = ds.dataset(tmp_path / "emb").to_table()
    assert table.column_names == ["image", "label", "embedding"]
    assert table["embedding"].type == pa.list_(pa.float32(), 512)
    assert table["image"].to_pylist() == manifest.read(path).table["image"].to_pylist()
    encoder = remedis.load(small_encoder)
    for name, vector in zip(*rows_of(tmp_path / "emb"), strict=True):
        expected = encoder(remedis.read(tmp_path / "pictures" / name))[0].double()
        assert torch.linalg.norm(torch.from_numpy(vector.copy()).double() - expected) < 1e-4 * torch.linalg.norm(
            expected
        )


def test_the_facts_name_what_decides_the_values(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 3)
    embed(path, "--encoder", small_encoder, "--out", tmp_path / "emb", "--image-size", 48, "--workers", 0)
    facts = json.loads((tmp_path / "emb" / "_embeddings.json").read_text())
    assert facts["complete"]
    assert facts["encoder_hash"] == remedis.load(small_encoder).hash
    assert (facts["image_size"], facts["precision"], facts["profile"], facts["fit"]) == (
        48,
        "fp32",
        "dicom-display",
        "squash",
    )
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["job"]["manifest"] == str(path)


@pytest.mark.parametrize(("option", "value"), [("--image-size", 40), ("--precision", "bf16"), ("--dtype", "float16")])
def test_options_change_the_values(tmp_path: Path, small_encoder: Path, option: str, value: object) -> None:
    path = make_pictures(tmp_path, 3)
    for name, more in (("a", []), ("b", [option, value])):
        assert embed(path, "--encoder", small_encoder, "--out", tmp_path / name, "--workers", 0, *more) == 0
    first, second = (rows_of(tmp_path / name)[1].astype(np.float64) for name in "ab")
    assert not np.array_equal(first, second)
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    assert (cosine > (0.9 if option == "--image-size" else 0.999)).all()


def test_a_profile_changes_the_values(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 2)
    for name, more in (("a", []), ("b", ["--profile", "mimic-jpg"])):
        assert embed(path, "--encoder", small_encoder, "--out", tmp_path / name, "--workers", 0, *more) == 0
    assert not np.allclose(rows_of(tmp_path / "a")[1], rows_of(tmp_path / "b")[1])


def test_workers_change_nothing(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 9)
    for workers in (0, 2):
        assert embed(path, "--encoder", small_encoder, "--out", tmp_path / f"w{workers}", "--batch-size", 2,
                     "--workers", workers) == 0  # fmt: skip
    assert rows_of(tmp_path / "w0")[1].tobytes() == rows_of(tmp_path / "w2")[1].tobytes()


def test_unreadable_images_are_set_aside_with_the_reason(
    tmp_path: Path, small_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_pictures(tmp_path, 6)
    (tmp_path / "pictures" / "0002.png").write_bytes((tmp_path / "pictures" / "0002.png").read_bytes()[:300])
    (tmp_path / "pictures" / "0004.png").unlink()
    words = [path, "--encoder", small_encoder, "--out", tmp_path / "emb", "--batch-size", 2, "--workers", 0]
    assert embed(*words) == 1
    assert "4 × 512 float32, 2 rejected" in capsys.readouterr().out
    assert rows_of(tmp_path / "emb")[0] == ["0000.png", "0001.png", "0003.png", "0005.png"]
    with (tmp_path / "emb" / "_rejected.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [row["image"] for row in rejected] == ["0002.png", "0004.png"]
    assert "damaged or cut short" in rejected[0]["reason"]
    assert "no such file" in rejected[1]["reason"]
    assert embed(*words, "--allow-rejected", 2) == 0
    assert embed(*words, "--allow-rejected", 1) == 1


def test_a_folder_and_a_single_image_can_be_embedded(tmp_path: Path, small_encoder: Path) -> None:
    make_pictures(tmp_path, 2)
    folder, single = tmp_path / "pictures", tmp_path / "pictures" / "0001.png"
    assert embed(folder, "--encoder", small_encoder, "--out", tmp_path / "a", "--workers", 0) == 0
    assert embed(single, "--encoder", small_encoder, "--out", tmp_path / "b", "--workers", 0) == 0
    names, vectors = rows_of(tmp_path / "a")
    assert names == ["0000.png", "0001.png"]
    np.testing.assert_allclose(rows_of(tmp_path / "b")[1][0], vectors[1], rtol=1e-4, atol=1e-6)


def test_a_pack_gives_the_same_bytes_as_its_files(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 5)
    assert sum(pack.write(manifest.read(path), tmp_path / "m.arrow")) == 5
    for name, source in (("a", path), ("b", tmp_path / "m.arrow")):
        assert embed(source, "--encoder", small_encoder, "--out", tmp_path / name, "--workers", 0) == 0
    assert rows_of(tmp_path / "a")[0] == rows_of(tmp_path / "b")[0]
    assert rows_of(tmp_path / "a")[1].tobytes() == rows_of(tmp_path / "b")[1].tobytes()


def test_regions_are_cut_out_and_frames_told_apart(tmp_path: Path, small_encoder: Path) -> None:
    make_pictures(tmp_path, 1, side=64)
    whole = np.asarray(Image.open(tmp_path / "pictures" / "0000.png"))
    Image.fromarray(whole[5:37, 10:42]).save(tmp_path / "pictures" / "cut.png")
    rows = {"image": ["0000.png", "cut.png"], "x": [10, None], "y": [5, None], "size": [32, None]}
    manifest.write(pa.table(rows), tmp_path / "r.parquet", {"root": "pictures"})
    assert embed(tmp_path / "r.parquet", "--encoder", small_encoder, "--out", tmp_path / "emb", "--workers", 0) == 0
    vectors = rows_of(tmp_path / "emb")[1]
    assert vectors[0].tobytes() == vectors[1].tobytes()


def test_conditions_choose_rows(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 6)
    words = ["--encoder", small_encoder, "--out", tmp_path / "emb", "--workers", 0]
    assert embed(path, "--where", "label=1", "--where", "image!=0003.png", *words) == 0
    assert rows_of(tmp_path / "emb")[0] == ["0001.png", "0005.png"]
    facts = json.loads((tmp_path / "emb" / "_embeddings.json").read_text())
    assert facts["job"]["where"] == ["label=1", "image!=0003.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--encoder", "ENC"], "nowhere: there is no such file or folder"),
        (["EMPTY", "--encoder", "ENC"], "no image"),
        (["M", "--encoder", "bit-r50"], "did you mean bit-r50x1"),
        (["M", "--encoder", "./enc"], "there is no such folder"),
        (["M", "--encoder", "NO-WEIGHTS"], "there is no model.safetensors"),
        (["M", "--encoder", "bit-r50x1"], "a network's name has no weights"),
        (["M", "--encoder", "ENC", "--precision", "fp16"], "fp32 or bf16 was expected"),
        (["M", "--encoder", "ENC", "--profile", "dicom-dispaly"], "did you mean dicom-display"),
        (["M", "--encoder", "ENC", "--batch-size", "0"], "--batch-size is 0"),
        (["M", "--encoder", "ENC", "--image-size", "-1"], "--image-size is -1"),
        (["M", "--encoder", "ENC", "--device", "tpu"], "cpu, cuda or cuda:N was expected"),
        (["M", "--encoder", "ENC", "--where", "lable=1"], "did you mean label"),
        (["M", "--encoder", "ENC", "--where", "label=7"], "no row of 3 is left"),
        (["M", "--encoder", "ENC", "--where", "label"], "COLUMN=VALUE or COLUMN!=VALUE was expected"),
        (["TRUNCATED", "--encoder", "ENC"], "cut short"),
        (["BOMB", "--encoder", "ENC"], "the limit is"),
        (["TEXT", "--encoder", "ENC"], "is no image"),
        (["NO-PIXELS", "--encoder", "ENC"], "pixel"),
        (["NEWER", "--encoder", "ENC"], "format version 99"),
        (["NO-IMAGE-COLUMN", "--encoder", "ENC"], "there is no column 'image'"),
        (["MOVED", "--encoder", "ENC"], "--root FOLDER says where they are"),
    ],
)
def test_bad_input_is_one_line_with_status_2_and_nothing_is_written(
    tmp_path: Path, small_encoder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    places = {**_bad_inputs(tmp_path), "ENC": str(small_encoder)}
    before = sorted(tmp_path.rglob("*"))
    assert embed(*(places.get(word, word) for word in words), "--out", tmp_path / "out", "--workers", 0) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("remedis: error: ") == 1
    assert error.splitlines()[-1].startswith("remedis: error: ")
    assert sorted(tmp_path.rglob("*")) == before


def _bad_inputs(folder: Path) -> dict[str, str]:
    path = make_pictures(folder, 3)
    table = pq.read_table(path)
    (folder / "empty").mkdir()
    (folder / "no-weights").mkdir()
    (folder / "no-weights" / "config.json").write_text('{"remedis": {"network": "resnet18", "contract": {}}}')
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is no picture")
    _bomb(folder / "bomb.png")
    _structured_report(folder / "report.dcm")
    manifest.write(table, folder / "moved.parquet", {"root": "elsewhere"})
    newer = {manifest.KEY: json.dumps({"format_version": 99}).encode()}
    pq.write_table(table.replace_schema_metadata(newer), folder / "newer.parquet")
    pq.write_table(table.rename_columns(["picture", "label"]), folder / "nameless.parquet")
    names = {
        "M": path.name, "EMPTY": "empty", "NO-WEIGHTS": "no-weights", "TRUNCATED": "truncated.jpg", "TEXT": "text.jpg",
        "BOMB": "bomb.png", "NO-PIXELS": "report.dcm", "NEWER": "newer.parquet", "NO-IMAGE-COLUMN": "nameless.parquet",
        "MOVED": "moved.parquet",
    }  # fmt: skip
    return {word: str(folder / name) for word, name in names.items()}


def _bomb(path: Path) -> None:
    """A PNG of a few bytes whose header promises 60,000 × 60,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def _structured_report(path: Path) -> None:
    from pydicom.data import get_testdata_file

    path.write_bytes(Path(str(get_testdata_file("test-SR.dcm", download=False))).read_bytes())
