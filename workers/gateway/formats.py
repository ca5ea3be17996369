"""What an agent may ask of the four model APIs, what their streams report, and how they print errors. Pure.

Requests are judged by allow-lists: a field, a part or a tool that is not listed here is refused, because a provider may
act on it by itself (fetch an address, run code, keep the conversation, bill another rate). Field names are those of
the providers' API references as of November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

FormatName = Literal["chat", "responses", "messages", "gemini"]
"""OpenAI chat completions, OpenAI responses, Anthropic messages, Google generateContent."""

MAX_REPORTED_TOKENS = 100_000_000  # a larger number in a stream's usage is nonsense and counts as absent
THINKING_MINIMUM = 1024  # Anthropic's smallest thinking budget, in tokens


class NotAllowed(Exception):
    """The request asks for something that the gateway does not pass on; the text names it."""


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of one call as the provider reports them. The kinds of input do not overlap."""

    input: int = 0
    """Input that was neither read from nor written to the provider's cache."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """Output, with reasoning."""

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.output


@dataclass(frozen=True)
class Progress:
    """What one event of a stream, or a whole answer, says about the call. None and False: nothing."""

    usage: TokenUsage | None = None
    finished: bool = False
    """The answer is complete: the model gave a reason why it stopped."""
    error: str = ""
    """An error that the provider reports inside a stream."""


@dataclass(frozen=True)
class Format:
    """One of the four model APIs."""

    name: FormatName
    fields: frozenset[str]
    """Top-level fields of a request that are passed on."""
    history: str
    """The field that holds the conversation."""
    check: Callable[[dict[str, Any]], None]
    """Raises NotAllowed for parts and tools that the provider would act on."""
    clamp: Callable[[dict[str, Any], int], int]
    """Sets or lowers the limit of output tokens in a request, and returns it."""
    progress: Callable[[Mapping[str, Any]], Progress]
    error: Callable[[int, str], dict[str, Any]]
    """The body of an error, by status and message."""


def parse_request(api: Format, body: bytes) -> dict[str, Any]:
    """The request's object, if everything in it may be passed on. Raises NotAllowed."""
    try:
        request = json.loads(body.decode(), parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise NotAllowed("the body is no JSON object") from None
    if not isinstance(request, dict):
        raise NotAllowed("the body is no JSON object")
    for name in request:
        if name not in api.fields:
            raise NotAllowed(f"the field {name[:60]!r} is not passed on")
    api.check(request)
    return request


def _reject_constant(text: str) -> None:
    raise ValueError(text)


# ---- checks that several formats share ----


def _objects(value: Any, where: str) -> Iterator[dict[str, Any]]:
    """The elements of a list, each an object. Raises NotAllowed for anything else."""
    if not isinstance(value, list):
        raise NotAllowed(f"{where} is no list")
    for item in value:
        if not isinstance(item, dict):
            raise NotAllowed(f"{where} holds something other than objects")
        yield item


def _only(value: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    for name in value:
        if name not in names:
            raise NotAllowed(f"{where}: the field {name[:60]!r} is not passed on")


def _known_type(value: Mapping[str, Any], types: frozenset[str], where: str, default: str = "") -> str:
    kind = value.get("type", default)
    if not isinstance(kind, str) or kind not in types:
        raise NotAllowed(f"{where} of type {str(kind)[:60]!r} is not passed on")
    return kind


def _data_only(address: Any, where: str) -> None:
    if not isinstance(address, str) or not address.startswith("data:"):
        raise NotAllowed(
            f"{where}: only data: addresses are passed on, because the provider fetches any other"
        )


def _one_of(request: Mapping[str, Any], name: str, values: Sequence[Any]) -> None:
    if name in request and request[name] not in values:
        raise NotAllowed(f"{name} must be {' or '.join(map(json.dumps, values))}")


def _tokens(value: Any) -> int | None:
    """A number of tokens that can be true, else None."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= MAX_REPORTED_TOKENS else None


def _count(source: Any, *names: str) -> int:
    """The number at a path of names; 0 if there is none."""
    for name in names:
        source = source.get(name) if isinstance(source, Mapping) else None
    return _tokens(source) or 0


def _limit(request: dict[str, Any], names: Sequence[str], default: str, maximum: int) -> int:
    """Lower each of these limits to the maximum; if none is there, set the default one."""
    present = [name for name in names if request.get(name) is not None]
    for name in present or [default]:
        asked = request.get(name, maximum)
        if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
            raise NotAllowed(f"{name} must be a whole number above 0")
        request[name] = min(asked, maximum)
    return max(int(request[name]) for name in present or [default])


def _openai_error(status: int, message: str) -> dict[str, Any]:
    kinds = {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "not_found",
    }
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": f"gateway_{status}"}}


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
    _one_of(request, "n", (1, None))
    _one_of(request, "store", (False, None))
    _one_of(request, "modalities", (["text"], None))
    _one_of(request, "service_tier", (*SERVICE_TIERS, None))
    for message in _objects(request.get("messages"), "messages"):
        if message.get("role") not in CHAT_ROLES:
            raise NotAllowed(f"a message of role {str(message.get('role'))[:60]!r} is not passed on")
        _one_of(message, "audio", (None,))
        content = message.get("content")
        for part in _objects(content, "content") if not isinstance(content, str | None) else ():
            if _known_type(part, CHAT_PARTS, "a part") == "image_url":
                image = part.get("image_url")
                _data_only(image.get("url") if isinstance(image, dict) else image, "image_url")
    for tool in _objects(request.get("tools") or [], "tools"):
        _known_type(tool, frozenset(("function",)), "a tool")
    if request.get("stream_options") is not None:
        request["stream_options"] = {"include_usage": True}


def _clamp_chat(request: dict[str, Any], maximum: int) -> int:
    return _limit(request, ("max_tokens", "max_completion_tokens"), "max_tokens", maximum)


def _chat_usage(usage: Any) -> TokenUsage | None:
    if not isinstance(usage, Mapping):
        return None
    sent, received = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    # Some providers count reasoning beside completion_tokens; only the total contains it then.
    received = max(received, _count(usage, "total_tokens") - sent)
    read = _count(usage, "prompt_tokens_details", "cached_tokens") or _count(usage, "prompt_cache_hit_tokens")
    written = _count(usage, "prompt_tokens_details", "cache_write_tokens")
    read, written = min(read, sent), min(written, sent)
    return TokenUsage(max(0, sent - read - written), read, written, received) if sent + received else None


def _chat_progress(event: Mapping[str, Any]) -> Progress:
    choices = event.get("choices")
    finished = isinstance(choices, list) and any(
        isinstance(choice, Mapping) and choice.get("finish_reason") for choice in choices
    )
    groq = event.get("x_groq")  # Groq's place for the usage of a stream
    usage = _chat_usage(event.get("usage") or (groq.get("usage") if isinstance(groq, Mapping) else None))
    return Progress(usage, finished, _error_text(event.get("error")))


def _error_text(error: Any) -> str:
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("type") or error.get("status") or "unknown error"
    return str(error) if error else ""


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
    _one_of(request, "background", (False, None))
    _one_of(request, "service_tier", (*SERVICE_TIERS, None))
    _one_of(request, "store", (False, None))
    request["store"] = False  # the provider's default is to keep the conversation
    for name in ("metadata", "client_metadata", "background"):
        request.pop(name, None)
    included = request.get("include") or []
    if not isinstance(included, list) or set(map(str, included)) - {"reasoning.encrypted_content"}:
        raise NotAllowed("include may name reasoning.encrypted_content only")
    items = request.get("input")
    for item in _objects(items, "input") if not isinstance(items, str) else ():
        _check_responses_item(item)
    for tool in _objects(request.get("tools") or [], "tools"):
        _known_type(tool, RESPONSES_TOOLS, "a tool")


def _check_responses_item(item: dict[str, Any]) -> None:
    _known_type(item, RESPONSES_ITEMS, "an input item", "message" if "role" in item else "")
    for name in ("content", "output", "summary"):
        value = item.get(name)
        for part in _objects(value, name) if not isinstance(value, str | None) else ():
            if _known_type(part, RESPONSES_PARTS, "a part") == "input_image":
                _one_of(part, "file_id", (None,))
                _data_only(part.get("image_url"), "image_url")


def _clamp_responses(request: dict[str, Any], maximum: int) -> int:
    return _limit(request, ("max_output_tokens",), "max_output_tokens", maximum)


def _responses_progress(event: Mapping[str, Any]) -> Progress:
    # A stream's event holds the answer in `response`; the answer to a request without a stream is the object itself.
    inner = event.get("response")
    response = inner if isinstance(inner, Mapping) else event
    reported, usage = response.get("usage"), None
    if isinstance(reported, Mapping):
        sent, read = (
            _count(reported, "input_tokens"),
            _count(reported, "input_tokens_details", "cached_tokens"),
        )
        read = min(read, sent)
        usage = TokenUsage(sent - read, read, 0, _count(reported, "output_tokens"))
    kind = event.get("type")
    is_whole = event.get("object") == "response" and event.get("status") in ("completed", "incomplete")
    finished = kind in ("response.completed", "response.incomplete") or is_whole
    failure = _error_text(response.get("error") or "failed") if kind == "response.failed" else ""
    if kind == "error":
        failure = _error_text(event.get("error") or event.get("message") or "error")
    return Progress(usage if usage and usage.total else None, finished, failure)


# ---- Anthropic messages ----

MESSAGES_FIELDS = frozenset((
    "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools",
    "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier", "cache_control",
))  # fmt: skip
MESSAGES_PARTS = frozenset(
    ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking")
)
INLINE_SOURCES = frozenset(("base64", "text", "content"))


def _check_messages(request: dict[str, Any]) -> None:
    _one_of(request, "service_tier", ("standard_only", "auto", None))
    request.pop("metadata", None)
    system = request.get("system")
    for part in _objects(system, "system") if not isinstance(system, str | None) else ():
        _known_type(part, frozenset(("text",)), "a part of system")
    for message in _objects(request.get("messages"), "messages"):
        _check_anthropic_content(message.get("content"))
    for tool in _objects(request.get("tools") or [], "tools"):
        _known_type(tool, frozenset(("custom",)), "a tool", "custom")


def _check_anthropic_content(content: Any) -> None:
    for part in _objects(content, "content") if not isinstance(content, str | None) else ():
        kind = _known_type(part, MESSAGES_PARTS, "a part")
        if kind == "tool_result":
            _check_anthropic_content(part.get("content"))
        if kind in ("image", "document"):
            source = part.get("source")
            kind = _known_type(source if isinstance(source, dict) else {}, INLINE_SOURCES, "a source")
            if kind == "content" and isinstance(source, dict):
                _check_anthropic_content(source.get("content"))


def _clamp_messages(request: dict[str, Any], maximum: int) -> int:
    limit = _limit(request, ("max_tokens",), "max_tokens", maximum)
    thinking = request.get("thinking")
    if isinstance(thinking, dict) and thinking.get("budget_tokens") is not None:
        # The API refuses a budget that is not below max_tokens.
        budget = min(_tokens(thinking["budget_tokens"]) or 0, limit - 1)
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
            _count(reported, "input_tokens"), _count(reported, "cache_read_input_tokens"),
            _count(reported, "cache_creation_input_tokens"), _count(reported, "output_tokens"),
        )  # fmt: skip
    failure = _error_text(event.get("error") or "error") if kind == "error" else ""
    finished = kind == "message_stop" or (kind == "message" and bool(event.get("stop_reason")))
    return Progress(usage, finished, failure)


def _messages_error(status: int, message: str) -> dict[str, Any]:
    kinds = {
        401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
    }  # fmt: skip
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


# ---- Google generateContent ----

GEMINI_FIELDS = frozenset((
    "contents", "systemInstruction", "system_instruction", "generationConfig", "tools", "toolConfig", "safetySettings",
))  # fmt: skip
GEMINI_CONFIG = frozenset((
    "maxOutputTokens", "temperature", "topP", "topK", "seed", "stopSequences", "candidateCount", "responseMimeType",
    "responseSchema", "responseJsonSchema", "frequencyPenalty", "presencePenalty", "thinkingConfig",
    "responseModalities", "mediaResolution",
))  # fmt: skip
GEMINI_PARTS = frozenset(
    ("text", "thought", "thoughtSignature", "inlineData", "functionCall", "functionResponse")
)


def _check_gemini(request: dict[str, Any]) -> None:
    config = request.setdefault("generationConfig", {})
    if not isinstance(config, dict):
        raise NotAllowed("generationConfig is no object")
    _only(config, GEMINI_CONFIG, "generationConfig")
    _one_of(config, "candidateCount", (1, None))
    _one_of(config, "responseModalities", (["TEXT"], None))
    system = [request[name] for name in ("systemInstruction", "system_instruction") if name in request]
    for content in _objects([*_objects(request.get("contents"), "contents"), *system], "contents"):
        for part in _objects(content.get("parts", []), "parts"):
            _only(part, GEMINI_PARTS, "a part")
    for tool in _objects(request.get("tools") or [], "tools"):
        _only(tool, frozenset(("functionDeclarations",)), "a tool")


def _clamp_gemini(request: dict[str, Any], maximum: int) -> int:
    config: dict[str, Any] = request.setdefault("generationConfig", {})
    return _limit(config, ("maxOutputTokens",), "maxOutputTokens", maximum)


def _gemini_progress(event: Mapping[str, Any]) -> Progress:
    reported, usage = event.get("usageMetadata"), None
    if isinstance(reported, Mapping):
        sent = _count(reported, "promptTokenCount") + _count(reported, "toolUsePromptTokenCount")
        read = min(_count(reported, "cachedContentTokenCount"), sent)
        received = _count(reported, "candidatesTokenCount") + _count(reported, "thoughtsTokenCount")
        usage = TokenUsage(sent - read, read, 0, max(received, _count(reported, "totalTokenCount") - sent))
    candidates, feedback = event.get("candidates"), event.get("promptFeedback")
    finished = isinstance(candidates, list) and any(
        isinstance(candidate, Mapping) and candidate.get("finishReason") for candidate in candidates
    )
    blocked = isinstance(feedback, Mapping) and bool(feedback.get("blockReason"))
    return Progress(usage, finished or blocked, _error_text(event.get("error")))


def _gemini_error(status: int, message: str) -> dict[str, Any]:
    kinds = {401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    kind = kinds.get(status, "INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE")
    return {"error": {"code": status, "message": message, "status": kind}}


FORMATS: dict[FormatName, Format] = {
    api.name: api
    for api in (
        Format("chat", CHAT_FIELDS, "messages", _check_chat, _clamp_chat, _chat_progress, _openai_error),
        Format("responses", RESPONSES_FIELDS, "input", _check_responses, _clamp_responses, _responses_progress,
               _openai_error),
        Format("messages", MESSAGES_FIELDS, "messages", _check_messages, _clamp_messages, _messages_progress,
               _messages_error),
        Format("gemini", GEMINI_FIELDS, "contents", _check_gemini, _clamp_gemini, _gemini_progress, _gemini_error),
    )
}  # fmt: skip


def merge_usage(before: TokenUsage | None, later: TokenUsage | None) -> TokenUsage | None:
    """The usage after another report. Reports are running totals; Anthropic's last one may leave the input out."""
    if before is None or later is None:
        return later or before
    if later.total == later.output:
        return TokenUsage(
            before.input, before.cache_read, before.cache_write, max(before.output, later.output)
        )
    return later
