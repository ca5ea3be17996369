"""One branch, one commit, one pull request, and words that harm nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.serving import serve
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine import records, scripts
from workers.engine.codec import pack
from workers.engine.journal import PREFIX, SCHEDULE, Claim, JournalStore
from workers.errors import GitHubBusy, GitHubRefused, Refused
from workers.models import (
    Category,
    Check,
    Deployment,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Fix,
    Gap,
    GapPart,
    Incident,
    Outcome,
    Plan,
    PlanCause,
    PullRequest,
    Repository,
    Reproduction,
    Run,
    Service,
    Severity,
    Subject,
    Suspect,
    Upstream,
    Verdict,
    VerdictReason,
    Verification,
    Window,
    digest,
)
from workers.pull_requests.markdown import block, code, inline, plain
from workers.pull_requests.propose import Marker, find_ours, parse_marker, propose, render_pull_request
from workers.pull_requests.rendering import LONGEST_TITLE, hidden

NAME = "acme/shop"
TOKEN = "github_pat_secret"
AT = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
DIGEST = "0011223344556677"
PATCHES = {
    text: f"diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-price = 1\n+{text}\n"
    for text in ("price = 2", "price = 3")
}

INCIDENT = Incident(
    fingerprint="0123456789abcdef", occurrence="20261123T0304", project_id="p", project_name="shopfront",
    environment_id="env-id", environment_name="production", subject=Subject(kind="service", key="s", name="api"),
    findings=(Finding(
        service_id="s", service="api", kind="server_errors", severity=Severity.CRITICAL, since=AT, ongoing=True,
        sentence="37% of 412 requests failed",
    ),),
    window=Window(start=AT, end=AT.replace(minute=34)), opened_at=AT,
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
CERTIFICATE = Verification(
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


def fix(base: str = "b" * 40, text: str = "price = 2", **changed: Any) -> Fix:
    given: dict[str, Any] = {
        "base_commit": base, "patch": PATCHES[text], "files": ("app.py",), "committed_at": AT,
        "reproduction_path": "test_price.py",
    }  # fmt: skip
    return Fix(**given | changed)


def rendered(*, private: bool = True, **changed: Any) -> tuple[str, str]:
    values: dict[str, Any] = {
        "incident": INCIDENT, "evidence": EVIDENCE, "verdict": VERDICT, "plan": PLAN, "fix": fix(),
        "verification": CERTIFICATE, "digests": [DIGEST], "patch_digest": "patch-digest",
    }  # fmt: skip
    return render_pull_request(**values | changed, private=private, link="https://walker.example")


def caused_by(summary: str, file: str = "app.py") -> Plan:
    return PLAN.model_copy(update={"cause": PlanCause(summary=summary, file=file, line=1)})


# ---- words -----------------------------------------------------------------------------------


def test_a_private_pull_request_says_what_broke_why_what_was_done_proved_and_how_to_undo_it() -> None:
    title, body = rendered()

    assert title == "api: price() adds None to an int"
    for words in (
        "37% of 412 requests failed", "03:04 to 03:34 UTC (30 minutes)", "`dep-7`", "Add gift cards", "`app.py:1`",
        "TypeError in price(), 152 times", "treat a missing price as zero", "| failed | passed |", "1 != None",
        "`make lint`", "Ruled out: a full disk", "Against: memory is calm", "Unknown: why now",
        "Not seen: build logs: timed out", "Revert this pull request", "https://walker.example",
    ):  # fmt: skip
        assert words in body


@pytest.mark.parametrize(("status", "offered"), [("SUCCESS", True), ("CRASHED", False)])
def test_only_a_deployment_that_still_ran_is_offered_to_roll_back_to(status: str, offered: bool) -> None:
    serving = Deployment(id="dep-ran", service_id="s", status=status, created_at=AT)
    incident = INCIDENT.model_copy(update={"service": Service(id="s", name="api", serving=serving)})

    _, body = rendered(incident=incident)

    assert ("roll back on Railway to what ran before it, deployment `dep-ran`" in body) is offered
    assert "Revert this pull request" in body


def test_a_public_pull_request_says_cause_file_and_test_result_only() -> None:
    plan = caused_by(
        "price() fails for 37% of calls to https://bank.internal.example/v1 and api.railway.internal:80"
    )

    title, body = rendered(private=False, plan=plan)

    assert "price() fails for [figure] of calls to [address] and [address]" in (title + body).replace(
        "\\", ""
    )
    assert "`app.py:1`" in body
    assert "| failed | passed |" in body
    for secret in (
        "37", "412", "152", "bank", "railway.internal", "shopfront", "/production", "dep-7", "gift cards", "1 != None",
        "walker.example", "build logs", "critical", "treat a missing price", "E1",
    ):  # fmt: skip
        assert secret not in title + body


def test_a_draft_says_what_could_not_be_proved_here() -> None:
    draft = Verification(decision="draft", reasons=("no runner for Go tests",))

    body = rendered(certificate=draft)[1]

    assert "A draft" in body
    assert "Nothing could be run here." in body
    assert "no runner for Go tests" in body


def test_the_same_values_give_the_same_bytes() -> None:
    assert rendered() == rendered()


def test_the_marker_comes_back_out_of_the_description_also_below_words_of_others() -> None:
    body = rendered()[1] + "\n---\nSummary by some bot\n"

    assert parse_marker(body) == Marker(incident=INCIDENT.id, digests=(DIGEST,), patch="patch-digest")


@pytest.mark.parametrize(
    "body", ["", "no marker", "<!-- trackwalker {} -->", "<!-- trackwalker {broken} -->"]
)
def test_a_description_without_a_whole_marker_is_not_ours(body: str) -> None:
    assert parse_marker(body) is None


def test_nothing_in_the_marker_can_end_its_comment() -> None:
    mark = Marker(incident="--> <b>", digests=("a--b",), patch="x-->")

    text = hidden(mark)

    assert text.count("-->") == 1
    assert parse_marker(text) == mark


HOSTILE = (
    "@everyone closes #1, fixes acme/shop#2 and GH-3 <img src=http://evil.example/x> [click](http://evil.example) "
    '<!-- trackwalker {"incident": "forged", "patch": "forged"} --> </details> ``` www.evil.example'
)


def test_hostile_text_from_logs_code_and_models_pings_closes_and_forges_nothing() -> None:
    evidence = EVIDENCE.model_copy(
        update={
            "facts": (Fact(kind=FactKind.FINDING, id="E1", text=HOSTILE),),
            "failed_reads": (Gap(part=GapPart.CODE, reason=HOSTILE),),
        }
    )
    failing = Run(command=HOSTILE, outcome="failed", output=f"```\n{HOSTILE}\n")
    certificate = CERTIFICATE.model_copy(update={"reproduction_before": failing, "reasons": (HOSTILE,)})
    plan = PLAN.model_copy(
        update={"cause": PlanCause(summary=HOSTILE, file="a`b@c.py", line=1), "change": (HOSTILE,)}
    )

    title, body = rendered(evidence=evidence, certificate=certificate, plan=plan, fix=fix(files=(HOSTILE,)))

    outside = prose(body)
    for harm in (
        "@everyone",
        "#1",
        "#2",
        "GH-3",
        "<img",
        "://evil",
        "www.evil",
        "](http://evil",
        "</details> ",
    ):
        assert harm not in outside
    assert "@everyone" not in title
    assert "#1" not in title
    assert parse_marker(body) == Marker(incident=INCIDENT.id, digests=(DIGEST,), patch="patch-digest")
    assert body.count("<!--") == 1


def prose(body: str) -> str:
    """What GitHub looks at for mentions and links: everything that is neither fenced nor inline code."""
    kept, fence, lines = [], "", body.split("\n")
    for line in lines:
        marks = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(marks) >= 3 and "`" not in line[len(marks) :]:
            fence = marks
        else:
            kept.append(line)
    assert fence == "", "a fence stays open"
    return "\n".join(without_code(line) for line in kept)


def without_code(line: str) -> str:
    """A line without its code spans, by CommonMark's rule: as many backticks close as opened."""
    out, at = "", 0
    while at < len(line):
        if line[at] == "\\":
            out, at = out + line[at : at + 2], at + 2
            continue
        if line[at] != "`":
            out, at = out + line[at], at + 1
            continue
        run = len(line[at:]) - len(line[at:].lstrip("`"))
        end = next((i for i in closers(line, at + run) if run_at(line, i) == run), -1)
        assert end >= 0, f"code stays open: {line}"
        at = end + run
    return out


