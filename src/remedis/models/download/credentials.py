"""A user and a password, and where they are found: environment, netrc or a prompt. Never printed, logged or written."""

from __future__ import annotations

import base64
import getpass
import ipaddress
import netrc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from remedis.errors import InputError, UsageError

USER, PASSWORD = "PHYSIONET_USERNAME", "PHYSIONET_PASSWORD"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of an address (RFC 6454): where a password may go, and nowhere else."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, address: str) -> Origin:
        """Return the origin of an address.

        Raises:
            UsageError: It is none of http or https, has no host, or holds a user or a password itself.
        """
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            raise UsageError("an address cannot be read; https://HOST/PATH/ was expected") from None
        if "@" in parts.netloc:  # the address itself is not repeated: it may hold the password
            raise UsageError("an address holds a user or a password; leave them out, --user and a prompt ask for them")
        if parts.scheme not in _PORTS or not parts.hostname:
            raise UsageError(f"{address!r} is no address; https://HOST/PATH/ was expected")
        return cls(parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme])

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: https, or this machine itself."""
        return self.scheme == "https" or self.is_loopback


class Credentials:
    """A user and a password for one origin.

    Args:
        user: Name of the account.
        password: Never shown: neither by repr nor by str, and it cannot be pickled.
        origin: The only place that they are sent to.
    """

    __slots__ = ("_password", "origin", "user")

    def __init__(self, user: str, password: str, origin: Origin) -> None:
        self.user, self.origin, self._password = user, origin, password

    def header(self, address: str) -> str | None:
        """Return the value of an Authorization header (RFC 7617) for this address, None where it is not to be sent."""
        if Origin.of(address) != self.origin or not self.origin.is_private:
            return None
        both = f"{self.user}:{self._password}".encode()
        return "Basic " + base64.b64encode(both).decode("ascii")

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, …)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written down")


def find_credentials(origin: Origin, *, user: str | None, needed: bool) -> Credentials | None:
    """Return the user and password for an origin, None where there are none and none are needed.

    Args:
        origin: Where they will be sent.
        user: What was asked for (`--user`).
        needed: Whether the origin lets nobody in without them.

    The environment's PHYSIONET_USERNAME and PHYSIONET_PASSWORD are for PhysioNet and this machine, and for another
    host only where `user` names the same account. Then the netrc file (NETRC, or the one in the home folder), by its
    line for this very host; then a prompt, where stdin is a terminal.

    Raises:
        UsageError: They are needed and nowhere to be found, or the way there can be read by others.
        InputError: The netrc file cannot be read.
    """
    if not origin.is_private:
        if user is None and not needed:
            return None
        raise UsageError("a password is not sent over plain http; give an address with https", where=origin.host)
    found = _from_environment(origin, user) or _from_netrc(origin, user)
    if found is None and (needed or user is not None):
        found = _from_prompt(origin, user)
    return found


def _from_environment(origin: Origin, user: str | None) -> Credentials | None:
    name, password = os.environ.get(USER), os.environ.get(PASSWORD)
    known = origin.is_loopback or origin.host == "physionet.org" or origin.host.endswith(".physionet.org")
    if not password or not (known or user is not None) or (name and user and name != user) or not (name or user):
        return None
    return Credentials(user or name or "", password, origin)


def _from_netrc(origin: Origin, user: str | None) -> Credentials | None:
    given = os.environ.get("NETRC")
    path = Path(given) if given else Path.home() / ("_netrc" if sys.platform == "win32" else ".netrc")
    if not path.is_file():
        return None
    try:
        hosts = netrc.netrc(path).hosts
    except netrc.NetrcParseError as error:  # its message may quote the password, so only the line is told
        raise InputError(f"line {error.lineno or '?'} cannot be read as netrc; mend it", where=path) from None
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read as netrc; see its rights and its text", where=path) from None
    found = hosts.get(origin.host)
    if found is None or not found[2] or (user is not None and found[0] != user):
        return None
    return Credentials(found[0], found[2], origin)


def _from_prompt(origin: Origin, user: str | None) -> Credentials:
    if not sys.stdin.isatty():
        raise UsageError(
            f"a user and a password are needed; set {USER} and {PASSWORD}, add a line to ~/.netrc, or run it in a "
            "terminal, which asks for them",
            where=origin.host,
        )
    if user is None:
        sys.stderr.write(f"user at {origin.host}: ")
        sys.stderr.flush()
        user = sys.stdin.readline().strip()
    password = getpass.getpass(f"password of {user} at {origin.host}: ", sys.stderr)
    if not user or not password:
        raise UsageError("a user and a password are needed", where=origin.host)
    return Credentials(user, password, origin)
