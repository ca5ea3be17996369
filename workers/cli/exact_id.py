"""The journal that a command changes: named by its exact id, or confirmed by the person."""

from __future__ import annotations

from workers.actions.lookup import find_exactly, find_journal
from workers.cli.console import Console
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX, journal_id
from workers.errors import Refused
from workers.runtime.text import safe_line


def resolve(store: JournalStore, name: str, verb: str, console: Console, *, yes: bool) -> str:
    """The full id of the journal that the name means.

    A unique part of an id is enough with `yes`, or if the person confirms it: a slip must not change another journal.

    Args:
        verb: what the command does, for the question: `Cancel`.

    Raises:
        Refused: no journal or several match, or only a part matches and nobody confirmed it.
    """
    name = name.strip().removeprefix(PREFIX)
    if key := find_exactly(store, name):
        return journal_id(key)
    key = find_journal(store, name)
    journal = journal_id(key)
    if yes or (console.is_interactive and console.confirm(f"{verb} {journal}{_service(store, key)}?")):
        return journal
    if console.is_interactive:
        raise Refused("Nothing was changed.")
    raise Refused(f"{safe_line(name)} is only a part of {journal}. Write the whole id, or add --yes.")


def _service(store: JournalStore, key: str) -> str:
    incident = store.read_record(key, records.INCIDENT)
    return f" ({safe_line(incident.subject.name)})" if incident else ""
