"""`remedis index folder`: what is written, what is said, and every refusal in one line with nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from remedis import cli
from remedis.data import manifest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def remedis(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; return its exit status, what it wrote to stdout, and to stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6)).save(folder / name)
    return folder


def a_set(folder: Path, patients: int = 20) -> Path:
    """A folder with two images a patient and a table of them."""
    names = [f"{number}.png" for number in range(2 * patients)]
    pictures(folder, *names)
    rows = [f"{name},p{i // 2},{i // 2 % 2},{'abc'[i // 2 % 3]}" for i, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["image,patient_id,label,block", *rows]) + "\n")
    return folder


def refused(ran: tuple[int, str, str], *words: str) -> str:
    """Expect exit status 2, nothing on stdout, and one line on stderr with these words."""
    status, out, err = ran
    lines = [line for line in err.splitlines() if not line.startswith("reading headers")]
    assert (status, out, len(lines)) == (2, "", 1)
    assert lines[0].startswith("remedis: error: ")
    for word in words:
        assert word in lines[0]
    return lines[0]


def test_the_line_of_the_issue_on_real_images(remedis: Run, real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("cxr-pneumonia")
    status, out, err = remedis(
        "index", "folder", folder, "--labels", folder / "labels.csv", "--out", tmp_path / "cxr.parquet"
    )
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "902 images, 717 patients, split train 530 · validation 139 · test 233",
        "labels: pneumonia 601 of 902 · subtype 3 classes · source_mode 2 classes          left out: nothing",
        f"wrote {tmp_path / 'cxr.parquet'}      next: remedis index check {tmp_path / 'cxr.parquet'}",
    ]
    found = manifest.read(tmp_path / "cxr.parquet")
    assert all(source.path.is_file() for source in found.sources(range(902)))
    counts = pa.table({"c": found.table["subtype"]}).group_by("c").aggregate([([], "count_all")]).to_pylist()
    assert {row["c"]: row["count_all"] for row in counts} == {"normal": 301, "bacteria": 393, "virus": 208}


@pytest.mark.parametrize(
    ("name", "words", "images", "patients", "split"),
    [
        ("cxr-nih", [], 811, 546, {"train": 408, "validation": 116, "test": 287}),
        ("cxr-hannover", ["--split", "patient:0.6,0.2,0.2", "--stratify", "in_icu"], 204, 57, None),
        ("histology-crc", ["--split-by", "block=stain03:test,stain04:test"], 3200, None, {"train": 2184, "test": 1016}),
        ("white-cells", ["--where", "cell_type!=basophil"], 638, None, {}),
        ("fundus-dr", ["--licence", "academic"], 506, 253, {}),
        ("dicom", ["--image-column", "file"], 47, None, {}),
        ("cxr-originals", [], 17, 17, {}),
    ],
)
def test_real_sets(
    remedis: Run, real_data: Callable[[str], Path], tmp_path: Path, name: str, words: list[str], images: int,
    patients: int | None, split: dict[str, int] | None,
) -> None:  # fmt: skip
    folder = real_data(name)
    table = folder / ("files.csv" if name == "dicom" else "labels.csv")
    out = tmp_path / "m.parquet"
    status, text, _ = remedis("index", "folder", folder, "--labels", table, *words, "--out", out, "--json")
    found = json.loads(text)
    assert (status, found["images"], found["patients"]) == (0, images, patients)
    assert pq.read_table(out).num_rows == images
    if split is not None:
        assert found["split"] == split
    if name == "white-cells":
        assert found["left_out"] == {"rows by --where": 3}
    if name == "fundus-dr":
        assert manifest.read(out).facts["licence"] == "academic"


def test_folders_alone(remedis: Run, tmp_path: Path) -> None:
    pictures(tmp_path / "set", "train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "test/dog/4.png")
    status, out, _ = remedis("index", "folder", tmp_path / "set", "--out", tmp_path / "m.parquet")
    assert status == 0
    assert out.startswith("4 images, no patient_id, split train 2 · validation 1 · test 1\nlabels: label 2 classes")


def test_the_manifest_and_its_images_can_be_moved(
    remedis: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "a/set", "x/1.png")
    monkeypatch.chdir(tmp_path / "a")
    assert remedis("index", "folder", "set", "--out", "tables/m.parquet")[0] == 0
    monkeypatch.chdir("/")
    (tmp_path / "a").rename(tmp_path / "b")
    found = manifest.read(tmp_path / "b/tables/m.parquet")
    assert found.facts["root"] == "../set"
    assert found.sources(range(1))[0].path.is_file()


def test_words_of_the_split_become_ours_and_others_are_kept_and_said(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", *(f"{number}.png" for number in range(5)))
    (folder / "t.csv").write_text("image,fold\n0,Training\n1,valid\n2,test\n3,extra\n4,\n")
    words = (
        "index",
        "folder",
        folder,
        "--labels",
        folder / "t.csv",
        "--split-column",
        "fold",
        "--out",
        tmp_path / "m.parquet",
    )
    status, out, err = remedis(*words)
    assert status == 0
    assert "split train 1 · validation 1 · test 1" in out
    assert "rows that name no part (extra 1, (empty) 1) are kept and belong to none" in err
    assert pq.read_table(tmp_path / "m.parquet")["split"].to_pylist() == ["train", "validation", "test", "extra", None]
    (folder / "t.csv").write_text("image,fold\n0,test\n1,valid\n2,test\n3,0\n4,0\n")
    status, out, err = remedis(*words)
    assert "no split" in out
    assert "no row of the column split says train (test 2, valid 1, 0 2): it counts as absent" in err


def test_a_drawn_split_keeps_patients_whole_and_says_how(remedis: Run, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set")
    words = ("index", "folder", folder, "--labels", folder / "labels.csv", "--split", "patient:0.5,0.2,0.3")
    status, out, err = remedis(*words, "--out", tmp_path / "m.parquet")
    assert (status, "split drawn by patient, stratified by label, seed 0" in err) == (0, True)
    assert "split train 20 · validation 8 · test 12" in out
    table = pq.read_table(tmp_path / "m.parquet")
    pairs = set(zip(table["patient_id"].to_pylist(), table["split"].to_pylist(), strict=True))
    assert len(pairs) == 20
    labels = dict(zip(table["patient_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert sorted(labels[patient] for patient, part in pairs if part == "test") == [0, 0, 0, 1, 1, 1]
    facts = manifest.read(tmp_path / "m.parquet").facts
    assert facts["split"] == {"rule": "patient:0.5,0.2,0.3", "seed": 0}
    assert remedis(*words, "--out", tmp_path / "n.parquet", "--seed", 1)[0] == 0
    assert pq.read_table(tmp_path / "n.parquet")["split"] != table["split"]
    assert "stratified by block" in remedis(*words, "--stratify", "block", "--out", tmp_path / "n.parquet")[2]


def test_a_patient_in_two_parts_is_warned_of_and_written(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", "1.png", "2.png", "3.png")
    (folder / "t.csv").write_text("image,patient_id,split\n1,p,train\n2,p,test\n3,,train\n")
    status, out, err = remedis("index", "folder", folder, "--labels", folder / "t.csv", "--out", tmp_path / "m.parquet")
    assert status == 0
    assert "warning: 1 patient stands in two parts of the split" in err
    assert "warning: patient_id is unknown in 1 row: each counts as a patient of its own" in err
    assert out.startswith("3 images, 2 patients")
    assert (tmp_path / "m.parquet").exists()


def test_a_site_fills_what_is_unknown(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", "1.png", "2.png")
    (folder / "t.csv").write_text("image,hospital\n1,A\n2,\n")
    words = ("index", "folder", folder, "--labels", folder / "t.csv", "--out", tmp_path / "m.parquet", "--site", "B")
    assert remedis(*words)[0] == 0
    assert pq.read_table(tmp_path / "m.parquet")["site"].to_pylist() == ["B", "B"]
    assert remedis(*words, "--site-column", "hospital")[0] == 0
    assert pq.read_table(tmp_path / "m.parquet")["site"].to_pylist() == ["A", "B"]
    (folder / "t.csv").write_text("image,hospital\n1,A\n2,C\n")
    refused(remedis(*words, "--site-column", "hospital"), "leave --site out")


def test_files_that_the_table_does_not_name_are_counted(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", "1.png", "2.png", "3.png")
    (folder / "t.csv").write_text("image\n1\n")
    words = ("index", "folder", folder, "--labels", folder / "t.csv", "--out", tmp_path / "m.parquet")
    assert "left out: files that t.csv does not name 2" in remedis(*words)[1]
    assert json.loads(remedis(*words, "--json")[1])["left_out"] == {"files that t.csv does not name": 2}
    assert manifest.read(tmp_path / "m.parquet").facts["left_out"] == {"files that t.csv does not name": 2}


def test_json_says_what_the_text_says(remedis: Run, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set")
    status, out, _ = remedis(
        "index", "folder", folder, "--labels", folder / "labels.csv", "--out", tmp_path / "m.parquet", "--json"
    )
    found: dict[str, Any] = json.loads(out)
    assert status == 0
    keys = ("images", "files", "patients", "split", "left_out", "replaced", "warnings")
    assert {name: found[name] for name in keys} == {
        "images": 40, "files": 40, "patients": 20, "split": {}, "left_out": {}, "replaced": False, "warnings": [],
    }  # fmt: skip
    assert found["labels"] == {"label": {"0": 20, "1": 20}, "block": {"a": 14, "b": 14, "c": 12}}


def test_a_manifest_of_ours_is_replaced_and_nothing_else_is(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", "1.png")
    out = tmp_path / "m.parquet"
    assert "\nwrote " in remedis("index", "folder", folder, "--out", out)[1]
    assert "\nreplaced " in remedis("index", "folder", folder, "--out", out)[1]
    pq.write_table(pa.table({"precious": [1]}), out)
    refused(remedis("index", "folder", folder, "--out", out), "no manifest that remedis index wrote")
    assert pq.read_table(out).to_pydict() == {"precious": [1]}
    out.write_text("precious")
    refused(remedis("index", "folder", folder, "--out", out), "no manifest")
    assert out.read_text() == "precious"


def test_an_error_leaves_an_older_manifest_as_it_was(remedis: Run, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", "1.png")
    out = tmp_path / "m.parquet"
    remedis("index", "folder", folder, "--out", out)
    before = out.read_bytes()
    (folder / "t.csv").write_text("image\n7\n")
    refused(remedis("index", "folder", folder, "--labels", folder / "t.csv", "--out", out), "name no image file")
    assert out.read_bytes() == before


def test_input_that_cannot_be_used_is_refused(remedis: Run, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "set")
    (tmp_path / "empty").mkdir()
    table = folder / "labels.csv"
    cases: list[tuple[list[object], tuple[str, ...]]] = [
        ([tmp_path / "gone"], ("gone", "there is no such folder")),
        ([tmp_path / "empty"], ("there is no image in it or below it",)),
        ([folder, "--labels", tmp_path / "gone.csv"], ("gone.csv", "there is no such table")),
        ([folder, "--labels", table, "--image-column", "file"], ("no column 'file'",)),
        ([folder, "--patient-column", "pid"], ("--labels FILE.csv",)),
        ([folder, "--labels", table, "--split", "patient:0.7,0.3"], ("patient:0.7,0.1,0.2",)),
        (
            [folder, "--labels", table, "--split", "patient:0.7,0.1,0.2", "--split-by", "block=a:test"],
            ("one was expected",),
        ),
        ([folder, "--labels", table, "--split-by", "blok=a:test"], ("did you mean block",)),
        ([folder, "--labels", table, "--split", "patient:0.7,0.1,0.2", "--stratify", "lable"], ("did you mean label",)),
        ([folder, "--labels", table, "--stratify", "label"], ("--split",)),
        ([folder, "--labels", table, "--where", "label=7"], ("no row of 40 is left",)),
        ([folder, "--labels", table, "--site", " "], ("--site is empty",)),
    ]
    for words, complaint in cases:
        refused(remedis("index", "folder", *words, "--out", tmp_path / "out/m.parquet"), *complaint)
        assert not list((tmp_path / "out").glob("*"))
    refused(remedis("index", "folder", folder, "--out", tmp_path / "m.csv"), "ends in .parquet")
    refused(remedis("index", "folder", folder, "--out", tmp_path / "empty"), "ends in .parquet")


def test_the_help_fits_a_screen_and_names_what_is_common(remedis: Run) -> None:
    status, out, _ = remedis("index", "folder", "--help")
    assert status == 0
    assert len(out.splitlines()) <= 50
    assert "example: remedis index folder cxr --labels cxr/labels.csv --out cxr.parquet" in out
    assert "--sex-column" not in out
    assert "--sex-column" in remedis("index", "folder", "--help-all")[1]
