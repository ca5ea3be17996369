"""One attempt to fix an incident: the stages `plan` and `fix`.

Each stage runs under a claim and returns the Outcome that ends the attempt, or None if the next stage follows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workers.agent import prompts
from workers.agent.plan import PlanError, parse_plan, parse_writer_answer
from workers.engine import records, reservations
from workers.engine.claim import Claim
from workers.errors import AgentRefused, Refused
from workers.incidents import budget
from workers.models import Category, Fix, Incident, Outcome, Plan, Repository, Verification
from workers.pull_requests.marker import find_own_pulls, find_writers_pulls
from workers.remediation import fault_location
from workers.remediation.agent_runs import open_workspace, run_agent
from workers.remediation.fix_requirements import MissingRequirement, describe_requirement, missing_requirement
from workers.remediation.project import protected_globs
from workers.remediation.resources import Remediation
from workers.remediation.runner_commands import runner_hint
from workers.sandbox.commands import kill

MAX_FOREIGN_PULLS = 30  # open pull requests of other writers whose files are read: one request each
MAX_REASONS = 6  # lines of one kind in a notification
MAX_PLAN_POINTS = 3
MAX_NEXT_CHECKS = 5

# ---- plan ----


def plan(claim: Claim, remediation: Remediation) -> Outcome | None:
    """Get the reading agent's plan and reserve its fault location."""
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    settings, repository = remediation.settings, evidence.repository
    missing = missing_requirement(settings, evidence)
    if missing is None and not evidence.facts:
        missing = MissingRequirement.FACTS
    if repository is None or missing:
        text = describe_requirement(missing or MissingRequirement.REPOSITORY, settings)
        return Outcome(kind="reported", headline=text)
    commit_keys = fault_location.commit_keys(repository, evidence)
    # Checked again once the plan names a file; checking the commit first saves an agent run.
    if rejected := fault_location.rejected_outcome(remediation.store, commit_keys):
        return rejected
    if claim.get(records.PLAN) is None and (over := _reserve_budget(claim, remediation, incident)):
        return over
    plan = claim.step(records.PLAN, lambda: make_plan(claim, remediation, repository))
    if plan.verdict not in (Category.CODE, Category.DEPLOYMENT):
        return _not_a_code_problem(plan)
    keys = fault_location.reservation_keys(repository, plan, evidence)
    return fault_location.reserve(claim, remediation.store, repository, keys)


def _reserve_budget(claim: Claim, remediation: Remediation, incident: Incident) -> Outcome | None:
    limit = budget.reserve(remediation.store, remediation.settings, claim, incident, remediation.now())
    if limit is None:
        return None
    return _report_findings(incident, budget.describe_limit(limit, remediation.settings, incident))


def make_plan(claim: Claim, remediation: Remediation, repository: Repository) -> Plan:
    """The plan of the reading agent. Raises AgentRefused if it gives no usable one."""
    incident, evidence = claim.need(records.INCIDENT), claim.need(records.EVIDENCE)
    prompt = prompts.reader_prompt(incident, evidence, claim.need(records.VERDICT))
    with open_workspace(claim, remediation, "reader", repository.name, repository.deployed) as workspace:
        protected = protected_globs(workspace.clone, incident.subject.name)

        def parse(text: str) -> Plan:
            return parse_plan(text, evidence, _file_check(workspace.clone), protected)

        answer = run_agent(claim, remediation, "reader", workspace, prompt, parse)
        try:
            return parse(answer.text)
        except PlanError as error:
            raise AgentRefused("the model gave no usable plan") from error


def _file_check(clone: Path) -> Callable[[str], bool]:
    """A function that returns True if a path names a file of the clone and no link leads out of the clone."""

    def exists(path: str) -> bool:
        try:
            target = (clone / path).resolve()
            return target.is_relative_to(clone.resolve()) and target.is_file()
        except (OSError, RuntimeError, ValueError):  # a circle of links, or a name that no file can have
            return False

    return exists


def _not_a_code_problem(plan: Plan) -> Outcome:
    lines = [f"Ruled out: {item}" for item in plan.ruled_out[:MAX_PLAN_POINTS]]
    lines += [f"Unknown: {item}" for item in plan.unknown[:MAX_PLAN_POINTS]]
    lines += [f"Next steps: {item}" for item in plan.next_checks[:MAX_NEXT_CHECKS]]
    headline = f"Not a code problem, according to the agent ({plan.verdict.value}): {plan.cause.summary}"
    return Outcome(kind="reported", headline=headline, lines=tuple(lines))


def _report_findings(incident: Incident, reason: str) -> Outcome:
    findings = tuple(finding.named_sentence for finding in incident.findings)
    return Outcome(kind="reported", headline=f"No fix attempted: {reason}", lines=findings)


# ---- fix ----


