"""`show --transcript` prints the model's requests and answers, cleaned for a terminal."""

from __future__ import annotations

import pytest
import redis

from tests.support.journals import INCIDENT_ID
from tests.support.model_streams import EVENTS, FORMAT_NAMES, stream_bytes
from workers.cli.transcript_view import render_transcript
from workers.engine import records
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused
from workers.gateway.call_outcome import CallRecord
from workers.gateway.formats import FORMATS, FormatName, TokenUsage
from workers.gateway.streams import AnswerReader
from workers.gateway.transcript import TranscriptRecorder
from workers.models import Transcript

HOSTILE = "log: \x1b[31mred\x1b]52;c;eA==\x07 ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7 \u202egnp"


def transcript(name: FormatName) -> Transcript:
    reader = AnswerReader(FORMATS[name], is_stream=True)
    reader.feed(b"".join(stream_bytes(name, EVENTS[name])))
    stored: list[Transcript] = []
    recorder = TranscriptRecorder(stored.append, transcript=Transcript(model="m1"))
    request = {FORMATS[name].history: [{"role": "user", "content": HOSTILE}]}
    usage = TokenUsage(1000, 0, 0, 200)
    recorder.add(CallRecord(FORMATS[name], request, True, 200, reader.events, True, False, "", usage, 0.25))
    recorder.add(CallRecord(FORMATS[name], request, True, 429, [], False, False, HOSTILE, TokenUsage(), 0.0))
    return stored[-1]


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_calls_of_the_model_are_shown_in_order(
    journal: WorkerStore, reported: str, store: redis.Redis, name: FormatName
) -> None:
    store.hset(reported, records.WRITER_CALLS.field, records.WRITER_CALLS.pack(transcript(name)))

    lines = render_transcript(journal, INCIDENT_ID)

    text = "\n".join(lines)
    assert lines[0] == "== writer: 2 calls, 1,200 tokens, 0.2500 USD, 1 without an answer; model m1"
    assert "-- call 1: status 200, 1,200 tokens, 0.2500 USD" in lines
    assert any(line.startswith("-- call 2: status 429, 0 tokens, 0.0000 USD, log: red") for line in lines)
    for expected in ("> ", "log: red", "< I look at it.", "< calls read", "/clone/app.py", "sha256 "):
        assert expected in text
    assert not any(char in text for char in "\x1b\x07\u202e")
    assert "ghp_" not in text


def test_a_journal_without_calls_says_so(journal: WorkerStore, reported: str) -> None:
    with pytest.raises(Refused, match="no call of a model is recorded"):
        render_transcript(journal, INCIDENT_ID)
