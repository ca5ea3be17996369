"""The webhook endpoints: their responses, that a 2xx response means "stored", and outages of Redis."""

from __future__ import annotations

import json
import logging
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

from receiver.app import WEBHOOK_PATHS, build_app
from receiver.endpoints import MAX_BODY_BYTES, Endpoints, IngestItem, Scope
from receiver.fallback import MIN_INTERVAL_SECONDS, PING_MIN_INTERVAL_SECONDS, FallbackNotifier
from receiver.main import compose
from receiver.metrics import StoreState
from tests.support.fakes.serving import serve
from tests.support.native_bodies import BODIES
from tests.support.polling import wait_until
from tests.support.webhooks import CRASHED_WEBHOOK, ROOT, is_up, web_process
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
HEADERS = {"X-Trackwalker-Secret": "first"}
LOADED_SECONDS = 2.0  # allowance for a loaded machine; a broken promise would take many more
SERVICE = "6b2ec174-9f30-417e-9c85-2d3f40516c7d"
ENVIRONMENT = "5a1db063-8e2f-406d-8b74-1c2e3f405b6c"
PROJECT = "4f0c9a52-7d1e-4f5c-9a63-0b1d2e3f4a5b"
IngestBatch = Callable[[Sequence[IngestItem]], Sequence[str | Exception]]


def make_app(**changes: Any) -> Starlette:
    """The app with collaborators that always succeed; keyword arguments replace them."""
    numbers = iter(range(1000))
    collaborators: dict[str, Any] = {
        "secrets": ("first", "second"),
        "ingest": lambda alerts: [alert.id for alert, _ in alerts],
        "check_store": lambda: None,
        "read_state": StoreState,
        "notify_fallback": lambda alert: None,
        "scope": Scope(),
        "now": lambda: AT,
        "token": lambda: f"t{next(numbers)}",
    }
    return build_app(Endpoints(**collaborators | changes))


