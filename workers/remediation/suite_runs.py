"""Runs a suite on a fresh copy of a tree under a host's runner, and records what the runner reported."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workers.clients.git import safe_read
from workers.models import Run
from workers.remediation.installation import PreparedTree
from workers.remediation.node_coverage import read_coverage
from workers.remediation.run_trees import RunFolder, find_edits, find_new_sources, fresh_copy
from workers.remediation.sandboxed_commands import (
    CheckEnvironment,
    base_variables,
    run_command,
    source_folders,
)
from workers.remediation.suites import Suite
from workers.remediation.test_output import ANSI_ESCAPES
from workers.remediation.test_results import NO_REPORT, Report, read_report
from workers.runtime.redaction import redact
from workers.sandbox.commands import CommandResult

RUNNERS = Path(__file__).with_name("runners")
OUTPUT_LIMIT = 4_000  # characters of output that a Run keeps: the last failure with its stack
REPORT_BYTES = 64_000_000  # report of one run, see MAX_EVENT_BYTES of the guard
COVERAGE_FOLDER = "v8"
MAX_COVERAGE_FILES = 64  # files, one per process of a run
MAX_COVERAGE_BYTES = 20_000_000  # size of one file; a service with all its packages fills about 5 MB
ZONES = ("UTC", "Etc/GMT+7", "Etc/GMT-5")
"""Time zones of the first, second and third run: a result may not depend on one."""


@dataclass(frozen=True)
class Observation:
    """The conditions of a run, and the file whose executed lines are recorded.

    Attributes:
        number: selects order, time zone and hash seed, which differ from run to run.
        reproduction: path of the new test or script; empty for a suite, of which nothing is recorded.
    """

    number: int = 0
    reproduction: str = ""


@dataclass(frozen=True)
class SuiteResult:
    """One run: the report, and the record for people.

    Attributes:
        edits: files of the tree that the run changed, deleted or, for sources, created.
        output: the end of what the command printed, as it is.
        exceeded: the bound that ended the run.
        started: False if the dependencies could not be installed.
    """

    report: Report
    run: Run
    timed_out: bool = False
    edits: tuple[str, ...] = ()
    output: str = ""
    exceeded: str = ""
    started: bool = True


def run_suite(
    environment: CheckEnvironment, prepared: PreparedTree, suite: Suite, observation: Observation, *,
    name: str, seconds: float,
) -> SuiteResult:  # fmt: skip
    """Run the suite on a fresh copy of the prepared tree.

    Args:
        name: the run's name for people.
        seconds: deadline of the command.
    """
    if prepared.error:
        run_record = Run(name=name, command=suite.command, outcome="not run", output=prepared.error)
        return SuiteResult(NO_REPORT, run_record, started=False)
    with fresh_copy(prepared.source, environment.folder) as run:
        result = _run(environment, prepared, suite, observation, run, seconds)
        ended = time.monotonic()
        report = read_report(result.report) if result.report else NO_REPORT
        if not suite.is_python and observation.reproduction:
            report = _with_coverage(report, prepared, observation, run)
        # Without a report the tests ran until the command ended.
        tested = report.seconds or result.seconds
        environment.busy.append((ended - tested, ended))
        if result.timed_out:
            report = replace(report, problem=f"did not end within {seconds:.0f} s")
        elif result.exceeded:
            report = replace(report, problem=f"was ended at its limit of {result.exceeded}")
        edits: list[str] = []
        if observation.reproduction:
            edits = [*find_edits(prepared.source, run), *find_new_sources(prepared.source, run)]
        record = record_run(environment, name, suite.command, result, run.tree, tested)
    return SuiteResult(report, record, result.timed_out, tuple(edits), result.output, result.exceeded)


def record_run(
    environment: CheckEnvironment, name: str, command: str, result: CommandResult, tree: Path, seconds: float
) -> Run:
    """The run for people, with an outcome by the exit code; the caller replaces it by that of the report."""
    # The temporary folder of the tree is meaningless to readers: paths are shown relative to the repository.
    plain = ANSI_ESCAPES.sub("", result.output).replace(f"{tree.resolve()}/", "").replace(f"{tree}/", "")
    return Run(
        name=name,
        command=command,
        outcome="passed" if result.code == 0 else "failed",
        output=redact(plain, environment.secrets)[-OUTPUT_LIMIT:].strip(),
        seconds=round(seconds, 2),
    )


def run_variables(prepared: PreparedTree, root: str, run: RunFolder, number: int) -> dict[str, str]:
    """The environment of one run; time zone and hash seed follow from its number."""
    variables = base_variables(run.tree, root, prepared.venv, run.home, run.tmp)
    return variables | {
        "TZ": ZONES[number % len(ZONES)],
        "PYTHONHASHSEED": str(1 + secrets.randbelow(4_000_000_000)),
    }


def _run(
    environment: CheckEnvironment, prepared: PreparedTree, suite: Suite, observation: Observation,
    run: RunFolder, seconds: float,
) -> CommandResult:  # fmt: skip
    variables = run_variables(prepared, suite.root, run, observation.number)
    if not suite.is_python and observation.reproduction:
        variables["NODE_V8_COVERAGE"] = str(run.tmp / COVERAGE_FOLDER)
    job = _job(prepared, suite, observation, run, variables)
    path = run.tmp / f"{secrets.token_hex(8)}.json"
    path.write_text(json.dumps(job))
    guard = (str(Path(sys.base_prefix, "bin", "python3")), "-I", "-S", str(RUNNERS / "guard.py"), str(path))
    return run_command(
        environment, guard, cwd=run.tree / suite.root, writable=[run.top],
        readable=[RUNNERS, *readable_folders(prepared)], variables=variables, seconds=seconds,
        report_bytes=REPORT_BYTES,
    )  # fmt: skip


def _with_coverage(
    report: Report, prepared: PreparedTree, observation: Observation, run: RunFolder
) -> Report:
    """The report with the lines that V8 counted. The tests' own processes write these files."""
    folder = run.tmp / COVERAGE_FOLDER
    names = sorted(path.name for path in folder.iterdir())[:MAX_COVERAGE_FILES] if folder.is_dir() else []
    texts = [text for name in names if (text := safe_read(folder, name, max_bytes=MAX_COVERAGE_BYTES))]

    def read_source(path: str) -> str | None:
        return prepared.source.text(path) if "node_modules" not in path.split("/") else None

    coverage = read_coverage(texts, str(run.tree.resolve()), read_source)
    own = f"{observation.reproduction}:"
    functions = frozenset(name for name in coverage.functions if not name.startswith(own))
    loaded = tuple(sorted(set(coverage.lines) - {observation.reproduction}))
    return replace(report, lines=coverage.lines, functions=functions, loaded=loaded)


