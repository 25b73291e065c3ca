"""Patients, slides and pictures that an encoder has met are found in the tested rows, and only there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data import manifest
from remedis.data.decoded import decode_all
from remedis.data.finding import Finding
from remedis.data.manifest import Manifest
from remedis.evaluate import seen
from remedis.models.learnt import Learnt, rows_of
from remedis.study.contamination import contamination, rows_tested, same_ids

N = 12


def picture(seed: int) -> Image.Image:
    coarse = Image.fromarray(np.random.default_rng(seed).random((9, 11), np.float32))
    field = np.asarray(coarse.resize((60, 50), Image.Resampling.BICUBIC))
    return Image.fromarray(np.asarray(30 + 190 * (field - field.min()) / np.ptp(field), np.uint8))


def made(folder: Path, first: int, *, data_set: str = "", **columns: Any) -> Manifest:
    """Twelve pictures from number `first` on, a patient each, the last four of them the test part."""
    folder.mkdir(parents=True)
    for number in range(first, first + N):
        picture(number).save(folder / f"{number}.png")
    table = {
        "image": [f"{number}.png" for number in range(first, first + N)],
        "patient_id": [f"p{number}" for number in range(first, first + N)],
        "split": ["train"] * 8 + ["test"] * 4,
        **columns,
    }
    kept = {name: column for name, column in table.items() if column is not None}
    manifest.write(pa.table(kept), folder / "m.parquet", {"root": ".", "data_set": data_set or folder.name})
    return manifest.read(folder / "m.parquet")


def found_in(rows: Manifest, learnt: Learnt, *, pixels: bool = True) -> list[Finding]:
    return list(contamination(rows_tested(rows, decode_all(rows) if pixels else None), learnt))


def test_the_tested_rows_are_the_test_part_or_all(tmp_path: Path) -> None:
    rows = made(tmp_path / "here", 0)
    tested = rows_tested(rows, decode_all(rows))
    assert tested.rows.table["image"].to_pylist() == [f"{number}.png" for number in range(8, 12)]
    assert tested.decoded is not None
    assert [source.name for source in tested.decoded.sources] == tested.rows.table["image"].to_pylist()
    assert len(rows_tested(made(tmp_path / "there", 0, split=None)).rows) == N
    assert len(rows_tested(made(tmp_path / "else", 0, split=["train"] * N)).rows) == N


def test_strangers_share_nothing(tmp_path: Path) -> None:
    assert found_in(made(tmp_path / "here", 0), rows_of(made(tmp_path / "there", 100), "E")) == []


def test_pretraining_on_the_training_part_is_no_fault(tmp_path: Path) -> None:
    rows = made(tmp_path / "here", 0)
    assert found_in(rows, rows_of(rows.select(np.arange(8)), "E")) == []


@pytest.mark.parametrize(("labelled", "severity"), [(False, "warning"), (True, "error")])
def test_rows_of_the_test_part_are_found(tmp_path: Path, labelled: bool, severity: str) -> None:
    rows = made(tmp_path / "here", 0)
    patients, pictures = found_in(rows, rows_of(rows.select(np.arange(6, 10)), "E", labelled=labelled))
    assert (patients.kind, patients.severity, patients.count, patients.examples) == (
        "contamination", severity, 2, ("p8", "p9"),
    )  # fmt: skip
    how = "with labels" if labelled else "without labels as far as is known"
    assert patients.message == f"2 patients of the test part are among what E has learnt from, {how}"
    assert (pictures.severity, pictures.examples) == (severity, ("8.png ≈ 8.png (1.0000)", "9.png ≈ 9.png (1.0000)"))


def test_a_changed_copy_is_found_by_pixels_and_a_true_one_by_bytes(tmp_path: Path) -> None:
    rows, other = made(tmp_path / "here", 0), made(tmp_path / "there", 100)
    data = io.BytesIO()
    picture(9).resize((90, 70)).save(data, "JPEG", quality=50)
    (other.root / "103.png").write_bytes(data.getvalue())
    (other.root / "104.png").write_bytes((rows.root / "10.png").read_bytes())
    (other.root / "105.png").write_bytes((rows.root / "2.png").read_bytes())  # of the training part
    (found,) = found_in(rows, rows_of(other, "E"))
    assert [each.split(" (")[0] for each in found.examples] == ["9.png ≈ 103.png", "10.png ≈ 104.png"]
    as_long = bytearray((rows.root / "11.png").read_bytes())
    as_long[-1] ^= 1
    (other.root / "106.png").write_bytes(as_long)
    (found,) = found_in(rows, rows_of(other, "E"), pixels=False)
    assert found.message.startswith("1 picture of the test part is among what E has learnt from")
    assert found.examples == ("10.png = 104.png",)


def test_patients_are_the_same_at_one_site_only(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(8, 20)]
    rows = made(tmp_path / "here", 0, site=["north"] * N)
    for site, count in (("north", 1), ("south", 0)):
        other = made(tmp_path / site, 100, patient_id=names, site=[site] * N)
        learnt = rows_of(other, "E")
        assert len(found_in(rows, learnt)) == count
        note = same_ids(rows_tested(rows), learnt)
        assert (note is None) == bool(count)
        if note:
            assert note.startswith(
                "4 values of patient_id stand both here and in what E has learnt from (p10, p11, p8)"
            )


def test_without_a_site_the_data_set_is_the_site(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(8, 20)]
    rows = made(tmp_path / "here", 0, data_set="archive")
    same = made(tmp_path / "a", 100, patient_id=names, data_set="archive")
    other = made(tmp_path / "b", 100, patient_id=names, data_set="another")
    assert [found.count for found in found_in(rows, rows_of(same, "E"))] == [4]
    assert found_in(rows, rows_of(other, "E")) == []


def test_slides_are_found(tmp_path: Path) -> None:
    slides = [f"slide{number // 4}" for number in range(N)]
    rows = made(tmp_path / "here", 0, data_set="d", slide_id=slides)
    other = made(tmp_path / "there", 100, data_set="d", slide_id=[f"slide{2 + number // 4}" for number in range(N)])
    (found,) = found_in(rows, rows_of(other, "E"))
    assert found.message.startswith("1 slide of the test part is among what E has learnt from")
    assert found.examples == ("slide2",)


def test_the_keys_of_a_run_tell_its_rows_exactly(tmp_path: Path) -> None:
    rows = made(tmp_path / "here", 0)
    remembered = seen.remember(
        rows.table, {"train": np.array([0, 9]), "validation": np.array([10])}, dataset="here", root=rows.root
    )
    seen.save(remembered, tmp_path)
    patients, pictures = found_in(rows, Learnt("E", (), rows, labelled=True, keys=tmp_path))
    assert (patients.severity, patients.examples) == ("error", ("p9",))
    assert pictures.examples == ("9.png ≈ 9.png (1.0000)",)
    (gone,) = found_in(rows, Learnt("E", (), None, labelled=True, keys=tmp_path))
    assert gone.severity == "error"
    assert gone.message == "1 image of the test part, or their patients, are among what E has learnt from, with labels"
    assert gone.examples == ("9.png",)
    assert found_in(made(tmp_path / "there", 100), Learnt("E", (), None, labelled=True, keys=tmp_path)) == []


def test_data_sets_are_compared_by_name_where_rows_are_not_known(tmp_path: Path) -> None:
    rows = made(tmp_path / "rsna-pneumonia", 0)
    (found,) = found_in(rows, Learnt("E", ("ImageNet-1k", "NIH ChestX-ray14", "nih-cxr14")))
    assert (found.kind, found.severity) == ("contamination", "warning")
    assert found.message.startswith("E: RSNA pneumonia overlaps NIH ChestX-ray14")
    (found,) = found_in(made(tmp_path / "mimic-cxr-jpg", 0), Learnt("cxr-50x1-remedis-m", ("MIMIC-CXR",)))
    assert "has learnt from images of MIMIC-CXR" in found.message
    assert found_in(rows, Learnt("E", ("CheXpert",))) == []


def test_rows_that_are_known_and_names_beyond_them_are_both_looked_at(tmp_path: Path) -> None:
    rows, other = made(tmp_path / "nih-cxr14", 0), made(tmp_path / "rsna-pneumonia", 100)
    (by_name,) = found_in(rows, rows_of(other, "E"))
    assert "RSNA pneumonia overlaps NIH" in by_name.message
    seen = Learnt("E", ("ChestMNIST", "archive"), made(tmp_path / "archive", 200))
    (further,) = found_in(rows, seen)
    assert "ChestMNIST overlaps NIH" in further.message
