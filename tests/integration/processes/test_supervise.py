"""`up` with real processes: it restarts a process that crashes, and leaves none behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis

from tests.support.polling import wait_until
from workers.runtime import embedded
from workers.runtime.supervise import _restart_store, read_procfile

SETTINGS = {
    "TRACKWALKER_SECRET": "s3cret",
    "RAILWAY_API_TOKEN": "token",
    "TRACKWALKER_ENVIRONMENTS": "p/e",
}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `up` whose only child writes its process id and REDIS_URL, and then waits."""
    (tmp_path / "Procfile").write_text(
        "one: sh -c 'echo $REDIS_URL > url; echo $$ >> pids; exec sleep 600'\n# a comment\n\n"
    )
    environment = {"PATH": os.environ["PATH"], "TRACKWALKER_DATA_DIR": str(tmp_path / "state"), **SETTINGS}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", "up", "--no-checks", "--procfile", "Procfile"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()
    address = embedded.address(tmp_path / "state")
    if address and embedded.answers(address):
        embedded.EmbeddedStore(tmp_path / "state").stop()


def pids(folder: Path) -> list[int]:
    file = folder / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_crashed_process_is_restarted(up: subprocess.Popen[bytes], tmp_path: Path) -> None:
    first = wait_until(lambda: pids(tmp_path), what="the child")[0]

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: len(pids(tmp_path)) == 2, what="the restarted child")
    assert up.poll() is None


def test_the_supervisor_still_works_after_exits_of_children_at_the_same_moment(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("one: sh -c 'echo $$ > pids; exec sleep 600'\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    command = [sys.executable, "-m", "workers.runtime.supervise", "Procfile"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    child = wait_until(lambda: pids(tmp_path), what="the child")[0]

    for number in range(1_000):
        os.kill(process.pid, signal.SIGCHLD)
        second_at = time.perf_counter() + number % 40 * 5e-6
        while time.perf_counter() < second_at:
            pass  # the second signal finds the supervisor at work on the first, at another place each time
        os.kill(process.pid, signal.SIGCHLD)
        time.sleep(0.002)
    process.terminate()

    try:
        assert process.wait(20) == 0
        assert gone(child)
    finally:
        process.kill()


def test_the_shutdown_ends_all_children_and_the_store(up: subprocess.Popen[bytes], tmp_path: Path) -> None:
    child = wait_until(lambda: pids(tmp_path), what="the child")[0]
    url = (tmp_path / "url").read_text().strip()

    up.send_signal(signal.SIGTERM)

    assert up.wait(20) == 0
    assert gone(child)
    assert not embedded.answers(url)


def test_a_store_that_outlived_its_owner_is_taken_over_with_its_data(
    up: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    wait_until(lambda: pids(tmp_path), what="the child")
    url = wait_until(lambda: embedded.address(tmp_path / "state"), what="the address") or ""
    redis.Redis.from_url(url).set("kept", "1")
    up.kill()
    up.wait()

    owner = embedded.EmbeddedStore(tmp_path / "state")

    assert owner.ensure() == url
    assert redis.Redis.from_url(url).get("kept") == b"1"
    owner.stop()


def test_a_crashed_store_restarts_at_the_same_address_with_its_data(tmp_path: Path) -> None:
    owner = embedded.EmbeddedStore(tmp_path)
    url = owner.ensure()
    redis.Redis.from_url(url).set("kept", "1")
    os.kill(int((tmp_path / "store.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: not owner.alive(), what="the crash of the store")

    again = owner.ensure()

    assert again == url
    assert redis.Redis.from_url(url).get("kept") == b"1"
    owner.stop()


def test_a_store_that_cannot_start_now_takes_nobody_along(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    owner = embedded.EmbeddedStore(tmp_path)

    _restart_store([], owner)

    assert not owner.alive()
    (tmp_path / "store").unlink()
    _restart_store([], owner)
    assert owner.alive()
    owner.stop()


def test_the_port_of_the_env_file_reaches_the_children(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text(
        "web: sh -c 'echo $PORT > port.new; mv port.new port; exec sleep 600'\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3]), **SETTINGS}
    (tmp_path / ".env").write_text("PORT=8123\nREDIS_URL=redis://127.0.0.1:1\n")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers", "up", "--no-checks", "--procfile", "Procfile"],
            cwd=tmp_path,
            env=environment,
            stderr=log,
        )
        wait_until((tmp_path / "port").exists, what="the child")
        process.terminate()
        assert process.wait(20) == 0

    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (tmp_path / "port").read_text() == "8123\n"
    assert all(datetime.fromisoformat(line["at"]) for line in lines)


def test_all_missing_settings_are_named_at_once(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "workers", "up", "--no-checks", "--procfile", "Procfile"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 2
    for name in (
        "TRACKWALKER_SECRET",
        "RAILWAY_API_TOKEN",
        "GITHUB_TOKEN",
        "SLACK_BOT_TOKEN",
        "TRACKWALKER_MODEL",
    ):
        assert name in run.stderr


def test_the_procfile_is_read_in_order_without_comments(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: a --port ${PORT:-8000}\n\n# no\nworker: b\n")

    assert read_procfile(tmp_path / "Procfile") == [("web", "a --port ${PORT:-8000}"), ("worker", "b")]


def test_a_second_up_on_the_same_data_says_one_line_and_the_first_goes_on(
    up: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    wait_until(lambda: pids(tmp_path), what="the child")
    environment = {"PATH": os.environ["PATH"], "TRACKWALKER_DATA_DIR": str(tmp_path / "state"), **SETTINGS}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])

    second = subprocess.run(
        [sys.executable, "-m", "workers", "up"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert second.returncode == 1
    assert second.stderr == f"trackwalker: another `trackwalker up` already runs on {tmp_path / 'state'}\n"
    assert second.stdout == ""
    assert up.poll() is None
