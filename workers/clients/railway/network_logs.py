"""DNS answers and network flows of one service, counted: two requests with two parts each, and no request after that.

Railway logs each lookup and each flow of a service without any setting of its owner. Text comes from outside.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from workers.clients.railway.api_model import ApiModel, ValidItems
from workers.clients.railway.documents import DNS_ANSWERS, NETWORK_FLOWS, build_document
from workers.clients.railway.transport import Transport
from workers.models import DnsAnswer, Flow, Window

MAX_ANSWERS = 40
"""Names with a result code that are kept, the failed ones first."""
MAX_FLOWS = 40
"""Peers with a port that are kept, those that drop packets first."""
NO_ERROR = "NOERROR"


class DnsRow(ApiModel):
    qname: str
    rcode: str


class DnsRows(ApiModel):
    failed: ValidItems[DnsRow]
    resolved: ValidItems[DnsRow]


class FlowRow(ApiModel):
    dst_addr: str
    dst_port: int
    peer_kind: str
    peer_service_id: str | None = None
    drop_cause: str | None = None
    l4_latency_ms: float = 0.0
    packet_count: int = 0
    byte_count: int = 0


class FlowRows(ApiModel):
    dropped: ValidItems[FlowRow]
    passed: ValidItems[FlowRow]


def read_dns_answers(
    transport: Transport, environment_id: str, service_id: str, window: Window
) -> tuple[DnsAnswer, ...]:
    """The answers that the service got from the name service, failed ones first. Raises as `Transport.query`."""
    rows = transport.query_as(
        DnsRows, build_document("DnsAnswers", DNS_ANSWERS), _variables(environment_id, service_id, window)
    )
    counts = Counter((row.qname.lower().rstrip("."), row.rcode) for row in (*rows.failed, *rows.resolved))
    answers = [DnsAnswer(name=name, rcode=rcode, count=count) for (name, rcode), count in counts.items()]
    answers.sort(key=lambda answer: (answer.rcode == NO_ERROR, -answer.count, answer.name, answer.rcode))
    return tuple(answers[:MAX_ANSWERS])


def read_flows(
    transport: Transport, environment_id: str, service_id: str, window: Window, names: Mapping[str, str]
) -> tuple[Flow, ...]:
    """The connections that the service opened, by peer and port; dropped ones first. Raises as `Transport.query`.

    Args:
        names: name of each service of the environment, by its id.
    """
    rows = transport.query_as(
        FlowRows,
        build_document("NetworkFlows", NETWORK_FLOWS),
        _variables(environment_id, service_id, window),
    )
    groups: dict[tuple[str, str, int], list[FlowRow]] = defaultdict(list)
    for row in (*rows.dropped, *rows.passed):
        groups[(names.get(row.peer_service_id or "", row.dst_addr), row.peer_kind, row.dst_port)].append(row)
    flows = [_flow(peer, kind, port, group) for (peer, kind, port), group in groups.items()]
    flows.sort(key=lambda flow: (-flow.dropped, -flow.bytes, flow.peer, flow.port))
    return tuple(flows[:MAX_FLOWS])


def _flow(peer: str, kind: str, port: int, rows: Sequence[FlowRow]) -> Flow:
    causes = Counter(row.drop_cause for row in rows if row.drop_cause)
    return Flow(
        peer=peer, peer_kind=kind, port=port, bytes=sum(row.byte_count for row in rows),
        dropped=sum(row.packet_count for row in rows if row.drop_cause),
        drop_cause=min(causes, key=lambda cause: (-causes[cause], cause), default=""),
        latency_ms=_latency(rows),
    )  # fmt: skip


def _latency(rows: Iterable[FlowRow]) -> float | None:
    """The median. Railway has 0 for a flow whose latency it did not measure."""
    measured = [row.l4_latency_ms for row in rows if row.l4_latency_ms > 0]
    return median(measured) if measured else None


def _variables(environment_id: str, service_id: str, window: Window) -> dict[str, object]:
    return {
        "environmentId": environment_id,
        "serviceId": service_id,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
    }
