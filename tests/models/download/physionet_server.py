"""PhysioNet on this machine: a real HTTP server that does what servers do, well and badly.

Basic authentication, ranges or none, redirects (to another host too), cut connections, wrong bytes, refusals, login
pages, a list of programs that it takes passwords from, and folder pages for `wget -r`.
"""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

USER, PASSWORD = "a.researcher", "Pässwort:4711-geheim"
ROOT = "/files/medical-ai-research-foundation/1.0.0/"
LIST = "SHA256SUMS.txt"


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: Message  # whose names have no case


@dataclass
class Site:
    """What lies there, how it behaves, and what it was asked.

    Attributes:
        files: Path below ROOT to bytes.
        address: http://HOST:PORT
        guarded: Whether it asks for USER and PASSWORD.
        signed: Whether the account has signed the licence.
        programs: Pattern of the programs that passwords are taken from; None takes them from all.
        ranges: Whether ranges are understood.
        heads: Whether HEAD is.
        cut: Path to the numbers of bytes after which a connection is cut, one a request.
        wrong: Paths of which one byte is another.
        answers: Path to statuses (with headers) that come first, one a request; `*` for every path.
        redirects: Path to where it leads.
        pages: Paths in place of which a web page comes.
        asked: All requests, in order.
    """

    files: dict[str, bytes]
    address: str = ""
    guarded: bool = True
    signed: bool = True
    programs: str | None = None
    ranges: bool = True
    heads: bool = True
    cut: dict[str, list[int]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The address for --base-url."""
        return self.address + ROOT

    def gets(self, path: str) -> list[Asked]:
        """Return the GET requests for a path below ROOT."""
        return [asked for asked in self.asked if asked.method == "GET" and asked.path == ROOT + path]


def with_list(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files and, as the site has it, the list of their hashes."""
    lines = [f"{sha256(data).hexdigest()} {path}" for path, data in sorted(files.items())]
    return {**files, LIST: ("\n".join(lines) + "\n").encode()}


@contextmanager
def serve(site: Site, host: str = "127.0.0.1") -> Iterator[Site]:
    """Serve a site on a free port of this machine while the block runs."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, site)

        def do_HEAD(self) -> None:
            _answer(self, site)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:  # a client that goes away is no error of ours
            pass

    server = Server((host, 0), Answer)
    site.address = f"http://{host}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(request: BaseHTTPRequestHandler, site: Site) -> None:
    site.asked.append(Asked(request.command, request.path, request.headers))
    path = request.path.partition("?")[0].removeprefix(ROOT)
    if request.command == "HEAD" and not site.heads:
        return _say(request, 405)
    for key in (path, "*"):
        if site.answers.get(key):
            status, headers = site.answers[key].pop(0)
            return _say(request, status, headers)
    if path in site.redirects:
        return _say(request, 302, {"Location": site.redirects[path]})
    if path in site.pages or request.path.startswith("/login"):
        return _send(request, site, path, b"<html><form>Sign in</form></html>", "text/html; charset=utf-8")
    refused = _refused(request, site)
    if refused:
        return _say(request, refused, {"WWW-Authenticate": 'Basic realm="PhysioNet"'} if refused == 401 else {})
    if path == "" or path.endswith("/"):
        return _send(request, site, path, _index(site, path), "text/html")
    if path not in site.files:
        return _say(request, 404)
    data = site.files[path]
    if path in site.wrong:
        data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    return _send(request, site, path, data, "text/plain" if path.endswith(".txt") else "application/octet-stream")


def _refused(request: BaseHTTPRequestHandler, site: Site) -> int:
    if not site.guarded:
        return 0
    known = site.programs is None or re.match(site.programs, request.headers.get("User-Agent", ""))
    scheme, _, code = request.headers.get("Authorization", "").partition(" ")
    right = scheme == "Basic" and base64.b64decode(code).decode() == f"{USER}:{PASSWORD}"
    if not known:  # as MIT-LCP/physionet-build answers: the password is not even looked at
        return 403
    return 0 if right and site.signed else 403 if right else 401


def _index(site: Site, path: str) -> bytes:
    below = {name.removeprefix(path).partition("/")[0:2] for name in site.files if name.startswith(path)}
    links = [f'<a href="{name}{slash}">{name}</a>' for name, slash in sorted(below)]
    return ("<html>" + "\n".join(links) + "</html>").encode()


def _send(request: BaseHTTPRequestHandler, site: Site, path: str, data: bytes, kind: str) -> None:
    start, status = 0, 200
    match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    headers = {"Content-Type": kind}
    if match and site.ranges:
        start, status = int(match[1]), 206
        if start >= len(data):
            return _say(request, 416, {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(data) - start)}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "HEAD":
        return None
    cut = site.cut[path].pop(0) if site.cut.get(path) else None
    with contextlib.suppress(OSError):
        request.wfile.write(data[start : None if cut is None else start + cut])
    if cut is not None:
        request.wfile.flush()
        request.close_connection = True
    return None


def _say(request: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str] | None = None) -> None:
    request.send_response(status)
    for name, value in {**(headers or {}), "Content-Length": "0"}.items():
        request.send_header(name, value)
    request.end_headers()
