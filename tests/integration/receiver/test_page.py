"""The page over HTTP: its way in, sessions, forms, headers and addresses. Its looks are in `test_page_browser`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from urllib.parse import quote

import httpx
import pytest
import redis

from receiver.page import login
from tests.support import page_samples as samples
from tests.support.page_markup import foreign_markup
from tests.support.page_server import Sample, served_page
from workers.engine.journal_store import JournalStore
from workers.engine.schema import PAGE_ATTEMPTS_PREFIX, PAGE_SESSION_PREFIX
from workers.models import ActionKind, ActionResult
from workers.models.links import incident_path
from workers.runtime.store import client as connect

INCIDENT = incident_path(samples.INCIDENT)
RECORD = f"/records/{quote(samples.INCIDENT, safe='')}/evidence"
PAGES = (
    "/",
    INCIDENT,
    f"{INCIDENT}/rollback",
    RECORD,
    "/history",
    "/decisions",
    "/audit",
    "/alerts",
    "/checks",
)
NOTHING: Mapping[str, str] = {}
PASSWORD = {"TRACKWALKER_PAGE_PASSWORD": "correct horse"}
PROXY = {"TRACKWALKER_TRUSTED_USER_HEADER": "X-Auth-User", "TRACKWALKER_TRUSTED_PROXIES": "127.0.0.1"}


class Browsers:
    """Browsers at pages with settings. A page keeps running for the next test, with a fresh sample."""

    def __init__(self, stack: ExitStack, store: JournalStore) -> None:
        self.stack, self.store = stack, store
        self.pages: dict[tuple[str, ...], tuple[str, Sample]] = {}

    def open(self, sample: Sample | None = None, environ: Mapping[str, str] = NOTHING) -> httpx.Client:
        """A browser at the page with these settings."""
        key = tuple(f"{name}={value}" for name, value in sorted(environ.items()))
        if key not in self.pages:
            shown = Sample()
            self.pages[key] = (self.stack.enter_context(served_page(shown, self.store, environ)), shown)
        url, shown = self.pages[key]
        shown.source = sample or Sample()
        return self.again(url)

    def again(self, url: object) -> httpx.Client:
        """Another browser at the same page."""
        return self.stack.enter_context(httpx.Client(base_url=str(url), timeout=10))


@pytest.fixture(scope="module")
def pages(store_url: str) -> Iterator[Browsers]:
    with ExitStack() as stack:
        yield Browsers(stack, JournalStore(connect(store_url)))


@pytest.fixture
def browsers(pages: Browsers, store: redis.Redis) -> Browsers:
    """The browsers, with an empty store."""
    store.ping()
    return pages


def fields(page: httpx.Response, kind: str) -> dict[str, str]:
    """The hidden fields of the form of an action."""
    for form in re.findall(r"<form method=\"post\" action=\"/actions\">.*?</form>", page.text, re.DOTALL):
        found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        if found.get("kind") == kind:
            return found
    raise AssertionError(f"no form for {kind}")


def press(browser: httpx.Client, kind: str, **more: str) -> httpx.Response:
    """Press a button of the incident's page."""
    origin = str(browser.base_url).rstrip("/")
    form = fields(browser.get(INCIDENT), kind)
    return browser.post("/actions", data=form | more, headers={"Origin": origin})


def log_in(
    browser: httpx.Client, password: str = PASSWORD["TRACKWALKER_PAGE_PASSWORD"], next_path: str = "/"
) -> httpx.Response:
    origin = str(browser.base_url).rstrip("/")
    return browser.post("/login", data={"password": password, "next": next_path}, headers={"Origin": origin})


# ---- pages ----


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_strictly_bounded_by_its_headers(browsers: Browsers, path: str) -> None:
    page = browsers.open().get(path)

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in page.headers["permissions-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_an_inline_script_style_or_handler_or_leads_elsewhere(
    browsers: Browsers, path: str
) -> None:
    text = browsers.open().get(path).text

    assert foreign_markup(text) == []


