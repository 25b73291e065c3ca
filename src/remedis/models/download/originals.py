"""Files as they were published: found in a folder, held against their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from remedis.data.files import sha256
from remedis.errors import InputError
from remedis.models import zoo
from remedis.models.zoo.entries import PHYSIONET, Entry


@dataclass(frozen=True)
class Original:
    """A published model's own files, verified.

    Attributes:
        path: The SavedModel's folder, or the one file.
        hashes: Path below the folder to SHA-256, computed here.
        address: Where they were had from.
    """

    path: Path
    hashes: Mapping[str, str]
    address: str

    def at(self, folder: Path) -> Original:
        """Return the same after its folder was moved to `folder`."""
        return replace(self, path=folder / self.path.name if self.path.suffix == ".npz" else folder)


def hold(folder: Path, entry: Entry, known: Mapping[str, str], *, address: str) -> Original:
    """Return the original that lies in `folder`.

    Args:
        folder: Holds the entry's files.
        entry: Which model.
        known: Path to the hash that the file must have; a file without one is taken as it is.
        address: Where the files were had from.

    Raises:
        InputError: A file is missing, or is not the one that was published; says which.
    """
    hashes = {}
    for path in entry.files:
        place = folder / path
        if not place.is_file():
            raise InputError(f"there is no {path}; {len(entry.files)} files were expected", where=folder)
        hashes[path] = sha256(place)
        if hashes[path] != known.get(path, hashes[path]):
            raise InputError(
                f"the SHA-256 is {hashes[path]}{_whose(path, hashes[path])}, {known[path]} was expected; "
                "fetch it again",
                where=place,
            )
    single = next(iter(entry.files)) if not entry.folder else None
    return Original(folder / single if single else folder, hashes, address)


def found_in(folder: Path, entry: Entry, recorded: Mapping[str, str]) -> Original:
    """Return the original in a folder of files that were fetched by other means.

    Args:
        folder: The model's own folder, one that holds it, or any folder of the tree that `wget -r` leaves
            (physionet.org/files/…/1.0.0/NAME); for a single file the file itself, or a folder that holds it.
        entry: Which model.
        recorded: Hashes from an earlier download, by path.

    Raises:
        InputError: It is not there, or not as it was published.
    """
    known = {**recorded, **{path: digest for path, digest in entry.files.items() if digest is not None}}
    first = next(iter(entry.files))
    for place in _places(folder, entry):
        if any((place / path).exists() for path in entry.files):
            return hold(place, entry, known, address=str(folder))
    if not folder.exists():
        raise InputError("there is no such folder", where=folder)
    wanted = f"{entry.folder}/ with {', '.join(entry.files)}" if entry.folder else first
    raise InputError(f"{wanted} is not there; give the folder that wget left, or the model's own", where=folder)


def _places(folder: Path, entry: Entry) -> Iterator[Path]:
    """Yield the folders that may hold the files, the deepest first."""
    if not entry.folder:
        yield folder.parent if folder.is_file() and folder.name in entry.files else folder
        return
    parts = (*PHYSIONET.partition("://")[2].strip("/").split("/"), entry.folder)
    for start in range(len(parts) + 1):
        yield folder.joinpath(*parts[start:])


def _whose(path: str, digest: str) -> str:
    """Return which other model a file is of, as a phrase."""
    others = [other.name for other in zoo.ENTRIES.values() if other.files.get(path) == digest]
    return f" (it is the file of {' and '.join(others)})" if others else ""
