"""Requests at the edge that are alike, counted: ids in the path are masked, query strings dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workers.clients.railway import HttpLine
from workers.investigation.evidence.log_patterns import strip
from workers.models import RequestPattern
from workers.runtime.redaction import redact

MOST_PATTERNS = 12
LONGEST_PATH = 200
IDENTIFIER = re.compile(
    r"^(?:\d+|[0-9a-f]{8}-[0-9a-f-]{27}|(?=.*\d)[0-9a-f]{8,}|(?=.*\d)(?=.*[A-Za-z])[\w-]{12,}"
    r"|[A-Za-z]{1,8}[-_]\d[\w-]*|.*\[redacted\].*|.*%40.*|.*@.*)$",
    re.I,
)


def plain_path(path: str) -> str:
    """The path without query and fragment, redacted and short."""
    return redact(strip(path).split("?")[0].split("#")[0].replace("\n", ""))[:LONGEST_PATH] or "/"


def route_of(path: str) -> str:
    """`/orders/17/gift` as `/orders/:id/gift`."""
    parts = plain_path(path).split("/")
    return "/".join(":id" if IDENTIFIER.match(part) else part for part in parts)


def request_patterns(lines: Iterable[HttpLine], most: int = MOST_PATTERNS) -> tuple[RequestPattern, ...]:
    """The most frequent kinds of requests first."""
    groups: dict[tuple[str, str, int, bool], list[HttpLine]] = {}
    for line in lines:
        key = (line.method.upper()[:10], route_of(line.path), line.status, line.platform_answer)
        groups.setdefault(key, []).append(line)
    made = [
        RequestPattern(
            method=method, route=route, path=plain_path(_typical(alike).path), status=status,
            count=len(alike), slowest_ms=max(line.ms for line in alike), platform_answer=platform,
        )
        for (method, route, status, platform), alike in groups.items()
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda one: (-one.count, one.route, one.status))[:most])


def _typical(alike: Sequence[HttpLine]) -> HttpLine:
    """The slowest one: of requests that fail or are slow it shows most."""
    return max(alike, key=lambda line: (line.ms, line.timestamp))
