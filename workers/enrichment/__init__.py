"""Enrichment: the facts of one sick service. `read_evidence` asks, the other files are pure.

`logs` makes patterns of lines, `requests` of requests, `places` and `routes` find code, `upstreams` outside hosts,
`tree` is the clone, `facts` says it in numbered sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import httpx

from workers import statuspages
from workers.enrichment import facts
from workers.enrichment.logs import Record, patterns, records
from workers.enrichment.places import excerpt, stack_places
from workers.enrichment.requests import request_patterns
from workers.enrichment.routes import route_places
from workers.enrichment.tree import SOURCES, Tree, tree_of
from workers.enrichment.upstreams import MOST_UPSTREAMS, blamed, hosts_in_code
from workers.errors import NotAvailable, Refused
from workers.github import GitHub
from workers.models import (
    CodePlace,
    Deployment,
    Evidence,
    Finding,
    Incident,
    LogPattern,
    Repository,
    RequestPattern,
    Service,
    Severity,
    Suspect,
    Upstream,
    Window,
)
from workers.railway import HttpLine, LogLine, Railway
from workers.redaction import redact
from workers.repository import Repositories

LOG_LINES = 1_000
HTTP_LINES = 500
SLOW_MS = 1_000
BEFORE_ONSET = timedelta(minutes=10)
"""Logs are read from so long before the trouble: what led to it stands there."""
LONGEST_LOOK = timedelta(days=1)
MOST_CHANGED_FILES = 5
STATUS_SECONDS = 8.0
NEVER_LIVE = (
    "FAILED",
    "SKIPPED",
    "WAITING",
    "QUEUED",
    "BUILDING",
    "INITIALIZING",
    "NEEDS_APPROVAL",
    "DEPLOYING",
)
NO_TRACE = {"memory", "memory_growth", "cpu", "latency"}

T = TypeVar("T")


@dataclass
class Reading:
    """What could be read and what could not: a read that failed is a sentence, never 'nothing'."""

    not_seen: list[str] = field(default_factory=list)
    succeeded: int = 0
    away: NotAvailable | None = None

    def read(self, what: str, ask: Callable[[], T], instead: T) -> T:
        """The answer, or `instead` with a sentence in `not_seen`."""
        try:
            answer = ask()
        except (NotAvailable, Refused) as error:
            self.not_seen.append(f"{what}: {redact(str(error))[:300]}")
            if isinstance(error, NotAvailable):
                self.away = error
            return instead
        self.succeeded += 1
        return answer


def read_evidence(
    incident: Incident, *, railway: Railway, github: GitHub, repositories: Repositories,
    status_pages: Mapping[str, str], http: httpx.Client | None = None,
) -> Evidence:  # fmt: skip
    """What is known of the sick service, as numbered facts. What could not be read stands in `not_seen`.

    Raises NotAvailable only when nothing at all could be read now.
    """
    service = incident.service
    if service is None:
        return Evidence(facts=facts.number(facts.of_findings(incident)), not_seen=incident.not_seen)
    reading = Reading()
    sick = sick_deployment(incident, service)
    said = _deployment_records(reading, railway, incident, service, sick)
    built = _build_records(reading, railway, incident, service)
    requests = _requests(reading, railway, incident, service)
    suspect = find_suspect(incident, service)
    repository = _repository(reading, github, repositories, service, sick)
    places: tuple[CodePlace, ...] = ()
    named: list[str] = []
    if repository is not None:
        suspect, places, named = _code(
            reading, repositories, repository, incident, (*said, *built), requests, suspect, status_pages
        )
    upstreams = _upstreams(reading, (*said, *built), named, status_pages, http)
    if reading.away is not None and not reading.succeeded:
        raise reading.away
    return _assemble(
        incident, service, sick, reading, (said, built), requests, places, suspect, upstreams, repository
    )


def onset(incident: Incident) -> datetime:
    """When the worst of the trouble began; the newest sure sign where several began at different times."""
    alarms = [one for one in incident.findings if one.severity is not Severity.NOTICE] or list(
        incident.findings
    )
    return min((one.since for one in alarms), default=incident.window.start)


def sick_deployment(incident: Incident, service: Service) -> Deployment | None:
    """Whose logs are read: the crashed or restarting one, else the serving one, else the newest."""
    known = {
        one.id: one for one in (*service.deployments, service.latest, service.serving) if one is not None
    }
    for kinds in (("crashed", "restart_loop", "stopped"),):
        for finding in incident.findings:
            if finding.kind in kinds and finding.deployment_id in known:
                return known[finding.deployment_id]
    failed = _failed(incident, service)
    others = [
        one
        for one in incident.findings
        if one.kind != "failed_deployment" and one.severity is not Severity.NOTICE
    ]
    if failed is not None and (not others or service.serving is None):
        return failed
    return service.serving or service.latest


def _failed(incident: Incident, service: Service) -> Deployment | None:
    failed = any(one.kind == "failed_deployment" for one in incident.findings)
    return service.latest if failed else None


def find_suspect(incident: Incident, service: Service) -> Suspect | None:
    """The newest deployment that was live at the onset or shortly after; a failed one suspects itself."""
    began = onset(incident)
    alarms: list[Finding] = [one for one in incident.findings if one.severity is not Severity.NOTICE]
    failed = _failed(incident, service)
    if failed is not None and all(one.kind == "failed_deployment" for one in alarms):
        return _suspect(failed)
    slack = max(timedelta(minutes=2), 0.1 * (incident.window.end - incident.window.start))
    slack = min(slack, 0.5 * (incident.window.end - incident.window.start))
    known = {one.id: one for one in (*service.deployments, service.serving) if one is not None}
    live = [one for one in known.values() if one.status not in NEVER_LIVE and one.created_at <= began + slack]
    newest = max(live, key=lambda one: one.created_at, default=None)
    return _suspect(newest) if newest else None


def _suspect(deployment: Deployment) -> Suspect:
    return Suspect(
        deployment_id=deployment.id, commit=deployment.commit, at=deployment.created_at,
        author=redact(deployment.commit_author or "") or None,
        message=redact(deployment.commit_message or "")[:500] or None,
    )  # fmt: skip


# ---- logs and requests -----------------------------------------------------------------------


def log_window(incident: Incident) -> Window:
    """From shortly before the onset to the end of the sweep's window, a day at most."""
    start = min(incident.window.start, onset(incident) - BEFORE_ONSET)
    return Window(start=max(start, incident.window.end - LONGEST_LOOK), end=incident.window.end)


