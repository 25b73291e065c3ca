"""A Hub on this machine: enough of its protocol for the real client to list and fetch the files of one repository."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@contextmanager
def hub(files: Mapping[str, bytes], *, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Serve `files` as OWNER/NAME, or answer everything with `status`; yields the address and the paths asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_POST(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, body: bool) -> None:
            asked.append(self.path)
            content, code = self._content()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            if code == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("ETag", '"' + f"{hash(content) & 0xFFFFFFFF:08x}" + '"')
            self.end_headers()
            if body:
                self.wfile.write(content)

        def _content(self) -> tuple[bytes, int]:
            if status != 200:
                return b"{}", status
            if self.path.startswith("/api/models/"):
                siblings = [{"rfilename": name} for name in files]
                listing = {"id": "lab/enc", "sha": COMMIT, "siblings": siblings}
                if "/tree/" in self.path:
                    tree = [
                        {"type": "file", "path": name, "size": len(content), "oid": f"{number:040x}"}
                        for number, (name, content) in enumerate(files.items())
                    ]
                    return json.dumps(tree).encode(), 200
                return json.dumps(listing).encode(), 200
            name = self.path.partition(f"/resolve/{COMMIT}/")[2]
            return (files[name], 200) if name in files else (b"", 404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
