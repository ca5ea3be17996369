"""The parts of opencode's HTTP answers that a run reads. Source: `GET /doc` of opencode 1.18.33."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, TypeAdapter


class Cache(BaseModel):
    """Tokens read from and written to the provider's prompt cache."""

    read: float = 0
    write: float = 0


class Tokens(BaseModel):
    """Tokens of one step. `input` excludes the cached ones."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: Cache = Cache()


class Part(BaseModel):
    """A part of a message: `text`, `tool`, `step-start`, `step-finish` and others."""

    type: str
    text: str = ""
    cost: float = 0
    """US dollars of a `step-finish`, 0 if opencode knows no price of the model."""
    tokens: Tokens = Tokens()
    """Tokens of a `step-finish`."""


class Time(BaseModel):
    """Times of a message, in epoch milliseconds."""

    completed: float | None = None
    """None while the model works on the message, and for ever if the server was killed meanwhile."""


class ModelError(BaseModel):
    """The error that ended a message. opencode answers 200 for it, so only this field shows a failure."""

    name: str = "Error"
    data: dict[str, Any] = Field(default_factory=dict)
    """`message`, and for an `APIError` the `statusCode` of the model's endpoint."""


class Info(BaseModel):
    """The head of a message."""

    id: str
    role: str
    parentID: str = ""  # noqa: N815 (opencode's name)
    """The id of the prompt that an assistant message answers; empty for a prompt."""
    error: ModelError | None = None
    time: Time = Time()


class Message(BaseModel):
    """A prompt, or one turn of the model."""

    info: Info
    parts: list[Part] = []

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if part.type == "text").strip()

    @property
    def has_output(self) -> bool:
        """True if the model finished a step with output. A stream that broke off finishes without any."""
        return any(part.type == "step-finish" and part.tokens.output for part in self.parts)


class Status(BaseModel):
    """The state of a session that is not idle: `busy`, or `retry` while opencode repeats a request to the model."""

    type: str
    message: str = ""
    """The error of the last request, for a `retry`."""
    next: float | None = None
    """Epoch milliseconds of the next request, for a `retry`."""


class Session(BaseModel):
    """A session as `POST /session` and `GET /session/{id}` return it."""

    id: str
    directory: str = ""
    """The directory in which the session's tools work, even if a request names another one."""
    permission: list[Any] | None = None
    """Rules that come after those of the configuration, so that they win. Ours has none."""


class Health(BaseModel):
    """The answer of `GET /global/health`."""

    version: str


HEALTH = TypeAdapter(Health)
SESSION = TypeAdapter(Session)

MESSAGES = TypeAdapter(list[Message])
"""Answer of `GET /session/{id}/message`, oldest message first."""

STATUSES = TypeAdapter(dict[str, Status])
"""Answer of `GET /session/status`: the sessions that are not idle, by id."""
