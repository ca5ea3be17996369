"""Builds the numbered facts of an incident from its typed evidence. Pure; `fact_sentences` renders them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from workers.investigation.evidence.fact_sentences import render_fact
from workers.investigation.onset import request_rates
from workers.models import (
    CodeLocation,
    Deployment,
    Fact,
    FactKind,
    Finding,
    Incident,
    LogPattern,
    LogSource,
    RequestPattern,
    Service,
    Suspect,
    Upstream,
)
from workers.runtime.redaction import redact
from workers.runtime.text import safe_line

MAX_FACTS = 40  # keeps the facts of one incident within two pages of a prompt
MAX_FACT_CHARS = 420  # a fact is one readable line; the evidence holds the whole log samples
MAX_SYMPTOMS = 6  # affected callers that become facts; a storm in the whole project shows in fewer
MAX_ERROR_PATTERNS = 8  # log patterns of level error that become facts
MAX_TOP_PATTERNS = 3  # of these, the ones that come before everything but the findings and signs
MAX_WARNING_PATTERNS = 3  # the same for warnings and standard error, which rarely name a cause
MAX_REQUEST_PATTERNS = 8  # kinds of requests that become facts
MAX_DEPLOYMENTS = 4  # newest deployments that become facts
HEADROOM_PERCENT = 70.0  # a resource whose peak stays below this share of its limit is ruled out as the cause
NOTABLE_LOAD_GROWTH = 1.5
"""Growth of the request rate that is stated as a fact. Below `LOAD_EXPLAINS_GROWTH` in diagnosis on purpose: half as
much load again is worth citing as a doubt, but does not explain a failure by itself."""


def number_facts(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts without duplicates, numbered `E1`, `E2` … and with their rendered text.

    Duplicates are found by their typed content, never by the rendered text.
    """
    unique: list[Fact] = []
    for fact in facts:
        if fact not in unique:
            unique.append(fact)
    return tuple(
        fact.model_copy(update={"id": f"E{position}", "text": safe_line(render_fact(fact), MAX_FACT_CHARS)})
        for position, fact in enumerate(unique[:MAX_FACTS], start=1)
    )


def finding_facts(incident: Incident) -> Iterator[Fact]:
    """The measured findings, in the incident's order, then the affected callers."""
    yield from own_finding_facts(incident)
    yield from symptom_facts(incident)


def own_finding_facts(incident: Incident) -> Iterator[Fact]:
    """The measured findings, in the incident's order."""
    for finding in incident.findings:
        yield Fact(kind=FactKind.FINDING, finding=_redacted(finding))


def symptom_facts(incident: Incident) -> Iterator[Fact]:
    """The findings of the affected callers."""
    for finding in incident.symptoms[:MAX_SYMPTOMS]:
        yield Fact(kind=FactKind.SYMPTOM, finding=_redacted(finding))


def _redacted(finding: Finding) -> Finding:
    labels = {name: redact(label) for name, label in finding.labels.items()}
    return finding.model_copy(update={"sentence": redact(finding.sentence), "labels": labels})


def suspect_facts(suspect: Suspect | None, onset: datetime) -> Iterator[Fact]:
    """The deployment that was live at the onset, and the files that its commit changed."""
    if suspect is None:
        return
    seconds = (onset - suspect.at).total_seconds()
    yield Fact(
        kind=FactKind.SUSPECT,
        suspect=suspect.model_copy(update={"files": ()}),
        numbers={"seconds_to_onset": seconds},
    )
    if suspect.files:
        yield Fact(kind=FactKind.CHANGED_FILES, suspect=suspect)


def log_facts(patterns: Sequence[LogPattern], records: int, source: LogSource) -> Iterator[Fact]:
    """Errors, then warnings of one log.

    Args:
        records: number of records that were read. The log counts as free of errors only if there was at least one.
    """
    errors = [pattern for pattern in patterns if pattern.level == "error"]
    warnings = [pattern for pattern in patterns if pattern.level in ("warning", "stderr")]
    for pattern in errors[:MAX_ERROR_PATTERNS]:
        yield _pattern_fact(pattern, source)
    if records and not errors:
        yield Fact(kind=FactKind.NO_LOG_ERRORS, source=source, numbers={"records": records})
    for pattern in warnings[:MAX_WARNING_PATTERNS]:
        yield _pattern_fact(pattern, source)


