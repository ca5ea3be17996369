"""Builds the facts about causes: signs in the logs, the network, neighbours, modules and settings. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from workers.investigation.evidence.pattern_reading import PROBLEM_LEVELS
from workers.investigation.signs.host_names import host_of
from workers.models import (
    Fact,
    FactKind,
    LogPattern,
    LogSource,
    ModuleDeclaration,
    Network,
    SettingUse,
    Sibling,
    Sign,
    SignKind,
)

MAX_SIGNS = 6  # signs that become facts; more than a few causes at once are consequences of one
MAX_NETWORK_FACTS = 4  # DNS answers and flows that become facts, each
MAX_SIBLINGS = 4  # neighbours that become facts
PRIVATE_DOMAIN = ".railway.internal"
NO_ERROR = "NOERROR"
EGRESS = "egress"  # kind of finding
WITHOUT_FACT = frozenset({SignKind.ACCOMPANIES, SignKind.PROGRAMMING_ERROR, SignKind.LINES_DROPPED})
"""Signs that name no cause, that the exception of a pattern says already, or that have a fact of their own."""
SETTING_SIGNS = frozenset({SignKind.SETTING_MISSING, SignKind.SETTING_INVALID})


def sign_facts(patterns: Sequence[LogPattern], source: LogSource) -> Iterator[Fact]:
    """The signs of the records, each once: those of errors and warnings first."""
    counts: dict[tuple[SignKind, str], tuple[Sign, int]] = {}
    for pattern in sorted(patterns, key=lambda pattern: pattern.level not in PROBLEM_LEVELS):
        for sign in pattern.signs:
            key = (sign.kind, sign.subject)
            first, records = counts.get(key, (sign, 0))
            counts[key] = (first, records + pattern.count)
    stated = [pair for pair in counts.values() if pair[0].kind not in WITHOUT_FACT]
    for sign, records in stated[:MAX_SIGNS]:
        yield Fact(kind=FactKind.SIGN, sign=sign, source=source, numbers={"records": records})


def dropped_line_facts(patterns: Iterable[LogPattern]) -> Iterator[Fact]:
    """The number of lines that the platform dropped: a line that is missing in such a log proves nothing."""
    signs = [sign for pattern in patterns for sign in pattern.signs if sign.kind is SignKind.LINES_DROPPED]
    if signs:
        lines = sum(sign.numbers.get("lines", 0.0) for sign in signs)
        yield Fact(kind=FactKind.LINES_DROPPED, numbers={"lines": lines})


def network_facts(network: Network, signs: Sequence[Sign], kinds: Collection[str] = ()) -> Iterator[Fact]:
    """Failed DNS answers and dropped packets first, then what the network says about the peers of failed calls.

    Args:
        kinds: kinds of the findings. Egress is about the peers outside to which most is sent.
    """
    names = _names(signs)
    answers = [answer for answer in network.dns if answer.rcode != NO_ERROR]
    answers += [answer for answer in network.dns if answer.rcode == NO_ERROR and answer.name in names]
    for answer in answers[:MAX_NETWORK_FACTS]:
        yield Fact(kind=FactKind.DNS_ANSWER, answer=answer)
    flows = [flow for flow in network.flows if flow.dropped]
    flows += [
        flow
        for flow in network.flows
        if not flow.dropped and (flow.peer.lower() in names or flow.peer_kind == "service")
    ]
    if EGRESS in kinds:
        outside = [flow for flow in network.flows if flow.peer_kind == "internet"]
        flows = sorted(outside, key=lambda flow: (-flow.bytes, flow.peer, flow.port)) + flows
    for flow in flows[:MAX_NETWORK_FACTS]:
        yield Fact(kind=FactKind.NETWORK_FLOW, flow=flow)


def sibling_facts(siblings: Sequence[Sibling], signs: Sequence[Sign]) -> Iterator[Fact]:
    """The neighbours that failed calls name, then those in trouble."""
    names = _names(signs)
    stated = [sibling for sibling in siblings if sibling.name.lower() in names]
    stated += [sibling for sibling in siblings if sibling.healthy is False and sibling not in stated]
    for sibling in stated[:MAX_SIBLINGS]:
        yield Fact(kind=FactKind.SIBLING, sibling=sibling)


def declaration_facts(
    modules: Sequence[ModuleDeclaration], settings: Sequence[SettingUse], signs: Sequence[Sign]
) -> Iterator[Fact]:
    """Where the repository declares the modules and reads the variables that the logs miss."""
    for module in modules:
        yield Fact(kind=FactKind.MODULE, module=module)
    names = {sign.subject.lower() for sign in signs if sign.kind in SETTING_SIGNS}
    for setting in settings:
        if setting.name.lower() in names:
            yield Fact(kind=FactKind.SETTING, setting=setting)


def _names(signs: Sequence[Sign]) -> set[str]:
    """The hosts that the signs name, whole and without the private domain: only asked for membership."""
    hosts = {host_of(sign.subject).lower() for sign in signs if sign.subject}
    return hosts | {host.removesuffix(PRIVATE_DOMAIN) for host in hosts}
