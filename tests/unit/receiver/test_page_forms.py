"""Forms of the page: where they may come from, their tokens, and the actions that they become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from receiver.page.forms import InvalidForm, check_origin, check_token, form_token, origin_of
from receiver.page.presses import MAX_REASON_LENGTH, next_morning, read_action
from receiver.page.responses import own_path
from receiver.page.sessions import Keys, derive_keys, find_browser, new_browser, pack_flash, unpack_flash
from tests.support.page_server import page_settings
from workers.models import Action, ActionKind, Person

URL = "https://tw.example"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 2, 21, tzinfo=UTC)
LEA = Person(name="lea", via="page")
KEYS = Keys(b"k" * 32)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"},
        {"host": "TW.example", "origin": "https://tw.example", "sec-fetch-site": "same-origin"},
        {"host": "127.0.0.1:8000", "origin": "https://tw.example"},
        {"host": "127.0.0.1:8000", "origin": "null", "sec-fetch-site": "same-origin"},
        {"host": "127.0.0.1:8000", "sec-fetch-site": "same-origin"},
    ],
)
def test_forms_of_our_own_pages_are_taken(headers: dict[str, str]) -> None:
    check_origin(headers, URL)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000"},
        {"host": "127.0.0.1:8000", "origin": "null"},
        {"host": "127.0.0.1:8000", "origin": "https://evil.example"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000.evil.example"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "sec-fetch-site": "cross-site"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "sec-fetch-site": "none"},
        {"host": "tw.example", "origin": "https://tw.example.evil.example"},
        {"host": "", "origin": "http://"},
        {"origin": "https://"},
    ],
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidForm) as error:
        check_origin(headers, URL)

    assert error.value.status == 403


def test_the_origin_of_an_address_has_no_default_port_and_no_path() -> None:
    assert origin_of("HTTPS://u@tw.example:443/x?y") == "https://tw.example"
    assert origin_of("http://tw.example:8080") == "http://tw.example:8080"


# ---- tokens and cookies ----


def test_a_token_belongs_to_one_visitor_in_one_browser() -> None:
    form = {"token": form_token(KEYS, "lea", "b1")}

    check_token(KEYS, form, "lea", "b1")

    for visitor, browser in (("ana", "b1"), ("lea", "b2"), ("lea", ""), ("l", "eab1")):
        with pytest.raises(InvalidForm):
            check_token(KEYS, form, visitor, browser)


@pytest.mark.parametrize("token", ["", "x", "ä", "\x00"])
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidForm):
        check_token(KEYS, {"token": token}, "lea", "b1")


def test_a_signature_counts_for_its_purpose_only() -> None:
    cookie = new_browser(KEYS)

    assert find_browser(KEYS, cookie)
    assert unpack_flash(KEYS, cookie) is None
    assert find_browser(Keys(b"x" * 32), cookie) == ""
    assert find_browser(KEYS, pack_flash(KEYS, "text", True)) == ""


def test_an_answer_survives_the_redirect() -> None:
    assert unpack_flash(KEYS, pack_flash(KEYS, "Zu spät: <b>", False)) == ("Zu spät: <b>", False)
    assert len(pack_flash(KEYS, "ä" * 5000, True)) < 3900


def test_another_password_or_secret_makes_other_keys() -> None:
    keys = [
        derive_keys(page_settings(TRACKWALKER_SECRET=secret, TRACKWALKER_PAGE_PASSWORD=password))
        for secret, password in (("a", "b"), ("a", "c"), ("d", "b"), ("", ""), ("", ""))
    ]

    assert len({item.key for item in keys}) == 5
    assert keys[0] == derive_keys(page_settings(TRACKWALKER_SECRET="a", TRACKWALKER_PAGE_PASSWORD="b"))


# ---- redirects ----


@pytest.mark.parametrize(
    "path", ["/", "/incidents/abc-20261128T0203", "/history?text=a%20b&page=2", "/incidents/a-b/rollback"]
)
def test_own_paths_are_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/%5cevil.example/..//x",
        "",
        "x",
        "/a\r\nSet-Cookie: x=1",
        "/a\nb",
        "/..//evil.example",
        "/\t/evil.example",
        "/login?next=/login",
        "/logout",
        "/actions",
        "/a#b",
        "/ä",
        "/" + "a" * 600,
        "\\/evil",
        " /a",
    ],
)
def test_a_redirect_never_leaves_the_site(path: str) -> None:
    assert own_path(path) == "/"


# ---- actions ----


def action(**form: str) -> Action:
    return read_action({"request_id": "r1", "target": "incident:a:b", **form}, LEA, NOW, BERLIN)


@pytest.mark.parametrize("kind", list(ActionKind))
def test_every_action_has_a_form(kind: ActionKind) -> None:
    made = action(kind=kind.value, confirmed="yes", reason="because", until="4h", stage="plan")

    assert (made.kind, made.target, made.person, made.request_id) == (kind, "incident:a:b", LEA, "r1")
    assert (made.reason, made.until, made.stage) == ("because", NOW + timedelta(hours=4), "plan")


@pytest.mark.parametrize(
    "form",
    [
        {"kind": ""},
        {"kind": "delete_everything"},
        {"kind": "cancel"},
        {"kind": "roll_back"},
        {"kind": "redeploy", "confirmed": "no"},
        {"kind": "not_a_problem", "reason": "  "},
        {"kind": "snooze", "until": "tomorrow"},
        {"kind": "fix", "request_id": ""},
        {"kind": "fix", "request_id": "r" * 101},
        {"kind": "fix", "target": "x" * 301},
    ],
)
def test_an_incomplete_form_does_nothing(form: dict[str, str]) -> None:
    with pytest.raises(InvalidForm) as error:
        action(**form)

    assert error.value.status == 422


def test_a_long_reason_is_cut() -> None:
    assert len(action(kind="mute", reason="x" * 5000).reason) == MAX_REASON_LENGTH


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        (datetime(2026, 11, 28, 2, 21, tzinfo=UTC), datetime(2026, 11, 28, 8, tzinfo=UTC)),
        (datetime(2026, 11, 28, 8, 0, tzinfo=UTC), datetime(2026, 11, 29, 8, tzinfo=UTC)),
        (datetime(2026, 3, 28, 20, 0, tzinfo=UTC), datetime(2026, 3, 29, 7, tzinfo=UTC)),
    ],
)
def test_the_morning_is_nine_oclock_local_time(now: datetime, morning: datetime) -> None:
    assert next_morning(now, BERLIN) == morning
