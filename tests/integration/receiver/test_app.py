"""The doors: who hears which answer, that it means "stored", and what happens while the store is away."""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import redis
from starlette.applications import Starlette

from receiver.app import MAX_BODY_BYTES, Endpoints, Ingest, Scope, build
from receiver.fallback import MIN_INTERVAL_SECONDS, PING_MIN_INTERVAL_SECONDS, FallbackNotifier
from receiver.main import compose
from tests.support.fakes.serving import serve
from tests.support.polling import wait_until
from workers.clients.railway.quota import RateLimit
from workers.engine import records
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PINGS, PREFIX, SCHEDULE
from workers.errors import NotAvailable
from workers.incidents import intake, request_quota
from workers.models import Alert, Environment
from workers.runtime.settings import read
from workers.runtime.store import client as connect

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
CRASHED = (Path(__file__).parents[3] / "tests" / "data" / "webhooks" / "crashed.json").read_bytes()
HEADERS = {"X-Trackwalker-Secret": "first"}
SERVICE = "6b2ec174-9f30-417e-9c85-2d3f40516c7d"
ENVIRONMENT = "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
PROJECT = "4f0c9a52-7d1e-4f5c-9a63-0b1d2e3f4a5b"
TakeIn = Callable[[Sequence[Ingest]], Sequence[str | Exception]]
DOORS = ["/hooks/railway", "/hooks/slack", "/ping"]


def doors(**changes: Any) -> Starlette:
    """The app with a store that takes everything in, unless told otherwise."""
    numbers = iter(range(1000))
    collaborators: dict[str, Any] = {
        "secrets": ("first", "second"),
        "ingest": lambda alerts: [alert.id for alert, _ in alerts],
        "check_store": lambda: None,
        "count_open": lambda: 0,
        "notify_fallback": lambda alert: None,
        "scope": Scope(),
        "now": lambda: AT,
        "token": lambda: f"t{next(numbers)}",
    }
    return build(Endpoints(**collaborators | changes))