def readable_folders(prepared: PreparedTree) -> list[Path]:
    """The installed dependencies, which a run can read and not change."""
    return [*([prepared.venv] if prepared.venv else []), *prepared.source.modules.values()]


def _job(
    prepared: PreparedTree, suite: Suite, observation: Observation, run: RunFolder, variables: dict[str, str]
) -> dict[str, Any]:
    cwd = str(run.tree / suite.root)
    if suite.is_python:
        interpreter = (
            prepared.venv / "bin" / "python3" if prepared.venv else Path(sys.base_prefix, "bin/python3")
        )
        task = {
            "kind": suite.kind, "tree": str(run.tree), "reproduction": observation.reproduction,
            "path": source_folders(run.tree, suite.root) or [cwd],
            "argv": _argv(suite), "order": observation.number, "places": suite.place_values(),
            "arguments": list(suite.arguments),
        }  # fmt: skip
        # PYTHONPATH would let the repository stand in front of the runner; the runner sets the path itself.
        own = {name: value for name, value in variables.items() if name != "PYTHONPATH"}
        argv = [str(interpreter), "-P", str(RUNNERS / "python_tests.py")]
        return {"argv": argv, "env": own | {"PYTHONPATH": ""}, "cwd": cwd, "stdin": True, "task": task}
    return {"argv": node_argv(suite, run.tree), "env": {}, "cwd": cwd, "stdin": False, "task": {}}


def _argv(suite: Suite) -> Sequence[str]:
    if suite.kind == "script":
        return suite.arguments
    return ["pytest", *suite.arguments] if suite.kind == "pytest" else ["python3 -m unittest"]


def node_argv(suite: Suite, tree: Path) -> list[str]:
    """The command that runs a Node.js suite with the host's reporter."""
    if suite.kind == "node script":
        return ["node", f"--import={RUNNERS / 'node_script.mjs'}", *suite.arguments]
    if suite.kind in ("node", "tsx"):
        imports = ["--import", "tsx"] if suite.kind == "tsx" else []
        reporter = [f"--test-reporter={RUNNERS / 'node_reporter.mjs'}", "--test-reporter-destination=stdout"]
        return ["node", *imports, "--test", *reporter, *suite.arguments]
    tool = str(tree / suite.root / "node_modules" / ".bin" / suite.kind)
    options = {
        "vitest": ["run", f"--reporter={RUNNERS / 'vitest_reporter.mjs'}"],
        # The option takes every word up to the next option.
        "jest": [f"--reporters={RUNNERS / 'jest_reporter.cjs'}", "--ci", "--no-cache"],
        "mocha": ["--reporter", str(RUNNERS / "mocha_reporter.cjs")],
    }[suite.kind]
    return [tool, *options, *suite.arguments]
