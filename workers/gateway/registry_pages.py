"""Reads the answers of registries: pages of Python packages, and descriptions of npm packages. Pure.

The text of a registry is never passed on. Each page is rendered anew from the links that could be parsed, so that a
program in the sandbox sees only addresses of the proxy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

# Names of a wheel or a source distribution, as the packaging specifications spell them.
PYTHON_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}\.(?:whl|tar\.gz|tgz|zip|tar\.bz2|tar\.xz)")
NPM_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~@-]{0,250}")
HASH = re.compile(r"sha256[=:]([0-9a-fA-F]{64})")
JSON_PAGE = (
    "application/vnd.pypi.simple.v1+json"  # https://packaging.python.org/specifications/simple-repository-api
)


@dataclass(frozen=True)
class PackageFile:
    """A file that a registry names.

    Attributes:
        url: its address, without fragment.
        sha256: its digest; "" if the page names none.
        requires_python: the versions of Python that it is for; "" for all.
        metadata_sha256: digest of the metadata that lies beside the file; None if there is none, "" if it is not named.
        yanked: the reason why it should not be installed any more; None if it may.
    """

    name: str
    url: str
    sha256: str = ""
    requires_python: str = ""
    metadata_sha256: str | None = None
    yanked: str | None = None


def read_page(text: str, content_type: str, url: str) -> list[PackageFile]:
    """The files on a page of Python packages, in HTML or JSON. Raises ValueError if it is neither.

    Args:
        url: address of the page, for its relative links.
    """
    if JSON_PAGE in content_type or content_type.startswith("application/json"):
        items = json.loads(text).get("files", [])
        return [file for item in items if (file := _from_json(item, url))]
    parser = _LinkParser(url)
    parser.feed(text)
    return [file for attributes in parser.links if (file := _from_link(attributes, parser.base))]


def _from_json(item: dict[str, Any], url: str) -> PackageFile | None:
    hashes = item.get("hashes") or {}
    metadata = item.get("core-metadata", item.get("dist-info-metadata"))
    yanked = item.get("yanked")
    return _file(
        str(item.get("filename", "")),
        urljoin(url, str(item.get("url", ""))),
        sha256=f"sha256={hashes.get('sha256', '')}",
        requires_python=str(item.get("requires-python") or ""),
        metadata=f"sha256={metadata.get('sha256', '')}" if isinstance(metadata, dict) else metadata,
        yanked=yanked if isinstance(yanked, str) else "" if yanked else None,
    )


def _from_link(attributes: dict[str, str], base: str) -> PackageFile | None:
    address, _, fragment = urljoin(base, attributes["href"].strip()).partition("#")
    name = unquote(urlsplit(address).path.rpartition("/")[2])
    return _file(
        name, address,
        sha256=fragment,
        requires_python=attributes.get("data-requires-python", ""),
        metadata=attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata")),
        yanked=attributes.get("data-yanked"),
    )  # fmt: skip


def _file(
    name: str, url: str, *, sha256: str, requires_python: str, metadata: object, yanked: str | None
) -> PackageFile | None:
    if not PYTHON_FILE.fullmatch(name) or any(character.isspace() for character in url):
        return None
    has_metadata = metadata not in (None, False, "false")
    return PackageFile(
        name, url.partition("#")[0], _digest(sha256), requires_python,
        _digest(str(metadata)) if has_metadata else None, yanked,
    )  # fmt: skip


def _digest(text: str) -> str:
    match = HASH.search(text)
    return match[1].lower() if match else ""


class _LinkParser(HTMLParser):
    """Collects the attributes of all links."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.base, self.links = url, list[dict[str, str]]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "base" and "href" in attributes:
            self.base = urljoin(self.base, attributes["href"])
        elif tag == "a" and "href" in attributes:
            self.links.append(attributes)


def render_page(files: Iterable[PackageFile], address: Callable[[PackageFile], str]) -> bytes:
    """The page as every pip understands it: HTML.

    Args:
        address: the path of a file at the proxy.
    """
    return "\n".join(
        ["<!DOCTYPE html><html><body>", *(_link(file, address(file)) for file in files), ""]
    ).encode()


def _link(file: PackageFile, address: str) -> str:
    attributes = {"href": address + (f"#sha256={file.sha256}" if file.sha256 else "")}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.metadata_sha256 is not None:
        value = f"sha256={file.metadata_sha256}" if file.metadata_sha256 else "true"
        # Older pips know the attribute under its first name only.
        attributes |= {"data-core-metadata": value, "data-dist-info-metadata": value}
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{escape(file.name)}</a><br>"


def read_npm_package(text: str, name: str, base: str, url: str) -> tuple[bytes, dict[str, str]]:
    """The description of an npm package with addresses of the proxy, and the address of each file by its name.

    Versions whose file has no plain name are left out.

    Args:
        base: address of the proxy, without a slash at the end.
        url: address of the description, for relative links.

    Raises:
        ValueError: the text is no description.
    """
    package = json.loads(text)
    if not isinstance(package, dict) or not isinstance(package.get("versions"), dict):
        raise ValueError("not the description of a package")
    files: dict[str, str] = {}
    versions = {}
    for version, description in package["versions"].items():
        dist = description.get("dist") if isinstance(description, dict) else None
        address = urljoin(url, str(dist.get("tarball", ""))) if isinstance(dist, dict) else ""
        file = unquote(urlsplit(address).path.rpartition("/")[2])
        if isinstance(dist, dict) and NPM_FILE.fullmatch(file):
            files[file] = address
            tarball = f"{base}/{quote(name, safe='@/')}/-/{quote(file, safe='@+~')}"
            versions[version] = description | {"dist": dist | {"tarball": tarball}}
    return json.dumps(package | {"versions": versions}).encode(), files
