"""The clock: it pings in time, through the public address, names the setting that is wrong, and never gives up."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from receiver.clock import MAX_INTERVAL_SECONDS, PingResult, keep_pinging, ping, ping_until_accepted
from receiver.sources.ping import parse
from tests.support.fakes.serving import Faults, serve
from tests.support.polling import wait_until

AT = datetime(2026, 11, 23, 3, 4, 5, 678_000, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


class FakeReceiver:
    """Records the requests and answers `status`."""

    def __init__(self, status: int = 202, next_ping: str = "") -> None:
        self.status, self.requests = status, list[tuple[str, str, bytes]]()
        self.next_ping = next_ping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        body = (await receive())["body"]
        self.requests.append((scope["path"], headers.get(b"x-trackwalker-secret", b"").decode(), body))
        location = [(b"location", b"https://elsewhere.example/ping")] if self.status in (301, 308) else []
        interval = [(b"x-trackwalker-next-ping", self.next_ping.encode())] if self.next_ping else []
        answered = [*location, *interval]
        await send({"type": "http.response.start", "status": self.status, "headers": answered})
        await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def running(app: FakeReceiver, faults: Faults | None = None) -> Iterator[str]:
    """The address of a fake receiver that listens."""
    with serve(app, faults) as server:
        wait_until(partial(listens, server.port), seconds=10, what="the fake receiver")
        yield server.url


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=0.5, trust_env=False) as client:
        yield client


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_ping_carries_the_secret_and_the_time_in_the_format_of_the_endpoint(client: httpx.Client) -> None:
    receiver = FakeReceiver()
    with running(receiver) as url:
        result = ping(client, url, "sécret", AT)

    path, secret, body = receiver.requests[0]
    assert (result, path, secret) == (PingResult(), "/ping", "sécret")
    assert parse(body, AT, "t").reported_at == AT


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (401, "TRACKWALKER_SECRET"),
        (404, "TRACKWALKER_PUBLIC_URL"),
        (308, "TRACKWALKER_PUBLIC_URL"),
        (502, "web process"),
        (503, "Redis"),
        (418, "418"),
    ],
)
def test_a_refused_ping_names_the_cause(client: httpx.Client, status: int, names: str) -> None:
    with running(FakeReceiver(status)) as url:
        assert names in ping(client, url, "s", AT).error


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"http://127.0.0.1:{closed_port()}", id="closed port"),
        "http://nowhere.invalid",
        "http://[::1",
        "http://a b",
        "http://h:x",
    ],
)
def test_an_unreachable_address_names_the_setting(client: httpx.Client, url: str) -> None:
    assert "TRACKWALKER_PUBLIC_URL" in ping(client, url, "s", AT).error


def test_a_hanging_receiver_names_the_setting(client: httpx.Client) -> None:
    faults = Faults()
    faults.add("hang")
    with running(FakeReceiver(), faults) as url:
        assert "does not answer" in ping(client, url, "s", AT).error


def test_an_error_contains_neither_password_nor_secret(client: httpx.Client) -> None:
    result = ping(client, f"http://user:pass-word@127.0.0.1:{closed_port()}", "the-secret", AT)

    assert "pass-word" not in result.error
    assert "the-secret" not in result.error


def test_a_ping_is_retried_with_the_same_time_until_it_is_accepted() -> None:
    answers, sent = iter(["refused", "refused", ""]), list[datetime]()

    def send(at: datetime) -> PingResult:
        sent.append(at)
        return PingResult(next(answers))

    assert ping_until_accepted(send, 0.5, threading.Event(), AT) == PingResult()
    assert sent == [AT, AT, AT]


def test_retries_end_with_the_interval() -> None:
    before = time.monotonic()

    result = ping_until_accepted(lambda at: PingResult("refused"), 0.3, threading.Event(), AT)

    assert not result
    assert time.monotonic() - before < 1


def test_a_failed_ping_does_not_stop_the_next_one() -> None:
    stop, sent = threading.Event(), list[datetime]()

    def send(at: datetime) -> PingResult:
        sent.append(at)
        if len(set(sent)) >= 3:
            stop.set()
        raise RuntimeError("a bug")

    keep_pinging(send, 0.1, stop, lambda: datetime.now(UTC))

    assert len(set(sent)) == 3


def test_a_hanging_ping_delays_the_others_and_they_do_not_pile_up() -> None:
    stop, sent = threading.Event(), list[float]()

    def send(at: datetime) -> PingResult:
        sent.append(time.monotonic())
        if len(sent) == 1:
            threading.Event().wait(0.5)
        else:
            stop.set()
        return PingResult()

    keep_pinging(send, 0.05, stop, lambda: AT)

    assert len(sent) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("900", 900.0), ("61.5", 61.5), ("999999", MAX_INTERVAL_SECONDS),
        ("", None), ("soon", None), ("-5", None), ("nan", None), ("1e9", None), ("9" * 400, None), ("\u0663", None),
    ],
)  # fmt: skip
def test_an_answer_can_ask_for_a_longer_interval(
    client: httpx.Client, header: str, seconds: float | None
) -> None:
    with running(FakeReceiver(next_ping=header)) as url:
        result = ping(client, url, "s", AT)

    assert result == PingResult(next_seconds=seconds)


class InstantEvent(threading.Event):
    """Records in `due` the seconds of each wait and returns at once; it is set after `pings` waits."""

    def __init__(self, pings: int) -> None:
        super().__init__()
        self.pings, self.due = pings, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.due.append(timeout or 0.0)
        return len(self.due) > self.pings

    def gaps(self) -> list[int]:
        """Seconds between the pings."""
        return [round(later - sooner) for sooner, later in itertools.pairwise(self.due)]


def test_a_ping_comes_after_the_interval_of_the_last_answer() -> None:
    stop, intervals = InstantEvent(3), iter([400.0, None, 101.0])

    keep_pinging(lambda at: PingResult(next_seconds=next(intervals)), 100.0, stop, lambda: AT)

    assert stop.gaps() == [400, 100, 101]


def test_a_ping_never_comes_sooner_than_the_setting() -> None:
    stop = InstantEvent(2)

    keep_pinging(lambda at: PingResult(next_seconds=1.0), 100.0, stop, lambda: AT)

    assert stop.gaps() == [100, 100]


def test_a_changed_interval_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    intervals = iter([1200.0, 1201.0, 1199.0, None, None])
    with caplog.at_level("INFO", "trackwalker.clock"):
        keep_pinging(lambda at: PingResult(next_seconds=next(intervals)), 600.0, InstantEvent(5), lambda: AT)

    minutes = [
        vars(record)["minutes"] for record in caplog.records if "interval changed" in record.getMessage()
    ]
    assert minutes == [20, 10]


@contextmanager
def clock(folder: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The real process, and its log file."""
    own = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TRACKWALKER_PING_MINUTES": "0.005"}
    log = folder / "clock.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "receiver.clock"], cwd=folder, env=own | environ, stdout=out, stderr=out
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait(10)


