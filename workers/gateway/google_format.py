"""Google's generateContent: the parts of a request that are passed on, and the reports in its answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.gateway.format_checks import (
    Format,
    NotAllowed,
    Progress,
    TokenUsage,
    error_text,
    lower_limits,
    objects,
    one_of,
    only_fields,
    token_count,
)

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
        raise NotAllowed("generationConfig is not an object")
    only_fields(config, GEMINI_CONFIG, "generationConfig")
    one_of(config, "candidateCount", (1, None))
    one_of(config, "responseModalities", (["TEXT"], None))
    system = [request[name] for name in ("systemInstruction", "system_instruction") if name in request]
    for content in objects([*objects(request.get("contents"), "contents"), *system], "contents"):
        for part in objects(content.get("parts", []), "parts"):
            only_fields(part, GEMINI_PARTS, "a part")
    for tool in objects(request.get("tools") or [], "tools"):
        only_fields(tool, frozenset(("functionDeclarations",)), "a tool")


def _clamp_gemini(request: dict[str, Any], maximum: int) -> int:
    config: dict[str, Any] = request.setdefault("generationConfig", {})
    return lower_limits(config, ("maxOutputTokens",), "maxOutputTokens", maximum)


def _gemini_progress(event: Mapping[str, Any]) -> Progress:
    reported, usage = event.get("usageMetadata"), None
    if isinstance(reported, Mapping):
        sent = token_count(reported, "promptTokenCount") + token_count(reported, "toolUsePromptTokenCount")
        read = min(token_count(reported, "cachedContentTokenCount"), sent)
        received = token_count(reported, "candidatesTokenCount") + token_count(reported, "thoughtsTokenCount")
        usage = TokenUsage(
            sent - read, read, 0, max(received, token_count(reported, "totalTokenCount") - sent)
        )
    candidates, feedback = event.get("candidates"), event.get("promptFeedback")
    finished = isinstance(candidates, list) and any(
        isinstance(candidate, Mapping) and candidate.get("finishReason") for candidate in candidates
    )
    blocked = isinstance(feedback, Mapping) and bool(feedback.get("blockReason"))
    return Progress(usage, finished or blocked, error_text(event.get("error")))


def _gemini_error(status: int, message: str) -> dict[str, Any]:
    kinds = {401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    kind = kinds.get(status, "INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE")
    return {"error": {"code": status, "message": message, "status": kind}}


GEMINI = Format(
    "gemini", GEMINI_FIELDS, "contents", _check_gemini, _clamp_gemini, _gemini_progress, _gemini_error
)
