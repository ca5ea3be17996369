"""Proposing: the fix becomes one branch, one commit and one pull request, however often this is run.

The branch and the hidden marker are made from the journal alone; who finds them there takes them as done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine import records, scripts
from workers.engine.journal import Claim
from workers.errors import GitHubRefused, Refused
from workers.models import Fix, Outcome, Plan, PullRequest, RemoteRepository, Verification, digest
from workers.pull_requests.rendering import Marker, commit_message, parse_marker, render_pull_request

__all__ = ["Marker", "find_ours", "parse_marker", "propose", "render_pull_request"]

BRANCHES = "trackwalker/"
MOST_REASONS = 4


def propose(
    claim: Claim, github: GitHub, repositories: Repositories, *,
    mode: Literal["shadow", "report", "draft", "full"], link: str, max_open: int,
) -> Outcome:  # fmt: skip
    """Push the fix and open its pull request (recorded as `pull`), or say why not. `link`: address of our page."""
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    plan, fix = claim.need(records.PLAN), claim.need(records.FIX)
    certificate, verdict = claim.need(records.VERIFICATION), claim.need(records.VERDICT)
    repository = evidence.repository
    if repository is None:
        raise Refused("no repository is known for this service: nothing can be proposed")
    if certificate.decision not in ("ready", "draft"):
        return _nothing(claim, f"nothing is proposed: {certificate.decision}", certificate.reasons)
    remote = claim.step(records.REMOTE, lambda: github.repository(repository.name))
    digests = [key.rpartition(":")[2] for key in claim.text("reserved").split(",") if key]
    title, body = render_pull_request(
        incident, evidence, verdict, plan, fix, certificate, private=remote.private, digests=digests,
        patch_digest=digest(fix.patch), link=link if link.startswith("https://") else "",
    )  # fmt: skip
    if mode in ("shadow", "report"):
        claim.record(records.WOULD_PROPOSE, f"{title}\n\n{body}")
        return _nothing(claim, f"a mend is made and not proposed: the mode is {mode}", (_place(plan),))

    def look() -> PullRequest | None:
        return github.find_pull(remote.name, head=f"{remote.name.partition('/')[0]}:{incident.branch}")

    def act() -> PullRequest:
        return github.create_pull(
            remote.name, title=title, body=body, head=incident.branch, base=repository.base,
            draft=mode == "draft" or certificate.decision == "draft",
        )  # fmt: skip

    if claim.get(records.PULL) is None and look() is None:
        stop = _in_the_way(claim, github, remote, incident.branch, digests, max_open)
        if stop is not None:
            return stop
        message = commit_message(title, plan, private=remote.private)
        _push(claim, repositories, remote.name, incident.branch, fix, message)
    pull = claim.effect(records.PULL, look, act)
    return _outcome(pull, plan, certificate, digest(fix.patch))


def find_ours(
    pulls: Sequence[PullRequest], digests: Sequence[str] = (), *, besides: str = ""
) -> list[PullRequest]:
    """The pull requests that are ours (branch of this repository, hidden marker), with one of the digests if given."""
    found = []
    for pull in pulls:
        mark = parse_marker(pull.body)
        if mark is None or pull.from_fork or not pull.branch.startswith(BRANCHES) or pull.branch == besides:
            continue
        if not digests or set(digests) & set(mark.digests):
            found.append(pull)
    return found


def _in_the_way(
    claim: Claim, github: GitHub, remote: RemoteRepository, branch: str, digests: Sequence[str], max_open: int
) -> Outcome | None:
    """A pull request of ours for the same cause, too many of them, or no right to push."""
    if not remote.may_push:
        raise GitHubRefused(
            f"GITHUB_TOKEN may not push to {remote.name}: it needs contents and pull requests, read and write"
        )
    ours = find_ours(github.open_pulls(remote.name), besides=branch)
    same = find_ours(ours, digests) if digests else []
    if same:
        _release(claim)
        headline = f"the same cause in the code is mended by #{same[0].number}"
        return Outcome(kind="attached", headline=headline, link=same[0].url)
    if len(ours) >= max_open:
        return _nothing(
            claim, f"not proposed: {len(ours)} of our pull requests are open in {remote.name}",
            ("merge or close one, then retry; the patch is kept",),
        )  # fmt: skip
    return None


def _push(claim: Claim, repositories: Repositories, name: str, branch: str, fix: Fix, message: str) -> None:
    """Our commit on its branch, without force."""
    sha = repositories.commit_fix(name, fix, message, branch)

    def look() -> str | None:
        there = repositories.remote_branch(name, branch)
        if there not in (None, sha):
            raise Refused(f"branch {branch} of {name} holds {there}, which is not our commit: left as it is")
        return there

    def act() -> None:
        try:
            repositories.push(name, sha, branch)
        except GitHubRefused:
            # git repeats a push whose answer was lost, and is then refused what it did itself.
            if repositories.remote_branch(name, branch) != sha:
                raise

    claim.effect(records.BRANCH, look, act)


def _outcome(pull: PullRequest, plan: Plan, certificate: Verification, patch: str) -> Outcome:
    mark = parse_marker(pull.body)
    kind = "draft pull request" if pull.draft or pull.title.startswith("[draft]") else "pull request"
    state = "ready for review" if kind == "pull request" else "to look at"
    headline = f"{kind} #{pull.number} is {state if pull.state == 'open' else pull.state}"
    lines = [_place(plan), _proved(certificate), *certificate.reasons[:MOST_REASONS]]
    if mark is not None and mark.patch != patch:
        lines.append("it holds an earlier patch of this round than the one recorded here")
    return Outcome(kind="pull request", headline=headline, lines=tuple(lines), link=pull.url)


def _proved(certificate: Verification) -> str:
    before, after = (
        certificate.reproduction_before or certificate.reproduction_deployed,
        certificate.reproduction_after,
    )
    number = len(certificate.checks)
    words = "1 check is" if number == 1 else f"{number} checks are"
    checks = f"{words} no worse" if number else "no checks could be run"
    if before is None or after is None:
        return f"the reproduction could not be run here, {checks}"
    return f"reproduction {before.outcome} before and {after.outcome} after, {checks}"


def _place(plan: Plan) -> str:
    where = f" ({plan.cause.file}:{plan.cause.line})" if plan.cause.file else ""
    return f"cause: {plan.cause.summary}{where}"


def _nothing(claim: Claim, headline: str, lines: Sequence[str]) -> Outcome:
    _release(claim)
    return Outcome(kind="nothing proposed", headline=headline, lines=tuple(lines)[:MOST_REASONS])


def _release(claim: Claim) -> None:
    """Without a pull request the cause is free for others."""
    held = [key for key in claim.text("reserved").split(",") if key]
    if held:
        claim.store.script(scripts.RELEASE_RESERVATIONS, held, claim.key)
