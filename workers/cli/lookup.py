"""Finding a journal by what a person has of its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from workers.engine.journal_store import JournalStore
from workers.engine.schema import PREFIX
from workers.engine.stage_table import JOURNAL_KINDS, kind_of
from workers.errors import Refused
from workers.runtime.text import one_line

MAX_NAMED = 8
"""Journals that are named where it is not clear which one is meant."""


def find_journal(journal: JournalStore, name: str) -> str:
    """The key of a journal by its id (with or without its kind), a beginning of it, or a part that no other one has.

    An incident, sweep or alert goes before the words that are told of it. Raises Refused naming what is like it, or
    all that are meant.
    """
    name = name.strip().removeprefix(PREFIX)
    for key in [f"{PREFIX}{name}", *(f"{PREFIX}{kind}:{name}" for kind in JOURNAL_KINDS)]:
        if name and _is_journal(key) and journal.command("type", key) == b"hash":
            return key
    pattern = "".join(letter if letter.isalnum() or letter in ":-" else "?" for letter in name)
    found = sorted(_scan(journal, f"*{pattern}*")) if name else []
    meant = [key for key in found if ":notification:" not in key] or found
    begun = [
        key
        for key in meant
        if name in (short_of(key)[: len(name)], short_of(key).partition(":")[2][: len(name)])
    ]
    meant = begun or meant
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise Refused(f"{name}: more than one is meant:{_named(reversed(meant), len(meant))}")
    everything = list(_scan(journal, "*"))
    like = difflib.get_close_matches(
        name, [short_of(key).partition(":")[2] for key in everything], MAX_NAMED, 0.5
    )
    named = [
        key for part in dict.fromkeys(like) for key in everything if short_of(key).partition(":")[2] == part
    ]
    hint = f"; like it:{_named(named, len(named))}" if named else "; `list` names what is under way"
    raise Refused(f"{name}: no such journal{hint}")


def _scan(journal: JournalStore, pattern: str) -> Iterable[str]:
    keys = (raw.decode() for raw in journal.scan(f"{PREFIX}{pattern}"))
    return {key for key in keys if _is_journal(key)}


def _is_journal(key: str) -> bool:
    return bool(kind_of(short_of(key))) or short_of(key) == "pings"


def short_of(key: str) -> str:
    """A journal's key as people write it."""
    return key.removeprefix(PREFIX)


def _named(keys: Iterable[str], count: int) -> str:
    names = [f"\n  {one_line(short_of(key))}" for key in list(keys)[:MAX_NAMED]]
    more = [f"\n  and {count - MAX_NAMED} more"] if count > MAX_NAMED else []
    return "".join([*names, *more])
