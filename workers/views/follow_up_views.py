"""The measured effect of a fix, or the recovery without one, as a sentence. Pure."""

from __future__ import annotations

from workers.models import FollowUp, FollowUpResult, describe_gap
from workers.runtime.text import format_duration, join_names, plural
from workers.views.bounds import MAX_LABEL, line
from workers.views.shapes import FollowUpView


def follow_up_view(follow_up: FollowUp) -> FollowUpView:
    """The follow-up for people."""
    return FollowUpView(
        result=follow_up.result,
        text=follow_up_text(follow_up),
        minutes=follow_up.minutes,
        requests=follow_up.requests,
        failed_requests=follow_up.failed_requests,
    )


def follow_up_text(follow_up: FollowUp) -> str:
    """One sentence: the result with its figures."""
    return line(SENTENCES[follow_up.result](follow_up))


def _pull(follow_up: FollowUp) -> str:
    return f"#{follow_up.pull_number}" if follow_up.pull_number else "The pull request"


def _figures(follow_up: FollowUp) -> str:
    share = f"{follow_up.failed_requests:,} of {plural(follow_up.requests, 'request')} failed"
    duration = (
        f" in the {format_duration(60 * follow_up.minutes)} after deployment" if follow_up.minutes else ""
    )
    return share + duration if follow_up.requests else f"no request{duration}"


def _verified(follow_up: FollowUp) -> str:
    return f"{_pull(follow_up)} works: {_figures(follow_up)}"


def _failed(follow_up: FollowUp) -> str:
    remaining = follow_up.remaining.sentence if follow_up.remaining else _figures(follow_up)
    return f"{_pull(follow_up)} did not help: {remaining}"


def _unmeasured(follow_up: FollowUp) -> str:
    gaps = join_names([describe_gap(gap) for gap in follow_up.gaps[:3]])
    return f"The effect of {_pull(follow_up)} could not be measured: {gaps or follow_up.reason}"


def _not_deployed(follow_up: FollowUp) -> str:
    status = follow_up.skipped_reason or follow_up.deployment_status or "Railway lists no deployment of it"
    return f"{_pull(follow_up)} was merged and not deployed: {line(status, MAX_LABEL)}"


def _closed(follow_up: FollowUp) -> str:
    return f"{_pull(follow_up)} was closed without a merge"


def _resolved(follow_up: FollowUp) -> str:
    affected = (
        f". Still affected: {join_names(follow_up.still_affected, 5)}" if follow_up.still_affected else ""
    )
    return f"Gone: {plural(follow_up.checks, 'consecutive check')} found no problem{affected}"


def _removed(follow_up: FollowUp) -> str:
    return f"The service no longer exists: {plural(follow_up.checks, 'consecutive check')} did not find it"


def _abandoned(follow_up: FollowUp) -> str:
    return f"No longer watched: {follow_up.reason}"


SENTENCES = {
    FollowUpResult.VERIFIED: _verified,
    FollowUpResult.FAILED: _failed,
    FollowUpResult.UNMEASURED: _unmeasured,
    FollowUpResult.NOT_DEPLOYED: _not_deployed,
    FollowUpResult.CLOSED: _closed,
    FollowUpResult.RESOLVED: _resolved,
    FollowUpResult.REMOVED: _removed,
    FollowUpResult.ABANDONED: _abandoned,
}