@pytest.mark.parametrize("path", PAGES)
def test_hostile_text_is_escaped_wherever_it_stands(browsers: Browsers, path: str) -> None:
    browser = browsers.open(Sample().hostile())

    text = browser.get(path).text

    assert "&lt;script&gt;alert(1)" in text
    assert foreign_markup(text) == []
    assert "49{%" not in text


def test_the_incident_page_is_small(browsers: Browsers) -> None:
    assert len(browsers.open().get(INCIDENT).content) <= 150_000


def test_an_incident_is_also_json_and_markdown(browsers: Browsers) -> None:
    browser = browsers.open()

    data, text = browser.get(f"{INCIDENT}.json"), browser.get(f"{INCIDENT}.md")

    assert data.json()["id"] == samples.INCIDENT
    assert data.headers["content-type"] == "application/json"
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert text.text == "# checkout\n"
    assert {data.headers["x-content-type-options"], text.headers["x-content-type-options"]} == {"nosniff"}


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/",
        "/incidents/nope",
        "/incidents/a-b",
        "/incidents/a-b.json",
        "/incidents/a-b.md",
        "/incidents/a-b/rollback",
        "/incidents/..%2f..%2fetc%2fpasswd",
        "/incidents/%2e%2e/x",
        "/incidents/a:b-c",
        "/incidents/%00-a",
        "/incidents/a-b%0d%0ax",
        "/incidents/" + "a" * 5000 + "-b",
        "/static/x/page.css",
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/records/x/%2e%2e%2f",
        "/records/incident%3Aa%3Ab/..",
        "/templates/base.html",
        "/history/x",
        "//history",
    ],
)
def test_an_address_that_shows_nothing_is_not_found(browsers: Browsers, path: str) -> None:
    browser = browsers.open()

    answer = browser.get(browser.base_url.copy_with(raw_path=path.encode()))

    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_head_is_answered_like_get_without_a_body(browsers: Browsers) -> None:
    answer = browsers.open().head("/")

    assert (answer.status_code, answer.content) == (200, b"")


def test_assets_are_served_to_everybody_and_cached(browsers: Browsers) -> None:
    browser = browsers.open(environ=PASSWORD)
    paths = re.findall(r"/static/\w+/[\w.]+", browser.get("/login").text)

    answers = [browser.get(path) for path in paths]

    assert len(paths) == 3
    assert all(
        answer.status_code == 200 and "immutable" in answer.headers["cache-control"] for answer in answers
    )


@pytest.mark.parametrize(
    "query", ["page=x", "page=99999999999", "category=nope", "since=never", "text=" + "x" * 3000]
)
def test_an_unreadable_query_shows_the_whole_history(browsers: Browsers, query: str) -> None:
    assert browsers.open().get(f"/history?{query}").status_code == 200


def test_filters_reach_the_search(browsers: Browsers) -> None:
    sample = Sample()
    browsers.open(sample).get("/history?text=gift&service=checkout&category=code&is_open=true&page=2&state=")

    query = sample.queries[0]
    assert (query.text, query.service, query.category, query.is_open, query.page) == (
        "gift",
        "checkout",
        "code",
        True,
        2,
    )


# ---- the way in ----


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 x"},
    ],
)
@pytest.mark.parametrize("path", [*PAGES, f"{INCIDENT}.json", f"{INCIDENT}.md", "/events"])
def test_without_a_password_the_page_opens_on_the_machine_only(
    browsers: Browsers, path: str, headers: dict[str, str]
) -> None:
    answer = browsers.open().get(path, headers=headers)

    assert answer.status_code == 403
    assert "TRACKWALKER_PAGE_PASSWORD" in answer.text
    assert "checkout" not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_with_a_password_every_page_asks_for_it_and_comes_back(browsers: Browsers, path: str) -> None:
    browser = browsers.open(environ=PASSWORD)

    asked = browser.get(path)
    back = log_in(browser, next_path=asked.headers["location"].partition("next=")[2].replace("%2F", "/"))

    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/login?next=%2F")
    assert back.status_code == 303
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", [f"{INCIDENT}.json", f"{INCIDENT}.md", "/events", f"/events?incident={INCIDENT[11:]}"]
)
def test_with_a_password_data_and_live_updates_are_refused_without_a_session(
    browsers: Browsers, path: str
) -> None:
    answer = browsers.open(environ=PASSWORD).get(path)

    assert answer.status_code == 401
    assert "checkout" not in answer.text


