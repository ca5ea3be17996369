"""Verifies a fix: the fault shows without the patch, the patch removes it, and no existing test gets worse.

Every run has a fresh copy of a tree in the sandbox, with the runner, tests, configuration and packages of the base
commit. Only those parts of the patch are applied that the patch policy names. Results come by test id from the host's
own runners.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from workers.clients.git import Repositories, read_diff, safe_bytes
from workers.errors import Refused
from workers.gateway.registries import describe_fetched
from workers.models import (
    Category,
    Evidence,
    Fix,
    Plan,
    ReasonKind,
    Repository,
    Verdict,
    Verification,
    VerificationReason,
)
from workers.remediation import patch_policy, proof
from workers.remediation.change_under_test import Fault
from workers.remediation.changed_code import function_lines
from workers.remediation.checkouts import Checkout, open_checkout
from workers.remediation.checks import CheckResult, compare_command, compare_reproduction, compare_suite
from workers.remediation.evidence_errors import exception_names
from workers.remediation.installation import prepare
from workers.remediation.javascript_code import function_span
from workers.remediation.judged_change import describe_change, package_files, source_overlay
from workers.remediation.policy.javascript_tree import is_javascript
from workers.remediation.project import Project, read_project, with_patched_requirements
from workers.remediation.repository_settings import Command
from workers.remediation.reproduction_runs import Attempts, Reproduction, Trees, new_marker, run_everywhere
from workers.remediation.run_trees import Overlay, SourceTree
from workers.remediation.sandboxed_commands import REPRODUCTION_SECONDS, CheckEnvironment
from workers.remediation.suites import Suite, project_suites, reproduction_suite
from workers.sandbox.sandbox import Sandbox

__all__ = ["verify"]


def verify(
    fix: Fix, plan: Plan, verdict: Verdict, repository: Repository, *,
    service: str,
    repositories: Repositories,
    sandbox: Sandbox,
    evidence: Evidence | None = None,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None,
    check_alive: Callable[[], None] = lambda: None,
    secrets: tuple[str, ...] = (),
    reproduction_seconds: float = REPRODUCTION_SECONDS,
) -> Verification:  # fmt: skip
    """Decide whether the fix is ready, a draft, rejected or no longer needed, with the runs that show it.

    Args:
        service: name of the service, which selects a section of `.trackwalker.toml`.
        evidence: the incident's, with the errors that the reproduction must show; None if nothing is known.
        on_start: receives each process, so that a worker that loses its claim can kill it.
        check_alive: called before each command; raises if the claim is lost.
        secrets: values that a patch must not contain and output must not show.
        reproduction_seconds: deadline of one run of the reproduction.

    Raises:
        GitHubBusy, GitHubRefused: the code cannot be fetched.
    """
    started = time.monotonic()
    with open_checkout(repositories, repository, fix) as checkout:
        environment = CheckEnvironment(
            sandbox, checkout.folder, on_start, check_alive, secrets, reproduction_seconds
        )
        verification = _verify(environment, checkout, fix, plan, verdict, repository, service, evidence)
    own = max(0.0, time.monotonic() - started - environment.busy_seconds())
    fetched = describe_fetched(environment.fetched)
    notes = (*verification.notes, *([fetched] if fetched else []))
    return verification.model_copy(
        update={"sandbox": sandbox.describe(), "own_seconds": round(own, 2), "notes": notes}
    )


def _verify(
    environment: CheckEnvironment, checkout: Checkout, fix: Fix, plan: Plan, verdict: Verdict,
    repository: Repository, service: str, evidence: Evidence | None,
) -> Verification:  # fmt: skip
    try:
        project = read_project(checkout.base, repository.root, service)
    except Refused as error:
        return _rejected(ReasonKind.INVALID_SETTINGS, (str(error),))
    deployment = Category.DEPLOYMENT in (verdict.category, plan.verdict)
    policy = patch_policy.check_patch(
        fix.patch, checkout.base, checkout.patched,
        category=Category.DEPLOYMENT if deployment else Category.CODE, root=project.root,
        culprit=plan.cause.file, reproduction=fix.reproduction_path, allow=project.allow,
        protected=project.protected, secrets=environment.secrets,
    )  # fmt: skip
    if policy.refusals:
        return _rejected(ReasonKind.POLICY, policy.refusals, policy.notes)
    case = _Case(environment, checkout, project, fix, plan, deployment, policy.applied, evidence)
    try:
        verification = _run_all(case)
    except Refused as error:
        return _rejected(ReasonKind.POLICY, (str(error),), policy.notes)
    return _with_policy(verification, policy)


def _rejected(kind: ReasonKind, texts: tuple[str, ...], notes: tuple[str, ...] = ()) -> Verification:
    reasons = tuple(VerificationReason(kind=kind, text=text) for text in texts)
    return Verification(decision="rejected", reasons=reasons, notes=notes)


def _with_policy(verification: Verification, policy: patch_policy.PolicyResult) -> Verification:
    """The verification with the policy's notes, lowered to a draft where the policy asks for one."""
    reasons = tuple(VerificationReason(kind=ReasonKind.POLICY, text=text) for text in policy.drafts)
    proposed = verification.decision in ("ready", "draft")
    return verification.model_copy(
        update={
            "decision": "draft" if reasons and proposed else verification.decision,
            "reasons": (*verification.reasons, *(reasons if proposed else ())),
            "notes": (*policy.notes, *verification.notes),
        }
    )