def test_the_process_goes_on_after_refused_pings(tmp_path: Path) -> None:
    receiver, faults = FakeReceiver(), Faults()
    faults.add("refuse", times=1)
    faults.add("drop", times=1)
    environ = {"TRACKWALKER_SECRET": "one, two", "http_proxy": "http://127.0.0.1:1"}
    with running(receiver, faults) as url, clock(tmp_path, TRACKWALKER_PUBLIC_URL=url, **environ) as (_, log):
        wait_until(lambda: len({body for _, _, body in receiver.requests}) >= 3, what="three pings")

        assert {secret for _, secret, _ in receiver.requests} == {"one"}
        assert "TRACKWALKER_SECRET" in log.read_text()
        assert "one, two" not in log.read_text()


def test_the_process_logs_an_unreachable_receiver_and_goes_on(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    with clock(tmp_path, TRACKWALKER_PUBLIC_URL=address) as (process, log):
        wait_until(
            lambda: log.read_text().count("no ping accepted") >= 2, what="two intervals without a ping"
        )

        assert "check TRACKWALKER_PUBLIC_URL" in log.read_text()
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_at_once_even_during_a_ping(tmp_path: Path, number: signal.Signals) -> None:
    faults = Faults()
    faults.add("hang", times=100)
    with (
        running(FakeReceiver(), faults) as url,
        clock(tmp_path, TRACKWALKER_PUBLIC_URL=url) as (process, log),
    ):
        wait_until(lambda: faults.played, what="a hanging ping")
        before = time.monotonic()

        process.send_signal(number)

        assert process.wait(10) == 0
        assert time.monotonic() - before < 2
        assert "Traceback" not in log.read_text()


def test_invalid_settings_end_the_process_with_one_line(tmp_path: Path) -> None:
    with clock(tmp_path, TRACKWALKER_PUBLIC_URL="nowhere") as (process, log):
        assert process.wait(30) == 2

    assert "TRACKWALKER_PUBLIC_URL" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_clock_loads_neither_web_framework_nor_redis() -> None:
    code = "import receiver.clock, sys, json; print(json.dumps(sorted(sys.modules)))"

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"starlette", "uvicorn", "redis", "dramatiq", "workers.engine.journal_store"} & set(
        json.loads(run.stdout)
    )
