"""An incident whose fix is ready to be proposed: its records, and a local GitHub to propose it to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.builders import finding, incident
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.serving import serve
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine import scripts
from workers.engine.claim import Claim
from workers.engine.codec import pack
from workers.engine.schema import PREFIX, SCHEDULE
from workers.engine.worker_store import WorkerStore
from workers.models import (
    Category,
    Check,
    Evidence,
    Fact,
    FactKind,
    Fix,
    Gap,
    GapPart,
    Incident,
    Outcome,
    Plan,
    PlanCause,
    Repository,
    Reproduction,
    Run,
    Subject,
    Suspect,
    Upstream,
    Verdict,
    VerdictReason,
    Verification,
    Window,
)
from workers.pull_requests.incident_paragraphs import Page
from workers.pull_requests.propose import propose_fix
from workers.pull_requests.rendering import render_pull_request

NAME = "acme/shop"
TOKEN = "github_pat_secret"
AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
DIGEST = "0011223344556677"
PATCHES = {
    text: f"diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-price = 1\n+{text}\n"
    for text in ("price = 2", "price = 3")
}

INCIDENT = incident(
    finding(service_id="s", since=AT, sentence="37% of 412 requests failed"),
    fingerprint="0123456789abcdef", occurrence="20261123T0304", project_name="shopfront", environment_id="env-id",
    subject=Subject(kind="service", key="s", name="api"), window=Window(start=AT, end=AT.replace(minute=34)),
    opened_at=AT,
)  # fmt: skip
EVIDENCE = Evidence(
    facts=(
        Fact(kind=FactKind.FINDING, id="E1", text="TypeError in price(), 152 times"),
        Fact(kind=FactKind.FINDING, id="E2", text="memory is calm"),
    ),
    suspect=Suspect(deployment_id="dep-7", commit="c" * 40, at=AT, message="Add gift cards"),
    upstreams=(Upstream(host="bank.internal.example", errors=0, in_code=True, state="operational"),),
    failed_reads=(Gap(part=GapPart.BUILD_LOGS, reason="timed out"),),
)
PLAN = Plan(
    verdict=Category.CODE, cause=PlanCause(summary="price() adds None to an int", file="app.py", line=1),
    evidence=("E1",), reproduction=Reproduction(kind="test", path="test_price.py"),
    change=("treat a missing price as zero",), risk="none known", ruled_out=("a full disk",), unknown=("why now",),
)  # fmt: skip
VERDICT = Verdict(
    category=Category.CODE,
    reason=VerdictReason.ERROR_IN_CODE,
    summary="our code is wrong",
    contradicts=("E2",),
)
VERIFICATION = Verification(
    decision="ready",
    reproduction_deployed=Run(command="python3 -m unittest test_price.py", outcome="failed"),
    reproduction_before=Run(
        command="python3 -m unittest test_price.py", outcome="failed", output="1 != None"
    ),
    reproduction_after=Run(command="python3 -m unittest test_price.py", outcome="passed"),
    checks=(
        Check(
            before=Run(command="make lint", outcome="passed"),
            after=Run(command="make lint", outcome="passed"),
        ),
    ),
)


def a_fix(base: str = "b" * 40, text: str = "price = 2", **changed: Any) -> Fix:
    values: dict[str, Any] = {
        "base_commit": base, "patch": PATCHES[text], "files": ("app.py",), "committed_at": AT,
        "reproduction_path": "test_price.py",
    }  # fmt: skip
    return Fix(**values | changed)


def rendered_pull_request(*, private: bool = True, **changed: Any) -> tuple[str, str]:
    values: dict[str, Any] = {
        "incident": INCIDENT, "evidence": EVIDENCE, "plan": PLAN, "fix": a_fix(),
        "verification": VERIFICATION, "digests": [DIGEST], "patch_digest": "patch-digest",
    }  # fmt: skip
    values["page"] = Page(
        incident="https://walker.example/i",
        repository="https://github.com/acme/shop",
        model="m/large",
        cost_usd=0.014,
    )
    return render_pull_request(**values | changed, private=private)


def plan_with_cause(summary: str, file: str = "app.py") -> Plan:
    return PLAN.model_copy(update={"cause": PlanCause(summary=summary, file=file, line=1)})


class ProposalHarness:
    """A repository on a local GitHub server, and the journal of an incident whose fix is ready to be proposed."""

    def __init__(self, fake_github: FakeGitHub, url: str, folder: Path, journal: WorkerStore) -> None:
        self.fake_github, self.journal = fake_github, journal
        self.bare = fake_github.repositories[NAME].path
        self.base = git(self.bare, "rev-parse", "main")
        self.github = GitHub(url, url, token=SecretStr(TOKEN))
        self.repositories = Repositories(folder / "work", url, self.github.credentials)
        self.key = f"{PREFIX}{INCIDENT.id}"
        self.reservation = f"{PREFIX}reserved:{DIGEST}"
        self.write(a_fix(self.base))

    def write(self, fix: Fix, verification: Verification = VERIFICATION) -> None:
        """Replace the journal by one that the stages before `propose` have just finished."""
        evidence = EVIDENCE.model_copy(
            update={"repository": Repository(name=NAME, base="main", deployed=self.base)}
        )
        records = {
            "incident": pack(INCIDENT, Incident), "evidence": pack(evidence, Evidence), "plan": pack(PLAN, Plan),
            "verdict": pack(VERDICT, Verdict), "fix": pack(fix, Fix), "verification": pack(verification, Verification),
        }  # fmt: skip
        fields: dict[str, str | bytes | int] = {f"r:{name}": record for name, record in records.items()}
        fields["reserved"] = self.reservation
        self.journal.client.delete(self.key)
        self.journal.open_with(self.key, "propose", fields)
        self.journal.run(
            scripts.RESERVE, [self.reservation], holder=self.key, ttl_ms=60_000, cancelled_ttl_ms=0
        )

    def claim(self) -> Claim:
        claim = self.journal.claim(self.key, "propose")
        assert claim is not None
        return claim

    def propose(self, claim: Claim | None = None, mode: Any = "full", max_open: int = 3) -> Outcome:
        return propose_fix(
            claim or self.claim(), self.github, self.repositories, mode=mode, link="https://walker.example",
            max_open=max_open,
        )  # fmt: skip

    def reclaim(self) -> Claim:
        """Claim the journal again, as after a crash: the lease has expired, the records are still there."""
        self.journal.client.zadd(SCHEDULE, {self.key: 1})
        for field in ("lease", "not_before"):
            self.journal.client.hset(self.key, field, 1)
        return self.claim()


@pytest.fixture
def proposal(tmp_path: Path, journal: WorkerStore) -> Iterator[ProposalHarness]:
    """Fails a test whose requests the real GitHub would not know."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("price = 1\n")
    fake_github = FakeGitHub(tmp_path / "github", token=TOKEN)
    fake_github.create(NAME, source)
    with serve(fake_github.app, fake_github.faults) as running:
        yield ProposalHarness(fake_github, running.url, tmp_path, journal)
    assert fake_github.wrong == []
