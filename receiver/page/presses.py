"""Forms of the page as actions of a person."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from starlette.responses import Response

from receiver.page import responses, sessions
from receiver.page.forms import Form, InvalidForm
from receiver.page.site import Call
from workers.models import Action, ActionKind, Person

CONFIRMED = frozenset({ActionKind.ROLL_BACK, ActionKind.REDEPLOY, ActionKind.CANCEL})
"""Actions that are hard to take back: their form has a box to tick, or a page of its own."""
WITH_REASON = frozenset({ActionKind.NOT_A_PROBLEM})
MORNING = time(9)  # when "until 9:00" ends, in the zone of the settings
MAX_TARGET_LENGTH = 300
MAX_REASON_LENGTH = 500
MAX_REQUEST_ID_LENGTH = 100
ENDS = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}


def press(call: Call) -> Response:
    """Perform the action of a form, and show its answer on the page that it came from."""
    form = call.form or {}
    site = call.site
    action = read_action(
        form, Person(name=call.visitor.name, via="page"), site.now(), ZoneInfo(site.settings.timezone)
    )
    result = site.backend.perform(action)
    response = responses.redirect(form.get("next", "/"))
    flash = sessions.pack_flash(site.keys, result.text, result.done)
    responses.set_cookie(
        response, call.request, site.url, responses.FLASH_COOKIE, flash, sessions.FLASH_SECONDS
    )
    return response


def read_action(form: Form, person: Person, now: datetime, zone: tzinfo) -> Action:
    """The action that a form asks for.

    Raises:
        InvalidForm: a field is missing or cannot be read.
    """
    try:
        kind = ActionKind(form.get("kind", ""))
    except ValueError:
        raise InvalidForm(422, "The form asks for something that Trackwalker cannot do.") from None
    if kind in CONFIRMED and form.get("confirmed") != "yes":
        raise InvalidForm(422, "Tick the box to confirm, then press the button again.")
    reason = form.get("reason", "").strip()
    if kind in WITH_REASON and not reason:
        raise InvalidForm(422, "Write a reason: the next person on call has to understand it.")
    request_id = form.get("request_id", "")
    if not 0 < len(request_id) <= MAX_REQUEST_ID_LENGTH or len(form.get("target", "")) > MAX_TARGET_LENGTH:
        raise InvalidForm(422, "The form is incomplete. Go back, reload the page and press again.")
    return Action(
        kind=kind, target=form.get("target", ""), person=person, request_id=request_id, at=now,
        reason=reason[:MAX_REASON_LENGTH], until=read_end(form.get("until", ""), now, zone),
        stage=form.get("stage", "")[:MAX_REQUEST_ID_LENGTH],
    )  # fmt: skip


def read_end(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The end that a form names: `4h`, `30d`, `morning`; None for an empty one, which lasts until it is undone.

    Raises:
        InvalidForm: the text is none of these.
    """
    if not text:
        return None
    if text == "morning":
        return next_morning(now, zone)
    if text not in ENDS:
        raise InvalidForm(422, "Choose one of the listed ends.")
    return now + ENDS[text]


def next_morning(now: datetime, zone: tzinfo) -> datetime:
    """The next 9:00 in a zone."""
    local = now.astimezone(zone)
    day = local.date() if local.timetz().replace(tzinfo=None) < MORNING else local.date() + timedelta(days=1)
    return datetime.combine(day, MORNING, zone).astimezone(UTC)
