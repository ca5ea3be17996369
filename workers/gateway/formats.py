"""The four model APIs: the requests that an agent may send, the reports in their streams, and their errors. Pure.

Requests are judged by allow-lists: a field, a part or a tool that is not listed here is refused, because a provider may
act on it by itself (fetch an address, run code, keep the conversation, bill another rate). Field names are those of
the providers' API references as of November 2026.
"""

from __future__ import annotations

import json
from typing import Any

from workers.gateway.anthropic_format import MESSAGES
from workers.gateway.format_checks import Format, FormatName, NotAllowed, Progress, TokenUsage, is_too_deep
from workers.gateway.google_format import GEMINI
from workers.gateway.openai_formats import CHAT, RESPONSES

__all__ = [
    "FORMATS",
    "Format",
    "FormatName",
    "NotAllowed",
    "Progress",
    "TokenUsage",
    "merge_usage",
    "parse_request",
]

FORMATS: dict[FormatName, Format] = {api.name: api for api in (CHAT, RESPONSES, MESSAGES, GEMINI)}


def parse_request(api: Format, body: bytes) -> dict[str, Any]:
    """The request's object, if everything in it may be passed on. Raises NotAllowed."""
    try:
        request = json.loads(body.decode(), parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise NotAllowed("the body is not a JSON object") from None
    if not isinstance(request, dict) or is_too_deep(request):
        raise NotAllowed("the body is not a JSON object, or nests too deep")
    for name in request:
        if name not in api.fields:
            raise NotAllowed(f"the field {name[:60]!r} is not passed on")
    api.check(request)
    return request


def _reject_constant(text: str) -> None:
    raise ValueError(text)


def merge_usage(before: TokenUsage | None, later: TokenUsage | None) -> TokenUsage | None:
    """The usage after another report. Reports are running totals; Anthropic's last one may leave the input out."""
    if before is None or later is None:
        return later or before
    if later.total == later.output:
        return TokenUsage(
            before.input, before.cache_read, before.cache_write, max(before.output, later.output)
        )
    return later
