"""Diagnosis: which lane would end the trouble, by rules over the facts, with the facts for and against. Pure.

The rules are asked in order and the first that answers wins: what nobody can mend in the code comes before the code,
and whatever the facts do not carry is inconclusive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from workers.models import (
    CodePlace,
    Evidence,
    Finding,
    Incident,
    Lane,
    LogPattern,
    Severity,
    Upstream,
    Verdict,
)

DOMINATES = 0.5
"""Share of all counted trouble above which one kind of it is what happens."""
MORE_LOAD = 1.8
ONE_ROUTE = 0.8
"""Share of the slow requests on one route: then it is this route's code, not the whole service."""
SOON_AFTER = timedelta(hours=2)
LONG_AGO = timedelta(days=14)
"""A deployment that ran well for so long is not suspected of what begins now."""

ENVIRONMENT = re.compile(
    r"\b(?:os\.environ|os\.getenv|getenv|process\.env|ENV\[|env\(|environ\[)"
    r"|\benv(?:ironment)?[ _-]?var(?:iable)?s?\b|\bconfig(?:uration)? (?:key|value|variable)\b",
    re.I,
)
UNSET = re.compile(
    r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b.{0,60}\b(?:is )?(?:not set|unset|not defined|undefined|missing|must be set|required|not provided)\b"
    r"|\b(?:missing|required|undefined|unset|set the|no)\b.{0,60}\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b",
)
OWN_STORE = re.compile(
    r"(?:ECONNREFUSED|Connection refused|could not connect|Is the server running|Error 111|connect\b).{0,120}"
    r"(?:localhost|127\.0\.0\.1|::1|\[::1\])(?:.{0,40}\b(?:5432|6379|3306|27017|5672|9092|11211))"
    r"|(?:ENOTFOUND|EAI_AGAIN|getaddrinfo)\s+(?:undefined|null|base|postgres|redis|db|mysql|mongo|localhost)\b"
    r"|(?:password authentication failed|Access denied for user|WRONGPASS|NOAUTH|Authentication failed for database|no pg_hba\.conf entry)"
    r"|\bdatabase \"?[\w-]+\"? does not exist|Invalid URL:? ?['\"]?(?:undefined|null)",
    re.I | re.S,
)
REFUSED_KEY = re.compile(
    r"\b(?:invalid|expired|incorrect|missing|revoked) (?:api[ _-]?key|access[ _-]?token|credentials?)\b"
    r"|\b(?:401|403) (?:Client Error|Unauthorized|Forbidden)|\bUnauthorized for url|status(?: code)?:? 401\b",
    re.I,
)
OUTSIDE = re.compile(
    r"\b(?:Connect|Read|Write|Pool|Connection|Request|Gateway)?_?Time(?:d )?out(?:Error|Exception|Expired)?\b|\btimed out\b|\bETIMEDOUT\b|\bECONNRESET\b"
    r"|\bECONNREFUSED\b|\bENOTFOUND\b|\bEAI_AGAIN\b|\bConnect(?:ion)?(?:Error|Refused|ResetError|RefusedError)\b|MaxRetryError|NewConnectionError"
    r"|\bfetch failed\b|UND_ERR_|socket hang up|Name or service not known|Temporary failure in name resolution|RemoteDisconnected"
    r"|\b50[0234] (?:Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out|Internal Server Error)|\bstatus(?: code)?:? ?50[0234]\b"
    r"|(?:answered|returned|responded(?: with)?|replied|gave|got) (?:an? )?(?:HTTP )?(?:status )?50[0234]\b"
    r"|\bBad Gateway\b|\bService Unavailable\b|\b429\b|rate.?limit",
    re.I,
)
MEMORY_GONE = re.compile(
    r"out of memory|JavaScript heap|MemoryError|Cannot allocate memory|OOM|exit(?:ed with)? (?:code|status) 137"
    r"|signal: killed|SIGKILL|^Killed$",
    re.I | re.M,
)