def test_a_session_cookie_is_closed_to_scripts_and_to_other_sites_forms(browsers: Browsers) -> None:
    cookie = log_in(browsers.open(environ=PASSWORD)).headers["set-cookie"].lower()

    assert "trackwalker_session=" in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(browsers: Browsers) -> None:
    browser = browsers.open(environ={**PASSWORD, "TRACKWALKER_PUBLIC_URL": "https://tw.example"})

    answer = browser.post(
        "/login",
        data={"password": "correct horse"},
        headers={"Origin": "https://tw.example", "Host": "tw.example"},
    )

    assert "__Host-trackwalker_session=" in answer.headers["set-cookie"]
    assert "Secure" in answer.headers["set-cookie"]


def session_of(browser: httpx.Client) -> str:
    return browser.cookies["trackwalker_session"]


@pytest.mark.parametrize("change", ["flip", "extend", "other", "empty", "parts"])
def test_a_changed_cookie_opens_nothing(browsers: Browsers, change: str) -> None:
    browser = browsers.open(environ=PASSWORD)
    log_in(browser)
    session, expires, signature = session_of(browser).split(".")
    forged = {
        "flip": f"{session}.{expires}.{signature[::-1]}",
        "extend": f"{session}.{int(expires) + 9}.{signature}",
        "other": f"x{session[1:]}.{expires}.{signature}",
        "empty": "..",
        "parts": session,
    }[change]

    answer = browsers.again(browser.base_url).get("/", headers={"Cookie": f"trackwalker_session={forged}"})

    assert answer.status_code == 303


def test_a_copied_cookie_is_worthless_after_the_logout(browsers: Browsers) -> None:
    browser = browsers.open(environ=PASSWORD)
    log_in(browser)
    copied = {"Cookie": f"trackwalker_session={session_of(browser)}"}
    thief = browsers.again(browser.base_url)
    before = thief.get("/", headers=copied).status_code
    token = re.search(
        r'action="/logout"><input type="hidden" name="token" value="([^"]+)"', browser.get("/").text
    )
    assert token

    left = browser.post("/logout", data={"token": token[1]}, headers={"Origin": str(browser.base_url)})

    assert (before, left.status_code) == (200, 303)
    assert thief.get("/", headers=copied).status_code == 303


def test_another_password_ends_all_sessions(browsers: Browsers) -> None:
    browser = browsers.open(environ=PASSWORD)
    log_in(browser)
    changed = browsers.open(environ={"TRACKWALKER_PAGE_PASSWORD": "another"})

    answer = changed.get("/", headers={"Cookie": f"trackwalker_session={session_of(browser)}"})

    assert answer.status_code == 303


def test_the_store_holds_no_session_that_could_be_copied(browsers: Browsers, store: redis.Redis) -> None:
    browser = browsers.open(environ=PASSWORD)
    log_in(browser)

    keys = [key.decode() for key in store.scan_iter(f"{PAGE_SESSION_PREFIX}*")]

    assert len(keys) == 1
    assert session_of(browser).partition(".")[0] not in keys[0]
    assert store.ttl(keys[0]) > 0


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_login_never_leads_to_another_site(browsers: Browsers, path: str) -> None:
    browser = browsers.open(environ=PASSWORD)

    form = browser.get(f"/login?next={quote(path, safe='')}")
    answer = log_in(browser, next_path=path)

    assert 'name="next" value="/"' in form.text
    assert answer.headers["location"] == "/"


