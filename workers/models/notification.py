"""Reports to people: the answer to an alert, and the messages that were posted to Slack."""

from __future__ import annotations

from enum import StrEnum

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact
from workers.models.survey import Gap


class AnswerKind(StrEnum):
    """Why a notification that belongs to no incident is sent."""

    NO_PROBLEM = "no_problem"
    CHECK_FAILED = "check_failed"
    CANCELLED = "cancelled"
    WEBHOOKS_MISSING = "webhooks_missing"
    PINGS_MISSING = "pings_missing"
    PINGS_RESUMED = "pings_resumed"
    OPERATIONAL_ERROR = "operational_error"


class Answer(Model):
    """The result that an alert's notification reports, or a report about Trackwalker itself."""

    kind: AnswerKind
    minutes: float | None = None
    """Length of the checked window (`NO_PROBLEM`)."""
    failed_reads: tuple[Gap, ...] = ()
    at: Moment | None = None
    """The last ping before the silence (`PINGS_MISSING`, `PINGS_RESUMED`)."""
    reason: str = ""
    """The error (`CHECK_FAILED`, `OPERATIONAL_ERROR`) or the environment's name (`WEBHOOKS_MISSING`)."""


class DropReason(StrEnum):
    """Why an alert's notification ends without an answer of its own."""

    NOT_WATCHED = "not_watched"
    ANSWERED_RECENTLY = "answered_recently"
    KNOWN_INCIDENT = "known_incident"


class SlackMessage(Model):
    """A message that was posted to Slack."""

    ts: Exact = ""
    """Slack's id of the message; "" behind an incoming webhook, which returns none."""
    channel: Exact = ""
    digest: Exact = ""
    """Digest of the posted text: an unchanged message is not edited."""
    text: Exact = ""
    """The text itself, escaped, only if it was not posted: no Slack is configured, or the mode is shadow."""