@dataclass(frozen=True)
class Case:
    """The incident and its evidence with what several rules ask of them."""

    incident: Incident
    evidence: Evidence

    @property
    def alarms(self) -> tuple[Finding, ...]:
        loud = tuple(one for one in self.incident.findings if one.severity is not Severity.NOTICE)
        return loud or self.incident.findings

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.alarms}

    @property
    def name(self) -> str:
        return self.incident.cause.name

    @property
    def trouble(self) -> tuple[LogPattern, ...]:
        """Patterns that say something is wrong, of the failed build too."""
        return tuple(
            one for one in (*self.evidence.build_patterns, *self.evidence.patterns) if one.level == "error"
        )

    def places(self, *why: str) -> tuple[CodePlace, ...]:
        return tuple(one for one in self.evidence.places if one.why in why)

    def share(self, expression: re.Pattern[str]) -> float:
        """Which part of the counted trouble matches."""
        total = sum(one.count for one in self.trouble)
        hits = sum(one.count for one in self.trouble if expression.search(_words(one)))
        return hits / total if total else 0.0

    def facts(self, *needles: str) -> tuple[str, ...]:
        """Ids of the facts that hold one of the texts."""
        wanted = [needle for needle in needles if needle]
        return tuple(fact.id for fact in self.evidence.facts if any(needle in fact.text for needle in wanted))

    @property
    def measured(self) -> tuple[str, ...]:
        return self.facts(*(finding.sentence[:200] for finding in self.alarms))


Rule = Callable[[Case], Verdict | None]


def diagnose(incident: Incident, evidence: Evidence) -> Verdict:
    """The lane, with facts for and against, what to do where nothing is mended, and up to five next checks."""
    case = Case(incident, evidence)
    if not evidence.facts or not incident.findings:
        return _inconclusive(case, f"nothing is known of {case.name} but the alert")
    found = next((verdict for rule in RULES if (verdict := rule(case)) is not None), None)
    verdict = found or _inconclusive(case, f"the facts do not carry a cause for the trouble of {case.name}")
    against = verdict.contradicts or _against(case, verdict)
    return verdict.model_copy(
        update={
            "supports": tuple(dict.fromkeys(verdict.supports)),
            "contradicts": tuple(one for one in dict.fromkeys(against) if one not in verdict.supports),
            "next_checks": tuple(dict.fromkeys(verdict.next_checks))[:5],
        }
    )


