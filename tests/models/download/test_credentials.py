"""User and password: found where they may be, sent where they belong, shown nowhere."""

from __future__ import annotations

import copy
import getpass
import io
import logging
import pickle
import sys
import traceback
import urllib.request
from pathlib import Path

import pytest

from remedis.errors import InputError, RemedisError, UsageError
from remedis.models.download.credentials import Credentials, Origin, find_credentials

SECRET = "S3cret:pässwörd"
PHYSIONET = Origin.of("https://physionet.org/files/")
MIRROR = Origin.of("https://mirror.hospital.example/")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PHYSIONET_USERNAME", "PHYSIONET_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def header_of(found: Credentials | None, address: str = "https://physionet.org/x") -> str | None:
    return found.header(address) if found else None


def expected(user: str, password: str) -> str:
    """The header as Python's own client makes it."""
    handler = urllib.request.HTTPPasswordMgrWithPriorAuth()
    handler.add_password(None, "https://physionet.org/", user, password, is_authenticated=True)
    request = urllib.request.Request("https://physionet.org/x")
    request = urllib.request.HTTPBasicAuthHandler(handler).http_request(request)
    return str(request.get_header("Authorization"))


def test_the_header_is_the_one_of_other_clients() -> None:
    assert Credentials("user", SECRET, PHYSIONET).header("https://physionet.org/x") == expected("user", SECRET)


@pytest.mark.parametrize(
    "address",
    [
        "https://physionet.org.example/x",
        "https://evil-physionet.org/x",
        "https://sub.physionet.org/x",
        "https://physionet.org:8443/x",
        "http://physionet.org/x",
        "http://physionet.org:443/x",
        "https://localhost/x",
    ],
)
def test_no_other_origin_gets_it(address: str) -> None:
    assert Credentials("user", SECRET, PHYSIONET).header(address) is None


@pytest.mark.parametrize(
    "address", ["https://physionet.org/a", "https://PHYSIONET.org:443/b?c", "https://physionet.org"]
)
def test_the_same_origin_is_spelt_in_several_ways(address: str) -> None:
    assert Credentials("user", SECRET, PHYSIONET).header(address) is not None


def test_plain_http_gets_it_on_this_machine_only() -> None:
    for host, sent in (("127.0.0.1:8000", True), ("localhost", True), ("[::1]:80", True), ("10.0.0.1", False)):
        address = f"http://{host}/"
        assert (Credentials("user", SECRET, Origin.of(address)).header(address) is not None) == sent
    with pytest.raises(UsageError, match="not sent over plain http"):
        find_credentials(Origin.of("http://mirror.example/"), user="user", needed=False)
    assert find_credentials(Origin.of("http://mirror.example/"), user=None, needed=False) is None


def test_it_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = Credentials("user", SECRET, PHYSIONET)
    logging.getLogger().debug("%s %r", found, found)
    for shown in (repr(found), str(found), f"{found}", caplog.text, repr([found]), repr(vars(type(found)))):
        assert SECRET not in shown
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="are not written down"):
            write(found)


@pytest.mark.parametrize(
    "address", ["https://user:S3cret@physionet.org/", "https://S3cret@physionet.org/x", "https://S3cret@h:p/"]
)
def test_an_address_with_a_password_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        Origin.of(address)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://h/", "h/x", "", "https:///x", "file:///etc/passwd", "https://h:99999/"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="https://HOST/PATH/ was expected"):
        Origin.of(address)


def test_the_environment_is_for_physionet_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHYSIONET_USERNAME", "user")
    monkeypatch.setenv("PHYSIONET_PASSWORD", SECRET)
    assert header_of(find_credentials(PHYSIONET, user=None, needed=True)) == expected("user", SECRET)
    assert find_credentials(Origin.of("http://127.0.0.1:1/"), user=None, needed=False) is not None
    assert find_credentials(MIRROR, user=None, needed=False) is None  # it is another host's password
    assert find_credentials(MIRROR, user="user", needed=False) is not None  # a person has said: this account, there
    with pytest.raises(UsageError, match="a user and a password are needed"):
        find_credentials(PHYSIONET, user="somebody-else", needed=True)
    monkeypatch.delenv("PHYSIONET_USERNAME")
    assert header_of(find_credentials(PHYSIONET, user="me", needed=True)) == expected("me", SECRET)


@pytest.mark.parametrize("by_variable", [True, False])
def test_netrc_by_the_line_of_this_very_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    path = tmp_path / ("secrets" if by_variable else "_netrc" if sys.platform == "win32" else ".netrc")
    path.write_text("machine physionet.org login user password s3cret\ndefault login other password wrong\n")
    if by_variable:
        monkeypatch.setenv("NETRC", str(path))
    assert header_of(find_credentials(PHYSIONET, user=None, needed=True)) == expected("user", "s3cret")
    assert header_of(find_credentials(PHYSIONET, user="user", needed=True)) == expected("user", "s3cret")
    assert find_credentials(MIRROR, user=None, needed=False) is None  # not the default's
    with pytest.raises(UsageError):
        find_credentials(PHYSIONET, user="another", needed=True)


@pytest.mark.parametrize(
    "text", ["machine physionet.org login user pass S3cret\n", "machine physionet.org S3cret S3cret\n"]
)
def test_a_broken_netrc_does_not_tell_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "n"))
    (tmp_path / "n").write_text(text)
    with pytest.raises(InputError, match="cannot be read as netrc") as caught:
        find_credentials(PHYSIONET, user=None, needed=True)
    assert "S3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_prompt_asks_in_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="PHYSIONET_USERNAME and PHYSIONET_PASSWORD") as caught:
        find_credentials(PHYSIONET, user="user", needed=True)
    assert isinstance(caught.value, RemedisError)
    assert caught.value.exit_status == 2
    asked = []

    def answer(prompt: str, stream: object) -> str:
        asked.append(prompt)
        return SECRET

    monkeypatch.setattr(getpass, "getpass", answer)
    monkeypatch.setattr(sys, "stdin", Terminal("user\n"))
    assert header_of(find_credentials(PHYSIONET, user=None, needed=True)) == expected("user", SECRET)
    assert asked == ["password of user at physionet.org: "]
    captured = capsys.readouterr()
    assert captured.err == "user at physionet.org: "
    assert captured.out == ""
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    with pytest.raises(UsageError, match="are needed"):
        find_credentials(PHYSIONET, user=None, needed=True)
    assert find_credentials(MIRROR, user=None, needed=False) is None  # a mirror is asked without, first
