"""A stand-in for the model hub that speaks its protocol: revision, tree, HEAD and GET of files by commit."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40


@dataclass
class Hub:
    """Where it listens, and what it was asked."""

    url: str
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, user agent."""


@contextmanager
def serving(folder: Path, repo: str = "acme/tiny", gated: str = "acme/gated") -> Iterator[Hub]:
    """Serves the folder's files as `repo` at `main` and at COMMIT; `gated` refuses."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path, self.headers.get("User-Agent", "")))
            files = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*")) if file.is_file()}
            if path.startswith((f"/api/models/{gated}", f"/{gated}/")):
                return self._send(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}, body)
            if path.startswith(f"/api/models/{repo}"):
                rest = path.removeprefix(f"/api/models/{repo}").strip("/").split("/")
                if len(rest) > 1 and rest[1] not in {"main", COMMIT}:
                    return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
                if rest[0] == "tree":
                    rows = [
                        {"type": "file", "path": name, "size": file.stat().st_size, "oid": _sha(file)}
                        for name, file in files.items()
                    ]
                    return self._send(200, json.dumps(rows).encode(), {}, body)
                facts = {"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "tags": [],
                         "siblings": [{"rfilename": name} for name in files]}  # fmt: skip
                return self._send(200, json.dumps(facts).encode(), {}, body)
            for revision in ("main", COMMIT):
                start = f"/{repo}/resolve/{revision}/"
                if path.startswith(start) and path.removeprefix(start) in files:
                    file = files[path.removeprefix(start)]
                    facts_of = {"ETag": f'"{_sha(file)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
                    return self._send(200, file.read_bytes(), facts_of, body)
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)

        def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
