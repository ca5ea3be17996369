"""The commands that change one journal: cancel, retry, and the approval of a fix.

Each runs one Lua script. None undoes an effect: branches, pull requests and posts stay.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NoReturn

from workers.actions.lookup import find_journal
from workers.engine import records, scripts
from workers.engine.claim import LEASE_SECONDS, TTL_SECONDS
from workers.engine.codec import pack
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.reservations import CANCELLED_RESERVATION_SECONDS
from workers.engine.schema import OPEN, EndedAs, journal_id, notification_key, slot_key_of
from workers.engine.stage_table import FIX, PLAN, WATCH, kind_of, stages_of, startable_stages
from workers.errors import NotAvailable, Refused
from workers.models import Answer, AnswerKind, Outcome, PullRequest
from workers.runtime.text import format_timestamp, safe_line

CANCELLED = "cancelled by a person"  # the outcome of a cancelled journal, for people
STAGES_AFTER_PUSH = ("propose", "watch")  # the stages that can be retried once a branch is pushed
MAX_CONFLICTS = 5  # attempts of one command while workers keep changing the journal

Fields = dict[str, bytes]


def cancel(store: JournalStore, name: str) -> list[str]:
    """End a journal now, even if a worker is running it. A second call reports the first.

    The worker loses its claim: the processes that it started are killed within seconds, and its later effects are
    refused. Reservations are released unless a pull request may be open, and the budget is settled. Trackwalker posts
    the cancellation to the incident's thread, not to the channel; the alerts of a sweep get it as their answer.

    Returns:
        Sentences for the operator, one per line.

    Raises:
        Refused: the journal ended by itself, or the name matches no or several journals.
        NotAvailable: Redis does not answer, or workers kept changing the journal.
    """
    key = find_journal(store, name)
    return _retry_on_conflict(lambda: _cancel(store, key), journal_id(key))


def retry(store: JournalStore, name: str, stage: str | None = None) -> list[str]:
    """Schedule a journal now, at its present stage or at an earlier one.

    Branch, pull request, posts, reservations and cost are never discarded. Once a branch is pushed, stages before
    `propose` are refused, because a second patch would contradict the pushed one. If reservations may have been
    released, the incident passes `plan` first, which reserves the cause again and keeps the plan. An ended journal is
    opened again while its records exist, an incident only while no other occurrence is open.

    Args:
        stage: discard the records of this stage and of later ones. None keeps all records and resets attempts, crashes
            and waits; a failed incident continues at the stage that failed.

    Returns:
        Sentences for the operator, one per line.

    Raises:
        Refused: the journal cannot be retried from that stage, or a worker is running it.
        NotAvailable: Redis does not answer, or workers kept changing the journal.
    """
    key = find_journal(store, name)
    return _retry_on_conflict(lambda: _retry(store, key, stage), journal_id(key))


def request_fix(store: JournalStore, name: str) -> list[str]:
    """Approve an automatic fix: schedule a reported incident at `plan`.

    If a verified patch exists already, it is kept and proposed.

    Args:
        name: an incident, or `all`: every open incident that is not suppressed as a symptom, because the fix of the
            cause ends its symptoms.

    Returns:
        One sentence per incident; [] if `all` matches none.

    Raises:
        Refused: the incident has a pull request, has ended, or is in progress.
    """
    if name != "all":
        key = find_journal(store, name)
        fields = store.fields(key)
        return [_request_one_fix(store, key, fields) or _refuse_fix(key, fields)]
    keys = [raw.decode() for raw in store.command("hvals", OPEN)]
    incidents = [(key, store.fields(key)) for key in keys]
    answers = [
        _request_one_fix(store, key, fields)
        for key, fields in incidents
        if not field_text(fields, "suppressed_by")
    ]
    return [sentence for sentence in answers if sentence]


def _retry_on_conflict(attempt: Callable[[], list[str] | None], name: str) -> list[str]:
    # The scripts compare what was read here: None means that a worker changed the journal in between.
    for _ in range(MAX_CONFLICTS):
        if (sentences := attempt()) is not None:
            return [safe_line(sentence) for sentence in sentences]
    raise NotAvailable(f"{name}: workers are changing it, try again")


# ---- cancel ----------------------------------------------------------------------------------


def _cancel(store: JournalStore, key: str) -> list[str] | None:
    name, fields = journal_id(key), _fields(store, key)
    if "ended" in fields:
        return _report_ended(name, fields)
    pull = records.PULL.read(fields)
    is_incident = kind_of(name) == "incident"
    record = records.CANCELLED.pack(_outcome(fields, pull)) if is_incident else b""
    # A script needs a key at each position, so a journal without a slot passes its own key and `uses_slot=0`.
    slot = slot_key_of(key)
    answer = store.run(
        scripts.CANCEL, journal=key, notification=_notification_key(name), slot=slot or key,
        uses_slot=int(bool(slot)), outcome=CANCELLED, ttl_ms=TTL_SECONDS * 1000, budget_holder=name,
        cancelled_record=record, names_pull=int(records.PULL.is_in(fields)),
        cancelled_reservation_ms=int(CANCELLED_RESERVATION_SECONDS * 1000),
        answer_record=pack(Answer(kind=AnswerKind.CANCELLED), Answer),
    ).decode()  # fmt: skip
    if answer != "cancelled":
        return None
    sentences = [f"{name}: {CANCELLED}"]
    if "lease" in fields:
        sentences.append("the worker that is running it stops within a few seconds")
    if kind_of(name) == "sweep":
        sentences.append("its alerts are answered; the next ping or alert starts a new sweep")
    if kind_of(name) == "notification":
        sentences.append("nothing is posted until there is something new to report")
    return [*sentences, *_pull_request_lines(fields, pull), *_mute_hint(fields)] if is_incident else sentences


def _report_ended(name: str, fields: Fields) -> list[str]:
    outcome = field_text(fields, "outcome")
    ended = format_timestamp(int(fields["ended"]) / 1000)
    if field_text(fields, "ended_as") == EndedAs.CANCELLED:
        return [f"{name} was cancelled at {ended}"]
    sweep = journal_id(field_text(fields, "sweep"))
    hint = f"; its sweep is {sweep}" if sweep else ""
    raise Refused(f"{name} has ended already: {outcome} ({ended}){hint}")


def _outcome(fields: Fields, pull: PullRequest | None) -> Outcome:
    lines = [
        f"it was in stage `{field_text(fields, 'stage')}`",
        *_pull_request_lines(fields, pull, link=False),
    ]
    return Outcome(kind="cancelled", headline=CANCELLED, lines=tuple(lines), link=pull.url if pull else None)


def _pull_request_lines(fields: Fields, pull: PullRequest | None, *, link: bool = True) -> list[str]:
    if pull is not None:
        state = "stays open" if pull.state == "open" else f"is {pull.state}"
        return [f"its pull request #{pull.number} {state}" + (f": {pull.url}" if link else "")]
    if records.PULL.is_in(fields) or (records.REMOTE.is_in(fields) and not records.OUTCOME.is_in(fields)):
        incident = records.INCIDENT.read(fields)
        branch = f"branch {incident.branch}" if incident else "its branch"
        return [
            f"its pull request may be open already: look for {branch} in {field_text(fields, 'repository')}"
        ]
    return []


def _mute_hint(fields: Fields) -> list[str]:
    incident = records.INCIDENT.read(fields)
    service = incident.subject.name if incident else "SERVICE"
    mute = f"`python -m workers mute {shlex.quote(service)} --for 4h`"
    return [f"the next sweep that finds the problem opens a new occurrence; {mute} prevents posts about it"]


# ---- retry -----------------------------------------------------------------------------------


def _retry(store: JournalStore, key: str, requested: str | None) -> list[str] | None:
    name, fields = journal_id(key), _fields(store, key)
    stage = _stage_to_retry(name, fields, requested)
    discarded = _records_to_discard(name, fields, stage, requested)
    # A worker may push the branch after this check, so the script repeats it.
    is_before_push = bool(kind_of(name) == "incident" and requested and stage not in STAGES_AFTER_PUSH)
    if is_before_push:
        _refuse_pushed(name, fields, stage)
    first = _first_stage(fields, stage)
    removed = [f"r:{record}" for record in discarded] + _assignment_fields(name, fields)
    answer = store.run(
        scripts.RETRY, more=removed, journal=key, notification=_notification_key(name), stage=first,
        seen_fence=field_text(fields, "fence"), seen_stage=field_text(fields, "stage"),
        seen_ended=field_text(fields, "ended"), before_push=int(is_before_push),
    ).decode()  # fmt: skip
    if answer in ("gone", "changed"):
        return None
    if answer == "running":
        raise Refused(
            f"{name} is running stage `{field_text(fields, 'stage')}`: wait until the worker releases it, or "
            f"`cancel` it first. The claim of a crashed worker expires within {LEASE_SECONDS:.0f} s"
        )
    if answer != "due":
        raise Refused(f"{name}: {journal_id(answer)} has the same cause and is open: retry that one")
    # The script also deletes fields that are not set; the operator reads only about records that existed.
    lost = [record for record in discarded if f"r:{record}" in fields and record != "cancelled"]
    sentences = [f"{name}: due now in stage `{first}`"]
    sentences += [f"discarded records: {', '.join(lost)}"] if lost else []
    if first != stage:
        sentences.append(f"its plan is kept; `{stage}` follows once the cause is reserved again")
    return sentences


def _stage_to_retry(name: str, fields: Fields, requested: str | None) -> str:
    """The requested stage, otherwise the stage that failed or the present one.

    Raises:
        Refused: the journal cannot be retried from the requested stage; the message names the possible ones.
    """
    possible = startable_stages(name, fields.keys())
    if requested is not None and requested not in possible:
        if records.BRANCH.is_in(fields) or records.PULL.is_in(fields):
            possible = [stage for stage in possible if stage in STAGES_AFTER_PUSH]
        raise Refused(f"--from {requested}: {name} can be retried from {', '.join(possible)}")
    if requested is not None:
        return requested
    # A failed incident is in stage `watch`; the stage that failed is the last one before it that was reached.
    present = field_text(fields, "stage")
    if present == "watch" and not records.PULL.is_in(fields):
        outcome = records.OUTCOME.read(fields)
        if outcome is None or outcome.kind == "failed":
            return [stage for stage in possible if stage != "watch"][-1]
    return present


def _records_to_discard(name: str, fields: Fields, stage: str, requested: str | None) -> list[str]:
    """The records of the requested stage and later ones; without a request, the records that ended the incident."""
    stages = stages_of(name)
    names = [definition.name for definition in stages]
    later = stages[names.index(stage) :] if stage in names else []
    if requested is not None:
        return ["cancelled", *(record.name for definition in later for record in definition.makes)]
    if kind_of(name) != "incident":
        return []
    follow_up = [record.name for record in WATCH.makes]
    if stage != "watch":
        return ["cancelled", "outcome", *follow_up]
    return ["cancelled", *follow_up] if "ended" in fields else ["cancelled"]


def _assignment_fields(name: str, fields: Fields) -> list[str]:
    """The fields that assign an alert to its sweep; without them it is assigned again."""
    if kind_of(name) != "alert":
        return []
    return [field for field in fields if field.startswith("on:") or field in ("same", "sweep")]


def _first_stage(fields: Fields, stage: str) -> str:
    """The stage that is due: `plan` if the fault location has to be reserved again first."""
    if stage not in ("fix", "propose") or records.PULL.is_in(fields):
        return stage
    # Only `plan` reserves a cause. An incident that waits in `fix` or `propose` still holds its reservations.
    holds_reservations = "ended" not in fields and field_text(fields, "stage") in ("fix", "propose")
    return stage if holds_reservations else "plan"


def _refuse_pushed(name: str, fields: Fields, stage: str) -> None:
    pull = records.PULL.read(fields)
    if pull is not None:
        raise Refused(
            f"--from {stage}: pull request #{pull.number} of {name} is {pull.state} ({pull.url}) and has its patch; "
            "only propose and watch can be retried"
        )
    if records.PULL.is_in(fields) or records.BRANCH.is_in(fields):
        raise Refused(
            f"--from {stage}: the branch of {name} was pushed, so its pull request may be open already; "
            "--from propose finds or opens it"
        )


# ---- fix -------------------------------------------------------------------------------------


def _refuse_fix(key: str, fields: Fields) -> NoReturn:
    """Raise Refused with the reason why there is nothing to approve."""
    name, pull = journal_id(key), records.PULL.read(fields)
    if pull is not None:
        raise Refused(f"{name} has a pull request: {safe_line(pull.url)}")
    if "ended" in fields:
        raise Refused(f"{name} has ended: {safe_line(field_text(fields, 'outcome'))}; `retry` opens it again")
    raise Refused(f"{name} is already in progress, in stage `{safe_line(field_text(fields, 'stage'))}`")


def _request_one_fix(store: JournalStore, key: str, fields: Fields) -> str:
    name = journal_id(key)
    if kind_of(name) != "incident":
        raise Refused(f"{name} is not an incident")
    verification = records.VERIFICATION.read(fields)
    is_verified = verification is not None and verification.decision in ("ready", "draft")
    # Without a verified patch, planning and fixing start over.
    stale = [] if is_verified else [record.field for record in (*PLAN.makes, *FIX.makes)]
    answer = store.run(scripts.REQUEST_FIX, more=stale, journal=key)
    answers = {1: f"{name}: fix approved", 2: f"{name}: a worker is running it, try again"}
    return answers.get(answer, "")


# ---- shared ----------------------------------------------------------------------------------


def _notification_key(name: str) -> str:
    """The key of the notification of an incident or alert; "" for other journals."""
    return notification_key(name) if kind_of(name) in ("incident", "alert") else ""


def _fields(store: JournalStore, key: str) -> Fields:
    fields = store.fields(key)
    if not fields.get("stage"):
        raise Refused(f"{journal_id(key)} no longer exists")
    if not kind_of(journal_id(key)):
        raise Refused(f"{journal_id(key)} is not an incident, sweep, alert or notification")
    # An empty record counts as missing: its stage writes it again.
    return {name: value for name, value in fields.items() if value or not name.startswith("r:")}
