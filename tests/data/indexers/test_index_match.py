"""A row of a table means one file, or it is said why not; it never means another."""

from __future__ import annotations

import time
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from remedis.data.indexers.match import Files, match_rows
from remedis.errors import ManifestError

NAMES = ["train/p1/view1.jpg", "train/p2/view1.jpg", "valid/p3/view2.jpg", "00000001_000.png", "1.2.840.10008.dcm"]


def match(values: list[str | None], names: list[str] = NAMES, table: str = "/data/set/labels.csv") -> list[str]:
    folder = Path("/data/set")
    return match_rows(values, Files(folder, names, Path(table)), table=Path(table), column="file", folder=folder)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("train/p1/view1.jpg", 0),
        ("./train/p1/view1.jpg", 0),
        ("train\\p2\\view1.jpg", 1),
        ("/data/set/train/p2/view1.jpg", 1),
        ("p2/view1.jpg", 1),
        ("view2.jpg", 2),
        ("view2", 2),
        ("p3/view2", 2),
        ("CheXpert-v1.0-small/train/p1/view1.jpg", 0),
        ("release/v1/valid/p3/view2.jpg", 2),
        ("images/00000001_000.png", 3),
        ("00000001_000", 3),
        ("1.2.840.10008", 4),
        ("1.2.840.10008.dcm", 4),
    ],
)
def test_what_tables_call_files(value: str, expected: int) -> None:
    assert match([value]) == [NAMES[expected]]


def test_paths_from_the_tables_own_folder() -> None:
    assert match(["../set/train/p1/view1.jpg"], table="/data/tables/labels.csv") == [NAMES[0]]
    assert match(["train/p1/view1.jpg"], table="/data/set/train/labels.csv") == [NAMES[0]]


def test_the_whole_path_beats_the_end_of_another() -> None:
    assert match(["1.png", "a/1.png"], ["1.png", "a/1.png"]) == ["1.png", "a/1.png"]


@pytest.mark.parametrize("value", ["view1.jpg", "view1"])
def test_what_could_be_two_files_is_refused(value: str) -> None:
    with pytest.raises(ManifestError, match=r"could be train/p1/view1\.jpg or train/p2/view1\.jpg"):
        match([value])


def test_two_names_of_one_file_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"'view2' and 'view2\.jpg' both mean"):
        match(["view2", "view2.jpg"])


def test_the_longest_path_is_meant_once_a_releases_name_is_off() -> None:
    assert match(["release/a/1.png", "release/1.png"], ["1.png", "a/1.png"]) == ["a/1.png", "1.png"]


def test_many_files_of_one_name_are_found_at_once() -> None:
    names = [f"train/patient{number:06}/study1/view1_frontal.jpg" for number in range(20_000)]
    start = time.process_time()
    assert match([f"CheXpert-v1.0-small/{name}" for name in names], names) == names
    assert time.process_time() - start < 10  # a search through all of them for each takes minutes


def test_two_rows_may_name_one_file_alike() -> None:
    assert match(["view2.jpg", "view2.jpg"]) == [NAMES[2], NAMES[2]]


@pytest.mark.parametrize(
    "value", ["p9/view2.jpg", "view3.jpg", "iew2.jpg", "3/view2.jpg", "3/view2", "p3", "valid", "../view2.jpg", ""]
)
def test_names_of_other_files_never_match(value: str) -> None:
    with pytest.raises(ManifestError, match="1 of 1 rows name no image file"):
        match([value])


def test_another_ending_is_another_file() -> None:
    with pytest.raises(ManifestError, match="name no image file"):
        match(["view2.png"])


def test_rows_that_name_no_file_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(ManifestError) as caught:
        match(["view2.jpg", "gone.jpg", None])
    assert str(caught.value).startswith(
        "/data/set/labels.csv: 2 of 3 rows name no image file, the first is row 2 with file 'gone.jpg', which is not "
        "there; looked under /data/set for the path"
    )


PARTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map("/".join)


@given(st.sets(PARTS, min_size=1, max_size=6), PARTS)
def test_a_match_ends_as_the_value_does_or_the_other_way_round(paths: set[str], value: str) -> None:
    names = sorted(f"{path}.png" for path in paths)
    try:
        found = match([value + ".png"], names)[0]
    except ManifestError:
        assert value not in paths
    else:
        one, other = f"/{found}", f"/{value}.png"
        assert one.endswith(other) or other.endswith(one)
        assert found == f"{value}.png" or value not in paths
