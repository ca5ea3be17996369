"""Verifies a fix: the fault shows without the patch, is gone with it, and no existing check is worse.

Every command runs in the sandbox on throw-away copies. A reproduction must fail on the deployed commit and on the
base branch and pass with the patch, twice each, because a test that changes its result by itself shows nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workers.clients.git import Repositories
from workers.errors import Refused
from workers.models import (
    Category,
    Check,
    Fix,
    Plan,
    ReasonKind,
    Repository,
    Verdict,
    Verification,
    VerificationReason,
)
from workers.remediation import patch_policy
from workers.remediation.checks import (
    REPRODUCTION_SECONDS,
    CheckEnvironment,
    RunResult,
    describe_failure,
    run_check,
)
from workers.remediation.project import Project, read_project, with_patched_requirements
from workers.remediation.repository_settings import Command
from workers.remediation.reproduction import Trees, verify_reproduction
from workers.sandbox.sandbox import Sandbox

MAX_NEW_FAILURES = 3  # failed tests that a reason names


def verify(
    fix: Fix, plan: Plan, verdict: Verdict, repository: Repository, *,
    service: str,
    repositories: Repositories,
    sandbox: Sandbox,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None,
    check_alive: Callable[[], None] = lambda: None,
    secrets: tuple[str, ...] = (),
    reproduction_seconds: float = REPRODUCTION_SECONDS,
) -> Verification:  # fmt: skip
    """Decide whether the fix is ready, a draft, rejected or no longer needed, with the runs that show it.

    Args:
        service: name of the service, which selects a section of `.trackwalker.toml`.
        on_start: receives each process, so that a worker that loses its claim can kill it.
        check_alive: called before each command; raises if the claim is lost.
        secrets: values that a patch must not contain and output must not show.
        reproduction_seconds: deadline of one run of the reproduction.

    Raises:
        GitHubBusy, GitHubRefused: the code cannot be fetched.
    """
    with _checkout(repositories, repository, fix) as (trees, folder):
        try:
            project = read_project(trees.before, repository.root, service)
        except Refused as error:
            return _rejected(ReasonKind.INVALID_SETTINGS, (str(error),))
        deployment = Category.DEPLOYMENT in (verdict.category, plan.verdict)
        category = Category.DEPLOYMENT if deployment else Category.CODE
        policy = patch_policy.check_patch(
            fix.patch,
            trees.before,
            trees.after,
            category=category,
            root=project.root,
            culprit=plan.cause.file,
            reproduction=fix.reproduction_path,
            allow=project.allow,
            protected=project.protected,
            secrets=secrets,
        )
        if policy.refusals:
            return _rejected(ReasonKind.POLICY, policy.refusals, policy.notes)
        environment = CheckEnvironment(sandbox, folder, on_start, check_alive, secrets, reproduction_seconds)
        verification = _run_all(environment, project, fix, plan, category, trees)
        return _with_policy(verification, policy)


def _rejected(kind: ReasonKind, texts: tuple[str, ...], notes: tuple[str, ...] = ()) -> Verification:
    reasons = tuple(VerificationReason(kind=kind, text=text) for text in texts)
    return Verification(decision="rejected", reasons=reasons, notes=notes)


def _with_policy(verification: Verification, policy: patch_policy.PolicyResult) -> Verification:
    """The verification with the policy's notes, lowered to a draft where the policy asks for one."""
    reasons = tuple(VerificationReason(kind=ReasonKind.POLICY, text=text) for text in policy.drafts)
    decision = "draft" if reasons and verification.decision == "ready" else verification.decision
    update = {"decision": decision, "reasons": (*verification.reasons, *reasons), "notes": policy.notes}
    return verification.model_copy(update=update)


def _run_all(
    environment: CheckEnvironment, project: Project, fix: Fix, plan: Plan, category: Category, trees: Trees
) -> Verification:
    verification = verify_reproduction(environment, project, fix, plan, trees)
    # The checks take minutes, so they run only if there is something left to propose.
    if verification.decision in ("rejected", "already fixed"):
        return verification
    projects = (project, with_patched_requirements(project, trees.after, fix.files))
    results = [_compare(environment, projects, command, trees) for command in project.check_commands]
    return _decide(verification, results, category)


# ---- the repository's own checks ----


def _compare(
    environment: CheckEnvironment, projects: tuple[Project, Project], command: Command, trees: Trees
) -> tuple[Check, str]:
    """The check without and with the patch, and a sentence if it is worse with the patch."""
    project, patched = projects
    before = run_check(environment, trees.before, project, command)
    after = run_check(environment, trees.after, patched, command)
    regression = _describe_regression(before, after)
    if regression:
        # Flaky tests are common: only a regression that shows twice counts.
        after = run_check(environment, trees.after, patched, command)
        regression = _describe_regression(before, after)
    return Check(before=before.run, after=after.run), regression


def _describe_regression(before: RunResult, after: RunResult) -> str:
    name = after.run.command
    if before.outcome == "passed" and after.outcome != "passed":
        outcome = "fails" if after.outcome == "failed" else "cannot be run"
        return f"the check `{name}` passes without the patch and {outcome} with it: {describe_failure(after)}"
    new = sorted(after.classification.failed_tests - before.classification.failed_tests)
    if before.outcome == after.outcome == "failed" and new:
        return f"the check `{name}` fails in more tests with the patch: {', '.join(new[:MAX_NEW_FAILURES])}"
    return ""


def _decide(verification: Verification, results: list[tuple[Check, str]], category: Category) -> Verification:
    """The decision of the reproduction, lowered by what the checks show."""
    checks = tuple(check for check, _ in results)
    regressions = [
        VerificationReason(kind=ReasonKind.CHECK_REGRESSED, text=text) for _, text in results if text
    ]
    if regressions:
        return verification.model_copy(
            update={"decision": "rejected", "checks": checks, "reasons": tuple(regressions)}
        )
    reasons = list(verification.reasons)
    for check in checks:
        if check.after.outcome == "not run":
            cause = check.after.output.partition("\n")[0]
            text = f"the check `{check.after.command}` could not be run ({cause})"
            reasons.append(VerificationReason(kind=ReasonKind.CHECK_NOT_RUN, text=text))
    if category is Category.DEPLOYMENT:
        text = "only a deployment shows whether the platform builds and starts the service"
        reasons.append(VerificationReason(kind=ReasonKind.NEEDS_DEPLOYMENT, text=text))
    decision = "draft" if reasons else "ready"
    return verification.model_copy(update={"decision": decision, "checks": checks, "reasons": tuple(reasons)})


# ---- trees ----


@contextmanager
def _checkout(repositories: Repositories, repository: Repository, fix: Fix) -> Iterator[tuple[Trees, Path]]:
    """The three trees and an empty folder, all removed afterwards."""
    with ExitStack() as stack:

        def temporary(path: Path) -> Path:
            stack.callback(repositories.discard, path)
            return path

        before = temporary(repositories.checkout(repository.name, fix.base_commit))
        after = temporary(repositories.apply(repository.name, fix.base_commit, fix.patch))
        same = repository.deployed == fix.base_commit
        deployed = before if same else temporary(repositories.checkout(repository.name, repository.deployed))
        yield Trees(deployed, before, after), temporary(repositories.scratch_dir())
