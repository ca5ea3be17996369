"""Reads the events of a model's answer as they are passed on, and keeps a short form of them. Pure.

The short form is a list of the provider's own events in which the pieces of one text are joined: a stream of a
thousand events becomes a handful, can be redacted (a secret may be split over two pieces), and can be played again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.gateway.format_checks import is_too_deep
from workers.gateway.formats import Format, TokenUsage, merge_usage

MAX_EVENT_BYTES = 4 * 2**20  # of one event; the last one of OpenAI's responses repeats the whole answer
MAX_KEPT_BYTES = 2 * 2**20  # of the events of one answer that are kept for the transcript

Slot = tuple[str, dict[str, Any], str]
"""The channel that a piece of text belongs to, the object that holds the piece, and its field."""


@dataclass
class AnswerReader:
    """Follows one answer: `feed` it every part, then `end` it.

    Args:
        api: the answer's format.
        is_stream: True for server-sent events, False for one JSON object.
    """

    api: Format
    is_stream: bool
    usage: TokenUsage | None = None
    finished: bool = False
    error: str = ""
    received: int = 0
    """Bytes so far."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The answer in its short form."""
    cut: bool = False
    """True if the answer is too long to be kept whole."""
    _buffer: bytearray = field(default_factory=bytearray)
    _data: list[bytes] = field(default_factory=list)
    _skipping: bool = False
    _joined: dict[str, Slot] = field(default_factory=dict)
    _kept: int = 0

    def feed(self, part: bytes) -> None:
        """Take a part of the body, as it arrived."""
        self.received += len(part)
        self._buffer += part
        if self.is_stream:
            *lines, rest = bytes(self._buffer).splitlines(keepends=True) or [b""]
            if rest.endswith(b"\n"):
                lines, rest = [*lines, rest], b""
            self._buffer = bytearray(rest)
            for line in lines:
                self._line(line.rstrip(b"\r\n"))
        if len(self._buffer) > MAX_EVENT_BYTES:
            self._buffer.clear()
            self._skipping = self.cut = True

    def end(self) -> None:
        """Read the rest after the body has ended."""
        if not self.is_stream:
            self._event(bytes(self._buffer))
        elif self._buffer or self._data:
            # The last event may lack its empty line.
            self._line(bytes(self._buffer))
            self._line(b"")

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            if not self._skipping:
                self._event(data)
            self._skipping = False

    def _event(self, data: bytes) -> None:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return  # `[DONE]`, or nothing that an agent could read either
        if isinstance(event, list) and event and not self.is_stream:
            event = event[-1]  # Gemini's stream without `alt=sse` is a list of answers
        if not isinstance(event, dict) or is_too_deep(event):
            self.cut = self.cut or isinstance(event, dict)
            return
        progress = self.api.progress(event)
        self.usage = merge_usage(self.usage, progress.usage)
        self.finished = self.finished or progress.finished
        self.error = self.error or progress.error
        self._keep(event, len(data))

    def _keep(self, event: dict[str, Any], size: int) -> None:
        if event.get("type") == "ping":
            return
        slots = list(slots_of(self.api, event))
        # A piece with a name begins another call of a tool; the pieces that follow have none.
        joined = [None if holder.get("name") else self._joined.get(channel) for channel, holder, _ in slots]
        earlier = [slot for slot in joined if slot is not None]
        if slots and len(earlier) == len(slots):
            for (_, first, field_name), (_, holder, name) in zip(earlier, slots, strict=True):
                first[field_name] += holder[name]
                self._kept += len(holder[name])
        elif self._kept + size <= MAX_KEPT_BYTES:
            # Events in between end a channel: what follows them must not move before them.
            self._joined = {slot[0]: slot for slot in slots}
            self.events.append(event)
            self._kept += size
        else:
            self.cut = True
        self.cut = self.cut or self._kept > MAX_KEPT_BYTES


def slots_of(api: Format, event: dict[str, Any]) -> Iterator[Slot]:
    """The pieces of text in an event that consists of pieces only; none for any other event."""
    find = {
        "chat": _chat_slots,
        "responses": _responses_slots,
        "messages": _messages_slots,
        "gemini": _gemini_slots,
    }
    yield from find[api.name](event)


def _chat_slots(event: Mapping[str, Any]) -> Iterator[Slot]:
    choices = event.get("choices")
    if event.get("usage") or not isinstance(choices, list) or len(choices) != 1:
        return
    choice = choices[0]
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if not isinstance(delta, dict) or choice.get("finish_reason"):
        return
    names = {name for name, value in delta.items() if value not in (None, "", [])} - {"role"}
    if len(names) != 1:
        return
    name = names.pop()
    calls = delta[name]
    if name != "tool_calls":
        if isinstance(calls, str):
            yield f"{choice.get('index')}.{name}", delta, name
        return
    if not isinstance(calls, list) or len(calls) != 1 or not isinstance(calls[0], dict):
        return
    function = calls[0].get("function")
    if isinstance(function, dict) and isinstance(function.get("arguments"), str):
        yield f"{choice.get('index')}.call.{calls[0].get('index')}", function, "arguments"


def _responses_slots(event: dict[str, Any]) -> Iterator[Slot]:
    kind = event.get("type")
    if isinstance(kind, str) and kind.endswith(".delta") and isinstance(event.get("delta"), str):
        place = [event.get(name) for name in ("item_id", "output_index", "content_index", "summary_index")]
        yield f"{kind}.{place}", event, "delta"


def _messages_slots(event: Mapping[str, Any]) -> Iterator[Slot]:
    delta = event.get("delta")
    if event.get("type") == "content_block_delta" and isinstance(delta, dict):
        for name in ("text", "partial_json", "thinking"):
            if isinstance(delta.get(name), str):
                yield f"{event.get('index')}.{name}", delta, name


def _gemini_slots(event: Mapping[str, Any]) -> Iterator[Slot]:
    candidates = event.get("candidates")
    if not isinstance(candidates, list) or len(candidates) != 1 or not isinstance(candidates[0], dict):
        return
    content = candidates[0].get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if candidates[0].get("finishReason") or not isinstance(parts, list) or len(parts) != 1:
        return
    part = parts[0]
    if isinstance(part, dict) and isinstance(part.get("text"), str) and set(part) <= {"text", "thought"}:
        yield f"text.{part.get('thought')}", part, "text"


def render_events(api: Format, events: list[dict[str, Any]], *, is_stream: bool) -> bytes:
    """The body that a provider would send for these events."""
    if not is_stream:
        return json.dumps(events[-1] if events else {}).encode()
    lines = []
    for event in events:
        # Both APIs name each event by its type; the others have no names.
        named = api.name in ("responses", "messages") and isinstance(event.get("type"), str)
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    if api.name == "chat":
        lines.append("data: [DONE]\n\n")
    return "".join(lines).encode()
