"""What people see of the journals: what is under way, everything of one, and mending one after all.

Much of it was written by others: no line of it steers the terminal.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from workers import allowance, brakes, scripts
from workers.errors import Refused
from workers.find import find
from workers.journal import DUE, OPEN, PREFIX, Journal, plain, unpack
from workers.models import Certificate, Incident, PullRequest

STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def overview(journal: Journal, now: datetime) -> list[str]:
    """A line for everything that is due, with when and why, then the open incidents, the brakes, the allowance."""
    lines = []
    for raw, due in journal.ask("zrange", DUE, 0, 199, False, True):
        key = raw.decode()
        fields = journal.fields(key)
        wait = due / 1000 - now.timestamp()
        reason = fields.get("reason", b"").decode()
        stage = fields.get("stage", b"?").decode()
        when = f"in {wait:.0f} s" if wait > 0 else "now"
        lines.append(f"{key.removeprefix(PREFIX):60} {stage:9} {when:>10}  {reason}".rstrip())
    lines = ["nothing is under way"] if not lines else [f"{'JOURNAL':60} {'STAGE':9} {'DUE':>10}", *lines]
    for raw in journal.ask("hvals", OPEN):
        lines += _open(journal, raw.decode())
    paused, mutes = brakes.state(journal, now.timestamp())
    lines += ["paused"] if paused else []
    lines += [f"muted: {name} until {_moment(until)}" for name, until in mutes.items()]
    left = allowance.line(allowance.read(journal, now), now)
    return [STEERS.sub("?", line) for line in ([*lines, left] if left else lines)]


def _open(journal: Journal, key: str) -> list[str]:
    """The line of an open incident: what is sick, of which other incident it is a symptom, its pull request."""
    incident = journal.record_of(key, "incident", Incident)
    if incident is None:
        return []
    pull, holder = journal.record_of(key, "pull", PullRequest), _joined_to(journal.fields(key))
    cause = journal.record_of(holder, "incident", Incident) if holder else None
    name = cause.cause.name if cause else holder.removeprefix(PREFIX)
    joined = f"  joined to {name}" if name else ""
    link = f"  {pull.url}" if pull else ""
    return [f"open: {incident.cause.name}: {incident.findings[0].sentence}{joined}{link}"]


def _joined_to(fields: dict[str, bytes]) -> str:
    """The key of the incident of which it is a symptom; '' for none."""
    return fields.get("joined", b"").decode()


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def show(journal: Journal, name: str) -> list[str]:
    """Every field and record of one journal, records as indented JSON."""
    key = find(journal, name)
    lines = [key.removeprefix(PREFIX)]
    fields = journal.fields(key)
    for field in sorted(fields, key=lambda one: (one.startswith(("r:", "a:")), one)):
        if field in ("token", "run"):
            continue
        lines.append(STEERS.sub("?", f"{field}: {_readable(field, fields[field])}"))
    return lines


def _readable(field: str, value: bytes) -> str:
    if not field.startswith(("r:", "a:")):
        text = value.decode(errors="replace")
        return _moment(int(text) / 1000) if field in ("opened", "ended", "lease", "not_before") else text
    try:
        return json.dumps(json.loads(plain(value) or b""), indent=2, ensure_ascii=False)
    except ValueError:
        return "(unreadable)"


def mend(journal: Journal, name: str) -> list[str]:
    """Send an incident that was only told (or all of them) back to planning; a sentence for each.

    Of `all` those are passed over that are a symptom of another: mending its cause ends them.
    """
    if name != "all":
        key = find(journal, name)
        return [_mend_one(journal, key, journal.fields(key))]
    keys = [raw.decode() for raw in journal.ask("hvals", OPEN)]
    found = [(key, journal.fields(key)) for key in keys]
    said = [_mend_one(journal, key, fields) for key, fields in found if not _joined_to(fields)]
    return [line for line in said if line]


def _mend_one(journal: Journal, key: str, fields: dict[str, bytes]) -> str:
    short = key.removeprefix(PREFIX)
    if not short.startswith("incident:"):
        raise Refused(f"{short} is no incident")
    proved = unpack(fields.get("r:certificate"), Certificate)
    # A patch that was proved and only not proposed is kept.
    kept = proved is not None and proved.decision in ("ready", "draft")
    stale = [] if kept else ["r:plan", "r:base", "r:runner_hint", "r:fix", "r:certificate"]
    answer = journal.script(scripts.MEND, [key, DUE], *stale)
    said = {1: f"{short}: sent to planning", 2: f"{short}: somebody works on it at this moment, try again"}
    return said.get(answer, "")
