"""Answers of the four model APIs as they come over the wire: with and without a stream, shortened to one exchange."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workers.gateway.formats import FormatName
from workers.gateway.formats import TokenUsage as Tokens

JsonObject = dict[str, Any]


def chat_chunk(delta: JsonObject, finish: str | None = None, **more: Any) -> JsonObject:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1764000000, "model": "m1"}
    return {**head, "service_tier": "default", "system_fingerprint": None, "choices": [choice], **more}


def _tool_delta(arguments: str, **first: str) -> JsonObject:
    names = {"id": first["id"], "type": "function"} if first else {}
    function = {"name": first["name"]} if first else {}
    return {"tool_calls": [{"index": 0, **names, "function": {**function, "arguments": arguments}}]}


CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 60,
    "total_tokens": 1260,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0},
}
CHAT_EVENTS: list[JsonObject] = [
    chat_chunk({"role": "assistant", "content": ""}, usage=None),
    chat_chunk({"content": "I look "}, usage=None),
    chat_chunk({"content": "at it."}, usage=None),
    chat_chunk(_tool_delta("", id="call_1", name="read"), usage=None),
    chat_chunk(_tool_delta('{"filePath":'), usage=None),
    chat_chunk(_tool_delta('"/clone/app.py"}'), usage=None),
    chat_chunk({}, "tool_calls", usage=None),
    {**chat_chunk({}), "choices": [], "usage": CHAT_USAGE},
]

RESPONSES_USAGE = {
    "input_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens": 60,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 1260,
}


def _response(status: str, **more: Any) -> JsonObject:
    return {"id": "resp_1", "object": "response", "status": status, "error": None, "model": "m1", **more}


_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSES_EVENTS: list[JsonObject] = [
    {"type": "response.created", "response": _response("in_progress", usage=None, output=[])},
    {"type": "response.in_progress", "response": _response("in_progress", usage=None, output=[])},
    {"type": "response.output_item.added", "output_index": 0, "item": {"id": "msg_1", "type": "message"}},
    {"type": "response.output_text.delta", **_PLACE, "delta": "I look "},
    {"type": "response.output_text.delta", **_PLACE, "delta": "at it."},
    {"type": "response.output_text.done", **_PLACE, "text": "I look at it."},
    {"type": "response.output_item.added", "output_index": 1, "item": {"id": "f", "name": "read"}},
    {"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 1, "delta": '{"filePath":'},
    {"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 1, "delta": '"/clone/app.py"}'},
    {"type": "response.completed", "response": _response("completed", usage=RESPONSES_USAGE, output=[])},
]  # fmt: skip

MESSAGES_EVENTS: list[JsonObject] = [
    {"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m1", "stop_reason": None,
        "usage": {"input_tokens": 76, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1024,
                  "output_tokens": 1, "service_tier": "standard"}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I look "}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "at it."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1,
     "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"filePath":'}},
    {"type": "content_block_delta", "index": 1,
     "delta": {"type": "input_json_delta", "partial_json": '"/clone/app.py"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
     "usage": {"output_tokens": 60}},
    {"type": "message_stop"},
]  # fmt: skip


def _candidate(part: JsonObject, **more: Any) -> JsonObject:
    return {"content": {"parts": [part], "role": "model"}, "index": 0, **more}


GEMINI_USAGE = {
    "promptTokenCount": 1200,
    "candidatesTokenCount": 48,
    "totalTokenCount": 1260,
    "cachedContentTokenCount": 1024,
    "thoughtsTokenCount": 12,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1200}],
}
_FIRST = {"promptTokenCount": 1200, "totalTokenCount": 1200}
_CALL = {"functionCall": {"name": "read", "args": {"filePath": "/clone/app.py"}}, "thoughtSignature": "c2ln"}
GEMINI_EVENTS: list[JsonObject] = [
    {"candidates": [_candidate({"text": "I look "})], "usageMetadata": _FIRST},
    {"candidates": [_candidate({"text": "at it."})], "usageMetadata": _FIRST},
    {"candidates": [_candidate(_CALL, finishReason="STOP")], "usageMetadata": GEMINI_USAGE, "modelVersion": "m1"},
]  # fmt: skip

EVENTS: Mapping[FormatName, list[JsonObject]] = {
    "chat": CHAT_EVENTS,
    "responses": RESPONSES_EVENTS,
    "messages": MESSAGES_EVENTS,
    "gemini": GEMINI_EVENTS,
}
USAGE: Mapping[FormatName, Tokens] = {
    "chat": Tokens(176, 1024, 0, 60),
    "responses": Tokens(176, 1024, 0, 60),
    "messages": Tokens(76, 1024, 100, 60),
    "gemini": Tokens(176, 1024, 0, 60),
}
"""The usage that both kinds of answer report."""

WHOLE: Mapping[FormatName, JsonObject] = {
    "chat": {
        "id": "chatcmpl-9", "object": "chat.completion", "created": 1764000000, "model": "m1", "usage": CHAT_USAGE,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "I look at it."}, "finish_reason": "stop"}],
    },
    "responses": _response("completed", usage=RESPONSES_USAGE, output=[
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look at it."}]}]),
    "messages": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m1", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "I look at it."}],
        "usage": {"input_tokens": 76, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1024,
                  "output_tokens": 60},
    },
    "gemini": {
        "candidates": [_candidate({"text": "I look at it."}, finishReason="STOP")], "usageMetadata": GEMINI_USAGE,
    },
}  # fmt: skip
"""The answer to a request without a stream."""

_TURN = {"role": "user", "content": "do it"}
REQUESTS: Mapping[FormatName, tuple[str, JsonObject]] = {
    "chat": ("/v1/chat/completions", {"model": "m1", "messages": [_TURN]}),
    "responses": ("/v1/responses", {"model": "m1", "input": [_TURN]}),
    "messages": ("/v1/messages", {"model": "m1", "max_tokens": 1000, "messages": [_TURN]}),
    "gemini": (
        "/v1beta/models/m1:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "do it"}]}]},
    ),
}
"""Path below the gateway, and the smallest request."""

FORMAT_NAMES: tuple[FormatName, ...] = ("chat", "responses", "messages", "gemini")
KEY_HEADERS: Mapping[FormatName, str] = {
    "chat": "authorization",
    "responses": "authorization",
    "messages": "x-api-key",
    "gemini": "x-goog-api-key",
}
"""The header in which each API gets its key."""


def stream_bytes(name: FormatName, events: list[JsonObject]) -> list[bytes]:
    """Each event as server-sent event, in the way of this API."""
    parts = []
    for event in events:
        head = f"event: {event['type']}\n" if name in ("responses", "messages") else ""
        line_end = "\r\n" if name == "gemini" else "\n"
        parts.append(f"{head}data: {json.dumps(event)}{line_end}{line_end}".encode())
    return parts + ([b"data: [DONE]\n\n"] if name == "chat" else [])


def stream_request(name: FormatName) -> tuple[str, JsonObject]:
    """Path and body of a request for a stream."""
    path, body = REQUESTS[name]
    if name == "gemini":
        return path.replace("generateContent", "streamGenerateContent") + "?alt=sse", body
    return path, body | {"stream": True}
