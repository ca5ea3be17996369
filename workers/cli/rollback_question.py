"""`rollback`: states the exact effect before anything is changed."""

from __future__ import annotations

from datetime import datetime, tzinfo

from workers.actions.lookup import find_journal
from workers.cli.console import Console
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.errors import Refused
from workers.models import CommitNote, RollbackOption


def read_effect(store: JournalStore, name: str, zone: tzinfo) -> tuple[str, list[str]]:
    """The full id of the incident that the name means, and the effect in lines; [] if no rollback is possible."""
    key = find_journal(store, name)
    incident, evidence = store.read_record(key, records.INCIDENT), store.read_record(key, records.EVIDENCE)
    option = evidence.rollback if evidence else None
    lines = describe_effect(option, incident.subject.name, zone) if incident and option else []
    return journal_id(key), lines


def is_confirmed(console: Console, *, yes: bool) -> bool:
    """True if the person wants it. Raises Refused where nobody can be asked."""
    if yes:
        return True
    if not console.is_interactive:
        raise Refused("A rollback has to be confirmed: add --yes, or run it on a terminal.")
    return console.confirm("Roll back now?")


def describe_effect(option: RollbackOption, service: str, zone: tzinfo) -> list[str]:
    """The effect of the rollback for a person. Pure."""
    began = _time(option.target.at, zone)
    lines = [
        f"Roll {service} back to {_name(option.target)}, which ran from {began} to {_time(option.ran_until, zone)}.",
        f"It takes {_name(option.replaces)} out of service.",
        f"Railway restores the image and the variables of {began}. Data and volumes stay as they are.",
    ]
    if option.also_undone:
        lines.append("These commits are undone as well:")
        lines += [f"  {_name(commit)}" for commit in option.also_undone]
    if option.changed_variables:
        lines.append(f"Variables changed since: {', '.join(option.changed_variables)}.")
    return [*lines, "The next push deploys the newest commit again. `redeploy` undoes the rollback."]


def _name(note: CommitNote) -> str:
    subject = f' "{note.subject}"' if note.subject else ""
    return note.name + subject + (f" ({note.author})" if note.author else "")


def _time(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}" if at else "an unknown time"
