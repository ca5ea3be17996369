"""A case of the public format as the incident and the material that the line would have read about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from workers.cli.diagnosis_format import Case, FindingInput, LineInput, RepositoryInput, RequestInput
from workers.clients.git import safe_write
from workers.clients.railway import HttpLine
from workers.errors import InvalidCase, Refused
from workers.investigation.code.tree import Tree, list_tree
from workers.investigation.evidence.assembly import Material
from workers.investigation.evidence.requests import MAX_PATTERNS, group_counted_requests
from workers.investigation.evidence.suspects import NEVER_LIVE_KINDS
from workers.investigation.logs.log_records import build_log_records
from workers.investigation.onset import onset_of
from workers.models import (
    Deployment,
    DnsAnswer,
    Finding,
    FindingKind,
    Flow,
    Incident,
    InstanceUsage,
    LogLine,
    Moment,
    Network,
    Point,
    Repository,
    RequestPattern,
    Service,
    Severity,
    Sibling,
    Subject,
    Suspect,
    Window,
)

NO_TIME = datetime(2026, 1, 1, tzinfo=UTC)  # of a case that names no time at all: the same for every run
BEFORE_ONSET = timedelta(minutes=10)  # window before the onset of a case without a window
AFTER_LAST = timedelta(minutes=1)  # window after the last time of a case without a window
MAX_PATH_CHARS = 400  # of one path in the repository
MAX_REPOSITORY_CHARS = 100_000_000  # of all files together
HTTP_KINDS = frozenset({"server_errors", "client_errors", "latency", "traffic_lost", "traffic_surge"})
ENDED_KINDS = frozenset({"crashed", "restart_loop", "stopped", "oom_killed"})


def make_incident(case: Case) -> tuple[Incident, Service]:
    """The incident that the case describes, and its service."""
    window, onset = _times(case)
    inputs = case.findings or [_presumed_finding(case)]
    service = _service(case, {finding.kind for finding in inputs}, window, onset)
    findings = tuple(_finding(case.service, finding, onset, service) for finding in inputs)
    incident = Incident(
        fingerprint="case", occurrence=f"{window.end:%Y%m%dT%H%M}", project_id="", project_name="",
        environment_id="", environment_name="",
        subject=Subject(kind="service", key=case.service, name=case.service), service=service,
        findings=findings, window=window, opened_at=window.end,
        siblings=tuple(Sibling.model_validate(sibling.model_dump()) for sibling in case.services),
    )  # fmt: skip
    return incident, service


@contextmanager
def open_material(case: Case, incident: Incident, service: Service) -> Iterator[Material]:
    """The material of the case. Files of the repository are in a temporary folder until the end.

    Raises:
        InvalidCase: The repository cannot be used; the message names the field.
    """
    onset, suspect = onset_of(incident), case.suspect
    with _open_tree(case.repository) as tree:
        yield Material(
            run_log=build_log_records(_lines(case.logs, onset)),
            build_log=build_log_records(_lines(case.build_logs, onset)),
            requests=_requests(case.requests, onset),
            examined=service.latest,
            repository=_repository(case) if tree else None,
            tree=tree,
            suspect=_suspect(case, onset),
            changed=suspect.files if suspect else {},
            network=_network(case),
            starts_read=False,
        )


# ---- time ----


def _times(case: Case) -> tuple[Window, datetime]:
    """The window and the onset; what the case does not say follows from the times of its findings and logs."""
    since = [finding.since for finding in case.findings if finding.since]
    logged = [line.at for line in (*case.logs, *case.build_logs) if line.at]
    named = [case.onset] if case.onset else since or logged
    if case.window is not None:
        start, end = case.window.start, case.window.end
        inside = [moment for moment in named if start <= moment <= end]
        onset = min(inside or named, default=start)
        return Window(start=start, end=end), onset
    deployed = [case.suspect.deployed_at] if case.suspect and case.suspect.deployed_at else []
    onset = min(named or deployed, default=NO_TIME)
    return Window(start=onset - BEFORE_ONSET, end=max([*logged, onset]) + AFTER_LAST), onset


def _lines(lines: Sequence[LineInput], onset: Moment) -> list[LogLine]:
    """The lines of a log. A line without a time has that of the line before it."""
    result, at = [], onset
    for line in lines:
        at = line.at or at
        result.append(
            LogLine(
                timestamp=at,
                message=line.message,
                level=line.severity or "info",
                instance_id=line.instance or None,
            )
        )
    return result


# ---- service and findings ----


def _presumed_finding(case: Case) -> FindingInput:
    """The finding of a case that names none: what its requests and logs are about."""
    statuses = {request.status for request in case.requests}
    kind: FindingKind = "error_logs"
    if case.build_logs:
        kind = "failed_deployment"
    elif any(status >= 500 for status in statuses):
        kind = "server_errors"
    elif any(status >= 400 for status in statuses):
        kind = "client_errors"
    return FindingInput(kind=kind, severity=Severity.WARNING)


def _finding(name: str, given: FindingInput, onset: datetime, service: Service) -> Finding:
    return Finding(
        service_id=name, service=name, kind=given.kind, severity=given.severity, since=given.since or onset,
        ongoing=given.ongoing, numbers=given.numbers, confidence=given.confidence, chronic=given.chronic,
        sentence=given.sentence or given.kind.replace("_", " "),
        deployment_id=service.latest.id if service.latest else None,
    )  # fmt: skip


def _service(case: Case, kinds: set[str], window: Window, onset: datetime) -> Service:
    at = round(window.end.timestamp())
    memory, memory_limit = _peak(at, case.usage.memory_percent_peak, case.limits.memory_gb)
    cpu, cpu_limit = _peak(at, case.usage.cpu_percent_peak, case.limits.cpu)
    deployment = _deployment(case, kinds, onset)
    never_live = bool(kinds) and kinds <= NEVER_LIVE_KINDS
    return Service(
        id=case.service, name=case.service, public=bool(case.requests) or bool(kinds & HTTP_KINDS),
        root_directory=case.repository.root if case.repository else None,
        latest=deployment, serving=None if never_live else deployment,
        deployments=(deployment,) if deployment else (), memory_limit=memory_limit, cpu_limit=cpu_limit,
        usage=(InstanceUsage(instance_id="", cpu=cpu, memory=memory),) if cpu or memory else (),
    )  # fmt: skip


def _peak(at: int, percent: float | None, limit: float | None) -> tuple[tuple[Point, ...], float | None]:
    """One sample with the peak, and the limit that it is a share of: 1.0 for a share without its limit."""
    if percent is None:
        return (), limit or None
    limit = limit or 1.0
    return ((at, percent / 100 * limit),), limit


def _deployment(case: Case, kinds: set[str], onset: datetime) -> Deployment | None:
    """The deployment of the suspect; without one, nothing is known about deployments."""
    suspect = case.suspect
    if suspect is None:
        return None
    deployed_at = suspect.deployed_at or onset
    status = "SUCCESS"
    if "failed_deployment" in kinds:
        status = "FAILED"
    elif "stuck_deployment" in kinds:
        status = "DEPLOYING"
    elif kinds & ENDED_KINDS:
        status = "CRASHED"
    return Deployment(
        id=f"{case.service}@{deployed_at:%Y%m%dT%H%M%S}", service_id=case.service, status=status,
        created_at=deployed_at, commit=suspect.commit, commit_message=suspect.message or None,
    )  # fmt: skip


def _suspect(case: Case, onset: datetime) -> Suspect | None:
    suspect, deployment = case.suspect, _deployment(case, set(), onset)
    if suspect is None or deployment is None:
        return None
    return Suspect(
        deployment_id=deployment.id, commit=suspect.commit, at=deployment.created_at,
        message=suspect.message or None, files=tuple(suspect.files),
    )  # fmt: skip


# ---- requests, network, code ----


def _requests(requests: Sequence[RequestInput], at: Moment) -> tuple[RequestPattern, ...]:
    lines = [
        (
            HttpLine(
                timestamp=at, method=request.method, path=request.path, status=request.status,
                ms=request.slowest_ms, platform_answer=request.platform_answer,
            ),
            request.count,
        )
        for request in requests
    ]  # fmt: skip
    return group_counted_requests(lines, MAX_PATTERNS)


def _network(case: Case) -> Network:
    return Network(
        dns=tuple(DnsAnswer.model_validate(answer.model_dump()) for answer in case.network.dns),
        flows=tuple(Flow.model_validate(flow.model_dump()) for flow in case.network.flows),
    )


def _repository(case: Case) -> Repository:
    commit = case.suspect.commit if case.suspect else None
    root = case.repository.root.strip("/") if case.repository else ""
    return Repository(name=f"case/{case.service}", base="main", deployed=commit or "HEAD", root=root)


@contextmanager
def _open_tree(repository: RepositoryInput | None) -> Iterator[Tree | None]:
    if repository is None:
        yield None
    elif repository.path is not None:
        folder = Path(repository.path)
        if not folder.is_dir():
            raise InvalidCase(f"repository.path: {repository.path!r} is no folder")
        yield list_tree(folder, repository.root)
    else:
        with TemporaryDirectory(prefix="trackwalker-case-") as name:
            _write_files(Path(name), repository.files or {})
            yield list_tree(Path(name), repository.root)


def _write_files(folder: Path, files: dict[str, str]) -> None:
    if sum(map(len, files.values())) > MAX_REPOSITORY_CHARS:
        raise InvalidCase(f"repository.files: more than {MAX_REPOSITORY_CHARS:,} characters")
    for path, text in files.items():
        if len(path) > MAX_PATH_CHARS or not path.isprintable():
            raise InvalidCase(f"repository.files: {path[:MAX_PATH_CHARS]!r} cannot be a path")
        try:
            safe_write(folder, path, text.encode(errors="replace"))
        except Refused as error:
            raise InvalidCase(f"repository.files: {error}") from error
        except OSError as error:
            # Such as a path below another file, or a name that is too long for the file system.
            raise InvalidCase(f"repository.files: {path!r}: {error.strerror}") from error
