"""The calls of the model behind an incident's plan and fix, with requests and answers.

All of their text comes from outside, so each line is cleaned and redacted again, as all output of the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workers.actions.lookup import find_journal
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.errors import Refused
from workers.gateway.transcript import answer_lines
from workers.models import ModelCall, Transcript
from workers.runtime.text import plural, safe_line

MAX_WIDTH = 2_000  # characters of one line; a line of minified code says nothing beyond that


def render_transcript(store: JournalStore, name: str) -> list[str]:
    """The transcripts of a journal as lines of text.

    Raises:
        Refused: no journal matches the name, several do, or it holds no call of a model.
    """
    key = find_journal(store, name)
    transcripts = {role: store.read_record(key, record) for role, record in records.CALLS.items()}
    lines = [
        line
        for role, transcript in transcripts.items()
        if transcript is not None
        for line in _transcript(role, transcript)
    ]
    if not lines:
        raise Refused(f"{journal_id(key)}: no call of a model is recorded")
    return lines


def summarise(transcript: Transcript) -> list[str]:
    """One line about a transcript, for the view of its journal."""
    calls = transcript.calls
    tokens, cost = sum(call.tokens for call in calls), sum(call.cost_usd for call in calls)
    failed = sum(not call.is_complete for call in calls)
    parts = [plural(len(calls) + transcript.dropped, "call"), plural(tokens, "token"), f"{cost:.4f} USD"]
    parts += [f"{failed} without an answer"] if failed else []
    return [f"{', '.join(parts)} (show --transcript prints them)"]


def _transcript(role: str, transcript: Transcript) -> Iterator[str]:
    yield f"== {role}: {_line(summarise(transcript)[0].partition(' (')[0])}; model {_line(transcript.model)}"
    if transcript.dropped:
        yield f"   {plural(transcript.dropped, 'call')} after the first are left out to save space"
    for number, call in enumerate(transcript.calls, start=1):
        yield from _call(number, transcript, call)


def _call(number: int, transcript: Transcript, call: ModelCall) -> Iterator[str]:
    status = "connection reset" if call.status == 0 else f"status {call.status}"
    note = f", {_line(call.note)}" if call.note else ""
    yield f"-- call {number}: {status}, {plural(call.tokens, 'token')}, {call.cost_usd:.4f} USD{note}"
    yield f"   sha256 {call.sha256}"
    yield from _marked("> ", call.request.split("\n"))
    yield from _marked("< ", answer_lines(transcript, call))
    if call.response_cut:
        yield "   (the answer is not complete: it was too long)"


def _marked(mark: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        yield f"{mark}{' ' * indent}{_line(line)}".rstrip()


def _line(text: str) -> str:
    return safe_line(text, MAX_WIDTH)
