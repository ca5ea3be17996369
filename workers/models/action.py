"""Actions of people, the decisions that last, and the audit of both."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact, Text


class ActionKind(StrEnum):
    """The actions of a person: the same in Slack, on the page and on the command line."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    """Post nothing about one incident until a time."""
    NOT_A_PROBLEM = "not_a_problem"
    """Open no incident for this kind of finding of this service until a time, and end the open one."""
    FIX = "fix"
    CHECK = "check"
    """Check the incident's environment now."""
    ROLL_BACK = "roll_back"
    REDEPLOY = "redeploy"
    """Undo a rollback: deploy what ran before it."""
    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    MUTE = "mute"
    UNMUTE = "unmute"
    UNDO = "undo"
    """End a decision before its time."""


class Person(Model):
    """The person who acts, as far as the way in proves it."""

    name: str
    """Slack's user name, the user of an authenticating proxy, the system user of a command, or `page`."""
    via: Literal["slack", "page", "command line"]
    slack_id: Exact = ""


class Action(Model):
    """One press of one button, one form or one command."""

    kind: ActionKind
    target: Exact = ""
    """A journal's id, a service's name or id (`MUTE`, `UNMUTE`), or a decision's id (`UNDO`)."""
    person: Person
    request_id: Exact
    """Unique for one press: a second delivery with the same id has no effect and gets the first one's result."""
    at: Moment
    reason: str = ""
    until: Moment | None = None
    """The end of a snooze, a mute or a decision; None lasts until it is undone."""
    stage: Exact = ""
    """The stage to retry from (`RETRY`); "" keeps all records."""


class ActionResult(Model):
    """The answer to a person, in one or a few plain sentences."""

    done: bool
    """False if nothing was changed: the text says why, and what to do instead."""
    text: Text


class DecisionKind(StrEnum):
    PAUSE = "pause"
    MUTE = "mute"
    SNOOZE = "snooze"
    NOT_A_PROBLEM = "not_a_problem"


class Decision(Model):
    """A decision of a person with its reason and its end. It is listed and can be undone."""

    id: Exact
    kind: DecisionKind
    service_id: Exact = ""
    service_name: str = ""
    finding_kinds: tuple[Exact, ...] = ()
    """Kinds of findings that are no problem (`NOT_A_PROBLEM`)."""
    critical_kinds: tuple[Exact, ...] = ()
    """Those of them that were critical already: any other kind is reported again once it is critical."""
    incident_id: Exact = ""
    """The incident from which it was decided."""
    reason: str = ""
    person: Person
    at: Moment
    until: Moment | None = None
    undone_by: Person | None = None
    undone_at: Moment | None = None

    def is_active(self, now: datetime) -> bool:
        """True until it ends or is undone."""
        return self.undone_at is None and (self.until is None or now < self.until)


class Acknowledgement(Model):
    """The person who took an incident, and when."""

    person: Person
    at: Moment


class AuditEntry(Model):
    """An action and its result."""

    id: Exact = ""
    """Its place in the audit, which grows with time: `<milliseconds>-<number>`."""
    action: Action
    result: ActionResult
