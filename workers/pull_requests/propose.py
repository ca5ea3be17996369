"""Proposes a verified fix: one branch, one commit and one pull request, however often the stage runs.

Branch and marker are computed from the journal alone, so a second run finds the first run's work and reuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine import records
from workers.engine.claim import Claim
from workers.engine.reservations import release, reserved_digests
from workers.errors import GitHubRefused, Refused
from workers.models import Fix, Outcome, Plan, PullRequest, RemoteRepository, Verification, digest
from workers.models.links import incident_path
from workers.pull_requests.deploy_notes import deploy_notes
from workers.pull_requests.incident_paragraphs import Page
from workers.pull_requests.marker import find_own_pulls, parse_marker
from workers.pull_requests.rendering import commit_message, render_pull_request
from workers.runtime.text import plural

KEPT = (
    "The patch is kept. Once the permission is there, Try again proposes it without another run of the model."
)
MAX_REASONS = 4  # reasons in a notification; `trackwalker show` lists them all


def propose_fix(
    claim: Claim, github: GitHub, repositories: Repositories, *,
    mode: Literal["shadow", "report", "draft", "full"], link: str, max_open: int, model: str = "",
) -> Outcome:  # fmt: skip
    """Push the fix and open its pull request, recorded as `pull`.

    Args:
        mode: `shadow` and `report` only record the text as `would_propose`; `draft` opens a draft.
        link: address of the pages; used only if it is https.
        max_open: most open pull requests of Trackwalker in one repository.
        model: the model that made the fix, for the reviewer.

    Raises:
        Refused: the branch exists with a commit that is not Trackwalker's.
        GitHubBusy: GitHub does not answer; the stage can run again.
    """
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    plan, fix = claim.need(records.PLAN), claim.need(records.FIX)
    verification = claim.need(records.VERIFICATION)
    if (repository := evidence.repository) is None:
        raise Refused("the service's repository is unknown, so no pull request can be opened")
    if verification.decision not in ("ready", "draft"):
        return _not_verified(claim, verification)
    try:
        remote = claim.step(records.REMOTE, lambda: github.repository(repository.name))
    except GitHubRefused as refusal:
        return _waits_for_permission(plan, verification, refusal)
    digests = reserved_digests(claim)
    title, body = render_pull_request(
        incident, evidence, plan, fix, verification, private=remote.private, digests=digests,
        patch_digest=digest(fix.patch), page=_page(claim, github, remote, link, model),
    )  # fmt: skip
    if mode in ("shadow", "report"):
        claim.record(records.WOULD_PROPOSE, f"{title}\n\n{body}")
        headline = f"Fix ready but not proposed: TRACKWALKER_MODE={mode}"
        return _not_proposed(claim, headline, (_cause_line(plan),))
    owner = remote.name.partition("/")[0]
    look = partial(github.find_pull, remote.name, head=f"{owner}:{incident.branch}")
    create = partial(
        github.create_pull, remote.name, title=title, body=body, head=incident.branch, base=repository.base,
        draft=mode == "draft" or verification.decision == "draft",
    )  # fmt: skip
    try:
        if claim.get(records.PULL) is None and look() is None:
            if blocked := _blocked_outcome(claim, github, remote, incident.branch, digests, max_open):
                return blocked
            message = commit_message(title, plan, private=remote.private)
            _push(claim, repositories, remote.name, incident.branch, fix, message)
        pull = claim.effect(records.PULL, look, create)
    except GitHubRefused as refusal:
        return _waits_for_permission(plan, verification, refusal)
    return _outcome(pull, plan, verification, digest(fix.patch), deploy_notes(incident.service, fix.files))


def _page(claim: Claim, github: GitHub, remote: RemoteRepository, link: str, model: str) -> Page:
    usage = claim.get(records.USAGE)
    return Page(
        incident=link.rstrip("/") + incident_path(claim.id) if link.startswith("https://") else "",
        repository=f"{github.server_url}/{remote.name}",
        model=model,
        cost_usd=usage.cost_usd if usage else 0.0,
    )


def _blocked_outcome(
    claim: Claim, github: GitHub, remote: RemoteRepository, branch: str, digests: Sequence[str], max_open: int
) -> Outcome | None:
    """The outcome if another pull request covers the cause or too many are open.

    Raises:
        GitHubRefused: the token may not push.
    """
    if not remote.may_push:
        raise GitHubRefused(
            f"GITHUB_TOKEN may not push to {remote.name}. Give it read and write access to contents and pull requests.",
            is_access=True,
        )
    own = find_own_pulls(github.open_pulls(remote.name), except_branch=branch)
    same_cause = find_own_pulls(own, digests) if digests else []
    if same_cause:
        release(claim)
        headline = f"Already being fixed in #{same_cause[0].number}"
        return Outcome(kind="attached", headline=headline, link=same_cause[0].url)
    if len(own) >= max_open:
        open_pulls = plural(len(own), "Trackwalker pull request")
        return _not_proposed(
            claim, f"Fix ready but not proposed: {open_pulls} already open in {remote.name}",
            ("Merge or close one, then retry; the patch is kept.",),
        )  # fmt: skip
    return None


def _waits_for_permission(plan: Plan, verification: Verification, refusal: GitHubRefused) -> Outcome:
    """A verified patch that GitHub does not let in: it is kept, with its reservation, and needs no second run."""
    headline = "A tested fix waits for a permission" if refusal.is_access else "GitHub refused a tested fix"
    lines = (_cause_line(plan), describe_runs(verification), f"GitHub refused it: {refusal}", KEPT)
    return Outcome(kind="blocked", headline=headline, lines=lines, waits_for=str(refusal))


def _push(claim: Claim, repositories: Repositories, name: str, branch: str, fix: Fix, message: str) -> None:
    """Push the commit to its branch, never by force: the branch may hold another author's commit."""
    sha = repositories.commit_fix(name, fix, message, branch)

    def look() -> str | None:
        head = repositories.remote_branch(name, branch)
        if head not in (None, sha):
            raise Refused(
                f"branch {branch} of {name} is at {head}, which is not Trackwalker's commit. "
                "Delete the branch, then retry."
            )
        return head

    def act() -> None:
        try:
            repositories.push(name, sha, branch)
        except GitHubRefused:
            # git repeats a push whose answer was lost, and the server then refuses the branch that exists already.
            if repositories.remote_branch(name, branch) != sha:
                raise

    claim.effect(records.BRANCH, look, act)


