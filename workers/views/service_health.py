"""The health of every watched service, from the last check of its environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import ENDED, SCHEDULE, EndedAs, journal_id, journal_key, slot_key
from workers.engine.stage_times import read_moment
from workers.models import Decision, DecisionKind, Finding, Survey, describe_gap
from workers.runtime.settings import Settings
from workers.views.bounds import MAX_LABEL, line
from workers.views.incident_source import Fields, worst_first
from workers.views.shapes import Health, IncidentRow, ServiceRow, SweepRow

MAX_ENDED = 200  # newest ended sweeps among which the last one of each environment is looked for
MAX_ENVIRONMENTS = 20
STATE_FIELDS = ("opened", "ended", "ended_as", "outcome")
NOT_CHECKED = "not checked yet"
HEALTH_ORDER = (Health.INCIDENT, Health.FINDING, Health.UNKNOWN, Health.HEALTHY)


@dataclass(frozen=True)
class CheckedEnvironment:
    """An environment with its last check.

    Attributes:
        survey, findings: of the last check that could read the environment; None before it.
        sweeps: the last check that ended, and the one that runs.
    """

    environment_id: str
    survey: Survey | None
    findings: Sequence[Finding]
    checked_at: datetime | None
    sweeps: Sequence[SweepRow]

    @property
    def name(self) -> str:
        if self.survey is None:
            return self.environment_id
        return f"{self.survey.project_name}/{self.survey.environment_name}"


def read_environments(store: JournalStore, settings: Settings) -> list[CheckedEnvironment]:
    """The watched environments, each with its last check. Raises NotAvailable."""
    ended = [raw.decode() for raw in store.command("zrevrange", ENDED, 0, MAX_ENDED - 1)]
    by_environment: dict[str, list[str]] = {item.environment_id: [] for item in settings.environments}
    for key in ended:
        by_environment.setdefault(_environment_of(key), []).append(key)
    return [
        _read_environment(store, name, keys) for name, keys in list(by_environment.items())[:MAX_ENVIRONMENTS]
    ]


def _environment_of(key: str) -> str:
    return journal_id(key).removeprefix("sweep:").rpartition(":")[0]


def _read_environment(store: JournalStore, environment_id: str, keys: list[str]) -> CheckedEnvironment:
    states = store.columns(keys, STATE_FIELDS)
    existing = [(key, fields) for key, fields in zip(keys, states, strict=True) if "ended" in fields]
    survey: Survey | None = None
    findings: Sequence[Finding] = ()
    # A check that failed has no survey; two in a row are rare, so few records are read.
    for key, _ in existing[:5]:
        fields = store.columns([key], (records.SURVEY.field, records.FINDINGS.field))[0]
        survey, findings = records.SURVEY.read(fields), records.FINDINGS.read(fields) or []
        if survey is not None:
            break
    running = store.command("hget", slot_key(environment_id), "running_sweep")
    name = f"{survey.project_name}/{survey.environment_name}" if survey else environment_id
    rows = [_ended_row(key, fields, environment_id, name, survey, findings) for key, fields in existing[:1]]
    if running is not None and _is_running(store, running.decode()):
        rows.append(
            SweepRow(id=journal_id(running.decode()), environment=line(name, MAX_LABEL), environment_id=environment_id,
                     running=True)
        )  # fmt: skip
    return CheckedEnvironment(
        environment_id, survey, findings, survey.window.end if survey else None, tuple(rows)
    )


def _is_running(store: JournalStore, key: str) -> bool:
    return store.command("zscore", SCHEDULE, journal_key(journal_id(key))) is not None


def _ended_row(
    key: str,
    fields: Fields,
    environment_id: str,
    name: str,
    survey: Survey | None,
    findings: Sequence[Finding],
) -> SweepRow:
    return SweepRow(
        id=journal_id(key),
        environment=line(name, MAX_LABEL),
        environment_id=environment_id,
        ended_at=read_moment(fields, "ended"),
        outcome=line(fields.get("outcome", b"").decode(errors="replace")),
        failed=fields.get("ended_as") == EndedAs.FAILED.encode(),
        findings=len(findings),
        services=len(survey.services) if survey else 0,
        failed_reads=len(survey.failed_reads) if survey else 0,
    )


def service_rows(
    environments: Sequence[CheckedEnvironment], incidents: Sequence[IncidentRow], active: Sequence[Decision]
) -> tuple[ServiceRow, ...]:
    """All services, the unhealthy ones first, then by name.

    Args:
        incidents: the open ones.
        active: decisions of people that hold now.
    """
    muted = {
        name
        for decision in active
        if decision.kind is DecisionKind.MUTE
        for name in (decision.service_id, decision.service_name)
        if name
    }
    open_by_service = {(row.environment, row.service_id): row for row in reversed(incidents)}
    rows = [
        _service_row(environment, service_id, name, open_by_service, muted)
        for environment in environments
        for service_id, name in _services(environment)
    ]
    return tuple(sorted(rows, key=lambda row: (HEALTH_ORDER.index(row.health), row.name, row.id)))


def _services(environment: CheckedEnvironment) -> list[tuple[str, str]]:
    return (
        [(service.id, service.name) for service in environment.survey.services] if environment.survey else []
    )


def _service_row(
    environment: CheckedEnvironment, service_id: str, name: str, incidents: dict[tuple[str, str], IncidentRow],
    muted: set[str],
) -> ServiceRow:  # fmt: skip
    where = line(environment.name, MAX_LABEL)
    incident = incidents.get((where, service_id))
    health, worst = _health(environment, service_id, name)
    if incident is not None:
        health, worst = Health.INCIDENT, incident.headline or incident.trouble
    return ServiceRow(
        id=service_id,
        name=line(name, MAX_LABEL),
        environment=where,
        environment_id=environment.environment_id,
        health=health,
        worst=worst,
        incident_id=incident.id if incident else "",
        checked_at=environment.checked_at,
        muted=service_id in muted or name in muted,
    )


def _health(environment: CheckedEnvironment, service_id: str, name: str) -> tuple[Health, str]:
    findings = [finding for finding in environment.findings if finding.service_id == service_id]
    if findings:
        return Health.FINDING, line(worst_first(findings)[0].sentence, 240)
    gaps = environment.survey.gaps_for(name) if environment.survey else ()
    if gaps:
        return Health.UNKNOWN, line(f"could not be read: {describe_gap(gaps[0])}", 240)
    return Health.HEALTHY, ""