def top_log_facts(patterns: Sequence[LogPattern], source: LogSource) -> Iterator[Fact]:
    """The errors of one log that say most about the cause."""
    errors = [pattern for pattern in patterns if pattern.level == "error"]
    for pattern in errors[:MAX_TOP_PATTERNS]:
        yield _pattern_fact(pattern, source)


def _pattern_fact(pattern: LogPattern, source: LogSource) -> Fact:
    return Fact(kind=FactKind.LOG_PATTERN, pattern=pattern.model_copy(update={"sample": ""}), source=source)


def request_facts(requests: Sequence[RequestPattern]) -> Iterator[Fact]:
    """The requests that failed, were refused or were slow."""
    for request in requests[:MAX_REQUEST_PATTERNS]:
        yield Fact(kind=FactKind.REQUESTS, request=request)


def location_facts(locations: Sequence[CodeLocation]) -> Iterator[Fact]:
    """The code locations, without their excerpts."""
    for location in locations:
        yield Fact(kind=FactKind.CODE_LOCATION, location=location.model_copy(update={"excerpt": ""}))


def upstream_facts(upstreams: Iterable[Upstream]) -> Iterator[Fact]:
    """The outside hosts that log errors name, or whose status pages report trouble. The others say nothing."""
    for upstream in upstreams:
        if upstream.errors or upstream.state in ("degraded", "down"):
            yield Fact(kind=FactKind.UPSTREAM, upstream=upstream)


def load_facts(service: Service, onset: datetime) -> Iterator[Fact]:
    """Whether the load grew at the onset; no fact if too little traffic was measured."""
    rates = request_rates(service, onset)
    if rates is None:
        return
    grew = rates.growth >= NOTABLE_LOAD_GROWTH
    numbers = {"before_per_minute": rates.before, "since_per_minute": rates.since}
    yield Fact(kind=FactKind.LOAD_GREW if grew else FactKind.LOAD_STEADY, numbers=numbers)


def domain_facts(incident: Incident, service: Service) -> Iterator[Fact]:
    """Whether the service has a public domain; stated only if its traffic is gone."""
    if any(finding.kind == "traffic_lost" for finding in incident.findings):
        kind = FactKind.PUBLIC_DOMAIN if service.public else FactKind.NO_PUBLIC_DOMAIN
        yield Fact(kind=kind, service=service.name)


def ruled_out_facts(incident: Incident, *, starts_read: bool = True) -> Iterator[Fact]:
    """Measurements that are healthy, so that readers need not check them again.

    Args:
        starts_read: whether the starts of containers were read at all.
    """
    service = incident.service
    if service is None:
        return
    kinds = {finding.kind for finding in incident.findings}
    cpu = [value for replica in service.usage for _, value in replica.cpu]
    memory = [value for replica in service.usage for _, value in replica.memory]
    if "cpu" not in kinds:
        yield from _headroom(FactKind.CPU_HEADROOM, cpu, service.cpu_limit)
    if not kinds & {"memory", "memory_growth", "oom_killed"}:
        yield from _headroom(FactKind.MEMORY_HEADROOM, memory, service.memory_limit)
    requests = sum(sample.requests for sample in service.traffic)
    if requests and "server_errors" not in kinds:
        failed = sum(sample.server_errors for sample in service.traffic)
        yield Fact(kind=FactKind.SERVER_ERROR_COUNT, numbers={"failed": failed, "requests": requests})
    restarts = kinds & {"restart_loop", "crashed", "oom_killed"}
    # Without usage the container starts were probably not read either: their absence proves nothing.
    if starts_read and service.usage and not restarts and len(service.starts) <= service.replicas:
        yield Fact(kind=FactKind.NO_RESTART_LOOP, numbers={"starts": len(service.starts)})


def _headroom(kind: FactKind, values: Sequence[float], limit: float | None) -> Iterator[Fact]:
    if not values or not limit or limit <= 0:
        return
    peak_percent = 100 * max(values) / limit
    if peak_percent < HEADROOM_PERCENT:
        yield Fact(kind=kind, numbers={"peak_percent": peak_percent})


def deployment_facts(service: Service, examined: Deployment | None) -> Iterator[Fact]:
    """The newest deployments.

    Args:
        examined: the deployment whose logs and commit were read.
    """
    for deployment in service.deployments[:MAX_DEPLOYMENTS]:
        is_examined = examined is not None and deployment.id == examined.id
        kind = FactKind.EXAMINED_DEPLOYMENT if is_examined else FactKind.DEPLOYMENT
        yield Fact(
            kind=kind,
            deployment=deployment.model_copy(update={"commit_message": None, "commit_author": None}),
        )
