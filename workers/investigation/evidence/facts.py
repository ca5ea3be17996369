"""The numbered sentences: whoever reads them, a model or a person, needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from workers.models import (
    CodeLocation,
    Deployment,
    Fact,
    Incident,
    LogPattern,
    RequestPattern,
    Service,
    Suspect,
    Upstream,
)

MOST_FACTS = 40
LONGEST_FACT = 420
MOST_FILES_NAMED = 8
MOST_SYMPTOMS = 6
QUIET_PERCENT = 70.0
"""A resource that stayed below this share of its limit is ruled out."""
MORE_LOAD = 1.5
UNSEEN = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def number(texts: Iterable[str]) -> tuple[Fact, ...]:
    """`E1`, `E2` …, one line each, nothing said twice."""
    once = dict.fromkeys(UNSEEN.sub(" ", text).strip()[:LONGEST_FACT] for text in texts)
    once.pop("", None)
    return tuple(Fact(id=f"E{i}", text=text) for i, text in enumerate(list(once)[:MOST_FACTS], start=1))


def of_findings(incident: Incident) -> Iterator[str]:
    """What was measured, worst first, then the callers that suffer from it."""
    for finding in incident.findings:
        yield f"{finding.named_sentence} [{finding.severity.value}]"
    for finding in incident.symptoms[:MOST_SYMPTOMS]:
        yield f"{finding.service} suffers from it: {finding.sentence} [{finding.severity.value}]"


def of_suspect(suspect: Suspect | None, onset: datetime) -> Iterator[str]:
    """The deployment after which it began, and what it changed."""
    if suspect is None:
        return
    commit = f"commit {suspect.commit[:12]}" if suspect.commit else "an unknown commit"
    said = f' "{_first_line(suspect.message)}"' if suspect.message else ""
    who = f" by {_first_line(suspect.author)}" if suspect.author else ""
    yield (
        f"the deployment live at the onset is {suspect.deployment_id} of {suspect.at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{commit}{said}{who}; the trouble began {distance(suspect.at, onset)}"
    )
    if suspect.files:
        more = len(suspect.files) - MOST_FILES_NAMED
        tail = f" and {more} more" if more > 0 else ""
        yield f"that commit changed {', '.join(suspect.files[:MOST_FILES_NAMED])}{tail}"


def distance(at: datetime, onset: datetime) -> str:
    """`4 minutes after it`, `3 days after it`."""
    gap = onset - at
    if gap < timedelta(0):
        return f"{max(1, round(-gap.total_seconds()))} seconds before it was live"
    for unit, seconds in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if gap.total_seconds() >= 2 * seconds:
            return f"{gap.total_seconds() / seconds:.0f} {unit} after it"
    return f"{gap.total_seconds():.0f} seconds after it"


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0][:120]


def of_patterns(patterns: Sequence[LogPattern], read: int, where: str) -> Iterator[str]:
    """What the logs say of trouble, with counts; that they say nothing, if they were read."""
    trouble = [one for one in patterns if one.level == "error"]
    for one in trouble[:8]:
        times = f"{one.first:%H:%M:%S} to {one.last:%H:%M:%S} UTC"
        yield f"{where} say {one.count} times, {times}: {one.template}"
    if read and not trouble:
        yield f"{where} hold no error in {read} records"
    for one in [one for one in patterns if one.level in ("warning", "stderr")][:3]:
        yield f"{where} say {one.count} times ({one.level}): {one.template}"


def of_requests(requests: Sequence[RequestPattern]) -> Iterator[str]:
    """Which requests failed or were slow."""
    for one in requests[:8]:
        who = " by the platform's edge, not by the service" if one.platform_answer else ""
        verb = "failed" if one.status >= 500 else "was refused" if one.status >= 400 else "answered slowly"
        yield (
            f"{one.method} {one.route} {verb} {one.count} times with {one.status}{who}, the slowest after "
            f"{one.slowest_ms:.0f} ms (for example {one.path})"
        )


def of_places(places: Sequence[CodeLocation]) -> Iterator[str]:
    """Places written as `path/to/file.py:41 in function`."""
    words = {
        "stack": "stack traces name {place} ({count} times)",
        "route": "{place} answers the route of {count} failing, refused or slow requests",
        "changed": "the commit of the deployment at the onset changed {place} ({count} lines of the file)",
    }
    for one in places:
        place = f"{one.file}:{one.line}" + (f" in {one.function}" if one.function else "")
        yield words[one.why].format(place=place, count=one.count)


def of_upstreams(upstreams: Sequence[Upstream]) -> Iterator[str]:
    """Outside hosts with what is said of them there and here."""
    for one in upstreams:
        named = f"{one.errors} records of trouble name the outside host {one.host}"
        if not one.errors:
            named = f"the code names the outside host {one.host}, no record of trouble does"
        state = "is not known" if one.state == "unknown" else f"says {one.state}"
        says = f": {_first_line(one.description)}" if one.description else ""
        yield f"{named}; its status page {state}{says}"


def of_deployments(service: Service, sick: Deployment | None) -> Iterator[str]:
    """The last deployments, newest first."""
    for one in service.deployments[:4]:
        commit = f"commit {one.commit[:12]}" if one.commit else (one.image or "no commit")
        mark = ", the one looked at" if sick and one.id == sick.id else ""
        yield f"deployment {one.id[:8]} of {one.created_at:%Y-%m-%d %H:%M} UTC: {one.status}, {commit}{mark}"


def of_load(service: Service, onset: datetime) -> Iterator[str]:
    """Whether more was asked of the service than before."""
    rates = load(service, onset)
    if rates is None:
        return
    before, now = rates
    if now >= MORE_LOAD * before:
        yield f"load grew: {before:.1f} requests a minute before, {now:.1f} since"
    else:
        yield f"load did not grow: {before:.1f} requests a minute before, {now:.1f} since"


def of_domains(incident: Incident, service: Service) -> Iterator[str]:
    """Whether it can be reached from outside at all, where no request comes any more."""
    if not any(one.kind == "traffic_lost" for one in incident.findings):
        return
    if service.public:
        yield f"{service.name} has a public domain; whether its name still leads to Railway is not known"
    else:
        yield f"{service.name} has no public domain any more"


def load(service: Service, onset: datetime) -> tuple[float, float] | None:
    """Requests per minute before and since the onset; None where one of both was not seen for three steps."""
    before = [one.requests for one in service.traffic if one.at < onset.timestamp()]
    since = [one.requests for one in service.traffic if one.at >= onset.timestamp()]
    if len(before) < 3 or len(since) < 3 or not sum(before):
        return None
    minute = max(1, service.traffic_step_seconds) / 60
    return sum(before) / len(before) / minute, sum(since) / len(since) / minute


def ruled_out(incident: Incident) -> Iterator[str]:
    """What was measured and is well: those who read on need not look there."""
    service = incident.service
    if service is None:
        return
    kinds = {finding.kind for finding in incident.findings}
    for kind, limit in (("cpu", service.cpu_limit), ("memory", service.memory_limit)):
        values = [value for one in service.usage for _, value in (one.cpu if kind == "cpu" else one.memory)]
        if not values or not limit or limit <= 0:
            continue
        peak = 100 * max(values) / limit
        told = {kind, f"{kind}_growth", *(("oom_killed",) if kind == "memory" else ())}
        if peak < QUIET_PERCENT and not kinds & told:
            yield f"{'CPU' if kind == 'cpu' else 'memory'} stayed below {peak + 1:.0f} % of its limit"
    requests = sum(one.requests for one in service.traffic)
    if requests and "server_errors" not in kinds:
        failed = sum(one.server_errors for one in service.traffic)
        yield f"{failed} of {requests} requests of the window failed with 5xx"
    if (
        service.usage
        and not kinds & {"restart_loop", "crashed", "oom_killed"}
        and len(service.starts) <= service.replicas
    ):
        yield f"the container was started {len(service.starts)} times in the window: no restart loop"
