"""A request field that makes a provider act by itself is refused; the fields of a coding agent are passed on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.model_streams import EVENTS, FORMAT_NAMES, REQUESTS, USAGE, WHOLE
from workers.gateway.formats import (
    FORMATS,
    FormatName,
    NotAllowed,
    TokenUsage,
    merge_usage,
    parse_request,
)

TOOL = {"type": "object", "properties": {"filePath": {"type": "string"}}}
IMAGE = "data:image/png;base64,AAAA"
NEEDED: list[tuple[FormatName, dict[str, Any]]] = [
    ("chat", {"messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]},
        {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "web_search", "arguments": '{"url": "https://x"}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "text"}],
        "tools": [{"type": "function", "function": {"name": "read", "parameters": TOOL}}], "tool_choice": "auto",
        "temperature": 0, "reasoning_effort": "high", "stream": True, "n": 1, "store": False}),
    ("responses", {"input": [
        {"role": "developer", "content": "d"}, {"role": "user", "content": [{"type": "input_text", "text": "u"}]},
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "1", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "text"}],
        "tools": [{"type": "function", "name": "read", "parameters": TOOL, "strict": False}], "store": False,
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"},
        "prompt_cache_key": "ses_1"}),
    ("messages", {"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}], "messages": [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "tool_use", "id": "1", "name": "read", "input": {"url": "https://x", "type": "url"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [
            {"type": "text", "text": "t"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]}],
        "tools": [{"name": "edit", "input_schema": TOOL, "eager_input_streaming": True}],
        "tool_choice": {"type": "auto"}, "stream": True, "thinking": {"type": "enabled", "budget_tokens": 4000}}),
    ("gemini", {"contents": [
        {"role": "model", "parts": [
            {"functionCall": {"name": "read", "args": {"fileUri": "x"}}, "thoughtSignature": "s"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "read", "response": {"output": "t"}}}]}],
        "systemInstruction": {"parts": [{"text": "s"}]}, "tools": [{"functionDeclarations": [{"name": "read"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "generationConfig": {"maxOutputTokens": 100, "thinkingConfig": {"includeThoughts": True}}}),
]  # fmt: skip

FORBIDDEN: Mapping[FormatName, list[dict[str, Any]]] = {
    "chat": [
        {"web_search_options": {}}, {"search_parameters": {"mode": "on"}}, {"plugins": [{"id": "web"}]}, {"n": 2},
        {"store": True}, {"metadata": {"a": "b"}}, {"audio": {}}, {"prediction": {}}, {"functions": []},
        {"modalities": ["text", "audio"]}, {"service_tier": "priority"}, {"models": ["a", "b"]}, {"route": "fallback"},
        {"provider": {"order": ["x"]}}, {"logit_bias": {}}, {"extra_body": {}}, {"transforms": []}, {"stop_url": "x"},
        {"tools": [{"type": "web_search"}]}, {"tools": [{"type": "mcp", "server_url": "https://x"}]},
        {"tools": [{"function": {"name": "x"}}]}, {"tools": {"type": "function"}}, {"tools": ["function"]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/?d=1"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        {"messages": [{"role": "function", "content": "x"}]}, {"messages": "text"}, {"messages": None},
        {"messages": [{"role": "user", "content": {"type": "file"}}]},
        {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
    ],
    "responses": [
        {"previous_response_id": "r"}, {"conversation": "c"}, {"background": True}, {"store": True}, {"prompt": {}},
        {"context_management": []}, {"include": ["file_search_call.results"]}, {"service_tier": "priority"},
        *({"tools": [{"type": kind}]} for kind in (
            "web_search", "web_search_preview", "file_search", "code_interpreter", "computer_use_preview", "mcp",
            "image_generation", "local_shell", "shell", "", None, ["function"])),
        {"input": [{"type": "item_reference", "id": "x"}]}, {"input": [{"type": "web_search_call"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        {"input": [{"type": "function_call_output", "output": [{"type": "input_file", "file_id": "f"}]}]},
        {"input": [{"type": "compaction_trigger"}]}, {"input": {"role": "user"}},
    ],
    "messages": [
        {"mcp_servers": []}, {"container": "c"}, {"context_management": {}}, {"inference_geo": "us"}, {"speed": "fast"},
        *({"tools": [{"type": kind, "name": "x"}]} for kind in (
            "web_search_20250305", "web_fetch_20250910", "code_execution_20250825", "computer_20250124",
            "bash_20250124", "mcp_toolset", "text_editor_20250728")),
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "server_tool_use", "name": "web_search"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x"}}]}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x"}}]}}]}]},
        {"system": [{"type": "image"}]}, {"service_tier": "priority"},
    ],
    "gemini": [
        {"cachedContent": "cachedContents/1"}, {"labels": {}}, {"store": True},
        *({"tools": [{kind: {}}]} for kind in (
            "googleSearch", "google_search", "googleSearchRetrieval", "codeExecution", "urlContext", "computerUse",
            "fileSearch", "googleMaps", "mcpServers")),
        {"tools": [{"functionDeclarations": [], "urlContext": {}}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://x"}}]}]},
        {"contents": [{"parts": [{"file_data": {"file_uri": "gs://x"}}]}]},
        {"contents": [{"parts": [{"executableCode": {}}]}]}, {"systemInstruction": {"parts": [{"fileData": {}}]}},
        {"contents": [{"parts": "text"}]},
        {"generationConfig": {"candidateCount": 2}}, {"generationConfig": {"responseModalities": ["IMAGE"]}},
        {"generationConfig": {"speechConfig": {}}}, {"generationConfig": "x"},
    ],
}  # fmt: skip


def parse(name: FormatName, change: dict[str, Any]) -> dict[str, Any]:
    return parse_request(FORMATS[name], json.dumps(REQUESTS[name][1] | change).encode())


@pytest.mark.parametrize(
    ("name", "change"), NEEDED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_request_of_a_coding_agent_is_passed_on_as_it_is(name: FormatName, change: dict[str, Any]) -> None:
    assert parse(name, change) == REQUESTS[name][1] | change


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name, changes in FORBIDDEN.items() for change in changes],
    ids=lambda value: str(value)[:60],
)
def test_a_field_that_makes_the_provider_act_is_refused(name: FormatName, change: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        parse(name, change)


def test_conversations_are_never_stored_at_the_provider() -> None:
    assert parse("responses", {"metadata": {"a": "b"}, "background": False}) == {
        **REQUESTS["responses"][1], "store": False,
    }  # fmt: skip


@pytest.mark.parametrize("limit", [0, -1, 1.5, "5", True, [5]])
def test_a_limit_that_is_no_positive_number_is_refused(limit: Any) -> None:
    for name, field in (
        ("chat", "max_tokens"),
        ("responses", "max_output_tokens"),
        ("messages", "max_tokens"),
    ):
        request = parse(name, {field: limit})  # type: ignore[arg-type]  # names of the table
        with pytest.raises(NotAllowed):
            FORMATS[name].clamp(request, 100)  # type: ignore[index]  # the same


def test_both_limits_of_chat_completions_are_lowered() -> None:
    request = parse("chat", {"max_tokens": 10**6, "max_completion_tokens": 50})

    assert FORMATS["chat"].clamp(request, 100) == 100
    assert (request["max_tokens"], request["max_completion_tokens"]) == (100, 50)


@pytest.mark.parametrize(
    ("maximum", "thinking"),
    [
        (8000, {"type": "enabled", "budget_tokens": 4000}),
        (3000, {"type": "enabled", "budget_tokens": 2999}),
        (900, {"type": "disabled"}),
    ],
)
def test_the_budget_for_thinking_stays_below_the_limit(maximum: int, thinking: dict[str, Any]) -> None:
    request = parse("messages", {"max_tokens": 10**6, "thinking": {"type": "enabled", "budget_tokens": 4000}})

    FORMATS["messages"].clamp(request, maximum)

    assert request["thinking"] == thinking


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_usage_of_a_stream_and_of_a_whole_answer_is_the_same(name: FormatName) -> None:
    progress = FORMATS[name].progress
    usage, finished = None, False
    for event in EVENTS[name]:
        usage = merge_usage(usage, progress(event).usage)
        finished = finished or progress(event).finished

    assert (usage, finished) == (USAGE[name], True)
    assert (progress(WHOLE[name]).usage, progress(WHOLE[name]).finished) == (USAGE[name], True)


@pytest.mark.parametrize(
    ("event", "usage"),
    [
        ({"x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}, TokenUsage(5, 0, 0, 2)),
        # DeepSeek names its cache so, and xAI counts reasoning beside completion_tokens.
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}},
            TokenUsage(5, 4, 0, 2),
        ),
        (
            {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 17}},
            TokenUsage(5, 0, 0, 12),
        ),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, None),
        ({"usage": {"prompt_tokens": -5, "completion_tokens": 1e30, "total_tokens": True}}, None),
        ({"usage": "none"}, None),
        ({"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}}}, TokenUsage(0, 5)),
    ],
)
def test_the_usage_of_other_providers_with_openais_api_is_read(
    event: dict[str, Any], usage: TokenUsage | None
) -> None:
    assert FORMATS["chat"].progress(event).usage == usage


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize(
    "event", [{}, {"choices": [None]}, {"candidates": "x"}, {"message": 1, "type": 2}, {"error": []}]
)
def test_an_event_of_another_shape_counts_no_usage(name: FormatName, event: dict[str, Any]) -> None:
    progress = FORMATS[name].progress(event)

    assert (progress.usage, progress.finished) in ((None, False), (TokenUsage(), False))
