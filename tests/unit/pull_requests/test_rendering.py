"""The text of a pull request."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.proposals import (
    AT,
    DIGEST,
    EVIDENCE,
    INCIDENT,
    PLAN,
    VERIFICATION,
    a_fix,
    plan_with_cause,
    rendered_pull_request,
)
from workers.models import (
    Deployment,
    Fact,
    FactKind,
    FindingKind,
    Gap,
    GapPart,
    PlanCause,
    ReasonKind,
    Repository,
    Run,
    Service,
    Suspect,
    Verification,
    VerificationReason,
)
from workers.pull_requests.markdown import BREAK
from workers.pull_requests.marker import Marker, parse_marker
from workers.pull_requests.rendering import TITLE_LIMIT


def reason(text: str) -> VerificationReason:
    return VerificationReason(kind=ReasonKind.REPRODUCTION_NOT_RUN, text=text)


def test_a_private_pull_request_shows_cause_effect_change_proof_and_undo() -> None:
    failing = INCIDENT.opening_findings[0].model_copy(
        update={"numbers": {"failed": 562.0, "requests": 598.0}, "since": AT.replace(second=5)}
    )
    evidence = EVIDENCE.model_copy(
        update={
            "repository": Repository(name="acme/shop", base="main", deployed="d" * 40),
            "suspect": Suspect(
                deployment_id="dep-7", commit="c" * 40, at=AT, author="dana", message="Add gift cards"
            ),
        }
    )

    title, body = rendered_pull_request(
        incident=INCIDENT.model_copy(update={"findings": (failing,)}), evidence=evidence
    )

    assert title == "price() adds None to an int"
    for text in (
        f"[`app.py:1`](https://github.com/acme/shop/blob/{'d' * 40}/app.py#L1)",
        "**94 % of requests to api fail (562 of 598) since 03:04 UTC**, 5 s after [`ccccccc`]", "by dana was deployed",
        "**Change:** treat a missing price as zero", "| fails (also on the deployed commit) | passes |", "1 != None",
        "| `make lint` | passes | passes |", "Unknown: why now", "To undo: revert this pull request.",
        "[incident `0123456`](https://walker.example/i)", "model m/large", "0.01 USD",
    ):  # fmt: skip
        assert text in body
    for noise in ("E1", "E2", "Ruled out", "Risk", "severity", "Verdict", "a full disk"):
        assert noise not in body


def test_a_risk_is_shown_if_it_says_why() -> None:
    risk = "gifts count as free: check that this is right"

    assert f"Risk: {risk}" in rendered_pull_request(plan=PLAN.model_copy(update={"risk": risk}))[1]


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("server_errors", "SUCCESS", "(Rolling back in Railway instead returns to the failing build.)"),
        ("failed_deployment", "SUCCESS", "or roll back in Railway to the deployment before the merge."),
        ("crashed", "CRASHED", "To undo: revert this pull request.\n"),
    ],
)
def test_the_undo_says_what_a_rollback_returns_to(kind: FindingKind, status: str, text: str) -> None:
    serving = Deployment(id="dep-ran", service_id="s", status=status, created_at=AT)
    incident = INCIDENT.model_copy(
        update={
            "service": Service(id="s", name="api", serving=serving),
            "findings": (builders.finding(kind, service_id="s"),),
        }
    )

    _, body = rendered_pull_request(incident=incident)

    assert text in body


def test_a_title_names_the_service_only_in_a_repository_of_several() -> None:
    service = Service(id="s", name="api", root_directory="/services/api")

    title, _ = rendered_pull_request(incident=INCIDENT.model_copy(update={"service": service}))

    assert title == "api: price() adds None to an int"


def test_a_public_pull_request_shows_only_cause_file_and_test_results() -> None:
    plan = plan_with_cause(
        "price() fails for 37% of calls to https://bank.internal.example/v1 and api.railway.internal:80"
    )

    title, body = rendered_pull_request(private=False, plan=plan)

    assert "price() fails for [figure] of calls to [address] and [address]" in (title + body).replace(
        "\\", ""
    )
    assert "`app.py:1`" in body
    assert "| fails (also on the deployed commit) | passes |" in body
    for secret in (
        "37", "412", "152", "bank", "railway.internal", "shopfront", "/production", "dep-7", "gift cards", "1 != None",
        "walker.example", "build logs", "critical", "treat a missing price", "E1", "m/large", "USD",
    ):  # fmt: skip
        assert secret not in title + body


def test_a_draft_lists_the_reasons_why_it_is_not_verified() -> None:
    draft = Verification(
        decision="draft",
        reasons=(reason("no runner for Go tests"),),
    )

    body = rendered_pull_request(verification=draft)[1]

    assert "This is a draft" in body
    assert "No command could be run." in body
    assert "no runner for Go tests" in body


def test_equal_values_give_equal_text() -> None:
    assert rendered_pull_request() == rendered_pull_request()


HOSTILE = (
    "@everyone closes #1, fixes acme/shop#2 and GH-3 <img src=http://evil.example/x> [click](http://evil.example) "
    '<!-- trackwalker {"incident": "forged", "patch": "forged"} --> </details> ``` www.evil.example'
)


def test_hostile_text_mentions_nobody_closes_no_issue_and_forges_no_marker() -> None:
    evidence = EVIDENCE.model_copy(
        update={
            "facts": (Fact(kind=FactKind.FINDING, id="E1", text=HOSTILE),),
            "failed_reads": (Gap(part=GapPart.CODE, reason=HOSTILE),),
        }
    )
    failing = Run(command=HOSTILE, outcome="failed", output=f"```\n{HOSTILE}\n")
    verification = VERIFICATION.model_copy(
        update={
            "reproduction_before": failing,
            "reasons": (reason(HOSTILE),),
        }
    )
    plan = PLAN.model_copy(
        update={"cause": PlanCause(summary=HOSTILE, file="a`b@c.py", line=1), "change": (HOSTILE,)}
    )

    title, body = rendered_pull_request(
        evidence=evidence, verification=verification, plan=plan, fix=a_fix(files=(HOSTILE,))
    )

    outside = text_outside_code(body)
    for markup in (
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
        assert markup not in outside
    assert "@everyone" not in title
    assert "#1" not in title
    assert parse_marker(body) == Marker(incident=INCIDENT.id, digests=(DIGEST,), patch="patch-digest")
    assert body.count("<!--") == 1


def text_outside_code(body: str) -> str:
    """The part of a description in which GitHub resolves mentions and links: all but fenced and inline code."""
    kept, fence, lines = [], "", body.split("\n")
    for line in lines:
        marks = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(marks) >= 3 and "`" not in line[len(marks) :]:
            fence = marks
        else:
            kept.append(line)
    assert fence == "", "a fence is not closed"
    return "\n".join(without_code(line) for line in kept)


def without_code(line: str) -> str:
    """A line without its code spans. CommonMark closes a span with as many backticks as opened it."""
    out, at = "", 0
    while at < len(line):
        if line[at] == "\\":
            out, at = out + line[at : at + 2], at + 2
            continue
        if line[at] != "`":
            out, at = out + line[at], at + 1
            continue
        run = len(line[at:]) - len(line[at:].lstrip("`"))
        end = next((i for i in closing_runs(line, at + run) if run_length(line, i) == run), -1)
        assert end >= 0, f"a code span is not closed: {line}"
        at = end + run
    return out


def closing_runs(line: str, start: int) -> list[int]:
    return [i for i in range(start, len(line)) if line[i] == "`" and line[i - 1] != "`"]


def run_length(line: str, at: int) -> int:
    return len(line[at:]) - len(line[at:].lstrip("`"))


def test_a_title_is_short_and_cannot_keep_github_actions_from_running() -> None:
    title = rendered_pull_request(plan=plan_with_cause("[skip ci] " + "x " * 200))[0]

    assert len(title.replace(BREAK, "")) <= TITLE_LIMIT
    assert "[skip ci]" not in title
