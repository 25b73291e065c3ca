"""`remedis index dicom`: keys instead of people, a secret that stays put, exit statuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.data import get_testdata_file

from remedis import cli
from remedis.data import manifest


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three studies of two patients, and a plan without pixels; the secret goes to a folder of this test."""
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))
    for number, patient in enumerate(("12345", "12345", "67890")):
        dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        dataset.PatientName, dataset.PatientID, dataset.PatientSex = "DOE^JANE", patient, "F"
        dataset.StudyInstanceUID = f"1.2.3.{number}"
        path = tmp_path / f"tree/s{number}/IM0001"
        path.parent.mkdir(parents=True)
        dataset.save_as(path)
    shutil.copy(str(get_testdata_file("rtplan.dcm")), tmp_path / "tree/plan.dcm")
    return tmp_path / "tree"


def test_a_tree_becomes_a_manifest_that_names_nobody(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.parquet"
    assert cli.run(["index", "dicom", str(tree), "--site", "here", "--out", str(out)]) == 0
    text, said = capsys.readouterr()
    assert text.splitlines()[:2] == [
        "3 images, 2 patients, no split", "labels: none          left out: files without pixels 1",
    ]  # fmt: skip
    assert "made now; keep it" in said
    assert "warning: the manifest holds paths, which can identify people" in said
    found = manifest.read(out)
    assert found.table["site"].to_pylist() == ["here"] * 3
    assert len(set(found.table["study_id"].to_pylist())) == 3
    assert found.facts["paths_may_identify"] is True
    for planted in (b"DOE", b"JANE", b"12345", b"67890", b"1.2.3."):
        assert planted not in out.read_bytes()


def test_the_secret_is_made_once_and_decides_the_keys(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def keys(*words: str) -> list[str]:
        assert cli.run(["index", "dicom", str(tree), "--out", str(tmp_path / "m.parquet"), *words]) == 0
        found: list[str] = pq.read_table(tmp_path / "m.parquet")["patient_id"].to_pylist()
        return found

    first = keys()
    secret = (tmp_path / "home/patient.key").read_bytes()
    assert keys() == first
    assert "as before" in capsys.readouterr().err
    assert (tmp_path / "home/patient.key").read_bytes() == secret
    assert keys("--key-file", str(tmp_path / "other.key")) != first
    assert secret.strip() not in (tmp_path / "m.parquet").read_bytes()
    assert (tmp_path / "other.key").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_others_can_read_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "k").write_bytes(b"s" * 40)
    (tmp_path / "k").chmod(0o644)
    words = ["index", "dicom", str(tree), "--out", str(tmp_path / "m.parquet"), "--key-file", str(tmp_path / "k")]
    assert cli.run(words) == 2
    assert "chmod 600" in capsys.readouterr().err
    assert not (tmp_path / "m.parquet").exists()


def test_a_tree_that_cannot_be_indexed_leaves_neither_manifest_nor_secret(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    out = str(tmp_path / "m.parquet")
    for words in (
        [str(tmp_path / "empty")], [str(tmp_path / "gone")], [str(tree), "--where", "view=PA"],
        [str(tree), "--image-column", "file"], [str(tree), "--split", "patient:1"],
    ):  # fmt: skip
        assert cli.run(["index", "dicom", *words, "--out", out]) == 2
        err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("reading headers")]
        assert len(err) == 1
        assert err[0].startswith("remedis: error: ")
    assert not Path(out).exists()
    assert not (tmp_path / "home").exists()


def test_real_files(
    real_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path))
    folder, out = real_data("dicom"), tmp_path / "m.parquet"
    words = ["--labels", str(folder / "files.csv"), "--image-column", "file", "--out", str(out), "--json"]
    assert cli.run(["index", "dicom", str(folder), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    table = pq.read_table(out)
    assert (found["files"], table.num_rows) == (18, found["images"])
    for row in table.to_pylist():
        assert (
            row["photometric"] in (None, row["PhotometricInterpretation"]) or row["PhotometricInterpretation"] is None
        )
        if row["Rows"] is not None:
            assert (row["height"], row["width"]) == (row["Rows"], row["Columns"])
    frames = {
        path.name: int(pydicom.dcmread(path, stop_before_pixels=True, force=True).get("NumberOfFrames") or 1)
        for path in folder.glob("*.dcm")
    }
    assert table.num_rows == sum(frames.values())
