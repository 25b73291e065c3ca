"""Who does which cell: any number of processes on any number of machines take the next free one.

A cell is done when its file is there; a lock on a file beside it says that a process is at it, and goes with the
process. So a killed process's cell is taken up by another, or by the next start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from remedis.console import Track
from remedis.data.files import differences, read_json
from remedis.errors import InputError, StoppedError
from remedis.study.fits import Cell

_MINUTES_TO_BEGIN = 10
_PAUSE = 0.5  # seconds between looks at cells that others are at


def path_of(folder: Path, cell: Cell) -> Path:
    """Return where a cell's scores lie."""
    return folder / f"{cell.name}.parquet"


def work_through(folder: Path, cells: Sequence[Cell], work: Callable[[Cell], None], track: Track) -> None:
    """Do the cells that are missing, and wait for those that other processes are at.

    Args:
        folder: Of the cells.
        cells: All of the study.
        work: Does one and leaves its file.
        track: Is told of every cell, whoever did it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [cell for cell in cells if not path_of(folder, cell).exists()]
    while missing:
        busy = []
        for cell in missing:
            if not _done(folder, cell, work, track):
                busy.append(cell)
        missing = busy
        if missing:
            time.sleep(_PAUSE)


def _done(folder: Path, cell: Cell, work: Callable[[Cell], None], track: Track) -> bool:
    """Do a cell unless it is there; return False where another process is at it."""
    lock = FileLock(folder / f"_{cell.name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return False
    try:
        if not path_of(folder, cell).exists():
            track.note(f"{cell.fits[0].method} {cell.fits[0].encoder} on {cell.fits[0].train}")
            work(cell)
    finally:
        lock.release()
    track.advance(len(cell.fits))
    return True


def wait_for(facts: Path, job: Mapping[str, Any]) -> None:
    """Wait until the first process has made the study's folder, in the processes beside it.

    Raises:
        StoppedError: It did not come.
        InputError: It was started with other options or files.
    """
    end = time.monotonic() + _MINUTES_TO_BEGIN * 60
    while not facts.exists():
        if time.monotonic() > end:
            raise StoppedError("the first process did not make the folder; start all of them again", where=facts.parent)
        time.sleep(_PAUSE)
    own = json.loads(json.dumps(job, default=str))  # as the file has it: a tuple is a list there
    if differences(read_json(facts).get("job", {}), own):
        raise InputError("the processes were started with different options or files", where=facts.parent)
