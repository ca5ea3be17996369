"""Many incidents of one environment at once are one post, and nothing is mended before a person asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from workers.engine import scripts
from workers.engine.journal import DUE, OPEN, PREFIX, Claim, Journal
from workers.engine.records import unpack
from workers.models import Incident, Outcome, Severity, Watch

WINDOW_SECONDS = 1800.0
LEAST = 3
"""So many new incidents of one environment within the window are one umbrella."""
MEMBER = "m:"
UNBORN_SECONDS = 60.0
"""So long the words wait for an incident that was announced and is not open yet, as its sweep died in between."""


class Member(NamedTuple):
    """An incident under an umbrella as its journal stands."""

    key: str
    incident: Incident
    outcome: Outcome | None
    watch: Watch | None
    reason: str
    joined: bool
    asked: bool
    ended: bool

    @property
    def name(self) -> str:
        """The id by which people call it."""
        return self.key.removeprefix(PREFIX)

    @property
    def concluded(self) -> bool:
        """Whether nothing more is found out about it unless somebody asks."""
        return self.outcome is not None or self.joined or self.asked or self.ended


def gather(journal: Journal, incidents: Sequence[Incident], opened_at: datetime) -> str:
    """The umbrella that speaks for those of them that are not open yet; "" where each speaks for itself.

    Done before they are opened, and again after a death with the same names: the answer is the same.
    """
    environment = incidents[0].environment_id
    keys = [
        OPEN, DUE, f"{PREFIX}opened:{environment}", f"{PREFIX}umbrella:{environment}",
        f"{PREFIX}tell:umbrella:{environment}:{opened_at:%Y%m%dT%H%M%S}",
    ]  # fmt: skip
    pairs = [part for one in incidents for part in (one.fingerprint, PREFIX + one.id)]
    answer: bytes = journal.script(scripts.GATHER, keys, int(WINDOW_SECONDS * 1000), LEAST, *pairs)
    return answer.decode()


def waits(claim: Claim) -> bool:
    """Whether mending this incident waits for a person: it stands under an umbrella, and nobody asked for it."""
    return bool(claim.text("umbrella")) and not claim.text("asked")


def members(journal: Journal, fields: dict[str, bytes], now: datetime) -> list[Member] | None:
    """The incidents under an umbrella, the worst first, then as they came; None while one is not open yet."""
    names = sorted(
        (int(at), field.removeprefix(MEMBER)) for field, at in fields.items() if field[:2] == MEMBER
    )
    young = now.timestamp() - int(fields.get("opened", b"0")) / 1000 < UNBORN_SECONDS
    found = [_member(key, journal.fields(key)) for _, key in names]
    if young and None in found:
        return None
    worst = list(Severity)
    return sorted((one for one in found if one), key=lambda one: -worst.index(one.incident.severity))


def _member(key: str, fields: dict[str, bytes]) -> Member | None:
    incident = unpack(fields.get("r:incident"), Incident)
    if incident is None:
        return None
    return Member(
        key=key,
        incident=incident,
        outcome=unpack(fields.get("r:cancelled") or fields.get("r:outcome"), Outcome),
        watch=unpack(fields.get("r:watch"), Watch),
        reason=fields.get("reason", b"").decode(),
        joined="joined" in fields,
        asked="asked" in fields,
        ended="ended" in fields,
    )
