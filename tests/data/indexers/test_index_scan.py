"""Which files of a folder are images: all of them once, however they are nested or linked."""

from __future__ import annotations

from pathlib import Path

import pytest

from remedis.data.indexers.scan import scan
from remedis.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_are_found_at_any_depth_and_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.PNG", "b/1.jpg", "a.tif", "c/d/e/f.dcm", "b/10.jpeg", "notes.txt", "labels.csv")
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
    found = scan(tmp_path)
    assert found.names == ["IM0001", "a.tif", "b/1.jpg", "b/10.jpeg", "b/2.PNG", "c/d/e/f.dcm"]
    assert (found.others, found.left_out) == (2, {})


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "._a.png", ".cache/b.png", "c/.d.png")
    assert scan(tmp_path).names == ["a.png"]


def test_links_to_folders_are_followed_once_and_without_loops(tmp_path: Path) -> None:
    touch(tmp_path, "set/z/a.png", "other/b.png")
    (tmp_path / "set/z/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/again").symlink_to(tmp_path / "set/z")
    (tmp_path / "set/more").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(tmp_path / "set/more")
    assert scan(tmp_path / "set").names == ["more/b.png", "z/a.png"]


def test_links_to_nothing_and_names_that_are_no_text_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    try:
        (tmp_path / "b\udcff.png").touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = scan(tmp_path)
    assert found.names == ["a.png"]
    assert found.left_out == {"links to nothing": 1, "file names that are no UTF-8": 1}


def test_a_missing_an_empty_and_a_wrong_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "texts/a.txt", "texts/b.txt", "file.png")
    cases = {
        "none": "there is no such folder",
        "empty": "there is no image in it or below it",
        "texts": "there is no image among 2 files in it",
        "file.png": "is a file, a folder of images was expected",
    }
    for name, complaint in cases.items():
        with pytest.raises(InputError, match=complaint) as caught:
            scan(tmp_path / name)
        assert caught.value.exit_status == 2
