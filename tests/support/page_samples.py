"""Sample values of everything that the page shows: a bad night in a shop, and the same with hostile text."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from workers.models import (
    Acknowledgement,
    Action,
    ActionKind,
    ActionResult,
    AuditEntry,
    Category,
    Decision,
    DecisionKind,
    Person,
    Severity,
)
from workers.views import shapes

M = TypeVar("M", bound=BaseModel)
AT = datetime(2026, 11, 28, 2, 21, tzinfo=UTC)
"""The present of all samples."""
INCIDENT = "incident:9f2c4a7be01d3358:20261128T0203"
LEAK = "incident:51be0c6d77aa9e02:20261128T0158"
OLD = "incident:9f2c4a7be01d3358:20261003T1140"
ANA = Person(name="ana", via="slack", slack_id="U1")
LEA = Person(name="lea", via="page")
PULL = shapes.PullLink(
    number=41, url="https://github.com/acme/shop/pull/41", title="Gifts without a price", state="open"
)
TROUBLE = "94 % of requests fail (5xx)"
QUOTE = """Traceback (most recent call last):
  File "/app/shop/orders.py", line 40, in total
    return sum(item["price"] * item["count"] for item in items)
KeyError: 'price'"""
PATCH = """diff --git a/shop/orders.py b/shop/orders.py
--- a/shop/orders.py
+++ b/shop/orders.py
@@ -37,7 +37,7 @@ def total(items):
     if not items:
         return 0
