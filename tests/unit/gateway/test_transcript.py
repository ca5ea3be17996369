"""A transcript holds the model's requests and answers: redacted, bounded, and complete enough for a replay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.model_streams import EVENTS, FORMAT_NAMES, chat_chunk, stream_bytes
from workers.gateway import transcript
from workers.gateway.call_outcome import CallRecord
from workers.gateway.formats import FORMATS, FormatName, TokenUsage
from workers.gateway.streams import AnswerReader, render_events
from workers.gateway.transcript import TranscriptRecorder, answer_lines
from workers.models import Transcript

TOKEN = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"


def read(name: FormatName, events: list[dict[str, Any]], size: int = 7) -> AnswerReader:
    """The answer after it came in parts of so many bytes."""
    reader = AnswerReader(FORMATS[name], is_stream=True)
    data = b"".join(stream_bytes(name, events))
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    reader.end()
    return reader


def record(request: dict[str, Any], events: list[dict[str, Any]], name: FormatName = "chat") -> CallRecord:
    usage = TokenUsage(10, 0, 0, 5)
    return CallRecord(FORMATS[name], request, True, 200, events, True, False, "", usage, 0.01)


def say(*pieces: str) -> list[dict[str, Any]]:
    return read(
        "chat", [*(chat_chunk({"content": piece}) for piece in pieces), chat_chunk({}, "stop")]
    ).events


def recorded(*calls: CallRecord) -> Transcript:
    stored: list[Transcript] = []
    recorder = TranscriptRecorder(stored.append)
    for call in calls:
        recorder.add(call)
    assert len(stored) == len(calls), "stored after each call"
    return stored[-1]


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_short_form_of_a_stream_means_the_same_in_fewer_events(name: FormatName, size: int) -> None:
    reader = read(name, EVENTS[name], size)
    played = AnswerReader(FORMATS[name], is_stream=True)
    played.feed(render_events(FORMATS[name], reader.events, is_stream=True))
    played.end()

    assert len(reader.events) < len(EVENTS[name])
    assert (played.usage, played.finished, played.events) == (reader.usage, True, reader.events)
    text = json.dumps(reader.events)
    assert "I look at it." in text
    assert "/clone/app.py" in text


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_an_answer_is_shown_as_its_texts_and_calls(name: FormatName) -> None:
    transcript = recorded(record({}, read(name, EVENTS[name]).events, name))

    lines = "\n".join(answer_lines(transcript, transcript.calls[0]))

    assert "I look at it." in lines
    assert "calls read" in lines
    assert "/clone/app.py" in lines
    assert "chatcmpl" not in lines


def test_a_secret_that_comes_in_pieces_is_redacted() -> None:
    transcript = recorded(
        record({"messages": [{"content": f"file: {TOKEN}"}]}, say("it is gh", TOKEN[2:9], TOKEN[9:]))
    )

    assert TOKEN not in transcript.model_dump_json()
    assert "[redacted]" in transcript.calls[0].request
    assert transcript.calls[0].is_altered


def test_a_redacted_argument_of_a_tool_stays_json() -> None:
    arguments = json.dumps({"content": f'password="{TOKEN}"\nnext'})
    delta = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "write", "arguments": arguments}}]}
    transcript = recorded(record({}, read("chat", [chat_chunk(delta), chat_chunk({}, "tool_calls")]).events))

    event = json.loads(transcript.calls[0].response)[0]
    content = json.loads(event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"])["content"]
    assert TOKEN not in content
    assert content.endswith("next")


def test_hidden_characters_do_not_reach_the_transcript() -> None:
    transcript = recorded(record({"messages": ["\x1b[2Jclear\u202e\u200b"]}, say("a\x1b]52;c;eA==\x07b")))

    text = transcript.model_dump_json() + "".join(answer_lines(transcript, transcript.calls[0]))
    assert not any(char in text for char in "\x1b\x07\u202e\u200b")
    assert "\\u001b" not in text


def test_only_what_is_new_in_a_request_is_kept() -> None:
    first = {"model": "m1", "tools": ["long list"], "messages": ["system", "task"]}
    second = first | {"messages": ["system", "task", "answer", "result"]}

    transcript = recorded(record(first, say("1")), record(second, say("2")))

    assert transcript.calls[0].request.splitlines() == [
        "model: m1", "tools:", "  - long list", "messages: system", "messages: task",
    ]  # fmt: skip
    assert transcript.calls[1].request.splitlines() == [
        "messages: 2 as before", "messages: answer", "messages: result",
    ]  # fmt: skip


def test_a_long_request_loses_its_middle_and_says_so() -> None:
    text = "begin" + "x" * 200_000 + "end"

    call = recorded(record({"messages": [text]}, say("1"))).calls[0]

    assert len(call.request) < transcript.MAX_REQUEST_CHARS + 100
    assert "begin" in call.request
    assert "characters left out" in call.request
    assert call.request.endswith("end")
    assert (call.request_cut, call.response_cut) == (True, False)


def test_a_long_transcript_loses_the_requests_in_its_middle_before_any_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcript, "MAX_TOTAL_BYTES", 60_000)
    calls = [record({"messages": ["q" * 4000 + str(number)]}, say("a" * 200)) for number in range(20)]

    shortened = recorded(*calls)

    assert sum(len(call.request) + len(call.response) for call in shortened.calls) <= 60_000
    assert not any(call.response_cut for call in shortened.calls)
    assert [call.request_cut for call in shortened.calls[:3]] == [False] * 3
    assert not shortened.calls[-1].request_cut
    assert shortened.calls[10].request_cut


def test_answers_go_last_and_a_replay_can_see_that_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_TOTAL_BYTES", 10_000)

    shortened = recorded(*(record({"messages": [str(number)]}, say("a" * 2000)) for number in range(10)))

    assert sum(len(call.request) + len(call.response) for call in shortened.calls) <= 10_000
    assert any(call.response_cut for call in shortened.calls)


def test_each_hash_covers_the_calls_before_it() -> None:
    first, second = record({"messages": ["1"]}, say("1")), record({"messages": ["2"]}, say("2"))

    hashes = [call.sha256 for call in recorded(first, second, second).calls]

    assert len(set(hashes)) == 3
    assert recorded(second).calls[0].sha256 not in hashes
    assert [call.sha256 for call in recorded(first, second, second).calls] == hashes


def test_a_resumed_run_continues_the_transcript_of_the_crashed_one() -> None:
    before = recorded(record({"messages": ["1"]}, say("1")))
    stored: list[Transcript] = []

    TranscriptRecorder(stored.append, transcript=before).add(record({"messages": ["2"]}, say("2")))

    assert [call.request for call in stored[-1].calls] == ["messages: 1", "messages: 2"]


def test_text_with_unpaired_surrogates_is_stored() -> None:
    transcript = recorded(record({"messages": ["\ud800"]}, say("\udfff")))

    assert Transcript.model_validate_json(transcript.model_dump_json()) == transcript