def test_wrong_passwords_are_limited_and_the_wait_is_stated(browsers: Browsers) -> None:
    browser = browsers.open(environ=PASSWORD)

    wrong = [log_in(browser, f"guess {number}").status_code for number in range(login.MAX_PER_CLIENT)]
    limited = log_in(browser)

    assert wrong == [401] * login.MAX_PER_CLIENT
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= login.WINDOW_SECONDS
    assert "Wait 5 min" in limited.text


def test_strangers_cannot_lock_out_a_browser_that_has_logged_in_before(
    browsers: Browsers, store: redis.Redis
) -> None:
    browser = browsers.open(environ=PASSWORD)
    log_in(browser)
    stranger = browsers.again(browser.base_url)
    store.set(f"{PAGE_ATTEMPTS_PREFIX}total", login.MAX_IN_TOTAL, ex=60)

    assert log_in(stranger).status_code == 429
    assert log_in(browser).status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_site_cannot_log_a_browser_in(browsers: Browsers, origin: str) -> None:
    answer = browsers.open(environ=PASSWORD).post(
        "/login", data={"password": "correct horse"}, headers={"Origin": origin}
    )

    assert answer.status_code == 403


def test_a_trusted_proxy_names_the_person_who_acts(browsers: Browsers) -> None:
    sample = Sample()
    browser = browsers.open(sample, PROXY)
    browser.headers["X-Auth-User"] = "lea@example.com"

    press(browser, "check")

    assert sample.actions[0].person.name == "lea (example.com)"
    assert "lea (example.com)" in browser.get("/").text


def test_a_proxy_that_names_nobody_sees_nothing(browsers: Browsers) -> None:
    answer = browsers.open(environ=PROXY).get("/")

    assert answer.status_code == 403
    assert "TRACKWALKER_TRUSTED_USER_HEADER" in answer.text


# ---- forms ----


def test_a_press_acts_once_and_its_answer_is_shown_once(browsers: Browsers) -> None:
    sample = Sample(result=ActionResult(done=True, text="ana has checkout <b>."))
    browser = browsers.open(sample)

    answer = press(browser, "check")
    shown, after = browser.get(answer.headers["location"]), browser.get(INCIDENT)

    action = sample.actions[0]
    assert (answer.status_code, answer.headers["location"]) == (303, INCIDENT)
    assert (action.kind, action.target, action.person.via) == (
        ActionKind.CHECK,
        samples.INCIDENT,
        "page",
    )
    assert "ana has checkout &lt;b&gt;." in shown.text
    assert "ana has checkout &lt;b&gt;." not in after.text


def test_a_form_sent_twice_is_one_request(browsers: Browsers) -> None:
    sample = Sample()
    browser = browsers.open(sample)
    form = fields(browser.get(INCIDENT), "check")

    for _ in range(2):
        browser.post("/actions", data=form, headers={"Origin": str(browser.base_url)})

    assert len({action.request_id for action in sample.actions}) == 1
    assert fields(browser.get(INCIDENT), "check")["request_id"] != form["request_id"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {
            "Origin": "null",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        },
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Referer": "http://127.0.0.1/"},
    ],
)
def test_a_form_of_another_site_does_nothing(browsers: Browsers, headers: dict[str, str]) -> None:
    sample = Sample()
    browser = browsers.open(sample)
    form = fields(browser.get(INCIDENT), "check")

    answer = browser.post("/actions", data=form, headers=headers)

    assert answer.status_code == 403
    assert sample.actions == []


