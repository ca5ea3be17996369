"""Access to the page: peers, Host headers, proxies, sessions, and an authenticating proxy's header."""

from __future__ import annotations

import pytest

from receiver.page.access import (
    PROXY_HEADERS,
    Denial,
    Policy,
    Visit,
    Visitor,
    check,
    host_name,
    is_cross_site_use,
    policy_of,
)
from tests.support.page_server import page_settings

OPEN = Policy()
PASSWORD = Policy(has_password=True)
PROXY = policy_of(
    page_settings(
        TRACKWALKER_TRUSTED_USER_HEADER="X-Auth-User", TRACKWALKER_TRUSTED_PROXIES="10.1.0.0/16,127.0.0.1"
    )
)
HOST = ("host", "127.0.0.1:8000")


def visit(
    *headers: tuple[str, str], peer: str = "127.0.0.1", version: str = "1.1", session: str = ""
) -> Visit:
    return Visit(peer, version, headers or (HOST,), session)


# ---- without a password ----


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LocalHost:8000", "[::1]", "[::1]:8000"]
)
def test_a_browser_on_the_machine_sees_the_page(host: str) -> None:
    assert check(OPEN, visit(("host", host))) == Visitor("page")


@pytest.mark.parametrize("peer", ["::1", "127.0.0.9", "::ffff:127.0.0.1"])
def test_every_loopback_address_is_on_the_machine(peer: str) -> None:
    assert check(OPEN, visit(peer=peer)) == Visitor("page")


@pytest.mark.parametrize(
    "peer",
    [
        "10.0.0.5",
        "192.168.1.2",
        "203.0.113.9",
        "::ffff:203.0.113.9",
        "fe80::1%eth0",
        "",
        "testclient",
        "100.64.0.2",
    ],
)
def test_another_machine_does_not(peer: str) -> None:
    assert check(OPEN, visit(peer=peer)) is Denial.NOT_LOCAL


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "0.0.0.0",
        "127.0.0.1:8000:80",
        "localhost:",
        "localhost:x",
        "localhost:٨",
        "[::1",
        "[::1]x",
        "::1",
        "",
        "127.0.0.1, evil.example",
        "localhost.",
        "2130706433",
    ],
)
def test_a_name_that_was_made_to_resolve_to_the_machine_does_not(host: str) -> None:
    assert check(OPEN, visit(("host", host))) is Denial.NOT_LOCAL


@pytest.mark.parametrize(
    "name",
    [
        *sorted(PROXY_HEADERS),
        "x-forwarded-for",
        "x-forwarded-host",
        "x-railway-edge",
        "cf-connecting-ip",
        "x-envoy-external-address",
        "x-request-id",
        "x-azure-clientip",
        "x-arr-ssl",
        "x-b3-traceid",
        "x_forwarded_for",
        "fastly-client-ip",
        "client-ip",
        "remote_user",
    ],
)
def test_a_request_that_came_through_a_proxy_does_not(name: str) -> None:
    assert check(OPEN, visit(HOST, (name, ""))) is Denial.NOT_LOCAL


@pytest.mark.parametrize(
    "name", ["accept", "sec-fetch-site", "dnt", "if-none-match", "priority", "x-requested-with"]
)
def test_the_headers_of_a_browser_show_no_proxy(name: str) -> None:
    assert check(OPEN, visit(HOST, (name, ""))) == Visitor("page")


def test_a_silent_proxy_that_speaks_http_1_0_does_not() -> None:
    assert check(OPEN, visit(version="1.0")) is Denial.NOT_LOCAL


def test_two_hosts_or_none_do_not() -> None:
    assert check(OPEN, visit(HOST, HOST)) is Denial.NOT_LOCAL
    assert check(OPEN, visit(("accept", "*/*"))) is Denial.NOT_LOCAL


# ---- with a password ----


def test_a_password_asks_everybody_to_log_in_even_on_the_machine() -> None:
    assert check(PASSWORD, visit()) is Denial.LOGIN
    assert check(PASSWORD, visit(peer="203.0.113.9")) is Denial.LOGIN