def _outcome(
    pull: PullRequest, plan: Plan, verification: Verification, patch_digest: str, notes: Sequence[str]
) -> Outcome:
    marker = parse_marker(pull.body)
    # GitHub plans without draft pull requests get a title prefix instead.
    draft = pull.draft or pull.title.startswith("[draft]")
    state = {"open": "needs a decision" if draft else "is ready for review"}.get(
        pull.state, f"is {pull.state}"
    )
    headline = f"{'Draft pull request' if draft else 'Pull request'} #{pull.number} {state}"
    lines = [_cause_line(plan), describe_runs(verification)]
    lines += [reason.text for reason in verification.reasons[:MAX_REASONS]]
    lines += notes
    if marker is not None and marker.patch != patch_digest:
        # A worker crashed after opening the pull request and before recording it, and the fix was made again.
        lines.append("The pull request contains an earlier patch than the recorded one")
    return Outcome(kind="pull request", headline=headline, lines=tuple(lines), link=pull.url)


def describe_runs(verification: Verification) -> str:
    """The result of the verification in one line, from the outcomes of its runs."""
    before = verification.reproduction_before or verification.reproduction_deployed
    after = verification.reproduction_after
    if before is None or after is None or "not run" in (before.outcome, after.outcome):
        test = "Fault not reproduced here"
    else:
        test = "New test fails without the fix, passes with it"
    outcomes = {check.after.outcome for check in verification.checks}
    if outcomes == {"passed"}:
        checks = "existing tests pass"
    elif "failed" in outcomes:
        # A check that is worse with the patch rejects the fix, so these failed before as well.
        checks = "existing tests fail as before"
    else:
        checks = "existing tests could not be run"
    return f"{test}; {checks}"


def _cause_line(plan: Plan) -> str:
    place = f" ({plan.cause.file}:{plan.cause.line})" if plan.cause.file else ""
    return f"Cause: {plan.cause.summary}{place}"


def _not_verified(claim: Claim, verification: Verification) -> Outcome:
    reasons = [reason.text for reason in verification.reasons]
    return _not_proposed(claim, f"Fix not proposed: {verification.decision}", reasons)


def _not_proposed(claim: Claim, headline: str, lines: Sequence[str]) -> Outcome:
    release(claim)
    return Outcome(kind="nothing proposed", headline=headline, lines=tuple(lines)[:MAX_REASONS])
