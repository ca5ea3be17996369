"""Records the model's requests and answers: redacted, bounded, hashed, and stored after each call.

A call repeats the whole conversation so far, so only its new part is kept. If space is short, the calls in the middle
are shortened: first their requests, then their answers. A run that lacks an answer cannot be replayed and says so.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.gateway.call_outcome import CallRecord
from workers.gateway.formats import FORMATS, Format
from workers.gateway.streams import slots_of
from workers.models import ModelCall, Transcript
from workers.runtime.text import safe_text, safe_value

MAX_REQUEST_CHARS = 60_000  # of one call; the largest file that opencode's read tool returns has 50 KB
MAX_RESPONSE_CHARS = 250_000  # of one call; answers are a few KB, and a whole written file at most
MAX_TOTAL_BYTES = 1_000_000  # of one transcript; random text hardly shrinks, and a record holds 1 MiB
MAX_CALLS = 200  # of one transcript
KEPT_AT_ENDS = 3  # calls at the beginning and at the end whose requests are shortened last
JSON_TEXTS = frozenset(("arguments", "partial_json"))  # fields that hold JSON as text, in the four APIs
SHORT_REQUEST_CHARS = 600  # of a request in the middle of a transcript that is too long


def cut_middle(text: str, limit: int) -> str:
    """The beginning and the end of the text in about `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


@dataclass
class TranscriptRecorder:
    """Collects the calls of a run.

    Args:
        store: called with the whole transcript after each call.
        transcript: of an earlier part of the run, before its worker crashed; else an empty one.
    """

    store: Callable[[Transcript], None]
    transcript: Transcript = field(default_factory=Transcript)
    _before: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, call: CallRecord) -> None:
        """Add a call that has ended, and store the transcript."""
        with self._lock:
            request = "\n".join(self._news(call))
            events = [clean(event) for event in call.events]
            response = json.dumps(events, ensure_ascii=False) if events else ""
            calls = self.transcript.calls
            chain = hashlib.sha256("\0".join((calls[-1].sha256 if calls else "", request, response)).encode())
            entry = ModelCall(
                request=cut_middle(request, MAX_REQUEST_CHARS), response=response[:MAX_RESPONSE_CHARS],
                status=call.status, note=call.note, is_stream=call.is_stream,
                is_complete=call.complete, request_cut=len(request) > MAX_REQUEST_CHARS,
                response_cut=call.cut or len(response) > MAX_RESPONSE_CHARS, is_altered=events != call.events,
                tokens=call.usage.total, cost_usd=round(call.cost_usd, 6), sha256=chain.hexdigest(),
            )  # fmt: skip
            self.transcript = _bounded(
                self.transcript.model_copy(update={"api": call.api.name, "calls": (*calls, entry)})
            )
            self.store(self.transcript)

    def _news(self, call: CallRecord) -> Iterator[str]:
        """The lines of the request that the previous call did not have."""
        history = call.api.history
        for name, value in call.request.items():
            if name != history and self._before.get(name) != value:
                yield from readable(clean({name: value}))
        items, earlier = call.request.get(history), self._before.get(history)
        old = earlier if isinstance(earlier, list) else []
        new = items if isinstance(items, list) else [items]
        same = next((n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old))
        if same:
            yield f"{history}: {same} as before"
        for item in new[same:]:
            yield from readable(clean({history: item}))
        self._before = dict(call.request)


def clean(value: Any) -> Any:
    """A value of JSON with every text in it cleaned and redacted; JSON inside a text stays JSON."""
    if isinstance(value, dict):
        return {
            safe_text(name): _clean_json(item)
            if name in JSON_TEXTS and isinstance(item, str)
            else clean(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [clean(item) for item in value]
    return safe_value(value)


def _clean_json(text: str) -> str:
    """The arguments of a tool call. Redacting them as plain text could remove the quote after a secret."""
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return safe_text(text)
    cleaned = clean(arguments)
    return text if cleaned == arguments else json.dumps(cleaned, ensure_ascii=False)


def _bounded(transcript: Transcript) -> Transcript:
    """The transcript within its bounds."""
    calls = list(transcript.calls)
    dropped = max(0, len(calls) - MAX_CALLS)
    # The first call holds the task; the ones after it are the least missed.
    calls = [*calls[:1], *calls[1 + dropped :]]
    middle = list(range(KEPT_AT_ENDS, len(calls) - KEPT_AT_ENDS)) or list(range(1, len(calls) - 1))
    rest = [number for number in range(len(calls)) if number not in middle]
    shorten: tuple[Callable[[ModelCall], ModelCall], ...] = (_shorten_request, _without_response)
    for change in shorten:
        for number in [*middle, *rest]:
            if _size(calls) <= MAX_TOTAL_BYTES:
                break
            calls[number] = change(calls[number])
    return transcript.model_copy(update={"calls": tuple(calls), "dropped": transcript.dropped + dropped})


def _shorten_request(call: ModelCall) -> ModelCall:
    if len(call.request) <= SHORT_REQUEST_CHARS:
        return call
    text = cut_middle(call.request, SHORT_REQUEST_CHARS)
    return call.model_copy(update={"request": text, "request_cut": True})


def _without_response(call: ModelCall) -> ModelCall:
    return call.model_copy(update={"response": "", "response_cut": True}) if call.response else call


def _size(calls: Sequence[ModelCall]) -> int:
    return sum(len(call.request.encode()) + len(call.response.encode()) for call in calls)


def readable(value: Any, indent: str = "") -> Iterator[str]:
    """A JSON value as indented lines of text, strings with their own lines."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _named(str(name), item, indent)
    elif isinstance(value, list):
        for item in value:
            lines = list(readable(item, indent + "  "))
            yield f"{indent}- {lines[0].strip() if lines else ''}"
            yield from lines[1:]
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        yield from (indent + line for line in text.split("\n"))


def _named(name: str, item: Any, indent: str) -> Iterator[str]:
    lines = list(readable(item, indent + "  "))
    if len(lines) == 1 and not isinstance(item, Mapping | list):
        yield f"{indent}{name}: {lines[0].strip()}"
    else:
        yield f"{indent}{name}:"
        yield from lines


# ---- reading a transcript ----


def answer_lines(transcript: Transcript, call: ModelCall) -> Iterator[str]:
    """The answer as lines for people: its texts and its calls of tools, without the frame of the events."""
    api = next((api for api in FORMATS.values() if api.name == transcript.api), None)
    try:
        events = json.loads(call.response or "[]")
    except ValueError:
        api, events = None, []
    if api is None:
        yield from call.response.splitlines()
        return
    for event in events:
        yield from _event_lines(api, event, is_stream=call.is_stream)


def _event_lines(api: Format, event: dict[str, Any], *, is_stream: bool) -> Iterator[str]:
    if not is_stream:
        yield from readable({name: event[name] for name in ANSWER_FIELDS if name in event})
        return
    for _, holder, name in slots_of(api, event):
        yield from [f"calls {holder['name']}"] if holder.get("name") else []
        yield from readable(holder[name])
    # Anthropic and OpenAI's responses name a tool in an event of its own, before its arguments.
    begun = event.get("content_block") or event.get("item")
    is_first = str(event.get("type")).endswith(("_start", ".added"))
    if is_first and isinstance(begun, dict) and begun.get("name"):
        yield f"calls {begun['name']}"
    for called in _gemini_calls(event):
        yield from (f"calls {called.get('name')}", *readable(called.get("args") or {}))


def _gemini_calls(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    candidates = event.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else []:
        content = candidate.get("content") if isinstance(candidate, dict) else None
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, dict) and isinstance(part.get("functionCall"), dict):
                yield part["functionCall"]


ANSWER_FIELDS = ("choices", "output", "content", "candidates")
"""Fields that hold the answer to a request without a stream, in the four APIs."""
