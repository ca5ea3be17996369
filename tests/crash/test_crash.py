"""A worker crashes at each boundary of the pipeline and restarts; the final state is the one without a crash.

A boundary is a Redis command, an HTTP request, a git command, a call of the agent or a message to the queue. A crash
before it loses the call, a crash after it loses the answer. `pytest -s` prints the number of boundaries.
"""

from __future__ import annotations

import ast
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.crash.boundaries import UNTRACKED_IO, Process, When
from tests.crash.pipeline import CrashablePipeline
from tests.crash.runner import CrashRunner
from tests.crash.scenarios import SCENARIOS, Scenario
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.clients.slack import Slack
from workers.engine import scripts
from workers.engine.scripts import Script
from workers.engine.stage_table import STAGES
from workers.runtime.store import client

ROOT = Path(__file__).parents[2]
BEFORE_AND_AFTER: tuple[When, When] = ("before", "after")
RunnerOf = Callable[[Scenario], CrashRunner]
CLIENTS = {"railway": Railway, "github": GitHub, "slack": Slack, "repositories": Repositories}

NOT_CROSSED = {
    "renew_lease": "renews leases, from a thread beside the pipeline; every crash here is a lease that is not renewed",
    "bring_forward": "reschedules after a dropped message; without it the journal is due a little later",
    "start_watchdog": "runs once at the start of a worker, set-if-absent",
    "PING": "a health check of the lease renewer, which changes nothing",
    "adopt_unknown_stage": "only after no newer worker came for a quarter of an hour",
    "HKEYS": "read for adopt_unknown_stage",
    "append_audit": "a person's action that changes nothing; it is no stage",
    "decide": "a person pauses, mutes or snoozes; it is no stage, and one transaction",
    "undo_decision": "a person ends a decision; it is no stage, and one transaction",
    "LRANGE": "reads the decisions that ended, for people",
    "XREVRANGE": "reads the audit, for people",
    "HSET": "an alert names a service that none of several environments has",
    "EXPIRE": "keeps the memory of chronic trouble that was cancelled; set again by every sweep",
}
"""Commands in modules of the pipeline that no stage runs, and why."""
NOT_CALLED = {
    "Railway.environments": "the environment of a project token, if TRACKWALKER_ENVIRONMENTS is not set: a read",
    "Railway.build_logs": "a read like the others of `enrich`, for a deployment that never succeeded",
    "Railway.dns_answers": "a read like the others of `enrich`, for trouble with a call",
    "Railway.network_flows": "a read like the others of `enrich`, for trouble with a call",
    "Repositories.head": "a read like the others of `enrich`, if Railway names no commit",
    "Slack.delete": "deletes the younger of two messages, which only two workers at once can post",
}
"""Methods that stages call in no scenario, and why."""


@pytest.fixture(scope="module")
def connection(store_url: str) -> Iterator[redis.Redis]:
    """A connection that all scenarios share; only workers crash here, never Redis."""
    connection = client(store_url)
    yield connection
    connection.flushall()
    connection.close()


@pytest.fixture(scope="module")
def runner_of(connection: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunnerOf]:
    """The runner of a scenario that ran once undisturbed; one per scenario."""
    runners: dict[str, CrashRunner] = {}

    def runner_of_scenario(scenario: Scenario) -> CrashRunner:
        if scenario.name not in runners:
            connection.flushall()
            pipeline = CrashablePipeline(connection, tmp_path_factory.mktemp("pipeline"), scenario)
            runners[scenario.name] = CrashRunner(pipeline).run_undisturbed()
        return runners[scenario.name]

    yield runner_of_scenario
    for runner in runners.values():
        runner.pipeline.external.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_undisturbed_run_reaches_a_good_end_through_all_stages(
    scenario: Scenario, runner_of: RunnerOf
) -> None:
    runner = runner_of(scenario)

    print(table(scenario, runner))

    assert {problem for wrong in runner.problems_by_state.values() for problem in wrong} == set()
    assert {boundary.stage for boundary in runner.boundaries} == set(scenario.stages)
    assert set(scenario.stages) <= {"receiver", "dispatch", *STAGES}
    assert UNTRACKED_IO.take_events() == []


