"""A whole incident in a store, as the pipeline leaves it: for pages, benchmarks and views.

`write` puts an incident with 30 and more events, six charts, facts, plan, patch, two test outputs, posts and an earlier
occurrence into a store; every value is deterministic. `hostile=True` fills each text from outside with markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

import redis

from workers.engine import records
from workers.engine.codec import Record, pack
from workers.engine.schema import (
    AUDIT,
    ENDED,
    ENDED_INCIDENTS,
    OPEN,
    PREFIX,
    alert_key,
    alert_notification_key,
    journal_key,
    notification_key,
    past_key,
)
from workers.models import (
    Acknowledgement,
    Action,
    ActionKind,
    ActionResult,
    Alert,
    AuditEntry,
    Category,
    Check,
    CodeLocation,
    ContainerStart,
    Deployment,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Fix,
    FollowUp,
    FollowUpResult,
    Gap,
    GapPart,
    Incident,
    InstanceUsage,
    LogPattern,
    LogSource,
    MergeProgress,
    ModelCall,
    Outcome,
    PastOccurrence,
    Person,
    Plan,
    PlanCause,
    PullRequest,
    Repository,
    Reproduction,
    RequestPattern,
    Run,
    Service,
    Severity,
    SlackMessage,
    Subject,
    Summary,
    Survey,
    Suspect,
    TrafficMinute,
    Transcript,
    Upstream,
    Usage,
    Verdict,
    VerdictReason,
    Verification,
    Window,
)

FINGERPRINT = "5a4f3f3c0ffee123"
OCCURRENCE = "20261013T1403"
INCIDENT_ID = f"incident:{FINGERPRINT}:{OCCURRENCE}"
EARLIER_ID = f"incident:{FINGERPRINT}:20260830T0911"
SWEEP_ID = "sweep:env-1:42"
LAST_SWEEP_ID = "sweep:env-1:47"
CLEAN_SWEEP_ID = "sweep:env-1:49"
OPENED = datetime(2026, 10, 13, 14, 3, tzinfo=UTC)
ONSET = OPENED - timedelta(minutes=1)
START = OPENED - timedelta(hours=6)
HOSTILE = (
    '"><img src=x onerror=alert(1)><script>alert(2)</script>[x](javascript:alert(3)) *b* `c` &lt; \u202e'
)

Texts = Callable[[str], str]


@dataclass(frozen=True)
class Sample:
    """The ids of what was written."""

    incident_id: str = INCIDENT_ID
    sweep_id: str = SWEEP_ID


def write(store: redis.Redis, *, hostile: bool = False, ended: bool = True) -> Sample:
    """Write the incident and all journals that it refers to.

    Args:
        hostile: True fills each text from outside with markup.
        ended: False leaves the pull request open and the incident in stage `watch`.
    """
    texts: Texts = (lambda text: f"{text} {HOSTILE}") if hostile else (lambda text: text)
    incident, survey = make_incident(texts), make_survey(texts)
    _write_hash(store, journal_key(INCIDENT_ID), _incident_fields(incident, survey, texts, ended=ended))
    _write_hash(store, notification_key(INCIDENT_ID), _notification_fields(incident))
    _write_alerts(store, texts)
    _write_sweeps(store, survey)
    _write_earlier(store)
    for number, entry in enumerate(_audit(texts)):
        name = f"{_ms(entry.action.at)}-{number}"
        store.xadd(AUDIT, {"entry": pack(entry, AuditEntry)}, id=name)
    if ended:
        store.zadd(ENDED_INCIDENTS, {journal_key(INCIDENT_ID): _ms(OPENED + timedelta(hours=2))})
    else:
        store.hset(OPEN, FINGERPRINT, journal_key(INCIDENT_ID))
        store.zadd(f"{PREFIX}schedule", {journal_key(INCIDENT_ID): _ms(OPENED + timedelta(hours=3))})
    return Sample()


def _write_hash(store: redis.Redis, key: str, fields: Mapping[str, Any]) -> None:
    store.hset(key, items=[part for item in fields.items() for part in item])


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _at(seconds: float) -> datetime:
    """The time that is this many seconds after the incident was opened."""
    return OPENED + timedelta(seconds=seconds)


# ---- the journal ---------------------------------------------------------------------------------


def _incident_fields(incident: Incident, survey: Survey, texts: Texts, *, ended: bool) -> dict[str, Any]:
    made: list[tuple[Record[Any], Any, float, float]] = [
        (records.EVIDENCE, make_evidence(texts), 6, 6),
        (records.VERDICT, make_verdict(texts), 7, 7),
        (records.READER_CALLS, _transcript("reader", 6, texts), 12, 71),
        (records.PLAN, _plan(texts), 72, 72),
        (records.WRITER_CALLS, _transcript("writer", 9, texts), 80, 212),
        (records.FIX, _fix(texts), 215, 215),
        (records.VERIFICATION, _verification(texts), 260, 260),
        (records.BRANCH, "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432", 265, 265),
        (records.PULL, _pull(texts, merged=ended), 268, 268),
        (records.OUTCOME, _outcome(texts), 269, 269),
        (records.USAGE, Usage(cost_usd=0.21, tokens=38_214, calls=15, seconds=191.0), 213, 213),
        (records.BEFORE, _before(), 0, 0),
        (records.ACKNOWLEDGED, Acknowledgement(person=_person(texts("Ana")), at=_at(95)), 95, 95),
    ]
    if ended:
        made += [
            (records.MERGED_AT, _at(1800), 1805, 1805),
            (records.MERGE_PROGRESS, _progress(texts), 1900, 3700),
            (records.FOLLOW_UP, _follow_up(), 7100, 7100),
        ]
    fields: dict[str, Any] = {
        "opened": _ms(OPENED), "stage": "watch", "firings": 6, "clean_sweeps": 2, "recovery": "healthy",
        "found_by": journal_key(LAST_SWEEP_ID), "recovered_by": journal_key(CLEAN_SWEEP_ID),
        "found_at": _ms(_at(1900)), "claimed": _ms(_at(7080)), "fence": 31,
        records.INCIDENT.field: records.INCIDENT.pack(incident),
        records.LATEST_FINDINGS.field: records.LATEST_FINDINGS.pack(list(incident.findings)),
        "s:enrich": _runs(1, 6, 4_200, 1, 0), "s:diagnose": _runs(6, 7, 310, 1, 0),
        "s:plan": _runs(8, 72, 62_000, 2, 1), "s:fix": _runs(73, 262, 186_000, 3, 2),
        "s:propose": _runs(262, 269, 6_900, 1, 0), "s:watch": _runs(269, 7_100, 41_000, 18, 1),
    }  # fmt: skip
    for record, value, first, last in made:
        fields[record.field] = record.pack(value)
        fields[f"t:{record.name}"] = (
            f"{_ms(_at(first))} {_ms(_at(last))}" if last > first else _ms(_at(first))
        )
    if ended:
        fields |= {"ended": _ms(_at(7200)), "ended_as": "fix_verified", "outcome": "fix verified: #41"}
    return fields


def _runs(first: float, last: float, busy_ms: int, runs: int, failures: int) -> str:
    return f"{_ms(_at(first))} {_ms(_at(last))} {busy_ms} {runs} {failures}"


def _notification_fields(incident: Incident) -> dict[str, Any]:
    posts = {"ack": 1, "outcome": 270, "watch": 7101, "reminder": 3600}
    fields: dict[str, Any] = {
        "opened": _ms(OPENED), "stage": "notify", "ack_due_at": _ms(OPENED),
        records.INCIDENT.field: records.INCIDENT.pack(incident),
        f"merge_from:{alert_notification_key('alert-1')}": _ms(OPENED),
    }  # fmt: skip
    for name, seconds in posts.items():
        message = SlackMessage(ts=f"{_at(seconds).timestamp():.6f}", channel="C0ONCALL", digest=name)
        fields[f"r:{name}"] = records.slack_message(name).pack(message)
        fields[f"t:{name}"] = f"{_ms(_at(seconds))} {_ms(_at(seconds + 200))}"
    return fields


def _write_alerts(store: redis.Redis, texts: Texts) -> None:
    for number, kind in enumerate(("monitor.triggered", "deployment.crashed", "message"), 1):
        alert = Alert(
            id=f"alert-{number}", source="slack" if kind == "message" else "railway", kind=kind,
            project_id="prj-1", environment_id="env-1", service_id="svc-checkout", service_name="checkout",
            received_at=OPENED - timedelta(seconds=30 - number), message=texts("[FIRING] checkout: error rate high"),
        )  # fmt: skip
        fields = {
            "opened": _ms(alert.received_at), "stage": "intake", "ended": _ms(OPENED), "ended_as": "assigned",
            "outcome": "on a sweep", "sweep": journal_key(SWEEP_ID), records.ALERT.field: records.ALERT.pack(alert),
        }  # fmt: skip
        _write_hash(store, alert_key(alert.id), fields)


def _write_sweeps(store: redis.Redis, survey: Survey) -> None:
    times = {SWEEP_ID: -10, LAST_SWEEP_ID: 1890, CLEAN_SWEEP_ID: 3000}
    for name, seconds in times.items():
        fields = {
            "opened": _ms(_at(seconds)), "stage": "analyse", "ended": _ms(_at(seconds + 8)),
            "ended_as": "findings", "outcome": "6 findings in 1 service",
            records.SURVEY.field: records.SURVEY.pack(survey),
        }  # fmt: skip
        _write_hash(store, journal_key(name), fields)
        store.zadd(ENDED, {journal_key(name): _ms(_at(seconds + 8))})


def _write_earlier(store: redis.Redis) -> None:
    past = PastOccurrence(
        id=EARLIER_ID, opened_at=datetime(2026, 8, 30, 9, 11, tzinfo=UTC),
        since=datetime(2026, 8, 30, 9, 5, tzinfo=UTC),
        ended_as="fix_verified", category="code", pull_number=29, pull_url="https://github.com/acme/shop/pull/29",
        pull_state="merged",
    )  # fmt: skip
    ended = _ms(datetime(2026, 9, 2, 14, 2, tzinfo=UTC))
    store.hset(past_key(FINGERPRINT), "20260830T0911", f"{ended} ".encode() + pack(past, PastOccurrence))


# ---- values --------------------------------------------------------------------------------------


def _person(name: str) -> Person:
    return Person(name=name, via="slack", slack_id="U0ANA")


def _deployment(
    name: str, commit: str, minutes: float, texts: Texts, *, status: str = "SUCCESS"
) -> Deployment:
    return Deployment(
        id=name, service_id="svc-checkout", status=status, created_at=ONSET - timedelta(minutes=minutes),
        status_at=ONSET - timedelta(minutes=minutes), repo="acme/shop", branch="main", commit=commit,
        commit_message=texts("gift cards"), commit_author=texts("Ana"),
    )  # fmt: skip


def make_findings(texts: Texts) -> tuple[Finding, ...]:
    """Six findings of checkout, one for each chart."""
    rows = [
        ("server_errors", Severity.CRITICAL, "94 % of POST /orders fail (5xx) since 14:02 UTC, ongoing"),
        ("latency", Severity.WARNING, "p95 3.4 s (usually 48 ms) since 14:02 UTC, ongoing"),
        ("cpu", Severity.WARNING, "CPU at 91 % of its 2-vCPU limit since 14:02 UTC"),
        ("memory_growth", Severity.WARNING, "memory grows by 18 MB a minute and reaches its limit in 40 min"),
        ("restart_loop", Severity.WARNING, "restarted 5 times since 14:02 UTC"),
        ("error_logs", Severity.WARNING, "1,240 error lines in 30 min (usually 3)"),
    ]  # fmt: skip
    return tuple(
        Finding.model_validate({
            "service_id": "svc-checkout", "service": texts("checkout"), "kind": kind, "severity": severity,
            "since": ONSET, "ongoing": True, "sentence": texts(sentence), "deployment_id": "dep-2",
        })
        for kind, severity, sentence in rows
    )  # fmt: skip


def make_incident(texts: Texts = str) -> Incident:
    """The incident of checkout in acme/production."""
    findings = make_findings(texts)
    symptom = findings[0].model_copy(update={
        "service": texts("web"), "service_id": "svc-web", "sentence": texts("12 % of requests fail"),
    })  # fmt: skip
    return Incident(
        fingerprint=FINGERPRINT, occurrence=OCCURRENCE, project_id="prj-1", project_name=texts("acme"),
        environment_id="env-1", environment_name=texts("production"),
        subject=Subject(kind="service", key="svc-checkout", name=texts("checkout")),
        findings=findings, symptoms=(symptom,), window=Window(start=OPENED - timedelta(minutes=30), end=OPENED),
        opened_at=OPENED, alert_ids=("alert-1", "alert-2", "alert-3"),
    )  # fmt: skip


def make_survey(texts: Texts = str) -> Survey:
    """Six hours of checkout, a sample a minute, and a healthy service beside it."""
    minutes = range(int((OPENED - START).total_seconds()) // 60)
    base = int(START.timestamp())
    onset = int(ONSET.timestamp())
    traffic = tuple(_minute(base + 60 * minute, onset) for minute in minutes)
    usage = InstanceUsage(
        instance_id="ins-1", deployment_id="dep-2",
        cpu=tuple((base + 60 * m, 0.4 + 0.1 * sin(m / 9) + (1.3 if base + 60 * m >= onset else 0)) for m in minutes),
        memory=tuple((base + 60 * m, 0.4 + 0.001 * m) for m in minutes),
    )  # fmt: skip
    checkout = Service(
        id="svc-checkout", name=texts("checkout"), repo="acme/shop", branch="main", public=True, cpu_limit=2.0,
        memory_limit=1.0, usage=(usage,), traffic=traffic,
        error_lines=tuple((base + 60 * m, 40.0 if base + 60 * m >= onset else 0.1) for m in minutes),
        starts=tuple(ContainerStart(at=ONSET + timedelta(seconds=10 * n), deployment_id="dep-2") for n in range(5)),
        serving=_deployment("dep-2", "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678", 2, texts),
        deployments=(
            _deployment("dep-2", "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678", 2, texts),
            _deployment("dep-1", "1f2e3d4c5b6a79881726354450617283940a1b2c", 200, texts, status="REMOVED"),
        ),
    )  # fmt: skip
    return Survey(
        project_id="prj-1", project_name=texts("acme"), environment_id="env-1", environment_name=texts("production"),
        window=Window(start=START, end=OPENED), step_seconds=60,
        services=(checkout, Service(id="svc-web", name=texts("web"), public=True)),
    )  # fmt: skip


def _minute(at: int, onset: int) -> TrafficMinute:
    failed = 19 if at >= onset else 0
    return TrafficMinute(
        at=at, requests=20, ok=20 - failed, client_errors=0, server_errors=failed,
        p95_ms=3400.0 if failed else 46 + 4 * sin(at / 700),
    )  # fmt: skip


def _before() -> list[Summary]:
    return [
        Summary(
            at=ONSET - timedelta(minutes=30 * number), minutes=30, cpu_mean=0.38, cpu_peak=0.55, memory_low=0.35,
            memory_high=0.45, requests=600, server_errors=0, ok=600, p95_median=46, p95_high=52, error_lines=3,
        )
        for number in range(1, 6)
    ]  # fmt: skip


def make_evidence(texts: Texts = str) -> Evidence:
    """Eleven facts, with the log record, the code and the commit that they quote."""
    suspect = Suspect(
        deployment_id="dep-2", commit="a1b2c3d4e5f60718293a4b5c6d7e8f9012345678", at=ONSET - timedelta(minutes=2),
        author=texts("Ana"), message=texts("gift cards"), files=("shop/pricing.py", "shop/orders.py"),
    )  # fmt: skip
    sample = "Traceback (most recent call last):\n" + "\n".join(
        f'  File "/app/shop/pricing.py", line {number}, in total\n    return item["gift"]'
        for number in range(3, 9)
    )
    pattern = LogPattern(
        template=texts("KeyError: 'gift'"), count=1240, level="error", first=ONSET, last=OPENED,
        sample=texts(f"{sample}\nKeyError: 'gift'"), headline=texts("KeyError: 'gift'"), exception="KeyError",
        locations=("shop/pricing.py:5",),
    )  # fmt: skip
    location = CodeLocation(
        file="shop/pricing.py", line=5, function="total", why="stack", count=1240,
        excerpt=texts("    3  def total(item):\n    4      price = 1\n>   5      return price + item['gift']\n"),
    )  # fmt: skip
    request = RequestPattern(
        method="POST", route="/orders", path=texts("/orders"), status=500, count=562, slowest_ms=3400
    )
    upstream = Upstream(
        host="api.stripe.com", errors=0, in_code=True, state="operational", description=texts("All ok")
    )
    facts = [
        *(Fact(kind=FactKind.FINDING, finding=item, text=item.named_sentence) for item in make_findings(texts)),
        Fact(kind=FactKind.SUSPECT, suspect=suspect, text=texts("deployed version at onset: commit a1b2c3d"),
             numbers={"seconds_to_onset": 5.0}),
        Fact(kind=FactKind.CHANGED_FILES, suspect=suspect, text=texts("commit a1b2c3d changed shop/pricing.py")),
        Fact(kind=FactKind.LOG_PATTERN, pattern=pattern.model_copy(update={"sample": ""}),
             source=LogSource.DEPLOYMENT, text=texts("logged 1,240 times: KeyError: 'gift'")),
        Fact(kind=FactKind.CODE_LOCATION, location=location.model_copy(update={"excerpt": ""}),
             text=texts("stack traces point to shop/pricing.py:5")),
        Fact(kind=FactKind.REQUESTS, request=request, text=texts("562 × POST /orders → 500")),
        Fact(kind=FactKind.UPSTREAM, upstream=upstream, text=texts("api.stripe.com is operational")),
        Fact(kind=FactKind.LOAD_STEADY, numbers={"before_per_minute": 20, "since_per_minute": 20},
             text="the load did not grow: 20 requests a minute"),
    ]  # fmt: skip
    return Evidence(
        facts=tuple(fact.model_copy(update={"id": f"E{number}"}) for number, fact in enumerate(facts, 1)),
        patterns=(pattern,), requests=(request,), locations=(location,), suspect=suspect, upstreams=(upstream,),
        repository=Repository(name="acme/shop", base="main", deployed=suspect.commit or ""),
        failed_reads=(Gap(part=GapPart.NETWORK_FLOWS, subject="checkout", reason=texts("Railway answered 503")),),
    )  # fmt: skip


def make_verdict(texts: Texts = str) -> Verdict:
    """Code, with the facts for and against."""
    return Verdict(
        category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE,
        summary=texts("KeyError 'gift' in shop/pricing.py:5, since a1b2c3d “gift cards” (Ana, 14:00)"),
        supports=("E1", "E7", "E9", "E10"), contradicts=("E13",), action=texts("Roll back or merge the fix"),
        next_checks=(texts("Look at shop/pricing.py:5"), "Check the gift field of orders"), confidence=0.9,
    )  # fmt: skip


def _transcript(role: str, calls: int, texts: Texts) -> Transcript:
    return Transcript(
        api="anthropic", model="anthropic/claude-sonnet-4-5", directory=f"/tmp/{role}",
        calls=tuple(
            ModelCall(request=texts(f"call {number}"), response="[]", status=200, is_complete=True, tokens=2500,
                      cost_usd=0.014)
            for number in range(calls)
        ),
    )  # fmt: skip


def _plan(texts: Texts) -> Plan:
    return Plan(
        verdict=Category.CODE, cause=PlanCause(summary=texts("total reads a key that old orders lack"),
                                               file="shop/pricing.py", line=5),
        evidence=("E9", "E10"), reproduction=Reproduction(kind="test", path="tests/test_gift.py", why=texts("fails")),
        change=(texts("Treat a missing gift as zero"), "Add a test"), risk=texts("low"), undo=texts("revert"),
        ruled_out=(texts("the payment service"),), unknown=(texts("how many orders"),), confidence=0.9,
    )  # fmt: skip


def make_patch(texts: Texts = str) -> str:
    """A patch of two files and about 120 lines."""
    body = "".join(f"+    # line {number}\n" for number in range(100))
    return (
        "diff --git a/shop/pricing.py b/shop/pricing.py\n--- a/shop/pricing.py\n+++ b/shop/pricing.py\n"
        f"@@ -3,3 +3,3 @@ def total(item):\n-    return price + item['gift']\n+    return price + item.get('gift', 0)\n"
        f"diff --git a/tests/test_gift.py b/tests/test_gift.py\n--- /dev/null\n+++ b/tests/test_gift.py\n"
        f"@@ -0,0 +1,101 @@\n+# {texts('a test')}\n{body}"
    )


def _fix(texts: Texts) -> Fix:
    return Fix(
        base_commit="1f2e3d4c5b6a79881726354450617283940a1b2c", patch=make_patch(texts),
        files=("shop/pricing.py", "tests/test_gift.py"), reproduction_path="tests/test_gift.py",
        summary=texts("A missing gift counts as zero"), not_done=(texts("nothing"),), committed_at=_at(215),
    )  # fmt: skip


def _verification(texts: Texts) -> Verification:
    failing = (
        "\n".join(f"tests/test_gift.py:{n}: in test_gift" for n in range(60))
        + "\nE   KeyError: 'gift'\n1 failed"
    )
    before = Run(name="reproduction on the base commit", command="pytest tests/test_gift.py", outcome="failed",
                 output=texts(failing), seconds=1.4, failed=1)  # fmt: skip
    after = Run(name="reproduction with the fix", command="pytest tests/test_gift.py", outcome="passed",
                output=texts("1 passed in 0.40s"), seconds=1.2, passed=1)  # fmt: skip
    suite = Run(name="suite on the base commit", command="pytest", outcome="passed", output=texts("212 passed"),
                seconds=14.0, passed=212)  # fmt: skip
    suite_after = suite.model_copy(update={"name": "suite with the fix", "passed": 213})
    return Verification(
        decision="ready", reproduction_before=before, reproduction_after=after,
        checks=(Check(before=suite, after=suite_after),), runs=(before, suite, after, suite_after),
        notes=(texts("no new dependency"),), sandbox="bubblewrap", own_seconds=3.0,
    )  # fmt: skip


def _pull(texts: Texts, *, merged: bool) -> PullRequest:
    return PullRequest(
        number=41, url="https://github.com/acme/shop/pull/41", draft=False, branch=f"trackwalker/{FINGERPRINT}",
        state="merged" if merged else "open", merge_commit="c0ffee00" * 5 if merged else None,
        merged_by=texts("lea") if merged else "", merged_at=_at(1800) if merged else None,
        title=texts("Orders without a gift have a total again"), author="trackwalker[bot]", base="main",
    )  # fmt: skip


def _outcome(texts: Texts) -> Outcome:
    return Outcome(
        kind="pull request", headline=texts("Fix is ready: #41"), link="https://github.com/acme/shop/pull/41",
        lines=(texts("Failed before, passes after, 212 other tests as before"),),
    )  # fmt: skip


def _progress(texts: Texts) -> MergeProgress:
    return MergeProgress(
        pull_number=41, pull_url="https://github.com/acme/shop/pull/41", merged_at=_at(1800), merged_by=texts("lea"),
        deployed_at=_at(1900), deployment_id="dep-3", deployment_status="SUCCESS", watching_until=_at(3700),
        measured_at=_at(3600), requests=900, failed_requests=0,
    )  # fmt: skip


def _follow_up() -> FollowUp:
    return FollowUp(
        result=FollowUpResult.VERIFIED, minutes=30, requests=900, failed_requests=0, pull_number=41,
        pull_url="https://github.com/acme/shop/pull/41", deployed_at=_at(1900),
    )  # fmt: skip


def _audit(texts: Texts) -> list[AuditEntry]:
    kinds = (
        ActionKind.ACKNOWLEDGE, ActionKind.SNOOZE, ActionKind.CHECK, ActionKind.FIX, ActionKind.RETRY,
        ActionKind.CHECK, ActionKind.UNDO,
    )  # fmt: skip
    return [
        AuditEntry(
            action=Action(kind=kind, target=INCIDENT_ID, person=_person(texts("Ana")), request_id=f"request-{number}",
                          at=_at(95 + 60 * number), reason=texts("on it") if number == 1 else ""),
            result=ActionResult(done=True, text=texts("Done")),
        )
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
