"""Rules for trouble that no change of the code would end: platform, configuration, upstream, traffic."""

from __future__ import annotations

from workers.investigation.diagnosis.context import DOMINATES, SOON_AFTER, DiagnosisContext, short
from workers.investigation.diagnosis.patterns import (
    NEIGHBOUR,
    OWN_BUG,
    UNKNOWN_NAME,
    about_settings,
    does_not_answer,
    quoted,
    variable,
    words,
)
from workers.models import Category, LogPattern, Upstream, Verdict


def platform(case: DiagnosisContext) -> Verdict | None:
    """Railway's own trouble makes several services sick."""
    if case.incident.subject.kind != "platform":
        return None
    count = len({finding.service_id for finding in case.alarms})
    return Verdict(
        category=Category.PLATFORM,
        summary=f"{count} services are sick at once while Railway reports trouble of its own",
        supports=case.measured,
        action="wait until Railway's status page says that it is over, then look again",
        next_checks=("Railway's status page", "whether the services recover together"),
        confidence=0.8,
    )


def configuration(case: DiagnosisContext) -> Verdict | None:
    """A variable that is not set, an own store that is not where it should be, a key that is refused."""
    guilty = [one for one in case.trouble if about_settings(one, case.places("stack"))]
    if not guilty or sum(one.count for one in guilty) < DOMINATES * sum(one.count for one in case.trouble):
        return None
    name = next((found for one in guilty if (found := variable(one))), None)
    whole = f"set {name} of {case.name} in Railway and deploy again"
    vague = f"correct the variables of {case.name} that the error is about, and deploy again"
    return Verdict(
        category=Category.CONFIGURATION,
        summary=f"{case.name} is not configured for what it does: {short(quoted(guilty[0]))}",
        supports=(*case.measured, *case.said(*guilty[:3])),
        action=whole if name else vague,
        next_checks=(
            f"whether {name} is set in this environment" if name else "the variables of this environment",
            "what the last commits expect of the environment",
            "whether a variable was changed or renamed shortly before",
        ),
        confidence=0.85 if name else 0.7,
    )


def edge_only(case: DiagnosisContext) -> Verdict | None:
    """Only the platform's edge answers, while the service runs and says no error: nobody listens on the port."""
    failing = [one for one in case.evidence.requests if one.status >= 500]
    if not failing or not all(one.platform_answer for one in failing) or case.trouble or case.logs_missing:
        return None
    service = case.incident.service
    answered = sum(one.ok + one.client_errors for one in service.traffic) if service else 0
    runs = not case.kinds & {
        "crashed",
        "restart_loop",
        "stopped",
        "memory",
        "failed_deployment",
        "oom_killed",
    }
    if not runs or answered > sum(one.count for one in failing):
        return None
    return Verdict(
        category=Category.CONFIGURATION,
        summary=f"{case.name} runs, but only the edge answers: it does not listen where Railway sends requests",
        supports=(*case.measured, *case.facts("by the platform's edge", "hold no error")),
        action=f"let {case.name} listen on 0.0.0.0 and on PORT, or set the target port of its domain",
        next_checks=(
            "the address and port that the service says at its start",
            "the target port of its domain",
            "the start command of the newest deployment",
        ),
        confidence=0.7,
    )


def neighbour(case: DiagnosisContext) -> Verdict | None:
    """Another service of the project does not answer: its trouble, or a wrong name of it."""
    named = [one for one in case.trouble if NEIGHBOUR.search(words(one)) and does_not_answer(one)]
    if not named or sum(one.count for one in named) < DOMINATES * sum(one.count for one in case.trouble):
        return None
    found = NEIGHBOUR.search(words(named[0]))
    other = found[1] if found else "a neighbour"
    unknown = UNKNOWN_NAME.search(words(named[0])) is not None
    return Verdict(
        category=Category.CONFIGURATION if unknown else Category.UPSTREAM,
        summary=f"{case.name} fails because the service {other} of the same project "
        + ("is not found under that name" if unknown else "does not answer"),
        supports=(*case.measured, *case.said(*named[:3])),
        action=f"correct the variable that names {other}"
        if unknown
        else f"look at {other}: its trouble is the cause",
        next_checks=(
            f"whether {other} runs and listens on the private network",
            f"which variable names {other}",
        ),
        confidence=0.7,
    )


