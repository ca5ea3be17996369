"""Evidence about a small shop's `api` service, and answers of the reading agent about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from workers.models import (
    CodeLocation,
    Evidence,
    Fact,
    FactKind,
    Gap,
    GapPart,
    LogPattern,
    Repository,
    RequestPattern,
    Suspect,
    Upstream,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILES = frozenset({"api/app/gift.py", "api/tests/test_gift.py", "shared/money.py"})
"""The files of the repository."""


def pattern(sample: str) -> LogPattern:
    """A log pattern with the sample as its text."""
    return LogPattern(template="Error <n>", count=41, level="error", first=NOON, last=NOON, sample=sample)


def evidence(sample: str = "ZeroDivisionError: division by zero", **changes: Any) -> Evidence:
    """Evidence with two facts and one of each other kind; `changes` replaces fields."""
    request = RequestPattern(
        method="GET", route="/gift/:n", path="/gift/0", status=500, count=9, slowest_ms=12
    )
    whole = Evidence(
        facts=(
            Fact(kind=FactKind.FINDING, id="E1", text="api answered 34 % of 812 requests with 5xx."),
            Fact(kind=FactKind.FINDING, id="E2", text="CPU is idle."),
        ),
        patterns=(pattern(sample),),
        requests=(request,),
        locations=(CodeLocation(file="api/app/gift.py", line=41, function="price", why="stack", count=9),),
        suspect=Suspect(deployment_id="d2", commit="abc123", at=NOON, files=("api/app/gift.py",)),
        upstreams=(Upstream(host="pay.example", errors=2, in_code=True, state="operational"),),
        repository=Repository(name="acme/shop", base="main", deployed="abc123", root="api"),
        failed_reads=(Gap(part=GapPart.BUILD_LOGS, reason="Not Authorized"),),
    )
    return whole.model_copy(update=changes)


def plan_answer(**changes: Any) -> dict[str, Any]:
    """The object of a valid plan; `changes` replaces fields."""
    valid: dict[str, Any] = {
        "verdict": "code",
        "cause": {"summary": "It divides by zero.", "file": "api/app/gift.py", "line": 41},
        "evidence": ["E1"],
        "reproduction": {"kind": "test", "path": "api/tests/test_gift_zero.py", "why": "asks for gift 0"},
        "change": ["Treat 0."],
        "risk": "low",
        "undo": "revert",
        "ruled_out": [],
        "unknown": [],
        "next_checks": [],
        "confidence": 0.8,
    }
    return valid | changes


def fenced(value: object) -> str:
    """An answer that ends with the value in a fenced json block."""
    return f"I read the code.\n\n```json\n{json.dumps(value, indent=1)}\n```\n"
