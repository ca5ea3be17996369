"""Evidence: reads everything that helps to diagnose one failing service, and states it as numbered facts.

`read_evidence` asks Railway for logs (`log_reading`), the repository (`code_changes`), Railway for the network
(`network_reading`) and status pages, in this order of their worth, and `assembly` turns what was read into evidence.
Last, `rollback_option` asks Railway whether a rollback is possible. Everything but the reading is pure: `suspects`
chooses deployments, `requests` groups what was logged, `upstreams` finds outside hosts, `facts` builds the facts, and
`fact_sentences` renders them. `investigation.logs` turns lines into records and patterns, `investigation.code` locates
code, and `investigation.signs` reads what a record shows about its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import httpx

from workers.clients import status_pages
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.investigation.evidence import facts
from workers.investigation.evidence.assembly import Examination, Material, assemble, examine
from workers.investigation.evidence.code_changes import find_repository, open_code
from workers.investigation.evidence.log_reading import read_build_log, read_deployment_log, read_requests
from workers.investigation.evidence.network_reading import read_network
from workers.investigation.evidence.reading import Reading
from workers.investigation.evidence.rollback_option import read_rollback
from workers.investigation.evidence.suspects import examined_deployment, find_suspect
from workers.models import Evidence, GapPart, Incident, Upstream


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
    railway = railway.with_own_count()
    reading = Reading(railway)
    examined = examined_deployment(incident, service)
    run_log = read_deployment_log(reading, railway, incident, service, examined)
    build_log = read_build_log(reading, railway, incident, service)
    requests = read_requests(reading, railway, incident, service)
    if reading.unavailable is not None and not reading.succeeded:
        raise reading.unavailable
    repository = find_repository(reading, github, repositories, service, examined)
    with open_code(reading, repositories, repository, find_suspect(incident, service)) as code:
        material = Material(
            run_log=run_log, build_log=build_log, requests=requests, examined=examined, repository=repository,
            tree=code.tree, suspect=code.suspect, changed=code.changed,
        )  # fmt: skip
        examination = examine(incident, material, status_pages)
    network = read_network(reading, railway, incident, service, examination.signs)
    material = replace(material, network=network)
    upstreams = _read_upstreams(reading, examination, status_pages, http)
    if reading.unavailable is not None and (require_all or not reading.succeeded):
        raise reading.unavailable
    evidence = assemble(incident, service, material, examination, upstreams, reading.gaps)
    rollback = read_rollback(railway, repositories, incident, service, evidence.suspect)
    return evidence.model_copy(update={"rollback": rollback})


def _read_upstreams(
    reading: Reading, examination: Examination, pages: Mapping[str, str], http: httpx.Client | None
) -> tuple[Upstream, ...]:
    """The outside hosts of the examination with the state that their status pages report."""
    upstreams = []
    for host in examination.hosts:
        state, description = status_pages.fetch_status(host, pages, http)
        upstream = examination.upstream(host, state, description)
        # A page that is not configured, or whose host has no errors, is no gap.
        if state == "unknown" and upstream.errors and status_pages.find_page(host, pages):
            reading.miss(GapPart.UPSTREAM_STATUS, host, description)
        upstreams.append(upstream)
    return tuple(upstreams)
