"""OpenAI's chat completions and responses: the parts that are passed on, and the reports in their answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.gateway.format_checks import (
    Format,
    NotAllowed,
    Progress,
    TokenUsage,
    data_only,
    error_text,
    known_type,
    lower_limits,
    objects,
    one_of,
    token_count,
)

SERVICE_TIERS = ("auto", "default", "flex")  # `priority` costs twice the list price


# ---- OpenAI chat completions ----

CHAT_FIELDS = frozenset((
    "model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "temperature", "top_p",
    "top_k", "min_p", "stop", "seed", "frequency_penalty", "presence_penalty", "repetition_penalty", "tools",
    "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "reasoning", "verbosity", "thinking",
    "enable_thinking", "chat_template_args", "chat_template_kwargs", "usage", "n", "store", "service_tier",
    "prompt_cache_key", "user", "safety_identifier", "modalities",
))  # fmt: skip
CHAT_PARTS = frozenset(("text", "image_url", "refusal", "thinking", "reasoning"))
CHAT_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))


def _check_chat(request: dict[str, Any]) -> None:
    one_of(request, "n", (1, None))
    one_of(request, "store", (False, None))
    one_of(request, "modalities", (["text"], None))
    one_of(request, "service_tier", (*SERVICE_TIERS, None))
    for message in objects(request.get("messages"), "messages"):
        if message.get("role") not in CHAT_ROLES:
            raise NotAllowed(f"a message of role {str(message.get('role'))[:60]!r} is not passed on")
        one_of(message, "audio", (None,))
        content = message.get("content")
        for part in objects(content, "content") if not isinstance(content, str | None) else ():
            if known_type(part, CHAT_PARTS, "a part") == "image_url":
                image = part.get("image_url")
                data_only(image.get("url") if isinstance(image, dict) else image, "image_url")
    for tool in objects(request.get("tools") or [], "tools"):
        known_type(tool, frozenset(("function",)), "a tool")
    if request.get("stream_options") is not None:
        request["stream_options"] = {"include_usage": True}


def _clamp_chat(request: dict[str, Any], maximum: int) -> int:
    return lower_limits(request, ("max_tokens", "max_completion_tokens"), "max_tokens", maximum)


def _chat_usage(usage: Any) -> TokenUsage | None:
    if not isinstance(usage, Mapping):
        return None
    sent, received = token_count(usage, "prompt_tokens"), token_count(usage, "completion_tokens")
    # Some providers count reasoning beside completion_tokens; only the total contains it then.
    received = max(received, token_count(usage, "total_tokens") - sent)
    read = token_count(usage, "prompt_tokens_details", "cached_tokens") or token_count(
        usage, "prompt_cache_hit_tokens"
    )
    written = token_count(usage, "prompt_tokens_details", "cache_write_tokens")
    read, written = min(read, sent), min(written, sent)
    return TokenUsage(max(0, sent - read - written), read, written, received) if sent + received else None


def _chat_progress(event: Mapping[str, Any]) -> Progress:
    choices = event.get("choices")
    finished = isinstance(choices, list) and any(
        isinstance(choice, Mapping) and choice.get("finish_reason") for choice in choices
    )
    groq = event.get("x_groq")  # Groq's place for the usage of a stream
    usage = _chat_usage(event.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None))
    return Progress(usage, finished, error_text(event.get("error")))


# ---- OpenAI responses ----

RESPONSES_FIELDS = frozenset((
    "model", "input", "instructions", "max_output_tokens", "stream", "stream_options", "temperature", "top_p", "tools",
    "tool_choice", "parallel_tool_calls", "max_tool_calls", "text", "reasoning", "include", "store", "truncation",
    "prompt_cache_key", "prompt_cache_retention", "user", "safety_identifier", "service_tier", "metadata", "background",
    "client_metadata",
))  # fmt: skip
RESPONSES_ITEMS = frozenset((
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
))  # fmt: skip
RESPONSES_PARTS = frozenset(
    ("input_text", "output_text", "input_image", "refusal", "summary_text", "reasoning_text")
)
RESPONSES_TOOLS = frozenset(("function", "custom"))  # the others run at the provider


def _check_responses(request: dict[str, Any]) -> None:
    one_of(request, "background", (False, None))
    one_of(request, "service_tier", (*SERVICE_TIERS, None))
    one_of(request, "store", (False, None))
    request["store"] = False  # the provider's default is to keep the conversation
    for name in ("metadata", "client_metadata", "background"):
        request.pop(name, None)
    included = request.get("include") or []
    if not isinstance(included, list) or set(map(str, included)) - {"reasoning.encrypted_content"}:
        raise NotAllowed("include may name reasoning.encrypted_content only")
    items = request.get("input")
    for item in objects(items, "input") if not isinstance(items, str) else ():
        _check_responses_item(item)
    for tool in objects(request.get("tools") or [], "tools"):
        known_type(tool, RESPONSES_TOOLS, "a tool")


def _check_responses_item(item: dict[str, Any]) -> None:
    known_type(item, RESPONSES_ITEMS, "an input item", "message" if "role" in item else "")
    for name in ("content", "output", "summary"):
        value = item.get(name)
        for part in objects(value, name) if not isinstance(value, str | None) else ():
            if known_type(part, RESPONSES_PARTS, "a part") == "input_image":
                one_of(part, "file_id", (None,))
                data_only(part.get("image_url"), "image_url")


def _clamp_responses(request: dict[str, Any], maximum: int) -> int:
    return lower_limits(request, ("max_output_tokens",), "max_output_tokens", maximum)


def _responses_progress(event: Mapping[str, Any]) -> Progress:
    # A stream's event holds the answer in `response`; the answer to a request without a stream is the object itself.
    inner = event.get("response")
    response = inner if isinstance(inner, Mapping) else event
    reported, usage = response.get("usage"), None
    if isinstance(reported, Mapping):
        sent, read = (
            token_count(reported, "input_tokens"),
            token_count(reported, "input_tokens_details", "cached_tokens"),
        )
        read = min(read, sent)
        usage = TokenUsage(sent - read, read, 0, token_count(reported, "output_tokens"))
    kind = event.get("type")
    is_whole = event.get("object") == "response" and event.get("status") in ("completed", "incomplete")
    finished = kind in ("response.completed", "response.incomplete") or is_whole
    failure = error_text(response.get("error") or "failed") if kind == "response.failed" else ""
    if kind == "error":
        failure = error_text(event.get("error") or event.get("message") or "error")
    return Progress(usage if usage and usage.total else None, finished, failure)


def _openai_error(status: int, message: str) -> dict[str, Any]:
    kinds = {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "not_found",
    }
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": f"gateway_{status}"}}


CHAT = Format("chat", CHAT_FIELDS, "messages", _check_chat, _clamp_chat, _chat_progress, _openai_error)
RESPONSES = Format(
    "responses",
    RESPONSES_FIELDS,
    "input",
    _check_responses,
    _clamp_responses,
    _responses_progress,
    _openai_error,
)
