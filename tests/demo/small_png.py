"""Makes a screenshot small: 256 colours instead of 16 million. Pure Python, so that it needs no image library."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}
"""Bytes per pixel of PNG's colour types with 8 bits per channel: RGB and RGBA."""
MAX_COLOURS = 256


def shrink(picture: bytes) -> bytes:
    """A PNG file with at most 256 colours of the picture: all others become the nearest one of these."""
    chunks = list(_chunks(picture))
    width, height, depth, colour_type = struct.unpack(">IIBB", chunks[0][1][:10])
    if depth != 8:
        raise ValueError(f"a PNG with {depth} bits per channel")
    data = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    pixels = _pixels(data, width, height, CHANNELS[colour_type])
    counts = Counter(pixel for row in pixels for pixel in row)
    palette = [colour for colour, _ in counts.most_common(MAX_COLOURS)]
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in index:
            index[colour] = min(range(len(palette)), key=lambda number: _distance(palette[number], colour))
    rows = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = (
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", b"".join(palette)),
        _chunk(b"IDAT", zlib.compress(rows, 9)),
    )
    return SIGNATURE + b"".join(body) + _chunk(b"IEND", b"")


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(picture):
        length = int.from_bytes(picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _pixels(data: bytes, width: int, height: int, channels: int) -> list[list[bytes]]:
    """The rows of RGB triples, after PNG's filters (RFC 2083, section 6) are undone."""
    size = width * channels
    before, rows = bytearray(size), []
    for number in range(height):
        start = number * (size + 1)
        row = bytearray(data[start + 1 : start + 1 + size])
        _unfilter(data[start], row, before, channels)
        rows.append([bytes(row[at : at + 3]) for at in range(0, size, channels)])
        before = row
    return rows


def _unfilter(kind: int, row: bytearray, before: bytearray, channels: int) -> None:
    for at in range(len(row)):
        left = row[at - channels] if at >= channels else 0
        above = before[at]
        corner = before[at - channels] if at >= channels else 0
        predicted = (0, left, above, (left + above) // 2, _paeth(left, above, corner))[kind]
        row[at] = (row[at] + predicted) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
