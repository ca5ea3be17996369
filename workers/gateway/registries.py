"""The registry proxy: the only way to packages for an installation in the sandbox, which has no other network.

It answers GET and HEAD for the page of a Python package, the description of an npm package, and files that one of these
names. Only the names in a request's path are used; its headers and its query are dropped. Credentials of the registries
stay in the worker. One proxy serves one run, and its token is invalid afterwards.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import quote, unquote

from workers.gateway import registry_pages
from workers.gateway.http_server import HttpServer, Listener, Reply
from workers.gateway.installer_variables import installer_variables
from workers.gateway.registry_pages import PackageFile
from workers.gateway.registry_settings import Registry, RegistrySettings
from workers.gateway.registry_upstream import MAX_FILE_BYTES, Unavailable, Upstream
from workers.gateway.request_reader import Request
from workers.runtime.text import plural

MAX_REQUESTS = 20_000  # of one run: a large project has 2,000 packages, each with a description and a file
MAX_REFUSED = 200  # requests for anything but packages; an installer makes hardly any
MAX_TOTAL_BYTES = 8 * 2**30  # of all files of one run
MAX_NAMED_FILES = (
    1_000_000  # by the pages of one run; 2,000 packages with a hundred versions each name 200,000
)
PAGES_AT_ONCE = 2  # read and parsed; a page of 60 MB takes ten times as much memory
PYTHON_ACCEPT = f"{registry_pages.JSON_PAGE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# The short form, without readmes (https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md).
NPM_ACCEPT = "application/vnd.npm.install-v1+json, application/json;q=0.8"
PYTHON_PAGE = re.compile(r"/pip/(\d{1,3})/simple/([A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?)/?")
PYTHON_LINKS = re.compile(r"/pip/links/(\d{1,3})/?")
PYTHON_FILE = re.compile(r"/pip/files/([0-9a-f]{32})/([A-Za-z0-9][A-Za-z0-9._+!-]{0,250}?)(\.metadata)?")
NPM_NAME = r"(?:@[A-Za-z0-9~-][A-Za-z0-9._~-]{0,100}/)?[A-Za-z0-9~-][A-Za-z0-9._~-]{0,150}"
NPM_PACKAGE = re.compile(rf"/npm/({NPM_NAME})")
# A lock file names files by the paths of the registry that it was made with, which may begin with anything.
NPM_FILE = re.compile(
    rf"/npm/(?:[A-Za-z0-9._~-]+/){{0,8}}?({NPM_NAME})/-/([A-Za-z0-9][A-Za-z0-9._+~@-]{{0,250}})"
)

log = logging.getLogger("trackwalker.registries")


@dataclass(frozen=True)
class Fetched:
    """A file that was passed on."""

    name: str
    registry: str
    """The host of the registry that named it; `this machine` for a folder."""
    size: int
    sha256: str


@dataclass(frozen=True)
class _Source:
    """The registry of a file, and the file's expected name and digest."""

    registry: Registry
    file: PackageFile


