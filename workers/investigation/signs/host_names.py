"""Names and addresses of other hosts in log records: their form, and whose they are. Pure."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})"
NAME = rf"{LABEL}(?:\.{LABEL}){{0,8}}"
IPV6 = r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}"
HOST = rf"(?P<host>\[{IPV6}\]|{IPV6}|{NAME})"
"""A host in a position that holds nothing else: a name of one label counts, too."""
ADDRESS = r"[\w.:\[\]-]{1,100}"
"""A host whose end a port marks, so that an IPv6 address needs no brackets: Node.js prints `::1:5432`."""
PORT = r"(?P<port>\d{1,5})"
URL = rf"(?P<scheme>[a-z][a-z0-9+.-]{{1,20}})://(?:[^\s/\"'<>@]{{1,200}}@)?{HOST}(?::{PORT})?"

# Names that stand where the value of a variable should be: JavaScript's `undefined`, an empty `base`, a template.
PLACEHOLDERS = frozenset(
    {"undefined", "null", "none", "nil", "base", "host", "hostname", "nan", "your-host", "http", "https"}
)
LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::", "::1"})
# Hosts in messages that lead to documentation, schemas or assets, never to a dependency.
DOCUMENTATION = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net)|w3\.org|python\.org|nodejs\.org|pydantic\.dev|sqlalche\.me|pris\.ly|prisma\.io"
    r"|expressjs\.com|mozilla\.org|readthedocs\.io|readthedocs\.org|stackoverflow\.com|npmjs\.com|json-schema\.org|schema\.org"
    r"|nextjs\.org|go\.dev|golang\.org|aka\.ms|go\.microsoft\.com|reactjs\.org|react\.dev|mongoosejs\.com|laravel\.com|djangoproject\.com"
    r"|rubyonrails\.org|spring\.io|nestjs\.com|fastify\.(?:io|dev)|vuejs\.org|svelte\.dev|authjs\.dev|next-auth\.js\.org|gnu\.org"
    r"|apache\.org|bit\.ly|curl\.se|curl\.haxx\.se|goo\.gle|goo\.gl|git\.io|rust-lang\.org|docs\.rs|hexdocs\.pm|php\.net|symfony\.com|gunicorn\.org"
    r"|typeorm\.io|sequelize\.org|knexjs\.org|socket\.io|palletsprojects\.com|slf4j\.org|dotnet\.microsoft\.com|nuget\.org"
    r"|haxx\.se|curl\.se|errorprone\.info|quarkus\.io|micronaut\.io|vercel\.com|fb\.me|invalid|test)$"
    r"|^(?:www\.)?github\.com$|^raw\.githubusercontent\.com$|^(?:docs?|developers?|learn|support|help|errors?|wiki|manual|kb)\.|^fonts\.|^cdn"
)
# File names and names of classes that have the form of a host: `app.py` is a domain of Paraguay.
CODE_NAME = re.compile(
    r"\.(?:py|js|ts|mjs|cjs|jsx|tsx|go|rb|php|sh|json|md|txt|html|css|ya?ml|toml|log|java|kt|cs|rs|exs?|sql|sock|env|conf)$"
    r"|^(?:java|javax|jakarta|org\.(?:springframework|apache|hibernate|postgresql)|com\.(?:zaxxer|mysql|sun|fasterxml)|io\.(?:netty|lettuce)"
    r"|kotlin|system|microsoft)\."
    r"|wrap\.on\w+$",
    re.I,
)


LINK_WORDS = re.compile(
    r"\b(?:see|visit|docs?|documentation|refer|read (?:more|the|about|our)|more (?:info|information|details?)|help|guide|manual|learn"
    r"|browse|instructions)\b[^\n]{0,40}$",
    re.I,
)
"""Words before a link to a manual."""


def is_link(text: str, at: int) -> bool:
    """True if the URL whose host begins at this position is a link for the reader."""
    return LINK_WORDS.search(text[max(0, at - 70) : at].rpartition("://")[0]) is not None


# The name of a DNS service record: `_mongodb._tcp.cluster0.example.net`.
SERVICE_RECORD = re.compile(r"^_[a-z0-9-]{1,40}\._(?:tcp|udp)\.")


def clean_host(host: str) -> str:
    """The host in lower case without brackets; empty if it is no host that a service calls."""
    name = host.strip("[]").rstrip(".").lower().removeprefix("::ffff:")
    name = SERVICE_RECORD.sub("", name)
    if not name or (not is_address(name) and (CODE_NAME.search(name) or DOCUMENTATION.search(name))):
        return ""
    return "" if name.isdigit() else name


def endpoint(host: str, port: str | None = None) -> str:
    """`host:port`, `[address]:port` for IPv6, or the host alone; empty if it is no host that a service calls."""
    name = clean_host(host)
    if not name or not port:
        return name
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def host_of(subject: str) -> str:
    """The host of an endpoint, without brackets and port."""
    if subject.startswith("["):
        return subject[1:].partition("]")[0]
    name, colon, port = subject.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else subject


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """True for an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """True if the host is the container itself."""
    return host in LOCAL_NAMES or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_own(host: str) -> bool:
    """True if the host is in the project's own network: Railway's private names and addresses, and single labels."""
    if is_address(host):
        return not ipaddress.ip_address(host).is_global
    return "." not in host or host.endswith((".internal", ".local", ".rlwy.net", ".up.railway.app"))


def is_outside(host: str) -> bool:
    """True if the host is public, and a service may depend on it."""
    return bool(clean_host(host)) and not is_own(host) and not is_local(host)
