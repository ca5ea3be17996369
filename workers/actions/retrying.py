"""Schedules a journal now, at its present stage or at an earlier one."""

from __future__ import annotations

from datetime import tzinfo

from workers.actions.targets import MAX_CONFLICTS, TRY_AGAIN, Fields, notification_of, read_fields
from workers.engine import records, scripts
from workers.engine.claim import LEASE_SECONDS
from workers.engine.journal_store import JournalStore, field_text
from workers.engine.schema import journal_id, journal_key
from workers.engine.stage_table import ROLLBACK, WATCH, kind_of, stages_of, startable_stages
from workers.errors import Refused
from workers.incidents.audit import run_once
from workers.models import Action, ActionResult
from workers.runtime.text import safe_line

STAGES_AFTER_PUSH = ("propose", "watch")  # the stages that can be retried once a branch is pushed


def retry(store: JournalStore, action: Action, _zone: tzinfo) -> ActionResult:
    """Schedule a journal now, at its present stage or at an earlier one.

    Branch, pull request, posts, reservations and cost are never discarded. Once a branch is pushed, stages before
    `propose` are refused, because a second patch would contradict the pushed one. If reservations may have been
    released, the incident passes `plan` first, which reserves the cause again and keeps the plan. An ended journal is
    opened again while its records exist, an incident only while no other occurrence is open.

    `action.stage` discards the records of that stage and of later ones. "" keeps all records and resets attempts,
    crashes and waits; a failed incident continues at the stage that failed.
    """
    if kind_of(action.target) == ROLLBACK:
        raise Refused("A rollback is not retried: ask for it again on its incident.")
    # The script compares what was read here: a worker may change the journal in between.
    for _ in range(MAX_CONFLICTS):
        if result := _retry(store, action):
            return result
    raise Refused(TRY_AGAIN)


def _retry(store: JournalStore, action: Action) -> ActionResult | None:
    """Schedule the journal; None if a worker changed it in between."""
    key, name, requested = journal_key(action.target), action.target, action.stage or None
    fields = read_fields(store, key)
    stage = _stage_to_retry(name, fields, requested)
    discarded = _records_to_discard(name, fields, stage, requested)
    # A worker may push the branch after this check, so the script repeats it.
    is_before_push = bool(kind_of(name) == "incident" and requested and stage not in STAGES_AFTER_PUSH)
    if is_before_push:
        _refuse_pushed(name, fields, stage)
    first = _first_stage(fields, stage)
    removed = [f"r:{record}" for record in discarded] + _assignment_fields(name, fields)
    lines = _lines(name, fields, stage, first, discarded)
    result = ActionResult(done=True, text="\n".join(safe_line(line) for line in lines))
    answer = run_once(
        store, scripts.RETRY, action, result, more=tuple(removed), journal=key, notification=notification_of(name),
        stage=first, seen_fence=field_text(fields, "fence"), seen_stage=field_text(fields, "stage"),
        seen_ended=field_text(fields, "ended"), before_push=int(is_before_push),
    )  # fmt: skip
    if answer == "running":
        raise Refused(
            f"{name} is running stage `{field_text(fields, 'stage')}`: wait until the worker releases it, or "
            f"`cancel` it first. The claim of a crashed worker expires within {LEASE_SECONDS:.0f} s"
        )
    if answer not in ("due", "gone", "changed"):
        raise Refused(f"{name}: {journal_id(answer)} has the same cause and is open: retry that one")
    return result if answer == "due" else None


def _lines(name: str, fields: Fields, stage: str, first: str, discarded: list[str]) -> list[str]:
    # The script also deletes fields that are not set; the operator reads only about records that existed.
    lost = [record for record in discarded if f"r:{record}" in fields and record != "cancelled"]
    lines = [f"{name}: due now in stage `{first}`"]
    lines += [f"discarded records: {', '.join(lost)}"] if lost else []
    if first != stage:
        lines.append(f"its plan is kept; `{stage}` follows once the cause is reserved again")
    return lines


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
