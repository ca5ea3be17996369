"""A recorded run can be played again through the gateway, without a provider."""

from __future__ import annotations

import pytest

from tests.support.fakes.model_provider import FakeProvider, stream, whole
from tests.support.model_gateway import running_gateway
from tests.support.model_streams import EVENTS, FORMAT_NAMES, WHOLE, stream_bytes
from workers.errors import Refused
from workers.gateway.formats import FORMATS, FormatName
from workers.gateway.recording import Recording
from workers.gateway.streams import AnswerReader
from workers.gateway.transcript import TranscriptRecorder
from workers.models import ModelCall, Transcript


def read(name: FormatName, body: bytes) -> AnswerReader:
    reader = AnswerReader(FORMATS[name], is_stream=True)
    reader.feed(body)
    reader.end()
    return reader


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_recorded_answers_come_again_in_their_order_with_the_new_path(
    provider: FakeProvider, name: FormatName
) -> None:
    stored: list[Transcript] = []
    recorder = TranscriptRecorder(stored.append, transcript=Transcript(directory="/clone"))
    cut = stream(stream_bytes(name, EVENTS[name][:2]), end="cut")
    provider.scripts = [whole({}, 503), stream(stream_bytes(name, EVENTS[name])), cut, whole(WHOLE[name])]
    with running_gateway(name, provider.url) as gateway:
        first = [gateway.ask(), gateway.ask(), gateway.ask(stream=False)]
    for call in gateway.calls:
        recorder.add(call)
    provider.received.clear()

    with running_gateway(name, provider.url, provider=Recording(stored[-1], "/new/place")) as gateway:
        again = [gateway.ask(), gateway.ask(stream=False), gateway.ask()]

    assert provider.received == []
    assert (
        read(name, again[0].body).events == read(name, first[0].body.replace(b"/clone", b"/new/place")).events
    )
    assert again[1].json() == WHOLE[name]
    assert again[2].status == 410
    assert "none is left" in str(again[2].json())


def test_a_run_whose_answers_were_cut_cannot_be_played_again() -> None:
    whole_call = ModelCall(request="", response="[]", status=200, is_complete=True)
    cut = whole_call.model_copy(update={"response_cut": True})

    with pytest.raises(Refused, match="the answer of call 2 was too long"):
        Recording(Transcript(api="chat", calls=(whole_call, cut)), "/x")
    with pytest.raises(Refused, match="no answer"):
        Recording(Transcript(api="chat"), "/x")
    with pytest.raises(Refused, match="3 calls were too long"):
        Recording(Transcript(api="chat", calls=(whole_call,), dropped=3), "/x")
