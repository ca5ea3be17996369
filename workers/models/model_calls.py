"""The calls of the model that a run of the agent made, for people and for a replay."""

from __future__ import annotations

from workers.models.base import Model
from workers.models.clean_text import Exact, Text, Visible


class ModelCall(Model):
    """One call: the new part of the request, and the answer. All text is redacted."""

    request: Text
    """The parts of the request that the previous call did not have, as text for people."""
    response: Visible
    """The answer in its short form, as a JSON list of the provider's events; "" if there was none."""
    status: int
    """The HTTP status that the agent got; 0 if its connection was reset."""
    note: str = ""
    """The reason why the call failed."""
    is_stream: bool = True
    is_complete: bool = False
    """True if the answer has a proper end: a replay plays these answers only."""
    request_cut: bool = False
    response_cut: bool = False
    """True if the middle of the text was left out to save space."""
    is_altered: bool = False
    """True if the redaction changed the answer, so that a replay is not exact."""
    tokens: int = 0
    cost_usd: float = 0.0
    sha256: str = ""
    """Hash of the whole text of this call, uncut, and of the hash of the call before it."""


class Transcript(Model):
    """All calls of one role's run, the oldest first."""

    api: str = ""
    """The format of the model's API."""
    model: str = ""
    """`provider/model`"""
    directory: Exact = ""
    """The clone's path in that run. Answers name files by it, so a changed character would lead a replay astray."""
    calls: tuple[ModelCall, ...] = ()
    dropped: int = 0
    """Calls whose whole text is missing, because there were too many."""
