"""Finds a journal by its id or a part of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED_INCIDENTS, OPEN, PINGS, PREFIX, journal_id, journal_key
from workers.engine.stage_table import JOURNAL_KINDS, kind_of
from workers.errors import Refused
from workers.models.links import incident_of_path
from workers.runtime.text import one_line

MAX_LISTED = 8  # ids in an error message
INCIDENTS_BATCH = 50  # incidents per round trip: their records are up to a hundred kilobytes each
SIMILARITY = 0.5  # difflib's ratio from which an id is suggested for a name


def find_journal(store: JournalStore, name: str) -> str:
    """The key of the journal whose id is the name, otherwise begins with it, otherwise contains it.

    The kind (`incident:`) may be left out. Incidents, sweeps and alerts take precedence over their notifications.

    Raises:
        Refused: no journal matches (the error lists similar ids), or several match (it lists them).
        NotAvailable: Redis does not answer.
    """
    name = name.strip().removeprefix(PREFIX)
    if key := find_exactly(store, name):
        return key
    matches = _matches(store, name) if name else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise Refused(f"{name}: several journals match:{_listed(matches[::-1])}")
    similar = _similar(store, name)
    hint = f"; similar ids:{_listed(similar)}" if similar else "; `list` shows the scheduled journals"
    raise Refused(f"{name}: no such journal{hint}")


def find_exactly(store: JournalStore, name: str) -> str | None:
    """The key of the journal with exactly this id; the kind may be left out. None if there is none.

    An incident may also be written as in the address of its page: `<fingerprint>-<occurrence>`.
    """
    names = [name, *(f"{kind}:{name}" for kind in JOURNAL_KINDS), incident_of_path(name)]
    keys = [journal_key(candidate) for candidate in names]
    for key in keys:
        if name and _is_journal(key) and store.command("type", key) == b"hash":
            return key
    return None


def find_to_show(store: JournalStore, name: str) -> str:
    """The key of the journal that a person wants to see: by exact id, by a service's name, or by a part of an id.

    Raises:
        Refused: as `find_journal`.
    """
    name = name.strip().removeprefix(PREFIX)
    return find_exactly(store, name) or find_newest_incident(store, name) or find_journal(store, name)


def find_newest_incident(store: JournalStore, service: str) -> str | None:
    """The key of the newest incident of a service, by the service's name or id: an open one before those that ended."""
    keys: list[str] = [raw.decode() for raw in store.command("hvals", OPEN)]
    ended = [raw.decode() for raw in store.command("zrevrange", ENDED_INCIDENTS, 0, -1)]
    keys = [*sorted(keys, key=_occurrence, reverse=True), *ended]
    for start in range(0, len(keys), INCIDENTS_BATCH):
        batch = keys[start : start + INCIDENTS_BATCH]
        for key, fields in zip(batch, store.columns(batch, [records.INCIDENT.field]), strict=True):
            incident = records.INCIDENT.read(fields)
            if incident is not None and service in (incident.subject.name, incident.subject.key):
                return key
    return None


def _occurrence(key: str) -> str:
    return key.rpartition(":")[2]


def _matches(store: JournalStore, name: str) -> list[str]:
    """The journals whose id begins with the name, otherwise those whose id contains it."""
    # `?` matches any letter: a name is untrusted input for the pattern, in which `*` and `[` have a meaning.
    pattern = "".join(letter if letter.isalnum() or letter in ":-" else "?" for letter in name)
    keys = sorted(_scan(store, f"*{pattern}*"))
    keys = [key for key in keys if ":notification:" not in key] or keys
    begins = [
        key
        for key in keys
        if journal_id(key).startswith(name) or journal_id(key).partition(":")[2].startswith(name)
    ]
    return begins or keys


def _similar(store: JournalStore, name: str) -> list[str]:
    keys = list(_scan(store, "*"))
    without_kind = [journal_id(key).partition(":")[2] for key in keys]
    close = dict.fromkeys(difflib.get_close_matches(name, without_kind, MAX_LISTED, SIMILARITY))
    return [key for part in close for key in keys if journal_id(key).partition(":")[2] == part]


def _scan(store: JournalStore, pattern: str) -> set[str]:
    keys = (raw.decode() for raw in store.scan(f"{PREFIX}{pattern}"))
    return {key for key in keys if _is_journal(key)}


def _is_journal(key: str) -> bool:
    return bool(kind_of(journal_id(key))) or key == PINGS


def _listed(keys: Iterable[str]) -> str:
    ids = [one_line(journal_id(key)) for key in keys]
    more = [f"\n  and {len(ids) - MAX_LISTED} more"] if len(ids) > MAX_LISTED else []
    return "".join([*(f"\n  {name}" for name in ids[:MAX_LISTED]), *more])