def ask(app: Starlette, method: str, path: str, **options: Any) -> httpx.Response:
    """One request through the app, as from this machine."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **options)

    return anyio.run(one)


def post(app: Starlette, path: str, content: Any = CRASHED, **options: Any) -> httpx.Response:
    return ask(app, "POST", path, content=content, **{"headers": HEADERS} | options)


def storing(journal: JournalStore) -> TakeIn:
    return lambda alerts: intake.ingest_batch(alerts, journal, lambda _: None)


def away(_: Sequence[Ingest]) -> list[str]:
    raise NotAvailable("the store does not answer: ConnectionError")


# ---- answers ------------------------------------------------------------------------------------


def test_an_answer_means_that_the_alert_is_stored_and_due(journal: JournalStore, store: redis.Redis) -> None:
    answer = post(doors(ingest=storing(journal)), "/hooks/railway")

    assert answer.status_code == 202
    key = f"{PREFIX}alert:{answer.json()['alert']}"
    assert store.zscore(SCHEDULE, key) is not None
    kept = journal.read_record(key, records.ALERT)
    assert kept is not None
    assert (kept.kind, kept.service_id, kept.received_at) == ("deployment.crashed", SERVICE, AT)


def test_the_same_body_again_has_the_same_id_and_no_second_place(
    journal: JournalStore, store: redis.Redis
) -> None:
    app = doors(ingest=storing(journal))
    first = post(app, "/hooks/railway").json()

    again = post(app, "/hooks/railway").json()

    assert again == first
    assert len([key for key in store.zrange(SCHEDULE, 0, -1) if b"notification" not in key]) == 1
    assert 604_000 < store.ttl(store.keys(f"{PREFIX}dedup:*")[0]) <= 604_800


def test_slack_hears_ok_as_slack_itself_would_say_it(journal: JournalStore, store: redis.Redis) -> None:
    app = doors(ingest=storing(journal))

    answer = post(app, "/hooks/slack/first", b"payload=%7B%22text%22%3A%22ledger+is+slow%22%7D", headers={})

    assert (answer.status_code, answer.text) == (200, "ok")
    kept = journal.read_record(f"{PREFIX}alert:{answer.headers['X-Trackwalker-Alert']}", records.ALERT)
    assert kept is not None
    assert kept.message == "ledger is slow"


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"at": null}'])
def test_a_ping_that_says_nothing_is_always_a_new_look(journal: JournalStore, body: bytes) -> None:
    app = doors(ingest=storing(journal))

    answers = [post(app, "/ping", body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() != answers[1].json()


def test_a_ping_that_names_its_time_is_one_look(journal: JournalStore) -> None:
    app = doors(ingest=storing(journal))

    ids = [post(app, "/ping", body).json()["alert"] for body in (b'{"at": "2026-11-23T03:00:00Z"}',) * 2]
    later = post(app, "/ping", b'{"at": "2026-11-23T03:10:00Z"}').json()["alert"]

    assert ids[0] == ids[1]
    assert later != ids[0]


@pytest.mark.parametrize("body", [b'{"at": "soon"}', b'{"at": 5}'])
def test_a_ping_whose_time_is_none_is_refused(body: bytes) -> None:
    answer = post(doors(), "/ping", body)

    assert (answer.status_code, answer.json()["field"]) == (422, "at")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "Deployment.building"}, "Deployment.building is no trouble"),
        ({"resource": {"environment": {"id": "e", "isEphemeral": True}}}, "ephemeral environment"),
        ({"resource": {"service": {"id": "ourselves"}}}, "our own service"),
        ({"resource": {"environment": {"id": "elsewhere"}}}, "not watched"),
        ({"resource": {"project": {"id": "elsewhere"}}}, "not watched"),
    ],
)
def test_what_is_none_of_our_business_is_ignored_and_nothing_is_stored(
    journal: JournalStore, store: redis.Redis, changes: dict[str, Any], reason: str
) -> None:
    watched = Scope((Environment(project_id=PROJECT, environment_id=ENVIRONMENT),), "ourselves")
    app = doors(scope=watched, ingest=storing(journal))

    answer = post(app, "/hooks/railway", json.dumps(json.loads(CRASHED) | changes))

    assert (answer.status_code, answer.json()) == (202, {"ignored": reason})
    assert store.dbsize() == 0


@pytest.mark.parametrize("resource", [{}, {"environment": {"id": ENVIRONMENT}}, {"project": {"id": PROJECT}}])
def test_what_may_be_watched_is_taken(resource: dict[str, Any]) -> None:
    app = doors(scope=Scope((Environment(project_id=PROJECT, environment_id=ENVIRONMENT),), "ourselves"))

    answer = post(app, "/hooks/railway", json.dumps({"type": "Deployment.crashed", "resource": resource}))

    assert "alert" in answer.json()


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("secret", ["first", "second"])
def test_every_secret_opens_every_door_by_header_and_by_path(path: str, secret: str) -> None:
    body = b'{"type": "Deployment.crashed", "text": "x"}'

    by_header = post(doors(), path, body, headers={"X-Trackwalker-Secret": secret})
    by_path = post(doors(), f"{path}/{secret}", body, headers={})

    assert {by_header.status_code, by_path.status_code} <= {200, 202}


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "given", ["", "wrong", "firs", "first2", "first,second", "ünï", "fi%72st%00", "first/x"]
)
def test_a_wrong_secret_opens_none(path: str, given: str) -> None:
    by_header = post(doors(), path, headers={"X-Trackwalker-Secret": given.encode()})
    by_path = post(doors(), f"{path}/{given}", headers={})

    assert (by_header.status_code, by_path.status_code) == (401, 401)


@pytest.mark.parametrize("path", DOORS)
def test_without_a_secret_every_door_stays_shut(path: str) -> None:
    app = doors(secrets=())

    answers = [post(app, where, headers=headers) for where in (path, f"{path}/") for headers in ({}, HEADERS)]

    assert [answer.status_code for answer in answers] == [401] * 4


def test_a_secret_may_hold_any_character() -> None:
    app = doors(secrets=("pässwörd/with slash",))

    by_header = post(app, "/hooks/railway", headers={"X-Trackwalker-Secret": "pässwörd/with slash".encode()})
    by_path = post(app, "/hooks/railway/p%C3%A4ssw%C3%B6rd/with%20slash", headers={})

    assert (by_header.status_code, by_path.status_code) == (202, 202)


def test_a_stranger_is_sent_away_before_his_body_is_read() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("nobody should ask for more")

    assert post(doors(), "/hooks/railway", endless(), headers={}).status_code == 401


@pytest.mark.parametrize("path", DOORS)
def test_a_body_over_the_limit_is_refused(path: str) -> None:
    just, over = b" " * MAX_BODY_BYTES, b" " * (MAX_BODY_BYTES + 1)

    assert post(doors(), path, over).status_code == 413
    assert post(doors(), path, just).status_code != 413


def test_a_body_without_a_length_is_counted_while_it_comes() -> None:
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b" " * 65_536

    answer = post(doors(), "/hooks/railway", endless())

    assert answer.status_code == 413
    assert len(sent) < 10


def test_a_length_that_is_claimed_is_believed_at_once() -> None:
    headers = HEADERS | {"Content-Length": "9" * 40}

    assert post(doors(), "/hooks/railway", b"{}", headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"\xff", "body"),
        (b'{"type": NaN}', "body"),
        (b'{"type": ' + b"1" * 6000 + b"}", "body"),
        (b'{"a":' * 40_000, "body"),
        (b'{"type": "a", "type": "b"}', "type"),
        (b"{}", "type"),
        (b'{"type": "Deployment.crashed", "resource": {"service": []}}', "resource.service"),
    ],
    ids=range(8),
)
def test_what_is_not_the_shape_names_the_field(body: bytes, field: str) -> None:
    answer = post(doors(), "/hooks/railway", body)

    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert field in answer.json()["error"]


def test_a_ping_hears_when_the_next_one_is_due_if_that_is_later(journal: JournalStore) -> None:
    app = doors(ingest=storing(journal), next_ping=lambda: 840.2)

    assert post(app, "/ping", b"").headers["X-Trackwalker-Next-Ping"] == "841"
    assert "X-Trackwalker-Next-Ping" not in post(app, "/hooks/railway").headers


@pytest.mark.parametrize("trouble", [NotAvailable("the store does not answer"), ValueError("a bug")])
def test_a_ping_is_taken_though_nobody_knows_when_the_next_one_is_due(trouble: Exception) -> None:
    def next_ping() -> float | None:
        raise trouble

    answer = post(doors(next_ping=next_ping), "/ping", b"")

    assert (answer.status_code, "X-Trackwalker-Next-Ping" in answer.headers) == (202, False)


def test_a_store_that_hangs_after_taking_a_ping_does_not_hold_up_its_answer() -> None:
    let_go = threading.Event()

    def next_ping() -> float | None:
        let_go.wait(30)
        return 900.0

    answer = post(doors(next_ping=next_ping), "/ping", b"")

    let_go.set()
    assert (answer.status_code, "X-Trackwalker-Next-Ping" in answer.headers) == (202, False)


def test_pings_are_stretched_by_what_the_last_sweep_left(
    store_url: str, store: redis.Redis, journal: JournalStore
) -> None:
    now = datetime.now(UTC)
    left = RateLimit(limit=100, remaining=29, resets_at=now + timedelta(minutes=50))
    request_quota.store_sweep_cost(journal, "env", left, 9, now)
    chosen = read(
        {"REDIS_URL": store_url, "TRACKWALKER_SECRET": "first", "TRACKWALKER_PING_MINUTES": "10"}, None
    )

    answer = post(compose(chosen), "/ping", b"")

    assert 2900 < int(answer.headers["X-Trackwalker-Next-Ping"]) <= 3000
    assert 2900 < float(journal.command("hget", PINGS, "interval")) <= 3000


@pytest.mark.parametrize("path", [*DOORS, "/ping/first"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_a_door_takes_post_only(path: str, method: str) -> None:
    answer = ask(doors(), method, path, headers=HEADERS)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("path", [*DOORS, "/hooks/railway/first"])
def test_the_dashboards_test_button_may_ask_from_the_browser(path: str) -> None:
    asked = {"Origin": "https://railway.com", "Access-Control-Request-Method": "POST"}

    before = ask(doors(), "OPTIONS", path, headers=asked)
    answer = post(doors(), path, b"{}", headers=HEADERS | {"Origin": "https://railway.com"})

    assert before.status_code == 204
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    assert "X-Trackwalker-Secret" in before.headers["Access-Control-Allow-Headers"]
    assert (
        before.headers["Access-Control-Allow-Origin"] == answer.headers["Access-Control-Allow-Origin"] == "*"
    )


def test_an_unknown_path_is_a_404() -> None:
    assert post(doors(), "/hooks/pager").status_code == 404
    assert post(doors(), "/hooks").status_code == 404


def test_no_secret_and_no_body_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"type": "Deployment.crashed", "surprise": "tell-nobody", "resource": {"service": 1}}'

    post(doors(), "/hooks/railway/first", CRASHED, headers={})
    post(doors(), "/hooks/railway/second", body, headers={})
    post(doors(), "/hooks/railway/guessed-it", body, headers={"X-Trackwalker-Secret": "guessed-it"})

    said = "\n".join(
        str(record.__dict__) for record in caplog.records if record.name.startswith("trackwalker")
    )
    assert "alert stored" in said
    assert "wrong secret" in said
    assert not any(word in said for word in ("first", "second", "guessed-it", "tell-nobody"))


# ---- the store is away --------------------------------------------------------------------------


def test_while_the_store_is_away_the_sender_is_asked_to_come_again() -> None:
    called: list[Alert] = []

    answer = post(doors(ingest=away, notify_fallback=called.append), "/hooks/railway")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert [alert.service_name for alert in called] == ["ledger"]


def test_a_bug_in_the_store_path_loses_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    called: list[Alert] = []

    def broken(_: Sequence[Ingest]) -> list[str]:
        raise KeyError("a bug")

    answer = post(doors(ingest=broken, notify_fallback=called.append), "/hooks/railway")

    assert answer.status_code == 503
    assert len(called) == 1
    assert "KeyError" in caplog.text


@contextmanager
def hanging_store() -> Iterator[redis.Redis]:
    """A store that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hung = connect(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        yield hung
        hung.close()


def test_a_store_that_hangs_is_answered_for_within_three_seconds_however_many_ask() -> None:
    called: list[Alert] = []
    with (
        hanging_store() as hung,
        serve(doors(ingest=storing(JournalStore(hung)), notify_fallback=called.append)) as web,
        httpx.Client(headers=HEADERS, timeout=20) as client,
    ):
        wait_until(partial(answers, web.url), what="the web app")

        def one(_: int) -> tuple[int, float]:
            before = time.monotonic()
            answer = client.post(f"{web.url}/hooks/railway", content=CRASHED)
            return answer.status_code, time.monotonic() - before

        with ThreadPoolExecutor(30) as senders:
            heard = list(senders.map(one, range(30)))
        health = client.get(f"{web.url}/health", timeout=2)

    assert {status for status, _ in heard} == {503}
    assert max(seconds for _, seconds in heard) < 3
    assert health.status_code == 200
    assert len(called) == 30


def test_a_slack_that_hangs_too_delays_no_answer() -> None:
    let_go, asked = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        asked.set()
        let_go.wait(20)

    before = time.monotonic()
    answer = post(
        doors(ingest=away, notify_fallback=FallbackNotifier(hang, time.monotonic).notify), "/hooks/railway"
    )
    seconds = time.monotonic() - before
    let_go.set()

    assert answer.status_code == 503
    assert asked.wait(5)
    assert seconds < 2


def test_one_line_a_minute_goes_to_slack_and_says_how_many_more_there_were() -> None:
    told: queue.Queue[str] = queue.Queue()
    clock = iter([0.0, 1.0, MIN_INTERVAL_SECONDS - 1, MIN_INTERVAL_SECONDS + 1])
    last = FallbackNotifier(told.put, lambda: next(clock))
    app = doors(ingest=away, notify_fallback=last.notify)

    for _ in range(4):
        post(app, "/hooks/railway")

    lines = [told.get(timeout=5) for _ in range(2)]
    assert lines[0].startswith(
        "The store is away, this alert is not stored: Deployment.crashed: service ledger"
    )
    assert "(2 more since the last line)" in lines[1]
    assert told.empty()
    assert not any("\n" in line for line in lines)


def test_pings_into_an_absent_store_do_not_ring_each_time() -> None:
    told: queue.Queue[str] = queue.Queue()
    clock = iter([0.0, MIN_INTERVAL_SECONDS + 1, PING_MIN_INTERVAL_SECONDS + 1])
    app = doors(ingest=away, notify_fallback=FallbackNotifier(told.put, lambda: next(clock)).notify)

    for _ in range(3):
        post(app, "/ping", b"")

    assert "ping" in told.get(timeout=5)
    assert "(1 more" in told.get(timeout=5)
    assert told.empty()


def test_a_slack_that_refuses_is_logged_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: str) -> None:
        raise NotAvailable("https://hooks.example/with-a-secret")

    FallbackNotifier(refuse, time.monotonic).notify(
        Alert(id="a", source="railway", kind="deployment.crashed", received_at=AT)
    )

    wait_until(lambda: "Slack does not take the alert" in caplog.text, seconds=5)
    assert "with-a-secret" not in str([record.__dict__ for record in caplog.records])


