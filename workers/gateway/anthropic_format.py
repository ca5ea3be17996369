"""Anthropic's messages: the parts of a request that are passed on, and the reports in its answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.gateway.format_checks import (
    Format,
    Progress,
    TokenUsage,
    error_text,
    known_type,
    lower_limits,
    objects,
    one_of,
    token_count,
    token_number,
)

THINKING_MINIMUM = 1024  # Anthropic's smallest thinking budget, in tokens


MESSAGES_FIELDS = frozenset((
    "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools",
    "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier", "cache_control",
))  # fmt: skip
MESSAGES_PARTS = frozenset(
    ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking")
)
INLINE_SOURCES = frozenset(("base64", "text", "content"))


def _check_messages(request: dict[str, Any]) -> None:
    one_of(request, "service_tier", ("standard_only", "auto", None))
    request.pop("metadata", None)
    system = request.get("system")
    for part in objects(system, "system") if not isinstance(system, str | None) else ():
        known_type(part, frozenset(("text",)), "a part of system")
    for message in objects(request.get("messages"), "messages"):
        _check_anthropic_content(message.get("content"))
    for tool in objects(request.get("tools") or [], "tools"):
        known_type(tool, frozenset(("custom",)), "a tool", "custom")


def _check_anthropic_content(content: Any) -> None:
    for part in objects(content, "content") if not isinstance(content, str | None) else ():
        kind = known_type(part, MESSAGES_PARTS, "a part")
        if kind == "tool_result":
            _check_anthropic_content(part.get("content"))
        if kind in ("image", "document"):
            source = part.get("source")
            kind = known_type(source if isinstance(source, dict) else {}, INLINE_SOURCES, "a source")
            if kind == "content" and isinstance(source, dict):
                _check_anthropic_content(source.get("content"))


def _clamp_messages(request: dict[str, Any], maximum: int) -> int:
    limit = lower_limits(request, ("max_tokens",), "max_tokens", maximum)
    thinking = request.get("thinking")
    if isinstance(thinking, dict) and thinking.get("budget_tokens") is not None:
        # The API refuses a budget that is not below max_tokens.
        budget = min(token_number(thinking["budget_tokens"]) or 0, limit - 1)
        request["thinking"] = (
            thinking | {"budget_tokens": budget} if budget >= THINKING_MINIMUM else {"type": "disabled"}
        )
    return limit


def _messages_progress(event: Mapping[str, Any]) -> Progress:
    kind, message = event.get("type"), event.get("message")
    holder = message if kind == "message_start" and isinstance(message, Mapping) else event
    reported, usage = holder.get("usage"), None
    if isinstance(reported, Mapping):
        usage = TokenUsage(
            token_count(reported, "input_tokens"), token_count(reported, "cache_read_input_tokens"),
            token_count(reported, "cache_creation_input_tokens"), token_count(reported, "output_tokens"),
        )  # fmt: skip
    failure = error_text(event.get("error") or "error") if kind == "error" else ""
    finished = kind == "message_stop" or (kind == "message" and bool(event.get("stop_reason")))
    return Progress(usage, finished, failure)


def _messages_error(status: int, message: str) -> dict[str, Any]:
    kinds = {
        401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
    }  # fmt: skip
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


MESSAGES = Format(
    "messages",
    MESSAGES_FIELDS,
    "messages",
    _check_messages,
    _clamp_messages,
    _messages_progress,
    _messages_error,
)