def _deployment_records(
    reading: Reading, railway: Railway, incident: Incident, service: Service, sick: Deployment | None
) -> list[Record]:
    if sick is None:
        reading.not_seen.append(f"deployment logs of {service.name}: it has no deployment")
        return []
    looks = {sick.id: _look_of(sick, incident)}
    lines: list[LogLine] = []
    for deployment_id, window in looks.items():
        for level in ("", "@level:error"):

            def ask(key: str = deployment_id, over: Window = window, wanted: str = level) -> list[LogLine]:
                return railway.deployment_logs(key, over, wanted, limit=LOG_LINES)

            # The errors once more by themselves: a talkative service drowns them in the first read.
            found = reading.read(f"deployment logs of {service.name}{' (errors)' if level else ''}", ask, [])
            seen = {(one.timestamp, one.message, one.instance_id) for one in lines}
            lines += [one for one in found if (one.timestamp, one.message, one.instance_id) not in seen]
            if not level and len(found) < LOG_LINES and not reading.away:
                break
    return records(lines)


def _look_of(sick: Deployment, incident: Incident) -> Window:
    """The window of its logs; one that crashed or failed before it said its last words then."""
    window = log_window(incident)
    if sick.status in ("FAILED", "CRASHED"):
        last = sick.status_at or sick.created_at
        start = min(window.start, max(sick.created_at, last - timedelta(hours=1)))
        return Window(start=start, end=window.end)
    return window


