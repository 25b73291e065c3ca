"""`remedis models download` on the command line: licence, password, refusals, and no password anywhere."""

from __future__ import annotations

import base64
import getpass
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hub_server import hub
from physionet_server import PASSWORD, ROOT, USER, Site, serve
from small_originals import BIT, CXR, LARGE, lay, small_entry, small_site, use_small, with_weights

import remedis
from remedis import cli
from remedis.models import download as downloading
from remedis.models import hub as models_hub
from remedis.models import zoo
from remedis.models.store import Store
from remedis.models.zoo.entries import CREDENTIALED, TWINS

TWIN = TWINS[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PHYSIONET_USERNAME", "PHYSIONET_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    use_small(monkeypatch, CXR, TWIN)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(small_site(CXR, TWIN)) as running:
        yield running


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHYSIONET_USERNAME", USER)
    monkeypatch.setenv("PHYSIONET_PASSWORD", PASSWORD)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.run(["models", "download", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.usefixtures("signed_in")
def test_one_command_from_a_name_to_a_model_that_embeds(
    site: Site, store: Store, small_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_convert", with_weights(small_folder))
    status, out, err = run(capsys, CXR, "--base-url", site.base, "--accept-licence")
    assert status == 0
    assert out.startswith(f"wrote {store.folder(CXR)}: verified, converted, proven")
    assert out.endswith(f"next: remedis embed IMAGES --encoder {CXR} --out emb\n")
    for term in CREDENTIALED.terms:
        assert term in err
    assert CREDENTIALED.address in err
    assert remedis.load(CXR).name == CXR
    site.asked.clear()
    status, out, err = run(capsys, CXR, "--base-url", site.base, "--json")
    assert status == 0
    assert json.loads(out)["folder"] == str(store.folder(CXR))
    assert not site.asked


def test_without_acceptance_nothing_is_fetched_and_it_is_asked_once(
    site: Site, store: Store, capsys: pytest.CaptureFixture[str], signed_in: None
) -> None:
    status, out, err = run(capsys, CXR, "--base-url", site.base)
    assert (status, out) == (2, "")
    assert "add --accept-licence" in err.splitlines()[-1]
    assert not site.asked
    assert store.accepted(CREDENTIALED) is None
    assert run(capsys, CXR, "--base-url", site.base, "--accept-licence")[0] == 0
    status, _, err = run(capsys, TWIN, "--base-url", site.base)  # another model, the same licence
    assert status == 0
    assert CREDENTIALED.terms[0] not in err


@pytest.mark.parametrize(("answer", "expected"), [("yes", 0), ("YES ", 0), ("no", 2), ("", 2), ("y", 2)])
def test_a_terminal_asks(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, signed_in: None, answer: str,
    expected: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    status, _, err = run(capsys, CXR, "--base-url", site.base, "--quiet")
    assert status == expected
    assert err.count(CREDENTIALED.terms[0]) == 1  # shown where it is accepted, with --quiet too
    assert "type yes to accept it: " in err
    assert (not site.asked) == (expected == 2)


def test_the_two_that_are_one_are_called_so_whenever_one_is_asked_for(
    site: Site, store: Store, capsys: pytest.CaptureFixture[str], signed_in: None
) -> None:
    for _ in range(2):
        status, _, err = run(capsys, TWIN, "--base-url", site.base, "--accept-licence")
        assert status == 0
        assert f"warning: {zoo.TWINS_CAUTION}" in err
    assert store.facts(TWIN)["notes"] == [zoo.TWINS_CAUTION]
    assert zoo.TWINS_CAUTION not in run(capsys, CXR, "--base-url", site.base)[2]


@pytest.mark.parametrize("way", ["environment", "netrc", "prompt"])
def test_user_and_password_by_each_way(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    words = [CXR, "--base-url", site.base, "--accept-licence"]
    if way == "environment":
        monkeypatch.setenv("PHYSIONET_USERNAME", USER)
        monkeypatch.setenv("PHYSIONET_PASSWORD", PASSWORD)
    elif way == "netrc":
        monkeypatch.setenv("NETRC", str(tmp_path / "n"))
        (tmp_path / "n").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n", encoding="utf-8")
    else:
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr(getpass, "getpass", lambda *_: PASSWORD)
        words += ["--user", USER]
    assert run(capsys, *words)[0] == 0
    code = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert all(asked.headers["Authorization"] == f"Basic {code}" for asked in site.asked)


def test_physionet_itself_is_not_asked_without_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, CXR, "--accept-licence")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("remedis: error: physionet.org: a user and a password are needed; set ")


def test_a_password_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, CXR, "--password", "x")
    assert status == 2
    assert "there is no option --password" in err


def traces() -> list[str]:
    """The password in every form that it could be written down."""
    both = f"{USER}:{PASSWORD}".encode()
    return [
        PASSWORD, quote(PASSWORD), PASSWORD.encode().hex(), repr(PASSWORD)[1:-1], json.dumps(PASSWORD)[1:-1],
        base64.b64encode(both).decode(), base64.b64encode(PASSWORD.encode()).decode()[:-4],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"signed": False},
        {"answers": {"*": [(401, {})] * 99}},
        {"answers": {"*": [(500, {})] * 99}},
        {"cut": {f"{CXR}/{LARGE}": [0] * 99}},
        {"wrong": {f"{CXR}/{LARGE}"}},
        {"redirects": {"SHA256SUMS.txt": f"http://{USER}:word@127.0.0.1/"}},
        {"pages": {"SHA256SUMS.txt"}},
    ],
    ids=["well", "403", "401", "500", "cut", "wrong", "redirect", "page"],
)
@pytest.mark.usefixtures("signed_in")
def test_the_password_is_in_no_output_no_log_no_traceback_and_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, behaviour: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(small_site(**behaviour)) as site:
        status, out, err = run(capsys, CXR, "--base-url", site.base, "--accept-licence", "--debug")
        assert any("Authorization" in asked.headers for asked in site.asked)
    assert (status == 0) == (not behaviour)
    written = "".join(str(path) + path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    for trace in traces():
        for text in (out, err, caplog.text, written, written.encode("latin-1").decode("utf-8", "replace")):
            assert trace not in text


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads the process list of Linux")
def test_the_password_is_not_in_the_process_list(site: Site, tmp_path: Path) -> None:
    """While the download stands still, nobody who lists processes sees it; from netrc not in its environment either."""
    (tmp_path / "n").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n", encoding="utf-8")
    site.answers["SHA256SUMS.txt"] = [(503, {"Retry-After": "50"})] * 9
    environment = {**os.environ, "NETRC": str(tmp_path / "n"), "PYTHONPATH": os.pathsep.join(sys.path)}
    words = ["models", "download", CXR, "--base-url", site.base, "--accept-licence"]
    process = subprocess.Popen([sys.executable, "-m", "remedis", *words], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not site.asked and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "Authorization" in site.asked[0].headers
        for name in ("cmdline", "environ"):
            shown = Path(f"/proc/{process.pid}/{name}").read_bytes().decode("utf-8", "replace")
            assert shown
            assert not [trace for trace in traces() if trace in shown]
    finally:
        process.kill()
        process.wait()


def test_files_of_a_folder_need_no_password_and_no_connection(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "physionet.org" / ROOT.strip("/") / CXR)
    status, out, _ = run(capsys, CXR, "--from", tmp_path, "--accept-licence")
    assert status == 0
    assert out.startswith(f"wrote {store.folder(CXR)}")
    assert store.facts(CXR)["extra"]["original"]["address"] == str(tmp_path)
    status, _, err = run(capsys, TWIN, "--from", tmp_path, "--user", "me")
    assert status == 2
    assert "--from fetches nothing" in err


def test_bit_is_given_to_everybody(store: Store, capsys: pytest.CaptureFixture[str], signed_in: None) -> None:
    with serve(Site({"BiT-M-R50x1.npz": b"weights"}, guarded=False)) as site:
        status, _, err = run(capsys, BIT, "--base-url", site.base)
        assert status == 0
        assert "type yes" not in err
        assert not any("Authorization" in asked.headers for asked in site.asked)
        assert store.facts(BIT)["licence"] == "Apache-2.0"
        status, _, err = run(capsys, "bit-s-r50x1", "--base-url", site.base, "--user", "me")
        assert status == 2
        assert "leave --user out" in err
    status, _, err = run(capsys, "bit-s-r50x1", "--base-url", "http://mirror.example/")
    assert status == 2
    assert "by https only" in err


def test_hub_names_come_by_the_same_verb(
    store: Store, small_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path.name: path.read_bytes() for path in small_folder.iterdir()}
    pull = models_hub.pull
    from huggingface_hub import snapshot_download

    with hub(files) as (address, _):

        def pull_here(repo: str, folder: Path) -> Any:
            return pull(repo, folder, fetch=lambda *a, **k: snapshot_download(*a, **k, endpoint=address))

        monkeypatch.setattr(models_hub, "pull", pull_here)
        status, out, _ = run(capsys, "lab/enc")
        assert status == 0
        assert out.startswith(f"wrote {store.folder('enc')}: weights checked")
        assert run(capsys, "lab/enc")[1].startswith("enc is here already")
    assert remedis.load("enc").network == "resnet18-cifar"
    for words, complaint in (
        (("lab/enc2", "--user", "me"), "are not for the Hugging Face Hub"),
        ((f"lab/{CXR}",), "is a published model's name"),
        (("lab/.enc",), "is no name for a model"),
    ):
        status, _, err = run(capsys, *words)
        assert status == 2
        assert complaint in err


def test_an_unknown_name_gives_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "cxr-50x1-remedis")
    assert (status, out) == (2, "")
    assert "did you mean cxr-50x1-remedis-" in err


def test_a_home_of_its_own(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], signed_in: None) -> None:
    other = tmp_path / "elsewhere"
    status, out, _ = run(capsys, CXR, "--base-url", site.base, "--accept-licence", "--home", other)
    assert status == 0
    assert Store(other).has(CXR)
    assert not (tmp_path / "home").exists()
    assert f"--encoder {other / 'models' / CXR}" in out  # no name would be found there
    assert small_entry().files  # the zoo itself is not touched
