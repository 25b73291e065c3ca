"""From a name in the zoo to a checkpoint in the store: fetch, hold against hashes, convert, prove, move into place."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from remedis.console import QUIET, Console, Track
from remedis.data.files import sha256
from remedis.errors import DownloadError, StoppedError, UsageError
from remedis.models import zoo
from remedis.models.download import physionet
from remedis.models.download.credentials import Credentials, Origin
from remedis.models.download.originals import Original, found_in, hold
from remedis.models.download.transfer import Client, Patience, RefusedError
from remedis.models.store import Store, size_of
from remedis.models.zoo.entries import Entry

AT_ONCE = 3  # files
MIB = 1 << 20


class Convert(Protocol):
    """`remedis.models.convert.convert`: writes a checkpoint of an original."""

    def __call__(self, source: Path, out: Path, **options: Any) -> Any:
        """Write `out`."""


class Verify(Protocol):
    """`remedis.models.verify.verify`: raises CheckFailedError where a checkpoint's proof does not hold."""

    def __call__(self, folder: Path, console: Console) -> Any:
        """Run the proof of `folder` again."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where files are had from.

    Attributes:
        base: Address of a mirror, with a slash at its end; None: where the model is published.
        folder: Folder of files that were fetched by other means; nothing is fetched then.
        credentials: User and password for `base`.
        patience: How long is waited.
    """

    base: str | None = None
    folder: Path | None = None
    credentials: Credentials | None = None
    patience: Patience = field(default_factory=Patience)


def download(
    entry: Entry, store: Store, source: Source, console: Console = QUIET, *,
    convert: Convert | None = None, verify: Verify | None = None,
) -> Path:  # fmt: skip
    """Return the folder of a published model's checkpoint, made now unless it is there.

    Args:
        entry: Which model.
        store: Where it goes.
        source: Where its files are had from.
        console: Where progress goes.
        convert: Writes the checkpoint; `remedis.models.convert.convert` without it.
        verify: Proves it; `remedis.models.verify.verify` without it.

    Raises:
        UsageError: The licence is not accepted, or the address cannot be used.
        DownloadError: A file is refused, or another one than was published; nothing was begun.
        StoppedError: It stopped on the way; what has arrived is kept and the same call goes on.
        InputError: The folder does not hold the files.
        ConvertError, CheckFailedError: See there; the original is kept.
    """
    if entry.licence.must_accept and store.accepted(entry.licence) is None:
        raise UsageError(f"the licence is not accepted: {entry.licence.name}; --accept-licence", where=entry.name)
    with store.lock(entry.name, console):
        if store.has(entry.name):
            return store.folder(entry.name)
        if source.folder is not None:
            original = found_in(source.folder, entry, store.recorded(entry.name))
        else:
            original = _fetched(entry, store, source, console)
        _record(entry, store, original)
        return _made(entry, store, original, console, convert or _convert, verify or _verify)


def _record(entry: Entry, store: Store, original: Original) -> None:
    """Keep the hashes of files that none was published for, so that a later download is held against them."""
    if None in entry.files.values() and not store.recorded(entry.name):
        store.record(entry.name, original.hashes)


def _made(entry: Entry, store: Store, original: Original, console: Console, convert: Convert, verify: Verify) -> Path:
    facts = zoo.facts(entry, original.hashes, address=original.address)
    with store.new_model(entry.name) as pending:
        console.say(f"converting {entry.name}")
        convert(
            original.path, pending, name=entry.name, input_range=entry.declared_range, facts=facts, size=entry.size,
            console=console,
        )  # fmt: skip
        verify(pending, console)
    return store.folder(entry.name)


def _convert(source: Path, out: Path, **options: Any) -> Any:
    from remedis.models.convert import convert

    return convert(source, out, **options)


def _verify(folder: Path, console: Console) -> Any:
    from remedis.models.verify import verify

    return verify(folder, console)


def _fetched(entry: Entry, store: Store, source: Source, console: Console) -> Original:
    """Return the original in the store, fetched as far as it is not there."""
    base = base_of(entry, source.base)
    final, known = store.original(entry.name), {**store.recorded(entry.name), **_published(entry)}
    if final.is_dir() and all(_is_whole(final / path, known.get(path)) for path in entry.files):
        return hold(final, entry, known, address=base)
    shutil.rmtree(final, ignore_errors=True)
    partial = store.partial(entry.name)
    client = Client(source.credentials, source.patience, console.say)
    with _in_words(entry, partial):
        _hold_list(client, entry, base, console, is_mirror=source.base is not None)
        missing = [path for path in entry.files if not _is_whole(partial / path, known.get(path))]
        sizes = {path: client.size(base + _place(entry, path), largest=entry.largest) for path in missing}
        _refuse_full_disk(store, partial, sizes)
        _fetch_all(client, entry, base, partial, sizes, known, console)
    original = hold(partial, entry, known, address=base)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(final)
    return original.at(final)


