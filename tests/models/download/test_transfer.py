"""Pieces, redirects and refusals against a real server, file by file."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from physionet_server import PASSWORD, ROOT, USER, Site, serve

from remedis import __version__
from remedis.models.download.credentials import Credentials, Origin
from remedis.models.download.transfer import Client, Patience, RefusedError

DATA = bytes(range(256)) * 2000  # 512,000 bytes
SOON = Patience(tries=3, pause=0.001, longest_wait=2.0, seconds=5.0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site({"f": DATA, "t.txt": b"text"})) as running:
        yield running


def client(site: Site, patience: Patience = SOON, *, signed_in: bool = True) -> Client:
    return Client(Credentials(USER, PASSWORD, Origin.of(site.address)) if signed_in else None, patience)


def fetch(site: Site, path: Path, name: str = "f", *, largest: int = 1 << 30, **options: Any) -> int:
    """Fetch into `path` and return the sum of what was told on the way."""
    told: list[int] = []
    client(site, **options).fetch(site.base + name, path, largest=largest, progress=told.append)
    return sum(told)


def refusal(site: Site, path: Path, name: str = "f", **options: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        fetch(site, path, name, **options)
    return caught.value


def test_what_comes_is_what_lies_there(site: Site, tmp_path: Path) -> None:
    assert fetch(site, tmp_path / "f") == len(DATA)
    assert (tmp_path / "f").read_bytes() == DATA
    (asked,) = site.asked
    assert asked.headers["User-Agent"] == f"remedis/{__version__}"
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Authorization" in asked.headers  # with the first request: no answer of 401 comes before


@pytest.mark.parametrize("have", [1, 200_000, 511_999])
def test_it_goes_on_where_it_stopped(site: Site, tmp_path: Path, have: int) -> None:
    (tmp_path / "f").write_bytes(DATA[:have])
    assert fetch(site, tmp_path / "f") == len(DATA) - have
    assert (tmp_path / "f").read_bytes() == DATA
    assert site.asked[0].headers["Range"] == f"bytes={have}-"


def test_a_server_that_ignores_ranges_begins_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "f").write_bytes(b"x" * 1000)
    assert fetch(site, tmp_path / "f") == len(DATA) - 1000
    assert (tmp_path / "f").read_bytes() == DATA
    assert len(site.asked) == 1


def test_another_range_than_was_asked_for_is_not_appended(site: Site, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA[:1000])
    site.answers["f"] = [(206, {"Content-Range": f"bytes 500-{len(DATA) - 1}/{len(DATA)}"})]
    fetch(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == DATA


@pytest.mark.parametrize(("have", "asked"), [(DATA, 1), (DATA + b"more", 2)])
def test_a_part_that_is_whole_or_too_long(site: Site, tmp_path: Path, have: bytes, asked: int) -> None:
    (tmp_path / "f").write_bytes(have)
    fetch(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == DATA
    assert len(site.asked) == asked


def test_a_connection_that_is_cut_costs_nothing_that_came(site: Site, tmp_path: Path) -> None:
    site.cut["f"] = [100_000, 1, 0, 250_000]
    assert fetch(site, tmp_path / "f") == len(DATA)
    assert (tmp_path / "f").read_bytes() == DATA
    starts = [asked.headers.get("Range") for asked in site.asked]
    assert starts == [None, "bytes=100000-", "bytes=100001-", "bytes=100001-", "bytes=350001-"]


def test_connections_that_bring_nothing_are_given_up_and_what_came_is_kept(site: Site, tmp_path: Path) -> None:
    site.cut["f"] = [70_000, *([0] * 99)]
    found = refusal(site, tmp_path / "f")
    assert (found.kind, found.detail) == ("lost", "the connection was cut")
    assert (tmp_path / "f").read_bytes() == DATA[:70_000]
    assert len(site.asked) == 1 + 2  # the first brought something, and counts as the first of three


def test_nobody_at_home(tmp_path: Path) -> None:
    nobody = Site({}, address="http://127.0.0.1:9")
    assert refusal(nobody, tmp_path / "f").detail == "no connection could be made"
    nobody.address = "http://no-such-host.invalid"
    assert refusal(nobody, tmp_path / "f", patience=Patience(tries=1), signed_in=False).kind == "lost"


def test_a_silent_server_is_a_lost_connection(site: Site, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = Site({}, address=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert refusal(mute, tmp_path / "f", patience=Patience(tries=1, seconds=0.1)).detail == "no answer in time"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_no_is_not_asked_again(site: Site, tmp_path: Path, status: int) -> None:
    site.answers["f"] = [(status, {})] * 9
    found = refusal(site, tmp_path / "f")
    assert (found.kind, found.status, found.signed_in) == ("status", status, True)
    assert len(site.asked) == 1
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_fault_that_passes_is_waited_for(site: Site, tmp_path: Path, status: int) -> None:
    site.answers["f"] = [(status, {})] * 2
    assert fetch(site, tmp_path / "f") == len(DATA)
    site.answers["f"] = [(status, {})] * 9
    (tmp_path / "f").unlink()
    assert refusal(site, tmp_path / "f").status == status


@pytest.mark.parametrize("form", ["number", "date"])
def test_the_server_says_how_long(site: Site, tmp_path: Path, form: str) -> None:
    second = "1" if form == "number" else email.utils.formatdate(time.time() + 2, usegmt=True)
    site.answers["f"] = [(429, {"Retry-After": second})]
    begun, told = time.monotonic(), []
    patient = Client(Credentials(USER, PASSWORD, Origin.of(site.address)), SOON, told.append)
    patient.fetch(site.base + "f", tmp_path / "f", largest=1 << 30, progress=lambda _: None)
    assert time.monotonic() - begun >= 0.9
    assert told == [f"{site.base}f: HTTP status 429; tried again in {told[0].split()[-2]} seconds"]
    hour = "3600" if form == "number" else email.utils.formatdate(time.time() + 3600, usegmt=True)
    site.answers["f"] = [(429, {"Retry-After": hour})]
    begun = time.monotonic()
    found = refusal(site, tmp_path / "f")  # longer than anybody would wait: told, not waited for
    assert time.monotonic() - begun < 1
    assert found.wait == pytest.approx(3600, abs=5)


@pytest.mark.parametrize("text", ["soon", "-5", "9" * 40, ""])
def test_a_retry_after_that_cannot_be_read_is_as_none(site: Site, tmp_path: Path, text: str) -> None:
    site.answers["f"] = [(503, {"Retry-After": text})]
    assert fetch(site, tmp_path / "f") == len(DATA)


def test_a_redirect_on_the_same_host_keeps_the_password_and_the_range(site: Site, tmp_path: Path) -> None:
    site.files["g"] = DATA
    site.redirects["f"] = "g"
    (tmp_path / "f").write_bytes(DATA[:10])
    fetch(site, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == DATA
    assert [asked.path for asked in site.asked] == [ROOT + "f", ROOT + "g"]
    assert all("Authorization" in asked.headers for asked in site.asked)
    assert site.asked[1].headers["Range"] == "bytes=10-"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_password_does_not_follow_to_another_host_or_port(site: Site, tmp_path: Path, host: str) -> None:
    with serve(Site({"f": DATA}, guarded=False), host) as other:
        site.redirects["f"] = other.base + "f"
        fetch(site, tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == DATA
        (asked,) = other.asked
        assert "Authorization" not in asked.headers
        other.redirects["f"] = site.base + "g"  # and back: there it belongs
        site.files["g"] = DATA
        fetch(site, tmp_path / "again")
        assert "Authorization" in site.asked[-1].headers


def test_a_host_that_asks_for_a_password_does_not_get_ours(site: Site, tmp_path: Path) -> None:
    with serve(Site({"f": DATA}, guarded=True)) as other:
        site.redirects["f"] = other.base + "f"
        found = refusal(site, tmp_path / "f")
        assert (found.status, found.signed_in) == (401, False)
        assert all("Authorization" not in asked.headers for asked in other.asked)


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("/login/?next=/files/", "login"),
        ("https://127.0.0.1:9/login", "login"),
        ("ftp://127.0.0.1/f", "redirect"),
        ("file:///etc/passwd", "redirect"),
        ("http://user:word@127.0.0.1/f", "redirect"),
        ("f", "redirect"),  # round and round
    ],
)
def test_redirects_that_are_not_followed(site: Site, tmp_path: Path, location: str, kind: str) -> None:
    site.redirects["f"] = location
    assert refusal(site, tmp_path / "f").kind == kind
    assert len(site.asked) <= 6
    assert not (tmp_path / "f").exists()


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    from remedis.models.download.transfer import _redirected

    assert _redirected("http://h/a", "https://h/b", signed_in=False) == "https://h/b"
    with pytest.raises(RefusedError, match="from https to plain http"):
        _redirected("https://h/a", "http://h/b", signed_in=False)


@pytest.mark.parametrize("name", ["f", "t.txt"])
def test_a_web_page_is_no_file(site: Site, tmp_path: Path, name: str) -> None:
    site.pages.add(name)
    assert refusal(site, tmp_path / "f", name).kind == "page"
    with pytest.raises(RefusedError) as caught:
        client(site).text(site.base + name, limit=100)
    assert caught.value.kind == "page"
    with pytest.raises(RefusedError):
        client(site).size(site.base + name, largest=1 << 30)
    assert not (tmp_path / "f").exists()


def test_what_is_too_large_is_refused_before_it_is_fetched_or_while(site: Site, tmp_path: Path) -> None:
    found = refusal(site, tmp_path / "f", largest=len(DATA) - 1)
    assert (found.kind, found.detail) == ("large", "more than 511,999 bytes")
    assert not (tmp_path / "f").exists()
    with pytest.raises(RefusedError):
        client(site).text(site.base + "f", limit=1000)
    assert client(site).text(site.base + "t.txt", limit=4) == "text"


def test_a_size_is_said_where_the_server_says_it(site: Site) -> None:
    assert client(site).size(site.base + "f", largest=len(DATA)) == len(DATA)
    with pytest.raises(RefusedError):
        client(site).size(site.base + "f", largest=len(DATA) - 1)
    site.heads = False
    assert client(site).size(site.base + "f", largest=1) is None
    with pytest.raises(RefusedError):
        client(site, signed_in=False).text(site.base + "f", limit=1 << 20)


def test_a_stopped_client_asks_for_nothing_more(site: Site, tmp_path: Path) -> None:
    stopped = client(site)
    stopped.stop()
    with pytest.raises(RefusedError) as caught:
        stopped.fetch(site.base + "f", tmp_path / "f", largest=1 << 30, progress=lambda _: None)
    assert caught.value.kind == "stopped"
    assert not site.asked


def test_a_proxy_of_the_environment_is_for_other_machines(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy reads what plain http carries, so what goes to this machine must not pass it."""
    with serve(Site({}, guarded=False)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address.replace("//", "//user:word@"))
        monkeypatch.delenv("no_proxy", raising=False)
        fetch(site, tmp_path / "f")
        assert not proxy.asked
        elsewhere = Site({}, address="http://mirror.example")
        assert refusal(elsewhere, tmp_path / "g", signed_in=False).status == 404
        (asked,) = proxy.asked
        assert asked.path == "http://mirror.example" + ROOT + "f"
        assert asked.headers["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"  # RFC 7617 of user:word
