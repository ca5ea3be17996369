"""Reports to people: the answer to an alert, and the messages that were posted to Slack."""

from __future__ import annotations

from enum import StrEnum

from workers.models.action import Decision
from workers.models.base import Model, Moment
from workers.models.clean_text import Exact
from workers.models.incident import Finding
from workers.models.survey import Gap


class AnswerKind(StrEnum):
    """Why a notification that belongs to no incident is sent."""

    NO_PROBLEM = "no_problem"
    """Everything that concerns the service was read, and it is well."""
    CHRONIC = "chronic"
    """The service has been sick for as long as the history reaches."""
    OPEN_INCIDENT = "open_incident"
    """An incident of the service is open, although this check found no trouble above a notice."""
    SEEN = "seen"
    """Something was seen that is no incident: a notice, or the rest of an incident that has ended."""
    UNCLEAR = "unclear"
    """Something could not be read, so this check shows nothing."""
    NOT_A_PROBLEM = "not_a_problem"
    """A person decided that what was found is no problem; `decision` says who, and until when."""
    NOT_RUNNING = "not_running"
    """No deployment of the service is running."""
    NO_DATA = "no_data"
    """The service had no request and no sample in the window."""
    UNKNOWN_SERVICE = "unknown_service"
    """No watched environment has a service of that name."""
    CHECK_FAILED = "check_failed"
    CANCELLED = "cancelled"
    WEBHOOKS_MISSING = "webhooks_missing"
    PINGS_MISSING = "pings_missing"
    PINGS_RESUMED = "pings_resumed"
    OPERATIONAL_ERROR = "operational_error"
    FIRST_CHECK = "first_check"
    """The first check of an environment: what is watched from now on, and what fails already."""


class Answer(Model):
    """The result that an alert's notification reports, or a report about Trackwalker itself."""

    kind: AnswerKind
    minutes: float | None = None
    """Length of the checked window."""
    failed_reads: tuple[Gap, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Findings of the service, worst first (`CHRONIC`, `OPEN_INCIDENT`, `SEEN`)."""
    incident_id: str = ""
    """The incident that is open (`CHRONIC`, `OPEN_INCIDENT`)."""
    incident_ids: tuple[str, ...] = ()
    """The incidents that the first check opened (`FIRST_CHECK`)."""
    services: int = 0
    healthy_services: int = 0
    """Services of the environment, and those without an alerting finding (`FIRST_CHECK`)."""
    requests: int | None = None
    """Requests in the window; None if the traffic is unknown, or the alert names no service."""
    failed_requests: int = 0
    """Those that were answered with 5xx."""
    decision: Decision | None = None
    """The decision that what was found is no problem (`NOT_A_PROBLEM`)."""
    platform_incident: str = ""
    """Railway's description of its own incident."""
    unknown_names: tuple[str, ...] = ()
    """The names by which the alert's labels mean a service, if none of them is one."""
    at: Moment | None = None
    """The last ping before the silence (`PINGS_MISSING`, `PINGS_RESUMED`)."""
    reason: str = ""
    """The error, or the environment.

    The error: `CHECK_FAILED`, `OPERATIONAL_ERROR`. The environment: `WEBHOOKS_MISSING`, `UNKNOWN_SERVICE`,
    `FIRST_CHECK`.
    """


class CheckResult(Model):
    """The answer to a person who asked for a check."""

    asked_by: str
    """Name of the person."""
    asked_at: Moment
    at: Moment
    """The end of the checked window."""
    answer: Answer


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