def test_alerts_are_taken_again_as_soon_as_the_store_is_back(journal: JournalStore) -> None:
    back, store_it = threading.Event(), storing(journal)

    def take_in(alerts: Sequence[Ingest]) -> Sequence[str | Exception]:
        return store_it(alerts) if back.is_set() else away(alerts)

    app = doors(ingest=take_in)

    statuses = [post(app, "/hooks/railway").status_code]
    back.set()
    statuses.append(post(app, "/hooks/railway").status_code)

    assert statuses == [503, 202]


# ---- what is asked about them -------------------------------------------------------------------


def test_health_is_the_process_and_ready_is_the_store(journal: JournalStore) -> None:
    def gone() -> None:
        raise NotAvailable("the store does not answer")

    assert ask(doors(check_store=gone), "GET", "/health").status_code == 200
    assert ask(doors(check_store=gone), "GET", "/ready").status_code == 503
    assert ask(doors(check_store=journal.ping), "GET", "/ready").status_code == 200


def test_metrics_count_answers_by_door_and_what_is_due(journal: JournalStore) -> None:
    app = doors(count_open=lambda: 7)
    post(app, "/hooks/railway")
    post(app, "/hooks/railway", b"{}")
    post(app, "/ping", headers={})

    text = ask(app, "GET", "/metrics").text

    assert 'trackwalker_door_answers_total{answer="stored",door="railway"} 1.0' in text
    assert 'trackwalker_door_answers_total{answer="malformed",door="railway"} 1.0' in text
    assert 'trackwalker_door_answers_total{answer="unauthorized",door="ping"} 1.0' in text
    assert "trackwalker_due 7.0" in text


