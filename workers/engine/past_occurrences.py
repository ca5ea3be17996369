"""How the occurrences of a cause ended: a few fields of each, kept longer than their journals."""

from __future__ import annotations

from collections.abc import Mapping

from workers.engine import records
from workers.engine.codec import pack, unpack
from workers.engine.journal_store import JournalStore
from workers.engine.schema import past_key
from workers.engine.stage_times import read_moment
from workers.models import PastOccurrence


def summarise(journal: str, fields: Mapping[str, bytes], ended_as: str) -> bytes:
    """The stored summary of an incident that ends; b"" if its incident cannot be read.

    Args:
        journal: the journal's id.
    """
    incident = records.INCIDENT.read(fields)
    if incident is None:
        return b""
    verdict, pull = records.VERDICT.read(fields), records.PULL.read(fields)
    past = PastOccurrence(
        id=journal,
        opened_at=read_moment(fields, "opened"),
        since=min(finding.since for finding in incident.findings) if incident.findings else None,
        ended_as=ended_as,
        category=verdict.category.value if verdict else "",
        pull_number=pull.number if pull else None,
        pull_url=pull.url if pull else "",
        pull_state=pull.state if pull else "",
    )
    return pack(past, PastOccurrence)


def read_past(store: JournalStore, fingerprint: str) -> list[tuple[PastOccurrence, int]]:
    """The ended occurrences of a cause, newest first, each with its end in milliseconds. Raises NotAvailable."""
    ended = []
    for value in store.fields(past_key(fingerprint)).values():
        milliseconds, _, blob = value.partition(b" ")
        past = unpack(blob, PastOccurrence)
        if past is not None and milliseconds.isdigit() and len(milliseconds) < 16:
            ended.append((past, int(milliseconds)))
    return sorted(ended, key=lambda pair: pair[1], reverse=True)