-    return sum(item["price"] * item["count"] for item in items)
+    return sum(item.get("price", 0) * item["count"] for item in items)"""
XSS = (
    "\"'></title></style></textarea></pre></svg></a><script>alert(1)</script><img src=x onerror=alert(2)>"
    "<svg/onload=alert(3)><a href='javascript:alert(4)' onmouseover=alert(5)>x</a>{{7*7}}{% raw %}${7*7}"
)
"""Markup that ends every element it may stand in, and runs a script in several ways."""


def minutes(count: float) -> datetime:
    """A time so many minutes before the present of the samples."""
    return AT - timedelta(minutes=count)


# ---- an incident ----

UNAVAILABLE = {
    ActionKind.ACKNOWLEDGE,
    ActionKind.FIX,
    ActionKind.PAUSE,
    ActionKind.RESUME,
    ActionKind.REDEPLOY,
    ActionKind.UNDO,
    ActionKind.UNMUTE,
}
"""Actions that make no sense for an acknowledged incident whose fix waits for review."""


def chart(
    title: str,
    unit: str,
    value: Callable[[int], float],
    *,
    limit: float | None = None,
    high: float | None = None,
) -> shapes.Chart:
    """Sixty minutes of a measurement, one value a minute."""
    start = minutes(60)
    return shapes.Chart(
        title=title,
        finding=f"{title}: {value(59):.3g} {unit} since 02:02 UTC",
        fact="E1",
        unit=unit,
        points=tuple((int(start.timestamp()) + 60 * number, value(number)) for number in range(60)),
        limit=limit,
        usual_low=0.0 if high else None,
        usual_high=high,
        onset=minutes(19),
        start=start,
        end=AT,
        deployments=(shapes.ChartMark(at=minutes(20), label='a1b2c3d "tidy the order total" (Ana)'),),
    )


def _step(before: float, after: float) -> Callable[[int], float]:
    return lambda minute: (after if minute > 40 else before) * (1 + 0.08 * math.sin(minute * 1.7))


def charts() -> tuple[shapes.Chart, ...]:
    return (
        chart(
            "Failed requests (5xx)",
            "%",
            lambda minute: 94 - minute % 3 if minute > 40 else minute % 2,
            high=2,
        ),
        chart("Latency, p95", "ms", _step(48, 3400), high=80),
        chart("CPU", "vCPU", _step(0.3, 0.5), limit=2, high=0.6),
        chart("Memory", "GB", lambda minute: 0.3 + minute * 0.009, limit=1, high=0.45),
        chart("Requests", "requests/min", _step(620, 600), high=800),
        chart("Error lines", "lines/min", lambda minute: 12_400 if minute > 40 else 0),
    )


def timeline() -> tuple[shapes.TimelineRow, ...]:
    """Thirty rows of every kind, in order."""
    kinds, stages = (
        list(shapes.RowKind),
        ("analyse", "enrich", "diagnose", "plan", "fix", "verify", "propose", "watch"),
    )
    rows = []
    for number in range(30):
        kind = kinds[number % len(kinds)]
        text = f"{stages[number % len(stages)]}: the evidence of the deployment and its logs was read and recorded"
        rows.append(
            shapes.TimelineRow(
                at=minutes(20 - number * 0.6),
                kind=kind,
                text=text if number else "94 % of requests fail",
                seconds=1.5 * number,
                attempts=number % 3,
                tokens=1200 * (number % 2),
                cost_usd=0.01 * (number % 2),
                record=shapes.RecordLink(journal=INCIDENT, name="evidence") if number % 2 else None,
                url=PULL.url if kind is shapes.RowKind.PULL_REQUEST else "",
            )
        )
    return tuple(rows)


def facts() -> tuple[shapes.FactView, ...]:
    texts = (
        "94 % of 598 requests failed since 02:02 UTC",
        "commit a1b2c3d was deployed 5 s before the onset",
        "KeyError 'price' in shop/orders.py:40, 562 times",
        "POST /orders answered 500, 562 times",
        "CPU and memory stayed below half of their limits",
        "api.stripe.com is operational",
    )
    return tuple(
        shapes.FactView(
            id=f"E{number}",
            kind="log_pattern",
            text=text,
            quote=QUOTE if number in (3, 4) else "",
            count=562 if number in (3, 4) else 0,
        )
        for number, text in enumerate(texts, 1)
    )


def verdict() -> shapes.VerdictView:
    return shapes.VerdictView(
        category=Category.CODE,
        summary="total() reads item['price'], and gifts carry none.",
        action="Deploy a fix, or roll back to the deployment before.",
        next_checks=("Is 0 right for gifts?",),
        supports=("E1", "E3"),
        contradicts=("E6",),
        confidence=0.9,
        considered=(
            shapes.ConsideredCategory(
                category=Category.UPSTREAM, why_not="no call to an outside host failed", facts=("E6",)
            ),
        ),
    )


def plan() -> shapes.PlanView:
    return shapes.PlanView(
        summary="Count a missing price as 0.",
        place="shop/orders.py:40",
        facts=("E3",),
        reproduction="test: tests/test_gift.py",
        steps=("Read the price with a default.",),
        risk="Gifts count as free.",
        undo="Revert the pull request.",
        ruled_out=("resource limit",),
        unknown=("whether gifts may be free",),
        next_checks=("Ask the owner of orders.",),
    )


def verification() -> shapes.VerificationView:
    def run(name: str, outcome: str, output: str) -> shapes.RunView:
        return shapes.RunView(
            name=name,
            command="python -m pytest -q tests/test_gift.py",
            outcome=outcome,
            seconds=2.4,
            passed=int(outcome == "passed"),
            failed=int(outcome == "failed"),
            output=output,
        )

    return shapes.VerificationView(
        decision="ready",
        before=run("tests/test_gift.py", "failed", QUOTE),
        after=run("tests/test_gift.py", "passed", "1 passed"),
        others=(run("the other tests", "passed", "212 passed"),),
        reasons=("The new test fails without the patch.",),
        notes=("212 other tests pass as before.",),
        sandbox="bubblewrap",
    )


def rollback(**changes: Any) -> shapes.RollbackView:
    values: dict[str, Any] = {
        "possible": True,
        "deployment_id": "d-0042",
        "commit": "1f2e3d4",
        "label": '1f2e3d4 "faster search" (Ben, 25 Nov 09:12)',
        "healthy_until": minutes(20),
        "changed": (
            "Variable PAYMENT_TIMEOUT was changed on 27 Nov.",
            "search was deployed at 02:01 with the same commit.",
        ),
    }
    return shapes.RollbackView.model_validate(values | changes)


def incident(**changes: Any) -> shapes.IncidentView:
    """An incident with everything: thirty rows, six charts, a fix that waits for review."""
    values: dict[str, Any] = {
        "id": INCIDENT,
        "service": "checkout",
        "service_id": "svc-1",
        "project": "acme",
        "environment": "production",
        "project_id": "p-1",
        "environment_id": "e-1",
        "story": "94 % of POST /orders fail since a1b2c3d “tidy the order total” (Ana): gifts carry no price, and "
        "total() reads one. A tested fix is ready: #41.",
        "severity": Severity.CRITICAL,
        "state": shapes.IncidentState.FIX_READY,
        "stage": "watch",
        "running": False,
        "waits_for": "the review of #41",
        "since": minutes(19),
        "opened_at": minutes(18),
        "headline": TROUBLE,
        "trouble": (TROUBLE, "p95 3.4 s (usually 48 ms)"),
        "acknowledged": Acknowledgement(person=ANA, at=minutes(12)),
        "cost": shapes.Cost(usd=0.21, tokens=38_400, calls=14, seconds=96),
        "timeline": timeline(),
        "charts": charts(),
        "suspect": shapes.SuspectView(
            deployment_id="d-0043",
            commit="a1b2c3d99",
            author="Ana",
            message="tidy the order total",
            at=minutes(20),
            files=("shop/orders.py",),
        ),
        "facts": facts(),
        "gaps": ("The build log could not be read: Railway answered 503.",),
        "verdict": verdict(),
        "plan": plan(),
        "diff": shapes.DiffView(
            base_commit="a1b2c3d99",
            summary="Counts a missing price as 0.",
            files=("shop/orders.py", "tests/test_gift.py"),
            added=21,
            removed=1,
            patch=PATCH,
        ),
        "verification": verification(),
        "pull": PULL,
        "outcome": "Fix ready for review: #41",
        "outcome_lines": ("Merge to deploy, or roll back.",),
        "posts": (
            shapes.PostView(
                name="outcome",
                at=minutes(8),
                where="#on-call 1700000000.000100",
                text="🔴 checkout",
                record=shapes.RecordLink(journal=INCIDENT, name="outcome"),
            ),
        ),
        "why_told": ("Critical: told at once, at 02:03 UTC.",),
        "folded": (shapes.FoldedRow(how="symptom", text="web: 12 % of requests fail", journal=LEAK),),
        "earlier": (
            shapes.EarlierRow(
                id=OLD,
                opened_at=AT - timedelta(days=56),
                text="#29 fixed this on 3 Oct; no trouble for 41 days",
                pull=PULL,
            ),
        ),
        "rollback": rollback(),
        "actions": tuple(kind for kind in ActionKind if kind not in UNAVAILABLE),
    }
    return shapes.IncidentView.model_validate(values | changes)


# ---- lists ----


def rows() -> tuple[shapes.IncidentRow, ...]:
    return (
        shapes.IncidentRow(
            id=INCIDENT,
            service="checkout",
            environment="acme/production",
            severity=Severity.CRITICAL,
            state=shapes.IncidentState.FIX_READY,
            trouble=TROUBLE,
            since=minutes(19),
            opened_at=minutes(18),
            category=Category.CODE,
            cause="total() reads item['price'], and gifts carry none.",
            outcome="Fix ready for review",
            waits_for="the review of #41",
            pull=PULL,
            checks=3,
            cost_usd=0.21,
            acknowledged=Acknowledgement(person=ANA, at=minutes(12)),
        ),
        shapes.IncidentRow(
            id=LEAK,
            service="thumbs",
            environment="acme/production",
            severity=Severity.WARNING,
            state=shapes.IncidentState.FIXING,
            trouble="84 % of 1 GB memory, full in about 9 min",
            since=minutes(55),
            opened_at=minutes(50),
            category=Category.CODE,
            cause="a cache that never evicts",
            waits_for="the fix is being tested",
        ),
    )


def decisions() -> tuple[Decision, ...]:
    return (
        Decision(
            id="decision-1",
            kind=DecisionKind.MUTE,
            service_id="svc-4",
            service_name="nightly-import",
            person=LEA,
            reason="load test until Monday",
            at=minutes(600),
            until=AT + timedelta(hours=30),
        ),
        Decision(
            id="decision-2",
            kind=DecisionKind.NOT_A_PROBLEM,
            service_id="svc-1",
            service_name="checkout",
            person=ANA,
            finding_kinds=("client_errors",),
            reason="scanners",
            at=minutes(9000),
            incident_id=OLD,
        ),
        Decision(
            id="decision-3",
            kind=DecisionKind.SNOOZE,
            incident_id=OLD,
            person=ANA,
            at=minutes(9000),
            until=minutes(8800),
        ),
    )


def overview(**changes: Any) -> shapes.Overview:
    names = (
        "checkout",
        "thumbs",
        "web",
        "search",
        "worker",
        "mailer",
        "auth",
        "postgres",
        "redis",
        "nightly-import",
    )
    health = [
        shapes.Health.INCIDENT,
        shapes.Health.INCIDENT,
        shapes.Health.FINDING,
        *[shapes.Health.HEALTHY] * 6,
        shapes.Health.UNKNOWN,
    ]
    worst = [
        TROUBLE,
        "84 % of 1 GB memory",
        "2 % of requests fail, as usual",
        *[""] * 6,
        "its metrics could not be read",
    ]
    services = tuple(
        shapes.ServiceRow(
            id=f"svc-{number}",
            name=name,
            environment="acme/production",
            environment_id="e-1",
            health=health[number],
            worst=worst[number],
            checked_at=minutes(4),
            incident_id=(INCIDENT, LEAK)[number] if number < 2 else "",
            muted=name == "nightly-import",
        )
        for number, name in enumerate(names)
    )
    values: dict[str, Any] = {
        "at": AT,
        "mode": "full",
        "services": services,
        "incidents": rows(),
        "next_ping": AT + timedelta(minutes=6),
        "sweeps": (
            shapes.SweepRow(
                id="sweep:e-1:7",
                environment="acme/production",
                environment_id="e-1",
                ended_at=minutes(4),
                outcome="2 findings",
                services=10,
                failed_reads=1,
            ),
        ),
        "requests": shapes.RequestBudget(
            limit=10_000, remaining=9_412, resets_at=AT + timedelta(minutes=31), last_check_requests=24
        ),
        "spending": shapes.Spending(runs=2, max_runs=20, cost_usd=0.47, max_cost_usd=20),
        "decisions": decisions()[:1],
        "waiting": (
            shapes.WaitingNotification(
                id="notification:x",
                subject="thumbs",
                incident_id=LEAK,
                reason="Slack is rate limiting",
                since=minutes(2),
                attempts=3,
            ),
        ),
        "warnings": ("SLACK_SIGNING_SECRET is not set: the buttons in Slack are links.",),
        "last_ping": minutes(4),
    }
    return shapes.Overview.model_validate(values | changes)


def history() -> shapes.HistoryPage:
    return shapes.HistoryPage(
        rows=rows(),
        total=31,
        page=2,
        pages=3,
        searched=31,
        services=("checkout", "thumbs"),
        environments=("acme/production",),
    )


def journals() -> shapes.JournalPage:
    return shapes.JournalPage(
        rows=(
            shapes.JournalRow(
                id="alert:20261128-1",
                kind="alert",
                at=minutes(18),
                ended_at=minutes(17),
                state="answered by an incident",
                text="Railway: Monitor.triggered, checkout",
                linked=("sweep:e-1:7", INCIDENT),
            ),
            shapes.JournalRow(
                id="alert:20261128-2", kind="alert", at=minutes(1), state="intake", text="Ping"
            ),
        ),
        total=60,
        page=2,
        pages=3,
    )


def audit() -> tuple[AuditEntry, ...]:
    def entry(kind: ActionKind, person: Person, text: str, done: bool = True) -> AuditEntry:
        action = Action(
            kind=kind,
            target=INCIDENT,
            person=person,
            request_id="r",
            at=minutes(5),
            reason="seen before",
            until=AT,
        )
        return AuditEntry(action=action, result=ActionResult(done=done, text=text))

    return (
        entry(ActionKind.ACKNOWLEDGE, ANA, "ana has checkout."),
        entry(ActionKind.CANCEL, LEA, "Too late: #41 is merged.", done=False),
    )


def record() -> shapes.RecordView:
    return shapes.RecordView(
        journal=INCIDENT,
        name="evidence",
        title="Evidence",
        stage="enrich",
        made_at=minutes(17),
        stored_bytes=5120,
        text=QUOTE,
        lines_left_out=2,
        others=("incident", "verdict"),
    )


# ---- the same with hostile text ----

KEPT = {
    "via", "decision", "id", "fingerprint", "occurrence", "service_id", "environment_id", "project_id", "key",
    "journal", "deployment_id", "incident_id", "journal_id",
}  # fmt: skip
"""Fields of fixed words, and ids by which values find each other."""


def hostile(model: M, text: str = XSS, kept: Container[str] = ("via", "decision")) -> M:
    """The model with hostile markup in every text, wherever its type allows it.

    Args:
        kept: names of fields that stay.
    """
    changes = {
        name: _poison(value, name, text, kept)
        for name, value in ((name, getattr(model, name)) for name in type(model).model_fields)
        if name not in kept
    }
    return model.model_copy(
        update={name: value for name, value in changes.items() if _fits(model, name, value)}
    )


def _fits(model: BaseModel, name: str, value: Any) -> bool:
    try:
        type(model).model_validate(model.model_dump() | {name: value})
    except ValidationError:
        return False
    return True


def _poison(value: Any, name: str, text: str, kept: Container[str]) -> Any:
    if isinstance(value, BaseModel):
        return hostile(value, text, kept)
    if isinstance(value, dict):
        return {key: _poison(item, name, text, kept) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_poison(item, name, text, kept) for item in value)
    if not isinstance(value, str) or isinstance(value, Enum):
        return value
    return f"javascript:alert(6)//{text}" if name == "url" else value + text