@pytest.mark.parametrize("change", ["none", "empty", "stranger", "no cookie"])
def test_a_form_without_the_browsers_own_token_does_nothing(browsers: Browsers, change: str) -> None:
    sample = Sample()
    browser = browsers.open(sample)
    form = fields(browser.get(INCIDENT), "check")
    stranger = browsers.again(browser.base_url)
    form["token"] = {
        "none": "",
        "empty": "x",
        "stranger": fields(stranger.get(INCIDENT), "check")["token"],
    }.get(change, form["token"])
    sender = browsers.again(browser.base_url) if change == "no cookie" else browser

    answer = sender.post("/actions", data=form, headers={"Origin": str(browser.base_url)})

    assert answer.status_code == 403
    assert sample.actions == []


def test_a_token_of_one_session_is_refused_in_the_next(browsers: Browsers) -> None:
    sample = Sample()
    browser = browsers.open(sample, PASSWORD)
    log_in(browser)
    form = fields(browser.get(INCIDENT), "check")
    log_in(browser)

    answer = browser.post("/actions", data=form, headers={"Origin": str(browser.base_url)})

    assert answer.status_code == 403
    assert sample.actions == []


def test_destructive_actions_need_a_confirmation(browsers: Browsers) -> None:
    sample = Sample()
    browser = browsers.open(sample)

    unconfirmed, confirmed = press(browser, "cancel"), press(browser, "cancel", confirmed="yes")

    assert (unconfirmed.status_code, confirmed.status_code) == (422, 303)
    assert [action.kind for action in sample.actions] == [ActionKind.CANCEL]


def test_a_rollback_is_confirmed_on_a_page_that_states_its_effect(browsers: Browsers) -> None:
    sample = Sample()
    browser = browsers.open(sample)
    page = browser.get(f"{INCIDENT}/rollback")

    browser.post(
        "/actions",
        data=fields(page, "roll_back") | {"confirmed": "yes"},
        headers={"Origin": str(browser.base_url)},
    )

    assert "image and its variables" in page.text
    assert "Variable PAYMENT_TIMEOUT was changed" in page.text
    assert [action.kind for action in sample.actions] == [ActionKind.ROLL_BACK]


@pytest.mark.parametrize(
    "changes", [{"possible": False, "why_not": "its image is gone"}, {"state": "done", "detail": "at 03:30"}]
)
def test_a_rollback_that_cannot_be_or_was_done_has_no_button(
    browsers: Browsers, changes: dict[str, object]
) -> None:
    sample = Sample(incident=samples.incident(rollback=samples.rollback(**changes)))

    page = browsers.open(sample).get(f"{INCIDENT}/rollback")

    assert 'value="roll_back"' not in page.text
    assert str(changes.get("why_not") or changes["detail"]) in page.text


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"kind=fix", "text/plain", 415),
        (b"kind=fix", "multipart/form-data; boundary=x", 415),
        (b"reason=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a=1" for _ in range(100)), "application/x-www-form-urlencoded", 400),
        (b"kind=\xff", "application/x-www-form-urlencoded", 400),
    ],
)
def test_bodies_that_are_no_form_of_ours_are_refused(
    browsers: Browsers, content: bytes, content_type: str, status: int
) -> None:
    answer = browsers.open().post("/actions", content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status


@pytest.mark.parametrize("next_path", ["https://evil.example", "//evil.example", "/login"])
def test_an_action_never_leads_to_another_site(browsers: Browsers, next_path: str) -> None:
    assert press(browsers.open(), "check", next=next_path).headers["location"] == "/"


def test_while_redis_is_away_the_page_says_so(store_url: str) -> None:
    store = JournalStore(connect("redis://127.0.0.1:1/0"))
    sample = Sample()

    with served_page(sample, store, PASSWORD) as url, httpx.Client(base_url=url, timeout=15) as browser:
        answer = browser.get("/", headers={"Cookie": "trackwalker_session=a.b.c"})
        attempted = log_in(browser)

    assert answer.status_code == 303  # a forged cookie needs no look-up
    assert attempted.status_code == 503
    assert "Redis does not answer" in attempted.text
    assert attempted.headers["retry-after"]
