"""Proposing a fix: one branch, one commit and one pull request, however often the stage runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from tests.support.fakes.githttp import git
from tests.support.proposals import (
    DIGEST,
    INCIDENT,
    NAME,
    PATCHES,
    VERIFICATION,
    ProposalHarness,
    a_fix,
    proposal,
)
from workers.clients.github import GitHub
from workers.engine import records
from workers.errors import GitHubBusy, Refused
from workers.models import ReasonKind, VerificationReason, digest
from workers.pull_requests.marker import Marker, parse_marker, render_marker

__all__ = ["proposal"]  # fixture


def test_a_fix_becomes_one_commit_on_its_branch_and_one_pull_request(proposal: ProposalHarness) -> None:
    claim = proposal.claim()

    outcome = proposal.propose(claim)

    pull = proposal.fake_github.pulls[0]
    assert (pull.head, pull.base, pull.draft) == (INCIDENT.branch, "main", False)
    assert git(proposal.bare, "show", f"{INCIDENT.branch}:app.py") == "price = 2"
    assert git(proposal.bare, "rev-parse", f"{INCIDENT.branch}^") == proposal.base
    assert parse_marker(pull.body or "") == Marker(
        incident=INCIDENT.id, digests=(DIGEST,), patch=digest(PATCHES["price = 2"])
    )
    assert (outcome.kind, outcome.link) == ("pull request", claim.need(records.PULL).url)
    assert outcome.headline == "Pull request #1 is ready for review"


def test_proposing_twice_gives_one_commit_and_one_pull_request(proposal: ProposalHarness) -> None:
    first = proposal.propose()

    second = proposal.propose(proposal.reclaim())

    assert second == first
    assert len(proposal.fake_github.pulls) == 1
    assert proposal.fake_github.pushes == [NAME]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "git-receive-pack"), ("POST", "/pulls"), ("GET", "/pulls"), ("GET", "info/refs")],
)
def test_a_lost_answer_to_any_request_gives_one_pull_request(
    proposal: ProposalHarness, method: str, path: str
) -> None:
    proposal.fake_github.faults.add("drop", method=method, path=path)

    try:
        outcome = proposal.propose()
    except GitHubBusy:
        outcome = proposal.propose(proposal.reclaim())

    assert len(proposal.fake_github.faults.played) == 1
    assert outcome.kind == "pull request"
    assert len(proposal.fake_github.pulls) == 1
    assert git(proposal.bare, "rev-list", "--count", f"main..{INCIDENT.branch}") == "1"


@pytest.mark.parametrize("lost", [False, True])
def test_a_list_that_lags_behind_gives_one_known_pull_request(proposal: ProposalHarness, lost: bool) -> None:
    if lost:  # the answer that named it
        proposal.fake_github.faults.add("drop", method="POST", path="/pulls")
        with pytest.raises(GitHubBusy):
            proposal.propose()
        proposal.fake_github.lists_to_lag = 4
        with pytest.raises(GitHubBusy, match="does not list the open pull request"):
            proposal.propose(proposal.reclaim())
        proposal.fake_github.lists_to_lag = 0
    else:
        proposal.fake_github.lists_to_lag = 100

    outcome = proposal.propose(proposal.reclaim() if lost else None)

    assert outcome.headline == "Pull request #1 is ready for review"
    assert len(proposal.fake_github.pulls) == 1


def test_a_pull_request_with_an_earlier_patch_is_kept_and_reported(proposal: ProposalHarness) -> None:
    proposal.propose()
    head = git(proposal.bare, "rev-parse", INCIDENT.branch)
    proposal.write(a_fix(proposal.base, "price = 3"))

    outcome = proposal.propose()

    assert outcome.kind == "pull request"
    assert "The pull request contains an earlier patch than the recorded one" in outcome.lines
    assert git(proposal.bare, "rev-parse", INCIDENT.branch) == head
    assert len(proposal.fake_github.pulls) == 1


def test_a_branch_with_a_foreign_commit_is_left_alone(proposal: ProposalHarness) -> None:
    git(proposal.bare, "update-ref", f"refs/heads/{INCIDENT.branch}", "main")

    with pytest.raises(Refused, match="not Trackwalker's commit"):
        proposal.propose()

    assert git(proposal.bare, "rev-parse", INCIDENT.branch) == proposal.base
    assert proposal.fake_github.pulls == []


@pytest.mark.parametrize(
    ("mode", "decision", "draft"),
    [("full", "draft", True), ("draft", "ready", True), ("full", "ready", False)],
)
def test_mode_or_verification_make_the_pull_request_a_draft(
    proposal: ProposalHarness, mode: str, decision: str, draft: bool
) -> None:
    proposal.write(a_fix(proposal.base), VERIFICATION.model_copy(update={"decision": decision}))

    outcome = proposal.propose(mode=mode)

    assert proposal.fake_github.pulls[0].draft is draft
    assert outcome.headline.startswith("Draft pull request" if draft else "Pull request")


@pytest.mark.parametrize("mode", ["shadow", "report"])
def test_shadow_and_report_mode_write_only_to_the_journal(proposal: ProposalHarness, mode: str) -> None:
    claim = proposal.claim()

    outcome = proposal.propose(claim, mode=mode)

    assert outcome.kind == "nothing proposed"
    assert (claim.get(records.WOULD_PROPOSE) or "").startswith("price() adds None")
    assert proposal.fake_github.pushes == []
    assert {method for method, _ in proposal.fake_github.calls} == {"GET"}


@pytest.mark.parametrize("decision", ["rejected", "already fixed"])
def test_a_fix_that_verification_rejects_is_never_proposed(proposal: ProposalHarness, decision: str) -> None:
    reason = VerificationReason(kind=ReasonKind.POLICY, text="a test is gone")
    proposal.write(
        a_fix(proposal.base),
        VERIFICATION.model_copy(
            update={
                "decision": decision,
                "reasons": (reason,),
            }
        ),
    )

    outcome = proposal.propose()

    assert (outcome.kind, outcome.lines) == ("nothing proposed", ("a test is gone",))
    assert proposal.fake_github.calls == []


def test_an_open_pull_request_for_the_same_cause_is_reused_and_the_cause_released(
    proposal: ProposalHarness,
) -> None:
    marker = render_marker(Marker(incident="incident:other:20261123T0200", digests=(DIGEST,), patch="p"))
    proposal.fake_github.open_pull(NAME, head="trackwalker/other-20261123T0200", body=marker)

    outcome = proposal.propose()

    assert (outcome.kind, outcome.headline) == ("attached", "Already being fixed in #1")
    assert (outcome.link or "").endswith(f"/{NAME}/pull/1")
    assert proposal.fake_github.pushes == []
    assert proposal.journal.client.get(proposal.reservation) is None


def test_a_forged_marker_in_a_fork_blocks_nothing(proposal: ProposalHarness) -> None:
    marker = render_marker(Marker(incident="i", digests=(DIGEST,), patch="p"))
    for _ in range(3):
        proposal.fake_github.open_pull(
            NAME, head="trackwalker/other-1", body=marker, head_repo="mallory/shop"
        )

    assert proposal.propose(max_open=1).kind == "pull request"


def test_at_most_the_allowed_number_of_pull_requests_is_open(proposal: ProposalHarness) -> None:
    for number in range(2):
        marker = render_marker(Marker(incident="i", digests=(f"{number}" * 16,), patch="p"))
        proposal.fake_github.open_pull(NAME, head=f"trackwalker/other-{number}", body=marker)

    outcome = proposal.propose(max_open=2)

    assert outcome.kind == "nothing proposed"
    assert "2 Trackwalker pull requests already open" in outcome.headline
    assert proposal.fake_github.pushes == []


def test_a_token_without_push_permission_is_reported_before_a_push_is_tried(
    proposal: ProposalHarness,
) -> None:
    proposal.fake_github.readers.add("reader")
    proposal.github = GitHub(proposal.github.api_url, proposal.github.server_url, token=SecretStr("reader"))

    outcome = proposal.propose()

    assert outcome.kind == "blocked"
    assert "GITHUB_TOKEN may not push" in outcome.waits_for
    assert not any("git-receive-pack" in path for _, path in proposal.fake_github.calls)


def test_a_pull_request_that_a_person_closed_is_not_opened_again(proposal: ProposalHarness) -> None:
    proposal.propose()
    proposal.fake_github.close(1)
    proposal.write(a_fix(proposal.base))

    outcome = proposal.propose()

    assert outcome.headline == "Pull request #1 is closed"
    assert len(proposal.fake_github.pulls) == 1


def test_a_public_repository_gets_no_figures_in_pull_request_and_commit(proposal: ProposalHarness) -> None:
    proposal.fake_github.repositories[NAME] = replace(proposal.fake_github.repositories[NAME], private=False)

    proposal.propose()

    text = f"{proposal.fake_github.pulls[0].title} {proposal.fake_github.pulls[0].body}"
    text += git(proposal.bare, "log", "-1", "--format=%B", INCIDENT.branch)
    assert "37%" not in text
    assert "shopfront" not in text
    assert "price() adds None to an int" in text
