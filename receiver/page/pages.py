"""The pages that show something. Each reads one view of the journal and fills one template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from receiver.page.backend import JournalKind
from receiver.page.live import NOW
from receiver.page.site import Call
from workers.engine.stage_table import stages_of
from workers.models import Category
from workers.models.links import incident_of_path, incident_path

if TYPE_CHECKING:
    from workers.views.shapes import IncidentView

AUDIT_ROWS = 50
INCIDENT_NAME = re.compile(r"[0-9A-Za-z]{1,64}-[0-9A-Za-z]{1,64}", re.ASCII)
RECORD_NAME = re.compile(r"[0-9A-Za-z_.:\-]{1,120}", re.ASCII)
JOURNAL_ID = re.compile(r"[0-9A-Za-z_.:\-]{1,300}", re.ASCII)
PAGE_NUMBER = re.compile(r"[1-9]\d{0,4}", re.ASCII)
ENTRY_ID = re.compile(r"[1-9]\d{0,18}-\d{1,19}", re.ASCII)  # within the 64 bits of an id of a stream
QUERY_FIELDS = ("text", "service", "environment", "category", "state", "is_open")


def now(call: Call) -> Response:
    """The overview: open incidents, the services, and the work of Trackwalker."""
    version = call.site.backend.versions(frozenset({NOW}))[NOW]
    overview = call.site.backend.overview(call.site.now())
    return call.render("now.html", topic=NOW, version=version, overview=overview)


def incident(call: Call) -> Response:
    """Everything about one incident."""
    name = _name(call)
    journal = incident_of_path(name)
    version = call.site.backend.versions(frozenset({journal}))[journal]
    return call.render(
        "incident.html", topic=name, version=version, incident=_incident(call), own_path=incident_path(journal),
        stages=[stage.name for stage in stages_of(journal)],
    )  # fmt: skip


def rollback(call: Call) -> Response:
    """The exact effect of a rollback, and the button that does it."""
    return call.render("rollback.html", incident=_incident(call))


def incident_json(call: Call) -> Response:
    """The incident as JSON, for agents."""
    return JSONResponse(_incident(call).model_dump(mode="json"))


def incident_markdown(call: Call) -> Response:
    """The incident as a draft of a post-mortem."""
    text = call.site.backend.markdown(_incident(call))
    return Response(text, media_type="text/markdown; charset=utf-8")


def record(call: Call) -> Response:
    """One record of a journal."""
    journal, name = call.request.path_params["journal"], call.request.path_params["record"]
    if not JOURNAL_ID.fullmatch(journal) or not RECORD_NAME.fullmatch(name):
        raise HTTPException(404)
    view = call.site.backend.record(journal, name)
    if view is None:
        raise HTTPException(404)
    return call.render("record.html", record=view)


def history(call: Call) -> Response:
    """Open and ended incidents, with search and filters."""
    from pydantic import ValidationError

    from workers.views.history import HistoryQuery
    from workers.views.shapes import IncidentState

    given = call.request.query_params
    fields = {name: given[name][:200] for name in QUERY_FIELDS if given.get(name)}
    page = given.get("page", "1")
    try:
        query = HistoryQuery.model_validate({**fields, "page": page})
    except ValidationError:
        fields, query = {}, HistoryQuery()
    result = call.site.backend.history(query)

    def link(number: int) -> str:
        return "/history?" + urlencode({**fields, "page": number})

    return call.render(
        "history.html", result=result, fields=fields, link=link,
        categories=list(Category), states=list(IncidentState),
    )  # fmt: skip


def alerts(call: Call) -> Response:
    """The alerts that arrived, the newest first."""
    return _journals(call, "alert")


def checks(call: Call) -> Response:
    """The checks of the environments, the newest first."""
    return _journals(call, "sweep")


def _journals(call: Call, kind: JournalKind) -> Response:
    number = call.request.query_params.get("page", "1")
    page = int(number) if PAGE_NUMBER.fullmatch(number) else 1
    result = call.site.backend.journals(kind, page)
    return call.render("journals.html", kind=kind, result=result)


def decisions(call: Call) -> Response:
    """The pauses, mutes, snoozes and not-a-problems of people."""
    return call.render("decisions.html", topic=NOW, version="", decisions=call.site.backend.decisions())


def audit(call: Call) -> Response:
    """The actions of people, the newest first."""
    entries = call.site.backend.audit(AUDIT_ROWS, _entry_id(call.request.query_params.get("before", "")))
    return call.render("audit.html", entries=entries, has_more=len(entries) == AUDIT_ROWS)


def _name(call: Call) -> str:
    name: str = call.request.path_params["name"]
    if not INCIDENT_NAME.fullmatch(name):
        raise HTTPException(404)
    return name


def _incident(call: Call) -> IncidentView:
    view = call.site.backend.incident(incident_of_path(_name(call)))
    if view is None:
        raise HTTPException(404)
    return view


def _entry_id(text: str) -> str:
    return text if ENTRY_ID.fullmatch(text) else ""
