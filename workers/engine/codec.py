"""How a record is stored in a journal: one version byte, one format byte, then JSON, compressed when it is large."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.errors import Refused

T = TypeVar("T")

VERSION = b"1"  # first byte of every record; raise it when an older worker could misread a newer record
COMPRESS_FROM = 1024  # bytes of JSON; a smaller record hardly shrinks
# Limit of one stored record. Surveys are the largest: about 1.2 KB per service, so 800 services fit.
MAX_STORED_BYTES = 2**20
MAX_JSON_BYTES = 16 * MAX_STORED_BYTES  # of one record's JSON; protects readers against a decompression bomb


class TooLarge(Refused):
    """A value does not fit into a record. Nothing of it is stored, and the failure is reported."""


@dataclass(frozen=True)
class Record(Generic[T]):
    """A named, typed value in a journal. `workers.engine.records` lists every record of the product.

    Args:
        name: the record's name; the journal's hash holds it in the field `r:<name>`.
        type: the type of the value, anything that pydantic can validate.
    """

    name: str
    type: type[T]

    @property
    def field(self) -> str:
        """The hash field that holds the record."""
        return f"r:{self.name}"

    def pack(self, value: T) -> bytes:
        """The value in its stored form. Raises TooLarge, with the record's name."""
        try:
            return pack(value, self.type)
        except TooLarge as error:
            raise TooLarge(f"{self.name}: {error}") from None

    def unpack(self, blob: bytes | None) -> T | None:
        """The value, or None if the record is missing, of another version or unreadable."""
        return unpack(blob, self.type)

    def read(self, fields: Mapping[str, bytes]) -> T | None:
        """The value from the fields of a hash, or None if the record is missing or unreadable."""
        return unpack(fields.get(self.field), self.type)

    def is_in(self, fields: Mapping[str, bytes]) -> bool:
        """True if the hash has the record, readable or not."""
        return self.field in fields


@lru_cache(maxsize=128)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Cached because building an adapter takes longer than writing the record.
    return TypeAdapter(kind)


def pack(value: Any, kind: Any) -> bytes:
    """The stored form of a value of type `kind`. Raises TooLarge."""
    text = _adapter(kind).dump_json(value)
    if len(text) < COMPRESS_FROM:
        return VERSION + b"j" + text
    blob = VERSION + b"z" + zlib.compress(text, 6) if len(text) <= MAX_JSON_BYTES else b""
    if not 0 < len(blob) <= MAX_STORED_BYTES:
        name = getattr(kind, "__name__", str(kind))
        raise TooLarge(f"too large for a record: {name}, {len(text) / 2**20:.1f} MiB of JSON")
    return blob


def is_newer(blob: bytes | None) -> bool:
    """True if a worker of a newer version wrote the record; only such a worker can read it."""
    return blob is not None and blob[:1].isdigit() and blob[:1] > VERSION


def unpack(blob: bytes | None, kind: type[T]) -> T | None:
    """The value of a stored record, or None if it is missing, of another version or unreadable.

    A stage treats None as "not recorded" and computes the value again.
    """
    text = json_text(blob)
    try:
        value: T | None = None if text is None else _adapter(kind).validate_json(text)  # type: ignore[arg-type]  # mypy takes a type for unhashable
    except ValidationError:
        return None
    return value


def json_text(blob: bytes | None) -> bytes | None:
    """The JSON of a record, or None if it is missing, of another version, damaged, or larger than MAX_JSON_BYTES."""
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
