"""Cells are done once, whoever does them: by threads with locks of their own, and after one that was killed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from remedis.console import QUIET
from remedis.data.files import write_json
from remedis.errors import InputError, StoppedError
from remedis.study import work
from remedis.study.fits import Cell, Fit
from remedis.study.work import path_of, wait_for, work_through

CELLS = [Cell(tuple(Fit("m", f"e{number}", "probe", 1.0, draw, 0) for draw in range(3))) for number in range(6)]


class Counted:
    """A track that counts."""

    def __init__(self) -> None:
        self.done = 0
        self.said: list[str] = []

    def advance(self, count: int = 1) -> None:
        self.done += count

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_PAUSE", 0.01)


def test_every_cell_is_done_once_by_several(tmp_path: Path) -> None:
    did: list[tuple[int, str]] = []
    tracks = [Counted() for _ in range(3)]
    together = threading.Barrier(3, timeout=60)

    def does(who: int) -> None:
        def one(cell: Cell) -> None:
            first = who not in {each for each, _ in did}
            did.append((who, cell.name))
            if first:  # each holds a cell while the others look for theirs
                together.wait()
            path_of(tmp_path, cell).write_text("done")

        work_through(tmp_path, CELLS, one, tracks[who])

    threads = [threading.Thread(target=does, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(name for _, name in did) == Counter(cell.name for cell in CELLS)
    assert {who for who, _ in did} == {0, 1, 2}
    assert [track.done for track in tracks] == [18] * 3  # each tells of all, whoever did them
    assert sum(len(track.said) for track in tracks) == 6


def test_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    for cell in CELLS[:4]:
        path_of(tmp_path, cell).write_text("done")
    did: list[str] = []

    def one(cell: Cell) -> None:
        did.append(cell.name)
        path_of(tmp_path, cell).write_text("done")

    track = Counted()
    work_through(tmp_path, CELLS, one, track)
    assert did == [cell.name for cell in CELLS[4:]]
    assert track.done == 6
    assert track.said[0] == "probe e4 on m"


def test_a_cell_that_fails_is_free_for_the_next(tmp_path: Path) -> None:
    def fails(cell: Cell) -> None:
        raise StoppedError("no space")

    with pytest.raises(StoppedError):
        work_through(tmp_path, CELLS, fails, Counted())
    work_through(tmp_path, CELLS, lambda cell: path_of(tmp_path, cell).touch(), Counted())
    assert all(path_of(tmp_path, cell).exists() for cell in CELLS)


HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_cell_of_a_killed_process_is_taken_up(tmp_path: Path) -> None:
    """While it lives its cell is waited for; the others are done meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / f"_{CELLS[0].name}.lock")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    did: list[str] = []

    def one(cell: Cell) -> None:
        did.append(cell.name)
        path_of(tmp_path, cell).write_text("done")

    thread = threading.Thread(target=work_through, args=(tmp_path, CELLS, one, Counted()))
    thread.start()
    end = time.monotonic() + 60
    while len(did) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert did == [cell.name for cell in CELLS[1:]]
    process.kill()
    process.communicate()
    thread.join(60)
    assert did[5:] == [CELLS[0].name]


def test_the_processes_beside_the_first_wait_for_the_folder(tmp_path: Path) -> None:
    thread = threading.Timer(0.05, write_json, (tmp_path / "study.json", {"job": {"seed": 0, "shares": [1]}}))
    thread.start()
    wait_for(tmp_path / "study.json", {"seed": 0, "shares": (1,)})
    with pytest.raises(InputError, match="the processes were started with different options or files"):
        wait_for(tmp_path / "study.json", {"seed": 1, "shares": (1,)})
    thread.join()


def test_a_first_process_that_does_not_come_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_MINUTES_TO_BEGIN", 0)
    with pytest.raises(StoppedError, match="the first process did not make the folder; start all of them again"):
        wait_for(tmp_path / "study.json", {})


def test_nothing_to_do(tmp_path: Path) -> None:
    with QUIET.track(0, "fits", "fitting") as track:
        work_through(tmp_path / "cells", [], lambda cell: None, track)
    assert list((tmp_path / "cells").iterdir()) == []
