"""The services of the demo: their own tests miss the bug, a reproduction shows it, the fix ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.demo.product import kill_orphans, uses_own_model
from tests.demo.services import Fault, Kind, draw, fixing, runnable, write
from tests.demo.services.writing import git
from tests.demo.story import Measurement, is_healthy, measure
from tests.support.fakes.railway import Request
from tests.support.polling import wait_until

SEEDS = range(4)
KINDS = runnable()


def run(folder: Path, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a command of a service with the Python that runs the tests."""
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


def run_test_file(folder: Path, fault: Fault, path: str) -> subprocess.CompletedProcess[str]:
    command = ("node", "--test", path) if fault.language == "node" else ("python", "-m", "unittest", path)
    return run(folder, command)


def draw_alone(seed: int, kind: Kind) -> Fault:
    """A fault whose service is alone in its repository."""
    return replace(draw(seed, kind), root="")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_draw_equal_services_and_other_seeds_draw_others(kind: Kind) -> None:
    drawn = [draw(seed, kind) for seed in range(8)]

    assert drawn == [draw(seed, kind) for seed in range(8)]
    assert len({str(sorted(fault.words.items())) for fault in drawn}) > 4


def test_seeds_draw_every_kind() -> None:
    assert {draw(seed).kind for seed in range(40)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_services_own_tests_pass_with_and_without_the_bug(kind: Kind, tmp_path: Path) -> None:
    fault = draw_alone(1, kind)
    commits = write(fault, tmp_path)

    after = run(tmp_path, fault.tests)
    git(tmp_path, "checkout", "--quiet", commits.healthy)
    before = run(tmp_path, fault.tests)

    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr + after.stdout


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_reproduction_fails_with_the_bug_and_passes_with_the_fix(
    kind: Kind, seed: int, tmp_path: Path
) -> None:
    fault = draw_alone(seed, kind)
    write(fault, tmp_path)
    culprit = tmp_path / fault.culprit
    source = culprit.read_text()

    reproduced, fixed = fixing.reproduction(fault.culprit, source), fixing.fix(source)
    assert reproduced
    assert fixed
    (tmp_path / reproduced[0]).write_text(reproduced[1])
    before = run_test_file(tmp_path, fault, reproduced[0])
    culprit.write_text(fixed)
    after = run_test_file(tmp_path, fault, reproduced[0])
    own = run(tmp_path, fault.tests)

    assert (before.returncode, after.returncode, own.returncode) == (1, 0, 0), before.stdout + after.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_no_bug_is_recognised_in_healthy_or_fixed_sources(kind: Kind, tmp_path: Path) -> None:
    fault = draw_alone(2, kind)
    commits = write(fault, tmp_path)
    fixed = fixing.fix((tmp_path / fault.culprit).read_text())
    git(tmp_path, "checkout", "--quiet", commits.healthy)
    healthy = [path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".py", ".js")]

    assert fixed is not None
    assert [fixing.fix(source) for source in (fixed, *healthy)] == [None] * (1 + len(healthy))


def test_only_the_culprit_of_a_faulty_repository_is_recognised(tmp_path: Path) -> None:
    for kind in KINDS:
        fault = draw_alone(3, kind)
        folder = tmp_path / kind
        write(fault, folder)

        sources = [path for path in folder.rglob("*") if path.suffix in (".py", ".js")]
        recognised = [str(path.relative_to(folder)) for path in sources if fixing.fix(path.read_text())]

        assert recognised == [fault.culprit]


def test_written_repositories_contain_no_placeholder(tmp_path: Path) -> None:
    for kind in KINDS:
        write(draw(5, kind), tmp_path / kind)

    texts = [path for path in tmp_path.rglob("*") if path.is_file() and ".git" not in path.parts]

    assert [str(path) for path in texts if "{{" in path.read_text() or "{{" in path.name] == []


def test_a_service_can_be_in_a_subfolder_of_its_repository(tmp_path: Path) -> None:
    fault = replace(draw(0, "leak"), root="services/stock")
    write(fault, tmp_path)

    path = f"services/stock/{fault.culprit}"
    reproduced = fixing.reproduction(path, (tmp_path / path).read_text())

    assert reproduced is not None
    assert reproduced[0] == "services/stock/tests/test_connections_come_back.py"
    assert run(tmp_path / "services/stock", fault.tests).returncode == 0


def test_some_seeds_put_the_service_into_a_subfolder_with_its_settings_at_the_top(tmp_path: Path) -> None:
    drawn = [draw(seed, "exception") for seed in range(12)]
    nested = next(fault for fault in drawn if fault.root)

    write(nested, tmp_path)

    assert any(not fault.root for fault in drawn)
    assert (tmp_path / ".trackwalker.toml").is_file()
    assert (tmp_path / nested.root / nested.culprit).is_file()


def test_commits_have_an_author_and_a_message(tmp_path: Path) -> None:
    fault = replace(draw(0, "lock"), messages=("first", "second"))

    write(fault, tmp_path)

    assert git(tmp_path, "log", "--format=%an %s").splitlines() == [
        "Robin Weaver second",
        "Robin Weaver first",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_scripted_model_edits_the_culprit_and_adds_a_test(kind: Kind, tmp_path: Path) -> None:
    fault = draw_alone(4, kind)
    write(fault, tmp_path)
    source = (tmp_path / fault.culprit).read_text()

    edit, test = fixing.propose_edits(fault.culprit, source, 1)

    assert edit.old is not None
    assert source.replace(edit.old, edit.new) == fixing.fix(source)
    assert (test.path, test.new) == fixing.reproduction(fault.culprit, source)


def test_requests_between_two_times_are_measured() -> None:
    times = [(1.0, 200, 10.0), (2.0, 500, 20.0), (3.0, 502, 2000.0), (4.0, 200, 30.0)]
    requests = [
        Request(at=at, method="GET", path="/", status=s, ms=ms, deployment_id="d") for at, s, ms in times
    ]

    measurement = measure(requests, 2.0, 4.0)

    assert (measurement.requests, measurement.failed, measurement.p95_ms) == (2, 1.0, 2000.0)
    assert measure([], 0).requests == 0


def test_a_period_without_requests_or_with_failures_is_not_healthy() -> None:
    assert is_healthy(Measurement(100, 0.0, 80))
    assert [
        is_healthy(sample)
        for sample in (Measurement(0, 0, 0), Measurement(100, 0.1, 80), Measurement(100, 0, 1500))
    ] == [False] * 3


def test_every_process_with_the_data_folder_in_its_environment_is_killed(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TRACKWALKER_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(["sleep", "300"], env=environment, start_new_session=True) as sleeper:
        wait_until(lambda: b"sleep" in Path(f"/proc/{sleeper.pid}/cmdline").read_bytes())

        killed = kill_orphans(str(tmp_path))

        assert killed == ["sleep 300"]
        assert sleeper.wait(5) == -9
        assert kill_orphans(str(tmp_path)) == []


def test_an_own_model_needs_a_name_and_a_key() -> None:
    assert uses_own_model({"TRACKWALKER_MODEL": "a/b", "ANTHROPIC_API_KEY": "k"})
    assert not uses_own_model({"TRACKWALKER_MODEL": "a/b"})
    assert not uses_own_model({"ANTHROPIC_API_KEY": "k"})
