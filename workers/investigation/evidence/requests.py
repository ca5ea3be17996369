"""Groups requests at Railway's edge proxy that are alike: ids in the path are masked, query strings dropped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workers.clients.railway import HttpLine
from workers.investigation.logs.log_records import clean_log_text
from workers.models import RequestPattern
from workers.runtime.redaction import redact

MAX_PATTERNS = 12  # kinds of requests
MAX_PATH_CHARS = 200  # longer paths are attacks or contain data
# A path segment that identifies one thing or person: numbers, UUIDs, hashes, `ord-17`, e-mail addresses.
IDENTIFIER = re.compile(
    r"^(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27}|(?=.*\d)[0-9a-f]{8,}|(?=.*\d)(?=.*[A-Za-z])[\w-]{12,}"
    r"|[A-Za-z]{1,8}[-_]\d[\w-]*|.*\[redacted\].*|.*%40.*|.*@.*)$",
    re.I,
)


def plain_path(path: str) -> str:
    """The path without query and fragment, redacted and truncated: query strings carry tokens and personal data."""
    return redact(clean_log_text(path).split("?")[0].split("#")[0].replace("\n", ""))[:MAX_PATH_CHARS] or "/"


def route_of(path: str) -> str:
    """`/orders/17/gift` as `/orders/:id/gift`."""
    parts = plain_path(path).split("/")
    return "/".join(":id" if IDENTIFIER.match(part) else part for part in parts)


def group_requests(lines: Iterable[HttpLine], limit: int = MAX_PATTERNS) -> tuple[RequestPattern, ...]:
    """At most `limit` kinds of requests, the most frequent first."""
    return group_counted_requests(((line, 1) for line in lines), limit)


def group_counted_requests(
    requests: Iterable[tuple[HttpLine, int]], limit: int = MAX_PATTERNS
) -> tuple[RequestPattern, ...]:
    """The same for requests that are counted already: pairs of the slowest one and their number."""
    groups: dict[tuple[str, str, int, bool], list[tuple[HttpLine, int]]] = {}
    for line, count in requests:
        key = (line.method.upper()[:10], route_of(line.path), line.status, line.platform_answer)
        groups.setdefault(key, []).append((line, count))
    patterns = [
        RequestPattern(
            method=method, route=route, path=plain_path(_example(alike).path), status=status,
            count=sum(count for _, count in alike), slowest_ms=max(line.ms for line, _ in alike),
            platform_answer=platform,
        )
        for (method, route, status, platform), alike in groups.items()
    ]  # fmt: skip
    patterns.sort(key=lambda pattern: (-pattern.count, pattern.route, pattern.status))
    return tuple(patterns[:limit])


def _example(alike: Sequence[tuple[HttpLine, int]]) -> HttpLine:
    # The slowest request is the one that a person wants to repeat.
    return max((line for line, _ in alike), key=lambda line: (line.ms, line.timestamp))
