"""Positions that hold the host of a failed call. Pure.

Only these positions are read, so that a link to a manual or the service's own domain is never blamed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workers.investigation.signs.host_names import (
    HOST,
    NAME,
    PLACEHOLDERS,
    PORT,
    URL,
    clean_host,
    endpoint,
    is_link,
    is_local,
)
from workers.investigation.signs.wordings import matches, may_match

PUBLIC_ENDING = r"(?:com|net|org|io|dev|app|co|ai|cloud|internal|eu|de|uk|fr|es|it|nl|ch|at|us|ca|br|in|jp)"
"""Common endings of names: other words with a dot are modules, files and events."""


@dataclass(frozen=True)
class Target:
    """A position that holds the host of a failed call."""

    pattern: str
    names_call: bool = False
    """True if the client itself writes the called URL before the failure, so that it counts more than an address."""


@dataclass(frozen=True)
class Call:
    """The host of a failed call, where the text names it."""

    at: int
    endpoint: str
    names_call: bool


TARGETS: tuple[Target, ...] = (
    # Go: `Post "https://…": dial tcp …`.
    Target(rf"\b(?:Get|Post|Put|Patch|Delete|Head|Options) \"{URL}[^\s\"]{{0,400}}\": ", names_call=True),
    # node-fetch, RestTemplate, reqwest, requests, botocore, Faraday.
    Target(rf"\brequest to {URL}", names_call=True),
    Target(rf"\brequest for \"{URL}", names_call=True),
    Target(rf"\bfor url:? [(\[]?['\"]?{URL}", names_call=True),
    Target(rf"endpoint URL: \"{URL}", names_call=True),
    Target(rf"\bcURL error [^\n]{{1,300}} for {URL}", names_call=True),
    Target(rf"Connect to {URL}", names_call=True),
    # urllib3, aiohttp.
    Target(rf"ConnectionPool\(host='{HOST}', port={PORT}", names_call=True),
    Target(rf"ConnectionPool\(host='{HOST}'", names_call=True),
    Target(rf"Cannot connect to host {HOST}:{PORT}", names_call=True),
    Target(rf"server at \"{HOST}\"(?: \([^)\n]{{1,60}}\))?, port {PORT}", names_call=True),
    Target(rf"open TCP connection to {HOST}:{PORT}", names_call=True),
    Target(rf"upstream: \"{URL}", names_call=True),
    Target(rf"[\"']?broker[\"']?: ?[\"']{HOST}:{PORT}", names_call=True),
    Target(rf"[Aa]ttempt to connect to {HOST}:{PORT}"),
    # Properties of Node.js errors, and of axios' configuration.
    Target(rf"\b(?:url|baseURL|uri|path|_currentUrl)[\"']?: ?[\"']{URL}"),
    Target(rf"\bhostname[\"']?: ?[\"']{HOST}[\"']"),
    Target(
        rf"\b(?:remoteA|a)ddress[\"']?: ?[\"']{HOST}[\"'],?\s{{0,8}}[\"']?(?:port|remotePort)[\"']?: ?{PORT}"
    ),
    Target(rf"\bhost[\"']?: ?[\"']{HOST}[\"'],?\s{{0,8}}[\"']?port[\"']?: ?[\"']?{PORT}"),
    Target(rf"\bhost=['\"]?{HOST}['\"]?(?:[,; ]{{1,2}}port=['\"]?{PORT})?"),
    Target(rf"\bto {HOST} port {PORT}"),
    # Words before a URL or host in the service's own messages.
    Target(
        r"(?:\b(?:calling|fetching|requesting|reaching|contacting|connecting|posting|fetch|call|request|connect|connection|reach"
        r"|GET|POST|PUT|PATCH|DELETE)(?: to| at| from)?|\b(?:to|from|at|of|against))[:=]? {1,2}['\"`(<]{0,2}"
        + URL
    ),
    Target(
        rf"\b(?:[Cc]onnect(?:ing|ion)?|[Rr]econnect(?:ing)?) (?:to|with|at) ['\"`]?(?P<host>{NAME}\.[A-Za-z]{{2,24}}|\d{{1,3}}(?:\.\d{{1,3}}){{3}})(?::{PORT})?"
    ),
    Target(rf"\breach ['\"`]?(?P<host>{NAME}\.[A-Za-z]{{2,24}})(?::{PORT})?"),
    Target(rf"(?P<host>{NAME}\.railway\.internal)(?::{PORT})?"),
    Target(rf"\b(?:to|from|of|at|with|by|reach|host) ['\"`]?(?P<host>{NAME}\.{PUBLIC_ENDING})\b(?![.@\w-])"),
    # Any other name with a port, for the words that no client above has; an address only in parentheses.
    Target(
        rf"(?<![\w./@-])(?P<host>{NAME}\.[A-Za-z]{{2,24}}|(?<=\()\d{{1,3}}(?:\.\d{{1,3}}){{3}}):{PORT}\b(?![:.])"
    ),
)


CODE_HOSTS = (
    URL,
    rf"\b(?:host|hostname|server|endpoint|brokers?|bootstrap_servers)[\"']?\s?[=:]\s?\[?[\"']?{HOST}[\"':;,]",
    rf"[(\[ ][\"'](?P<host>{NAME}\.[A-Za-z]{{2,24}})[\"'], ?\d{{2,5}}\b",
    rf"[\"'](?P<host>{NAME}\.[A-Za-z]{{2,24}}):\d{{2,5}}[\"']",
    # The first argument of a call, with an ending of public names: `FTP('ftp.acme.com', timeout=5)`.
    rf"\w\([\"'](?P<host>{NAME}\.{PUBLIC_ENDING})[\"'][,)]",
)
"""How code names a host that it calls."""


def calls_in(text: str, lowered: str) -> list[Call]:
    """The calls that the text names; positions of clients come first."""
    calls: list[Call] = []
    for entry in TARGETS:
        if may_match(entry.pattern, lowered):
            named = (_call(match, entry) for match in matches(entry.pattern, text, exact_case=True))
            calls += [call for call in named if call is not None]
    return sorted(calls, key=lambda call: not call.names_call)


def hosts_in_code(code: str) -> list[str]:
    """The hosts that quoted code calls, in its order, each once: of URLs, of `host=` and of pairs of host and port."""
    lowered = code.lower()
    hosts = [
        clean_host(match["host"])
        for pattern in CODE_HOSTS
        if may_match(pattern, lowered)
        for match in matches(pattern, code, exact_case=True)
    ]
    return list(dict.fromkeys(host for host in hosts if _is_callable(host)))


def _is_callable(host: str) -> bool:
    return bool(host) and host not in PLACEHOLDERS and not is_local(host) and ("." in host or ":" in host)


def name_in_code(address: str, code: str) -> str:
    """The host with its port that a URL of quoted code names for an address, by the port; empty if several do."""
    port = address.rpartition(":")[2]
    urls = [match for match in matches(URL, code, exact_case=True) if match["port"] == port]
    names = list(dict.fromkeys(endpoint(match["host"], port) for match in urls))
    return names[0] if len(names) == 1 else ""


def _call(match: re.Match[str], entry: Target) -> Call | None:
    name = endpoint(match["host"], match.groupdict().get("port"))
    if not name or clean_host(match["host"]) in PLACEHOLDERS or is_link(match.string, match.start("host")):
        return None
    return Call(match.start(), name, entry.names_call)
