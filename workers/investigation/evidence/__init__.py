"""Enrichment: the facts of one sick service. `read_evidence` asks in this order; everything else is pure.

`reading` and `code` ask Railway and the repository; `incidents` says about what; `logs` and `requests` make patterns;
`tree`, `places`, `routes` find code, `upstreams` outside hosts; `facts` says it in numbered sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx

from workers.clients import status_pages
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.investigation.evidence import facts
from workers.investigation.evidence.code_changes import Code, read_code, repository_of
from workers.investigation.evidence.log_patterns import Record, patterns
from workers.investigation.evidence.log_reading import (
    Reading,
    build_records,
    deployment_records,
    failing_and_slow,
)
from workers.investigation.evidence.suspects import find_suspect, onset, sick_deployment
from workers.investigation.evidence.upstreams import MOST_UPSTREAMS, blamed
from workers.models import (
    Deployment,
    Evidence,
    GapPart,
    Incident,
    LogPattern,
    Repository,
    RequestPattern,
    Service,
    Upstream,
)
from workers.runtime.redaction import redact


def read_evidence(
    incident: Incident, *, railway: Railway, github: GitHub, repositories: Repositories,
    status_pages: Mapping[str, str], http: httpx.Client | None = None, insist: bool = False,
) -> Evidence:  # fmt: skip
    """What is known of the sick service, as numbered facts. A read that failed is in `failed_reads`.

    Raises NotAvailable when nothing that the service said, or nothing at all, could be read now; with `insist`, when
    any read was not available.
    """
    service = incident.service
    if service is None:
        known = facts.number(redact(text) for text in facts.of_findings(incident))
        return Evidence(facts=known, failed_reads=incident.failed_reads)
    reading = Reading()
    sick = sick_deployment(incident, service)
    said = deployment_records(reading, railway, incident, service, sick)
    built = build_records(reading, railway, incident, service)
    requests = failing_and_slow(reading, railway, incident, service)
    if reading.away is not None and not reading.succeeded:
        # Without what the service itself said, code and commits would be judged blindly.
        raise reading.away
    suspect = find_suspect(incident, service)
    repository = repository_of(reading, github, repositories, service, sick)
    code = Code(suspect)
    if repository is not None:
        code = read_code(
            reading, repositories, repository, incident, (*said, *built), requests, suspect, status_pages
        )
    upstreams = _upstreams(reading, (*said, *built), code.hosts, status_pages, http)
    if reading.away is not None and (insist or not reading.succeeded):
        raise reading.away
    return _assemble(incident, service, sick, reading, said, built, requests, code, upstreams, repository)


def _upstreams(
    reading: Reading, said: Sequence[Record], named: Sequence[str], pages: Mapping[str, str],
    http: httpx.Client | None,
) -> tuple[Upstream, ...]:  # fmt: skip
    """Hosts that trouble names, then hosts that the code names, with what their status pages say."""
    counts = blamed(said, pages)
    hosts = [host for host, _ in counts.most_common()]
    found = []
    for host in [*hosts, *(host for host in named if host not in counts)][:MOST_UPSTREAMS]:
        state, says = status_pages.fetch_status(host, pages, http)
        if state == "unknown" and counts[host] and status_pages.find_page(host, pages):
            reading.miss(GapPart.UPSTREAM_STATUS, host, says)
        says = redact(says)[:300]
        found.append(
            Upstream(host=host, errors=counts[host], in_code=host in named, state=state, description=says)
        )
    return tuple(found)


def _assemble(
    incident: Incident, service: Service, sick: Deployment | None, reading: Reading,
    said: Sequence[Record], built: Sequence[Record], requests: tuple[RequestPattern, ...], code: Code,
    upstreams: tuple[Upstream, ...], repository: Repository | None,
) -> Evidence:  # fmt: skip
    run_patterns, build_patterns = patterns(said), patterns(built)
    texts = [
        *facts.of_findings(incident),
        *facts.of_suspect(code.suspect, onset(incident)),
        *facts.of_patterns(build_patterns, len(built), "the build logs"),
        *facts.of_patterns(run_patterns, len(said), "the logs"),
        *facts.of_requests(requests),
        *facts.of_places(code.places),
        *facts.of_upstreams(upstreams),
        *facts.of_load(service, onset(incident)),
        *facts.of_domains(incident, service),
        *facts.ruled_out(incident),
        *facts.of_deployments(service, sick),
    ]
    return Evidence(
        facts=facts.number(redact(text) for text in texts),
        patterns=run_patterns,
        build_patterns=_last_words(build_patterns),
        requests=requests,
        locations=code.places,
        suspect=code.suspect,
        upstreams=upstreams,
        repository=repository,
        failed_reads=tuple(dict.fromkeys((*incident.failed_reads, *reading.gaps))),
    )


def _last_words(built: tuple[LogPattern, ...]) -> tuple[LogPattern, ...]:
    """Of a build only what is trouble and what it said last: its progress is no evidence."""
    trouble = [one for one in built if one.level in ("error", "warning", "stderr")]
    last = sorted(built, key=lambda one: one.last)[-3:]
    return tuple(dict.fromkeys((*trouble, *last)))
