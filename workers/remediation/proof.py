"""What the host proved of a fix: it saw the trouble, saw it gone, and saw nothing else get worse.

Everything runs behind the wall on throw-away copies. A reproduction must fail on the deployed commit and on the
base, and pass with the patch, twice each: one that flips by itself proves nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from workers.clients.git import Repositories, safe_bytes, safe_write
from workers.errors import Refused
from workers.models import Category, Check, Fix, Plan, Verdict, Verification
from workers.models import Repository as Place
from workers.remediation import patch_policy
from workers.remediation.checks import (
    REPRODUCTION_SECONDS,
    CheckEnvironment,
    Result,
    run_check,
    run_reproduction,
)
from workers.remediation.project import Command, Project, read_project
from workers.sandbox.sandbox import Sandbox

Decision = Literal["ready", "draft", "rejected", "already fixed"]


NAMED_ERROR = re.compile(r"(?:E\s+)?(?:[\w.]+(?:Error|Exception|Failure)|Assertion\w*)\b.{0,20}:")


@dataclass(frozen=True)
class Reproductions:
    """The same file on three trees; None where it was not asked any more."""

    deployed: Result
    before: Result | None = None
    after: Result | None = None
    steady: bool = True


def verify(
    fix: Fix,
    plan: Plan,
    verdict: Verdict,
    repository: Place,
    *,
    service: str,
    repositories: Repositories,
    wall: Sandbox,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda _process: None,
    alive: Callable[[], None] = lambda: None,
    secrets: tuple[str, ...] = (),
    reproduction_seconds: float = REPRODUCTION_SECONDS,
) -> Verification:
    """Whether the fix is ready, a draft, refused or not needed any more, with the runs that show it.

    Raises GitHubBusy or GitHubRefused when the code cannot be had, and what `alive` raises.
    """
    with _trees(repositories, repository, fix) as (deployed, before, after, folder):
        try:
            project = read_project(before, repository.root, service)
        except Refused as error:
            return Verification(decision="rejected", reasons=(str(error),))
        lane = (
            Category.DEPLOYMENT if Category.DEPLOYMENT in (verdict.category, plan.verdict) else Category.CODE
        )
        seen = patch_policy.check_patch(
            fix.patch, before, after, lane=lane, protected=project.protected, secrets=secrets
        )
        if seen.refusals:
            return Verification(decision="rejected", reasons=seen.refusals, notes=seen.notes)
        bench = CheckEnvironment(wall, folder, on_start, alive, secrets, reproduction_seconds)
        made = _run_all(bench, project, fix, plan, lane, (deployed, before, after))
        return made.model_copy(update={"notes": seen.notes})


def _run_all(
    bench: CheckEnvironment,
    project: Project,
    fix: Fix,
    plan: Plan,
    lane: Category,
    trees: tuple[Path, Path, Path],
) -> Verification:
    """The reproduction first; the checks only where it leaves something to propose."""
    deployed, before, after = trees
    with _planted(fix, after, [deployed, before]) as path:
        made = _judge_reproduction(fix, plan, _reproduce(bench, project, fix, plan, path, trees))
    if made.decision in ("rejected", "already fixed"):
        return made
    projects = (project, _with_new_needs(project, after, fix))
    return _decide(made, [_check(bench, projects, command, before, after) for command in project.check], lane)


# ---- the reproduction ------------------------------------------------------------------------


def _reproduce(
    bench: CheckEnvironment,
    project: Project,
    fix: Fix,
    plan: Plan,
    path: str | None,
    trees: tuple[Path, Path, Path],
) -> Reproductions | None:
    """None where there is nothing to run."""
    deployed, before, after = trees
    if path is None or plan.reproduction.kind not in ("test", "script"):
        return None
    kind = plan.reproduction.kind
    patched = _with_new_needs(project, after, fix)

    def run(tree: Path) -> Result:
        return run_reproduction(bench, tree, patched if tree == after else project, path, kind)

    first = run(deployed)
    if first.outcome == "passed" or first.judgement.unloadable:
        return Reproductions(first)
    second = first if deployed == before else run(before)
    if second.outcome == "passed" or second.judgement.unloadable:
        return Reproductions(first, second)
    third = run(after)
    steady = third.outcome != "passed" or second.outcome != "failed" or _again(run, before, after, second)
    return Reproductions(first, second, third, steady)


def _again(run: Callable[[Path], Result], before: Path, after: Path, second: Result) -> bool:
    """It fails and passes once more; a hang is not waited for twice."""
    fails = second.judgement.why.startswith("it did not end") or run(before).outcome == "failed"
    return fails and run(after).outcome == "passed"


@contextmanager
def _planted(fix: Fix, after: Path, trees: list[Path]) -> Iterator[str | None]:
    """The reproduction's path, while it stands in trees without the patch; None where nobody wrote it.

    With it go the new empty package files on its way, so that it can be imported at all.
    """
    path = fix.reproduction_path
    content = safe_bytes(after, path) if path else None
    if path is None or content is None:
        yield None
        return
    packages = [
        file for file in fix.files if file.endswith("/__init__.py") and safe_bytes(after, file) == b""
    ]
    files = {file: b"" for file in packages if path.startswith(file.removesuffix("__init__.py"))} | {
        path: content
    }
    former = {(tree, file): safe_bytes(tree, file) for tree in trees for file in files}
    for tree, file in former:
        safe_write(tree, file, files[file])
    yield path
    for (tree, file), text in former.items():
        safe_write(tree, file, text)


def _with_new_needs(project: Project, after: Path, fix: Fix) -> Project:
    """The project, with what the patch adds to its dependencies (which limits allow for a failed deployment)."""
    names = {file.rsplit("/", 1)[-1] for file in fix.files}
    if not any(
        name in ("package.json", "pyproject.toml", "Pipfile") or "requirements" in name for name in names
    ):
        return project
    patched = read_project(after, project.root, "")
    return replace(project, python_needs=patched.python_needs, node_needs=patched.node_needs)


def _judge_reproduction(fix: Fix, plan: Plan, shown: Reproductions | None) -> Verification:
    """`ready` here means: as far as the reproduction goes."""
    kind = plan.reproduction.kind
    if kind in ("load", "none"):
        why = (
            "the trouble shows only under load, which was not replayed"
            if kind == "load"
            else "nothing reproduces it"
        )
        return Verification(decision="draft", reasons=(f"unproved: {why}",))
    if shown is None:
        wanted = plan.reproduction.path or fix.reproduction_path
        return Verification(decision="rejected", reasons=(f"the reproduction {wanted} was not written",))
    decision, reason = _weigh(fix, shown)
    return Verification(
        decision=decision,
        reproduction_deployed=shown.deployed.run,
        reproduction_before=shown.before.run if shown.before else None,
        reproduction_after=shown.after.run if shown.after else None,
        reasons=(reason,) if reason else (),
    )


def _weigh(fix: Fix, shown: Reproductions) -> tuple[Decision, str]:
    deployed, before, after = shown.deployed, shown.before, shown.after
    for result in (deployed, before):
        if result and result.judgement.unloadable:
            return "rejected", f"{result.judgement.why}: it shows nothing about the trouble"
    if before is None:
        return "rejected", "the reproduction passes on the deployed commit: it does not show the trouble"
    if after is None:
        if deployed.outcome == "failed":
            return "already fixed", f"already mended in {fix.base_commit[:12]}, deploy it"
        return "rejected", "the reproduction passes without the patch"
    if after.outcome == "failed":
        return "rejected", f"the reproduction still fails with the patch: {_end_of(after)}"
    runs = (("on the deployed commit", deployed), ("on the base branch", before), ("with the patch", after))
    for where, result in runs:
        if result.outcome == "not run":
            return "draft", f"unproved: the reproduction could not be run {where} ({result.judgement.why})"
    if not shown.steady:
        return "rejected", "the reproduction does not give the same result twice"
    return "ready", ""


def _end_of(result: Result) -> str:
    """The last error that a run names, else its last line: a runner's sum says less than the error."""
    lines = [line.strip() for line in result.run.output.splitlines() if line.strip()]
    named = [line for line in lines if NAMED_ERROR.match(line)]
    return (named or lines or ["without a word"])[-1][:200]


