"""Evidence: reads everything that helps to diagnose one failing service, and states it as numbered facts.

`read_evidence` asks Railway (`log_reading`), the repository (`code_changes`) and status pages, in this order. All other
modules are pure: `suspects` chooses deployments, `requests` groups what was logged, `upstreams` finds outside hosts,
`facts` builds the facts, and `fact_sentences` renders them. `investigation.logs` turns lines into records and patterns,
`investigation.code` locates code, and `investigation.signs` reads what a record shows about its cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from workers.clients import status_pages
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.investigation.evidence import facts
from workers.investigation.evidence.code_changes import Code, find_repository, read_code
from workers.investigation.evidence.log_reading import (
    Reading,
    read_build_log,
    read_deployment_log,
    read_requests,
)
from workers.investigation.evidence.suspects import examined_deployment, find_suspect
from workers.investigation.evidence.upstreams import MAX_UPSTREAMS, count_blamed_hosts
from workers.investigation.logs.log_patterns import group_patterns
from workers.investigation.logs.log_records import LogRecord
from workers.investigation.onset import onset_of
from workers.models import (
    Deployment,
    Evidence,
    Fact,
    Gap,
    GapPart,
    Incident,
    LogPattern,
    LogSource,
    Repository,
    RequestPattern,
    Service,
    Upstream,
)
from workers.runtime.redaction import redact

MAX_STATUS_CHARS = 300  # description on an outside host's status page
LAST_BUILD_PATTERNS = 3  # patterns kept from the end of a build log: a build fails in its last lines


@dataclass(frozen=True)
class _Sources:
    """Everything that was read about one incident."""

    run_log: Sequence[LogRecord]
    build_log: Sequence[LogRecord]
    requests: tuple[RequestPattern, ...]
    repository: Repository | None
    code: Code
    upstreams: tuple[Upstream, ...]
    gaps: tuple[Gap, ...]


def read_evidence(
    incident: Incident,
    *,
    railway: Railway,
    github: GitHub,
    repositories: Repositories,
    status_pages: Mapping[str, str],
    http: httpx.Client | None = None,
    require_all: bool = False,
) -> Evidence:
    """The evidence about the incident's service. Reads that failed are listed in `failed_reads`.

    Args:
        status_pages: address of the status page by outside host.
        http: client for the status pages; None opens one.
        require_all: raise if any read is unavailable for the moment, instead of going on without it.

    Raises:
        NotAvailable: Nothing that the service logged, or nothing at all, could be read for the moment. Code and commits
            alone would convict an innocent commit.
    """
    service = incident.service
    if service is None:
        return Evidence(
            facts=facts.number_facts(facts.finding_facts(incident)), failed_reads=incident.failed_reads
        )
    reading = Reading()
    examined = examined_deployment(incident, service)
    run_log = read_deployment_log(reading, railway, incident, service, examined)
    build_log = read_build_log(reading, railway, incident, service)
    requests = read_requests(reading, railway, incident, service)
    if reading.unavailable is not None and not reading.succeeded:
        raise reading.unavailable
    records = (*run_log, *build_log)
    repository = find_repository(reading, github, repositories, service, examined)
    code = Code(find_suspect(incident, service))
    if repository is not None:
        code = read_code(
            reading, repositories, repository, incident, records, requests, code.suspect, status_pages
        )
    upstreams = _read_upstreams(reading, records, code.hosts, status_pages, http)
    if reading.unavailable is not None and (require_all or not reading.succeeded):
        raise reading.unavailable
    sources = _Sources(run_log, build_log, requests, repository, code, upstreams, tuple(reading.gaps))
    return _assemble(incident, service, examined, sources)


def _read_upstreams(
    reading: Reading,
    records: Sequence[LogRecord],
    hosts_in_code: Sequence[str],
    pages: Mapping[str, str],
    http: httpx.Client | None,
) -> tuple[Upstream, ...]:
    """The hosts that log errors mention, most frequent first, then those of the code, with their status pages."""
    counts = count_blamed_hosts(records, pages)
    hosts = [host for host, _ in counts.most_common()]
    hosts += [host for host in hosts_in_code if host not in counts]
    upstreams = []
    for host in hosts[:MAX_UPSTREAMS]:
        state, description = status_pages.fetch_status(host, pages, http)
        # A page that is not configured, or whose host has no errors, is no gap.
        if state == "unknown" and counts[host] and status_pages.find_page(host, pages):
            reading.miss(GapPart.UPSTREAM_STATUS, host, description)
        upstreams.append(
            Upstream(
                host=host,
                errors=counts[host],
                in_code=host in hosts_in_code,
                state=state,
                description=redact(description)[:MAX_STATUS_CHARS],
            )
        )
    return tuple(upstreams)


def _assemble(
    incident: Incident, service: Service, examined: Deployment | None, sources: _Sources
) -> Evidence:
    code, onset = sources.code, onset_of(incident)
    run_patterns, build_patterns = group_patterns(sources.run_log), group_patterns(sources.build_log)

    def all_facts() -> Iterator[Fact]:
        # The facts that decide most verdicts come first: `number_facts` keeps a limited number of them.
        yield from facts.finding_facts(incident)
        yield from facts.suspect_facts(code.suspect, onset)
        yield from facts.log_facts(build_patterns, len(sources.build_log), LogSource.BUILD)
        yield from facts.log_facts(run_patterns, len(sources.run_log), LogSource.DEPLOYMENT)
        yield from facts.request_facts(sources.requests)
        yield from facts.location_facts(code.locations)
        yield from facts.upstream_facts(sources.upstreams)
        yield from facts.load_facts(service, onset)
        yield from facts.domain_facts(incident, service)
        yield from facts.ruled_out_facts(incident)
        yield from facts.deployment_facts(service, examined)

    return Evidence(
        facts=facts.number_facts(all_facts()),
        patterns=run_patterns,
        build_patterns=_relevant_build_patterns(build_patterns),
        requests=sources.requests,
        locations=code.locations,
        suspect=code.suspect,
        upstreams=sources.upstreams,
        repository=sources.repository,
        failed_reads=tuple(dict.fromkeys((*incident.failed_reads, *sources.gaps))),
    )


def _relevant_build_patterns(build_patterns: tuple[LogPattern, ...]) -> tuple[LogPattern, ...]:
    """The errors and warnings of a build and its last lines. Its progress is no evidence."""
    problems = [pattern for pattern in build_patterns if pattern.level in ("error", "warning", "stderr")]
    last = sorted(build_patterns, key=lambda pattern: pattern.last)[-LAST_BUILD_PATTERNS:]
    return tuple(dict.fromkeys((*problems, *last)))
