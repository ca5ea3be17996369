"""Errors of Railway's API, below RailwayBusy (worth a retry) and RailwayRefused (reported to people)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from workers.errors import RailwayBusy, RailwayRefused

# Railway reports execution errors with HTTP 200 and, unlike its documentation, without a usable code:
# only the message tells a failure that passes from a refusal. Compared in lower case.
TRANSIENT_MESSAGES = ("problem processing request", "rate limit", "too many requests", "timed out", "timeout")
# The same message for a dead token and for a resource that the token may not see.
UNAUTHORIZED_MESSAGES = ("not authorized", "project token not found")
SETTINGS_HINT = "check RAILWAY_API_TOKEN (account or workspace token) or RAILWAY_TOKEN (project token)"
MAX_ERROR_CHARS = 600
"""Length of the combined messages of one answer; they end in a Slack line."""


class GraphQLError(NamedTuple):
    """One error of an answer."""

    alias: str
    """The part of the query that failed; "" if Railway names none."""
    path: str
    """Field names from the alias to the failed field, joined by dots, without list indexes."""
    message: str
    """Railway's message: one line, shortened, without our tokens."""


class InvalidToken(RailwayRefused):
    """The token is missing or not accepted, so every other request with it fails as well."""


class FieldsRefused(RailwayRefused):
    """Railway refused parts of a query. `messages` holds Railway's message by the alias of the part."""

    def __init__(self, text: str, messages: Mapping[str, str]) -> None:
        super().__init__(text)
        self.messages = messages


class Unauthorized(FieldsRefused):
    """The token may not see the part, or is no valid token: Railway's message is the same for both."""


class FieldsUnavailable(RailwayBusy):
    """Railway could not answer parts of a query now. `messages` holds its message by the alias of the part."""

    def __init__(self, text: str, messages: Mapping[str, str]) -> None:
        super().__init__(text)
        self.messages = messages


class ServerError(RailwayBusy):
    """Railway answered 5xx: it is unavailable, or the query was too large for it."""


def error_for(errors: Sequence[GraphQLError]) -> RailwayRefused | RailwayBusy:
    """The exception for an answer without data."""
    unique = list(dict.fromkeys(error.message for error in errors))
    if not unique:
        return RailwayBusy("Railway answered without data and without an error")
    text = "; ".join(unique)[:MAX_ERROR_CHARS]
    messages = {error.alias: error.message for error in errors if error.alias}
    if any(hint in text.lower() for hint in TRANSIENT_MESSAGES):
        return FieldsUnavailable(f"Railway: {text}", messages)
    if any(hint in text.lower() for hint in UNAUTHORIZED_MESSAGES):
        return Unauthorized(f"Railway: {text} ({SETTINGS_HINT})", messages)
    return FieldsRefused(f"Railway: {text}", messages)


def unexpected_shape(error: ValidationError, within: str = "") -> RailwayRefused:
    """The exception for data that does not fit our types.

    Args:
        within: alias of the part, prepended to the fields that are named.
    """
    fields = [
        ".".join(map(str, (*([within] if within else []), *item["loc"]))) for item in error.errors()[:3]
    ]
    return RailwayRefused(f"Railway's answer has an unexpected shape at {', '.join(fields)}")