# ---- the repository's own checks -------------------------------------------------------------


def _check(
    bench: CheckEnvironment, projects: tuple[Project, Project], command: Command, before: Path, after: Path
) -> tuple[Check, str]:
    """The check on both trees, and a sentence where it got worse; what is worse is looked at twice."""
    project, patched = projects
    first, second = run_check(bench, before, project, command), run_check(bench, after, patched, command)
    worse = _worse(first, second)
    if worse:
        second = run_check(bench, after, patched, command)
        worse = _worse(first, second)
    return Check(before=first.run, after=second.run), worse


def _worse(before: Result, after: Result) -> str:
    name = after.run.command
    if before.outcome == "passed" and after.outcome != "passed":
        return f"the check `{name}` passed before and is {after.outcome} with the patch: {_end_of(after)}"
    fresh = sorted(after.judgement.failures - before.judgement.failures)
    if before.outcome == after.outcome == "failed" and fresh:
        return f"the check `{name}` fails in more places with the patch: {', '.join(fresh[:3])}"
    return ""


def _decide(made: Verification, checked: list[tuple[Check, str]], lane: Category) -> Verification:
    checks, worse = tuple(check for check, _ in checked), [said for _, said in checked if said]
    if worse:
        return made.model_copy(update={"decision": "rejected", "checks": checks, "reasons": tuple(worse)})
    unproved = [*made.reasons]
    for check in checks:
        if check.after.outcome == "not run":
            why = check.after.output.partition("\n")[0]
            unproved.append(f"unproved: the check `{check.after.command}` could not be run here ({why})")
    if lane is Category.DEPLOYMENT:
        unproved.append("unproved: whether the platform builds and starts it, which only a deployment shows")
    decision: Decision = "draft" if unproved else "ready"
    return made.model_copy(update={"decision": decision, "checks": checks, "reasons": tuple(unproved)})


# ---- trees -----------------------------------------------------------------------------------


@contextmanager
def _trees(repositories: Repositories, place: Place, fix: Fix) -> Iterator[tuple[Path, Path, Path, Path]]:
    """The deployed commit, the base, the base with the patch, and an empty folder; gone afterwards."""
    with ExitStack() as stack:

        def kept(path: Path) -> Path:
            stack.callback(repositories.discard, path)
            return path

        before = kept(repositories.checkout(place.name, fix.base_commit))
        after = kept(repositories.apply(place.name, fix.base_commit, fix.patch))
        same = place.deployed == fix.base_commit
        deployed = before if same else kept(repositories.checkout(place.name, place.deployed))
        yield deployed, before, after, kept(repositories.scratch_dir())
