"""The folder that weights are kept in: where it is, whole or not there, and two processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest
from small_originals import Heard

from remedis.errors import InputError, UsageError
from remedis.models.store import Store, check_name, home, size_of
from remedis.models.zoo.entries import APACHE, CREDENTIALED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has LOCALAPPDATA")
def test_the_place_is_asked_for_or_set_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REMEDIS_HOME", "/set")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home(Path("~/asked")) == tmp_path / "asked"
    assert home() == Path("/set")
    monkeypatch.delenv("REMEDIS_HOME")
    assert home() == Path("/caches/remedis")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == tmp_path / ".cache" / "remedis"


@pytest.mark.parametrize("name", ["a", "our-encoder", "R50.v2_final", "cxr-50x1-remedis-m", "x" * 100])
def test_names_that_can_be_kept(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "-x", ".x", "a b", "a\n", "timm:x", "é", "x" * 101]
)
def test_names_that_would_leave_the_folder_or_a_shell_puzzled(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a model"):
        check_name(name)
    assert not Store(tmp_path).has(name)
    with pytest.raises(UsageError):
        Store(tmp_path).folder(name)


def test_a_model_is_whole_or_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")

    def stops_in_between() -> None:
        with store.new_model("enc") as pending:
            pending.mkdir()
            (pending / "config.json").write_text("{}")
            assert not store.has("enc")
            assert store.names() == []
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        stops_in_between()
    assert list(store.models.iterdir()) == []
    with store.new_model("enc") as pending:
        pending.mkdir()
        (pending / "config.json").write_text('{"remedis": {"network": "resnet18"}}')
    assert store.names() == ["enc"]
    assert store.facts("enc") == {"network": "resnet18"}
    with pytest.raises(InputError, match="is there already"), store.new_model("enc"):
        pass


@pytest.mark.parametrize("text", ["", "[1]", "nonsense", '{"remedis": 3}', "[" * 100_000])
def test_a_damaged_file_is_nothing_known_and_no_crash(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    folder = store.folder("enc")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)
    (tmp_path / "accepted.json").write_text(text)
    assert store.facts("enc") == {}
    assert store.accepted(CREDENTIALED) is None


def test_a_licence_is_accepted_once_for_all_its_models_with_name_and_date(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    assert store.accepted(CREDENTIALED) is None
    store.accept(CREDENTIALED)
    assert Store(tmp_path / "home").accepted(CREDENTIALED) == date.today().isoformat()
    assert store.accepted(APACHE) is None
    kept = json.loads((tmp_path / "home" / "accepted.json").read_text())
    assert kept == {CREDENTIALED.name: {"address": CREDENTIALED.address, "date": date.today().isoformat()}}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
def test_what_is_kept_under_a_licence_is_one_persons(tmp_path: Path) -> None:
    Store(tmp_path / "home").accept(CREDENTIALED)
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_hashes_of_a_first_download_are_remembered_beside_each_other(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=Store(tmp_path).record, args=(f"m{number}", {"f": str(number)})) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Store(tmp_path).recorded(f"m{number}") for number in range(8)] == [{"f": str(n)} for n in range(8)]
    assert Store(tmp_path).recorded("other") == {}


def test_a_second_process_waits_and_says_so_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from remedis.models.store import Store\n"
        "with Store(Path(sys.argv[1])).lock('enc'):\n    print('locked', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        heard, entered = Heard(), []

        def second() -> None:
            with Store(tmp_path).lock("enc", heard):
                entered.append(time.monotonic())

        thread = threading.Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 20
        while not heard.lines and time.monotonic() < deadline:
            time.sleep(0.01)
        assert heard.lines == ["another process is working on enc; waiting for it"]
        assert not entered
    finally:
        other.kill()
        other.wait()
        if other.stdout:
            other.stdout.close()
    thread.join(20)
    assert entered
    with Store(tmp_path).lock("another", heard):
        assert len(heard.lines) == 1


def test_the_summary_is_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))
    assert Store(home()).summary() == {
        "home": str(tmp_path / "home"), "set_by": "REMEDIS_HOME", "exists": False, "models": [], "bytes": 0,
        "unfinished": [],
    }  # fmt: skip
    store = Store(home())
    with store.new_model("enc") as pending:
        pending.mkdir()
        (pending / "config.json").write_bytes(b"{}" + b" " * 998)
    (store.partial("cxr-50x1-remedis-m")).mkdir(parents=True)
    assert store.summary()["models"] == ["enc"]
    assert store.summary()["bytes"] == size_of(tmp_path / "home") == 1000
    assert store.summary()["unfinished"] == ["cxr-50x1-remedis-m"]


def test_zoo_store_and_transfer_need_no_torch() -> None:
    program = (
        "import sys; from remedis.models import download, store, zoo; "
        "from remedis.models.download import credentials, originals, physionet, transfer; "
        "from remedis.commands import models_list, models_show, models_download; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
