"""Single Redis commands over a bare socket, in the Redis serialization protocol (RESP).

For the supervisor, which only asks whether its Valkey is alive: a client library would cost it 10 MB.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import unquote, urlsplit

LOADING = "-LOADING"  # how a server answers while it still reads its append-only file


def command(url: str, *words: str, timeout: float) -> str:
    """The first line of the answer, such as `+PONG` or `-ERR unknown command`; "" if there is no answer in time.

    Args:
        url: `redis://:password@host:port/…`; the database is ignored.
        timeout: seconds for connecting, and for each read.
    """
    parts = urlsplit(url)
    requests = [["AUTH", unquote(parts.password)], [*words]] if parts.password else [[*words]]
    with (
        suppress(OSError),
        socket.create_connection((parts.hostname, parts.port or 6379), timeout) as connection,
    ):
        connection.sendall(b"".join(map(_encode, requests)))
        answer = b""
        # A line per request: +OK to AUTH, then the answer. A refused AUTH is followed by a refused command.
        while answer.count(b"\r\n") < len(requests) and (more := connection.recv(4096)):
            answer += more
        lines = answer.decode(errors="replace").split("\r\n")
        return lines[len(requests) - 1] if len(lines) >= len(requests) else ""
    return ""


def _encode(words: list[str]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
