"""Every death: for each boundary of the whole line, die there, live again, and all is as if nobody had died.

A boundary is a command of the store, an HTTP request, a git command, a call of the agent or a message to the queue;
who dies there has either not asked yet, or was answered and never knew. `pytest -s` prints how many there are.
"""

from __future__ import annotations

import ast
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.crash.boundaries import OUTSIDE, Process, When
from tests.crash.pipeline import Mortal
from tests.crash.runner import Lives
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
BOTH: tuple[When, When] = ("before", "after")
LivesOf = Callable[[Scenario], Lives]
CLIENTS = {"railway": Railway, "github": GitHub, "slack": Slack, "repositories": Repositories}

NOT_IN_THE_LINE = {
    "renew_lease": "renews a lease, from a thread beside the line; not renewed is what every death here is",
    "bring_forward": "brings a dropped message forward; without it the journal is due a little later",
    "start_watchdog": "said once at the start of a worker, set-if-absent",
    "PING": "asked by the pulse beside the line, and changes nothing",
    "adopt_unknown_stage": "a stage of a newer version, that is waited for in vain for a quarter of an hour",
    "HKEYS": "read for that",
    "HSET": "a person pauses or mutes (brakes)",
    "HDEL": "a person resumes (brakes)",
}
"""What modules of the line ask of the store, but no stage does."""
NOT_ASKED = {
    "Railway.environments": "a project token's own environment, where TRACKWALKER_ENVIRONMENTS is not set: a read",
    "Railway.build_logs": "a read like the others of `enrich`, for a deployment that never succeeded",
    "Repositories.head": "a read like the others of `enrich`, where Railway names no commit",
    "Slack.delete": "takes back the younger of two own posts, which only two workers at once can make",
}
"""Methods that a stage calls in other cases than these."""


@pytest.fixture(scope="module")
def connection(store_url: str) -> Iterator[redis.Redis]:
    """A store that need not survive the machine: what dies here is the worker."""
    made = client(store_url)
    made.config_set("appendfsync", "no")
    yield made
    made.flushall()
    made.config_set("appendfsync", "always")
    made.close()


@pytest.fixture(scope="module")
def lives_of(connection: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivesOf]:
    """A scenario, lived through once without a death; the same one whenever it is asked for."""
    known: dict[str, Lives] = {}

    def lives(scenario: Scenario) -> Lives:
        if scenario.name not in known:
            connection.flushall()
            line = Mortal(connection, tmp_path_factory.mktemp("line"), scenario)
            known[scenario.name] = Lives(line).undisturbed()
        return known[scenario.name]

    yield lives
    for one in known.values():
        one.line.outer.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_line_comes_to_a_good_end_through_all_its_stages(scenario: Scenario, lives_of: LivesOf) -> None:
    lives = lives_of(scenario)

    print(table(scenario, lives))

    assert {one for wrong in lives.known.values() for one in wrong} == set()
    assert {one.stage for one in lives.boundaries} == set(scenario.stages)
    assert set(scenario.stages) <= {"door", "move", *STAGES}
    assert OUTSIDE.heard() == []


@pytest.mark.parametrize(
    ("scenario", "stage"),
    [(scenario, stage) for scenario in SCENARIOS for stage in scenario.die_in],
    ids=lambda one: one.name if isinstance(one, Scenario) else one,
)
def test_who_dies_at_a_boundary_lives_again_and_ends_the_same(
    scenario: Scenario, stage: str, lives_of: LivesOf
) -> None:
    lives, wrong = lives_of(scenario), list[str]()
    where = [one for one in lives.boundaries if scenario.dies_at(one)]
    # Behind a webhook, who speaks first cannot be told from who speaks twice.
    lagging = (
        (False, True) if stage == "notify" and "SLACK_WEBHOOK_URL" not in scenario.settings else (False,)
    )

    for boundary in [one for one in where if one.stage == stage]:
        for lag in lagging:
            for when in BOTH:
                wrong += lives.die(boundary, when, lag=lag)

    assert wrong == []
    assert {one.stage for one in where} == set(scenario.die_in)
    assert OUTSIDE.heard() == []


def test_nothing_that_the_line_asks_of_the_outside_is_missing_among_the_boundaries(lives_of: LivesOf) -> None:
    asked, called = set[str](), set[str]()
    for scenario in SCENARIOS:
        lives = lives_of(scenario)
        if scenario.after:
            lives.die(next(one for one in lives.boundaries if one.name == scenario.after), "after")
            lives.line.live(Process())
        asked |= {word for one in lives.boundaries for word in one.name.split()}
        asked |= lives.line.asked
        called |= lives.line.methods

    assert scripts_of_the_line() - asked - set(NOT_IN_THE_LINE) == set()
    assert commands_of_the_line() - asked - set(NOT_IN_THE_LINE) == set()
    assert methods_of_the_line() - called - set(NOT_ASKED) == set()
    assert set(NOT_IN_THE_LINE) & asked == set()
    assert set(NOT_ASKED) & called == set()


def test_whoever_talks_to_the_outside_beside_the_boundaries_is_heard() -> None:
    with socket.socket() as stranger, OUTSIDE.watched():
        stranger.connect_ex(("127.0.0.1", 9))

    assert ["socket.connect" in one for one in OUTSIDE.heard()] == [True]


# ---- what the line asks, read from its source ------------------------------------------------


def line_modules() -> dict[str, ast.Module]:
    """The syntax of every module of ours that the actors can reach, by its name."""
    found: dict[str, ast.Module] = {}
    waiting = ["workers.pipeline.worker", "workers.engine.dispatcher"]
    while waiting:
        name = waiting.pop()
        path = ROOT / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in found or not path.is_file():
            continue
        found[name] = tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workers"):
                waiting += [str(node.module), *(f"{node.module}.{one.name}" for one in node.names)]
    return found


def scripts_of_the_line() -> set[str]:
    """The scripts that those modules name: `scripts.ADVANCE`."""
    named = {
        getattr(scripts, node.attr, None)
        for tree in line_modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "scripts"
    }
    return {script.name for script in named if isinstance(script, Script)}


def commands_of_the_line() -> set[str]:
    """What is asked of the store by name: `journal.command("hget", …)`."""
    return {
        str(node.args[0].value).upper()
        for tree in line_modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "command"
        if node.args and isinstance(node.args[0], ast.Constant)
    }


def methods_of_the_line() -> set[str]:
    """Methods of our clients that are called on something named like one."""
    found = set()
    for tree in line_modules().values():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on = node.func.value
            name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else ""
            kind = CLIENTS.get(name)
            if kind is not None and callable(getattr(kind, node.func.attr, None)):
                found.add(f"{kind.__name__}.{node.func.attr}")
    return found


def table(scenario: Scenario, lives: Lives) -> str:
    """How many boundaries there are, by stage and kind."""
    kinds = sorted({one.kind for one in lives.boundaries})
    count = Counter((one.stage, one.kind) for one in lives.boundaries)
    rows = [f"\n{scenario.name}: {len(lives.boundaries)} boundaries in {len(lives.before)} steps"]
    rows.append(f"{'':10}" + "".join(f"{kind:>9}" for kind in kinds) + f"{'died in':>10}")
    for stage in scenario.stages:
        numbers = "".join(f"{count[stage, kind] or '':>9}" for kind in kinds)
        died = sum(1 for one in lives.boundaries if one.stage == stage and scenario.dies_at(one))
        rows.append(f"{stage:10}{numbers}{died:>10}")
    return "\n".join(rows)