def _build_records(reading: Reading, railway: Railway, incident: Incident, service: Service) -> list[Record]:
    failed = _failed(incident, service)
    if failed is None:
        return []

    def ask() -> list[LogLine]:
        return railway.build_logs(failed.id, failed.created_at, limit=LOG_LINES)

    return records(reading.read(f"build logs of {service.name}", ask, []))


def _requests(
    reading: Reading, railway: Railway, incident: Incident, service: Service
) -> tuple[RequestPattern, ...]:
    answering = service.serving or service.latest
    kinds = {finding.kind for finding in incident.findings}
    if answering is None or not (service.traffic or service.public):
        return ()
    window = Window(start=max(incident.window.start, log_window(incident).start), end=incident.window.end)

    def ask(wanted: str) -> Callable[[], list[HttpLine]]:
        return lambda: railway.http_logs(answering.id, window, wanted, limit=HTTP_LINES)

    failing = reading.read(f"failing requests of {service.name}", ask("@httpStatus:>=500"), [])
    failing = [line for line in failing if line.status >= 500]
    slow: list[HttpLine] = []
    if kinds & {"latency", "cpu", "memory", "memory_growth"}:
        found = reading.read(f"slow requests of {service.name}", ask(f"@totalDuration:>={SLOW_MS}"), [])
        slow = [line for line in found if line.status < 500 and line.ms >= SLOW_MS]
    first, second = (
        (slow, failing) if "latency" in kinds and "server_errors" not in kinds else (failing, slow)
    )
    return (*request_patterns(first, 8), *request_patterns(second, 4))


# ---- code ------------------------------------------------------------------------------------


def _repository(
    reading: Reading, github: GitHub, repositories: Repositories, service: Service, sick: Deployment | None
) -> Repository | None:
    name = (sick.repo if sick else None) or service.repo
    if not name:
        reading.not_seen.append(f"code of {service.name}: it is not deployed from a repository")
        return None
    base = service.branch or (sick.branch if sick else None)
    if not base:
        base = reading.read(f"base branch of {name}", lambda: github.repository(name).default_branch, "")
    deployed = sick.commit if sick else None
    if not deployed and base:
        branch = base
        deployed = reading.read(f"head of {name}", lambda: repositories.head(name, branch), "")
        reading.not_seen.append(
            f"the deployed commit of {service.name}: Railway names none, read {base} instead"
        )
    if not deployed or not base:
        return None
    root = (sick.root_directory if sick else None) or service.root_directory or ""
    return Repository(name=name, base=base, deployed=deployed, root=root.strip("/").removeprefix("./"))


def _code(
    reading: Reading, repositories: Repositories, repository: Repository, incident: Incident,
    said: Sequence[Record], requests: Sequence[RequestPattern], suspect: Suspect | None, pages: Mapping[str, str],
) -> tuple[Suspect | None, tuple[CodePlace, ...], list[str]]:  # fmt: skip
    """The suspect with its files, the places in the code, and the outside hosts that the code names."""
    changed: dict[str, list[int]] = {}
    if suspect is not None and suspect.commit:
        commit = suspect.commit
        changed = reading.read(
            f"what commit {commit[:12]} changed", lambda: repositories.diff_of(repository.name, commit), {}
        )
        suspect = suspect.model_copy(update={"files": tuple(changed)[:50]})
    folder = reading.read(
        f"code of {repository.name} at {repository.deployed[:12]}",
        lambda: repositories.checkout(repository.name, repository.deployed),
        None,
    )
    if folder is None:
        return suspect, (), []
    try:
        tree = tree_of(folder, repository.root)
        traced = stack_places(said, tree)
        routed = route_places(requests, tree)
        kinds = {finding.kind for finding in incident.findings}
        touched = changed_places(changed, tree) if not traced or kinds & NO_TRACE else ()
        return suspect, (*traced, *routed, *touched), hosts_in_code(tree, pages)
    finally:
        repositories.discard(folder)


