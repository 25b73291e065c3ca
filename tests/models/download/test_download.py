"""From a name to a checkpoint, through a real server, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import signal
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from physionet_server import LIST, PASSWORD, ROOT, Site, serve
from small_originals import (
    CXR,
    LARGE,
    SIZES,
    Heard,
    accepting,
    convert,
    get,
    refused,
    small_entry,
    small_files,
    small_site,
    source,
    verify,
    with_weights,
)

import remedis
from remedis.console import Console
from remedis.errors import CheckFailedError, ConvertError, DownloadError, StoppedError, UsageError
from remedis.models import zoo
from remedis.models.download import download
from remedis.models.store import Store

LARGE_OF_CXR = f"{CXR}/{LARGE}"
TOTAL = sum(SIZES.values())


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(small_site()) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return accepting(tmp_path / "home")


def test_a_model_is_fetched_verified_converted_proven_and_loads_by_its_name(
    site: Site, store: Store, small_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMEDIS_HOME", str(store.home))
    heard = Heard()
    assert get(site, store, heard, convert=with_weights(small_folder)) == store.folder(CXR)
    assert {path: (store.original(CXR) / path).read_bytes() for path in SIZES} == small_files()
    encoder = remedis.load(CXR)
    assert encoder.name == CXR
    assert encoder.contract.size == 448
    assert zoo.seen_by(encoder.facts) == ("ImageNet-21k", "MIMIC-CXR", "CheXpert")
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in small_files().items()}
    assert encoder.facts.extra["original"] == {"address": site.base, "sha256": hashes}
    assert heard.tracks == [(1, "MiB", 0)]
    assert site.asked[0].path == ROOT + LIST  # the hashes first
    assert not store.partial(CXR).exists()
    assert [path.name for path in store.models.iterdir()] == [CXR]


def test_only_what_is_needed_is_fetched_and_once(site: Site, store: Store) -> None:
    site.files[f"{CXR}/notes.txt"] = b"not needed"
    get(site, store)
    got = sorted(asked.path.removeprefix(ROOT) for asked in site.asked if asked.method == "GET")
    assert got == sorted([LIST, *(f"{CXR}/{path}" for path in SIZES)])
    site.asked.clear()
    get(site, store)
    assert not site.asked


def test_an_original_that_is_here_is_not_fetched_again(site: Site, store: Store) -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise ConvertError("no candidate agrees")

    with pytest.raises(ConvertError):
        get(site, store, convert=breaks)
    assert not store.has(CXR)
    assert list(store.models.iterdir()) == []
    site.asked.clear()
    get(site, store)
    assert store.has(CXR)
    assert not site.asked


def test_an_original_that_was_damaged_here_is_fetched_again(site: Site, store: Store) -> None:
    get(site, store)
    shutil.rmtree(store.folder(CXR))
    (store.original(CXR) / "saved_model.pb").write_bytes(b"damaged")
    get(site, store)
    assert (store.original(CXR) / "saved_model.pb").read_bytes() == small_files()["saved_model.pb"]


def test_a_proof_that_fails_leaves_no_checkpoint(site: Site, store: Store) -> None:
    def says_no(folder: Path, console: Console) -> Any:
        assert (folder / "config.json").exists()
        raise CheckFailedError("the embedding differs")

    with pytest.raises(CheckFailedError):
        get(site, store, verify=says_no)
    assert list(store.models.iterdir()) == []


def test_at_most_three_files_are_fetched_at_a_time(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from remedis.models.download.transfer import Client

    fetch, now, most, lock, three = Client.fetch, [0], [0], threading.Lock(), threading.Event()

    def counted(self: Client, address: str, path: Path, **options: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == 3:
                three.set()
        assert three.wait(10)
        fetch(self, address, path, **options)
        with lock:
            now[0] -= 1

    monkeypatch.setattr(Client, "fetch", counted)
    get(site, store)
    assert most == [3]


def test_a_lost_connection_is_status_1_and_the_same_command_goes_on(site: Site, store: Store) -> None:
    site.cut[LARGE_OF_CXR] = [300_000, *([0] * 99)]
    message = refused(site, store, StoppedError)
    assert "what has arrived is kept, the same command goes on" in message
    assert (store.partial(CXR) / LARGE).read_bytes() == small_files()[LARGE][:300_000]
    site.cut.clear()
    site.asked.clear()
    heard = Heard()
    get(site, store, heard)
    assert [asked.headers.get("Range") for asked in site.gets(LARGE_OF_CXR)] == ["bytes=300000-"]
    assert store.has(CXR)


def test_a_site_without_ranges_starts_again_and_ends_well(site: Site, store: Store) -> None:
    site.ranges = False
    site.cut[LARGE_OF_CXR] = [300_000]
    get(site, store)
    assert len(site.gets(LARGE_OF_CXR)) == 2
    assert (store.original(CXR) / LARGE).read_bytes() == small_files()[LARGE]


def test_a_wrong_byte_is_found_and_the_file_removed(site: Site, store: Store) -> None:
    site.wrong.add(LARGE_OF_CXR)
    message = refused(site, store, StoppedError)
    right = small_entry().files[LARGE]
    assert f"{right} was expected; it is removed" in message
    assert site.base + LARGE_OF_CXR in message
    assert not (store.partial(CXR) / LARGE).exists()
    site.wrong.clear()
    get(site, store)
    assert store.has(CXR)


def test_a_part_with_a_wrong_byte_is_found_when_it_is_whole(site: Site, store: Store) -> None:
    place = store.partial(CXR) / LARGE
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x" + small_files()[LARGE][1:1000])
    assert "it is removed" in refused(site, store, StoppedError)
    assert not place.exists()


@pytest.mark.parametrize("what", ["another", "missing"])
def test_a_list_that_says_otherwise_is_refused_before_any_file(site: Site, store: Store, what: str) -> None:
    right = str(small_entry().files[LARGE])
    lines = site.files[LIST].decode().splitlines(keepends=True)
    other = "0" * 64
    site.files[LIST] = "".join(
        line.replace(right, other) if LARGE in line else line
        for line in lines
        if what == "another" or LARGE not in line
    ).encode()
    message = refused(site, store)
    if what == "another":
        assert right in message
        assert other in message
    else:
        assert f"{LARGE_OF_CXR} is not on the list" in message
    assert len(site.asked) == 1
    assert not store.partial(CXR).exists()


def test_a_mirror_may_lack_the_list_and_the_site_itself_may_not(site: Site, store: Store) -> None:
    del site.files[LIST]
    at_home = replace(small_entry(), base=site.base)
    with pytest.raises(DownloadError, match="HTTP status 404"):
        download(at_home, store, replace(source(site), base=None), convert=convert, verify=verify)
    heard = Heard()
    get(site, store, heard)
    assert any("the files are held against the hashes that remedis keeps" in line for line in heard.lines)


def test_a_list_of_gigabytes_is_refused(site: Site, store: Store) -> None:
    site.files[LIST] = b"0" * ((1 << 20) + 1)
    assert "more than 1,048,576 bytes, which no file of this model has" in refused(site, store)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"answers": {"*": [(401, {})] * 9}}, "the user or the password is wrong"),
        ({"signed": False}, "the licence is not signed for this project"),
        ({"signed": False}, "https://physionet.org/content/medical-ai-research-foundation/1.0.0/"),
        ({"programs": "Wget/"}, "takes no password from programs that it does not know: then fetch with wget -r -N"),
        ({"programs": "Wget/"}, f"remedis models download {CXR} --from ."),
        ({"answers": {"*": [(404, {})] * 9}}, "there is no such file; the address or the mirror is wrong"),
        ({"answers": {"*": [(429, {"Retry-After": "7300"})] * 9}}, "over quota; try again in 3 hours"),
        ({"answers": {"*": [(500, {})] * 9}}, "HTTP status 500: the site has a fault, tried again and again"),
        ({"redirects": {LIST: "/login/?next=x"}}, "leads to its login page"),
        ({"pages": {LIST}}, "a web page came in place of the file"),
        ({"pages": {LARGE_OF_CXR}}, "a web page came in place of the file"),
        ({"answers": {"*": [(418, {})] * 9}}, "HTTP status 418: the site refuses"),
    ],
)
def test_a_refusal_says_in_words_what_to_do_and_is_status_2(
    store: Store, behaviour: dict[str, Any], words: str
) -> None:
    with serve(small_site(**behaviour)) as site:
        message = refused(site, store)
    assert words in message
    assert message.startswith(site.base)
    assert PASSWORD not in message


def test_without_a_password_it_says_so(site: Site, store: Store) -> None:
    anonymous = replace(source(site), credentials=None)
    with pytest.raises(DownloadError, match="HTTP status 401: not signed in; give --user"):
        download(small_entry(), store, anonymous, convert=convert, verify=verify)
    site.programs = "Wget/"
    with pytest.raises(DownloadError, match=r"HTTP status 403: not signed in \(give --user\)"):
        download(small_entry(), store, anonymous, convert=convert, verify=verify)


def test_a_refusal_after_bytes_came_is_status_1(site: Site, store: Store) -> None:
    site.cut[LARGE_OF_CXR] = [300_000]
    site.heads = False
    site.answers[LARGE_OF_CXR] = []
    real_cut = site.cut[LARGE_OF_CXR]

    class Later(list[Any]):  # a quota that is over after the first piece
        def __bool__(self) -> bool:
            return not real_cut

    site.answers[LARGE_OF_CXR] = Later([(429, {"Retry-After": "90"})] * 9)
    message = refused(site, store, StoppedError)
    assert "try again in 90 seconds; what has arrived is kept" in message
    assert (store.partial(CXR) / LARGE).stat().st_size == 300_000


def test_a_disk_that_is_too_small_is_said_before(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 2 * TOTAL - 1))
    assert "1 MiB are needed for the files and the checkpoint, 1 MiB are free" in refused(site, store)
    assert not any(asked.method == "GET" and LIST not in asked.path for asked in site.asked)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 2 * TOTAL))
    get(site, store)


def test_a_file_that_is_larger_than_any_can_be_is_refused_before_it_is_fetched(site: Site, store: Store) -> None:
    with pytest.raises(DownloadError, match="which no file of this model has"):
        download(replace(small_entry(), largest=600_000), store, source(site), convert=convert, verify=verify)
    assert not any(asked.method == "GET" and LIST not in asked.path for asked in site.asked)


def test_nothing_is_fetched_before_the_licence_is_accepted(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--accept-licence"):
        get(site, Store(tmp_path / "fresh"))
    assert not site.asked
    assert not (tmp_path / "fresh").exists()


def test_an_interruption_stops_all_threads_at_once_and_keeps_what_came(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from remedis.models.download.transfer import Client

    fetch, begun = Client.fetch, time.monotonic()
    main = threading.main_thread().ident or 0

    def interrupted(self: Client, address: str, path: Path, **options: Any) -> None:
        fetch(self, address, path, **options)
        if path.name == Path(LARGE).name:
            signal.pthread_kill(main, signal.SIGINT)  # a real one, which wakes a thread that waits
            assert self._stopped.wait(30)

    monkeypatch.setattr(Client, "fetch", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            get(site, store)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 20
    assert (store.partial(CXR) / LARGE).read_bytes() == small_files()[LARGE]


def test_two_at_once_do_the_work_once(site: Site, store: Store) -> None:
    heard, folders = [Heard(), Heard()], []
    threads = [
        threading.Thread(target=lambda each=each: folders.append(get(site, Store(store.home), each))) for each in heard
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [store.folder(CXR)] * 2
    assert len(site.gets(LARGE_OF_CXR)) == 1