# ---- runs ----


@dataclass(frozen=True)
class _Case:
    environment: CheckEnvironment
    checkout: Checkout
    project: Project
    fix: Fix
    plan: Plan
    deployment: bool
    applied: tuple[str, ...]
    evidence: Evidence | None


def _run_all(case: _Case) -> Verification:
    overlay = source_overlay(case.checkout.patched, case.applied)
    trees = _prepare(case, overlay)
    verification = _verify_reproduction(case, overlay, trees)
    # The checks take minutes, so they run only if there is something left to propose.
    if verification.decision in ("rejected", "already fixed"):
        return verification
    return _decide(verification, _check_all(case, trees), deployment=case.deployment)


def _prepare(case: _Case, overlay: Overlay) -> Trees:
    """The three trees with their dependencies: those of the base commit, except for a fix of a failed deployment."""
    project, environment, checkout = case.project, case.environment, case.checkout
    suites = _all_suites(case, overlay)
    uses = {
        "python": any(suite.is_python for suite in suites) or bool(project.check_commands),
        "node": any(not suite.is_python for suite in suites) or bool(project.check_commands),
    }
    base = prepare(environment, SourceTree(checkout.base), project, **uses)
    deployed = base
    if checkout.deployed != checkout.base:
        deployed = prepare(environment, SourceTree(checkout.deployed), _project_at(case), **uses)
    if not case.deployment:
        return Trees(deployed, base, base.planted(base.source.planted(overlay)))
    patched_project = with_patched_requirements(project, checkout.patched, case.fix.files)
    return Trees(
        deployed, base, prepare(environment, SourceTree(checkout.base, overlay), patched_project, **uses)
    )


def _project_at(case: _Case) -> Project:
    """The project with the dependencies of the deployed commit."""
    try:
        deployed = read_project(case.checkout.deployed, case.project.root, "")
    except Refused:
        return case.project
    return replace(
        case.project,
        python_requirements=deployed.python_requirements,
        has_node_dependencies=deployed.has_node_dependencies,
    )


def _all_suites(case: _Case, overlay: Overlay) -> list[Suite]:
    own = _suite_of_reproduction(case, overlay)
    return [*project_suites(case.project), *([own] if own else [])]


def _suite_of_reproduction(case: _Case, overlay: Overlay) -> Suite | None:
    path, kind = case.fix.reproduction_path, case.plan.reproduction.kind
    content = overlay.get(path) if path else None
    if path is None or content is None or kind not in ("test", "script"):
        return None
    return reproduction_suite(case.project, path, kind, content.decode(errors="replace"))


def _verify_reproduction(case: _Case, overlay: Overlay, trees: Trees) -> Verification:
    """The verification without the repository's own checks: `ready` if the reproduction shows the fault and its fix."""
    kind, path = case.plan.reproduction.kind, case.fix.reproduction_path
    if kind == "load":
        return _without_runs("draft", ReasonKind.ONLY_UNDER_LOAD, "the fault shows only under load")
    if kind == "none":
        return _without_runs("draft", ReasonKind.NO_REPRODUCTION, "no test reproduces the fault")
    if path is None or overlay.get(path) is None:
        text = f"the agent did not write the reproduction {case.plan.reproduction.path or path}"
        return _without_runs("rejected", ReasonKind.REPRODUCTION_MISSING, text)
    suite = _suite_of_reproduction(case, overlay)
    if suite is None and case.project.test_command:
        return _verify_by_command(case, overlay, trees, path, case.project.test_command)
    if suite is None:
        text = f"the reproduction could not be run (there is no runner for {path} on this host)"
        return _without_runs("draft", ReasonKind.REPRODUCTION_NOT_RUN, text)
    reproduction = Reproduction(path, suite, package_files(overlay, path))
    change = describe_change(
        read_diff(case.fix.patch), trees.base.source, trees.patched.source, suite, path, new_marker()
    )
    attempts = run_everywhere(
        case.environment, trees, reproduction, change.controls,
        lambda module: _has_module(case.checkout.base, suite.root, module),
    )  # fmt: skip
    decision = proof.decide(attempts, _fault(case), change, case.fix.base_commit)
    return _record(attempts, decision)


