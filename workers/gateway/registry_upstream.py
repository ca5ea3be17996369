"""Fetches from package registries within bounds: only from hosts that are configured or that their pages name."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from workers.gateway.registry_settings import Registry, RegistrySettings
from workers.runtime.private_hosts import is_private_host

MAX_PAGE_BYTES = 64 * 2**20  # the largest npm descriptions have 30 MiB
MAX_FILE_BYTES = 2 * 2**30  # the largest wheels on PyPI have nearly 1 GiB
MAX_REDIRECTS = 4
READ_BYTES = 65_536
TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # seconds, for each read
USER_AGENT = "trackwalker"
ANY = "*/*"  # Accept header for files; pages are requested by type


class Unavailable(Exception):
    """The registry does not have the file or page, does not answer, or gives an unusable answer.

    Args:
        status: the status with which the proxy answers.
        is_missing: True if the registry does not have the file or page, which is usual with more than one index.
    """

    def __init__(self, status: int, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(reason)
        self.status, self.is_missing = status, is_missing


@dataclass(frozen=True)
class Page:
    """A page that a registry answered with."""

    url: str
    text: str
    content_type: str


class Upstream:
    """The registries, as the worker reaches them.

    Args:
        http: a client to use instead; it must not follow redirects.
    """

    def __init__(self, settings: RegistrySettings, http: httpx.Client | None = None) -> None:
        registries = (*settings.indexes, *settings.links, settings.npm, *settings.scopes.values())
        self._configured = {registry.host.lower() for registry in registries} - {""}
        self._named: set[str] = set()
        """Hosts that a registry's page has named in this run."""
        self._lock = threading.Lock()
        if http is None:
            context = ssl.create_default_context(cafile=settings.certificates)
            http = httpx.Client(verify=context, timeout=TIMEOUT, follow_redirects=False)
        self._http = http

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def page(self, registry: Registry, url: str, accept: str) -> Page:
        """A page of a registry. Raises Unavailable."""
        with self.open(registry, url, accept) as (chunks, content_type, final_url):
            body = bytearray()
            for chunk in chunks:
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    raise Unavailable(502, "the page is too large")
        try:
            return Page(final_url, body.decode(), content_type)
        except UnicodeDecodeError:
            raise Unavailable(502, "the page is not UTF-8") from None

    def may_name(self, registry: Registry, url: str) -> bool:
        """True if a page of the registry may name a file at this address; its host is then allowed for redirects.

        A remote page names no file of this machine, no plain HTTP beside its own HTTPS, and no host of a private
        network that is not configured itself.
        """
        own, parts = urlsplit(registry.url), urlsplit(url)
        if parts.scheme == "file":
            return own.scheme == "file"
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or parts.username is not None or not host:
            return False
        if own.scheme == "https" and parts.scheme == "http":
            return False
        if host not in self._configured and is_private_host(host):
            return False
        with self._lock:
            self._named.add(host)
        return True

    @contextmanager
    def open(
        self, registry: Registry, url: str, accept: str = ANY
    ) -> Iterator[tuple[Iterator[bytes], str, str]]:
        """The content in chunks, its type, and the address after redirects. Raises Unavailable.

        Args:
            registry: the registry whose credential is sent, to its own origin only.
        """
        if urlsplit(url).scheme == "file":
            yield _read_file(url), "text/html", url
            return
        try:
            with self._respond(registry, url, accept) as response:
                kind = response.headers.get("content-type", "").lower()
                # A file is asked for and hashed as it is; a server that compresses it again would change its bytes.
                chunks = response.iter_raw(READ_BYTES) if accept == ANY else response.iter_bytes(READ_BYTES)
                yield chunks, kind, str(response.url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unavailable(502, f"the registry does not answer ({type(error).__name__})") from error

    @contextmanager
    def _respond(self, registry: Registry, url: str, accept: str) -> Iterator[httpx.Response]:
        for _ in range(MAX_REDIRECTS + 1):
            headers = {"Accept": accept, "User-Agent": USER_AGENT}
            if accept == ANY:
                headers["Accept-Encoding"] = "identity"
            if registry.authorization and _origin(url) == _origin(registry.url):
                headers["Authorization"] = registry.authorization
            with self._http.stream("GET", url, headers=headers) as response:
                if not response.has_redirect_location:
                    if response.status_code != 200:
                        raise _unavailable(response.status_code)
                    yield response
                    return
                target = urljoin(url, response.headers["location"])
            if not self._may_follow(url, target):
                raise Unavailable(502, "the registry redirects to a host that its pages do not name")
            url = target
        raise Unavailable(502, "the registry redirects too often")

    def _may_follow(self, url: str, target: str) -> bool:
        before, after = urlsplit(url), urlsplit(target)
        if after.scheme not in ("http", "https") or (before.scheme == "https" and after.scheme == "http"):
            return False
        return (after.hostname or "").lower() in self._configured | self._named


def _unavailable(status: int) -> Unavailable:
    if status in (404, 410):
        return Unavailable(404, "the registry does not have it", is_missing=True)
    # Installers repeat a request after 502, which does not help against a wrong credential.
    is_temporary = status == 429 or status >= 500
    return Unavailable(502 if is_temporary else 403, f"the registry answered {status}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _read_file(url: str) -> Iterator[bytes]:
    """A file of this machine; the page of a folder is its index.html, else the list of its files."""
    path = Path(unquote(urlsplit(url).path))
    try:
        if path.is_dir():
            page = path / "index.html"
            names = sorted(item.name for item in path.iterdir() if item.is_file())
            listing = "".join(f'<a href="{name}"></a>' for name in names if '"' not in name)
            yield page.read_bytes() if page.is_file() else listing.encode()
            return
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                yield chunk
    except OSError:
        raise Unavailable(404, "no such file", is_missing=True) from None