def _against(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """Facts that speak for another lane than the one found."""
    found: list[str] = []
    if verdict.lane is not Lane.CODE:
        found += case.facts("stack traces name")
    if verdict.lane is not Lane.UPSTREAM:
        found += case.facts("status page says degraded", "status page says down")
    if verdict.lane is not Lane.TRAFFIC:
        found += case.facts("load grew:")
    if verdict.lane is Lane.TRAFFIC:
        found += case.facts("load did not grow")
    if verdict.lane is Lane.UPSTREAM:
        found += case.facts("status page says operational")
    return tuple(found)


# ---- the rules, in order ---------------------------------------------------------------------


def _platform(case: Case) -> Verdict | None:
    if case.incident.cause.kind != "platform":
        return None
    count = len({finding.service_id for finding in case.alarms})
    return Verdict(
        lane=Lane.PLATFORM,
        summary=f"{count} services are sick at once while Railway reports trouble of its own",
        supports=case.measured,
        action="wait until Railway's status page says that it is over, then look again",
        next_checks=("Railway's status page", "whether the services recover together"),
        confidence=0.8,
    )


def _never_started(case: Case) -> Verdict | None:
    """The newest deployment failed, and that is all the trouble there is."""
    if "failed_deployment" not in case.kinds or case.kinds & {"server_errors", "latency", "restart_loop"}:
        return None
    words = [one for one in (*case.evidence.build_patterns, *case.evidence.patterns)]
    if not words:
        return _inconclusive(
            case, f"why {case.name}'s newest deployment failed is not known: its logs say nothing"
        )
    configured = _configuration(case)
    if configured is not None:
        return configured
    outside = _upstream(case)
    if outside is not None:
        return outside
    said = [one for one in case.trouble] or words[-1:]
    health = any(re.search(r"never became healthy|health ?check failed", _words(one), re.I) for one in words)
    what = "never answered its health check" if health else "could not be built or started"
    return Verdict(
        lane=Lane.DEPLOYMENT,
        summary=f"{case.name}'s newest deployment {what}: {_short(said[0].template)}",
        supports=(*case.measured, *case.facts(*(one.template for one in said[:3])), *_place_facts(case)),
        next_checks=(
            "the build logs up to the first error",
            "what the newest commit changed in the manifests",
        ),
        confidence=0.8 if case.trouble else 0.5,
    )


def _configuration(case: Case) -> Verdict | None:
    """A variable that is not set, an own store that is not where it should be, a port nobody listens on."""
    total = sum(one.count for one in case.trouble)
    guilty = [one for one in case.trouble if _names_setting(one, case)]
    if guilty and sum(one.count for one in guilty) >= DOMINATES * total:
        name = _variable(guilty[0], case)
        return Verdict(
            lane=Lane.CONFIGURATION,
            summary=f"{case.name} is not configured for what it does: {_short(guilty[0].template)}",
            supports=(*case.measured, *case.facts(*(one.template for one in guilty[:3]))),
            action=f"set {name} of {case.name} in Railway and deploy again"
            if name
            else f"correct the variables of {case.name} that the error is about and deploy again",
            next_checks=(
                f"whether {name} is set in this environment" if name else "the variables of this environment",
                "what the last commits expect of the environment",
                "whether a variable was changed or renamed shortly before",
            ),
            confidence=0.85 if name else 0.7,
        )
    return _edge_only(case)


def _edge_only(case: Case) -> Verdict | None:
    """Only the platform's edge answers, while the service runs and says no error: nobody listens on the port."""
    failing = [one for one in case.evidence.requests if one.status >= 500]
    if not failing or not all(one.platform_answer for one in failing) or case.trouble:
        return None
    if case.kinds & {"crashed", "restart_loop", "stopped", "memory"} or _logs_missing(case):
        return None
    service = case.incident.service
    answered = sum(one.ok + one.client_errors for one in service.traffic) if service else 0
    if answered > sum(one.count for one in failing):
        return None
    return Verdict(
        lane=Lane.CONFIGURATION,
        summary=f"{case.name} runs, but only the edge answers: it does not listen where Railway sends the requests",
        supports=(*case.measured, *case.facts("by the platform's edge"), *case.facts("hold no error")),
        action=f"let {case.name} listen on 0.0.0.0 and the port of the variable PORT, or set its domain's target port",
        next_checks=(
            "the address and port that the service says at its start",
            "the target port of its domain",
            "the start command of the newest deployment",
        ),
        confidence=0.7,
    )


def _upstream(case: Case) -> Verdict | None:
    """Somebody outside is down or slow; that a stack trace ends in our client's code does not make it ours."""
    total = sum(one.count for one in case.trouble)
    blamed = [one for one in case.evidence.upstreams if one.errors > 0]
    for one in sorted(blamed, key=lambda host: (host.state not in ("down", "degraded"), -host.errors)):
        named = [pattern for pattern in case.trouble if one.host in _words(pattern).lower()]
        share = sum(pattern.count for pattern in named) / total if total else 0.0
        share = max(share, min(1.0, one.errors / total) if total else 0.0)
        unreachable = (
            any(OUTSIDE.search(_words(pattern)) for pattern in named) or case.share(OUTSIDE) >= DOMINATES
        )
        sick = one.state in ("down", "degraded")
        if share < DOMINATES or not (sick or unreachable):
            continue
        if not sick and unreachable and one.state == "operational" and _changed_client(case):
            continue
        return _say_upstream(case, one, named, sick)
    return None


def _say_upstream(case: Case, one: Upstream, named: Iterable[LogPattern], sick: bool) -> Verdict:
    says = f", and its status page says {one.state}" if sick else ""
    return Verdict(
        lane=Lane.UPSTREAM,
        summary=f"{case.name} fails because {one.host} does not answer as it should{says}",
        supports=(
            *case.measured,
            *case.facts(f"outside host {one.host}", *(p.template for p in list(named)[:3])),
        ),
        action=f"wait until {one.host} is well again, then look again; nothing in the code would end this",
        next_checks=(
            f"the status page of {one.host}",
            f"a request to {one.host} by hand from outside Railway",
            "whether a time-out, a retry or a fallback should soften the next one",
        ),
        confidence=0.9 if sick else 0.65,
    )


def _changed_client(case: Case) -> bool:
    """Whether the suspect commit came just before and touched the file in which the calls fail."""
    suspect = case.evidence.suspect
    files = {place.file for place in case.places("stack")}
    return suspect is not None and _began_after(case, SOON_AFTER) and bool(files & set(suspect.files))


def _code(case: Case) -> Verdict | None:
    """Traces of trouble name own code at the deployed commit."""
    places = case.places("stack")
    if not places or case.evidence.repository is None or _out_of_memory(case) or not _explains(case):
        return None
    first = places[0]
    where = f"{first.file}:{first.line}" + (f" in {first.function}" if first.function else "")
    said = _short(case.trouble[0].template) if case.trouble else "an error"
    suspect = case.evidence.suspect
    changed = suspect is not None and first.file in suspect.files
    return Verdict(
        lane=Lane.CODE,
        summary=f"{case.name} fails at {where}: {said}",
        supports=(
            *case.measured,
            *_place_facts(case),
            *case.facts(*(one.template for one in case.trouble[:3])),
        )
        + (case.facts("that commit changed") if changed else ()),
        next_checks=(f"which input leads to {where}", "whether other callers of it fail too"),
        confidence=0.9 if changed else 0.8,
    )


def _explains(case: Case) -> bool:
    """A trace explains failing and crashing, and slowness only where nothing but the trace is known of it."""
    if case.kinds & {"server_errors", "crashed", "restart_loop", "stopped", "failed_deployment"}:
        return True
    return bool(case.kinds & {"latency", "cpu"}) and not case.places("route", "changed")


def _leak_or_slow(case: Case) -> Verdict | None:
    """A service that leaks, is busy or slow without any trace: the code, if a place and a suspect say so."""
    leaking = "memory_growth" in case.kinds or (_out_of_memory(case) and bool(case.evidence.suspect))
    if not (leaking or case.kinds & {"latency", "cpu", "memory"}) or case.evidence.repository is None:
        return None
    if not leaking and _load_grew(case):
        return None
    places = (*case.places("changed"), *case.places("route"))
    suspected = case.evidence.suspect is not None and bool(case.places("changed"))
    within = LONG_AGO if leaking or _from_the_start(case) else SOON_AFTER
    fresh = suspected and _began_after(case, within)
    narrow = "latency" in case.kinds and _one_route(case)
    if "memory" in case.kinds and not leaking and not case.kinds & {"latency", "cpu"}:
        return None
    if not places or not (fresh or narrow):
        return None
    first = places[0] if fresh else case.places("route")[0]
    what = "leaks memory" if leaking else "is slow" if "latency" in case.kinds else "is busy"
    since = ", since a commit that changed it" if fresh else ", on one route only"
    return Verdict(
        lane=Lane.CODE,
        summary=f"{case.name} {what}{since}: {first.file}:{first.line}",
        supports=(
            *case.measured,
            *_place_facts(case),
            *case.facts("live at the onset", "that commit changed"),
        )
        + case.facts("load did not grow"),
        next_checks=(
            f"what {first.file} keeps or repeats with each request",
            "whether the deployment before it shows the same",
        ),
        confidence=0.75 if fresh and _began_after(case, SOON_AFTER) else 0.55,
    )


def _traffic(case: Case) -> Verdict | None:
    if not case.kinds & {"cpu", "memory", "latency", "server_errors"} or not _load_grew(case) or case.trouble:
        return None
    return Verdict(
        lane=Lane.TRAFFIC,
        summary=f"{case.name} gets more requests than before, and no error speaks of a fault in the code",
        supports=(*case.measured, *case.facts("load grew:", "hold no error")),
        action=f"give {case.name} more replicas or a higher limit, or hold the callers back",
        next_checks=(
            "who sends the additional requests",
            "whether they are wanted",
            "which route they ask for",
        ),
        confidence=0.7,
    )


def _limit(case: Case) -> Verdict | None:
    """Honest need above the limit: near it without growth, or a volume that is full."""
    growing = "memory_growth" in case.kinds
    near = [one for one in case.alarms if one.kind in ("cpu", "memory", "volume")]
    if not near or growing or (case.trouble and not _out_of_memory(case) and near[0].kind != "volume"):
        return None
    if case.kinds - {"cpu", "memory", "volume", "restart_loop", "crashed", "latency", "server_errors"}:
        return None
    worst = near[0]
    return Verdict(
        lane=Lane.RESOURCE_LIMIT,
        summary=f"{case.name} needs more than its limit: {worst.sentence}",
        supports=(*case.measured, *case.facts("load did not grow", "hold no error")),
        action=_raise_limit(case, worst),
        next_checks=(
            f"how much {worst.kind} it needs over a day",
            "what of it is needed for work and what is kept for no use",
            "whether the need grows from week to week",
        ),
        confidence=0.7 if worst.kind == "volume" or not _logs_missing(case) else 0.5,
    )


def _raise_limit(case: Case, worst: Finding) -> str:
    if worst.kind == "volume":
        return f"enlarge the volume of {case.name} or delete what is not needed on it"
    unit = "vcpu" if worst.kind == "cpu" else "gb"
    peak, limit = worst.numbers.get(f"peak_{unit}", 0.0), worst.numbers.get(f"limit_{unit}", 0.0)
    wanted = max(peak, limit) * 1.5
    name = "vCPU" if unit == "vcpu" else "GB"
    return (
        f"raise the {worst.kind} limit of {case.name} from {limit:g} to {wanted:.2g} {name}, or add replicas"
    )


def _stopped(case: Case) -> Verdict | None:
    """Its process ended by itself and says no error: nothing keeps it running."""
    if case.kinds != {"stopped"} or case.trouble or _logs_missing(case):
        return None
    return Verdict(
        lane=Lane.CONFIGURATION,
        summary=f"{case.name}'s process ended without an error, and nothing starts it again",
        supports=(*case.measured, *case.facts("hold no error")),
        action=f"start {case.name} again; if it is a job, give it a schedule, else a start command that stays",
        next_checks=(
            "who stopped it, by the activity of the project",
            "its start command",
            "its restart policy",
        ),
        confidence=0.55,
    )


def _transient(case: Case) -> Verdict | None:
    if any(finding.ongoing for finding in case.alarms):
        return None
    return Verdict(
        lane=Lane.TRANSIENT,
        summary=f"the trouble of {case.name} is over, and nothing in the code explains it",
        supports=case.measured,
        action="nothing now; should it come again, it is looked at again",
        next_checks=("whether it comes again at the same time of day", "deployments and restarts around it"),
        confidence=0.6,
    )


RULES: tuple[Rule, ...] = (
    _platform, _never_started, _configuration, _upstream, _code, _leak_or_slow, _traffic, _limit, _stopped,
    _transient,
)  # fmt: skip


def _inconclusive(case: Case, summary: str) -> Verdict:
    """What is known is told; what was not seen is what to look at next."""
    checks = [f"could not be read: {gap}" for gap in case.evidence.not_seen[:3]]
    if case.kinds & {"crashed", "restart_loop"}:
        checks.append("the last lines before the container ended, and its exit code in Railway")
    if case.kinds & {"server_errors"}:
        checks.append("one failing request by hand, and what the service logs for it")
    if case.kinds & {"latency", "cpu", "memory", "memory_growth"}:
        checks.append("a profile of the running service")
    checks += ["what changed at the onset: deployments, variables, data, callers", "the services it calls"]
    return Verdict(
        lane=Lane.INCONCLUSIVE,
        summary=summary,
        supports=case.measured,
        action="a person has to look: the facts are listed here",
        next_checks=tuple(checks[:5]),
        confidence=0.3,
    )


# ---- what the rules ask ----------------------------------------------------------------------


def _words(pattern: LogPattern) -> str:
    return f"{pattern.template}\n{pattern.sample}"


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}…"


