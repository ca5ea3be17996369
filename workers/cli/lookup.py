"""Finds a journal by the part of its id that a person types."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from workers.engine.journal_store import JournalStore
from workers.engine.schema import PINGS, PREFIX, journal_id, journal_key
from workers.engine.stage_table import JOURNAL_KINDS, kind_of
from workers.errors import Refused
from workers.runtime.text import one_line

MAX_NAMED = 8  # journals that an error message names
SIMILARITY = 0.5  # of a name to an id, by difflib's ratio, to be suggested


def find_journal(journal: JournalStore, name: str) -> str:
    """The key of the journal with this id, with an id that begins so, or with an id that contains the name.

    The kind (`incident:`) may be left out. Incidents, sweeps and alerts take precedence over their notifications.

    Raises:
        Refused: no journal matches, with similar ids, or several match, with their ids.
        NotAvailable: Redis does not answer.
    """
    name = name.strip().removeprefix(PREFIX)
    for key in [journal_key(name), *(journal_key(f"{kind}:{name}") for kind in JOURNAL_KINDS)]:
        if name and _is_journal(key) and journal.command("type", key) == b"hash":
            return key
    matches = _matches(journal, name) if name else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise Refused(f"{name}: several journals match:{_listed(matches[::-1])}")
    similar = _similar(journal, name)
    hint = f"; similar ids:{_listed(similar)}" if similar else "; `list` shows the scheduled journals"
    raise Refused(f"{name}: no such journal{hint}")


def _matches(journal: JournalStore, name: str) -> list[str]:
    """The journals whose id begins with the name, or else those whose id contains it."""
    pattern = "".join(letter if letter.isalnum() or letter in ":-" else "?" for letter in name)
    keys = sorted(_scan(journal, f"*{pattern}*"))
    keys = [key for key in keys if ":notification:" not in key] or keys
    begins = [
        key
        for key in keys
        if journal_id(key).startswith(name) or journal_id(key).partition(":")[2].startswith(name)
    ]
    return begins or keys


def _similar(journal: JournalStore, name: str) -> list[str]:
    keys = list(_scan(journal, "*"))
    without_kind = [journal_id(key).partition(":")[2] for key in keys]
    close = dict.fromkeys(difflib.get_close_matches(name, without_kind, MAX_NAMED, SIMILARITY))
    return [key for part in close for key in keys if journal_id(key).partition(":")[2] == part]


def _scan(journal: JournalStore, pattern: str) -> set[str]:
    keys = (raw.decode() for raw in journal.scan(f"{PREFIX}{pattern}"))
    return {key for key in keys if _is_journal(key)}


def _is_journal(key: str) -> bool:
    return bool(kind_of(journal_id(key))) or key == PINGS


def _listed(keys: Iterable[str]) -> str:
    ids = [one_line(journal_id(key)) for key in keys]
    more = [f"\n  and {len(ids) - MAX_NAMED} more"] if len(ids) > MAX_NAMED else []
    return "".join([*(f"\n  {name}" for name in ids[:MAX_NAMED]), *more])
