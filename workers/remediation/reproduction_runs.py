"""Runs the reproduction of a fix on trees where it must fail, where it must pass, and with its counter-checks."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

from workers.models import Run
from workers.remediation.counter_checks import ControlFiles
from workers.remediation.installation import PreparedTree
from workers.remediation.run_trees import Overlay
from workers.remediation.sandboxed_commands import CheckEnvironment
from workers.remediation.suite_runs import Observation, SuiteResult, run_suite
from workers.remediation.suites import Suite
from workers.remediation.test_output import load_error, missing_dependency, runner_error

LOAD_FAILURE = re.compile(r"^unittest\.loader\.|^(?:setUp|tearDown)|\.(?:py|[cm]?[jt]sx?)$")
"""Ids that stand for a file that could not be loaded, or for a module or class that could not be set up."""
PARALLEL_RUNS = 2  # runs of one verification at a time: more would slow each other down on a small machine

Outcome = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Attempt:
    """One run of the reproduction, classified.

    Attributes:
        reason: a sentence for people if the outcome needs one.
        unloadable: the reproduction cannot be loaded, or calls code that does not exist.
    """

    result: SuiteResult
    outcome: Outcome
    reason: str = ""
    unloadable: bool = False

    @property
    def run(self) -> Run:
        return self.result.run

    @property
    def timed_out(self) -> bool:
        return self.result.timed_out


@dataclass(frozen=True)
class Trees:
    """The prepared trees: the deployed commit, the base commit, and the base with what the patch may change."""

    deployed: PreparedTree
    base: PreparedTree
    patched: PreparedTree


@dataclass(frozen=True)
class Attempts:
    """All runs that were needed; a later one is missing if an earlier one made it pointless."""

    deployed: Attempt
    base: tuple[Attempt, ...] = ()
    patched: tuple[Attempt, ...] = ()
    controls: dict[str, Attempt] = field(default_factory=dict)

    @property
    def all(self) -> list[Attempt]:
        """Every run once, in the order of the proof."""
        first = [] if self.deployed in self.base else [self.deployed]
        return [*first, *self.base, *self.patched, *self.controls.values()]


@dataclass(frozen=True)
class Reproduction:
    """The reproduction and how it runs.

    Attributes:
        path: relative to the repository.
        files: the reproduction and the empty package files that it needs, for trees without the patch.
    """

    path: str
    suite: Suite
    files: Overlay


def run_everywhere(
    environment: CheckEnvironment, trees: Trees, reproduction: Reproduction, controls: Sequence[ControlFiles],
    is_own_module: Callable[[str], bool],
) -> Attempts:  # fmt: skip
    """Run the reproduction on the trees, twice each in differing circumstances, and then its counter-checks."""

    def attempt(tree: PreparedTree, number: int, name: str, files: Overlay) -> Attempt:
        prepared = replace(tree, source=tree.source.planted(files))
        observation = Observation(number, reproduction.path)
        result = run_suite(
            environment, prepared, reproduction.suite, observation, name=f"reproduction {name}",
            seconds=environment.reproduction_seconds,
        )  # fmt: skip
        return classify(result, reproduction.path, is_own_module)

    with ThreadPoolExecutor(PARALLEL_RUNS) as pool:
        own = reproduction.files
        same = trees.deployed is trees.base
        deployed = attempt(trees.deployed, 0, "on the deployed commit", own)
        if deployed.outcome == "passed" or deployed.unloadable:
            return Attempts(deployed)
        base = deployed if same else attempt(trees.base, 0, "on the base commit", own)
        if base.outcome == "passed" or base.unloadable:
            return Attempts(deployed, (base,))
        # A hang is not repeated: it would only cost another full deadline.
        again = (
            None if base.timed_out else pool.submit(attempt, trees.base, 1, "on the base commit, again", own)
        )
        patched = attempt(trees.patched, 0, "with the patch", {})
        second = again.result() if again else base
        if patched.outcome != "passed" or second.outcome == "passed":
            return Attempts(deployed, (base, second), (patched,))
        jobs = {
            control.name: pool.submit(attempt, trees.patched, 0, control.name, control.files)
            for control in controls
        }
        repeated = attempt(trees.patched, 1, "with the patch, again", {})
        results = {name: job.result() for name, job in jobs.items()}
    return Attempts(deployed, (base, second), (patched, repeated), results)


def classify(result: SuiteResult, path: str, is_own_module: Callable[[str], bool]) -> Attempt:
    """The outcome that the report of one run shows; text and exit code show no success."""
    outcome, reason, unloadable = _classify(result, path, is_own_module)
    report = result.report
    run = result.run.model_copy(
        update={
            "outcome": outcome, "passed": len(report.ids("passed")), "failed": len(report.ids("failed")),
            "output": f"{reason}\n{result.run.output}".strip() if reason else result.run.output,
        }
    )  # fmt: skip
    return Attempt(replace(result, run=run), outcome, reason, unloadable)


def _classify(
    result: SuiteResult, path: str, is_own_module: Callable[[str], bool]
) -> tuple[Outcome, str, bool]:
    if result.run.outcome == "not run":
        return "not run", result.run.output, False
    report = result.report
    failed = [report.tests[name] for name in sorted(report.ids("failed"))]
    text = "\n".join(test.text for test in failed)
    # A file that cannot be loaded says so in its output only, and a process that ended early everything.
    if report.problem or any(LOAD_FAILURE.search(name) for name in report.ids("failed")):
        text = f"{text}\n{result.output}"
    if module := missing_dependency(text, is_own_module):
        return "not run", f"module {module} is not installed", False
    if failed and (error := load_error(text, path)):
        return "failed", f"the reproduction could not be loaded: {error}", True
    if report.problem:
        missing = "" if report.tests else runner_error(result.run.output)
        return (
            ("not run", f"the test runner is not installed: {missing}", False)
            if missing
            else ("failed", report.problem, False)
        )
    if failed:
        return "failed", "", False
    if not report.tests:
        return "not run", "no test ran", False
    if not report.ids("passed"):
        return "not run", "every test was skipped", False
    return "passed", "", False


def new_marker() -> str:
    """A text that no repository contains: the error of a counter-check."""
    return f"counter-check {secrets.token_hex(8)}"
