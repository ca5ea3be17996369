"""What a person does to one journal by hand: end it now, or have it tried again.

Both are one script each. Neither undoes what happened outside: a branch, a pull request, a post stay where they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import UTC, datetime

from workers.cli.listing import field_text
from workers.cli.lookup import find_journal, short_of
from workers.engine import records, scripts
from workers.engine.claim import LEASE_SECONDS, TTL_SECONDS
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import PREFIX, EndedAs, notification_key, slot_key_of
from workers.engine.stage_table import WATCH, kind_of, reached, stages_of
from workers.errors import NotAvailable, Refused
from workers.models import Answer, AnswerKind, Outcome, PullRequest
from workers.runtime.text import one_line

CANCELLED = "cancelled by a person"
STAGES_AFTER_PUSH = ("propose", "watch")
"""Stages that make no other patch."""
MAX_CONFLICTS = 5
"""So often a journal is read anew because a worker was quicker."""

Fields = dict[str, bytes]


def cancel(journal: JournalStore, name: str) -> list[str]:
    """End a journal now, whoever works on it; what was done, a sentence a line. Done twice it only says so.

    A worker in the middle of it loses its claim: its children are killed within a beat, no effect acts any more.
    Reservations are given back unless a pull request may be open, the budget is settled. Of an incident it is said in
    its thread, without a ring; the alerts of a sweep hear it as their answer. Raises Refused for what has ended by
    itself, and for what is no piece of work.
    """
    key = find_journal(journal, name)
    return _retry_on_conflict(lambda: _cancel(journal, key), short_of(key))


def retry(journal: JournalStore, name: str, stage: str | None = None) -> list[str]:
    """Have a journal worked on now; what follows, a sentence a line.

    Without a stage: the one where it stands, or where it failed; tries, deaths and waits are forgotten, no record is.
    With one, the records that this stage and later ones made are forgotten and made again. Never forgotten is what
    happened outside: branch, pull request, posts, reservations, what was spent.

    Once a branch of the round was pushed, its patch stands outside and is the truth: what comes before `propose` is
    refused then, as another patch could only contradict it. `propose` finds what is there, `watch` looks anew. Where
    reservations may have been given back, the round goes by `plan`, which takes them again and keeps its plan.
    What has ended is taken up again while its records live, an incident only while no other round holds its trouble.
    Raises Refused for all this, and while a worker has it in work.
    """
    key = find_journal(journal, name)
    return _retry_on_conflict(lambda: _retry(journal, key, stage), short_of(key))


def _retry_on_conflict(attempt: Callable[[], list[str] | None], short: str) -> list[str]:
    for _ in range(MAX_CONFLICTS):
        if (said := attempt()) is not None:
            return [one_line(sentence) for sentence in said]
    raise NotAvailable(f"{short} changes while it is looked at: try again")


# ---- cancel ----------------------------------------------------------------------------------


def _cancel(journal: JournalStore, key: str) -> list[str] | None:
    short, fields = short_of(key), _fields(journal, key)
    if "ended" in fields:
        return _report_ended(short, fields)
    pull = records.PULL.read(fields)
    incident = kind_of(short) == "incident"
    record = records.CANCELLED.pack(_outcome(fields, pull)) if incident else b""
    slot = slot_key_of(key)
    answer = journal.run(
        scripts.CANCEL, journal=key, notification=_notification_key(short), slot=slot or key,
        uses_slot=int(bool(slot)), outcome=CANCELLED, ttl_ms=TTL_SECONDS * 1000, budget_holder=short,
        cancelled_record=record, names_pull=int(records.PULL.is_in(fields)),
        cancelled_reservation_ms=int(CANCELLED_RESERVATION_SECONDS * 1000),
        answer_record=pack(Answer(kind=AnswerKind.CANCELLED), Answer),
    ).decode()  # fmt: skip
    if answer != "cancelled":
        return None
    said = [f"{short}: {CANCELLED}"]
    if "lease" in fields:
        said.append("the worker that has it in work stops within a few seconds")
    if kind_of(short) == "sweep":
        said.append("alerts that are owed an answer hear so; the next ping or alert looks anew")
    if kind_of(short) == "notification":
        said.append("what it had not said stays unsaid, until there is something new to say")
    return [*said, *_pull_request_lines(fields, pull), *_mute_hint(fields)] if incident else said


def _report_ended(short: str, fields: Fields) -> list[str]:
    outcome = field_text(fields, "outcome")
    when = f"{datetime.fromtimestamp(int(fields['ended']) / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if field_text(fields, "ended_as") == EndedAs.CANCELLED:
        return [f"{short} is cancelled already, since {when}"]
    sweep = field_text(fields, "sweep").removeprefix(PREFIX)
    hint = f"; its sweep is {sweep}" if sweep else ""
    raise Refused(f"{short} has ended already: {outcome} ({when}){hint}")


def _outcome(fields: Fields, pull: PullRequest | None) -> Outcome:
    """What is told of it: where it stood, and what stays."""
    lines = [f"it stood at {field_text(fields, 'stage')}", *_pull_request_lines(fields, pull, link=False)]
    return Outcome(kind="cancelled", headline=CANCELLED, lines=tuple(lines), link=pull.url if pull else None)


def _pull_request_lines(fields: Fields, pull: PullRequest | None, *, link: bool = True) -> list[str]:
    if pull is not None:
        state = "stays open" if pull.state == "open" else f"is {pull.state}"
        return [f"its pull request #{pull.number} {state}" + (f": {pull.url}" if link else "")]
    if records.PULL.is_in(fields) or (records.REMOTE.is_in(fields) and not records.OUTCOME.is_in(fields)):
        incident = records.INCIDENT.read(fields)
        branch = f"branch {incident.branch}" if incident else "its branch"
        return [
            f"a pull request of it may be open already: look for {branch} in {field_text(fields, 'repository')}"
        ]
    return []


def _mute_hint(fields: Fields) -> list[str]:
    incident = records.INCIDENT.read(fields)
    name = incident.subject.name if incident else "SERVICE"
    mute = f"`python -m workers mute {shlex.quote(name)} --for 4h`"
    return [f"the next sweep that still sees the trouble opens a new round: {mute} keeps it quiet"]


# ---- retry -----------------------------------------------------------------------------------


def _retry(journal: JournalStore, key: str, wanted: str | None) -> list[str] | None:
    short, fields = short_of(key), _fields(journal, key)
    stage = _stage_to_retry(short, fields, wanted)
    forgotten = _records_to_drop(short, fields, stage, wanted)
    before_propose = bool(kind_of(short) == "incident" and wanted and stage not in STAGES_AFTER_PUSH)
    if before_propose:
        _refuse_pushed(short, fields, stage)
    begins = _first_stage(fields, stage)
    left = [f"r:{one}" for one in forgotten] + _assignment_fields(short, fields)
    answer = journal.run(
        scripts.RETRY, more=left, journal=key, notification=_notification_key(short), stage=begins,
        seen_fence=field_text(fields, "fence"), seen_stage=field_text(fields, "stage"),
        seen_ended=field_text(fields, "ended"),
        before_push=int(before_propose),
    ).decode()  # fmt: skip
    if answer in ("gone", "changed"):
        return None
    if answer == "in work":
        raise Refused(
            f"{short} is running stage `{field_text(fields, 'stage')}`: wait until the worker releases it, or "
            f"`cancel` it first. The claim of a crashed worker expires within {LEASE_SECONDS:.0f} s"
        )
    if answer != "due":
        raise Refused(f"{short}: its trouble is held by {short_of(answer)}, which is open: retry that one")
    lost = [one for one in forgotten if f"r:{one}" in fields and one != "cancelled"]
    said = [f"{short}: due now at {begins}"]
    said += [f"forgotten and made again: {', '.join(lost)}"] if lost else []
    said += [f"its plan is kept; it goes on to {stage} once its cause is reserved"] if begins != stage else []
    return said


def _stage_to_retry(short: str, fields: Fields, wanted: str | None) -> str:
    """The stage that is asked for, else where it stands or where it failed. Raises Refused naming the valid ones."""
    valid = reached(short, fields.keys())
    if wanted is not None and wanted not in valid:
        if records.BRANCH.is_in(fields) or records.PULL.is_in(fields):
            valid = [stage for stage in valid if stage in STAGES_AFTER_PUSH]
        raise Refused(f"--from {wanted}: {short} can be retried from {', '.join(valid)}")
    if wanted is not None:
        return wanted
    stands = field_text(fields, "stage")
    if stands == "watch" and not records.PULL.is_in(fields):
        outcome = records.OUTCOME.read(fields)
        if outcome is None or outcome.kind == "failed":
            return [stage for stage in valid if stage != "watch"][-1]
    return stands


def _records_to_drop(short: str, fields: Fields, stage: str, wanted: str | None) -> list[str]:
    """Records that go: all that the stage and later ones made; unless it was named, only how the round ended."""
    stages = stages_of(short)
    names = [each.name for each in stages]
    later = stages[names.index(stage) :] if stage in names else []
    if wanted is not None:
        return ["cancelled", *(record.name for each in later for record in each.makes)]
    if kind_of(short) != "incident":
        return []
    watched = [record.name for record in WATCH.makes]
    over = ["outcome", *watched] if stage != "watch" else watched if "ended" in fields else []
    return ["cancelled", *over]


def _assignment_fields(short: str, fields: Fields) -> list[str]:
    """Where an alert stands already: it is put on a sweep anew."""
    if kind_of(short) != "alert":
        return []
    return [name for name in fields if name.startswith("on:") or name in ("same", "sweep")]


def _first_stage(fields: Fields, stage: str) -> str:
    """The stage that is due: `plan` where the cause in the code must be reserved again before."""
    if stage not in ("fix", "propose") or records.PULL.is_in(fields):
        return stage
    under_way = "ended" not in fields and field_text(fields, "stage") in ("fix", "propose")
    return stage if under_way else "plan"


def _refuse_pushed(short: str, fields: Fields, stage: str) -> None:
    pull = records.PULL.read(fields)
    if pull is not None:
        raise Refused(
            f"--from {stage}: pull request #{pull.number} of {short} is {pull.state} ({pull.url}) and holds its patch; "
            "only propose and watch can be retried. Once it is closed, a sweep that still sees the trouble goes on"
        )
    if records.PULL.is_in(fields) or records.BRANCH.is_in(fields):
        raise Refused(
            f"--from {stage}: the branch of {short} is pushed, so that a pull request may be open already; "
            "--from propose finds or opens it"
        )


# ---- both ------------------------------------------------------------------------------------


def _notification_key(journal: str) -> str:
    """The notification of an incident or alert; "" for journals that have none."""
    return notification_key(journal) if kind_of(journal) in ("incident", "alert") else ""


def _fields(journal: JournalStore, key: str) -> Fields:
    fields = journal.fields(key)
    if not fields.get("stage"):
        raise Refused(f"{short_of(key)}: no such journal any more")
    if not kind_of(short_of(key)):
        raise Refused(f"{short_of(key)} is no piece of work: nothing to cancel or to retry")
    # A record that is to be made again is emptied.
    return {name: value for name, value in fields.items() if value or not name.startswith("r:")}
