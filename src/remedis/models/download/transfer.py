"""Files over HTTP: in pieces that go on where they stopped, redirects followed by hand, refusals kept apart.

HTTP semantics: RFC 9110 (ranges: section 14; Retry-After: 10.2.3; redirects: 15.4).
"""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from remedis import __version__
from remedis.errors import UsageError
from remedis.models.download.credentials import Credentials, Origin

USER_AGENT = f"remedis/{__version__}"
MOST_REDIRECTS = 5
MOST_CONNECTIONS = 1000  # a file, however little each of them brings
PIECE = 1 << 18
NOTICED = 1.0  # seconds of waiting from which something is said
_POOL = 8  # connections kept open to a host; more threads than that never fetch

Kind = Literal["status", "login", "page", "redirect", "large", "lost", "stopped"]
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long is waited.

    Attributes:
        tries: Connections in a row that may bring nothing before a file is given up.
        pause: Seconds before the second try; doubled each time.
        longest_wait: Seconds that a server may ask us to wait (Retry-After); more is told instead.
        seconds: Silence after which a connection counts as lost.
    """

    tries: int = 5
    pause: float = 1.0
    longest_wait: float = 60.0
    seconds: float = 30.0


class RefusedError(Exception):
    """A file was not given; `physionet.explain` says it in words. Holds no password.

    Args:
        kind: A status of 400 and more, a login page, a page in place of a file, a redirect that is not followed, a file
            that is too large, a lost connection, or that another file failed.
        address: Without query.
        status: HTTP status, 0 without one.
        detail: What else is known.
        signed_in: Whether a user and a password were sent.
        wait: Seconds that the server asked us to wait, if it did.
    """

    def __init__(
        self, kind: Kind, address: str, *, status: int = 0, detail: str = "", signed_in: bool = False,
        wait: float | None = None,
    ) -> None:  # fmt: skip
        self.kind, self.address = kind, address.partition("?")[0]
        self.status, self.detail, self.signed_in, self.wait = status, detail, signed_in, wait
        super().__init__(f"{self.address}: {kind} {status} {detail}")

    @property
    def may_pass(self) -> bool:
        """Whether another try makes sense."""
        return self.kind == "lost" or self.status == 429 or self.status >= 500


class Client:
    """Fetches files; used by several threads at once.

    Args:
        credentials: Sent with every request to their own origin, to no other.
        patience: How long is waited.
        tell: Told in words when the wait is long enough to wonder.
    """

    def __init__(
        self, credentials: Credentials | None, patience: Patience, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._credentials, self._patience, self._tell = credentials, patience, tell
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make all threads give up soon; what has arrived stays on the disk."""
        self._stopped.set()

    def text(self, address: str, *, limit: int) -> str:
        """Return a small text file.

        Raises:
            RefusedError: It is not given, or larger than `limit` bytes.
        """

        def once() -> str:
            with self._open("GET", address, {}) as response:
                _refuse_page(response, address)
                data = response.read(limit + 1, decode_content=False)
            if len(data) > limit:
                raise RefusedError("large", address, detail=f"more than {limit:,} bytes")
            return data.decode("utf-8", errors="replace")

        return self._patiently(address, once, lambda: 0)

    def size(self, address: str, *, largest: int) -> int | None:
        """Return how many bytes a file has; None where the server does not say.

        Raises:
            RefusedError: It is not given, or has more bytes than `largest`.
        """

        def once() -> int | None:
            try:
                with self._open("HEAD", address, {}) as response:
                    _refuse_page(response, address)
                    size = _number(response.headers.get("Content-Length"))
                    _refuse_large(address, size or 0, largest)
                    return size
            except RefusedError as refusal:
                if refusal.status in (405, 501):  # the server has no HEAD
                    return None
                raise

        return self._patiently(address, once, lambda: 0)

    def fetch(self, address: str, path: Path, *, largest: int, progress: Callable[[int], None]) -> None:
        """Write a file to `path`, after what is there already; whether the bytes are right is for a hash to say.

        Args:
            address: Where it is.
            path: Where it goes.
            largest: More bytes than these are refused.
            progress: Told how many bytes have arrived; fewer than none where it starts again.

        Raises:
            RefusedError: It is not given; what has arrived stays.
        """
        self._patiently(
            address, lambda: self._piece(address, path, largest=largest, progress=progress), lambda: _size(path)
        )

    def _patiently(self, address: str, once: Callable[[], T], arrived: Callable[[], int]) -> T:
        """Return what `once` returns, tried again while that may help."""
        failures = 0
        for _ in range(MOST_CONNECTIONS):
            before = arrived()
            try:
                return once()
            except RefusedError as refusal:
                failures = 1 if arrived() > before else failures + 1
                wait = self._patience.pause * 2 ** (failures - 1) if refusal.wait is None else refusal.wait
                if not refusal.may_pass or failures >= self._patience.tries or wait > self._patience.longest_wait:
                    raise
                if wait >= NOTICED:
                    reason = f"HTTP status {refusal.status}" if refusal.status else refusal.detail
                    self._tell(f"{refusal.address}: {reason}; tried again in {wait:.0f} seconds")
                if self._stopped.wait(wait):
                    raise RefusedError("stopped", address) from None
        raise RefusedError("lost", address, detail=f"{MOST_CONNECTIONS} times")

    def _piece(self, address: str, path: Path, *, largest: int, progress: Callable[[int], None]) -> None:
        have = _size(path)
        with self._open("GET", address, {"Range": f"bytes={have}-"} if have else {}) as response:
            if response.status == 416:
                if _total(response) == have:
                    return
                path.unlink()
                progress(-have)
                raise RefusedError("lost", address, detail="the part that was here does not fit", wait=0)
            _refuse_page(response, address)
            start = _start(response, have)
            if start < have:  # the server ignores ranges, or gives another one than was asked for
                path.unlink()
                progress(-have)
            if start not in (0, have):
                raise RefusedError("lost", address, detail="another range came than was asked for", wait=0)
            self._write(response, address, path, start=start, largest=largest, progress=progress)

    def _write(
        self, response: urllib3.BaseHTTPResponse, address: str, path: Path, *, start: int, largest: int,
        progress: Callable[[int], None],
    ) -> None:  # fmt: skip
        written = start
        promised = _number(response.headers.get("Content-Length")) or 0
        _refuse_large(address, written + promised, largest)
        with path.open("ab" if start else "wb") as file:
            while piece := self._received(response, address):
                written += len(piece)
                _refuse_large(address, written, largest)
                file.write(piece)
                progress(len(piece))

    def _received(self, response: urllib3.BaseHTTPResponse, address: str) -> bytes:
        """Return the bytes that are there, at once: a connection that is cut later costs none of them."""
        if self._stopped.is_set():
            raise RefusedError("stopped", address)
        try:
            return response.read1(PIECE, decode_content=False)
        except (HTTPError, OSError) as error:
            raise RefusedError("lost", address, detail=_cause(error)) from None

    def _open(self, method: str, address: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Return the answer behind at most five redirects; the caller closes it.

        Raises:
            RefusedError: A status of 400 or more (416 aside), or a redirect that is not followed.
        """
        for _ in range(MOST_REDIRECTS + 1):
            response, signed_in = self._ask(method, address, headers)
            if response.status not in (301, 302, 303, 307, 308):
                return _accepted(response, address, signed_in=signed_in)
            location = response.headers.get("Location", "")
            response.close()
            address = _redirected(address, location, signed_in=signed_in)
        raise RefusedError("redirect", address, detail=f"more than {MOST_REDIRECTS} redirects")

    def _ask(self, method: str, address: str, headers: dict[str, str]) -> tuple[urllib3.BaseHTTPResponse, bool]:
        if self._stopped.is_set():
            raise RefusedError("stopped", address)
        secret = self._credentials.header(address) if self._credentials else None
        sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        if secret:
            sent["Authorization"] = secret
        try:
            response = self._pool(Origin.of(address)).request(
                method, address, headers=sent, redirect=False, retries=False, preload_content=False,
                timeout=urllib3.Timeout(self._patience.seconds),
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise RefusedError("lost", address, detail=_cause(error)) from None
        return response, secret is not None

    def _pool(self, origin: Origin) -> urllib3.PoolManager:
        """Return the connections to an origin: straight, or through the proxy that the environment names for it."""
        proxy = urllib.request.getproxies().get(origin.scheme, "")
        if origin.is_loopback or urllib.request.proxy_bypass(origin.host):
            proxy = ""
        if proxy not in self._pools:
            self._pools[proxy] = _through(proxy) if proxy else urllib3.PoolManager(maxsize=_POOL)
        return self._pools[proxy]


def _through(proxy: str) -> urllib3.ProxyManager:
    parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    user = f"{parts.username}:{parts.password or ''}" if parts.username else None
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
    return urllib3.ProxyManager(place, proxy_headers=headers, maxsize=_POOL)


def _accepted(response: urllib3.BaseHTTPResponse, address: str, *, signed_in: bool) -> urllib3.BaseHTTPResponse:
    if response.status < 400 or response.status == 416:
        return response
    wait = _wait(response.headers.get("Retry-After"))
    response.close()
    raise RefusedError("status", address, status=response.status, signed_in=signed_in, wait=wait)


def _redirected(address: str, location: str, *, signed_in: bool) -> str:
    """Return where a redirect leads, if it may be followed."""
    target = urljoin(address, location)
    if "login" in urlsplit(target).path.split("/"):
        raise RefusedError("login", address, signed_in=signed_in)
    try:
        origin = Origin.of(target)
    except UsageError:
        raise RefusedError("redirect", address, detail="a redirect leads to no address of http or https") from None
    if origin.scheme == "http" and Origin.of(address).scheme == "https":
        raise RefusedError("redirect", address, detail="a redirect leads from https to plain http")
    return target


def _refuse_page(response: urllib3.BaseHTTPResponse, address: str) -> None:
    if response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
        raise RefusedError("page", address)


def _refuse_large(address: str, size: int, largest: int) -> None:
    if size > largest:
        raise RefusedError("large", address, detail=f"more than {largest:,} bytes")


def _start(response: urllib3.BaseHTTPResponse, have: int) -> int:
    """Return the place in the file that the answer begins with; -1 where it is not said."""
    if response.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-\d+/", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _total(response: urllib3.BaseHTTPResponse) -> int | None:
    return _number(response.headers.get("Content-Range", "").rpartition("/")[2])


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _wait(text: str | None) -> float | None:
    """Return the seconds of a Retry-After, which has a number or a date."""
    seconds = _number(text)
    if seconds is not None or not text:
        return None if seconds is None else float(seconds)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cause(error: Exception) -> str:
    """Return the short reason of a lost connection, without the client's own wrapping and without addresses."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the host's name is not known here"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "its certificate or encryption is not accepted"
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # before its parent, a time-out
        return "no connection could be made"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    return "the connection was cut"
