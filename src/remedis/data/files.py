"""Files that are whole or not there: atomic writes, hashes, and folders that hold one job."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remedis.errors import FolderError, InputError, StoppedError


@contextmanager
def write_atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there is moved in on success and removed on failure.

    Raises:
        StoppedError: The disk is full; nothing is left half-written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"_{path.name}.{_owner()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if is_full_disk(error):
            raise StoppedError(
                "no space is left on the disk, what was finished is kept; free some space and start again",
                where=path,
            ) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder`; it takes its place on success and is removed on failure.

    Raises:
        StoppedError: The disk is full; nothing is left half-written.
    """
    folder = folder.resolve()  # `.` has no name, and what a link points to is what is written
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f"_{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    scratch.mkdir()
    try:
        yield scratch
        scratch.replace(folder)
    except Exception as error:
        # safetensors is no OSError and tells a full disk in its message only
        if (isinstance(error, OSError) and is_full_disk(error)) or "os error 28" in str(error):
            raise StoppedError("no space is left on the disk; free some and start again", where=folder) from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_orphans(folder: Path) -> None:
    """Remove the temporary files of processes of this machine that are no longer alive (killed while they wrote)."""
    for path in folder.glob("_*.tmp"):
        match = re.search(r"\.([^.]+)-(\d+)-[0-9a-f]{8}\.tmp$", path.name)
        if match and match[1] == _host() and not _is_alive(int(match[2])):
            path.unlink(missing_ok=True)


def _host() -> str:
    return re.sub(r"[^0-9A-Za-z]", "_", platform.node()) or "host"


def _owner() -> str:
    return f"{_host()}-{os.getpid()}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_full_disk(error: OSError) -> bool:
    """Return whether the system refused a write for want of space or quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) atomically."""
    with write_atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, paths become strings."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: The file is not there or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"JSON was expected, found something else ({error})", where=path) from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def claim_folder(path: Path, job: Mapping[str, Any], *, facts_name: str) -> dict[str, Any] | None:
    """Make `path` this job's folder, or find that it is already.

    Args:
        path: The output folder; made where it is missing.
        job: What decides the result, as plain JSON values.
        facts_name: The JSON file in the folder that keeps the job under the key `job`.

    Returns:
        The facts found where the folder holds this very job (work goes on), else None (the facts were written).

    Raises:
        FolderError: The folder holds another job, or files that are not ours; nothing is changed.
    """
    wanted = json.loads(json.dumps(job, default=str))
    facts_path = path / facts_name
    if facts_path.exists():
        facts: dict[str, Any] = read_json(facts_path)
        differing = differences(facts.get("job", {}), wanted)
        if differing:
            raise FolderError(
                f"the folder holds another job ({'; '.join(differing)}); choose another --out or remove it",
                where=path,
            )
        return facts
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FolderError("exists and was not made by this command; choose another --out", where=path)
    write_json(facts_path, {"job": wanted})
    return None


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return a phrase for each key whose values differ: `batch_size is 32 there, 64 here`."""
    keys = [*wanted, *(key for key in found if key not in wanted)]
    return [
        f"{key} is {found.get(key)!r} there, {wanted.get(key)!r} here"
        for key in keys
        if found.get(key) != wanted.get(key)
    ]


def _flush(path: Path) -> None:
    """Make the bytes reach the disk before the name does, so that a power cut leaves no empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