def _place_facts(case: Case) -> tuple[str, ...]:
    return case.facts(*(f"{place.file}:{place.line}" for place in case.evidence.places))


def _names_setting(pattern: LogPattern, case: Case) -> bool:
    """Whether a pattern is about the environment the service runs in: not every KeyError is."""
    words = _words(pattern)
    if OWN_STORE.search(words) or UNSET.search(words) or REFUSED_KEY.search(words):
        return True
    if re.search(r"KeyError: ['\"][A-Z][A-Z0-9_]+['\"]|Field required", words):
        return bool(ENVIRONMENT.search(words)) or _read_at_place(case, words)
    return False


def _read_at_place(case: Case, words: str) -> bool:
    """Whether the innermost place of the trace reads the environment on the marked line."""
    for place in case.places("stack"):
        marked = [line for line in place.excerpt.split("\n") if line.startswith(">")]
        if f"line {place.line}" in words and any(ENVIRONMENT.search(line) for line in marked):
            return True
    return False


def _variable(pattern: LogPattern, case: Case) -> str | None:
    """The name of the variable that is meant, if one is named."""
    words = _words(pattern)
    named = re.search(
        r"(?:environ\[|getenv\(|environ\.get\(|process\.env\.|KeyError: )['\"]?([A-Z][A-Z0-9_]{2,60})", words
    )
    unset = UNSET.search(words)
    inside = re.search(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+", unset[0]) if unset else None
    return named[1] if named else inside[0] if inside else None


def _out_of_memory(case: Case) -> bool:
    ended = any(finding.kind == "memory" and finding.numbers.get("restarts") for finding in case.alarms)
    return ended or case.share(MEMORY_GONE) >= DOMINATES


def _logs_missing(case: Case) -> bool:
    return any("logs of" in gap for gap in case.evidence.not_seen)


def _began_after(case: Case, within: timedelta) -> bool:
    """Whether the trouble began within this time after the suspect was deployed."""
    suspect = case.evidence.suspect
    onset = min(finding.since for finding in case.alarms)
    return suspect is not None and onset - suspect.at <= within


def _from_the_start(case: Case) -> bool:
    """Whether it held when the window began: then it is not known how long before it began."""
    onset = min(finding.since for finding in case.alarms)
    return onset - case.incident.window.start <= 0.1 * (case.incident.window.end - case.incident.window.start)


def _one_route(case: Case) -> bool:
    slow = [one for one in case.evidence.requests if one.status < 500]
    total, most = sum(one.count for one in slow), max((one.count for one in slow), default=0)
    return bool(case.places("route")) and total > 0 and most >= ONE_ROUTE * total


def _load_grew(case: Case) -> bool:
    service = case.incident.service
    if service is None:
        return False
    onset = min(finding.since for finding in case.alarms).timestamp()
    before = [one.requests for one in service.traffic if one.at < onset]
    since = [one.requests for one in service.traffic if one.at >= onset]
    if len(before) < 3 or len(since) < 3 or not sum(before):
        return False
    return sum(since) / len(since) >= MORE_LOAD * sum(before) / len(before)
