"""Renders how an incident ended, or why its fix is not live yet. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.models import FollowUp, FollowUpResult, Gap, Severity, describe_gap
from workers.runtime.text import plural

MAX_GAPS = 3  # failed reads that a message names
COUNT_WORDS = {1: "one", 2: "two", 3: "three"}
COMMIT_CHARACTERS = 7
DEPLOY_LATEST = (
    'To deploy it: open the service in Railway, press Ctrl+K or Cmd+K and choose "Deploy latest commit". '
    '"Redeploy" would run the old commit again.'
)
# Railway's meta.skippedReason, in lower case, by a part of it; https://docs.railway.com/deployments/github-autodeploys
SKIPPED_ADVICE = (
    (
        "watched",
        "Railway compares the changed files with the service's watch paths and root directory: check both.",
    ),
    ("check", "Repair or rerun the failed check of that commit first."),
)


def format_follow_up(follow_up: FollowUp) -> str:
    """How the incident ended, as sentences without markup; the caller escapes them."""
    checks = COUNT_WORDS.get(follow_up.checks, str(follow_up.checks))
    match follow_up.result:
        case FollowUpResult.VERIFIED:
            return _format_verified(follow_up)
        case FollowUpResult.FAILED:
            return _format_failed(follow_up)
        case FollowUpResult.UNMEASURED:
            return f"Fix could not be verified{_format_unmeasured(follow_up)}"
        case FollowUpResult.NOT_DEPLOYED:
            return _format_not_deployed(follow_up)
        case FollowUpResult.CLOSED:
            return (
                f"#{follow_up.pull_number} was closed without being merged. "
                "It will not be proposed again without new evidence."
            )
        case FollowUpResult.RESOLVED:
            return _format_resolved(follow_up, checks)
        case FollowUpResult.REMOVED:
            return f"Resolved: the service was removed ({checks} checks in a row did not find it)"
        case FollowUpResult.ABANDONED:
            return f"Follow-up stopped: {follow_up.reason}"


def _format_resolved(follow_up: FollowUp, checks: str) -> str:
    counts = f"; in the last one {_format_requests(follow_up)}" if follow_up.requests else ""
    text = f"Resolved: {checks} checks in a row found it back to normal{counts}"
    if not follow_up.still_affected:
        return text
    names = ", ".join(follow_up.still_affected)
    return f"{text}. No request has reached {names} since; if there should be some, restart the service"


def _format_failed(follow_up: FollowUp) -> str:
    remaining = follow_up.remaining
    sentence = remaining.sentence if remaining else ""
    if remaining is not None and remaining.severity is Severity.NOTICE:
        return f"Fix did not end the trouble: {sentence}"
    return f"Fix did not work: {sentence}"


def _format_verified(follow_up: FollowUp) -> str:
    measured = _format_requests(follow_up) if follow_up.requests else "the trouble is gone"
    others = ", ".join(follow_up.still_affected)
    affected = f". Still affected, so there is another cause: {others}" if others else ""
    return f"Fix verified: {measured} in the {format_minutes(follow_up.minutes)} after deployment{affected}"


def _format_requests(follow_up: FollowUp) -> str:
    return f"{follow_up.failed_requests:,} of {plural(follow_up.requests, 'request')} failed"


def _format_unmeasured(follow_up: FollowUp) -> str:
    if follow_up.gaps:
        return f". {format_gaps(follow_up.gaps)}"
    return f": {follow_up.reason}" if follow_up.reason else ": the service no longer exists"


def _format_not_deployed(follow_up: FollowUp) -> str:
    """Why the merge is not live, and what makes it so."""
    merged = f"#{follow_up.pull_number} is merged but not live"
    commit = f" of commit {follow_up.commit[:COMMIT_CHARACTERS]}" if follow_up.commit else ""
    match follow_up.deployment_status:
        case "SKIPPED":
            reason = follow_up.skipped_reason or "no reason given"
            advice = next((text for part, text in SKIPPED_ADVICE if part in reason.lower()), "")
            sentences = (
                f"{merged}: Railway skipped the deployment{commit} ({reason}) and does not retry it.",
                advice,
            )
            return " ".join(filter(None, (*sentences, DEPLOY_LATEST)))
        case "WAITING":
            return (
                f"{merged}: the deployment{commit} waits for CI. Railway skips it if a check fails, "
                "or if the checks take longer than two hours. Look at the checks of that commit."
            )
        case "NEEDS_APPROVAL":
            return f"{merged}: the deployment{commit} waits for somebody to approve it in Railway."
        case "FAILED" | "CRASHED" as status:
            return f"{merged}: the deployment{commit} {status.lower()}. Its build and deploy logs say why."
        case "":
            return (
                f"{merged}: Railway did not see the push. It has no deployment{commit or ' of the merge'}. "
                f"Check that the service deploys from that branch and that Railway's GitHub app may read the "
                f"repository. {DEPLOY_LATEST}"
            )
        case status:
            return f"{merged}: the deployment{commit} is still {status.lower().replace('_', ' ')}."


def format_minutes(minutes: float | None) -> str:
    """`12 seconds`, `minute`, `30 minutes`: what follows "the last"."""
    count = round(minutes or 0.0)
    if count == 0:
        return plural(round(60 * (minutes or 0.0)), "second")
    return "minute" if count == 1 else plural(count, "minute")


def format_gaps(gaps: Sequence[Gap]) -> str:
    """`Could not read: traffic: Railway answered 503`; "" if everything was read."""
    return f"Could not read: {'; '.join(describe_gap(gap) for gap in gaps[:MAX_GAPS])}" if gaps else ""