def _verify_by_command(
    case: _Case, overlay: Overlay, trees: Trees, path: str, words: Command
) -> Verification:
    """A draft at best: an exit code shows neither which tests ran nor what they executed."""
    root = case.project.root
    command = tuple(word.replace("{path}", path.removeprefix(f"{root}/") if root else path) for word in words)
    base = trees.base.planted(trees.base.source.planted(package_files(overlay, path)))
    before, after = compare_reproduction(case.environment, base, trees.patched, root, command)
    name = " ".join(command)
    if "not run" in (before.outcome, after.outcome):
        failed = before if before.outcome == "not run" else after
        text = f"the reproduction could not be run ({failed.output.partition(chr(10))[0]})"
        verification = _without_runs("draft", ReasonKind.REPRODUCTION_NOT_RUN, text)
    elif before.outcome == "passed":
        verification = _without_runs(
            "rejected", ReasonKind.NOT_REPRODUCED, f"`{name}` passes without the patch"
        )
    elif after.outcome != "passed":
        verification = _without_runs("rejected", ReasonKind.STILL_FAILS, f"`{name}` fails with the patch")
    else:
        text = f"`{name}` fails without the patch and passes with it, but only its exit code is known"
        verification = _without_runs("draft", ReasonKind.UNPROVED, text)
    return verification.model_copy(
        update={"reproduction_before": before, "reproduction_after": after, "runs": (before, after)}
    )


def _fault(case: _Case) -> Fault:
    file, line = case.plan.cause.file, case.plan.cause.line
    text = (safe_bytes(case.checkout.base, file) or b"").decode(errors="replace") if file else ""
    lines = range(0)
    if line and file:
        lines = function_span(file, text, line) if is_javascript(file) else function_lines(text, line)
    readable_file = file if file and text else None
    return Fault(readable_file, lines, exception_names(case.evidence, file))


def _record(attempts: Attempts, decision: proof.Verdict) -> Verification:
    return Verification(
        decision=decision.decision,
        reasons=decision.reasons,
        reproduction_deployed=attempts.deployed.run,
        reproduction_before=attempts.base[0].run if attempts.base else None,
        reproduction_after=attempts.patched[0].run if attempts.patched else None,
        runs=tuple(attempt.run for attempt in attempts.all),
    )


def _without_runs(decision: proof.Decision, kind: ReasonKind, text: str) -> Verification:
    return Verification(decision=decision, reasons=(VerificationReason(kind=kind, text=text),))


def _has_module(tree: Path, root: str, module: str) -> bool:
    """True if the repository contains a module of that name in a folder that runners search."""
    folders = (tree, tree / root, tree / root / "src", tree / root / "tests", tree / root / "test")
    return any((folder / f"{module}.py").exists() or (folder / module).exists() for folder in folders)


# ---- the repository's own checks ----


def _check_all(case: _Case, trees: Trees) -> list[CheckResult]:
    base, patched, project = trees.base, trees.patched, case.project
    suites = [compare_suite(case.environment, base, patched, suite) for suite in project_suites(project)]
    return suites + [
        compare_command(case.environment, base, patched, project.root, command)
        for command in project.check_commands
    ]


def _decide(verification: Verification, results: list[CheckResult], *, deployment: bool) -> Verification:
    """The decision of the reproduction, lowered by the results of the checks."""
    regressions = [text for result in results for text in result.regressions]
    reasons = [*verification.reasons, *(gap for result in results for gap in result.gaps)]
    decision = "draft" if reasons else verification.decision
    if deployment:
        text = "only a deployment shows whether the platform builds and starts the service"
        reasons.append(VerificationReason(kind=ReasonKind.NEEDS_DEPLOYMENT, text=text))
        decision = "draft"
    if regressions:
        decision = "rejected"
        reasons = [VerificationReason(kind=ReasonKind.CHECK_REGRESSED, text=text) for text in regressions]
    return verification.model_copy(
        update={
            "decision": decision,
            "reasons": tuple(reasons),
            "checks": tuple(result.check for result in results),
            "runs": (*verification.runs, *(run for result in results for run in result.runs)),
            "notes": (*verification.notes, *(note for result in results for note in result.notes)),
        }
    )
