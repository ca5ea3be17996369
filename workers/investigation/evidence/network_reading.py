"""Reads what the network reports about a service, if its trouble may be one of the network."""

from __future__ import annotations

from collections.abc import Iterable

from workers.clients.railway import Railway
from workers.investigation.evidence.reading import Reading
from workers.investigation.evidence.suspects import log_window
from workers.models import DnsAnswer, Flow, GapPart, Incident, Network, Service, Sign, SignKind

NETWORK_SIGNS = frozenset(
    {
        SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE, SignKind.CONNECTION_CLOSED, SignKind.UNKNOWN_HOST,
        SignKind.NO_RESPONSE,
    }
)  # fmt: skip
"""Signs of a call that may have failed on its way."""
EGRESS_KINDS = frozenset({"egress"})


def read_network(
    reading: Reading, railway: Railway, incident: Incident, service: Service, signs: Iterable[Sign]
) -> Network:
    """DNS answers and flows of the service: for failed calls, egress, and latency of a service with neighbours.

    Args:
        signs: the signs in the service's logs.
    """
    kinds = {finding.kind for finding in incident.findings}
    is_slow = "latency" in kinds and bool(incident.siblings)
    failed_calls = any(sign.kind in NETWORK_SIGNS for sign in signs)
    if not (failed_calls or is_slow or kinds & EGRESS_KINDS):
        return Network()
    environment, window = incident.environment_id, log_window(incident)
    names = {sibling.id: sibling.name for sibling in incident.siblings if sibling.id}
    no_answers: tuple[DnsAnswer, ...] = ()
    no_flows: tuple[Flow, ...] = ()
    return Network(
        dns=reading.ask_railway(
            GapPart.DNS_ANSWERS,
            service.name,
            lambda: railway.dns_answers(environment, service.id, window),
            no_answers,
        ),
        flows=reading.ask_railway(
            GapPart.NETWORK_FLOWS,
            service.name,
            lambda: railway.network_flows(environment, service.id, window, names),
            no_flows,
        ),
    )
