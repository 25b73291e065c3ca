"""Files are whole or not there, and a folder holds one job."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from remedis.data import files
from remedis.errors import FolderError, InputError, StoppedError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def write_half() -> None:
        with files.write_atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    def write() -> None:
        with files.write_atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError(code, os.strerror(code))

    with pytest.raises(StoppedError, match="no space is left"):
        write()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), SafetensorError("I/O error: (os error 28)")])
def test_a_folder_comes_whole_or_not_at_all(tmp_path: Path, error: Exception) -> None:
    def write() -> None:
        with files.scratch_folder(tmp_path / "out") as scratch:
            (scratch / "half").write_text("x")
            raise error

    with pytest.raises(StoppedError, match="no space is left"):
        write()
    assert not list(tmp_path.iterdir())
    with files.scratch_folder(tmp_path / "out") as scratch:
        (scratch / "whole").write_text("x")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["out", "out/whole"]


def test_only_temporary_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from remedis.data.files import write_atomic\n"
        "with write_atomic(Path(sys.argv[1]) / 'dead.txt') as t:\n    t.write_text('x'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob("_dead.txt.*.tmp"))) == 1
    with files.write_atomic(tmp_path / "alive.txt") as temporary:
        temporary.write_text("x")
        files.remove_orphans(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [temporary.name]
    assert [path.name for path in tmp_path.iterdir()] == ["alive.txt"]


def test_a_folder_is_claimed_once_and_for_one_job(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert files.claim_folder(folder, {"rows": 3, "size": [1, 2]}, facts_name="_facts.json") is None
    found = files.claim_folder(folder, {"rows": 3, "size": (1, 2)}, facts_name="_facts.json")
    assert found == {"job": {"rows": 3, "size": [1, 2]}}
    with pytest.raises(FolderError, match="rows is 3 there, 4 here"):
        files.claim_folder(folder, {"rows": 4, "size": [1, 2]}, facts_name="_facts.json")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_not_ours_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "mine").write_text("mine")
    with pytest.raises(FolderError, match="was not made by this command"):
        files.claim_folder(path, {}, facts_name="_facts.json")


def test_json_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match="JSON was expected"):
        files.read_json(tmp_path / "bad.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "nan.json", float("nan"))


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
