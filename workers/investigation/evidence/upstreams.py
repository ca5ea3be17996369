"""Finds the outside hosts that a service depends on, in its log errors and in its code. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_records import LogRecord

MAX_UPSTREAMS = 6  # outside hosts that become evidence; each costs a look at a status page
HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}"
# The host of a URL, without its credentials.
URL = re.compile(
    r"\b(?:https?|wss?|amqps?|smtps?|grpc)://(?:[^\s/\"'<>@]{1,200}@)?([A-Za-z0-9_.-]{1,253}(?::\d{1,5})?)"
)
# A host after the words of a failed connection: `ENOTFOUND host`, `HTTPSConnectionPool(host=…`, `connect to host`.
CONNECTION_TARGET = re.compile(
    r"(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|getaddrinfo|host=|hostname[:=]|lookup|reach"
    rf"|connect(?:ing|ion)? to(?: host)?|resolve(?: host)?)\s*['\"(]?({HOST})\b",
    re.I,
)
# Hosts in error messages and code that lead to documentation, schemas or assets, never to a dependency.
DOCUMENTATION = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net)|w3\.org|python\.org|nodejs\.org|pydantic\.dev|sqlalche\.me"
    r"|expressjs\.com|mozilla\.org|readthedocs\.io|stackoverflow\.com|npmjs\.com|json-schema\.org|schema\.org"
    r"|localhost|invalid|test)$|^(?:www\.)?github\.com$|^docs?\.|^errors?\.|^help\.|^fonts\.|^cdn"
)
# Hosts inside the project or the machine.
INTERNAL = re.compile(
    r"\.railway\.internal$|\.up\.railway\.app$|(?:^|\.)localhost$|\.local$|\.internal$|^[^.]+$"
)
# File names that look like hosts: `app.py` has the shape of a domain of Paraguay.
CODE_FILES = re.compile(
    r"^[\w.-]+\.(?:py|js|ts|mjs|cjs|jsx|tsx|go|rb|sh|json|md|txt|html|css|ya?ml|toml|log)$", re.I
)


def named_hosts(text: str, known: Mapping[str, str]) -> set[str]:
    """The outside hosts in a text, lower case.

    Args:
        known: status pages by host. Their hosts count wherever they occur, even as an address with a port.
    """
    matches = {
        match.rstrip(".").lower() for regex in (URL, CONNECTION_TARGET) for match in regex.findall(text)
    }
    hosts = {host if host in known else host.split(":")[0] for host in matches}
    hosts |= {host for host in known if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", text, re.I)}
    return {host for host in hosts if host in known or is_outside(host)}


def is_outside(host: str) -> bool:
    """True if the host is public and a service may depend on it."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return (
            not (INTERNAL.search(host) or DOCUMENTATION.search(host) or CODE_FILES.match(host))
            and "." in host
        )


def count_blamed_hosts(records: Iterable[LogRecord], known: Mapping[str, str]) -> Counter[str]:
    """The number of log errors and warnings that name each outside host."""
    counts: Counter[str] = Counter()
    for record in records:
        if record.is_error or record.level == "warning":
            counts.update(named_hosts(record.text, known))
    return counts


def hosts_in_code(tree: Tree, known: Mapping[str, str]) -> list[str]:
    """The outside hosts that the service's own sources name, in the order of the files."""
    lines = (line for file in tree.sources() if tree.is_own(file) for line in tree.lines(file))
    hosts: dict[str, None] = {}
    for line in lines:
        if "://" in line or any(host in line for host in known):
            hosts |= dict.fromkeys(sorted(named_hosts(line[:1_000], known)))
    return list(hosts)
