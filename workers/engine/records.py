"""A record as it is stored: a version, then JSON, compressed when large; bounded both ways."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.errors import Refused

T = TypeVar("T")

VERSION = b"1"
COMPRESS_FROM = 1024
"""Bytes; below this a compressed record is hardly smaller."""
MAX_STORED_BYTES = 2**20
"""Bytes of one record as it is stored. The largest are surveys, some 1.2 KB a service: this is room for 800."""
MAX_JSON_BYTES = 16 * MAX_STORED_BYTES
"""Bytes of one record's JSON: no more is ever unpacked."""


class TooLarge(Refused):
    """What was found out does not fit into a record: nothing of it is kept, and that is told."""


@lru_cache(maxsize=128)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once a kind: to make one costs more than a record takes to be written."""
    return TypeAdapter(kind)


def pack(value: Any, kind: Any) -> bytes:
    """A record as it is stored: version, then JSON, compressed when large. Raises TooLarge."""
    text = _adapter(kind).dump_json(value)
    if len(text) < COMPRESS_FROM:
        return VERSION + b"j" + text
    blob = VERSION + b"z" + zlib.compress(text, 6) if len(text) <= MAX_JSON_BYTES else b""
    if not 0 < len(blob) <= MAX_STORED_BYTES:
        what = getattr(kind, "__name__", str(kind))
        raise TooLarge(f"too large for a record: {what}, {len(text) / 2**20:.1f} MiB of text")
    return blob


def is_newer(blob: bytes | None) -> bool:
    """Whether a worker of a newer version made the record: only that one can read it."""
    return blob is not None and blob[:1].isdigit() and blob[:1] > VERSION


def unpack(blob: bytes | None, kind: type[T]) -> T | None:
    """The value of a record; None when it is missing, of another version or unreadable: then it is made again."""
    text = json_text(blob)
    try:
        value: T | None = None if text is None else _adapter(kind).validate_json(text)  # type: ignore[arg-type]  # mypy takes a type for unhashable
    except ValidationError:
        return None
    return value


def json_text(blob: bytes | None) -> bytes | None:
    """The JSON of a record; None when it is missing, of another version, damaged, or would grow beyond MOST_TEXT."""
    if not blob or blob[:1] != VERSION:
        return None
    if blob[1:2] != b"z":
        return blob[2:]
    unzip = zlib.decompressobj()
    try:
        text = unzip.decompress(blob[2:], MAX_JSON_BYTES)
    except zlib.error:
        return None
    return text if unzip.eof else None
