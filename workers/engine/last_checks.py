"""The last report about the installation: what `up` found out at its start, for the page and the command line."""

from __future__ import annotations

from pydantic import ValidationError

from workers.engine.journal_store import JournalStore
from workers.engine.schema import LAST_CHECKS
from workers.models.check_results import CheckReport

TTL_SECONDS = 30 * 86_400  # as long as a journal; an installation that runs longer is not judged by its start


def store_report(store: JournalStore, report: CheckReport) -> None:
    """Keep the report as the last one. Raises NotAvailable if Redis does not answer."""
    store.command("set", LAST_CHECKS, report.model_dump_json(), TTL_SECONDS)


def read_report(store: JournalStore) -> CheckReport | None:
    """The last report; None if there is none, or a newer version wrote it. Raises NotAvailable."""
    raw = store.command("get", LAST_CHECKS)
    try:
        return CheckReport.model_validate_json(raw) if raw else None
    except ValidationError:
        return None
