"""Requirement files that name their own package index, which an installation in the sandbox cannot reach."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from workers.clients.git import safe_read, safe_write
from workers.errors import Refused
from workers.gateway.registry_settings import RegistrySettings

INDEX_LINE = re.compile(
    r"[ \t]*(?:-i|--index-url|--extra-index-url|-f|--find-links)(?:[ \t]+|[ \t]*=[ \t]*)(\S+)[ \t]*(?:#.*)?"
)
INCLUDE_LINE = re.compile(
    r"[ \t]*(?:-r|--requirement|-c|--constraint)(?:[ \t]+|[ \t]*=[ \t]*)(\S+)[ \t]*(?:#.*)?"
)
MAX_FILES = 50  # with those that they include


def drop_configured_indexes(folder: Path, files: Sequence[str], settings: RegistrySettings) -> None:
    """Remove the lines that name an index of the worker's own settings: pip reaches it through the registry proxy.

    pip-compile writes such a line. With another index the line stays and the installation fails: without it, pip would
    take a package of the same name from somewhere else.

    Args:
        folder: the folder of the service in a tree that is used for the installation only.
        files: requirement files, relative to the folder.
    """
    configured = {_plain(registry.url) for registry in (*settings.indexes, *settings.links)}
    queue, read_paths = list(files), set[str]()
    while queue and len(read_paths) < MAX_FILES:
        path = posixpath.normpath(queue.pop(0))
        text = None if path in read_paths else safe_read(folder, path)
        read_paths.add(path)
        if text is None or path.startswith("../"):
            continue
        lines = text.splitlines()
        included = [match[1] for line in lines if (match := INCLUDE_LINE.fullmatch(line))]
        queue += [posixpath.join(posixpath.dirname(path), name) for name in included]
        kept = [line for line in lines if not _names(line, configured)]
        if kept != lines:
            with suppress(Refused):  # a link: the line stays
                safe_write(folder, path, ("\n".join(kept) + "\n").encode())


def _names(line: str, configured: set[str]) -> bool:
    match = INDEX_LINE.fullmatch(line)
    return match is not None and _plain(match[1]) in configured


def _plain(url: str) -> str:
    """The address without credentials, as registries are compared."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path.rstrip('/')}"
