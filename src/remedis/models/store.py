"""The one folder that weights are kept in: models by name, files as published, what was accepted and recorded.

HOME/models/NAME/       a checkpoint, ready to use
HOME/originals/NAME/    files as published, whole and verified
HOME/partial/NAME/      files on their way, so that a download goes on where it stopped
HOME/accepted.json      licences that were accepted, and when
HOME/recorded.json      hashes of files that no hash was published for, from their first download
HOME/locks/             one file a name; the system frees a lock when its process ends, however it ends
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from remedis.console import QUIET, Console
from remedis.data.files import write_json
from remedis.errors import InputError, UsageError
from remedis.models.zoo.entries import Licence

VARIABLE = "REMEDIS_HOME"
CONFIG = "config.json"
LARGEST_JSON = 1 << 24  # bytes; these files have a few thousand
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def home(option: Path | None = None) -> Path:
    """Return the folder that weights are kept in, which may not exist yet.

    Args:
        option: What was asked for (`--home`).

    Without it: REMEDIS_HOME; else `remedis` in the platform's cache folder (XDG_CACHE_HOME or ~/.cache; LOCALAPPDATA
    on Windows).
    """
    if option is not None:
        return option.expanduser()
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE]).expanduser()
    caches = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "remedis"


def check_name(name: str) -> str:
    """Return `name` if a model can be kept under it: letters, digits, `.`, `_` and `-`, at most 100 of them.

    Raises:
        UsageError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a model; letters, digits, '.', '_' and '-' are, beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True)
class Store:
    """The folder and what is in it.

    Attributes:
        home: As `home()` gives it.
    """

    home: Path

    @property
    def models(self) -> Path:
        """Where the checkpoints are."""
        return self.home / "models"

    def folder(self, name: str) -> Path:
        """Return where the checkpoint of this name is or would be."""
        return self.models / check_name(name)

    def original(self, name: str) -> Path:
        """Return where a published model's own files are or would be."""
        return self.home / "originals" / check_name(name)

    def partial(self, name: str) -> Path:
        """Return where a published model's files are while they are being fetched."""
        return self.home / "partial" / check_name(name)

    def has(self, name: str) -> bool:
        """Return whether a checkpoint of this name is here."""
        return bool(_NAME.fullmatch(name)) and (self.models / name / CONFIG).is_file()

    def names(self) -> list[str]:
        """Return the names of all checkpoints that are here, sorted."""
        if not self.models.is_dir():
            return []
        return sorted(path.name for path in self.models.iterdir() if self.has(path.name))

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the checkpoint's config.json says under `remedis`; nothing where it cannot be read."""
        config = _read(self.folder(name) / CONFIG)
        ours = config.get("remedis")
        return ours if isinstance(ours, dict) else {}

    @contextmanager
    def new_model(self, name: str) -> Iterator[Path]:
        """Yield a path that does not exist; the folder made there takes the model's place on success.

        Raises:
            InputError: Something else lies in the model's place.
        """
        final = self.folder(name)
        if final.exists():
            raise InputError("is there already; remove it first", where=final)
        self.models.mkdir(parents=True, exist_ok=True)
        pending = self.models / f"_{name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            yield pending
            pending.replace(final)
        finally:
            _remove(pending)

    @contextmanager
    def lock(self, name: str, console: Console = QUIET) -> Iterator[None]:
        """Keep other processes from working on the same model meanwhile; waits for one that does, and says so."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is kept under a licence is one person's
        place = self.home / "locks"
        place.mkdir(exist_ok=True)
        lock = FileLock(place / f"{check_name(name)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.say(f"another process is working on {name}; waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def accepted(self, licence: Licence) -> str | None:
        """Return the day on which a licence was accepted here (2026-01-31), or None."""
        record = _read(self.home / "accepted.json").get(licence.name)
        return str(record["date"]) if isinstance(record, dict) and "date" in record else None

    def accept(self, licence: Licence) -> None:
        """Remember that a licence is accepted, with its address and today's date."""
        fact = {"address": licence.address, "date": date.today().isoformat()}
        self._remember("accepted.json", {licence.name: fact})

    def recorded(self, name: str) -> dict[str, str]:
        """Return the hashes of a model's files from their first download, by path."""
        record = _read(self.home / "recorded.json").get(name)
        return {str(path): str(digest) for path, digest in record.items()} if isinstance(record, dict) else {}

    def record(self, name: str, hashes: Mapping[str, str]) -> None:
        """Remember the hashes of a model's files, by path."""
        self._remember("recorded.json", {name: dict(hashes)})

    def _remember(self, file: str, facts: Mapping[str, Any]) -> None:
        with self.lock(file):  # two processes that accept or record at once both keep what they know
            write_json(self.home / file, {**_read(self.home / file), **facts})

    def summary(self) -> dict[str, Any]:
        """Return the place, how it was chosen, how many models are here and how many bytes they and the rest take."""
        return {
            "home": str(self.home),
            "set_by": VARIABLE if os.environ.get(VARIABLE) and self.home == home() else "default or --home",
            "exists": self.home.is_dir(),
            "models": self.names(),
            "bytes": size_of(self.home),
            "unfinished": sorted(path.name for path in (self.home / "partial").glob("*")),
        }


def size_of(folder: Path) -> int:
    """Return how many bytes the files below a folder have; links count as what they are, not what they point to."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def _read(path: Path) -> dict[str, Any]:
    """Return a JSON object, an empty one where the file is missing or damaged: nothing is known then."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            return {}
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