def send(app: Starlette, method: str, path: str, **options: Any) -> httpx.Response:
    """The response to one request from this machine."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **options)

    return anyio.run(one)


def post(app: Starlette, path: str, content: Any = CRASHED_WEBHOOK, **options: Any) -> httpx.Response:
    return send(app, "POST", path, content=content, **{"headers": HEADERS} | options)


def store_in(journal: JournalStore) -> IngestBatch:
    return lambda alerts: intake.ingest_batch(alerts, journal, lambda _: None)


def unavailable(_: Sequence[IngestItem]) -> list[str]:
    raise NotAvailable("the store does not response: ConnectionError")


# ---- responses ----------------------------------------------------------------------------------


def test_a_response_means_that_the_alert_is_stored_and_scheduled(
    journal: JournalStore, store: redis.Redis
) -> None:
    response = post(make_app(ingest=store_in(journal)), "/hooks/railway")

    assert response.status_code == 202
    key = f"{PREFIX}alert:{response.json()['alert']}"
    assert store.zscore(SCHEDULE, key) is not None
    stored = journal.read_record(key, records.ALERT)
    assert stored is not None
    assert (stored.kind, stored.service_id, stored.received_at) == ("deployment.crashed", SERVICE, AT)


def test_a_repeated_body_gets_the_same_id_and_is_stored_once(
    journal: JournalStore, store: redis.Redis
) -> None:
    app = make_app(ingest=store_in(journal))
    first = post(app, "/hooks/railway").json()

    again = post(app, "/hooks/railway").json()

    assert again == first
    assert len([key for key in store.zrange(SCHEDULE, 0, -1) if b"notification" not in key]) == 1
    assert 604_000 < store.ttl(store.keys(f"{PREFIX}dedup:*")[0]) <= 604_800


def test_the_slack_endpoint_answers_ok_like_slacks_webhooks(
    journal: JournalStore, store: redis.Redis
) -> None:
    app = make_app(ingest=store_in(journal))

    response = post(app, "/hooks/slack/first", b"payload=%7B%22text%22%3A%22ledger+is+slow%22%7D", headers={})

    assert (response.status_code, response.text) == (200, "ok")
    stored = journal.read_record(f"{PREFIX}alert:{response.headers['X-Trackwalker-Alert']}", records.ALERT)
    assert stored is not None
    assert stored.message == "ledger is slow"


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"at": null}'])
def test_a_ping_without_a_time_always_starts_a_check(journal: JournalStore, body: bytes) -> None:
    app = make_app(ingest=store_in(journal))

    responses = [post(app, "/ping", body) for _ in range(2)]

    assert [response.status_code for response in responses] == [202, 202]
    assert responses[0].json() != responses[1].json()


def test_a_ping_with_a_time_starts_one_check(journal: JournalStore) -> None:
    app = make_app(ingest=store_in(journal))

    ids = [post(app, "/ping", body).json()["alert"] for body in (b'{"at": "2026-11-23T03:00:00Z"}',) * 2]
    later = post(app, "/ping", b'{"at": "2026-11-23T03:10:00Z"}').json()["alert"]

    assert ids[0] == ids[1]
    assert later != ids[0]


@pytest.mark.parametrize("body", [b'{"at": "soon"}', b'{"at": 5}'])
def test_a_ping_with_an_invalid_time_is_rejected(body: bytes) -> None:
    response = post(make_app(), "/ping", body)

    assert (response.status_code, response.json()["field"]) == (422, "at")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "Deployment.building"}, "Deployment.building reports no problem"),
        ({"resource": {"environment": {"id": "e", "isEphemeral": True}}}, "ephemeral environment"),
        ({"resource": {"service": {"id": "ourselves"}}}, "our own service"),
        ({"resource": {"environment": {"id": "elsewhere"}}}, "not watched"),
        ({"resource": {"project": {"id": "elsewhere"}}}, "not watched"),
    ],
)
def test_an_event_that_needs_no_check_is_ignored_and_not_stored(
    journal: JournalStore, store: redis.Redis, changes: dict[str, Any], reason: str
) -> None:
    watched = Scope((Environment(project_id=PROJECT, environment_id=ENVIRONMENT),), "ourselves")
    app = make_app(scope=watched, ingest=store_in(journal))

    response = post(app, "/hooks/railway", json.dumps(json.loads(CRASHED_WEBHOOK) | changes))

    assert (response.status_code, response.json()) == (202, {"ignored": reason})
    assert store.dbsize() == 0


@pytest.mark.parametrize("resource", [{}, {"environment": {"id": ENVIRONMENT}}, {"project": {"id": PROJECT}}])
def test_an_alert_that_may_concern_a_watched_environment_is_stored(resource: dict[str, Any]) -> None:
    app = make_app(scope=Scope((Environment(project_id=PROJECT, environment_id=ENVIRONMENT),), "ourselves"))

    response = post(app, "/hooks/railway", json.dumps({"type": "Deployment.crashed", "resource": resource}))

    assert "alert" in response.json()


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
@pytest.mark.parametrize("secret", ["first", "second"])
def test_every_secret_authenticates_by_header_and_by_path(path: str, secret: str) -> None:
    body = BODIES[WEBHOOK_PATHS[path]][0]

    by_header = post(make_app(), path, body, headers={"X-Trackwalker-Secret": secret})
    by_path = post(make_app(), f"{path}/{secret}", body, headers={})

    assert {by_header.status_code, by_path.status_code} <= {200, 202}


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
@pytest.mark.parametrize(
    "given", ["", "wrong", "firs", "first2", "first,second", "ünï", "fi%72st%00", "first/x"]
)
def test_a_wrong_secret_is_rejected(path: str, given: str) -> None:
    by_header = post(make_app(), path, headers={"X-Trackwalker-Secret": given.encode()})
    by_path = post(make_app(), f"{path}/{given}", headers={})

    assert (by_header.status_code, by_path.status_code) == (401, 401)


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
def test_without_a_configured_secret_every_request_is_rejected(path: str) -> None:
    app = make_app(secrets=())

    responses = [
        post(app, where, headers=headers) for where in (path, f"{path}/") for headers in ({}, HEADERS)
    ]

    assert [response.status_code for response in responses] == [401] * 4


def test_a_secret_may_contain_any_character() -> None:
    app = make_app(secrets=("pässwörd/with slash",))

    by_header = post(app, "/hooks/railway", headers={"X-Trackwalker-Secret": "pässwörd/with slash".encode()})
    by_path = post(app, "/hooks/railway/p%C3%A4ssw%C3%B6rd/with%20slash", headers={})

    assert (by_header.status_code, by_path.status_code) == (202, 202)


def test_an_unauthenticated_body_is_not_read() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError("the body was read")

    assert post(make_app(), "/hooks/railway", endless(), headers={}).status_code == 401


@pytest.mark.parametrize("path", WEBHOOK_PATHS)
def test_a_body_over_the_limit_is_rejected(path: str) -> None:
    allowed, too_large = b" " * MAX_BODY_BYTES, b" " * (MAX_BODY_BYTES + 1)

    assert post(make_app(), path, too_large).status_code == 413
    assert post(make_app(), path, allowed).status_code != 413


def test_a_chunked_body_is_counted_while_it_arrives() -> None:
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b" " * 65_536

    response = post(make_app(), "/hooks/railway", endless())

    assert response.status_code == 413
    assert len(sent) < 10


def test_a_claimed_length_over_the_limit_is_rejected_at_once() -> None:
    headers = HEADERS | {"Content-Length": "9" * 40}

    assert post(make_app(), "/hooks/railway", b"{}", headers=headers).status_code == 413


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
def test_a_malformed_body_gets_a_response_that_names_the_field(body: bytes, field: str) -> None:
    response = post(make_app(), "/hooks/railway", body)

    assert response.status_code == 422
    assert response.json()["field"] == field
    assert field in response.json()["error"]


def test_a_pings_response_names_the_time_of_the_next_one_if_it_is_later(journal: JournalStore) -> None:
    app = make_app(ingest=store_in(journal), next_ping=lambda: 840.2)

    assert post(app, "/ping", b"").headers["X-Trackwalker-Next-Ping"] == "841"
    assert "X-Trackwalker-Next-Ping" not in post(app, "/hooks/railway").headers


@pytest.mark.parametrize("trouble", [NotAvailable("the store does not answer"), ValueError("a bug")])
def test_a_ping_is_stored_although_the_next_time_is_unknown(trouble: Exception) -> None:
    def next_ping() -> float | None:
        raise trouble

    response = post(make_app(next_ping=next_ping), "/ping", b"")

    assert (response.status_code, "X-Trackwalker-Next-Ping" in response.headers) == (202, False)


def test_a_query_that_hangs_does_not_delay_a_pings_response() -> None:
    released = threading.Event()

    def next_ping() -> float | None:
        released.wait(30)
        return 900.0

    response = post(make_app(next_ping=next_ping), "/ping", b"")

    released.set()
    assert (response.status_code, "X-Trackwalker-Next-Ping" in response.headers) == (202, False)


def test_pings_slow_down_when_the_rate_limit_is_nearly_used_up(
    store_url: str, store: redis.Redis, journal: JournalStore
) -> None:
    now = datetime.now(UTC)
    quota = RateLimit(limit=100, remaining=29, resets_at=now + timedelta(minutes=50))
    request_quota.store_sweep_cost(journal, "env", quota, 9, now)
    chosen = read(
        {"REDIS_URL": store_url, "TRACKWALKER_SECRET": "first", "TRACKWALKER_PING_MINUTES": "10"}, None
    )

    response = post(compose(chosen), "/ping", b"")

    assert 2900 < int(response.headers["X-Trackwalker-Next-Ping"]) <= 3000
    assert 2900 < float(journal.command("hget", PINGS, "interval")) <= 3000


@pytest.mark.parametrize("path", [*WEBHOOK_PATHS, "/ping/first"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_an_endpoint_accepts_post_only(path: str, method: str) -> None:
    response = send(make_app(), method, path, headers=HEADERS)

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", [*WEBHOOK_PATHS, "/hooks/railway/first"])
def test_the_dashboards_test_button_may_send_from_the_browser(path: str) -> None:
    preflight = {"Origin": "https://railway.com", "Access-Control-Request-Method": "POST"}

    before = send(make_app(), "OPTIONS", path, headers=preflight)
    response = post(make_app(), path, b"{}", headers=HEADERS | {"Origin": "https://railway.com"})

    assert before.status_code == 204
    assert "POST" in before.headers["Access-Control-Allow-Methods"]
    assert "X-Trackwalker-Secret" in before.headers["Access-Control-Allow-Headers"]
    assert (
        before.headers["Access-Control-Allow-Origin"]
        == response.headers["Access-Control-Allow-Origin"]
        == "*"
    )


def test_an_unknown_path_is_not_found() -> None:
    assert post(make_app(), "/hooks/pager").status_code == 404
    assert post(make_app(), "/hooks").status_code == 404


def test_neither_secrets_nor_bodies_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"type": "Deployment.crashed", "surprise": "tell-nobody", "resource": {"service": 1}}'

    post(make_app(), "/hooks/railway/first", CRASHED_WEBHOOK, headers={})
    post(make_app(), "/hooks/railway/second", body, headers={})
    post(make_app(), "/hooks/railway/guessed-it", body, headers={"X-Trackwalker-Secret": "guessed-it"})

    logged = "\n".join(
        str(record.__dict__) for record in caplog.records if record.name.startswith("trackwalker")
    )
    assert "alert stored" in logged
    assert "wrong secret" in logged
    assert not any(word in logged for word in ("first", "second", "guessed-it", "tell-nobody"))


# ---- Redis is unavailable ------------------------------------------------------------------------


def test_during_an_outage_the_sender_is_asked_to_retry() -> None:
    reported: list[Alert] = []

    response = post(make_app(ingest=unavailable, notify_fallback=reported.append), "/hooks/railway")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert [alert.service_name for alert in reported] == ["ledger"]


def test_a_bug_while_storing_loses_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[Alert] = []

    def broken(_: Sequence[IngestItem]) -> list[str]:
        raise KeyError("a bug")

    response = post(make_app(ingest=broken, notify_fallback=reported.append), "/hooks/railway")

    assert response.status_code == 503
    assert len(reported) == 1
    assert "KeyError" in caplog.text


@contextmanager
def hanging_store() -> Iterator[redis.Redis]:
    """A Redis server that accepts connections and never responses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hung = connect(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        yield hung
        hung.close()


def test_while_redis_hangs_every_request_is_answered_within_three_seconds() -> None:
    reported: list[Alert] = []
    with (
        hanging_store() as hung,
        serve(make_app(ingest=store_in(JournalStore(hung)), notify_fallback=reported.append)) as web,
        httpx.Client(headers=HEADERS, timeout=20) as client,
    ):
        wait_until(partial(is_up, web.url), what="the web app")

        def one(_: int) -> tuple[int, float]:
            before = time.monotonic()
            response = client.post(f"{web.url}/hooks/railway", content=CRASHED_WEBHOOK)
            return response.status_code, time.monotonic() - before

        with ThreadPoolExecutor(30) as senders:
            responses = list(senders.map(one, range(30)))
        health = client.get(f"{web.url}/health", timeout=2)

    assert {status for status, _ in responses} == {503}
    assert max(seconds for _, seconds in responses) < 3 + LOADED_SECONDS
    assert health.status_code == 200
    assert len(reported) == 30


def test_a_hanging_slack_delays_no_response() -> None:
    released, is_called = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        is_called.set()
        released.wait(20)

    before = time.monotonic()
    response = post(
        make_app(ingest=unavailable, notify_fallback=FallbackNotifier(hang, time.monotonic).notify),
        "/hooks/railway",
    )
    seconds = time.monotonic() - before
    released.set()

    assert response.status_code == 503
    assert is_called.wait(5)
    assert seconds < 2 + LOADED_SECONDS


def test_one_line_a_minute_goes_to_slack_and_counts_the_others() -> None:
    posted: queue.Queue[str] = queue.Queue()
    clock = iter([0.0, 1.0, MIN_INTERVAL_SECONDS - 1, MIN_INTERVAL_SECONDS + 1])
    last = FallbackNotifier(posted.put, lambda: next(clock))
    app = make_app(ingest=unavailable, notify_fallback=last.notify)

    for _ in range(4):
        post(app, "/hooks/railway")

    lines = [posted.get(timeout=5) for _ in range(2)]
    assert lines[0].startswith(
        "Redis is unavailable, so this alert is not processed: Deployment.crashed: service ledger"
    )
    assert "(2 more since the last message)" in lines[1]
    assert posted.empty()
    assert not any("\n" in line for line in lines)


def test_pings_during_an_outage_are_posted_rarely() -> None:
    posted: queue.Queue[str] = queue.Queue()
    clock = iter([0.0, MIN_INTERVAL_SECONDS + 1, PING_MIN_INTERVAL_SECONDS + 1])
    app = make_app(
        ingest=unavailable, notify_fallback=FallbackNotifier(posted.put, lambda: next(clock)).notify
    )

    for _ in range(3):
        post(app, "/ping", b"")

    assert "ping" in posted.get(timeout=5)
    assert "(1 more" in posted.get(timeout=5)
    assert posted.empty()


def test_a_refused_post_is_logged_without_the_webhooks_url(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: str) -> None:
        raise NotAvailable("https://hooks.example/with-a-secret")

    FallbackNotifier(refuse, time.monotonic).notify(
        Alert(id="a", source="railway", kind="deployment.crashed", received_at=AT)
    )

    wait_until(lambda: "alert neither stored nor posted" in caplog.text, seconds=5)
    assert "with-a-secret" not in str([record.__dict__ for record in caplog.records])


def test_alerts_are_stored_again_as_soon_as_redis_is_back(journal: JournalStore) -> None:
    back, store_it = threading.Event(), store_in(journal)

    def ingest(alerts: Sequence[IngestItem]) -> Sequence[str | Exception]:
        return store_it(alerts) if back.is_set() else unavailable(alerts)

    app = make_app(ingest=ingest)

    statuses = [post(app, "/hooks/railway").status_code]
    back.set()
    statuses.append(post(app, "/hooks/railway").status_code)

    assert statuses == [503, 202]


# ---- monitoring --------------------------------------------------------------------------------


def test_health_checks_the_process_and_ready_checks_redis(journal: JournalStore) -> None:
    def gone() -> None:
        raise NotAvailable("the store does not answer")

    assert send(make_app(check_store=gone), "GET", "/health").status_code == 200
    assert send(make_app(check_store=gone), "GET", "/ready").status_code == 503
    assert send(make_app(check_store=journal.ping), "GET", "/ready").status_code == 200


def test_metrics_count_responses_by_endpoint_and_open_journals(journal: JournalStore) -> None:
    app = make_app(read_state=lambda: StoreState(open_journals=7))
    post(app, "/hooks/railway")
    post(app, "/hooks/railway", b"{}")
    post(app, "/ping", headers={})

    text = send(app, "GET", "/metrics", headers=HEADERS).text

    assert 'trackwalker_webhook_responses_total{endpoint="railway",result="stored"} 1.0' in text
    assert 'trackwalker_webhook_responses_total{endpoint="railway",result="malformed"} 1.0' in text
    assert 'trackwalker_webhook_responses_total{endpoint="ping",result="unauthorized"} 1.0' in text
    assert "trackwalker_open_journals 7.0" in text


def test_metrics_are_served_during_an_outage() -> None:
    def gone() -> StoreState:
        raise NotAvailable("the store does not answer")

    response = send(make_app(read_state=gone), "GET", "/metrics", headers=HEADERS)

    assert response.status_code == 200
    assert "trackwalker_open_journals NaN" in response.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Host", "X-Original-URL"])
def test_metrics_need_a_secret_from_this_machine_too(header: str) -> None:
    app, headers = make_app(), {header: "127.0.0.1"}

    assert send(app, "GET", "/metrics", headers=headers).status_code == 401
    assert send(app, "GET", "/metrics/wrong", headers=headers).status_code == 401
    assert send(app, "GET", "/metrics", headers=headers | HEADERS).status_code == 200
    assert send(app, "GET", "/metrics/second", headers=headers).status_code == 200


def test_the_front_page_names_the_product_and_a_command() -> None:
    response = send(make_app(), "GET", "/")

    assert response.status_code == 200
    assert response.text.count("\n") == 1
    assert "Trackwalker" in response.text
    assert "trackwalker list" in response.text


# ---- the process --------------------------------------------------------------------------------


def test_the_process_stores_alerts_and_logs_no_secret(
    tmp_path: Path, store_url: str, journal: JournalStore, store: redis.Redis
) -> None:
    with web_process(tmp_path, REDIS_URL=store_url, TRACKWALKER_SECRET="open-sesame") as (url, log):
        wait_until(partial(is_up, url), what="the web process")

        response = httpx.post(f"{url}/hooks/railway/open-sesame", content=CRASHED_WEBHOOK)

    assert response.status_code == 202
    stored = journal.read_record(f"{PREFIX}alert:{response.json()['alert']}", records.ALERT)
    assert stored is not None
    assert abs(stored.received_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert "alert stored" in log.read_text()
    assert "open-sesame" not in log.read_text()


def test_without_a_secret_the_process_rejects_requests_and_logs_why(
    tmp_path: Path, store_url: str, store: redis.Redis
) -> None:
    with web_process(tmp_path, REDIS_URL=store_url) as (url, log):
        wait_until(partial(is_up, url), what="the web process")

        statuses = [httpx.post(url + path, content=b"").status_code for path in WEBHOOK_PATHS]

    assert statuses == [401] * len(WEBHOOK_PATHS)
    assert "TRACKWALKER_SECRET is not set" in log.read_text()


def test_during_an_outage_one_line_reaches_slacks_webhook(tmp_path: Path) -> None:
    posted: queue.Queue[str] = queue.Queue()

    async def slack(scope: Any, receive: Any, send: Any) -> None:
        posted.put(json.loads((await receive())["body"])["text"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    with serve(slack) as hook:
        settings = {"REDIS_URL": "redis://127.0.0.1:1", "SLACK_WEBHOOK_URL": f"{hook.url}/services/x"}
        with web_process(tmp_path, TRACKWALKER_SECRET="s", **settings) as (url, _):
            wait_until(partial(is_up, url), what="the web process")

            sent = [httpx.post(f"{url}/hooks/railway/s", content=CRASHED_WEBHOOK) for _ in range(2)]

    assert [response.status_code for response in sent] == [503, 503]
    assert "service ledger" in posted.get(timeout=10)
    assert posted.empty()


def test_invalid_settings_end_the_process_with_one_line(tmp_path: Path) -> None:
    path = {"PYTHONPATH": str(ROOT), "PORT": "no number"}

    run = subprocess.run(
        [sys.executable, "-m", "receiver.main"],
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