def changed_places(changed: Mapping[str, Sequence[int]], tree: Tree) -> tuple[CodePlace, ...]:
    """Where the suspect commit changed the service's sources: the first changed line of each file."""
    files = [file for file in changed if file.endswith(SOURCES) and file in tree.files and changed[file]]
    files = [file for file in files if file in set(tree.sources())]
    files.sort(key=lambda file: (not tree.own(file), -len(changed[file]), file))
    return tuple(
        CodePlace(
            file=file, line=min(changed[file]), why="changed", count=len(changed[file]),
            excerpt=excerpt(tree, file, min(changed[file])),
        )
        for file in files[:MOST_CHANGED_FILES]
    )  # fmt: skip


# ---- outside ---------------------------------------------------------------------------------


def _upstreams(
    reading: Reading, said: Sequence[Record], named: Sequence[str], pages: Mapping[str, str],
    http: httpx.Client | None,
) -> tuple[Upstream, ...]:  # fmt: skip
    counts = blamed(said, pages)
    hosts = [host for host, _ in counts.most_common()]
    hosts = [*hosts, *(host for host in named if host not in counts)][:MOST_UPSTREAMS]
    if not hosts:
        return ()
    if http is None:
        with httpx.Client(timeout=STATUS_SECONDS) as own:
            return tuple(_upstream(reading, host, counts[host], host in named, pages, own) for host in hosts)
    return tuple(_upstream(reading, host, counts[host], host in named, pages, http) for host in hosts)


def _upstream(
    reading: Reading, host: str, errors: int, in_code: bool, pages: Mapping[str, str], http: httpx.Client
) -> Upstream:
    unknown = Upstream(host=host, errors=errors, in_code=in_code, state="unknown")
    return reading.read(f"status page of {host}", lambda: _looked_up(unknown, pages, http), unknown)


def _looked_up(upstream: Upstream, pages: Mapping[str, str], http: httpx.Client) -> Upstream:
    found = statuspages.look_up(upstream.host, pages, http)
    return upstream.model_copy(update={"state": found.state, "says": redact(found.says)[:300]})


# ---- together --------------------------------------------------------------------------------


def _assemble(
    incident: Incident, service: Service, sick: Deployment | None, reading: Reading,
    said: tuple[Sequence[Record], Sequence[Record]], requests: tuple[RequestPattern, ...],
    places: tuple[CodePlace, ...], suspect: Suspect | None, upstreams: tuple[Upstream, ...],
    repository: Repository | None,
) -> Evidence:  # fmt: skip
    run, built = said
    run_patterns, build_patterns = patterns(run), patterns(built)
    texts = [
        *facts.of_findings(incident),
        *facts.of_suspect(suspect, onset(incident)),
        *facts.of_patterns(build_patterns, len(built), "the build logs"),
        *facts.of_patterns(run_patterns, len(run), "the logs"),
        *facts.of_requests(requests),
        *facts.of_places(places),
        *facts.of_upstreams(upstreams),
        *facts.of_load(service, onset(incident)),
        *facts.ruled_out(incident),
        *facts.of_deployments(service, sick),
    ]
    return Evidence(
        facts=facts.number(redact(text) for text in texts), patterns=run_patterns, build_patterns=_last_words(build_patterns),
        requests=requests, places=places, suspect=suspect, upstreams=upstreams, repository=repository,
        not_seen=tuple(dict.fromkeys((*incident.not_seen, *reading.not_seen))),
    )  # fmt: skip


def _last_words(built: tuple[LogPattern, ...]) -> tuple[LogPattern, ...]:
    """Of a build only what is trouble and what it said last: its progress is no evidence."""
    trouble = [one for one in built if one.level in ("error", "warning", "stderr")]
    last = sorted(built, key=lambda one: one.last)[-3:]
    return tuple(dict.fromkeys((*trouble, *last)))
