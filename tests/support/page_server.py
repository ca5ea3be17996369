"""Serves the page on a real loopback socket, from sample values, with the receiver's own server."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette

from receiver.app import build_app
from receiver.connection import ConnectionLimits
from receiver.endpoints import Endpoints, Scope
from receiver.metrics import StoreState
from receiver.page.backend import Backend
from receiver.page.routes import page_routes
from receiver.page.site import Site
from receiver.server import build_server
from tests.support import page_samples as samples
from tests.support.fakes.serving import free_port
from tests.support.polling import wait_until
from workers.engine.journal_store import JournalStore
from workers.models import Action, ActionResult, AuditEntry, Decision
from workers.runtime.settings import Settings, read
from workers.views.history import HistoryQuery
from workers.views.shapes import HistoryPage, IncidentView, JournalPage, Overview, RecordView

TIMEZONE = "Europe/Berlin"


@dataclass
class Sample:
    """The content of the page, which tests may replace, and the presses."""

    overview: Overview = field(default_factory=samples.overview)
    incident: IncidentView = field(default_factory=samples.incident)
    record: RecordView = field(default_factory=samples.record)
    history: HistoryPage = field(default_factory=samples.history)
    journals: JournalPage = field(default_factory=samples.journals)
    decisions: Sequence[Decision] = field(default_factory=samples.decisions)
    audit: Sequence[AuditEntry] = field(default_factory=samples.audit)
    version: str = "1"
    actions: list[Action] = field(default_factory=list)
    queries: list[HistoryQuery] = field(default_factory=list)
    result: ActionResult = field(default_factory=lambda: ActionResult(done=True, text="Done as asked."))

    source: Sample | None = None
    """Another sample that is shown instead."""

    @property
    def shown(self) -> Sample:
        return self.source or self

    def backend(self) -> Backend:
        """A backend that answers with the present values."""
        return Backend(
            overview=lambda _: self.shown.overview,
            incident=lambda journal: self.shown.incident if journal == samples.INCIDENT else None,
            record=lambda *_: self.shown.record,
            history=self._search,
            journals=lambda *_: self.shown.journals,
            decisions=lambda: self.shown.decisions,
            audit=lambda *_: self.shown.audit,
            markdown=lambda view: f"# {view.service}\n",
            perform=self._perform,
            versions=lambda topics: dict.fromkeys(topics, self.shown.version),
        )

    def hostile(self) -> Sample:
        """The same values with hostile text in each of them."""
        return Sample(
            overview=samples.hostile(self.overview),
            incident=samples.hostile(self.incident),
            record=samples.hostile(self.record),
            history=samples.hostile(self.history),
            journals=samples.hostile(self.journals),
            decisions=[samples.hostile(item) for item in self.decisions],
            audit=[samples.hostile(item) for item in self.audit],
            result=samples.hostile(self.result),
        )

    def _search(self, query: HistoryQuery) -> HistoryPage:
        self.shown.queries.append(query)
        return self.shown.history

    def _perform(self, action: Action) -> ActionResult:
        self.shown.actions.append(action)
        return self.shown.result


def page_settings(**environ: str) -> Settings:
    """Settings for the page."""
    return read({"TRACKWALKER_SECRET": "s3cret", "TRACKWALKER_TIMEZONE": TIMEZONE, **environ}, dotenv=None)


def build_page(site: Site) -> Starlette:
    """The web app with a page."""
    endpoints = Endpoints(
        secrets=("s3cret",),
        ingest=lambda alerts: [alert.id for alert, _ in alerts],
        check_store=lambda: None,
        read_state=StoreState,
        notify_fallback=lambda _: None,
        scope=Scope(),
        now=site.now,
        token=lambda: "t",
    )
    return build_app(endpoints, page_routes(site))


def served_page(
    sample: Sample, store: JournalStore, environ: Mapping[str, str], limits: ConnectionLimits | None = None
) -> AbstractContextManager[str]:
    """The address of a running server that shows a sample at the time of the samples."""
    site = Site(page_settings(**environ), store, sample.backend(), lambda: samples.AT)
    return served_site(site, limits)


@contextmanager
def served_site(site: Site, limits: ConnectionLimits | None = None) -> Iterator[str]:
    """The address of a running server with a page."""
    server = build_server(build_page(site), "127.0.0.1", free_port(), limits or ConnectionLimits())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, what="the server")
    try:
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(10)