def test_a_session_opens_the_page_from_anywhere_and_through_proxies() -> None:
    far = visit(("host", "tw.example"), ("x-forwarded-for", "1.2.3.4"), peer="100.64.0.2", session="abc")

    assert check(PASSWORD, far) == Visitor("page", "abc")


def test_an_empty_password_is_none() -> None:
    assert policy_of(page_settings(TRACKWALKER_PAGE_PASSWORD="")) == OPEN


# ---- with an authenticating proxy ----


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1"])
def test_the_trusted_proxy_names_the_visitor(peer: str) -> None:
    assert check(PROXY, visit(("host", "tw.example"), ("x-auth-user", "lea"), peer=peer)) == Visitor("lea")


@pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.2", "203.0.113.9", ""])
def test_the_header_from_anywhere_else_is_ignored(peer: str) -> None:
    assert isinstance(check(PROXY, visit(("host", "tw.example"), ("x-auth-user", "root"), peer=peer)), Denial)


def test_a_forwarded_address_makes_no_peer_trusted() -> None:
    spoofed = visit(
        ("host", "x"),
        ("x-auth-user", "root"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-real-ip", "10.1.2.3"),
        peer="203.0.113.9",
    )

    assert check(PROXY, spoofed) is Denial.NO_USER


def test_with_a_proxy_a_local_browser_has_to_go_through_it() -> None:
    far_proxy = policy_of(
        page_settings(TRACKWALKER_TRUSTED_USER_HEADER="X-Auth-User", TRACKWALKER_TRUSTED_PROXIES="10.1.0.1")
    )

    assert check(far_proxy, visit()) is Denial.NO_USER


@pytest.mark.parametrize("values", [(), ("",), ("  ",), ("lea", "root")])
def test_the_proxy_must_name_one_user(values: tuple[str, ...]) -> None:
    headers = [HOST, *(("x-auth-user", value) for value in values)]

    assert check(PROXY, visit(*headers)) is Denial.NO_USER


def test_a_name_from_the_proxy_is_one_visible_bounded_line() -> None:
    visitor = check(PROXY, visit(HOST, ("x-auth-user", "lea\u202e\x07" + "x" * 500)))

    assert isinstance(visitor, Visitor)
    assert len(visitor.name) == 80
    assert visitor.name.startswith("leaxxx")


def test_behind_the_proxy_a_password_still_opens_the_page() -> None:
    both = policy_of(
        page_settings(
            TRACKWALKER_PAGE_PASSWORD="pw",
            TRACKWALKER_TRUSTED_USER_HEADER="X-Auth-User",
            TRACKWALKER_TRUSTED_PROXIES="10.1.0.1",
        )
    )

    assert check(both, visit(peer="10.1.0.1")) is Denial.LOGIN
    assert check(both, visit(peer="10.1.0.1", session="s")) == Visitor("page", "s")
    assert check(both, visit(HOST, ("x-auth-user", "lea"), peer="10.1.0.1")) == Visitor("lea")


@pytest.mark.parametrize(
    "environ",
    [{"TRACKWALKER_TRUSTED_USER_HEADER": "X-Auth-User"}, {"TRACKWALKER_TRUSTED_PROXIES": "0.0.0.0/0"}],
)
def test_half_of_the_settings_opens_nothing(environ: dict[str, str]) -> None:
    policy = policy_of(page_settings(**environ))

    assert isinstance(
        check(policy, visit(("host", "tw"), ("x-auth-user", "root"), ("", "root"), peer="203.0.113.9")),
        Denial,
    )


# ---- other sites ----


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, True),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
    ],
)
def test_another_site_may_link_but_not_embed(headers: dict[str, str], refused: bool) -> None:
    assert is_cross_site_use(headers) is refused


def test_the_name_in_a_host_header() -> None:
    assert [host_name(text) for text in ("A:1", "[::1]:2", "x", "x:")] == ["a", "[::1]", "x", ""]
