"""Decides who may see the page, from the peer's address and the headers of a request. Pure.

There are three ways in, and the first that applies decides:

1. an authenticating proxy names the user in a header (TRACKWALKER_TRUSTED_USER_HEADER), from an address that is listed
   in TRACKWALKER_TRUSTED_PROXIES;
2. a session after a login with TRACKWALKER_PAGE_PASSWORD;
3. without either setting, a browser on the same machine. Its Host header has to be a loopback name, because another
   site's name can be made to resolve to 127.0.0.1 (DNS rebinding), and no proxy may stand in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from workers.runtime.settings import Settings
from workers.runtime.text import one_line, truncate

MAX_NAME_LENGTH = 80  # characters of a user's name in the audit; a login or an e-mail address is shorter
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROXY_PREFIXES = (
    "x-", "cf-", "fly-", "fastly-", "akamai-", "ali-", "ngrok-", "tailscale-", "remote-", "client-ip", "front-end-",
    "incap-", "wl-proxy-", "uber-trace-", "b3",
)  # fmt: skip
PROXY_HEADERS = frozenset(
    {
        "forwarded", "via", "true-client-ip", "cdn-loop", "proxy-connection", "traceparent", "tracestate",
        "max-forwards", "surrogate-capability",
    }
)  # fmt: skip
"""Headers that proxies add. A browser sends none of them."""
BROWSER_HEADERS = frozenset({"x-requested-with", "x-client-data"})
"""The only headers with `x-` that browsers add by themselves."""

Network = IPv4Network | IPv6Network


class Denial(Enum):
    """A reason why the page is not shown."""

    LOGIN = "login"
    """There is a password, and the browser has no session."""
    NO_USER = "no user"
    """The request did not come from the authenticating proxy, or it names no user, or more than one."""
    NOT_LOCAL = "not local"
    """No way in is configured, and the browser is not on this machine, as far as can be told."""


@dataclass(frozen=True)
class Policy:
    """The ways in that the settings open."""

    has_password: bool = False
    user_header: str = ""
    """Lower case; "" without an authenticating proxy."""
    proxies: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Visit:
    """A request as far as the access check reads it; nothing in it is trusted.

    Args:
        headers: names in lower case; a name can occur more than once.
        session: id of the session that the request's cookie proves; "" without one.
    """

    peer: str
    http_version: str
    headers: Sequence[tuple[str, str]]
    session: str = ""

    def values(self, name: str) -> list[str]:
        """The values of a header, in order."""
        return [value for present, value in self.headers if present == name]


@dataclass(frozen=True)
class Visitor:
    """A person who may see the page and act."""

    name: str
    """The user that the proxy names; `page` without one."""
    session: str = ""


def policy_of(settings: Settings) -> Policy:
    """The policy of these settings. A header without proxies, or proxies without a header, opens nothing."""
    header = (settings.trusted_user_header or "").strip().lower()
    networks = tuple(ip_network(text) for text in settings.trusted_proxies)
    has_password = bool(settings.page_password and settings.page_password.get_secret_value())
    return Policy(has_password, header, networks) if header and networks else Policy(has_password)


def check(policy: Policy, visit: Visit) -> Visitor | Denial:
    """The visitor, or why the page is not shown."""
    from_proxy = _is_in(visit.peer, policy.proxies)
    if from_proxy and (name := _user(visit.values(policy.user_header))):
        return Visitor(name)
    if policy.has_password:
        return Visitor("page", visit.session) if visit.session else Denial.LOGIN
    if policy.proxies:
        return Denial.NO_USER
    return Visitor("page") if _is_local(visit) else Denial.NOT_LOCAL


def _user(values: Sequence[str]) -> str:
    """The one name of a header; "" if there is none, or if a client may have added one.

    `lea@example.com` becomes `lea (example.com)`: addresses are redacted wherever a text is shown.
    """
    name = one_line(values[0]) if len(values) == 1 else ""
    local, at, domain = name.rpartition("@")
    return truncate(f"{local} ({domain})" if at else name, MAX_NAME_LENGTH)


def _is_local(visit: Visit) -> bool:
    hosts = visit.values("host")
    return (
        _is_loopback(visit.peer)
        and len(hosts) == 1
        and host_name(hosts[0]) in LOOPBACK_HOSTS
        # Some proxies add no header, and replace Host by our own address, but speak HTTP/1.0. Browsers do not.
        and visit.http_version == "1.1"
        and not any(_is_proxy_header(name) for name, _ in visit.headers)
    )


def _is_proxy_header(name: str) -> bool:
    name = name.replace("_", "-")
    return name not in BROWSER_HEADERS and (name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES))


def host_name(host: str) -> str:
    """The name in a Host header, in lower case and without its port; "" for anything that is no host and port."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        return host.lower()
    return name.lower() if port.isascii() and port.isdecimal() else ""


def is_cross_site_use(headers: Mapping[str, str]) -> bool:
    """True if another site embeds or fetches the page. Following a link from another site is no such use.

    The browser says so itself, by the Sec-Fetch headers (W3C Fetch Metadata).
    """
    site = headers.get("sec-fetch-site", "none")
    if site in ("none", "same-origin"):
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")


def _is_loopback(peer: str) -> bool:
    address = _address(peer)
    return address is not None and address.is_loopback


def _is_in(peer: str, networks: Sequence[Network]) -> bool:
    address = _address(peer)
    return address is not None and any(address in network for network in networks)


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    """The peer's address, an IPv4 address inside an IPv6 one as IPv4; None if there is none."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
