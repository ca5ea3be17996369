"""Plays the recorded answers of a model again, in the place of its provider."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.errors import Refused
from workers.gateway.formats import FORMATS, Format
from workers.gateway.streams import render_events
from workers.gateway.upstream import Answer
from workers.models import ModelCall, Transcript
from workers.runtime.text import plural

NO_ANSWER_LEFT = 410  # HTTP's "gone": an agent does not repeat a call after it


@dataclass(frozen=True)
class RecordedAnswer:
    """An answer with a proper end, or the error that says that there is none left."""

    status: int
    content_type: str
    body: bytes

    def header(self, name: str) -> str:
        """The content type; a recording keeps no other header."""
        return self.content_type if name == "content-type" else ""

    def parts(self) -> Iterator[bytes]:
        """The whole body."""
        yield self.body


@dataclass
class Recording:
    """The answers of one run, returned in their recorded order for any request.

    Args:
        transcript: the calls of the run; those without a proper end are skipped, as the agent repeated them.
        directory: the clone's path in this run; it takes the place of the recorded one.

    Raises:
        Refused: an answer was too long to be recorded whole, or none is recorded.
    """

    transcript: Transcript
    directory: str
    used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        check_playable(self.transcript)

    def post(
        self, target: str, headers: Mapping[str, str], body: bytes, silence_seconds: float  # noqa: ARG002 (the provider's arguments)
    ) -> Answer:  # fmt: skip
        """The next recorded answer."""
        with self._lock:
            calls = playable(self.transcript)
            number, self.used = self.used, self.used + 1
        if number >= len(calls):
            error = {
                "error": {"message": f"the recording has {plural(len(calls), 'answer')} and none is left"}
            }
            return RecordedAnswer(NO_ANSWER_LEFT, "application/json", json.dumps(error).encode())
        return self._answer(calls[number])

    def done(self, answer: Answer) -> None:
        """Do nothing: there is no connection."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _answer(self, call: ModelCall) -> RecordedAnswer:
        events: list[dict[str, Any]] = json.loads(call.response)
        body = render_events(_format(self.transcript), events, is_stream=call.is_stream)
        if self.transcript.directory:
            body = body.replace(self.transcript.directory.encode(), self.directory.encode())
        return RecordedAnswer(200, "text/event-stream" if call.is_stream else "application/json", body)


def playable(transcript: Transcript) -> list[ModelCall]:
    """The calls that have an answer with a proper end."""
    return [call for call in transcript.calls if call.is_complete]


def check_playable(transcript: Transcript) -> None:
    """Raise Refused, with the reason, unless every answer of the run is recorded whole."""
    calls = playable(transcript)
    if not calls:
        raise Refused("no answer of the model is recorded")
    cut = [number for number, call in enumerate(transcript.calls, start=1) if call.response_cut]
    if cut or transcript.dropped:
        dropped = f"{plural(transcript.dropped, 'call')} {'was' if transcript.dropped == 1 else 'were'}"
        which = f"the answer of call {cut[0]} was" if cut else dropped
        raise Refused(f"{which} too long to be recorded whole, so the run cannot be played again")
    _format(transcript)


def _format(transcript: Transcript) -> Format:
    for api in FORMATS.values():
        if api.name == transcript.api:
            return api
    raise Refused(f"the answers have the unknown format {transcript.api!r}")