@pytest.mark.parametrize(
    ("scenario", "stage"),
    [(scenario, stage) for scenario in SCENARIOS for stage in scenario.crash_in],
    ids=lambda value: value.name if isinstance(value, Scenario) else value,
)
def test_a_crash_at_any_boundary_leads_to_the_same_final_state(
    scenario: Scenario, stage: str, runner_of: RunnerOf
) -> None:
    runner, wrong = runner_of(scenario), list[str]()
    points = [point for point in runner.boundaries if scenario.crashes_at(point)]
    # An incoming webhook cannot be read, so a late message cannot be told from a second one.
    lagging = (
        (False, True) if stage == "notify" and "SLACK_WEBHOOK_URL" not in scenario.settings else (False,)
    )

    for boundary in [point for point in points if point.stage == stage]:
        for lag in lagging:
            for when in BEFORE_AND_AFTER:
                wrong += runner.crash_at(boundary, when, lag=lag)

    assert wrong == []
    assert {point.stage for point in points} == set(scenario.crash_in)
    assert UNTRACKED_IO.take_events() == []


def test_every_call_of_the_pipeline_to_the_outside_is_a_boundary(
    runner_of: RunnerOf,
) -> None:
    crossed, called = set[str](), set[str]()
    for scenario in SCENARIOS:
        runner = runner_of(scenario)
        if scenario.after:
            runner.crash_at(
                next(boundary for boundary in runner.boundaries if boundary.name == scenario.after), "after"
            )
            runner.pipeline.start_process(Process())
        crossed |= {word for boundary in runner.boundaries for word in boundary.name.split()}
        crossed |= runner.pipeline.crossed_names
        called |= runner.pipeline.methods

    assert pipeline_scripts() - crossed - set(NOT_CROSSED) == set()
    assert pipeline_commands() - crossed - set(NOT_CROSSED) == set()
    assert pipeline_methods() - called - set(NOT_CALLED) == set()
    assert set(NOT_CROSSED) & crossed == set()
    assert set(NOT_CALLED) & called == set()


def test_io_beside_the_boundaries_is_recorded() -> None:
    with socket.socket() as stranger, UNTRACKED_IO.watching():
        stranger.connect_ex(("127.0.0.1", 9))

    assert ["socket.connect" in event for event in UNTRACKED_IO.take_events()] == [True]


# ---- calls to the outside, read from the source ----------------------------------------------


def pipeline_modules() -> dict[str, ast.Module]:
    """The syntax tree of every module that the actors can reach, by its name."""
    trees: dict[str, ast.Module] = {}
    waiting = ["workers.pipeline.worker", "workers.engine.dispatcher"]
    while waiting:
        name = waiting.pop()
        path = ROOT / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in trees or not path.is_file():
            continue
        trees[name] = tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workers"):
                waiting += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return trees


def pipeline_scripts() -> set[str]:
    """The scripts that those modules name: `scripts.ADVANCE`."""
    named = {
        getattr(scripts, node.attr, None)
        for tree in pipeline_modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "scripts"
    }
    return {script.name for script in named if isinstance(script, Script)}


def pipeline_commands() -> set[str]:
    """Plain Redis commands: `journal.command("hget", …)`."""
    return {
        str(node.args[0].value).upper()
        for tree in pipeline_modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "command"
        if node.args and isinstance(node.args[0], ast.Constant)
    }


def pipeline_methods() -> set[str]:
    """Methods of the clients that are called on a variable named like one."""
    methods = set()
    for tree in pipeline_modules().values():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on = node.func.value
            name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else ""
            kind = CLIENTS.get(name)
            if kind is not None and callable(getattr(kind, node.func.attr, None)):
                methods.add(f"{kind.__name__}.{node.func.attr}")
    return methods


def table(scenario: Scenario, runner: CrashRunner) -> str:
    """The number of boundaries by stage and kind."""
    kinds = sorted({boundary.kind for boundary in runner.boundaries})
    count = Counter((boundary.stage, boundary.kind) for boundary in runner.boundaries)
    rows = [f"\n{scenario.name}: {len(runner.boundaries)} boundaries in {len(runner.before)} steps"]
    rows.append(f"{'':10}" + "".join(f"{kind:>9}" for kind in kinds) + f"{'crashes':>10}")
    for stage in scenario.stages:
        numbers = "".join(f"{count[stage, kind] or '':>9}" for kind in kinds)
        crashes = sum(
            1 for boundary in runner.boundaries if boundary.stage == stage and scenario.crashes_at(boundary)
        )
        rows.append(f"{stage:10}{numbers}{crashes:>10}")
    return "\n".join(rows)
