"""The verbs for sets of records and of tiles: what is written and said, and that embed and pack read what they make."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds
import pytest
from PIL import Image

from references import written_tfrecord
from remedis import cli
from remedis.data import manifest

Run = Callable[..., tuple[int, str, str]]
PARTS = {"train": 12, "val": 6, "test": 6}


@pytest.fixture
def remedis(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; return its exit status, what it wrote to stdout, and to stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


def pictures(side: int = 32) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (24, side, side, 3), dtype=np.uint8)


def parts(values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(PARTS, np.split(values, [12, 18]), strict=True))


def labels() -> npt.NDArray[np.uint8]:
    return (np.arange(24) % 2).astype(np.uint8)


def as_medmnist(path: Path, save: Callable[..., None] = np.savez_compressed) -> Path:
    images = {f"{part}_images": each for part, each in parts(pictures()).items()}
    save(path, **images, **{f"{part}_labels": each[:, None] for part, each in parts(labels()).items()})
    return path


def as_pcam(folder: Path) -> Path:
    folder.mkdir()
    for part, pixels in parts(pictures()).items():
        stem = folder / f"camelyonpatch_level_2_split_{'valid' if part == 'val' else part}"
        numbers = parts(labels())[part]
        with h5py.File(f"{stem}_x.h5", "w") as file:
            file.create_dataset("x", data=pixels, chunks=(4, 32, 32, 3), compression="gzip")
        with h5py.File(f"{stem}_y.h5", "w") as file:
            file["y"] = numbers.reshape(-1, 1, 1, 1)
        lines = [f"{n},{n},{n},True,{bool(label)},camelyon16_{'test' if part == 'test' else 'train_tumor'}_{part}{n}"
                 for n, label in enumerate(numbers)]  # fmt: skip
        Path(f"{stem}_meta.csv").write_text("\n".join([",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi", *lines]))
    return folder


def png(pixels: npt.NDArray[np.uint8], path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


def as_files(folder: Path) -> Path:
    for number, pixels in enumerate(pictures()):
        png(pixels, folder / f"{number:02}.png")
    return folder


def as_tfrecord(path: Path, files: Path) -> Path:
    records = [
        {"image": [each.read_bytes()], "label": [number % 2], "patient": [b"p%d" % number]}
        for number, each in enumerate(sorted(files.iterdir()))
    ]
    path.write_bytes(b"".join(written_tfrecord.framed(written_tfrecord.example(each)) for each in records))
    return path


def embedding(folder: Path) -> npt.NDArray[np.float32]:
    return np.stack(ds.dataset(folder).to_table()["embedding"].to_numpy())


def test_embeddings_are_those_of_the_files_alone(remedis: Run, small_encoder: Path, tmp_path: Path) -> None:
    files = as_files(tmp_path / "files")
    sources: dict[str, tuple[object, ...]] = {
        "folder": (files,),
        "medmnist": (as_medmnist(tmp_path / "bloodmnist.npz"),),
        "patch-camelyon": (as_pcam(tmp_path / "pcam"),),
        "tfrecord": (as_tfrecord(tmp_path / "a.tfrecord", files), "--label-key", "label", "--patient-key", "patient"),
    }
    found = {}
    for verb, words in sources.items():
        out = tmp_path / f"{verb}.parquet"
        status, _, err = remedis("index", verb, *words, "--out", out)
        assert status == 0, err
        assert "error" not in remedis("index", "check", out)[1]
        assert remedis("index", "pack", out, "--out", out.with_suffix(".arrow"))[0] == 0
        for given in (out, out.with_suffix(".arrow")):
            emb = tmp_path / f"emb-{given.name}"
            status, _, err = remedis(
                "embed", given, "--encoder", small_encoder, "--out", emb, "--workers", "0", "--random-weights"
            )
            assert status == 0, err
            found[given.name] = embedding(emb)
    expected = found.pop("folder.parquet")
    assert expected.shape[0] == 24
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected, err_msg=name)


def test_index_medmnist_says_what_it_found(remedis: Run, tmp_path: Path) -> None:
    path, out = as_medmnist(tmp_path / "pneumoniamnist.npz"), tmp_path / "tables/pm.parquet"
    status, text, err = remedis("index", "medmnist", path, "--out", out)
    assert (status, err.splitlines()[-1].startswith("warning: MedMNIST names no patients")) == (0, True)
    assert text.splitlines() == [
        "24 images, no patient_id, split train 12 · validation 6 · test 6",
        "labels: label 12 of 24 · label_name 2 classes · pneumonia 12 of 24          left out: nothing",
        f"wrote {out}      next: remedis index check {out}",
    ]
    assert manifest.read(out).facts == {
        "root": "..", "data_set": "pneumoniamnist", "left_out": {}, "licence": "CC BY 4.0", "format_version": 1
    }  # fmt: skip
    found = json.loads(remedis("index", "medmnist", tmp_path, "--out", out, "--site", "guangzhou", "--json")[1])
    assert (found["images"], found["replaced"]) == (24, True)


def test_a_damaged_part_ends_with_exit_status_1(remedis: Run, tmp_path: Path) -> None:
    path, out = as_medmnist(tmp_path / "bloodmnist.npz", np.savez), tmp_path / "m.parquet"
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    status, text, err = remedis("index", "medmnist", path, "--out", out)
    assert (status, "12 images" in text) == (1, True)
    assert "warning: damaged or missing: the bytes of train_images do not fit their check sum" in err
    folder = as_pcam(tmp_path / "pcam")
    (folder / "camelyonpatch_level_2_split_valid_y.h5").unlink()
    assert remedis("index", "patch-camelyon", folder, "--out", out)[0] == 1
    record = as_tfrecord(tmp_path / "a.tfrecord", as_files(tmp_path / "files"))
    record.write_bytes(record.read_bytes()[:-10])
    status, text, _ = remedis("index", "tfrecord", record, "--label-key", "label", "--out", out)
    assert (status, "23 images" in text) == (1, True)


def test_index_patch_camelyon_counts_slides_as_patients(remedis: Run, tmp_path: Path) -> None:
    status, text, _ = remedis("index", "patch-camelyon", as_pcam(tmp_path / "pcam"), "--out", tmp_path / "m.parquet")
    assert (status, text.splitlines()[0]) == (0, "24 images, 24 patients, split train 12 · validation 6 · test 6")
    status, _, err = remedis("inspect", tmp_path / "pcam/camelyonpatch_level_2_split_test_x.h5", "--frame", "5")
    assert status == 0, err


def test_index_tiles_with_options(remedis: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "tiles", tmp_path / "m.parquet"
    for name in ("tumor/tumor_001_x_0_y_0", "normal/tumor_001_x_9_y_0", "normal/normal_002_x_0_y_0"):
        png(pictures()[0], folder / f"{name}.png")
    words = (
        "index",
        "camelyon16",
        folder,
        "--out",
        out,
        "--site-ranges",
        "tumor_001-070=radboud,normal_001-100=utrecht",
    )
    assert remedis(*words)[0] == 0
    assert manifest.read(out).table["site"].to_pylist() == ["utrecht", "radboud", "radboud"]
    status, _, err = remedis("index", "camelyon16", folder, "--out", out, "--image-column", "tile")
    assert (status, "--image-column names a column of a table" in err) == (2, True)
    (folder / "t.csv").write_text("tile,label\ntumor_001_x_9_y_0,1\n")
    assert remedis(*words, "--labels", folder / "t.csv", "--image-column", "tile")[0] == 0
    assert manifest.read(out).table.select(["image", "label"]).to_pylist() == [
        {"image": "normal/tumor_001_x_9_y_0.png", "label": 1}
    ]


@pytest.mark.parametrize("place", ["given", "newer", "older"])
def test_index_camelyon17_finds_the_table_of_stages(place: str, remedis: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "tiles", tmp_path / "m.parquet"
    png(pictures()[0], folder / "patient_004_node_4/1.png")
    table = {"given": tmp_path / "s.csv", "newer": folder / "stages.csv", "older": folder / "stage_labels.csv"}[place]
    table.write_text("patient,stage,center\npatient_004.zip,pN1,0\npatient_004_node_4.tif,macro,0\n")
    words = ("--stages", table) if place == "given" else ()
    assert remedis("index", "camelyon17", folder, "--out", out, *words)[0] == 0
    assert manifest.read(out).table.select(["site", "pn_stage"]).to_pylist() == [
        {"site": "centre_0", "pn_stage": "pN1"}
    ]


def test_index_wilds_ends_with_1_where_patches_are_missing(remedis: Run, tmp_path: Path) -> None:
    name = "patches/patient_004_node_4/patch_patient_004_node_4_x_1_y_2.png"
    png(pictures()[0], tmp_path / name)
    rows = ["0,004,4,1,2,1,0,0,0", "1,004,4,1,3,0,0,0,0"]
    (tmp_path / "metadata.csv").write_text(
        "\n".join([",patient,node,x_coord,y_coord,tumor,slide,center,split", *rows]) + "\n"
    )
    status, text, err = remedis("index", "wilds-camelyon17", tmp_path, "--out", tmp_path / "m.parquet")
    assert (status, "1 image, 1 patient" in text, "1 patch is not there" in err) == (1, True, True)


def test_tensorflows_patch_camelyon_is_read_by_index_tfds(remedis: Run, tmp_path: Path) -> None:
    """Features id (text), image (PNG, 96 × 96) and label (2), splits test, train and validation."""
    random = np.random.default_rng(0).integers(0, 256, (6, 96, 96, 3), dtype=np.uint8)
    records = [
        {"id": [f"train_{number}".encode()], "image": [png(pixels, tmp_path / "a.png")], "label": [number % 2]}
        for number, pixels in enumerate(random)
    ]
    text = {"pythonClassName": f"{written_tfrecord.CLASS}text_feature.Text", "text": {}}
    written_tfrecord.data_set(
        tmp_path / "patch_camelyon/2.0.0",
        {"test": [records[:1]], "train": [records[1:3], records[3:5]], "validation": [records[5:]]},
        {"id": text, "image": written_tfrecord.IMAGE, "label": written_tfrecord.class_label(2)},
        labels={"label": ["0", "1"]},
        name="patch_camelyon",
    )
    out = tmp_path / "pcam.parquet"
    status, said, err = remedis("index", "tfds", tmp_path / "patch_camelyon/2.0.0", "--out", out)
    assert (status, said.splitlines()[0]) == (0, "6 images, no patient_id, split train 4 · validation 1 · test 1"), err
    table = manifest.read(out).table
    assert table["label"].to_pylist() == ["0", "1", "0", "1", "0", "1"]
    assert table["id"].to_pylist() == [f"train_{number}" for number in range(6)]
    assert set(table["width"].to_pylist()) == {96}


@pytest.mark.parametrize(
    "verb", ["medmnist", "patch-camelyon", "camelyon16", "camelyon17", "wilds-camelyon17", "tfrecord"]
)
def test_what_cannot_be_used_is_refused_in_one_line(verb: str, remedis: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, out in (("gone", "m.parquet"), ("empty", "m.parquet"), ("empty", "m.csv")):
        status, text, err = remedis("index", verb, tmp_path / place, "--out", tmp_path / out)
        assert (status, text, err.count("\n")) == (2, "", 1)
        assert err.startswith("remedis: error: ")
    assert not (tmp_path / "m.parquet").exists()
