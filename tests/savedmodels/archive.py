"""The archives that rebuild.py reads: SavedModels that are alike lie in one, so that they compress together."""

from __future__ import annotations

import io
import json
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

STORED = Path(__file__).parent / "stored"
NAMES = STORED / "names.json"


def keep(record: Mapping[str, object], kept: Mapping[str, bytes], outputs: Mapping[str, np.ndarray]) -> None:
    """Put one SavedModel into its archive, in place of what was there under its name."""
    name = str(record["name"])
    path = STORED / archive_of(name)
    members = {member: content for member, content in read(path).items() if not member.startswith(f"{name}/")}
    members[f"{name}/record.json"] = json.dumps(record).encode()
    members |= {f"{name}/files/{file}": content for file, content in kept.items()}
    members |= {f"{name}/{output}.npy": array_file(array) for output, array in outputs.items()}
    write(path, members)
    known = json.loads(NAMES.read_text(encoding="utf-8")) if NAMES.exists() else {}
    known[name] = path.name
    NAMES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def archive_of(name: str) -> str:
    """Return the archive's name."""
    family, kind, *_ = name.split("-")
    if family == "r26x1":
        return f"r26x1-{kind if kind in ('hub', 'bare', 'object') else 'other'}.tar.xz"
    return f"{family}.tar.xz"


def read(path: Path) -> dict[str, bytes]:
    """Return every file of an archive, or nothing where there is none."""
    if not path.exists():
        return {}
    with tarfile.open(path, "r:xz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def write(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive: the graphs next to one another, no times, no owners."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:xz", preset=9 | lzma.PRESET_EXTREME) as tar:
        for name in sorted(members, key=lambda name: (Path(name).name, name)):
            header = tarfile.TarInfo(name)
            header.size = len(members[name])
            tar.addfile(header, io.BytesIO(members[name]))


def array_file(array: np.ndarray) -> bytes:
    """Return an array as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
