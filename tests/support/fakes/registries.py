"""A stand-in for package registries: an index of Python packages and an npm registry, from memory."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeRegistry:
    """Answers by path. `requests` are the method, path and headers that arrived; `authorization` is demanded if set."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    authorization: str = ""
    url: str = ""

    @property
    def paths(self) -> list[str]:
        """The paths of all requests."""
        return [path for _, path, _ in self.requests]

    def add(self, path: str, body: bytes | str, content_type: str = "text/html", status: int = 200) -> None:
        """Answer this path with the body."""
        content = body.encode() if isinstance(body, str) else body
        self.answers[path] = (status, {"Content-Type": content_type}, content)

    def redirect(self, path: str, target: str) -> None:
        """Redirect this path."""
        self.answers[path] = (302, {"Location": target}, b"")

    def add_wheel(self, name: str, code: str, *, files_url: str = "") -> bytes:
        """A Python package of one module, on its page of the index. Returns the wheel."""
        file, content = f"{name}-1.0-py3-none-any.whl", wheel(name, code)
        digest = hashlib.sha256(content).hexdigest()
        self.add(
            f"/simple/{name}/", f'<a href="{files_url or "../../files"}/{file}#sha256={digest}">{file}</a>'
        )
        if not files_url:
            self.add(f"/files/{file}", content, "application/zip")
        return content

    def add_npm(self, name: str, code: str, *, tarball: str = "", **fields: object) -> bytes:
        """An npm package of one file. Returns the tarball."""
        content = npm_tarball(name, code, **fields)
        file = f"{name.rpartition('/')[2]}-1.0.0.tgz"
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
        dist = {"tarball": tarball or f"{self.url}/{name}/-/{file}", "integrity": integrity}
        version = {"name": name, "version": "1.0.0", "dist": dist, **fields}
        package = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        self.add(f"/{name.replace('/', '%2F')}", json.dumps(package), "application/json")
        self.add(f"/{name}/-/{file}", content, "application/octet-stream")
        return content

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """The answer to one request."""
        self.requests.append((method, path, headers))
        if self.authorization and headers.get("authorization") != self.authorization:
            return 401, {}, b"no credential"
        return self.answers.get(path, (404, {}, b"nothing here"))


def wheel(name: str, code: str) -> bytes:
    """A wheel of one module."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files = {
        f"{name}.py": code, f"{name}-1.0.dist-info/METADATA": metadata,
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    record = "".join(f"{path},,\n" for path in files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, text in (files | {f"{name}-1.0.dist-info/RECORD": record}).items():
            archive.writestr(path, text)
    return stream.getvalue()


def npm_tarball(name: str, code: str, **fields: object) -> bytes:
    """The tarball of an npm package."""
    manifest = json.dumps({"name": name, "version": "1.0.0", "main": "index.js", **fields})
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in (("package/package.json", manifest), ("package/index.js", code)):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


@contextmanager
def serve_registry() -> Iterator[FakeRegistry]:
    """A stand-in registry on a port of 127.0.0.1."""
    registry = FakeRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, own, body = registry.answer(self.command, self.path, headers)
            self.send_response(status)
            for name, value in (own | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