def base_of(entry: Entry, mirror: str | None) -> str:
    """Return the address that a model's files are relative to.

    Raises:
        UsageError: The mirror's address cannot be used.
    """
    base = (mirror or entry.base).rstrip("/") + "/"
    if None in entry.files.values() and not Origin.of(base).is_private:
        raise UsageError("no hash was published for this model, so it is fetched by https only", where=base)
    Origin.of(base)
    return base


def _published(entry: Entry) -> dict[str, str]:
    return {path: digest for path, digest in entry.files.items() if digest is not None}


def _place(entry: Entry, path: str) -> str:
    return f"{entry.folder}/{path}" if entry.folder else path


def _is_whole(path: Path, digest: str | None) -> bool:
    return digest is not None and path.is_file() and sha256(path) == digest


@contextmanager
def _in_words(entry: Entry, partial: Path) -> Iterator[None]:
    """Turn a refusal into the error that says what to do; where bytes have arrived, work had begun."""
    before = size_of(partial)
    try:
        yield
    except RefusedError as refusal:
        raise physionet.explain(refusal, entry, kept=size_of(partial) > before) from None


def _hold_list(client: Client, entry: Entry, base: str, console: Console, *, is_mirror: bool) -> None:
    """Hold the site's list of hashes against ours; a mirror may lack it."""
    if None in entry.files.values():
        return
    address = base + physionet.LIST
    try:
        text = client.text(address, limit=physionet.LARGEST_LIST)
    except RefusedError as refusal:
        if refusal.status != 404 or not is_mirror:
            raise
        console.warn(f"{address} is not there; the files are held against the hashes that remedis keeps")
        return
    physionet.hold_against(physionet.parse_list(text), entry, address)


def _refuse_full_disk(store: Store, partial: Path, sizes: Mapping[str, int | None]) -> None:
    """Raise if the files and a checkpoint of the same size would not fit."""
    total = sum(size or 0 for size in sizes.values())
    here = sum((partial / path).stat().st_size for path in sizes if (partial / path).is_file())
    needed, free = 2 * total - here, shutil.disk_usage(store.home).free
    if needed > free:
        raise DownloadError(
            f"{needed / MIB:,.0f} MiB are needed for the files and the checkpoint, {free / MIB:,.0f} MiB are free; "
            "free some, or choose another place with --home or REMEDIS_HOME",
            where=store.home,
        )


def _fetch_all(
    client: Client, entry: Entry, base: str, partial: Path, sizes: Mapping[str, int | None],
    known: Mapping[str, str], console: Console,
) -> None:  # fmt: skip
    """Fetch the files of `sizes`, a few at a time; the first that fails stops the others."""
    if not sizes:
        return
    here = sum((partial / path).stat().st_size for path in sizes if (partial / path).is_file())
    total = sum(size or 0 for size in sizes.values())

    def fetch(path: str) -> None:
        place = partial / path
        place.parent.mkdir(parents=True, exist_ok=True)
        client.fetch(base + _place(entry, path), place, largest=entry.largest, progress=meter.add)
        _refuse_wrong(place, base + _place(entry, path), known.get(path))

    with (
        console.track(math.ceil(total / MIB), "MiB", f"fetching {entry.name}", done=here // MIB) as track,
        ThreadPoolExecutor(AT_ONCE, "remedis-fetch") as pool,
    ):
        meter = _Meter(track, here)
        try:  # from the first thread on: an interruption may come before all have begun
            waiting = {pool.submit(fetch, path) for path in sizes}
            while waiting:  # with a time limit: a signal just before a wait begins would not end the wait
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
        except BaseException:
            client.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _refuse_wrong(path: Path, address: str, digest: str | None) -> None:
    """Raise and remove the file if its bytes are not those that were published (or recorded)."""
    found = sha256(path)
    if digest is not None and found != digest:
        path.unlink()
        raise StoppedError(
            f"the SHA-256 of what came is {found}, {digest} was expected; it is removed, start again, and see the "
            "mirror or the proxy if it happens twice",
            where=address,
        )


class _Meter:
    """Bytes from several threads to whole MiB on one progress line."""

    def __init__(self, track: Track, here: int) -> None:
        self._track, self._bytes, self._shown, self._lock = track, here, here // MIB, Lock()

    def add(self, count: int) -> None:
        """Count bytes, or fewer than none where a file starts again."""
        with self._lock:
            self._bytes += count
            whole = self._bytes // MIB
            if whole != self._shown:
                self._track.advance(whole - self._shown)
                self._shown = whole
