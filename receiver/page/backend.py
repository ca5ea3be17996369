"""The functions behind the page: the views of the journal and the actions of people.

Each loads its module when it is called first: an installation whose page nobody opens does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from receiver.page import live
from workers.engine.journal_store import JournalStore
from workers.models import Action, ActionResult, AuditEntry, Decision
from workers.runtime.settings import Settings

if TYPE_CHECKING:
    from workers.views.history import HistoryQuery
    from workers.views.shapes import HistoryPage, IncidentView, JournalPage, Overview, RecordView

JournalKind = Literal["alert", "sweep"]


@dataclass(frozen=True)
class Backend:
    """Everything behind the page. Each function raises NotAvailable if Redis does not answer.

    Args:
        audit: at most so many entries that are older than the one with this id ("": the newest).
        versions: the version of each of these topics, see `receiver.page.live`.
    """

    overview: Callable[[datetime], Overview]
    incident: Callable[[str], IncidentView | None]
    record: Callable[[str, str], RecordView | None]
    history: Callable[[HistoryQuery], HistoryPage]
    journals: Callable[[JournalKind, int], JournalPage]
    decisions: Callable[[], Sequence[Decision]]
    audit: Callable[[int, str], Sequence[AuditEntry]]
    markdown: Callable[[IncidentView], str]
    perform: Callable[[Action], ActionResult]
    versions: Callable[[frozenset[str]], Mapping[str, str]]


def journal_backend(store: JournalStore, settings: Settings) -> Backend:
    """The backend of an installation."""

    def overview(now: datetime) -> Overview:
        from workers.views import overview as module

        return module.read(store, settings, now)

    def incident(incident_id: str) -> IncidentView | None:
        from workers.views import incident_view as module

        return module.read(store, incident_id)

    def record(journal: str, name: str) -> RecordView | None:
        from workers.views import record_view as module

        return module.read(store, journal, name)

    def history(query: HistoryQuery) -> HistoryPage:
        from workers.views import history as module

        return module.search(store, query)

    def journals(kind: JournalKind, page: int) -> JournalPage:
        from workers.views import journal_pages as module

        return module.read(store, kind, page)

    def markdown(view: IncidentView) -> str:
        from workers.views import postmortem

        return postmortem.markdown(view)

    return Backend(
        overview=overview, incident=incident, record=record, history=history, journals=journals, markdown=markdown,
        decisions=lambda: _decisions(store), audit=lambda limit, before: _audit(store, limit, before),
        perform=lambda action: _perform(store, action, ZoneInfo(settings.timezone)),
        versions=lambda topics: live.read_versions(store, topics),
    )  # fmt: skip


def _decisions(store: JournalStore) -> Sequence[Decision]:
    from workers.incidents import decisions

    return decisions.all(store)


def _audit(store: JournalStore, limit: int, before: str) -> Sequence[AuditEntry]:
    from workers.incidents import audit

    return audit.entries(store, limit, before)


def _perform(store: JournalStore, action: Action, zone: tzinfo) -> ActionResult:
    from workers import actions

    return actions.perform(store, action, zone=zone)
