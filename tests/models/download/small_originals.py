"""Published models in small: the zoo's own names and paths with other bytes, and a conversion that needs no graph."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from physionet_server import PASSWORD, USER, Site, with_list

from remedis.commands import models_download
from remedis.console import QUIET, Console
from remedis.data.files import write_json
from remedis.errors import DownloadError
from remedis.models import download, zoo
from remedis.models.contract import Contract
from remedis.models.download.credentials import Credentials, Origin
from remedis.models.download.transfer import Patience
from remedis.models.store import Store
from remedis.models.zoo.entries import CREDENTIALED, SAVED_MODEL, Entry

CXR, BIT = "cxr-50x1-remedis-m", "bit-m-r50x1"
LARGE = SAVED_MODEL[2]
HURRIED = Patience(tries=3, pause=0.001, longest_wait=2.0, seconds=5.0)
SIZES = {"fingerprint.pb": 57, "saved_model.pb": 40_000, LARGE: 700_001, "variables/variables.index": 1_234}


def small_files(name: str = CXR) -> dict[str, bytes]:
    """Return bytes for the four files of a published folder, by the path below it."""
    return {path: hashlib.shake_256(f"{name}/{path}".encode()).digest(size) for path, size in SIZES.items()}


def small_entry(name: str = CXR) -> Entry:
    """Return the zoo's entry with the hashes of those bytes."""
    files = {path: hashlib.sha256(data).hexdigest() for path, data in small_files(name).items()}
    return replace(zoo.ENTRIES[name], files=files)


def small_site(*names: str, **behaviour: Any) -> Site:
    """Return a site that holds those files and the list of their hashes."""
    files = {f"{name}/{path}": data for name in names or (CXR,) for path, data in small_files(name).items()}
    return Site(with_list(files), **behaviour)


def lay(folder: Path, name: str = CXR) -> Path:
    """Write the four files into `folder` and return it."""
    for path, data in small_files(name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def accepting(home: Path) -> Store:
    """Return a store where the licence is accepted."""
    store = Store(home)
    store.accept(CREDENTIALED)
    return store


def convert(source: Path, out: Path, *, name: str, facts: Any, size: int, console: Console, input_range: Any) -> None:
    """Write what a checkpoint says of itself, without weights, after a look at the original."""
    assert source.exists()
    contract = Contract(size=size, range=input_range or (0.0, 1.0)).to_json()
    ours = {"name": name, "network": "resnet18-cifar", "contract": contract, **facts.to_json()}
    out.mkdir()
    write_json(out / "config.json", {"remedis": ours})


def with_weights(folder: Path) -> Callable[..., None]:
    """Return the same with the weights of a checkpoint of resnet18-cifar, so that it loads."""

    def convert_with(source: Path, out: Path, **options: Any) -> None:
        convert(source, out, **options)
        shutil.copy(folder / "model.safetensors", out)

    return convert_with


def verify(folder: Path, console: Console) -> None:
    """Look whether there is a checkpoint."""
    assert (folder / "config.json").is_file()


def source(site: Site) -> download.Source:
    """Return a running site as the source, with the password for it."""
    return download.Source(
        base=site.base, credentials=Credentials(USER, PASSWORD, Origin.of(site.base)), patience=HURRIED
    )


def get(site: Site, store: Store, console: Console = QUIET, name: str = CXR, **options: Any) -> Path:
    """Download a small model from a running site into the store and return the checkpoint's folder."""
    return download.download(
        small_entry(name), store, source(site), console, **{"convert": convert, "verify": verify, **options}
    )


def refused(site: Site, store: Store, kind: type[Exception] = DownloadError) -> str:
    """Return the words with which a download is refused, which leaves no checkpoint."""
    with pytest.raises(kind) as caught:
        get(site, store)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert not store.has(CXR)
    return str(caught.value)


def use_small(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the commands know small models under the published names, and convert them without a graph."""
    for name in names or (CXR,):
        monkeypatch.setitem(zoo.ENTRIES, name, small_entry(name))
    monkeypatch.setattr(download, "_convert", convert)
    monkeypatch.setattr(download, "_verify", verify)
    monkeypatch.setattr(models_download, "Source", partial(download.Source, patience=HURRIED))


class Heard:
    """A console that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tracks: list[tuple[int, str, int]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.lines.append(f"warning: {line}")

    def track(self, total: int, unit: str, description: str, *, done: int = 0) -> Any:
        return _Track(self, total, unit, done)


class _Track:
    def __init__(self, heard: Heard, total: int, unit: str, done: int) -> None:
        self._heard, self._total, self._unit, self._done = heard, total, unit, done

    def advance(self, count: int = 1) -> None:
        self._done += count

    def note(self, text: str) -> None:
        pass

    def __enter__(self) -> _Track:
        return self

    def __exit__(self, *_: object) -> None:
        self._heard.tracks.append((self._total, self._unit, self._done))
