"""Runs the reproduction of a fix on three trees and decides what the results show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from workers.clients.git import safe_bytes, safe_write
from workers.models import Fix, Plan, ReasonKind, Verification, VerificationReason
from workers.remediation.checks import CheckEnvironment, RunResult, describe_failure, run_reproduction
from workers.remediation.project import Project, with_patched_requirements

Decision = Literal["ready", "draft", "rejected", "already fixed"]


class Trees(NamedTuple):
    """Copies of the repository. `deployed` is `before` if the base branch is at the deployed commit."""

    deployed: Path
    before: Path
    """The base branch."""
    after: Path
    """The base branch with the patch."""


@dataclass(frozen=True)
class ReproductionResults:
    """The same test or script on the three trees; None if an earlier result made the run pointless."""

    deployed: RunResult
    before: RunResult | None = None
    after: RunResult | None = None
    stable: bool = True
    """The second run on each tree gave the same result as the first."""


def verify_reproduction(
    environment: CheckEnvironment, project: Project, fix: Fix, plan: Plan, trees: Trees
) -> Verification:
    """The verification without the repository's own checks: `ready` if the reproduction shows the fault and its fix."""
    kind = plan.reproduction.kind
    if kind == "load":
        return _without_runs("draft", ReasonKind.ONLY_UNDER_LOAD, "the fault shows only under load")
    if kind == "none":
        return _without_runs("draft", ReasonKind.NO_REPRODUCTION, "no test reproduces the fault")
    # Only one tree has the file from the patch; the other two get a copy while it runs.
    with _copied_reproduction(fix, trees.after, [trees.deployed, trees.before]) as path:
        if path is None:
            expected = plan.reproduction.path or fix.reproduction_path
            text = f"the agent did not write the reproduction {expected}"
            return _without_runs("rejected", ReasonKind.REPRODUCTION_MISSING, text)
        results = _run_on_trees(environment, project, fix, path, kind, trees)
    decision, reason = _decide(fix, results)
    return Verification(
        decision=decision,
        reproduction_deployed=results.deployed.run,
        reproduction_before=results.before.run if results.before else None,
        reproduction_after=results.after.run if results.after else None,
        reasons=(reason,) if reason else (),
    )


def _without_runs(decision: Decision, kind: ReasonKind, text: str) -> Verification:
    return Verification(decision=decision, reasons=(VerificationReason(kind=kind, text=text),))


def _run_on_trees(
    environment: CheckEnvironment, project: Project, fix: Fix, path: str, kind: str, trees: Trees
) -> ReproductionResults:
    patched = with_patched_requirements(project, trees.after, fix.files)

    def run(tree: Path) -> RunResult:
        return run_reproduction(environment, tree, patched if tree == trees.after else project, path, kind)

    deployed = run(trees.deployed)
    if deployed.outcome == "passed" or deployed.classification.unloadable:
        return ReproductionResults(deployed)
    before = deployed if trees.deployed == trees.before else run(trees.before)
    if before.outcome == "passed" or before.classification.unloadable:
        return ReproductionResults(deployed, before)
    after = run(trees.after)
    stable = after.outcome != "passed" or before.outcome != "failed" or _repeats(run, trees, before)
    return ReproductionResults(deployed, before, after, stable)


def _repeats(run: Callable[[Path], RunResult], trees: Trees, before: RunResult) -> bool:
    """True if the reproduction fails and passes a second time."""
    # A hang is not repeated: it would only cost another full deadline.
    fails = before.classification.timed_out or run(trees.before).outcome == "failed"
    return fails and run(trees.after).outcome == "passed"


@contextmanager
def _copied_reproduction(fix: Fix, after: Path, trees: list[Path]) -> Iterator[str | None]:
    """The path of the reproduction while it is also in trees without the patch; None if the patch has no such file.

    The patch's new, empty package files above it are copied too, because Python cannot import it without them.
    """
    path = fix.reproduction_path
    content = safe_bytes(after, path) if path else None
    if path is None or content is None:
        yield None
        return
    packages = [
        file for file in fix.files if file.endswith("/__init__.py") and safe_bytes(after, file) == b""
    ]
    files = {file: b"" for file in packages if path.startswith(file.removesuffix("__init__.py"))}
    files[path] = content
    original = {(tree, file): safe_bytes(tree, file) for tree in trees for file in files}
    for tree, file in original:
        safe_write(tree, file, files[file])
    yield path
    # The trees are removed soon, but the checks run on them first and must not find the reproduction.
    for (tree, file), text in original.items():
        safe_write(tree, file, text)


def _decide(fix: Fix, results: ReproductionResults) -> tuple[Decision, VerificationReason | None]:
    """The decision of the three runs and its reason; no reason if the fix is ready."""
    deployed, before, after = results.deployed, results.before, results.after
    for result in (deployed, before):
        if result and result.classification.unloadable:
            text = f"{result.classification.reason}: its failure says nothing about the fault"
            return "rejected", _reason(ReasonKind.REPRODUCTION_INVALID, text)
    if before is None:
        text = "the reproduction passes on the deployed commit: it does not show the fault"
        return "rejected", _reason(ReasonKind.NOT_REPRODUCED, text)
    if after is None and deployed.outcome == "failed":
        text = f"Already fixed in {fix.base_commit[:12]}, which is not deployed yet"
        return "already fixed", _reason(ReasonKind.ALREADY_FIXED, text)
    if after is None:
        return "rejected", _reason(ReasonKind.NOT_REPRODUCED, "the reproduction passes without the patch")
    if after.outcome == "failed":
        text = f"the reproduction still fails with the patch: {describe_failure(after)}"
        return "rejected", _reason(ReasonKind.STILL_FAILS, text)
    runs = (("on the deployed commit", deployed), ("on the base branch", before), ("with the patch", after))
    for place, result in runs:
        if result.outcome == "not run":
            text = f"the reproduction could not be run {place} ({result.classification.reason})"
            return "draft", _reason(ReasonKind.REPRODUCTION_NOT_RUN, text)
    if not results.stable:
        text = "the reproduction does not give the same result twice"
        return "rejected", _reason(ReasonKind.UNSTABLE, text)
    return "ready", None


def _reason(kind: ReasonKind, text: str) -> VerificationReason:
    return VerificationReason(kind=kind, text=text)