def fix(claim: Claim, remediation: Remediation) -> Outcome | None:
    """Let the writing agent change a copy of the base branch, and verify the patch.

    Raises:
        AgentRefused: the agent changed nothing or gave no answer.
        GitHubRefused: the repository cannot be read.
    """
    evidence, plan = claim.need(records.EVIDENCE), claim.need(records.PLAN)
    repository = evidence.repository
    if repository is None:  # `plan` ends the attempt in this case
        raise Refused("the service's repository is unknown, so no fix can be made")
    base = claim.step(records.BASE, lambda: remediation.github.head(repository.name, repository.base))
    if claim.get(records.FIX) is None:
        stop = _blocked_outcome(claim, remediation, repository, plan, base)
        # The budget is settled when an incident is suppressed or ends, so an attempt that goes on reserves again.
        if stop is None and not budget.is_reserved(claim):
            stop = _reserve_budget(claim, remediation, claim.need(records.INCIDENT))
        if stop is not None:
            reservations.release(claim)
            return stop
    fix = claim.step(records.FIX, lambda: make_fix(claim, remediation, repository, plan, base))
    verification = claim.step(
        records.VERIFICATION, lambda: verify_fix(claim, remediation, repository, plan, fix)
    )
    if verification.decision in ("ready", "draft"):
        return None
    reservations.release(claim)
    reasons = tuple(reason.text for reason in verification.reasons[:MAX_REASONS])
    if verification.decision == "already fixed":
        return Outcome(kind="reported", headline="; ".join(reasons))
    return Outcome(
        kind="nothing proposed", headline="Fix made but not proposed", lines=(_cause_line(plan), *reasons)
    )


def _blocked_outcome(
    claim: Claim, remediation: Remediation, repository: Repository, plan: Plan, base: str
) -> Outcome | None:
    """The outcome if the culprit file has newer commits or an open pull request; None if it can be changed."""
    culprit = plan.cause.file or ""
    newer = remediation.repositories.commits_touching(repository.name, culprit, repository.deployed, base)
    if newer:
        sha, subject = newer[0]
        headline = (
            f"{culprit} was changed after the deployed commit, in {sha[:7]} ({subject}): deploy or review it"
        )
        return Outcome(kind="reported", headline=headline, lines=(_cause_line(plan),))
    pulls = remediation.github.open_pulls(repository.name)
    digests = reservations.reserved_digests(claim)
    branch = claim.need(records.INCIDENT).branch
    if own := find_own_pulls(pulls, digests, except_branch=branch):
        headline = f"Already being fixed in #{own[0].number}"
        return Outcome(kind="attached", headline=headline, link=own[0].url)
    for pull in find_writers_pulls(pulls)[:MAX_FOREIGN_PULLS]:
        if culprit in remediation.github.pull_files(repository.name, pull.number):
            headline = f"Open pull request #{pull.number} already changes {culprit}"
            return Outcome(kind="reported", headline=headline, lines=(_cause_line(plan),), link=pull.url)
    return None


def make_fix(claim: Claim, remediation: Remediation, repository: Repository, plan: Plan, base: str) -> Fix:
    """The patch of the writing agent on a commit. Raises AgentRefused if it changed nothing."""
    with open_workspace(claim, remediation, "writer", repository.name, base) as workspace:
        hint = claim.step(records.RUNNER_HINT, lambda: runner_hint(workspace.clone, repository.root))
        prompt = prompts.writer_prompt(plan, hint)
        answer = run_agent(claim, remediation, "writer", workspace, prompt, parse_writer_answer)
        patch, files = remediation.repositories.patch(repository.name, base, workspace.clone)
    if not files:
        raise AgentRefused("the agent changed nothing")
    try:
        summary, not_done = parse_writer_answer(answer.text)
    except PlanError:
        # The patch is read from the files; an unusable account of it costs only the summary.
        summary, not_done = "", []
    path = plan.reproduction.path if plan.reproduction.kind in ("test", "script") else None
    return Fix(
        base_commit=base, patch=patch, files=tuple(files), reproduction_path=path, summary=summary,
        not_done=tuple(not_done), committed_at=remediation.now().replace(microsecond=0),
    )  # fmt: skip


def verify_fix(
    claim: Claim, remediation: Remediation, repository: Repository, plan: Plan, fix: Fix
) -> Verification:
    """The verification of a fix in the sandbox."""
    return remediation.verify(
        fix, plan, claim.need(records.VERDICT), repository,
        service=claim.need(records.INCIDENT).subject.name, repositories=remediation.repositories,
        sandbox=remediation.sandbox, evidence=claim.get(records.EVIDENCE),
        on_start=lambda process: claim.on_loss(lambda: kill(process)), check_alive=claim.check_alive,
        secrets=remediation.secrets,
    )  # fmt: skip


def _cause_line(plan: Plan) -> str:
    return f"Cause: {plan.cause.summary} ({plan.cause.file}:{plan.cause.line})"
