"""The report of an environment's first check: what is watched from now on, and what fails already."""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine.claim import TTL_SECONDS
from workers.engine.journal_store import JournalStore
from workers.engine.schema import watched_key
from workers.incidents import answers
from workers.models import Answer, AnswerKind, Finding, Survey, affected_services, alerting_findings

MAX_FINDINGS = 10  # failing services that the report names, the worst finding of each


def is_first(store: JournalStore, environment_id: str) -> bool:
    """True until the first check of the environment was reported. Raises NotAvailable."""
    return not store.command("exists", watched_key(environment_id))


def report(
    store: JournalStore, survey: Survey, findings: Sequence[Finding], incident_ids: Sequence[str]
) -> None:
    """Report the first check, once per environment; a survey without services says nothing about it.

    An environment that was not checked for a month is new again. Where something has just begun to fail, its incident
    says so, and a report beside it would notify people twice. The report is opened before it is marked: a check that
    runs again after a crash finds it.

    Raises:
        NotAvailable: Redis is away.
    """
    if not survey.services:
        return
    is_calm = all(finding.chronic for finding in alerting_findings(findings))
    if is_calm and is_first(store, survey.environment_id):
        answers.report(store, f"first:{survey.environment_id}", make_answer(survey, findings, incident_ids))
    store.command("set", watched_key(survey.environment_id), "1", TTL_SECONDS)


def make_answer(survey: Survey, findings: Sequence[Finding], incident_ids: Sequence[str]) -> Answer:
    """The report of a first check, the worst finding of each failing service. Pure."""
    worst: dict[str, Finding] = {}
    for finding in alerting_findings(findings):
        worst.setdefault(finding.service_id, finding)
    failing = affected_services(findings)
    return Answer(
        kind=AnswerKind.FIRST_CHECK,
        minutes=survey.window.minutes,
        failed_reads=survey.failed_reads,
        findings=tuple(worst.values())[:MAX_FINDINGS],
        incident_ids=tuple(incident_ids)[:MAX_FINDINGS],
        services=len(survey.services),
        healthy_services=sum(service.id not in failing for service in survey.services),
        reason=f"{survey.project_name}/{survey.environment_name}",
    )
