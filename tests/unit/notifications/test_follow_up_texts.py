"""Why a merge is not live, for every state of its deployment: the right action is never "Redeploy"."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support import builders
from workers.incidents.merges import (
    BUILD_PATIENCE,
    PUSH_PATIENCE,
    assess_deployment,
    live_deployment,
    patience,
)
from workers.models import Deployment, FollowUp, FollowUpResult, PullRequest, Severity
from workers.notifications.follow_up_texts import format_follow_up

MERGED_AT = builders.END
SHA = "abc1234def"
PULL = PullRequest(
    number=7, url="https://x/7", state="merged", merge_commit=SHA, draft=False, branch="trackwalker/f"
)


def made(
    status: str, *, minutes: float = 1, commit: str | None = SHA, reason: str | None = None
) -> Deployment:
    at = MERGED_AT + timedelta(minutes=minutes)
    return builders.deployment("d", status, created_at=at, status_at=at, commit=commit, skipped_reason=reason)


STATES = {
    "no deployment": ([], "Railway did not see the push. It has no deployment of commit abc1234."),
    "watched files": (
        [made("SKIPPED", reason="No changes to watched files")],
        (
            "Railway skipped the deployment of commit abc1234 (No changes to watched files) and does not retry it. "
            "Railway compares the changed files with the service's watch paths and root directory: check both."
        ),
    ),
    "failed check": (
        [made("SKIPPED", reason="CI check suite failed")],
        "(CI check suite failed) and does not retry it. Repair or rerun the failed check of that commit first.",
    ),
    "skipped without a reason": ([made("SKIPPED")], "(no reason given)"),
    "waits for CI": ([made("WAITING")], "waits for CI. Railway skips it if a check fails"),
    "waits for a person": ([made("NEEDS_APPROVAL")], "waits for somebody to approve it in Railway."),
    "failed": ([made("FAILED")], "the deployment of commit abc1234 failed."),
    "builds": ([made("BUILDING")], "is still building."),
    "only older deployments": ([made("SUCCESS", minutes=-60, commit="0000")], "Railway did not see the push."),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_a_merge_that_is_not_live_says_why_and_what_to_do(state: str) -> None:
    deployments, expected = STATES[state]

    text = format_follow_up(assess_deployment(deployments, PULL, MERGED_AT))

    assert live_deployment(deployments, PULL, MERGED_AT) is None
    assert text.startswith("#7 is merged but not live: ")
    assert expected in text
    if deployments == [] or deployments[0].status in ("SKIPPED", "SUCCESS"):
        assert 'choose "Deploy latest commit". "Redeploy" would run the old commit again.' in text


def test_railways_own_wait_for_checks_is_over_before_a_merge_counts_as_missing() -> None:
    assert patience("SKIPPED") == timedelta(0)
    assert patience("") == PUSH_PATIENCE
    assert patience("WAITING") == patience("BUILDING") == BUILD_PATIENCE > timedelta(hours=2)


def test_a_milder_rest_of_the_trouble_is_no_success() -> None:
    rest = builders.finding(severity=Severity.NOTICE, sentence="0.6 % of requests failing")

    text = format_follow_up(FollowUp(result=FollowUpResult.FAILED, remaining=rest))

    assert text == "Fix did not end the trouble: 0.6 % of requests failing"


def test_after_an_outage_of_railway_a_silent_service_is_named() -> None:
    text = format_follow_up(FollowUp(result=FollowUpResult.RESOLVED, checks=2, still_affected=("web",)))

    assert text.endswith("No request has reached web since; if there should be some, restart the service")