def upstream(case: DiagnosisContext) -> Verdict | None:
    """Somebody outside is down or slow; that a stack trace ends in our client's code does not make it ours."""
    if not case.trouble or case.share(_own_bug) >= DOMINATES:
        return None
    unanswered = case.share(does_not_answer) >= DOMINATES
    blamed = [one for one in case.evidence.upstreams if one.errors > 0]
    for one in sorted(blamed, key=lambda host: (not _sick(host), -host.errors)):
        if _named_by(one, case) >= DOMINATES and (_sick(one) or unanswered):
            return None if not _sick(one) and _changed_client(case) else _say_upstream(case, one)
    # No record names a host: the only one that the code knows, or one whose page says so.
    known = [one for one in case.evidence.upstreams if one.in_code]
    sick = [one for one in known if _sick(one)]
    if unanswered and not blamed and not any(NEIGHBOUR.search(words(one)) for one in case.trouble):
        if sick:
            return _say_upstream(case, sick[0])
        if len(known) == 1 and not _changed_client(case):
            return _say_upstream(case, known[0])
    return None


def _own_bug(pattern: LogPattern) -> bool:
    return OWN_BUG.search(pattern.template) is not None and not does_not_answer(pattern)


def _sick(one: Upstream) -> bool:
    return one.state in ("down", "degraded")


def _named_by(one: Upstream, case: DiagnosisContext) -> float:
    """Which part of the trouble names the host: by the patterns, or by the count of the records."""
    total = sum(pattern.count for pattern in case.trouble)
    return max(case.share(lambda pattern: one.host in words(pattern).lower()), min(1.0, one.errors / total))


def _changed_client(case: DiagnosisContext) -> bool:
    """Whether the suspect commit came shortly before and touched a file in which the calls fail."""
    suspect = case.evidence.suspect
    files = {place.file for place in case.places("stack")}
    return suspect is not None and case.began_within(SOON_AFTER) and bool(files & set(suspect.files))


def _say_upstream(case: DiagnosisContext, one: Upstream) -> Verdict:
    says = f", and its status page says {one.state}" if _sick(one) else ""
    calls = [pattern for pattern in case.trouble if does_not_answer(pattern)]
    return Verdict(
        category=Category.UPSTREAM,
        summary=f"{case.name} fails because {one.host} does not answer as it should{says}",
        supports=(*case.measured, *case.facts(f"outside host {one.host}"), *case.said(*calls[:3])),
        action=f"wait until {one.host} is well again, then look again; nothing in the code would end this",
        next_checks=(
            f"the status page of {one.host}",
            f"a request to {one.host} by hand from outside Railway",
            "whether a time-out, a retry or a fallback should soften the next one",
        ),
        confidence=0.9 if _sick(one) and one.errors else 0.65 if one.errors or _sick(one) else 0.5,
    )


def traffic(case: DiagnosisContext) -> Verdict | None:
    """More load than built for, and nothing says that anything is broken."""
    strained = case.kinds & {"cpu", "memory", "latency", "server_errors", "client_errors", "oom_killed"}
    if not strained or not case.load_grew or case.trouble:
        return None
    surges = [one.sentence for one in case.incident.findings if one.kind == "traffic_surge"]
    return Verdict(
        category=Category.TRAFFIC,
        summary=f"{case.name} gets more requests than before, and no error speaks of a fault in the code",
        supports=(*case.measured, *case.facts(*surges, "load grew:", "hold no error")),
        action=f"give {case.name} more replicas or a higher limit, or hold the callers back",
        next_checks=(
            "who sends the additional requests",
            "whether they are wanted",
            "which route they ask for",
        ),
        confidence=0.7 if not case.logs_missing else 0.5,
    )