@dataclass
class RegistryProxy:
    """The registries, for one run.

    Args:
        settings: where packages may come from.
        port: the port on 127.0.0.1 under which programs in the sandbox reach it.
        upstream: how the worker reaches the registries.
        token: part of every address, because other programs of the machine may reach the port, too.
    """

    settings: RegistrySettings
    port: int
    upstream: Upstream
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    fetched: list[Fetched] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Paths that it did not serve, for the message about a failed installation."""
    _sources: dict[str, _Source] = field(default_factory=dict)
    _npm_packages: set[str] = field(default_factory=set)
    _requests: int = 0
    _pages: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(PAGES_AT_ONCE))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = HttpServer(self._handle, max_body_bytes=0)

    @property
    def base(self) -> str:
        """The address of the proxy in the sandbox, with the token."""
        return f"http://127.0.0.1:{self.port}/{self.token}"

    def serve(self, accept: Listener) -> None:
        """Serve connections until `accept` raises OSError or the proxy is closed. Blocks."""
        self._server.serve(accept)

    def close(self) -> None:
        """End all connections, to programs and to registries."""
        self._server.close()
        self.upstream.close()

    def variables(self) -> dict[str, str]:
        """The environment variables that point pip, uv and npm at this proxy."""
        return installer_variables(self.base, self.settings)

    # -- requests -------------------------------------------------------------------------------------

    def _handle(self, request: Request, reply: Reply) -> None:
        try:
            path = self._checked_path(request)
            self._route(path)(request, reply)
        except Unavailable as error:
            if reply.started:
                return  # the server resets the connection, so that the client does not take a part for the file
            if not error.is_missing:
                self._refuse(request, error)
            reply.send(error.status, {"content-type": "text/plain"}, f"{error}\n".encode())

    def _checked_path(self, request: Request) -> str:
        """The path without the token. Raises Unavailable."""
        with self._lock:
            self._requests += 1
            is_over = self._requests > MAX_REQUESTS or len(self.refused) > MAX_REFUSED
        if is_over:
            raise Unavailable(429, "too many requests in one run")
        token, slash, rest = request.target.removeprefix("/").partition("/")
        if not slash or not compare_digest(token.encode(), self.token.encode()):
            raise Unavailable(403, "wrong token")
        if request.method not in ("GET", "HEAD") or request.body:
            raise Unavailable(405, "only GET and HEAD are supported")
        return "/" + unquote(rest)

    def _route(self, path: str) -> Callable[[Request, Reply], None]:
        if match := PYTHON_PAGE.fullmatch(path):
            registry = _at(self.settings.indexes, match[1])
            name = re.sub(r"[-_.]+", "-", match[2]).lower()  # PEP 503
            return lambda request, reply: self._send_page(request, reply, registry, f"{registry.url}/{name}/")
        if match := PYTHON_LINKS.fullmatch(path):
            links = _at(self.settings.links, match[1])
            url = links.url if links.url.endswith((".html", ".htm")) else f"{links.url}/"
            return lambda request, reply: self._send_page(request, reply, links, url)
        if match := PYTHON_FILE.fullmatch(path):
            source = self._python_source(match[1], match[2], is_metadata=bool(match[3]))
            return lambda request, reply: self._send_file(request, reply, source)
        if match := NPM_PACKAGE.fullmatch(path):
            name = match[1]
            return lambda request, reply: _send(request, reply, self._npm_package(name), "application/json")
        if match := NPM_FILE.fullmatch(path):
            source = self._npm_source(match[1], match[2])
            return lambda request, reply: self._send_file(request, reply, source)
        raise Unavailable(404, "not the address of a package")

    def _refuse(self, request: Request, error: Unavailable) -> None:
        path = request.target.replace(self.token, "…")[:200]
        with self._lock:
            self.refused.append(path)
        log.info("package not fetched", extra={"path": path, "why": str(error)})

    # -- Python ---------------------------------------------------------------------------------------

    def _send_page(self, request: Request, reply: Reply, registry: Registry, url: str) -> None:
        with self._pages:
            page = self.upstream.page(registry, url, PYTHON_ACCEPT)
            try:
                files = registry_pages.read_page(page.text, page.content_type, page.url)
            except (ValueError, AttributeError, TypeError, RecursionError):
                raise Unavailable(502, "the registry's answer is not a page of packages") from None
        served = [file for file in files if self.upstream.may_name(registry, file.url)]
        self._remember({_key(file.url): _Source(registry, file) for file in served})
        prefix = f"/{self.token}/pip/files"
        body = registry_pages.render_page(
            served, lambda file: f"{prefix}/{_key(file.url)}/{quote(file.name)}"
        )
        _send(request, reply, body, "text/html")

    def _python_source(self, key: str, name: str, *, is_metadata: bool) -> _Source:
        with self._lock:
            source = self._sources.get(key)
        if source is None or source.file.name != name:
            raise Unavailable(404, "no page that was read in this run lists the file")
        if not is_metadata:
            return source
        if source.file.metadata_sha256 is None:
            raise Unavailable(404, "the registry has no metadata for the file")
        beside = PackageFile(f"{name}.metadata", f"{source.file.url}.metadata", source.file.metadata_sha256)
        return _Source(source.registry, beside)

    # -- npm ------------------------------------------------------------------------------------------

    def _npm_package(self, name: str) -> bytes:
        """The description of a package. Its files can be fetched from then on."""
        registry = self.settings.scopes.get(name.partition("/")[0], self.settings.npm)
        with self._pages:
            page = self.upstream.page(registry, f"{registry.url}/{quote(name, safe='@')}", NPM_ACCEPT)
            try:
                body, files = registry_pages.read_npm_package(page.text, name, f"{self.base}/npm", page.url)
            except (ValueError, TypeError, RecursionError):
                raise Unavailable(502, "the registry's answer is not the description of a package") from None
        sources = {f"{name}/{file}": _Source(registry, PackageFile(file, url)) for file, url in files.items()}
        self._remember(sources)
        with self._lock:
            self._npm_packages.add(name)
        return body

    def _npm_source(self, name: str, file: str) -> _Source:
        if name not in self._npm_packages:  # a lock file names the file, so no description has been asked for
            self._npm_package(name)
        with self._lock:
            source = self._sources.get(f"{name}/{file}")
        if source is None or not self.upstream.may_name(source.registry, source.file.url):
            raise Unavailable(404, "the registry lists no such file")
        return source

    def _remember(self, sources: dict[str, _Source]) -> None:
        """Serve these files from now on."""
        with self._lock:
            if len(self._sources) + len(sources) > MAX_NAMED_FILES:
                raise Unavailable(429, "too many packages in one run")
            self._sources |= sources

    # -- files ----------------------------------------------------------------------------------------

    def _send_file(self, request: Request, reply: Reply, source: _Source) -> None:
        if request.method == "HEAD":
            _send(request, reply, b"", "application/octet-stream")
            return
        digest, size, total = hashlib.sha256(), 0, sum(item.size for item in self.fetched)
        with self.upstream.open(source.registry, source.file.url) as (chunks, _, _):
            reply.start(200, {"content-type": "application/octet-stream"})
            for chunk in chunks:
                size += len(chunk)
                digest.update(chunk)
                if size > MAX_FILE_BYTES or total + size > MAX_TOTAL_BYTES:
                    raise Unavailable(502, "the file, or all files of the run together, are too large")
                reply.write(chunk)
        if source.file.sha256 not in ("", digest.hexdigest()):
            log.warning("digest of package differs from its page", extra={"package": source.file.name})
            raise Unavailable(502, "the digest of the file is not the one on its page")
        host = source.registry.host or "this machine"
        self._record(Fetched(source.file.name, host, size, digest.hexdigest()))
        reply.finish()

    def _record(self, item: Fetched) -> None:
        with self._lock:
            self.fetched.append(item)
        facts = {"package": item.name, "registry": item.registry, "bytes": item.size, "sha256": item.sha256}
        log.debug("package fetched", extra=facts)


def describe_fetched(fetched: list[Fetched]) -> str:
    """The fetched packages in one line; "" if there are none."""
    files = {item.name for item in fetched if not item.name.endswith(".metadata")}
    if not files:
        return ""
    registries = {item.registry for item in fetched}
    return f"{plural(len(files), 'package')} fetched from {plural(len(registries), 'registry', 'registries')}"


def _send(request: Request, reply: Reply, body: bytes, content_type: str) -> None:
    reply.send(200, {"content-type": content_type}, b"" if request.method == "HEAD" else body)


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _at(registries: tuple[Registry, ...], number: str) -> Registry:
    if int(number) >= len(registries):
        raise Unavailable(404, "no such registry")
    return registries[int(number)]
