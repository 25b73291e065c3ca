"""The verbs for chest data sets: what each writes and says, and every refusal in one line with nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from references import written_chest_sets as written
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


def test_chexpert_as_its_page_shows(remedis: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written.chexpert(tmp_path / "CheXpert-v1.0-small")
    monkeypatch.chdir(tmp_path)
    status, out, err = remedis(
        "index", "chexpert", "CheXpert-v1.0-small", "--uncertain", "ones", "--out", "chexpert.parquet"
    )
    assert status == 0
    assert out.splitlines() == [
        "16 images, 10 patients, split train 13 · validation 3",
        "labels: no_finding 3 of 5 · cardiomegaly 5 of 15 · lung_opacity 5 of 15 · edema 3 of 15 · "
        "atelectasis 10 of 15 · pleural_effusion 5 of 15 · 1 more",
        "left out: nothing",
        "wrote chexpert.parquet      next: remedis index check chexpert.parquet",
    ]
    assert "warning: 1 row says nothing of any finding: all labels are unknown" in err
    found = manifest.read(tmp_path / "chexpert.parquet")
    assert (found.facts["root"], found.data_set) == ("CheXpert-v1.0-small", "chexpert")
    assert all(source.path.is_file() for source in found.sources(range(16)))
    assert found.table["edema"].to_pylist()[:3] == [0, 1, 0]


@pytest.mark.parametrize(
    ("verb", "write", "words", "images", "patients", "split"),
    [
        ("chexpert", written.chexpert, ["--views", "lateral", "--blank", "ignore"], 3, 3,
         {"train": 2, "validation": 1}),
        ("mimic-cxr-jpg", written.mimic, ["--labeller", "chexpert", "--uncertain", "edema=ones,zeros"], 6, 3,
         {"train": 4, "validation": 1, "test": 1}),
        ("nih-cxr14", written.nih, ["--validation", "0"], 6, 4, {"train": 4, "test": 2}),
        ("nih-cxr14", written.nih, ["--split", "patient:0.5,0,0.5"], 6, 4, None),
        ("vindr-cxr", written.vindr, ["--vote", "any"], 3, None, {"train": 2, "test": 1}),
        ("rsna-pneumonia", written.rsna, ["--split-by", "view=AP:test"], 4, 4, {"train": 2, "test": 2}),
        ("rsna-pneumonia", written.rsna,
         ["--where", "class!=No Lung Opacity / Not Normal", "--split", "patient:0.7,0,0.3"], 3, 3, None),
    ],
)  # fmt: skip
def test_verbs_write_manifests_that_open(
    remedis: Run, verb: str, write: Callable[[Path], Path], words: list[str], images: int, patients: int | None,
    split: dict[str, int] | None, tmp_path: Path,
) -> None:  # fmt: skip
    folder = write(tmp_path / "above/set")
    out = tmp_path / "m.parquet"
    status, text, err = remedis("index", verb, tmp_path / "above", *words, "--out", out, "--json")
    assert status == 0, err
    said = json.loads(text)
    assert (said["images"], said["patients"]) == (images, patients)
    assert split is None or said["split"] == split
    assert {name.removesuffix("_votes") for name in said["labels"]} == set(said["labels"])
    found = manifest.read(out)
    assert found.root.resolve() == folder.resolve()
    assert found.data_set == verb
    assert all(source.path.is_file() for source in found.sources(range(images)))


def test_padchest_is_done_in_part_where_an_image_is_cut_short(remedis: Run, tmp_path: Path) -> None:
    folder = written.padchest(tmp_path / "set")
    out = tmp_path / "m.parquet"
    words = ("index", "padchest", folder, "--findings", "pneumonia,fibrotic band", "--out", out)
    status, text, err = remedis(*words)
    assert status == 1
    assert text.splitlines()[:3] == [
        "3 images, 3 patients, no split",
        "labels: pneumonia 1 of 2 · fibrotic_band 1 of 2          left out: images that are cut short 1",
        f"wrote {out}      next: remedis index check {out}",
    ]
    assert "0/short.png" in err
    (folder / "0/short.png").unlink()
    assert remedis(*words)[0] == 0


@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("chexpert", ["--uncertain", "edma=ones"], "there is no finding 'edma', did you mean edema"),
        ("chexpert", ["--views", "sideways"], "sideways"),
        ("mimic-cxr-jpg", [], "there is no mimic-cxr-*-metadata.csv of MIMIC-CXR-JPG in it"),
        ("nih-cxr14", [], "there is no Data_Entry_2017_v2020.csv or Data_Entry_2017.csv of NIH ChestX-ray14 in it"),
        ("vindr-cxr", [], "train.csv: there is no column 'image_id': the header is Path, Sex, Age"),
        ("rsna-pneumonia", [], "there is no stage_2_train_labels.csv of the RSNA challenge in it"),
        ("padchest", [], "of PadChest in it"),
    ],
)
def test_refusals_are_one_line_and_nothing_is_written(
    remedis: Run, verb: str, words: list[str], said: str, tmp_path: Path
) -> None:
    folder = written.chexpert(tmp_path / "set")
    status, out, err = remedis("index", verb, folder, *words, "--out", tmp_path / "m.parquet")
    assert (status, out) == (2, "")
    assert err.startswith("remedis: error: ")
    assert len(err.splitlines()) == 1
    assert said in err
    assert not (tmp_path / "m.parquet").exists()
