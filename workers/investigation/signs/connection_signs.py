"""Reads failed connections: how they failed and which host was called. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from workers.investigation.signs.call_targets import Call, calls_in
from workers.investigation.signs.connection_wordings import PHRASES
from workers.investigation.signs.host_names import PLACEHOLDERS, endpoint, host_of, is_address, is_local
from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.wordings import Wording, matches, may_match, sign
from workers.models import Sign, SignKind


def connection_signs(record: RecordText, lowered: str) -> Iterator[Sign]:
    """Signs of failed connections, the most exact kind first, each with its host if the text names it."""
    phrases = [entry for entry in PHRASES if may_match(entry.pattern, lowered)]
    if not phrases:
        return
    calls = calls_in(record.message, lowered)
    kinds_with_host: set[SignKind] = set()
    for entry in phrases:
        for reading in _readings(entry, record.message, calls):
            if reading.subject:
                kinds_with_host.add(reading.kind)
            elif reading.kind in kinds_with_host:
                continue
            yield _addressed(reading)


def _readings(entry: Wording, text: str, calls: list[Call]) -> Iterator[Sign]:
    for match in matches(entry.pattern, text, exact_case=True):
        groups = match.groupdict()
        host, port = groups.get("host"), groups.get("port")
        if host and host.strip("[]").lower() in PLACEHOLDERS:
            yield sign(SignKind.WRONG_ADDRESS, host.lower())
            continue
        own = endpoint(host, port) if host else ""
        yield sign(entry.kind, _called(own, match.start(), text, calls))


def _called(own: str, at: int, text: str, calls: list[Call]) -> str:
    """The host of the failure at this position: the phrase's own, unless the client names the call beside its address."""
    if own and not (is_address(host_of(own)) and not is_local(host_of(own))):
        return own
    begin, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = [call for call in calls if begin <= call.at < (end if end >= 0 else len(text))]
    naming = [call for call in line if call.names_call]
    if own:
        return naming[-1].endpoint if naming else own
    nearest = sorted(naming or line, key=lambda call: abs(call.at - at)) or calls
    return nearest[0].endpoint if nearest else ""


def _addressed(reading: Sign) -> Sign:
    """A refused connection to the container itself is a wrong address: each service runs in its own container."""
    if reading.kind in (SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE) and is_local(
        host_of(reading.subject)
    ):
        return sign(SignKind.WRONG_ADDRESS, reading.subject)
    return reading
