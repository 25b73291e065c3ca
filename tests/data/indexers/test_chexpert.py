"""CheXpert as rows: a tiny copy of the release with its oddities, against what its paper and page describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from references import written_chest_sets as written
from remedis.data.indexers import chexpert
from remedis.data.indexers.uncertain import policies
from remedis.errors import InputError, ManifestError, UsageError

RELEASES = ["CheXpert-v1.0-small", "CheXpert-v1.0"]
TRAIN = slice(0, 13)
# the rows of train.csv in order: n normal, d doubt, p plain, b blank
KINDS = "ndppbppdndppp"


def by_kind(**values: object) -> list[object]:
    return [values.get(kind) for kind in KINDS]


@pytest.mark.parametrize("release", RELEASES)
def test_rows_are_those_of_the_tables(release: str, tmp_path: Path) -> None:
    found = chexpert.index(written.chexpert_test(written.chexpert(tmp_path / "any name", release)))
    rows = found.table.to_pydict()
    assert rows["image"] == [
        "train/patient00001/study1/view1_frontal.jpg", "train/patient00002/study2/view1_frontal.jpg",
        "train/patient00002/study1/view1_frontal.jpg", "train/patient00002/study1/view2_lateral.jpg",
        "train/patient00003/study1/view1_frontal.jpg", "train/patient00004/study1/view1_frontal.jpg",
        "train/patient00004/study1/view2_lateral.jpg", "train/patient00005/study1/view1_frontal.jpg",
        "train/patient00006/study1/view1_frontal.jpg", "train/patient00006/study2/view1_frontal.jpg",
        "train/patient00006/study3/view1_frontal.jpg", "train/patient00007/study1/view1_frontal.jpg",
        "train/patient00008/study1/view1_frontal.jpg", "valid/patient64541/study1/view1_frontal.jpg",
        "valid/patient64541/study1/view2_lateral.jpg", "valid/patient64542/study1/view1_frontal.jpg",
        "test/patient64741/study1/view1_frontal.jpg", "test/patient64741/study1/view2_lateral.jpg",
        "test/patient64742/study1/view1_frontal.jpg",
    ]  # fmt: skip
    assert rows["split"] == ["train"] * 13 + ["validation"] * 3 + ["test"] * 3
    assert rows["patient_id"][:5] == ["patient00001", *["patient00002"] * 3, "patient00003"]
    assert rows["study_id"][:4] == [
        "patient00001/study1", "patient00002/study2", "patient00002/study1", "patient00002/study1",
    ]  # fmt: skip
    assert rows["view"] == [
        "AP", "AP", "AP", "LATERAL", "PA", "LL", "LATERAL", "RL", "PA", "AP", "AP", "AP", "AP",
        "AP", "LATERAL", "PA", "FRONTAL", "LATERAL", "FRONTAL",
    ]  # fmt: skip
    assert rows["sex"] == [*"FFFF", *"MMM", None, *"MMMFF", *"MMF", None, None, None]
    assert rows["age"] == [68, 87, 83, 83, 41, None, None, 90, 33, 33, 34, 90, 55, 73, 73, 70, None, None, None]
    assert (set(rows["width"]), set(rows["height"])) == ({8}, {6})
    assert {name: found.facts[name] for name in ("root", "data_set", "left_out")} == {
        "root": ".", "data_set": "chexpert", "left_out": {},
    }  # fmt: skip
    assert found.notes == (
        "sex is unknown in 1 row ('Unknown')",
        "age is unknown in 2 rows (0, which stands for missing, or no age)",
        "1 row says nothing of any finding: all labels are unknown",
    )
    assert found.said == ("age: 2 rows say 90, which stands for 90 and more",)


def test_labels_without_options_ignore_doubt_and_take_blanks_as_negative(tmp_path: Path) -> None:
    rows = chexpert.index(written.chexpert_test(written.chexpert(tmp_path / "set"))).table.to_pydict()
    assert rows["no_finding"] == [*by_kind(n=1), 0, 0, 1, 0, 0, 1]
    assert rows["atelectasis"] == [*by_kind(n=0, d=1, p=1), 0, 0, 0, 0, 0, 0]
    assert rows["edema"] == [*by_kind(n=0, p=0), 0, 0, 0, 1, 1, 0]
    assert rows["cardiomegaly"] == [*by_kind(n=0, p=0), 1, 1, 0, 1, 1, 0]
    assert rows["lung_opacity"] == [*by_kind(n=0, d=1, p=0), 1, 1, 0, 1, 1, 0]
    assert rows["pleural_effusion"] == [*by_kind(n=0, p=0), 1, 1, 0, 1, 1, 0]
    assert rows["support_devices"] == [*by_kind(n=1, d=0, p=0), 0, 0, 0, 1, 1, 0]
    assert tuple(rows)[7:21] == written.CHEXPERT_COLUMNS


@pytest.mark.parametrize(
    ("uncertain", "blank", "edema", "cardiomegaly", "consolidation"),
    [
        ((), (), {"n": 0, "p": 0}, {"n": 0, "p": 0}, {"n": 0, "d": 0, "p": 0}),
        (("ones",), (), {"n": 0, "d": 1, "p": 0}, {"n": 0, "d": 1, "p": 0}, {"n": 0, "d": 0, "p": 0}),
        (("zeros",), (), {"n": 0, "d": 0, "p": 0}, {"n": 0, "d": 0, "p": 0}, {"n": 0, "d": 0, "p": 0}),
        (("ignore",), ("ignore",), {}, {"p": 0}, {"d": 0}),
        (("edema=ones",), ("ignore",), {"d": 1}, {"p": 0}, {"d": 0}),
        (("Edema=zeros", "ones"), ("edema=ignore",), {"d": 0}, {"n": 0, "d": 1, "p": 0}, {"n": 0, "d": 0, "p": 0}),
        (("cardiomegaly=multiclass",), (), {"n": 0, "p": 0}, {"n": "0", "d": "uncertain", "p": "0"},
         {"n": 0, "d": 0, "p": 0}),
        (("multiclass",), ("ignore",), {"d": "uncertain"}, {"d": "uncertain", "p": "0"}, {"d": "0"}),
    ],
)  # fmt: skip
def test_policies(
    uncertain: tuple[str, ...], blank: tuple[str, ...], edema: Any, cardiomegaly: Any, consolidation: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    folder = written.chexpert(tmp_path / "set")
    found = chexpert.index(folder, chosen=policies(uncertain, blank))
    rows = found.table.to_pydict()
    assert len(found.facts["uncertain"]) == len(found.facts["blank"]) == 14
    assert found.facts["uncertain"]["pneumonia"] == next((word for word in uncertain if "=" not in word), "ignore")
    assert rows["edema"][TRAIN] == by_kind(**edema)
    assert rows["cardiomegaly"][TRAIN] == by_kind(**cardiomegaly)
    assert rows["consolidation"][TRAIN] == by_kind(**consolidation)


def test_a_blank_no_finding_is_a_negative_one_only_where_it_is_named(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    of = {
        words: chexpert.index(folder, chosen=policies((), words)).table["no_finding"].to_pylist()[TRAIN]
        for words in [("negative",), ("no_finding=negative",), ("No Finding=negative", "ignore")]
    }
    assert of["negative",] == by_kind(n=1)
    assert of["no_finding=negative",] == by_kind(n=1, d=0, p=0)
    assert of["No Finding=negative", "ignore"] == by_kind(n=1, d=0, p=0)


@pytest.mark.parametrize(
    ("uncertain", "blank", "words"),
    [
        (("one",), (), "--uncertain is 'one', ones, zeros, ignore, multiclass or FINDING=POLICY was expected"),
        (("effusion=ones",), (), "there is no finding 'effusion', did you mean pleural_effusion"),
        (("ones", "zeros"), (), "gives all findings both ones and zeros"),
        (("edema=ones", "edema=zeros"), (), "gives edema both ones and zeros"),
        ((), ("positive",), "--blank is 'positive', negative, ignore or FINDING=POLICY was expected"),
        ((), ("edema=",), "--blank is 'edema='"),
    ],
)
def test_policies_that_are_none_are_refused(uncertain: Any, blank: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        policies(uncertain, blank)


@pytest.mark.parametrize(
    ("views", "count", "left"), [("frontal", 11 + 2 + 2, 4), ("lateral", 2 + 1 + 1, 15), ("all", 19, None)]
)
def test_views(views: str, count: int, left: int | None, tmp_path: Path) -> None:
    found = chexpert.index(written.chexpert_test(written.chexpert(tmp_path / "set")), views=views)
    assert len(found.table) == count
    assert found.left_out.get("rows by --views") == left
    assert views == "all" or {view == "LATERAL" for view in found.table["view"].to_pylist()} == {views == "lateral"}


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("87,Frontal,AP,,,-1.0", "87,Frontal,AP,,,2.0", r"train.csv: line 3: Cardiomegaly is '2.0'; 1, 0, -1"),
        ("87,Frontal,AP,,,-1.0", "87,Frontal,AP,,,yes", r"train.csv: line 3: Cardiomegaly is 'yes'"),
        ("87,Frontal", "87,Oblique", "train.csv: line 3: Frontal/Lateral is 'Oblique'"),
        ("small/train/patient00002/study2", "small/../../patient00002/study2", "line 3: the path .* leads out of the"),
        ("CheXpert-v1.0-small/train/patient00002/study2", "/train/patient00002/study2", "leads out of the folder"),
        (
            "patient00002/study2/view1_frontal.jpg",
            "patient00002.jpg",
            "line 3: Path is .* a path such as CheXpert-v1.0",
        ),
        (",AP/PA,", ",AP_PA,", r"no column 'AP/PA': the header is Path, Sex, .* was expected; .*did you mean AP_PA"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = edited(written.chexpert(tmp_path / "set"), "train.csv", old, new)
    with pytest.raises(ManifestError, match=words):
        chexpert.index(folder)


def test_the_test_parts_header_in_the_place_of_the_training_parts_is_refused(tmp_path: Path) -> None:
    folder = written.chexpert_test(written.chexpert(tmp_path / "set"))
    (folder / "test.csv").replace(folder / "valid.csv")
    with pytest.raises(
        ManifestError, match=r"valid.csv: there is no column 'Sex': .* is it the file of another version"
    ):
        chexpert.index(folder)


def test_a_mark_at_the_beginning_and_a_release_in_the_test_paths_change_nothing(tmp_path: Path) -> None:
    plain = chexpert.index(written.chexpert_test(written.chexpert(tmp_path / "a")))
    folder = written.chexpert_test(written.chexpert(tmp_path / "b"), prefix="CheXpert-v1.0/")
    path = folder / "train.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert chexpert.index(folder).table.equals(plain.table)


def test_a_row_that_is_there_twice_counts_once_and_a_contradiction_is_refused(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    path = folder / "train.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*rows, rows[1]]))
    found = chexpert.index(folder)
    assert (len(found.table), found.left_out) == (16, {"rows that are there twice": 1})
    path.write_text("".join([*rows, rows[1].replace("Female", "Male")]))
    words = r"line 15: CheXpert-v1.0-small/train/patient00001/.* is here again, with Sex 'Male' and 'Female' on line 2"
    with pytest.raises(ManifestError, match=words):
        chexpert.index(folder)


def test_lines_are_those_of_the_file_where_rows_before_were_left_out(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    path = folder / "train.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*rows[:2], "\n", rows[1], *rows[2:-1], rows[-1].replace(",1.0,", ",7.0,")]))
    with pytest.raises(ManifestError, match=r"train.csv: line 16: Atelectasis is '7.0'"):
        chexpert.index(folder)


def test_images_that_are_not_there_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    (folder / "train/patient00001/study1/view1_frontal.jpg").unlink()
    (folder / "valid/patient64542/study1/view1_frontal.jpg").unlink()
    found = chexpert.index(folder)
    assert (len(found.table), found.left_out) == (14, {"images that are not there": 2})
    assert "2 images are not there, the first is train/patient00001/study1/view1_frontal.jpg" in found.notes
    for path in folder.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="none of the 16 images is there, the first is train/patient00001"):
        chexpert.index(folder)


def test_a_picture_whose_header_cannot_be_read_stays_and_is_said(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    (folder / "train/patient00001/study1/view1_frontal.jpg").write_bytes(b"no picture")
    found = chexpert.index(folder)
    assert found.table["width"].to_pylist()[:2] == [None, 8]
    assert "1 file has a header that cannot be read; the rows are kept" in found.notes[-1]


def test_a_part_that_is_missing_is_said(tmp_path: Path) -> None:
    folder = written.chexpert(tmp_path / "set")
    (folder / "valid.csv").unlink()
    found = chexpert.index(folder)
    assert (len(found.table), found.notes[0]) == (13, "valid.csv is not there: no validation part")


def test_the_release_is_found_where_it_usually_lies(tmp_path: Path) -> None:
    small = written.chexpert(tmp_path / "here/CheXpert-v1.0-small")
    assert chexpert.located(small) == chexpert.located(tmp_path / "here") == small
    written.chexpert(tmp_path / "here/CheXpert-v1.0")
    with pytest.raises(
        InputError, match=r"CheXpert-v1.0 and CheXpert-v1.0-small are both releases of CheXpert; name one"
    ):
        chexpert.located(tmp_path / "here")
    with pytest.raises(InputError, match="there is no such folder"):
        chexpert.located(tmp_path / "gone")
    with pytest.raises(InputError, match="is a file, a folder was expected"):
        chexpert.located(small / "train.csv")
    with pytest.raises(InputError, match=r"there is no train.csv or valid.csv or test.csv .* of CheXpert in it"):
        chexpert.located(small / "train")