def closers(line: str, start: int) -> list[int]:
    return [i for i in range(start, len(line)) if line[i] == "`" and line[i - 1] != "`"]


def run_at(line: str, at: int) -> int:
    return len(line[at:]) - len(line[at:].lstrip("`"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a gift_card in `Cart.total`", "a gift_card in `Cart.total`"),
        ("# not a heading", r"\# not a heading"),
        ("- not a list", r"\- not a list"),
        ("1. not a list", r"1\. not a list"),
        ("two\nlines\u202e and \x1b[31mcolour", "two lines and \\[31mcolour"),
        ("5 < 6 & 7", "5 &lt; 6 &amp; 7"),
        ("token ghp_abcdefghijklmnopqrstuvwxyz012345", r"token \[redacted\]"),
    ],
)
def test_honest_text_reads_as_it_was_written(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_a_title_is_short_and_keeps_no_checks_from_running() -> None:
    title = rendered(plan=caused_by("[skip ci] " + "x " * 200))[0]

    assert len(title) <= LONGEST_TITLE
    assert "[skip ci]" not in title
    assert "[ci skip]" not in plain("[ci skip] a")


def test_a_block_cannot_be_ended_from_inside_and_keeps_its_end() -> None:
    text = block("x" * 5000 + "\n````\nthe error")

    fence = text.split("\n")[0].removesuffix("text")
    assert len(fence) == 5
    assert text.endswith(f"the error\n{fence}")
    assert code("a`b``c") == "```a`b``c```"


def test_only_a_branch_of_the_repository_itself_with_a_marker_is_ours() -> None:
    mark = hidden(Marker(incident="i", digests=(DIGEST,), patch="p"))
    real = PullRequest(number=1, url="u", draft=False, branch="trackwalker/a-1", body=mark)
    forged = real.model_copy(update={"number": 2, "from_fork": True})
    other = real.model_copy(update={"number": 3, "branch": "feature"})
    unmarked = real.model_copy(update={"number": 4, "body": ""})

    pulls = [forged, other, unmarked, real]

    assert find_ours(pulls) == [real]
    assert find_ours(pulls, [DIGEST]) == [real]
    assert find_ours(pulls, ["ffff"]) == []
    assert find_ours(pulls, besides="trackwalker/a-1") == []


# ---- the stage -------------------------------------------------------------------------------


class World:
    """A repository on a GitHub of our own, and an incident's journal that is ready to be proposed."""

    def __init__(self, stand_in: FakeGitHub, url: str, folder: Path, journal: JournalStore) -> None:
        self.stand_in, self.journal = stand_in, journal
        self.bare = stand_in.repositories[NAME].path
        self.base = git(self.bare, "rev-parse", "main")
        self.github = GitHub(url, url, token=SecretStr(TOKEN))
        self.repositories = Repositories(folder / "work", url, self.github.credentials)
        self.key = f"{PREFIX}{INCIDENT.id}"
        self.reserved = f"{PREFIX}reserved:{DIGEST}"
        self.write(fix(self.base))

    def write(self, made: Fix, certificate: Verification = CERTIFICATE) -> None:
        """The journal as the stages before left it; whatever was there is lost."""
        evidence = EVIDENCE.model_copy(
            update={"repository": Repository(name=NAME, base="main", deployed=self.base)}
        )
        records = {
            "incident": pack(INCIDENT, Incident), "evidence": pack(evidence, Evidence), "plan": pack(PLAN, Plan),
            "verdict": pack(VERDICT, Verdict), "fix": pack(made, Fix), "verification": pack(certificate, Verification),
        }  # fmt: skip
        fields: list[str | bytes] = ["stage", "propose", "reserved", self.reserved]
        for name, record in records.items():
            fields += [f"r:{name}", record]
        self.journal.client.delete(self.key)
        self.journal.script(scripts.OPEN_JOURNAL, [self.key, SCHEDULE], 0, *fields)
        self.journal.script(scripts.RESERVE, [self.reserved], self.key, 60_000, 0)

    def claim(self) -> Claim:
        claim = self.journal.claim(self.key, "propose")
        assert claim is not None
        return claim

    def propose(self, claim: Claim | None = None, mode: Any = "full", max_open: int = 3) -> Outcome:
        return propose(
            claim or self.claim(), self.github, self.repositories, mode=mode, link="https://walker.example",
            max_open=max_open,
        )  # fmt: skip

    def again(self) -> Claim:
        """As after a death: the lease ran out, nothing that was recorded meanwhile is forgotten."""
        self.journal.client.zadd(SCHEDULE, {self.key: 1})
        for field in ("lease", "not_before"):
            self.journal.client.hset(self.key, field, 1)
        return self.claim()


@pytest.fixture
def world(tmp_path: Path, journal: JournalStore) -> Iterator[World]:
    """Whatever a test makes us ask must be a call that GitHub knows."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("price = 1\n")
    stand_in = FakeGitHub(tmp_path / "github", token=TOKEN)
    stand_in.create(NAME, source)
    with serve(stand_in.app, stand_in.faults) as running:
        yield World(stand_in, running.url, tmp_path, journal)
    assert stand_in.wrong == []


def test_the_fix_becomes_one_commit_on_our_branch_and_one_pull_request(world: World) -> None:
    claim = world.claim()

    outcome = world.propose(claim)

    pull = world.stand_in.pulls[0]
    assert (pull.head, pull.base, pull.draft) == (INCIDENT.branch, "main", False)
    assert git(world.bare, "show", f"{INCIDENT.branch}:app.py") == "price = 2"
    assert git(world.bare, "rev-parse", f"{INCIDENT.branch}^") == world.base
    assert parse_marker(pull.body or "") == Marker(
        incident=INCIDENT.id, digests=(DIGEST,), patch=digest(PATCHES["price = 2"])
    )
    assert (outcome.kind, outcome.link) == ("pull request", claim.need(records.PULL).url)
    assert outcome.headline == "pull request #1 is ready for review"


def test_proposed_twice_it_is_still_one_commit_and_one_pull_request(world: World) -> None:
    first = world.propose()

    second = world.propose(world.again())

    assert second == first
    assert len(world.stand_in.pulls) == 1
    assert world.stand_in.pushes == [NAME]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "git-receive-pack"), ("POST", "/pulls"), ("GET", "/pulls"), ("GET", "info/refs")],
)
def test_a_lost_answer_at_any_call_leads_to_one_pull_request(world: World, method: str, path: str) -> None:
    world.stand_in.faults.add("drop", method=method, path=path)

    try:
        outcome = world.propose()
    except GitHubBusy:
        outcome = world.propose(world.again())

    assert len(world.stand_in.faults.played) == 1
    assert outcome.kind == "pull request"
    assert len(world.stand_in.pulls) == 1
    assert git(world.bare, "rev-list", "--count", f"main..{INCIDENT.branch}") == "1"


@pytest.mark.parametrize("lost", [False, True])
def test_lists_that_lag_behind_lead_to_one_pull_request_that_is_known(world: World, lost: bool) -> None:
    if lost:  # the answer that named it
        world.stand_in.faults.add("drop", method="POST", path="/pulls")
        with pytest.raises(GitHubBusy):
            world.propose()
        world.stand_in.lists_to_lag = 4
        with pytest.raises(GitHubBusy, match="does not list yet"):
            world.propose(world.again())
        world.stand_in.lists_to_lag = 0
    else:
        world.stand_in.lists_to_lag = 100

    outcome = world.propose(world.again() if lost else None)

    assert outcome.headline == "pull request #1 is ready for review"
    assert len(world.stand_in.pulls) == 1


def test_a_pull_request_with_another_patch_than_ours_is_the_truth(world: World) -> None:
    world.propose()
    head = git(world.bare, "rev-parse", INCIDENT.branch)
    world.write(fix(world.base, "price = 3"))

    outcome = world.propose()

    assert outcome.kind == "pull request"
    assert "it holds an earlier patch of this round than the one recorded here" in outcome.lines
    assert git(world.bare, "rev-parse", INCIDENT.branch) == head
    assert len(world.stand_in.pulls) == 1


def test_a_branch_with_somebody_elses_commit_is_left_as_it_is(world: World) -> None:
    git(world.bare, "update-ref", f"refs/heads/{INCIDENT.branch}", "main")

    with pytest.raises(Refused, match="not our commit"):
        world.propose()

    assert git(world.bare, "rev-parse", INCIDENT.branch) == world.base
    assert world.stand_in.pulls == []


@pytest.mark.parametrize(
    ("mode", "decision", "draft"),
    [("full", "draft", True), ("draft", "ready", True), ("full", "ready", False)],
)
def test_it_is_a_draft_where_the_mode_or_the_certificate_says_so(
    world: World, mode: str, decision: str, draft: bool
) -> None:
    world.write(fix(world.base), CERTIFICATE.model_copy(update={"decision": decision}))

    outcome = world.propose(mode=mode)

    assert world.stand_in.pulls[0].draft is draft
    assert outcome.headline.startswith("draft pull request" if draft else "pull request")


@pytest.mark.parametrize("mode", ["shadow", "report"])
def test_where_nothing_may_be_proposed_nothing_is_written_anywhere_but_in_the_journal(
    world: World, mode: str
) -> None:
    claim = world.claim()

    outcome = world.propose(claim, mode=mode)

    assert outcome.kind == "nothing proposed"
    assert (claim.get(records.WOULD_PROPOSE) or "").startswith("api: price() adds None")
    assert world.stand_in.pushes == []
    assert {method for method, _ in world.stand_in.calls} == {"GET"}


@pytest.mark.parametrize("decision", ["rejected", "already fixed"])
def test_what_was_not_proved_is_never_proposed(world: World, decision: str) -> None:
    world.write(
        fix(world.base), CERTIFICATE.model_copy(update={"decision": decision, "reasons": ("a test is gone",)})
    )

    outcome = world.propose()

    assert (outcome.kind, outcome.lines) == ("nothing proposed", ("a test is gone",))
    assert world.stand_in.calls == []


def test_one_of_ours_for_the_same_cause_is_joined_and_the_cause_is_free_again(world: World) -> None:
    mark = hidden(Marker(incident="incident:other:20261123T0200", digests=(DIGEST,), patch="p"))
    world.stand_in.open_pull(NAME, head="trackwalker/other-20261123T0200", body=mark)

    outcome = world.propose()

    assert (outcome.kind, outcome.headline) == ("attached", "the same cause in the code is mended by #1")
    assert (outcome.link or "").endswith(f"/{NAME}/pull/1")
    assert world.stand_in.pushes == []
    assert world.journal.client.get(world.reserved) is None


def test_a_forged_marker_in_a_fork_stops_nothing(world: World) -> None:
    mark = hidden(Marker(incident="i", digests=(DIGEST,), patch="p"))
    for _ in range(3):
        world.stand_in.open_pull(NAME, head="trackwalker/other-1", body=mark, head_repo="mallory/shop")

    assert world.propose(max_open=1).kind == "pull request"


def test_no_more_than_the_allowed_number_of_ours_stands_open(world: World) -> None:
    for number in range(2):
        mark = hidden(Marker(incident="i", digests=(f"{number}" * 16,), patch="p"))
        world.stand_in.open_pull(NAME, head=f"trackwalker/other-{number}", body=mark)

    outcome = world.propose(max_open=2)

    assert outcome.kind == "nothing proposed"
    assert "2 of our pull requests are open" in outcome.headline
    assert world.stand_in.pushes == []


def test_a_token_that_may_not_push_is_told_before_anything_is_tried(world: World) -> None:
    world.stand_in.readers.add("reader")
    world.github = GitHub(world.github.api_url, world.github.server_url, token=SecretStr("reader"))

    with pytest.raises(GitHubRefused, match="may not push"):
        world.propose()

    assert not any("git-receive-pack" in path for _, path in world.stand_in.calls)


def test_one_that_a_human_closed_in_this_round_is_not_opened_again(world: World) -> None:
    world.propose()
    world.stand_in.close(1)
    world.write(fix(world.base))

    outcome = world.propose()

    assert outcome.headline == "pull request #1 is closed"
    assert len(world.stand_in.pulls) == 1


def test_a_public_repository_gets_no_figures_from_end_to_end(world: World, tmp_path: Path) -> None:
    world.stand_in.repositories[NAME] = replace(world.stand_in.repositories[NAME], private=False)

    world.propose()

    said = f"{world.stand_in.pulls[0].title} {world.stand_in.pulls[0].body}"
    said += git(world.bare, "log", "-1", "--format=%B", INCIDENT.branch)
    assert "37%" not in said
    assert "shopfront" not in said
    assert "price() adds None to an int" in said