def test_metrics_answer_while_the_store_is_away() -> None:
    def gone() -> int:
        raise NotAvailable("the store does not answer")

    answer = ask(doors(count_open=gone), "GET", "/metrics")

    assert answer.status_code == 200
    assert "trackwalker_due NaN" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Host": "trackwalker.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "[::1"},
    ],
)
def test_metrics_are_not_for_strangers(headers: dict[str, str]) -> None:
    assert ask(doors(), "GET", "/metrics", headers=headers).status_code == 401
    assert ask(doors(), "GET", "/metrics", headers=headers | HEADERS).status_code == 200


def test_the_front_says_who_is_there_and_where_to_look() -> None:
    answer = ask(doors(), "GET", "/")

    assert answer.status_code == 200
    assert answer.text.count("\n") == 1
    assert "Trackwalker" in answer.text
    assert "workers list" in answer.text


# ---- the process --------------------------------------------------------------------------------


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[tuple[str, Path]]:
    """The real web process in a folder of its own: its address, and the file of what it logs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "receiver.main:app", "--port", str(port)]
    path = {"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": os.environ["PATH"]}
    log = folder / "web.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=path | environ, stdout=out, stderr=out)
        try:
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


def test_the_process_stores_what_it_is_sent_and_logs_no_secret(
    tmp_path: Path, store_url: str, journal: JournalStore, store: redis.Redis
) -> None:
    with running(tmp_path, REDIS_URL=store_url, TRACKWALKER_SECRET="open-sesame") as (url, log):
        wait_until(partial(answers, url), what="the web process")

        answer = httpx.post(f"{url}/hooks/railway/open-sesame", content=CRASHED)

    assert answer.status_code == 202
    kept = journal.read_record(f"{PREFIX}alert:{answer.json()['alert']}", records.ALERT)
    assert kept is not None
    assert abs(kept.received_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert "alert stored" in log.read_text()
    assert "open-sesame" not in log.read_text()


def test_without_a_secret_the_process_starts_shut_and_says_so(
    tmp_path: Path, store_url: str, store: redis.Redis
) -> None:
    with running(tmp_path, REDIS_URL=store_url) as (url, log):
        wait_until(partial(answers, url), what="the web process")

        statuses = [httpx.post(url + path, content=b"").status_code for path in DOORS]

    assert statuses == [401, 401, 401]
    assert "TRACKWALKER_SECRET is not set" in log.read_text()


def test_while_the_store_is_down_one_line_reaches_slacks_webhook(tmp_path: Path) -> None:
    told: queue.Queue[str] = queue.Queue()

    async def slack(scope: Any, receive: Any, send: Any) -> None:
        told.put(json.loads((await receive())["body"])["text"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    with serve(slack) as hook:
        settings = {"REDIS_URL": "redis://127.0.0.1:1", "SLACK_WEBHOOK_URL": f"{hook.url}/services/x"}
        with running(tmp_path, TRACKWALKER_SECRET="s", **settings) as (url, _):
            wait_until(partial(answers, url), what="the web process")

            sent = [httpx.post(f"{url}/hooks/railway/s", content=CRASHED) for _ in range(2)]

    assert [answer.status_code for answer in sent] == [503, 503]
    assert "service ledger" in told.get(timeout=10)
    assert told.empty()


def test_settings_that_make_no_sense_end_the_process_with_one_line(tmp_path: Path) -> None:
    code = "from receiver.main import app; app()"
    path = {"PYTHONPATH": str(Path(__file__).parents[3]), "PORT": "no number"}

    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 2
    assert "PORT" in run.stderr
    assert "Traceback" not in run.stderr
