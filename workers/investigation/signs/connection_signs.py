"""Reads failed connections: how they failed and which host was called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.call_targets import Call, calls_in, hosts_in_code, name_in_code
from workers.investigation.signs.connection_wordings import (
    NO_CONNECTIONS,
    REFUSALS,
    TLS_FAILURES,
    UNKNOWN_HOSTS,
)
from workers.investigation.signs.host_names import PLACEHOLDERS, endpoint, host_of, is_address, is_local
from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.silence_wordings import CLOSURES, SILENCES
from workers.investigation.signs.wordings import Wording, line_around, matches, may_match, sign
from workers.models import Sign, SignKind

PHRASES = (*UNKNOWN_HOSTS, *TLS_FAILURES, *REFUSALS, *NO_CONNECTIONS, *SILENCES, *CLOSURES)
LOCAL_IS_WRONG = frozenset({SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE})
"""Kinds that, for the container itself, mean a wrong address: each service runs in its own container."""
# Words of servers about a client of their own.
OWN_CALLER = re.compile(
    r"\b(?:from|on|to|with|by|for|reading) (?:the |a )?client\b|\bclient (?:closed|prematurely|disconnected|went away|\d)"
)
# Clients that call one host only, by the module of their exceptions.
PROVIDER_CLIENTS = (
    ("openai.api", "api.openai.com"),
    ("anthropic.api", "api.anthropic.com"),
    ("stripe.error.apiconnectionerror", "api.stripe.com"),
    ("stripeconnectionerror", "api.stripe.com"),
)
# PHP's traces hold the arguments of calls: `#0 /app/src/Db.php(9): PDO->__construct('mysql:host=…')`.
ARGUMENTS = re.compile(r"^#\d{1,3} [^\n]{1,400}", re.M)
# A bare time-out of asyncio; a client in its trace tells it from the service's own time limits.
BARE_TIMEOUT = re.compile(r"^(?:[\w.]{1,60}\.)?TimeoutError(?::\s*)?$", re.M)
CLIENT_FRAME = re.compile(
    r"/(?:aiohttp|httpx|httpcore|asyncpg|redis|aiomysql|motor|aiokafka|aio_pika|urllib3|asyncssh|grpc)/"
)


def connection_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of failed connections, the most exact kind first, each with its host if the text names it."""
    phrases = [entry for entry in PHRASES if may_match(entry.pattern, record.lowered)]
    if (
        "timeouterror" in record.lowered
        and BARE_TIMEOUT.search(record.message)
        and CLIENT_FRAME.search(record.whole)
    ):
        yield sign(SignKind.NO_RESPONSE, _only_host(record))
    if not phrases:
        return
    calls = calls_in(record.message, record.lowered)
    kinds_with_host: set[SignKind] = set()
    for entry in phrases:
        for reading in _readings(entry, record, calls):
            if reading.subject:
                kinds_with_host.add(reading.kind)
            elif reading.kind in kinds_with_host:
                continue
            yield _addressed(reading)


def _readings(entry: Wording, record: RecordText, calls: list[Call]) -> Iterator[Sign]:
    for match in matches(entry.pattern, record.message, exact_case=True):
        if _is_about_a_caller(match):
            continue
        groups = match.groupdict()
        host, port = groups.get("host"), groups.get("port")
        numbers = {"temporary": 1.0} if groups.get("n_temporary") else {}
        if host and host.strip("[]").lower() in PLACEHOLDERS:
            yield sign(SignKind.WRONG_ADDRESS, host.lower())
        elif host and entry.kind is SignKind.WRONG_ADDRESS:
            yield sign(entry.kind, host if host.startswith("/") else "")
        else:
            called = _called(endpoint(host, port) if host else "", match, calls)
            if is_address(host_of(called)) and not is_local(host_of(called)) and "://" in record.code:
                called = name_in_code(called, record.code) or called
            yield sign(entry.kind, called or _only_host(record), numbers)


def _is_about_a_caller(match: re.Match[str]) -> bool:
    """True if the service's own caller went away, as servers and databases log it."""
    begin, end = line_around(match)
    return (
        OWN_CALLER.search(match.string, max(begin, match.start() - 200), min(end, match.end() + 200))
        is not None
    )


def _called(own: str, match: re.Match[str], calls: list[Call]) -> str:
    """The host of a failure: the one of the phrase, unless the client names the call beside an address."""
    if own and (not is_address(host_of(own)) or is_local(host_of(own))):
        return own
    begin, end = line_around(match)
    line = [call for call in calls if begin <= call.at < end]
    naming = [call for call in line if call.names_call]
    if own:
        return naming[-1].endpoint if naming else own
    nearest = sorted(naming or line, key=lambda call: abs(call.at - match.start())) or calls
    return nearest[0].endpoint if nearest else ""


def _only_host(record: RecordText) -> str:
    """The host of the provider whose client failed, or the one host in the quoted code; else empty."""
    for client, host in PROVIDER_CLIENTS:
        if client in record.lowered:
            return host
    hosts = hosts_in_code(record.code) or hosts_in_code("\n".join(ARGUMENTS.findall(record.whole)))
    return hosts[0] if len(hosts) == 1 else ""


def _addressed(reading: Sign) -> Sign:
    local = reading.kind in LOCAL_IS_WRONG and is_local(host_of(reading.subject))
    return sign(SignKind.WRONG_ADDRESS, reading.subject) if local else reading
