"""Outside hosts that the logs and the code name, and what their status pages say."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from workers.investigation.evidence.log_patterns import Record
from workers.investigation.evidence.tree import Tree

MAX_UPSTREAMS = 6
HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}"
URL = re.compile(
    r"\b(?:https?|wss?|amqps?|smtps?|grpc)://(?:[^\s/\"'<>@]{1,200}@)?([A-Za-z0-9_.-]{1,253}(?::\d{1,5})?)"
)
NAMED = re.compile(
    r"(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|getaddrinfo|host=|hostname[:=]|lookup|reach"
    rf"|connect(?:ing|ion)? to(?: host)?|resolve(?: host)?)\s*['\"(]?({HOST})\b",
    re.I,
)
DOCUMENTATION = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net)|w3\.org|python\.org|nodejs\.org|pydantic\.dev|sqlalche\.me"
    r"|expressjs\.com|mozilla\.org|readthedocs\.io|stackoverflow\.com|npmjs\.com|json-schema\.org|schema\.org"
    r"|localhost|invalid|test)$|^(?:www\.)?github\.com$|^docs?\.|^errors?\.|^help\.|^fonts\.|^cdn"
)
INSIDE = re.compile(
    r"\.railway\.internal$|\.up\.railway\.app$|(?:^|\.)localhost$|\.local$|\.internal$|^[^.]+$"
)
CODE_FILES = re.compile(
    r"^[\w.-]+\.(?:py|js|ts|mjs|cjs|jsx|tsx|go|rb|sh|json|md|txt|html|css|ya?ml|toml|log)$", re.I
)


def named_hosts(text: str, known: Mapping[str, str]) -> set[str]:
    """Outside hosts in a text, lower case. Hosts in `known`, with a status page set, count in any form."""
    found = {host.rstrip(".").lower() for pattern in (URL, NAMED) for host in pattern.findall(text)}
    hosts = {host if host in known else host.split(":")[0] for host in found}
    hosts |= {host for host in known if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", text, re.I)}
    return {host for host in hosts if host in known or is_outside(host)}


def is_outside(host: str) -> bool:
    """Whether it is a public host that a service may depend on, and no documentation or neighbour."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return (
            not (INSIDE.search(host) or DOCUMENTATION.search(host) or CODE_FILES.match(host)) and "." in host
        )


def count_blamed_hosts(records: Iterable[Record], known: Mapping[str, str]) -> Counter[str]:
    """How many records of trouble name each outside host."""
    counts: Counter[str] = Counter()
    for record in records:
        if record.is_trouble or record.level == "warning":
            counts.update(named_hosts(record.text, known))
    return counts


def hosts_in_code(tree: Tree, known: Mapping[str, str]) -> list[str]:
    """Outside hosts that the service's own sources name, in order of files."""
    found: dict[str, None] = {}
    for file in tree.sources():
        if tree.own(file):
            for line in tree.lines(file):
                if "://" in line or (known and any(host in line for host in known)):
                    found |= dict.fromkeys(sorted(named_hosts(line[:1_000], known)))
    return list(found)
