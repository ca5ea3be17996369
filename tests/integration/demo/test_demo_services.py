"""The demo's services are really sick, in spite of their tests, and can really be mended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.demo.product import kill_leftovers, uses_own_model
from tests.demo.services import Kind, Sickness, draw, mending, runnable, write
from tests.demo.services.writing import git
from tests.demo.story import Measure, is_well, measure
from tests.support.fakes.railway import Request
from tests.support.polling import wait_until

SEEDS = range(4)
KINDS = runnable()


def run(folder: Path, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """The command's end; Python is the one that runs the tests."""
    program = sys.executable if command[0] == "python" else command[0]
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [program, *command[1:]],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def run_one(folder: Path, sickness: Sickness, path: str) -> subprocess.CompletedProcess[str]:
    """One test file."""
    command = ("node", "--test", path) if sickness.language == "node" else ("python", "-m", "unittest", path)
    return run(folder, command)


def alone(seed: int, kind: Kind) -> Sickness:
    """The sickness of a service that is all there is in its repository."""
    return replace(draw(seed, kind), root="")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_service_and_another_seed_another(kind: Kind) -> None:
    drawn = [draw(seed, kind) for seed in range(8)]

    assert drawn == [draw(seed, kind) for seed in range(8)]
    assert len({str(sorted(one.words.items())) for one in drawn}) > 4


def test_seeds_draw_every_kind() -> None:
    assert {draw(seed).kind for seed in range(40)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_own_tests_pass_before_and_after_the_bug_came_in(kind: Kind, tmp_path: Path) -> None:
    sickness = alone(1, kind)
    commits = write(sickness, tmp_path)

    after = run(tmp_path, sickness.tests)
    git(tmp_path, "checkout", "--quiet", commits.healthy)
    before = run(tmp_path, sickness.tests)

    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr + after.stdout


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_reproduction_fails_on_the_bug_and_passes_when_it_is_mended(
    kind: Kind, seed: int, tmp_path: Path
) -> None:
    sickness = alone(seed, kind)
    write(sickness, tmp_path)
    culprit = tmp_path / sickness.culprit
    source = culprit.read_text()

    reproduced, mended = mending.reproduction(sickness.culprit, source), mending.mend(source)
    assert reproduced
    assert mended
    (tmp_path / reproduced[0]).write_text(reproduced[1])
    before = run_one(tmp_path, sickness, reproduced[0])
    culprit.write_text(mended)
    after = run_one(tmp_path, sickness, reproduced[0])
    own = run(tmp_path, sickness.tests)

    assert (before.returncode, after.returncode, own.returncode) == (1, 0, 0), before.stdout + after.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_recognised_in_healthy_or_mended_sources(kind: Kind, tmp_path: Path) -> None:
    sickness = alone(2, kind)
    commits = write(sickness, tmp_path)
    mended = mending.mend((tmp_path / sickness.culprit).read_text())
    git(tmp_path, "checkout", "--quiet", commits.healthy)
    healthy = [path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".py", ".js")]

    assert mended is not None
    assert [mending.mend(source) for source in (mended, *healthy)] == [None] * (1 + len(healthy))


def test_only_the_culprit_of_a_sick_repository_is_recognised(tmp_path: Path) -> None:
    for kind in KINDS:
        sickness = alone(3, kind)
        folder = tmp_path / kind
        write(sickness, folder)

        sources = [path for path in folder.rglob("*") if path.suffix in (".py", ".js")]
        found = [str(path.relative_to(folder)) for path in sources if mending.mend(path.read_text())]

        assert found == [sickness.culprit]


def test_no_placeholder_is_left_in_what_is_written(tmp_path: Path) -> None:
    for kind in KINDS:
        write(draw(5, kind), tmp_path / kind)

    texts = [path for path in tmp_path.rglob("*") if path.is_file() and ".git" not in path.parts]

    assert [str(path) for path in texts if "{{" in path.read_text() or "{{" in path.name] == []


def test_a_service_may_stand_deep_in_a_repository(tmp_path: Path) -> None:
    sickness = replace(draw(0, "leak"), root="services/stock")
    write(sickness, tmp_path)

    path = f"services/stock/{sickness.culprit}"
    reproduced = mending.reproduction(path, (tmp_path / path).read_text())

    assert reproduced is not None
    assert reproduced[0] == "services/stock/tests/test_connections_come_back.py"
    assert run(tmp_path / "services/stock", sickness.tests).returncode == 0


def test_some_seeds_put_the_service_into_a_folder_and_the_rules_to_the_top(tmp_path: Path) -> None:
    drawn = [draw(seed, "exception") for seed in range(12)]
    deep = next(one for one in drawn if one.root)

    write(deep, tmp_path)

    assert any(not one.root for one in drawn)
    assert (tmp_path / ".trackwalker.toml").is_file()
    assert (tmp_path / deep.root / deep.culprit).is_file()


def test_commits_say_who_when_and_what(tmp_path: Path) -> None:
    sickness = replace(draw(0, "lock"), messages=("first", "second"))

    write(sickness, tmp_path)

    assert git(tmp_path, "log", "--format=%an %s").splitlines() == [
        "Robin Weaver second",
        "Robin Weaver first",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_scripted_model_edits_the_culprit_and_adds_a_test(kind: Kind, tmp_path: Path) -> None:
    sickness = alone(4, kind)
    write(sickness, tmp_path)
    source = (tmp_path / sickness.culprit).read_text()

    mend, test = mending.propose_edits(sickness.culprit, source, 1)

    assert mend.old is not None
    assert source.replace(mend.old, mend.new) == mending.mend(source)
    assert (test.path, test.new) == mending.reproduction(sickness.culprit, source)


def test_what_callers_met_is_measured_between_two_moments() -> None:
    times = [(1.0, 200, 10.0), (2.0, 500, 20.0), (3.0, 502, 2000.0), (4.0, 200, 30.0)]
    requests = [
        Request(at=at, method="GET", path="/", status=s, ms=ms, deployment_id="d") for at, s, ms in times
    ]

    seen = measure(requests, 2.0, 4.0)

    assert (seen.requests, seen.failed, seen.p95_ms) == (2, 1.0, 2000.0)
    assert measure([], 0).requests == 0


def test_only_an_answered_healthy_stretch_counts_as_well() -> None:
    assert is_well(Measure(100, 0.0, 80))
    assert [is_well(one) for one in (Measure(0, 0, 0), Measure(100, 0.1, 80), Measure(100, 0, 1500))] == [
        False
    ] * 3


def test_whatever_was_started_for_a_state_folder_is_found_and_ended(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TRACKWALKER_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(["sleep", "300"], env=environment, start_new_session=True) as sleeper:
        wait_until(lambda: b"sleep" in Path(f"/proc/{sleeper.pid}/cmdline").read_bytes())

        ended = kill_leftovers(str(tmp_path))

        assert ended == ["sleep 300"]
        assert sleeper.wait(5) == -9
        assert kill_leftovers(str(tmp_path)) == []


def test_a_model_of_the_callers_own_needs_a_name_and_a_key() -> None:
    assert uses_own_model({"TRACKWALKER_MODEL": "a/b", "ANTHROPIC_API_KEY": "k"})
    assert not uses_own_model({"TRACKWALKER_MODEL": "a/b"})
    assert not uses_own_model({"ANTHROPIC_API_KEY": "k"})
