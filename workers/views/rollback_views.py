"""The rollback of an incident: whether it is possible, and what became of it. Pure."""

from __future__ import annotations

from workers.engine import records
from workers.models import CommitNote, Rollback, RollbackKind, RollbackOption, RollbackState
from workers.runtime.text import join_names
from workers.views.bounds import MAX_LABEL, line, lines
from workers.views.charts import commit_label
from workers.views.incident_source import IncidentSource
from workers.views.shapes import RollbackView


def rollback_view(source: IncidentSource) -> RollbackView | None:
    """The rollback option; None if the evidence names none and nobody asked for one."""
    option, last = source.evidence.rollback, source.get(records.ROLLBACK)
    if option is None and last is None:
        return None
    asked_for = last.target if last is not None and last.kind is RollbackKind.ROLLBACK else None
    target = asked_for or (option.target if option else None)
    why_not = _why_not(source, option, last)
    return RollbackView(
        possible=not why_not,
        why_not=why_not,
        deployment_id=target.deployment_id if target else "",
        commit=target.commit if target else "",
        label=_label(target) if target else "",
        healthy_until=option.ran_until if option else None,
        changed=_changes(option) if option else (),
        state=_state(last),
        detail=_detail(last),
    )


def _why_not(source: IncidentSource, option: RollbackOption | None, last: Rollback | None) -> str:
    pull = source.get(records.PULL)
    if source.is_ended:
        return "The incident has ended."
    if option is None:
        return "No deployment that ran well before is kept by Railway."
    if last is not None and last.state is RollbackState.REQUESTED:
        return "A rollback is under way."
    if last is not None and last.state is RollbackState.DONE and last.kind is RollbackKind.ROLLBACK:
        return "It is rolled back already."
    if pull is not None and pull.state == "merged":
        return f"#{pull.number} is merged: its deployment replaces the faulty one."
    return ""


def _label(note: CommitNote) -> str:
    at = f", {note.at:%Y-%m-%d %H:%M} UTC" if note.at else ""
    return line((commit_label(note.commit, note.subject, note.author) or note.deployment_id) + at, MAX_LABEL)


def _changes(option: RollbackOption) -> tuple[str, ...]:
    undone = [f"undoes {_label(note)}" for note in (option.replaces, *option.also_undone)]
    at = f"{option.target.at:%Y-%m-%d %H:%M} UTC" if option.target.at else "its deployment"
    variables = [f"restores the variables as of {at}"]
    if option.changed_variables:
        variables.append(f"variables changed since: {join_names(option.changed_variables, 12)}")
    return lines([*undone, *variables], 20)


def _state(last: Rollback | None) -> str:
    if last is None:
        return ""
    if last.kind is RollbackKind.REDEPLOY and last.state is RollbackState.DONE:
        return "undone"
    return {RollbackState.REQUESTED: "requested", RollbackState.DONE: "done"}.get(last.state, "failed")


def _detail(last: Rollback | None) -> str:
    if last is None:
        return ""
    what = "Rollback" if last.kind is RollbackKind.ROLLBACK else "Redeployment"
    at = last.done_at or last.at
    reason = f": {last.reason}" if last.reason else ""
    return line(f"{what} asked for by {last.person.name}, {last.state.value} {at:%Y-%m-%d %H:%M} UTC{reason}")
