"""Webhooks of other tools at the endpoints: which one takes a body, several alerts in one, good news, secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from receiver.app import build_app
from receiver.endpoints import Endpoints, IngestItem, Scope
from receiver.metrics import StoreState
from receiver.payload import Source
from receiver.sources.recognition import ENDPOINTS
from tests.support import native_bodies as bodies
from tests.support.native_bodies import BODIES, alert
from workers.engine.journal_store import JournalStore
from workers.errors import NotAvailable
from workers.incidents import intake
from workers.incidents.intake import RESOLVED
from workers.models import Alert

AT = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
PAIRS = [(sent, source, body) for sent in ENDPOINTS for source, items in BODIES.items() for body in items]


class Stored:
    """Collects what the app stores."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.lost: list[Alert] = []
        self.is_available = True

    def ingest(self, items: Sequence[IngestItem]) -> list[str]:
        if not self.is_available:
            raise NotAvailable("Redis does not answer")
        self.alerts += [alert for alert, _ in items]
        return [alert.id for alert, _ in items]


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def app(stored: Stored) -> Starlette:
    return app_of(stored.ingest, stored)


def app_of(ingest: Any, stored: Stored, **changes: Any) -> Starlette:
    numbers = iter(range(1000))
    return build_app(
        Endpoints(
            secrets=("secret",), ingest=ingest, check_store=lambda: None, read_state=StoreState,
            notify_fallback=stored.lost.append, scope=Scope(), now=lambda: AT,
            token=lambda: f"t{next(numbers)}", **changes,
        )
    )  # fmt: skip


def post(
    app: Starlette, path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            shown = {"X-Trackwalker-Secret": "secret"} if headers is None else headers
            return await client.post(path, content=content, headers=shown)

    return anyio.run(send)


@pytest.mark.parametrize(("sent", "source", "body"), PAIRS)
def test_a_body_at_another_tools_endpoint_is_refused_with_the_endpoint_that_takes_it(
    sent: Source, source: Source, body: bytes, app: Starlette, stored: Stored
) -> None:
    response = post(app, ENDPOINTS[sent], body)

    if sent == source:
        assert response.status_code in (200, 202)
        assert len(stored.alerts) == 1
    elif body:
        assert response.status_code == 422
        assert response.json()["field"]
        assert response.json()["endpoint"] == ENDPOINTS[source]
        assert ENDPOINTS[source] in response.json()["error"]
        assert stored.alerts == []


def test_the_alerts_of_a_group_are_stored_together(app: Starlette, stored: Stored) -> None:
    group = bodies.alertmanager(alert(service="ledger"), alert(service="checkout"))

    response = post(app, "/hooks/alertmanager", group)

    ids = [alert.id for alert in stored.alerts]
    assert response.json() == {"alert": ids[0], "alerts": ids}
    assert [alert.names for alert in stored.alerts] == [("ledger",), ("checkout",)]


def test_a_group_that_cannot_be_stored_is_sent_again_and_told_to_people(
    app: Starlette, stored: Stored
) -> None:
    stored.is_available = False

    response = post(app, "/hooks/alertmanager", bodies.alertmanager(alert(service="a"), alert(service="b")))

    assert response.status_code == 503
    assert [alert.names for alert in stored.lost] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/hooks/alertmanager", bodies.alertmanager(alert(status="resolved", service="ledger"))),
        ("/hooks/grafana", bodies.grafana(alert(status="resolved", service="ledger"))),
        ("/hooks/sentry", bodies.sentry_metric("resolved")),
        ("/hooks/slack", {"text": "[RESOLVED] ledger is slow"}),
        ("/hooks/railway", {"type": "Monitor.resolved", "resource": {"service": {"name": "ledger"}}}),
    ],
)
def test_good_news_is_no_alert_and_only_known_to_the_worker(
    path: str, body: dict[str, Any], app: Starlette, stored: Stored
) -> None:
    response = post(app, path, body)

    assert response.status_code == 202
    assert response.json()["ignored"]
    assert [alert.kind for alert in stored.alerts] == [RESOLVED]


def test_good_news_that_cannot_be_stored_is_nothing_to_report(app: Starlette, stored: Stored) -> None:
    stored.is_available = False

    response = post(app, "/hooks/slack", {"text": "[RESOLVED] ledger is slow"})

    assert (response.status_code, stored.lost) == (202, [])


def test_the_service_map_is_applied(stored: Stored) -> None:
    app = app_of(stored.ingest, stored, service_map={"Shop Front": "ledger"})

    post(app, "/hooks/slack", {"text": "Shop Front answers 500"})

    assert stored.alerts[0].names == ("ledger",)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "value", ["Bearer secret", "bearer  secret ", basic("any", "secret"), basic("secret", "")]
)
def test_the_secret_may_come_as_authorization(value: str, app: Starlette) -> None:
    response = post(app, "/hooks/alertmanager", bodies.alertmanager(), {"Authorization": value})

    assert response.status_code == 202


@pytest.mark.parametrize(
    "value",
    ["secret", "Bearer", "Bearer ", "Bearer wrong", "Basic secret", "Basic ====", basic("secret", "x"), basic("", ""),
     "Digest secret", "Bearer " + "secret" * 2000],
)  # fmt: skip
def test_another_authorization_is_refused(value: str, app: Starlette) -> None:
    response = post(app, "/hooks/alertmanager", bodies.alertmanager(), {"Authorization": value})

    assert response.status_code == 401


# ---- repeats, in a real store -------------------------------------------------------------------


def test_a_repeated_group_is_one_alert_and_a_new_firing_another(
    journal: JournalStore, stored: Stored
) -> None:
    app = app_of(lambda items: intake.ingest_batch(items, journal, lambda _: None), stored)
    errors, latency = alert("Errors", service="ledger"), alert("Latency", service="ledger")

    def alert_id(*alerts: dict[str, Any]) -> str:
        return str(post(app, "/hooks/alertmanager", bodies.alertmanager(*alerts)).json()["alert"])

    first = alert_id(errors)
    assert alert_id(errors) == first
    joined = alert_id(errors, latency)
    assert joined != first
    assert alert_id(errors, latency) == first
    assert alert_id(latency) == joined
