"""From files to a checkpoint: those that were fetched by other means, and BiT's one, which has no published hash."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from physionet_server import PASSWORD, ROOT, USER, Site, serve
from small_originals import (
    BIT,
    CXR,
    HURRIED,
    LARGE,
    accepting,
    convert,
    lay,
    small_entry,
    small_files,
    small_site,
    verify,
)

from remedis.errors import InputError, StoppedError, UsageError
from remedis.models import zoo
from remedis.models.download import Source, base_of, download
from remedis.models.store import Store


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(small_site()) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return accepting(tmp_path / "home")


WGET_TREE = "physionet.org/files/medical-ai-research-foundation/1.0.0"


@pytest.mark.parametrize(
    ("laid", "given"),
    [
        (f"{WGET_TREE}/{CXR}", "."),
        (f"{WGET_TREE}/{CXR}", "physionet.org"),
        (f"{WGET_TREE}/{CXR}", "physionet.org/files"),
        (f"{WGET_TREE}/{CXR}", WGET_TREE),
        (f"{WGET_TREE}/{CXR}", f"{WGET_TREE}/{CXR}"),
        (f"mine/{CXR}", "mine"),
        ("mine", "mine"),
    ],
)
def test_files_are_found_in_a_folder_and_stay_there(store: Store, tmp_path: Path, laid: str, given: str) -> None:
    lay(tmp_path / "files" / laid)
    before = sorted((tmp_path / "files").rglob("*"))
    local = Source(folder=tmp_path / "files" / given)
    assert download(small_entry(), store, local, convert=convert, verify=verify) == store.folder(CXR)
    assert sorted((tmp_path / "files").rglob("*")) == before
    assert not store.original(CXR).exists()


@pytest.mark.skipif(shutil.which("wget") is None, reason="wget is not installed")
def test_the_tree_that_the_official_line_leaves(site: Site, store: Store, tmp_path: Path) -> None:
    """The official page's line, with the password as an option since nobody is there to type it."""
    site.programs = "Wget/"
    line = ["wget", "-q", "-r", "-N", "-c", "-np", "--user", USER, "--password", PASSWORD, f"{site.base}{CXR}/"]
    subprocess.run(line, cwd=tmp_path, check=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    host = site.address.partition("://")[2]
    (tmp_path / host).rename(tmp_path / "physionet.org")
    download(small_entry(), store, Source(folder=tmp_path), convert=convert, verify=verify)
    assert store.has(CXR)


def test_a_file_of_another_model_is_named_as_what_it_is(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "path-50x1-remedis-m"
    monkeypatch.setitem(zoo.ENTRIES, other, small_entry(other))
    lay(tmp_path / "files", other)
    with pytest.raises(InputError, match=rf"it is the file of {other}.*was expected; fetch it again"):
        download(small_entry(), store, Source(folder=tmp_path / "files"), convert=convert, verify=verify)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "saved_model.pb").unlink(), "there is no saved_model.pb"),
        (lambda folder: (folder / LARGE).write_bytes(small_files()[LARGE][:-1]), "was expected; fetch it again"),
        (shutil.rmtree, "there is no such folder"),
        (lambda folder: [shutil.rmtree(folder), folder.mkdir()], "give the folder that wget left"),
    ],
)
def test_a_folder_that_does_not_hold_it_is_refused(store: Store, tmp_path: Path, damage: Any, words: str) -> None:
    damage(lay(tmp_path / "files"))
    with pytest.raises(InputError, match=words) as caught:
        download(small_entry(), store, Source(folder=tmp_path / "files"), convert=convert, verify=verify)
    assert str(caught.value).startswith(str(tmp_path / "files"))
    assert not store.has(CXR)


# --- BiT: one file, no published hash


FILE = "BiT-M-R50x1.npz"


def get_bit(site: Site, store: Store, **options: Any) -> Path:
    local = {"base": site.base, "patience": HURRIED, **options}
    return download(zoo.ENTRIES[BIT], store, Source(**local), convert=convert, verify=verify)


def test_the_first_download_of_bit_records_the_hash_and_later_ones_are_held_against_it(store: Store) -> None:
    with serve(Site({FILE: b"first" * 1000}, guarded=False)) as site:
        get_bit(site, store)
        digest = hashlib.sha256(b"first" * 1000).hexdigest()
        assert json.loads((store.home / "recorded.json").read_text()) == {BIT: {FILE: digest}}
        assert [asked.path for asked in site.asked if asked.method == "GET"] == [ROOT + FILE]  # no list, no password
        assert not any("Authorization" in asked.headers for asked in site.asked)
        shutil.rmtree(store.folder(BIT))
        shutil.rmtree(store.original(BIT))
        site.files[FILE] = b"other" * 1000
        with pytest.raises(StoppedError, match=f"{digest} was expected"):
            get_bit(site, store)
        assert not store.has(BIT)
        site.files[FILE] = b"first" * 1000
        get_bit(site, store)
        assert store.has(BIT)


def test_bit_from_a_file_or_its_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"weights")
    for given in (tmp_path / FILE, tmp_path):
        download(zoo.ENTRIES[BIT], store, Source(folder=given), convert=convert, verify=verify)
        shutil.rmtree(store.folder(BIT))
    (tmp_path / FILE).write_bytes(b"others")
    with pytest.raises(InputError, match="was expected"):
        download(zoo.ENTRIES[BIT], store, Source(folder=tmp_path), convert=convert, verify=verify)


def test_what_has_no_hash_comes_by_https_only() -> None:
    with pytest.raises(UsageError, match="by https only"):
        base_of(zoo.ENTRIES[BIT], "http://mirror.example/bit")
    assert base_of(zoo.ENTRIES[BIT], "https://mirror.example/bit") == "https://mirror.example/bit/"
    assert base_of(zoo.ENTRIES[CXR], "http://mirror.example") == "http://mirror.example/"
    assert base_of(zoo.ENTRIES[CXR], None) == "https://physionet.org/files/medical-ai-research-foundation/1.0.0/"
    with pytest.raises(UsageError):
        base_of(zoo.ENTRIES[CXR], "mirror.example")
